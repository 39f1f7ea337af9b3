/* SPDX-License-Identifier: GPL-2.0-only OR LGPL-2.1-only */
/*
 * urpc_ring.h - the ring of urpc, for the kernel and for user space
 *
 * One writer, one reader, a power of two of 64-byte slots.  There are no shared
 * indices: a slot is full when the epoch bit of its control word is that of the
 * lap its reader is in.  The reader acknowledges a quarter of the ring at a
 * time, in a line of its own transmit region.
 *
 * What the peer can write is read once and checked: a bad acknowledgment is
 * URPC_RING_BROKEN and nothing worse, a bad slot is a garbage message.
 *
 * Nothing here fences.  x86 keeps the order of stores, so a control word is
 * never visible before its payload; a sender's test of the peer's sleep word
 * may run ahead of its own store, which the sleeper's barrier makes good (see
 * Documentation/design/urpc.md).
 */
#ifndef URPC_RING_H
#define URPC_RING_H

#include <linux/urpc.h>

#ifdef __KERNEL__
#include <asm/barrier.h>
#include <linux/compiler.h>
#include <linux/types.h>
#define urpc_load(p)		READ_ONCE(*(p))
#define urpc_store(p, v)	WRITE_ONCE(*(p), v)
/* what each one is paired with stands where it is used */
#define urpc_load_acquire(p)	smp_load_acquire(p)
/* likewise */
#define urpc_store_release(p, v) smp_store_release(p, v)
#define urpc_unlikely(x)	unlikely(x)
#else
#include <stdbool.h>
#include <stddef.h>
#define urpc_load(p)		__atomic_load_n(p, __ATOMIC_RELAXED)
#define urpc_store(p, v)	__atomic_store_n(p, v, __ATOMIC_RELAXED)
#define urpc_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define urpc_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define urpc_unlikely(x)	__builtin_expect(!!(x), 0)
#endif

/* What urpc_tx_room() says of an acknowledgment that cannot be. */
#define URPC_RING_BROKEN	(-1)

/**
 * struct urpc_tx - the writer's end of a ring
 * @slot: the ring, in the own transmit region
 * @own: control page of the own transmit region
 * @peer: control page of the peer's
 * @pos: number of the next message
 * @limit: number of the first message for which there is no room, as far as
 *	this side knows
 * @mask: slots - 1
 * @shift: log2 of the slots
 * @woken: the peer's sleep word for which it was woken last
 */
struct urpc_tx {
	struct urpc_slot *slot;
	struct urpc_control *own;
	const struct urpc_control *peer;
	__u64 pos;
	__u64 limit;
	__u32 mask;
	__u32 shift;
	__u32 woken;
};

/**
 * struct urpc_rx - the reader's end of a ring
 * @slot: the ring, in the peer's transmit region
 * @own: control page of the own transmit region, for acknowledgments
 * @peer: control page of the peer's
 * @pos: number of the next message
 * @acked: messages acknowledged so far
 * @mask: slots - 1
 * @shift: log2 of the slots
 * @ack_every: messages an acknowledgment
 * @woken: the peer's room-sleep word for which it was woken last
 */
struct urpc_rx {
	const struct urpc_slot *slot;
	struct urpc_control *own;
	const struct urpc_control *peer;
	__u64 pos;
	__u64 acked;
	__u32 mask;
	__u32 shift;
	__u32 ack_every;
	__u32 woken;
};

static inline bool urpc_slots_valid(__u32 slots)
{
	return slots >= URPC_SLOTS_MIN && slots <= URPC_SLOTS_MAX &&
	       !(slots & (slots - 1));
}

/* Bytes of a transmit region, whole pages. */
static inline __u64 urpc_region_bytes(__u32 slots)
{
	__u64 ring = (__u64)slots * sizeof(struct urpc_slot);

	return URPC_CONTROL_BYTES + ((ring + 4095) & ~(__u64)4095);
}

