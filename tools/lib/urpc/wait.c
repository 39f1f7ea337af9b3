// SPDX-License-Identifier: LGPL-2.1-only
/*
 * wait.c - look for a while, then sleep
 *
 * Sleeping and being woken costs C.  Whoever looks for C before it sleeps
 * burns at most twice what it had to, and is at most C late, whatever the
 * messages do (ski rental).  On top of that it learns: when MISSES waits in a
 * row outlasted the looking, it sleeps at once, which burns and delays at most
 * C; when HITS waits in a row would have been over within C, it looks again.
 *
 * Two sides that wait for each other may both have given up, and then each is
 * as late as the other's waking makes it: nobody would ever see a short wait.
 * So after some waits one of them is looked for as long as that may be.  The
 * number is random, for both have to do it at once, and grows when it was in
 * vain.
 */
#include "internal.h"

#define MISSES		4
#define HITS		2
#define PATIENCE_MIN	4
#define PATIENCE_MAX	64
#define TRIAL		4

/* --- looking ------------------------------------------------------------- */

/**
 * ul_look_at - load a control word in one of the ways of polling
 * @ctl: where; writable but for URPC_POLL_LOAD
 * @mode: how
 */
uint64_t ul_look_at(__u64 *ctl, enum urpc_poll_mode mode)
{
	uint64_t v = 0;

	switch (mode) {
	case URPC_POLL_RMW:
#ifdef __x86_64__
		/* a compiler may make a load of an atomic addition of 0 */
		__asm__ __volatile__("lock xaddq %0, %1"
				     : "+r" (v), "+m" (*ctl) : : "memory");
#else
		v = __atomic_fetch_add(ctl, 0, __ATOMIC_ACQUIRE);
#endif
		return v;
	case URPC_POLL_PREFETCHW:
		__builtin_prefetch(ctl, 1);
		return urpc_load_acquire(ctl);
	default:
		return urpc_load_acquire(ctl);
	}
}

/* Between two looks. */
void ul_look_pause(enum urpc_poll_mode mode)
{
	urpc_pause();
	if (mode == URPC_POLL_RMW)
		urpc_pause();
}

/* Is what @flags and @pos say there? */
bool ul_is_there(struct urpc_channel *c, uint32_t flags, uint64_t pos)
{
	__u64 ctl;

	if (flags & URPC_WAIT_CALL)
		return ul_kind_of(urpc_load_acquire(&c->priv->call.line->ctl))
		       == pos;
	if (flags & URPC_WAIT_ROOM)
		return urpc_load_acquire(&c->tx.peer->ack) != pos ||
		       (c->tx_marks && ul_is_marked(&c->tx, c->tx.pos));
	return urpc_rx_full(&c->rx, &ctl);
}

/* Look up to @n times, in the mode that suits; true when it is there. */
static bool look_for(struct urpc_channel *c, uint32_t flags, uint64_t pos,
		     uint32_t n)
{
	enum urpc_poll_mode mode = c->priv->poll_mode;
	__u64 *ctl = NULL, want = 0, mask = 0;

	if (flags & URPC_WAIT_CALL) {
		mode = c->priv->call.mode;
		ctl = &c->priv->call.line->ctl;
		mask = URPC_CTL_KIND_MASK << URPC_CTL_KIND_SHIFT;
		want = pos << URPC_CTL_KIND_SHIFT;
	} else if (!(flags & URPC_WAIT_ROOM) && mode != URPC_POLL_LOAD) {
		ctl = (__u64 *)(uintptr_t)&urpc_rx_slot(&c->rx)->ctl;
		mask = URPC_CTL_EPOCH;
		want = urpc_epoch(c->rx.pos, c->rx.shift);
	}
	for (; n; n--, c->rx_idle++) {
		if (ctl ? (ul_look_at(ctl, mode) & mask) == want :
			  ul_is_there(c, flags, pos))
			return true;
		ul_look_pause(ctl ? mode : URPC_POLL_LOAD);
	}
	return false;
}

/* --- sleeping ------------------------------------------------------------ */

