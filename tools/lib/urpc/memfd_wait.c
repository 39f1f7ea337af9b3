// SPDX-License-Identifier: LGPL-2.1-only
/*
 * memfd_wait.c - sleep and wake without the module
 *
 *	sleeper					sender
 *	w = peer's wake word			slot = message
 *	own sleep word = n
 *	membarrier()				if (peer's sleep word)
 *	look at the slot again				own wake word++
 *	FUTEX_WAIT(peer's wake word, w)			FUTEX_WAKE(it)
 *
 * The futex is the waker's word, so that nobody has to write in the other's
 * memory; a futex in a mapping that is only readable can be slept on.
 *
 * membarrier(2) makes every CPU that runs a program that asked for it
 * (liburpc does) pass a full barrier.  Where it cannot be had (a seccomp
 * filter, an old kernel) on either side, a wake-up can be lost, and a sleep
 * looks again every millisecond.
 *
 * A peer that is killed wakes nobody: who sleeps looks at the socket every
 * tenth of a second.
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memfd.h"

#define SLICE_MS	100
#define SLICE_BOUNDED_NS (1000000ll)

/* --- the barrier --------------------------------------------------------- */

static int membarrier(int cmd)
{
	return (int)syscall(SYS_membarrier, cmd, 0, 0);
}

/*
 * 0 when barriers of other processes reach this one.  Asked for with each
 * channel: a child is another program.
 */
int ul_memfd_register(void)
{
	const char *off = secure_getenv("URPC_MEMBARRIER");

	/* for tests of what happens without */
	if (off && *off == '0')
		return -ENOSYS;
	return membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) ? -errno :
								     0;
}

/* Also a barrier of the caller.  False: nothing is ordered. */
bool ul_memfd_barrier(void)
{
	return !membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
}

/* --- futexes ------------------------------------------------------------- */

static long futex(const uint32_t *word, int op, uint32_t val,
		  const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, val, timeout, NULL, 0);
}

void ul_memfd_futex_wake(const uint32_t *word)
{
	futex(word, FUTEX_WAKE, INT32_MAX, NULL);
}

/* Sleep while *@word is @val, but no longer than @ns. */
static void futex_wait(const uint32_t *word, uint32_t val, int64_t ns)
{
	const struct timespec t = {
		.tv_sec = ns / URPC_NS,
		.tv_nsec = ns % URPC_NS,
	};

	futex(word, FUTEX_WAIT, val, &t);
}

/* --- sleep --------------------------------------------------------------- */

struct sleep {
	uint32_t flags;
	uint64_t pos;
	uint32_t *own;		/* own sleep word */
	const uint32_t *wake;	/* the peer's wake word */
	uint32_t *last;		/* last value of @own */
	int64_t deadline;
};

static struct sleep sleep_of(struct urpc_channel *c, uint32_t flags,
			     uint64_t pos, int64_t timeout_ns)
{
	bool room = flags & URPC_WAIT_ROOM;

	return (struct sleep) {
		.flags = flags,
		.pos = pos,
		.own = room ? &ul_own(c)->tx_sleep : &ul_own(c)->rx_sleep,
		.wake = room ? &ul_peer(c)->wake_tx : &ul_peer(c)->wake_rx,
		.last = room ? &c->priv->tx.sleep : &c->priv->rx.sleep,
		.deadline = ul_deadline_of(timeout_ns),
	};
}

/* Returns the wake word as it was before. */
static uint32_t set_sleep_word(struct sleep *s)
{
	uint32_t w = urpc_load_acquire(s->wake);

	*s->last = ul_next_sleep(*s->last);
	urpc_store_release(s->own, *s->last);
	return w;
}

/* A test that is after lost wake-ups does not want them to be made good. */
int64_t ul_memfd_slice(void)
{
	const char *given = secure_getenv("URPC_SLICE_MS");

	return (given ? atoll(given) : SLICE_MS) * 1000000ll;
}

/* One sleep under one sleep word.  True: it may be worth another. */
static bool sleep_once(struct urpc_channel *c, struct sleep *s, uint32_t w)
{
	int64_t slice = urpc_load(&c->priv->memfd.bounded) ?
			SLICE_BOUNDED_NS : c->priv->memfd.slice_ns;
	int64_t left;

	for (;;) {
		/* an end that came before the word was read wakes nobody */
		if (ul_is_there(c, s->flags, s->pos) || ul_memfd_closed(c))
			return false;
		left = ul_time_left(s->deadline);
		if (!left)
			return false;
		futex_wait(s->wake, w, left < 0 || left > slice ? slice :
								  left);
		if (ul_is_there(c, s->flags, s->pos) || ul_memfd_look(c))
			return false;
		/* woken under this word: the peer will not do it again */
		if (urpc_load_acquire(s->wake) != w)
			return true;
	}
}

int ul_memfd_wait(struct urpc_channel *c, uint32_t flags, uint64_t pos,
		  int64_t timeout_ns)
{
	struct sleep s = sleep_of(c, flags, pos, timeout_ns);
	uint32_t w = c->priv->memfd.announced;

	if (!(flags & URPC_WAIT_CAUSAL)) {
		w = set_sleep_word(&s);
		if (!ul_memfd_barrier())
			urpc_store(&c->priv->memfd.bounded, true);
	}
	sleep_once(c, &s, w);
	urpc_store_release(s.own, 0u);
	return ul_time_left(s.deadline) ? 0 : -ETIMEDOUT;
}

/* The sleep word before the request; see call.c. */
void ul_memfd_announce(struct urpc_channel *c)
{
	struct sleep s = sleep_of(c, 0, 0, -1);

	c->priv->memfd.announced = set_sleep_word(&s);
}

/* --- wake ---------------------------------------------------------------- */

static void bump(uint32_t *word)
{
	urpc_store_release(word, urpc_load(word) + 1);
	ul_memfd_futex_wake(word);
}

void ul_memfd_wake(struct urpc_channel *c, uint32_t flags, uint32_t sleep)
{
	if (flags & URPC_WAKE_ROOM)
		bump(&ul_own(c)->wake_tx);
	else if (sleep & MEMFD_SLEEP_POLL)
		ul_memfd_poke(c);
	else
		bump(&ul_own(c)->wake_rx);
}

/* At the end: whoever sleeps shall look at the socket. */
void ul_memfd_wake_all(struct urpc_control *own)
{
	bump(&own->wake_rx);
	bump(&own->wake_tx);
}