static inline struct urpc_slot *urpc_region_slots(void *region)
{
	return (struct urpc_slot *)((char *)region + URPC_CONTROL_BYTES);
}

/* @own and @peer are transmit regions. */
static inline void urpc_tx_init(struct urpc_tx *tx, void *own,
				const void *peer, __u32 slots, __u64 pos)
{
	tx->slot = urpc_region_slots(own);
	tx->own = (struct urpc_control *)own;
	tx->peer = (const struct urpc_control *)peer;
	tx->pos = pos;
	/* nothing is known of the peer yet: the first message asks */
	tx->limit = pos;
	tx->mask = slots - 1;
	for (tx->shift = 0; 1u << tx->shift < slots;)
		tx->shift++;
	tx->woken = 0;
}

static inline void urpc_rx_init(struct urpc_rx *rx, void *own,
				const void *peer, __u32 slots, __u64 pos)
{
	rx->slot = urpc_region_slots((void *)(__UINTPTR_TYPE__)peer);
	rx->own = (struct urpc_control *)own;
	rx->peer = (const struct urpc_control *)peer;
	rx->pos = pos;
	rx->acked = pos;
	rx->mask = slots - 1;
	for (rx->shift = 0; 1u << rx->shift < slots;)
		rx->shift++;
	rx->ack_every = slots / 4;
	rx->woken = 0;
}

/* The epoch bit of message @pos. */
static inline __u64 urpc_epoch(__u64 pos, __u32 shift)
{
	return ~(pos >> shift) & URPC_CTL_EPOCH;
}

/* A control word without its epoch. */
static inline __u64 urpc_ctl(__u32 tag, enum urpc_kind kind, __u32 len)
{
	return (__u64)tag << URPC_CTL_TAG_SHIFT |
	       (__u64)len << URPC_CTL_LEN_SHIFT |
	       (__u64)kind << URPC_CTL_KIND_SHIFT;
}

static inline __u32 urpc_ctl_tag(__u64 ctl)
{
	return (__u32)(ctl >> URPC_CTL_TAG_SHIFT);
}

static inline unsigned int urpc_ctl_kind(__u64 ctl)
{
	return ctl >> URPC_CTL_KIND_SHIFT & URPC_CTL_KIND_MASK;
}

static inline __u32 urpc_ctl_len(__u64 ctl)
{
	return ctl >> URPC_CTL_LEN_SHIFT & URPC_CTL_LEN_MASK;
}

/* --- the writer ---------------------------------------------------------- */

/**
 * urpc_tx_room - look at the peer's acknowledgment
 * @tx: the writer
 *
 * Return: for how many messages there is room, or URPC_RING_BROKEN when the
 * peer acknowledged what was not sent, or took an acknowledgment back.
 */
static inline int urpc_tx_room(struct urpc_tx *tx)
{
	__u64 ack = urpc_load_acquire(&tx->peer->ack);
	__u64 slots = (__u64)tx->mask + 1;

	if (tx->pos - ack > slots)
		return URPC_RING_BROKEN;
	if (tx->limit - tx->pos > ack + slots - tx->pos)
		return URPC_RING_BROKEN;
	tx->limit = ack + slots;
	return (int)(tx->limit - tx->pos);
}

/* Is there room, as far as this side knows? */
static inline bool urpc_tx_has_room(const struct urpc_tx *tx)
{
	return tx->pos != tx->limit;
}

/* The slot of the next message, to be filled in place. */
static inline struct urpc_slot *urpc_tx_slot(const struct urpc_tx *tx)
{
	return &tx->slot[tx->pos & tx->mask];
}

/* Publish the slot that urpc_tx_slot() gave. */
static inline void urpc_tx_publish(struct urpc_tx *tx, __u64 ctl)
{
	struct urpc_slot *s = urpc_tx_slot(tx);

	/* the payload is visible before the control word */
	urpc_store_release(&s->ctl, ctl | urpc_epoch(tx->pos, tx->shift));
	tx->pos++;
}