static int sleep_until(struct urpc_channel *c, uint32_t flags, uint64_t pos,
		       int64_t deadline, struct urpc_counters *count)
{
	int64_t left;
	int ret;

	for (;;) {
		left = ul_time_left(deadline);
		ul_count_up(&count->sleeps, 1);
		ret = c->priv->ops->wait(c, flags, pos, left);
		if (ul_is_there(c, flags, pos))
			return 0;
		/* gone, but what it did before may be there by now */
		if (c->priv->ops->look(c))
			return ul_is_there(c, flags, pos) ? 0 : -EPIPE;
		if (ret && ret != -EINTR && ret != -ETIMEDOUT)
			return ret;
		if (!ul_time_left(deadline))
			return -ETIMEDOUT;
		if (!ret)
			ul_count_up(&count->spurious, 1);
		/* the word that was set before it was used up by a wake */
		flags &= ~URPC_WAIT_CAUSAL;
	}
}

/* --- when to look and when to sleep -------------------------------------- */

/* The inline functions look only by plain loads. */
static void set_polls(struct urpc_channel *c)
{
	c->rx_polls = c->priv->poll_mode == URPC_POLL_LOAD ?
		      c->priv->rx.policy.now : 0;
}

static uint32_t random_below(struct urpc_policy *p, uint32_t n)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 17;
	p->random ^= p->random << 5;
	return p->random % n;
}

static void look_again(struct urpc_policy *p, uint64_t pos)
{
	p->now = p->polls;
	p->missed = 0;
	p->began = pos;
}

static void give_up(struct urpc_policy *p, uint64_t pos)
{
	/* was there anything but misses? */
	if (pos - p->began > MISSES)
		p->patience = PATIENCE_MIN;
	else if (p->patience < PATIENCE_MAX)
		p->patience *= 2;
	p->now = 0;
	p->hits = 0;
	p->retry = 1 + random_below(p, 2 * p->patience);
}

/* A sleep of @ns after looking (or not) is over; the next message is @pos. */
static void learn(struct urpc_policy *p, int64_t ns, uint64_t pos)
{
	if (p->fixed)
		return;
	if (p->now) {
		if (++p->missed >= MISSES)
			give_up(p, pos);
		return;
	}
	/* of what it took, the sleep and the wake themselves were one C */
	p->hits = ns <= 2 * p->cost_ns ? p->hits + 1 : 0;
	if (p->hits >= HITS)
		look_again(p, pos);
	else if (p->retry && !--p->retry)
		p->trial = true;
}

/* Looks for the one wait that is a trial; 0 for all others. */
static uint32_t trial_looks(struct urpc_policy *p)
{
	if (!p->trial)
		return 0;
	p->trial = false;
	/* in vain, unless it turns out otherwise */
	give_up(p, p->began);
	return TRIAL * p->polls;
}

static void policy_of(struct urpc_policy *p, const struct urpc_channel_attr *a,
		      int64_t cost_ns)
{
	p->cost_ns = cost_ns;
	p->fixed = a->poll_ns != 0;
	if (a->poll_ns > 0)
		p->polls = ul_polls_in(a->poll_ns);
	else if (!a->poll_ns)
		p->polls = ul_polls_in(cost_ns);
	p->now = p->polls;
	p->patience = PATIENCE_MIN;
	/* any, but not the same on both sides */
	p->random = (uint32_t)((uintptr_t)p >> 7) | 1;
}

void ul_policy_init(struct urpc_channel *c, const struct urpc_channel_attr *a)
{
	int64_t cost = a->wake_cost_ns;

	/* who neither polls nor adapts does not need to know */
	if (!cost && !a->poll_ns)
		cost = ul_wake_cost_of(c->priv->ops);
	policy_of(&c->priv->rx.policy, a, cost);
	policy_of(&c->priv->tx.policy, a, cost);
	set_polls(c);
}

/* --- for a message ------------------------------------------------------- */

/* Nobody may wait for an acknowledgement that is only held back. */
static void before_sleep(struct urpc_channel *c)
{
	if (c->rx.pos != c->rx.acked)
		urpc_rx_ack(&c->rx);
	if (urpc_rx_must_wake(&c->rx))
		ul_wake_sender(c);
	ul_stats_of_receiver(c);
}

static int sleep_for(struct urpc_channel *c, uint32_t flags, uint64_t pos,
		     int64_t timeout_ns)
{
	struct urpc_receiver *r = &c->priv->rx;
	int64_t began = 0;
	int ret;

	before_sleep(c);
	/* who learns nothing from it need not know how long it took */
	if (!r->policy.fixed)
		began = ul_now();
	ret = sleep_until(c, flags, pos, ul_deadline_of(timeout_ns), &r->count);
	if (!r->policy.fixed) {
		r->policy.missed = c->rx_missed;
		learn(&r->policy, ul_now() - began, c->rx.pos);
		c->rx_missed = r->policy.missed;
		set_polls(c);
	}
	if (ret == -EPIPE)
		c->rx_gone = 1;
	return ret;
}

