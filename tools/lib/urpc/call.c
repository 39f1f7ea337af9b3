// SPDX-License-Identifier: LGPL-2.1-only
/*
 * call.c - call and return
 *
 * Shared level: request and reply travel in one line, which both sides write
 * in turn; the kind of its control word says whose turn it is.  Guarded level:
 * over the two rings.  Either way only the side that connected calls.
 *
 * A caller that is going to sleep without polling sets its sleep word before
 * it publishes the request.  Whoever answers has seen the request, so the word
 * too, and no barrier is needed.
 */
#include "internal.h"

void ul_call_setup(struct urpc_channel *c)
{
	struct urpc_private *p = c->priv;
	struct urpc_control *of_caller = p->side ?
		(struct urpc_control *)(uintptr_t)ul_peer(c) : ul_own(c);

	/* at the guarded level one side could not write it */
	p->call.line = p->level == URPC_SHARED ? &of_caller->rpc : NULL;
}

/* A message that goes over the line is none of the ring's. */
static void count_line(uint64_t *more, uint64_t *less)
{
	ul_count_up(more, (uint64_t)-1);
	ul_count_up(less, (uint64_t)-URPC_SLOT_BYTES);
}

static void put_line(struct urpc_channel *c, uint32_t tag,
		     enum urpc_kind kind, const uint64_t *word)
{
	struct urpc_slot *line = c->priv->call.line;

	__urpc_fill(line, word);
	urpc_store_release(&line->ctl, urpc_ctl(tag, kind, 0));
	count_line(&c->priv->tx.more, &c->priv->tx.less);
	if (urpc_tx_peer_sleeps(&c->tx))
		__urpc_wake_receiver(c);
}

/*
 * Look at the line up to @most times; how often it was in vain.  One loop for
 * each way of looking, with nothing else in it: a turn of the line between two
 * CPUs takes no longer than some tens of instructions.
 */
static uint32_t look_at_line(__u64 *ctl, enum urpc_kind kind,
			     enum urpc_poll_mode mode, uint32_t most)
{
	uint32_t n;

	if (mode == URPC_POLL_LOAD) {
		for (n = 0; n < most; n++) {
			if (ul_kind_of(urpc_load_acquire(ctl)) == kind)
				return n;
			urpc_pause();
		}
		return n;
	}
	for (n = 0; n < most; n++) {
		if (ul_kind_of(ul_look_at(ctl, mode)) == kind)
			return n;
		ul_look_pause(mode);
	}
	return n;
}

static bool await_line(struct urpc_channel *c, enum urpc_kind kind,
		       int64_t timeout_ns)
{
	struct urpc_caller *call = &c->priv->call;
	uint32_t most = 1, n;

	/* announced: the word is set, so it is too late to poll */
	if (timeout_ns && !call->announced)
		most += c->priv->rx.policy.now;
	n = look_at_line(&call->line->ctl, kind, call->mode, most);
	c->rx_idle += n;
	if (n == most)
		return false;
	c->rx_missed = 0;
	return true;
}

static int get_line(struct urpc_channel *c, uint32_t *tag, enum urpc_kind kind,
		    uint64_t *word, int64_t timeout_ns)
{
	const struct urpc_slot *line = c->priv->call.line;
	int ret;

	if (!await_line(c, kind, timeout_ns)) {
		ret = ul_wait_for_call(c, kind, timeout_ns);
		if (ret)
			return ret;
	}
	if (tag)
		*tag = urpc_ctl_tag(urpc_load_acquire(&line->ctl));
	__urpc_copy(word, line);
	count_line(&c->priv->rx.more, &c->priv->rx.less);
	return 0;
}

static void put_ring(struct urpc_channel *c, uint32_t tag,
		     enum urpc_kind kind, const uint64_t *word)
{
	__urpc_fill(urpc_tx_slot(&c->tx), word);
	__urpc_publish(c, urpc_ctl(tag, kind, 0));
}

/* The next slot, when it is of that kind; anything else is left there. */
static int take_ring(struct urpc_channel *c, __u64 ctl, uint32_t *tag,
		     enum urpc_kind kind, uint64_t *word)
{
	if (ul_kind_of(ctl) != kind)
		return __urpc_is_odd(ctl) ? __urpc_odd(c, ctl) : -EMSGSIZE;
	if (tag)
		*tag = urpc_ctl_tag(ctl);
	__urpc_copy(word, urpc_rx_slot(&c->rx));
	__urpc_taken(c, ctl);
	return 0;
}

