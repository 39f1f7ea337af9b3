// SPDX-License-Identifier: LGPL-2.1-only
/*
 * channel.c - a channel from its set-up to its end, and what it is
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* Messages that a streaming reader takes at once, at most a quarter ring. */
#define GROUP_MAX	16

static size_t rounded(size_t bytes)
{
	return (bytes + URPC_APART - 1) & ~(size_t)(URPC_APART - 1);
}

struct urpc_channel *ul_channel_alloc(const struct urpc_backend_ops *ops)
{
	size_t bytes = rounded(sizeof(struct urpc_channel)) +
		       rounded(sizeof(struct urpc_private));
	struct urpc_channel *c = aligned_alloc(URPC_APART, bytes);

	if (!c)
		return NULL;
	memset(c, 0, bytes);
	c->priv = (struct urpc_private *)
		((char *)c + rounded(sizeof(struct urpc_channel)));
	c->priv->self = c;
	c->priv->ops = ops;
	c->priv->fd = -1;
	return c;
}

/* One that no back end has set up, or whose back end is through with it. */
void ul_channel_free(struct urpc_channel *c)
{
	free(c);
}

/* What a back end made: rings at their positions, nothing counted yet. */
void ul_channel_setup(struct urpc_channel *c, const struct urpc_setup *s)
{
	struct urpc_private *p = c->priv;

	urpc_tx_init(&c->tx, s->own, s->peer, s->slots, s->tx_pos);
	urpc_rx_init(&c->rx, s->own, s->peer, s->slots, s->rx_pos);
	p->fd = s->fd;
	p->own = s->own;
	p->peer = s->peer;
	p->bytes = urpc_region_bytes(s->slots);
	p->slots = s->slots;
	p->level = s->level;
	p->side = s->side;
	p->cpu = s->cpu;
	p->peer_cpu = s->peer_cpu;
	p->rx.group = s->slots / 4 < GROUP_MAX ? s->slots / 4 : GROUP_MAX;
	c->rx_report = s->rx_pos + URPC_STATS_EVERY;
	ul_call_setup(c);
}

/* The best way to look, where both sides may write: by probe, or as asked. */
static int choose_poll_mode(struct urpc_channel *c,
			    const struct urpc_channel_attr *a)
{
	struct urpc_private *p = c->priv;
	struct urpc_calibration cal;

	if (p->level != URPC_SHARED)
		return 0;
	p->poll_mode = (enum urpc_poll_mode)a->poll_mode;
	p->call.mode = p->poll_mode;
	if (!(a->flags & URPC_ATTR_PROBE) || p->cpu == URPC_CPU_ANY ||
	    p->peer_cpu == URPC_CPU_ANY)
		return 0;
	/* CPUs that this process may not use cannot be probed */
	if (urpc_calibrate(p->cpu, p->peer_cpu, &cal))
		return 0;
	p->poll_mode = cal.best;
	p->call.mode = cal.one_line_best;
	return 0;
}

/* The last part of set-up: what the caller asked for.  On failure: gone. */
int ul_channel_start(struct urpc_channel *c, const struct urpc_channel_attr *a)
{
	int ret = choose_poll_mode(c, a);

	if (ret) {
		urpc_close(c);
		return ret;
	}
	if (a->flags & URPC_ATTR_MARKS && c->priv->level == URPC_SHARED) {
		c->rx_marks = 1;
		c->tx_marks = 1;
	}
	ul_policy_init(c, a);
	ul_fork_add_channel(c);
	return 0;
}

/* The last words of this side: what it took, and what it counted. */
void ul_channel_settle(struct urpc_channel *c)
{
	if (c->rx.pos != c->rx.acked)
		urpc_rx_ack(&c->rx);
	ul_stats_of_sender(c);
	ul_stats_of_receiver(c);
}

void urpc_close(struct urpc_channel *channel)
{
	struct urpc_private *p;

	if (!channel)
		return;
	p = channel->priv;
	ul_fork_forget(&p->link);
	if (!p->forked && !p->passed)
		ul_channel_settle(channel);
	/* a child has nothing of it but the memory */
	if (!p->forked)
		p->ops->close(channel);
	ul_channel_free(channel);
}

enum urpc_level urpc_channel_level(const struct urpc_channel *channel)
{
	return (enum urpc_level)channel->priv->level;
}

unsigned int urpc_channel_slots(const struct urpc_channel *channel)
{
	return channel->priv->slots;
}

unsigned int urpc_channel_side(const struct urpc_channel *channel)
{
	return channel->priv->side;
}

int urpc_channel_peer(const struct urpc_channel *channel,
		      struct urpc_peer *peer)
{
	if (!channel->priv->who_known)
		return -ENODATA;
	*peer = channel->priv->who;
	return 0;
}

unsigned int urpc_state(struct urpc_channel *channel)
{
	if (channel->priv->forked)
		return URPC_STATE_PEER_GONE;
	return channel->priv->ops->state(channel);
}

