// SPDX-License-Identifier: GPL-2.0-only
/*
 * wait.c - sleep and wake, without a fence in the sender
 *
 * A sender publishes a message, then tests the peer's sleep word.  Both are in
 * different lines, so its CPU may do the test before the message is visible;
 * with a fence in between, sending takes five times as long.  The sleeper pays
 * instead:
 *
 *	sleeper					sender
 *	queue itself				slot = message
 *	sleep word = n
 *	full barrier on every CPU that		if (sleep word)
 *	   may run the sender				wake
 *	look at the slot again
 *	sleep
 *
 * If the sender's test came before the interrupt, so did its store, and the
 * sleeper's look finds the message.  If it came after, it found the word.  A
 * model of this is in Documentation/design/urpc-sleep.pml.
 *
 * Barriers interrupt other people's CPUs, so each side has an allowance of
 * them (urpc_barrier_rate a second).  A sleep beyond it is cut in slices of
 * RECHECK, after each of which it looks again.
 */
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>

#include "internal.h"
#include "trace.h"

/* Barriers a second and side; a burst of a tenth of that is free. */
unsigned int urpc_barrier_rate = 20000;

/* How long a sleep without a barrier lasts before the next look. */
#define RECHECK_NS	(2 * NSEC_PER_MSEC)
#define RECHECK		1	/* jiffies, for pollers */

static DEFINE_PER_CPU(struct cpumask, barrier_cpus);

/* --- the barrier --------------------------------------------------------- */

static void full_barrier(void *unused)
{
	/* the interrupt serialises; this one says so */
	smp_mb();
}

/*
 * May this side ask for one more?  Two threads of it may fill the allowance at
 * once, which gives them some more than there should be: a limit, no account.
 */
static bool take_allowance(struct urpc_side *s)
{
	unsigned int rate = READ_ONCE(urpc_barrier_rate), burst = rate / 10 + 1;
	unsigned long now = jiffies, filled = READ_ONCE(s->filled);
	unsigned long gain;

	if (now != filled) {
		gain = min(now - filled, (unsigned long)HZ) * rate / HZ;
		if (gain) {
			WRITE_ONCE(s->filled, now);
			atomic_set(&s->allowance,
				   min_t(unsigned long, burst, gain +
					 max(atomic_read(&s->allowance), 0)));
		}
	}
	return atomic_dec_if_positive(&s->allowance) >= 0;
}

/**
 * urpc_barrier - a full barrier on every CPU that may run the peer's writers
 * @s: the side that is going to sleep; its sleep word is set
 *
 * Return: false when it had too many; then nothing is ordered.
 */
bool urpc_barrier(struct urpc_side *s)
{
	struct urpc_side *peer = urpc_side_peer(s);
	struct cpumask *cpus;

	if (!take_allowance(s)) {
		urpc_count(URPC_C_BARRIERS_LIMITED);
		return false;
	}
	/* the sleep word before mm_cpumask(); pairs with switch_mm() */
	smp_mb();
	preempt_disable();
	cpus = this_cpu_ptr(&barrier_cpus);
	cpumask_clear(cpus);
	/* CPU drivers of the kernel map nothing, and fence when they send */
	urpc_region_writers(peer->tx, cpus);
	cpumask_clear_cpu(smp_processor_id(), cpus);
	if (!cpumask_empty(cpus)) {
		urpc_count_n(URPC_C_BARRIER_IPIS, cpumask_weight(cpus));
		smp_call_function_many(cpus, full_barrier, NULL, true);
	}
	preempt_enable();
	/* the other CPUs' stores before the next look at the slot */
	smp_mb();
	urpc_count(URPC_C_BARRIERS);
	atomic64_inc(&s->barriers);
	return true;
}

/* --- what is waited for -------------------------------------------------- */

/* Did message @pos arrive in the ring that @s reads? */
bool urpc_has_message(const struct urpc_side *s, u64 pos)
{
	const struct urpc_region *r = urpc_side_peer(s)->tx;
	u64 ctl = READ_ONCE(urpc_region_slot(r, pos)->ctl);

	return !((ctl ^ urpc_epoch(pos, ilog2(r->slots))) & URPC_CTL_EPOCH);
}

static u64 peer_ack(const struct urpc_side *s)
{
	return READ_ONCE(urpc_region_control(urpc_side_peer(s)->tx)->ack);
}