static int get_ring(struct urpc_channel *c, uint32_t *tag, enum urpc_kind kind,
		    uint64_t *word, int64_t timeout_ns)
{
	__u64 ctl;
	int ret;

	if (!urpc_rx_full(&c->rx, &ctl)) {
		if (!timeout_ns)
			return __urpc_nothing(c);
		/* announced: the word is set, so it is too late to poll */
		if (c->priv->call.announced)
			ret = ul_wait_announced(c, timeout_ns);
		else if (__urpc_poll_message(c, &ctl))
			ret = 0;
		else
			ret = __urpc_wait_message(c, timeout_ns);
		if (ret)
			return ret;
		urpc_rx_full(&c->rx, &ctl);
	}
	return take_ring(c, ctl, tag, kind, word);
}

static int get(struct urpc_channel *c, uint32_t *tag, enum urpc_kind kind,
	       uint64_t *word, int64_t timeout_ns)
{
	return c->priv->call.line ? get_line(c, tag, kind, word, timeout_ns) :
				    get_ring(c, tag, kind, word, timeout_ns);
}

/* --- the caller ---------------------------------------------------------- */

static void announce(struct urpc_channel *c)
{
	struct urpc_caller *call = &c->priv->call;

	/* as the policy says: sleep at once, or poll first */
	call->announced = !c->priv->rx.policy.now && !c->priv->rx.policy.trial;
	if (call->announced)
		c->priv->ops->announce(c);
}

int urpc_call_start(struct urpc_channel *channel, uint32_t tag,
		    const uint64_t *word)
{
	struct urpc_caller *call = &channel->priv->call;
	int ret = 0;

	if (channel->priv->forked)
		return -EBADF;
	if (channel->priv->side)
		return -EINVAL;
	if (call->open)
		return -EBUSY;
	if (!call->line && !urpc_tx_has_room(&channel->tx))
		ret = __urpc_room(channel);
	if (!ret && ul_is_gone(channel))
		ret = -EPIPE;
	if (ret)
		return ret;
	announce(channel);
	if (call->line)
		put_line(channel, tag, URPC_KIND_CALL, word);
	else
		put_ring(channel, tag, URPC_KIND_CALL, word);
	call->open = true;
	return 0;
}

int urpc_call_finish(struct urpc_channel *channel, uint32_t *tag,
		     uint64_t *reply, int64_t timeout_ns)
{
	struct urpc_caller *call = &channel->priv->call;
	int ret;

	if (channel->priv->forked)
		return -EBADF;
	if (channel->priv->side || !call->open)
		return -EINVAL;
	ret = get(channel, tag, URPC_KIND_REPLY, reply, timeout_ns);
	if (call->announced && ret != -EAGAIN) {
		/* a sleep took it back; who did not need to sleep does it */
		urpc_store(&ul_own(channel)->rx_sleep, 0u);
		call->announced = false;
	}
	if (!ret)
		call->open = false;
	return ret;
}

int urpc_call(struct urpc_channel *channel, uint32_t tag, const uint64_t *word,
	      uint32_t *reply_tag, uint64_t *reply, int64_t timeout_ns)
{
	int64_t deadline = timeout_ns > 0 ? ul_deadline_of(timeout_ns) : 0;
	int ret = urpc_call_start(channel, tag, word);

	if (ret == -EAGAIN && timeout_ns) {
		/* the ring is full of messages that were sent before */
		ret = __urpc_wait_room(channel, timeout_ns);
		if (!ret)
			ret = urpc_call_start(channel, tag, word);
	}
	if (ret)
		return ret;
	return urpc_call_finish(channel, reply_tag, reply, deadline ?
				ul_timeout_left(deadline) : timeout_ns);
}

/* --- the callee ---------------------------------------------------------- */

int urpc_call_next(struct urpc_channel *channel, uint32_t *tag, uint64_t *word,
		   int64_t timeout_ns)
{
	struct urpc_caller *call = &channel->priv->call;
	int ret;

	if (channel->priv->forked)
		return -EBADF;
	if (!channel->priv->side)
		return -EINVAL;
	if (call->open)
		return -EBUSY;
	ret = get(channel, tag, URPC_KIND_CALL, word, timeout_ns);
	if (!ret)
		call->open = true;
	return ret;
}

int urpc_call_reply(struct urpc_channel *channel, uint32_t tag,
		    const uint64_t *word)
{
	struct urpc_caller *call = &channel->priv->call;
	int ret = 0;

	if (channel->priv->forked)
		return -EBADF;
	if (!channel->priv->side || !call->open)
		return -EINVAL;
	if (!call->line && !urpc_tx_has_room(&channel->tx))
		ret = __urpc_wait_room(channel, -1);
	if (ret)
		return ret;
	call->open = false;
	if (call->line)
		put_line(channel, tag, URPC_KIND_REPLY, word);
	else
		put_ring(channel, tag, URPC_KIND_REPLY, word);
	return 0;
}