/**
 * urpc_tx_put - copy a message in and publish it
 * @tx: the writer; there is room
 * @ctl: its control word, without the epoch
 * @word: URPC_SLOT_WORDS words
 */
static inline void urpc_tx_put(struct urpc_tx *tx, __u64 ctl,
			       const __u64 *word)
{
	struct urpc_slot *s = urpc_tx_slot(tx);
	unsigned int i;

	for (i = 0; i < URPC_SLOT_WORDS; i++)
		urpc_store(&s->word[i], word[i]);
	urpc_tx_publish(tx, ctl);
}

/* Does the peer sleep?  One load and one branch. */
static inline bool urpc_tx_peer_sleeps(const struct urpc_tx *tx)
{
	return urpc_unlikely(urpc_load(&tx->peer->rx_sleep) != 0);
}

/*
 * Does the peer sleep, and was not woken for that sleep yet?  What it saw is
 * remembered: who gets true wakes.
 */
static inline bool urpc_tx_must_wake(struct urpc_tx *tx)
{
	__u32 sleep = urpc_load(&tx->peer->rx_sleep);

	if (!urpc_unlikely(sleep) || sleep == tx->woken)
		return false;
	tx->woken = sleep;
	return true;
}

/* --- the reader ---------------------------------------------------------- */

static inline const struct urpc_slot *urpc_rx_slot(const struct urpc_rx *rx)
{
	return &rx->slot[rx->pos & rx->mask];
}

/**
 * urpc_rx_full - is there a message?
 * @rx: the reader
 * @ctl: out: its control word, when there is
 */
static inline bool urpc_rx_full(const struct urpc_rx *rx, __u64 *ctl)
{
	*ctl = urpc_load_acquire(&urpc_rx_slot(rx)->ctl);
	return !((*ctl ^ urpc_epoch(rx->pos, rx->shift)) & URPC_CTL_EPOCH);
}

/* Tell the peer that everything before @rx->pos was taken. */
static inline void urpc_rx_ack(struct urpc_rx *rx)
{
	/* the slots were read before they are given back */
	urpc_store_release(&rx->own->ack, rx->pos);
	rx->acked = rx->pos;
}

/*
 * The message that urpc_rx_slot() shows was taken.  True: it was acknowledged,
 * which happens every @ack_every messages, so the peer may wait for it.
 */
static inline bool urpc_rx_next(struct urpc_rx *rx)
{
	rx->pos++;
	if (rx->pos - rx->acked < rx->ack_every)
		return false;
	urpc_rx_ack(rx);
	return true;
}

/**
 * urpc_rx_take - copy a message out
 * @rx: the reader; urpc_rx_full() said yes
 * @word: out: URPC_SLOT_WORDS words
 *
 * Return: as urpc_rx_next().
 */
static inline bool urpc_rx_take(struct urpc_rx *rx, __u64 *word)
{
	const struct urpc_slot *s = urpc_rx_slot(rx);
	unsigned int i;

	for (i = 0; i < URPC_SLOT_WORDS; i++)
		word[i] = urpc_load(&s->word[i]);
	return urpc_rx_next(rx);
}

/* Does the peer wait for room? */
static inline bool urpc_rx_peer_sleeps(const struct urpc_rx *rx)
{
	return urpc_unlikely(urpc_load(&rx->peer->tx_sleep) != 0);
}

/* As urpc_tx_must_wake(), for room; after an acknowledgment. */
static inline bool urpc_rx_must_wake(struct urpc_rx *rx)
{
	__u32 sleep = urpc_load(&rx->peer->tx_sleep);

	if (!urpc_unlikely(sleep) || sleep == rx->woken)
		return false;
	rx->woken = sleep;
	return true;
}

#endif /* URPC_RING_H */