/* What the call line of a shared channel holds, an enum urpc_kind. */
static unsigned int call_kind(const struct urpc_side *s)
{
	const struct urpc_region *r = s->ch->side[0].tx;

	return urpc_ctl_kind(READ_ONCE(urpc_region_control(r)->rpc.ctl));
}

static bool is_there(const struct urpc_side *s, const struct urpc_wait *arg)
{
	if (arg->flags & URPC_WAIT_ROOM)
		return peer_ack(s) != arg->pos;
	if (arg->flags & URPC_WAIT_CALL)
		return call_kind(s) == arg->pos;
	return urpc_has_message(s, arg->pos);
}

static bool peer_gone(const struct urpc_side *s)
{
	return READ_ONCE(s->state) & URPC_STATE_PEER_GONE;
}

static u32 *sleep_word(const struct urpc_side *s, bool room)
{
	struct urpc_control *c = urpc_region_control(s->tx);

	return room ? &c->tx_sleep : &c->rx_sleep;
}

static u32 set_sleep_word(struct urpc_side *s, bool room)
{
	u32 v = atomic_inc_return(&s->sleeps) | URPC_SLEEP_KERNEL;

	WRITE_ONCE(*sleep_word(s, room), v);
	return v;
}

/*
 * A wait is over.  While somebody is registered for poll(2) the word is that
 * one's as well, and stays; one that has registered since has set another.
 */
static void clear_sleep_word(struct urpc_side *s, bool room, u32 v)
{
	/* racy: who comes now sets the word after it has queued itself */
	if (!waitqueue_active(room ? &s->room : &s->message))
		cmpxchg(sleep_word(s, room), v, 0);
}

/* --- wait ---------------------------------------------------------------- */

/* One sleep; -ETIME at @end, -EINTR, or 0: look again. */
static int sleep_once(ktime_t *end, bool bounded)
{
	ktime_t slice;

	if (signal_pending(current))
		return -EINTR;
	if (!bounded && !end) {
		schedule();
		return 0;
	}
	slice = ktime_add_ns(ktime_get(), RECHECK_NS);
	if (bounded && (!end || ktime_before(slice, *end))) {
		schedule_hrtimeout(&slice, HRTIMER_MODE_ABS);
		return 0;
	}
	return schedule_hrtimeout(end, HRTIMER_MODE_ABS) ? 0 : -ETIME;
}

/*
 * Queue, set the sleep word, barrier, look, sleep, until it is there.  The
 * look comes after the queueing, so a wake that follows the word finds us.
 */
static int wait_loop(struct urpc_side *s, const struct urpc_wait *arg,
		     ktime_t *end)
{
	bool room = arg->flags & URPC_WAIT_ROOM;
	bool causal = arg->flags & URPC_WAIT_CAUSAL, ordered = true;
	wait_queue_head_t *wq = room ? &s->room : &s->message;
	u32 v = READ_ONCE(*sleep_word(s, room));
	DEFINE_WAIT(wait);
	int ret = 0;

	for (;;) {
		prepare_to_wait(wq, &wait, TASK_INTERRUPTIBLE);
		/* after a wake it mostly is, and needs no barrier to be seen */
		if (is_there(s, arg) || peer_gone(s))
			break;
		/* a late wake of the caller's word; there is no other for it */
		if (causal && !READ_ONCE(*sleep_word(s, room)))
			causal = false;
		if (!causal) {
			v = set_sleep_word(s, room);
			ordered = urpc_barrier(s);
			if (is_there(s, arg) || peer_gone(s))
				break;
		}
		/* one word, one wake: the next sleep needs another */
		causal = false;
		ret = sleep_once(end, !ordered);
		if (ret)
			break;
	}
	finish_wait(wq, &wait);
	clear_sleep_word(s, room, v);
	/* gone for good, but what it sent before may be there */
	if (is_there(s, arg) || peer_gone(s))
		return 0;
	return ret == -ETIME ? -ETIMEDOUT : ret;
}

/**
 * urpc_wait_for - URPC_WAIT
 * @s: the side that waits
 * @arg: the argument, flags checked
 */