/*
 * Look before the sleep: as the policy says, unless the inline function did
 * (@here), and when a trial is due.
 */
static bool looks_first(struct urpc_channel *c, uint32_t flags, uint64_t pos,
			int64_t timeout_ns, bool here)
{
	struct urpc_policy *p = &c->priv->rx.policy;
	uint32_t trial = trial_looks(p);

	/* who has little time does not want to wait longer */
	if (timeout_ns > 0 && timeout_ns < TRIAL * p->cost_ns)
		trial = 0;
	if (here && look_for(c, flags, pos, p->now)) {
		c->rx_missed = 0;
		return true;
	}
	if (!trial || !look_for(c, flags, pos, trial))
		return false;
	look_again(p, c->rx.pos);
	c->rx_missed = 0;
	set_polls(c);
	return true;
}

/*
 * The inline function has looked @rx_polls times and found nothing.  0: there
 * is a message.
 */
int __urpc_wait_message(struct urpc_channel *c, int64_t timeout_ns)
{
	if (c->priv->forked)
		return -EBADF;
	if (looks_first(c, 0, c->rx.pos, timeout_ns,
			c->priv->poll_mode != URPC_POLL_LOAD))
		return 0;
	return sleep_for(c, 0, c->rx.pos, timeout_ns);
}

/* Likewise, after the sleep word was set before the request. */
int ul_wait_announced(struct urpc_channel *c, int64_t timeout_ns)
{
	return sleep_for(c, URPC_WAIT_CAUSAL, c->rx.pos, timeout_ns);
}

/* --- for the call line --------------------------------------------------- */

/* The caller has looked, as the policy says. */
int ul_wait_for_call(struct urpc_channel *c, enum urpc_kind kind,
		     int64_t timeout_ns)
{
	uint32_t flags = URPC_WAIT_CALL;

	if (!timeout_ns)
		return ul_is_gone(c) || c->priv->ops->look(c) ? -EPIPE :
								-EAGAIN;
	if (c->priv->call.announced)
		flags |= URPC_WAIT_CAUSAL;
	else if (looks_first(c, flags, kind, timeout_ns, false))
		return 0;
	return sleep_for(c, flags, kind, timeout_ns);
}

/* --- for room ------------------------------------------------------------ */

static bool look_for_room(struct urpc_channel *c)
{
	struct urpc_policy *p = &c->priv->tx.policy;
	uint32_t n, most = p->now ? p->now : trial_looks(p);

	for (n = 0; n < most; n++) {
		urpc_pause();
		/* an offence, too, is something to be told */
		if (ul_room(c, 1)) {
			if (!p->now)
				look_again(p, c->tx.pos);
			p->missed = 0;
			break;
		}
	}
	ul_count_up(&c->priv->tx.count.polls, n);
	return n < most;
}

int __urpc_wait_room(struct urpc_channel *c, int64_t timeout_ns)
{
	struct urpc_sender *s = &c->priv->tx;
	int64_t began, deadline = INT64_MAX;
	uint64_t ack;
	int ret = __urpc_room(c);

	if (ret != -EAGAIN || !timeout_ns)
		return ret;
	if (look_for_room(c))
		return __urpc_room(c);
	deadline = ul_deadline_of(timeout_ns);
	ul_stats_of_sender(c);
	do {
		/* what was seen before the look that found no room */
		ack = urpc_load_acquire(&c->tx.peer->ack);
		ret = __urpc_room(c);
		if (ret != -EAGAIN)
			return ret;
		began = ul_now();
		ret = sleep_until(c, URPC_WAIT_ROOM, ack, deadline, &s->count);
		learn(&s->policy, ul_now() - began, c->tx.pos);
	} while (!ret);
	return ret;
}

/* --- waking -------------------------------------------------------------- */

/* It slept a moment ago; unless it was woken for that, or sleeps no more. */
void __urpc_wake_receiver(struct urpc_channel *c)
{
	if (!urpc_tx_must_wake(&c->tx))
		return;
	ul_count_up(&c->priv->tx.count.wakes, 1);
	c->priv->ops->wake(c, 0, c->tx.woken);
}

void ul_wake_sender(struct urpc_channel *c)
{
	ul_count_up(&c->priv->rx.count.wakes, 1);
	c->priv->ops->wake(c, URPC_WAKE_ROOM, c->rx.woken);
}