uint64_t urpc_unacked(const struct urpc_channel *channel)
{
	const struct urpc_tx *tx = &channel->tx;
	uint64_t n = tx->pos - urpc_load_acquire(&tx->peer->ack);
	/* with marks in the slots, acknowledgements lag by a quarter ring */
	uint64_t most = channel->priv->slots +
			(channel->tx_marks ? channel->rx.ack_every : 0);

	return n > most ? most : n;
}

int urpc_channel_fd(struct urpc_channel *channel)
{
	if (channel->priv->forked)
		return -EBADF;
	return channel->priv->ops->poll_fd(channel);
}

int urpc_poll_prepare(struct urpc_channel *channel)
{
	if (channel->priv->forked)
		return -EBADF;
	return channel->priv->ops->poll_prepare(channel);
}

/* --- the slow halves of sending and receiving ---------------------------- */

/* Was the slot of message @pos given back by a mark, one lap ago? */
bool ul_is_marked(const struct urpc_tx *tx, uint64_t pos)
{
	__u64 ctl = urpc_load_acquire(&tx->slot[pos & tx->mask].ctl);

	return ul_kind_of(ctl) == URPC_KIND_TAKEN &&
	       ((ctl ^ urpc_epoch(pos, tx->shift)) & URPC_CTL_EPOCH);
}

/*
 * Where marks give slots back, acknowledgements come later and say less: the
 * peer is trusted there, and an old one is no offence.
 */
static bool marks_or_ack(struct urpc_tx *tx, uint32_t slots)
{
	uint64_t ack;
	int64_t room;

	if (ul_is_marked(tx, tx->pos + slots - 1)) {
		tx->limit = tx->pos + slots;
		return true;
	}
	ack = urpc_load_acquire(&tx->peer->ack);
	room = (int64_t)(ack + tx->mask + 1 - tx->pos);
	if (room < slots || room > (int64_t)tx->mask + 1)
		return false;
	tx->limit = tx->pos + (uint64_t)room;
	return true;
}

/**
 * ul_room - is there room for messages?
 * @c: channel
 * @slots: how many, at most a ring
 *
 * Return: 1, 0, or -EPROTO.
 */
int ul_room(struct urpc_channel *c, uint32_t slots)
{
	struct urpc_sender *s = &c->priv->tx;
	int n;

	if (s->error)
		return s->error;
	if (c->tx_marks)
		return marks_or_ack(&c->tx, slots);
	n = urpc_tx_room(&c->tx);
	if (n == URPC_RING_BROKEN) {
		/* for good: nothing that this peer says is worth anything */
		s->error = -EPROTO;
		return -EPROTO;
	}
	return (uint32_t)n >= slots;
}

int __urpc_room(struct urpc_channel *c)
{
	int ret;

	if (c->priv->forked)
		return -EBADF;
	ret = ul_room(c, 1);
	if (ret > 0 && c->tx.pos - c->priv->tx.written >= URPC_STATS_EVERY)
		ul_stats_of_sender(c);
	if (ret)
		return ret > 0 ? 0 : ret;
	ul_count_up(&c->priv->tx.count.polls, 1);
	if (ul_is_gone(c))
		return -EPIPE;
	if (!(c->priv->tx.count.polls % URPC_IDLE_LOOKS) &&
	    c->priv->ops->look(c))
		return -EPIPE;
	return -EAGAIN;
}

/* Nothing there: is the peer, still?  What it sent last may have come since. */
int __urpc_empty(struct urpc_channel *c)
{
	__u64 ctl;

	if (c->priv->forked)
		return -EBADF;
	if (!ul_is_gone(c) && !c->priv->ops->look(c))
		return -EAGAIN;
	c->rx_gone = 1;
	return urpc_rx_full(&c->rx, &ctl) ? -EAGAIN : -EPIPE;
}

/* Take a slot that counts for nothing. */
void ul_drop(struct urpc_channel *c, __u64 ctl)
{
	ul_count_up(&c->priv->rx.more, 1);
	ul_count_up(&c->priv->rx.less, URPC_SLOT_BYTES);
	__urpc_taken(c, ctl);
}

/* No plain message: what is for another function stays, garbage goes. */
int __urpc_odd(struct urpc_channel *c, __u64 ctl)
{
	switch (ul_kind_of(ctl)) {
	case URPC_KIND_BULK:
	case URPC_KIND_CALL:
		return -EMSGSIZE;
	case URPC_KIND_REPLY:
		if (c->priv->call.open)
			return -EMSGSIZE;
		break;
	default:
		break;
	}
	/* a slot of a bulk message that was given up is no message */
	ul_drop(c, ctl);
	return -EBADMSG;
}

/* A quarter of the ring was acknowledged: the peer may wait for that. */
void __urpc_acked(struct urpc_channel *c)
{
	if (urpc_rx_must_wake(&c->rx))
		ul_wake_sender(c);
	if (c->rx.pos < c->rx_report)
		return;
	ul_stats_depth(c);
	ul_stats_of_receiver(c);
}