int urpc_wait_for(struct urpc_side *s, const struct urpc_wait *arg)
{
	bool room = arg->flags & URPC_WAIT_ROOM;
	ktime_t until, *end = NULL;
	int ret;

	if (is_there(s, arg)) {
		if (arg->flags & URPC_WAIT_CAUSAL)
			clear_sleep_word(s, room,
					 READ_ONCE(*sleep_word(s, room)));
		return 0;
	}
	if (!arg->timeout_ns)
		return peer_gone(s) ? 0 : -ETIMEDOUT;
	if (arg->timeout_ns > 0) {
		until = ktime_add_safe(ktime_get(), arg->timeout_ns);
		end = &until;
	}
	atomic64_inc(&s->waits);
	urpc_count(URPC_C_WAITS);
	trace_wait_begin(s, room);
	ret = wait_loop(s, arg, end);
	trace_wait_end(s, room, ret);
	return ret;
}

/* --- wake ---------------------------------------------------------------- */

/**
 * urpc_wake_peer - URPC_WAKE
 * @s: the side that published something
 * @room: room, not a message
 *
 * This wake may be late, and the word the next sleep's already, for which the
 * sender will not wake again.  So the word is cleared before the queue is
 * woken: who has set it and not queued itself yet finds it gone, who has queued
 * itself is woken.
 */
void urpc_wake_peer(struct urpc_side *s, bool room)
{
	struct urpc_side *peer = urpc_side_peer(s);

	urpc_count(URPC_C_WAKES);
	trace_wake(s, room);
	WRITE_ONCE(*sleep_word(peer, room), 0);
	if (peer->driver)
		urpc_driver_wake(peer->driver);
	else if (room)
		wake_up_interruptible_poll(&peer->room, EPOLLOUT);
	else
		wake_up_interruptible_poll(&peer->message, EPOLLIN);
}

/* --- poll ---------------------------------------------------------------- */

/* Pollers whose barrier was refused look again a little later. */
static void recheck(struct work_struct *work)
{
	struct urpc_side *s = container_of(work, struct urpc_side,
					   recheck.work);

	wake_up_interruptible_poll(&s->message, EPOLLIN);
	wake_up_interruptible_poll(&s->room, EPOLLOUT);
}

/* Is there room in the ring that @s writes, by what it says it has sent? */
static bool has_room(const struct urpc_side *s)
{
	u64 sent = READ_ONCE(urpc_region_control(s->tx)->tx_pos);

	return sent - peer_ack(s) < s->tx->slots;
}

static __poll_t ready_events(const struct urpc_side *s)
{
	u64 cursor = READ_ONCE(urpc_region_control(s->tx)->cursor);
	__poll_t ready = 0;

	if (urpc_has_message(s, cursor))
		ready |= EPOLLIN | EPOLLRDNORM;
	if (has_room(s))
		ready |= EPOLLOUT | EPOLLWRNORM;
	if (peer_gone(s))
		ready |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP;
	return ready;
}

/**
 * urpc_side_poll - poll(2) and epoll on a channel
 * @file: its file
 * @s: the side
 * @pt: as for every poll
 *
 * Level-triggered on the cursor and the send position that the side keeps in
 * its control page.  A sleep word that is set here stays set until the peer
 * wakes.  An edge-triggered waiter does not come back before that, whatever it
 * finds now, so for it the word is set each time.
 */
__poll_t urpc_side_poll(struct file *file, struct urpc_side *s,
			poll_table *pt)
{
	__poll_t want = poll_requested_events(pt), ready;

	poll_wait(file, &s->message, pt);
	poll_wait(file, &s->room, pt);
	ready = ready_events(s);
	if ((ready & (want | EPOLLHUP)) && !(want & EPOLLET))
		return ready;
	if (want & EPOLLIN)
		set_sleep_word(s, false);
	if (want & EPOLLOUT)
		set_sleep_word(s, true);
	if (!urpc_barrier(s))
		schedule_delayed_work(&s->recheck, RECHECK);
	return ready_events(s);
}

void urpc_wait_init(struct urpc_side *s)
{
	init_waitqueue_head(&s->message);
	init_waitqueue_head(&s->room);
	INIT_DELAYED_WORK(&s->recheck, recheck);
	s->filled = jiffies;
	atomic_set(&s->allowance, READ_ONCE(urpc_barrier_rate) / 10 + 1);
}

/* The file is gone: nobody polls, and nobody queues the work any more. */
void urpc_wait_stop(struct urpc_side *s)
{
	cancel_delayed_work_sync(&s->recheck);
}
