/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ring.h - per-CPU sample ring, filled in NMI context
 *
 * Producers are nested contexts of one CPU (task, hardirq, NMI), the consumer
 * is one thread anywhere.  A producer reserves a slot with a CPU-local
 * compare-and-exchange, fills it, and publishes it through the slot's own
 * sequence number: an interrupted producer delays the consumer, never a
 * nested producer.  Nothing blocks; a full ring refuses and the caller counts.
 */
#ifndef NUMAMIG_RING_H
#define NUMAMIG_RING_H

#include "pure.h"

#ifdef __KERNEL__
#define ring_cmpxchg(p, old, new)					\
	(cmpxchg_local((p), (old), (new)) == (old))
#else
static inline bool ring_cmpxchg(u32 *p, u32 old, u32 new)
{
	return __atomic_compare_exchange_n(p, &old, new, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}
#endif

/* nm_raw.flags */
#define NM_RAW_WRITE	0x01
#define NM_RAW_ANON	0x02	/* page is anonymous: keyed by address */
#define NM_RAW_LARGE	0x04	/* page is part of a large folio */
#define NM_RAW_KNOWN	0x08	/* the page was looked up and found */

/**
 * struct nm_raw - a sample as the interrupt leaves it
 * @addr: user virtual address
 * @mm: the address space, for comparison only (no reference is held)
 * @mapping: address_space of a file or shmem page, for comparison only
 * @pgoff: index of the page in @mapping
 * @tgid: thread group in the initial pid namespace
 * @target: which target's event this is
 * @cpu: where
 * @home: node of the page when NM_RAW_KNOWN
 * @flags: NM_RAW_*
 * @sampler: enum numamig_sampler
 */
struct nm_raw {
	u64 addr;
	u64 mm;
	u64 mapping;
	u64 pgoff;
	u32 tgid;
	u32 target;
	u32 cpu;
	s16 home;
	u8 flags;
	u8 sampler;
};

struct nm_ring_slot {
	struct nm_raw raw;
	u32 seq;
};

struct nm_ring {
	u32 mask;
	u32 head;	/* next slot to reserve; producers of this CPU */
	u32 tail;	/* next slot to read; the consumer */
	struct nm_ring_slot slot[];
};

static inline size_t nm_ring_size(u32 slots)
{
	return sizeof(struct nm_ring) + slots * sizeof(struct nm_ring_slot);
}

/* @slots is a power of two; the memory is zeroed. */
static inline void nm_ring_init(struct nm_ring *r, u32 slots)
{
	r->mask = slots - 1;
}

static inline u32 nm_ring_used(const struct nm_ring *r)
{
	return READ_ONCE(r->head) - READ_ONCE(r->tail);
}

/* On the ring's CPU, not preemptible.  False: full, nothing was stored. */
static inline bool nm_ring_put(struct nm_ring *r, const struct nm_raw *raw)
{
	struct nm_ring_slot *s;
	u32 head;

	do {
		head = READ_ONCE(r->head);
		/* pairs with the release of tail: the slot was read */
		if (head - smp_load_acquire(&r->tail) > r->mask)
			return false;
	} while (!ring_cmpxchg(&r->head, head, head + 1));
	s = &r->slot[head & r->mask];
	s->raw = *raw;
	/* publish the slot after its contents */
	smp_store_release(&s->seq, head + 1);
	return true;
}

/* The consumer.  False: empty, or the next slot is still being filled. */
static inline bool nm_ring_get(struct nm_ring *r, struct nm_raw *raw)
{
	u32 tail = r->tail;
	struct nm_ring_slot *s = &r->slot[tail & r->mask];

	/* pairs with the release of seq: contents before the number */
	if (smp_load_acquire(&s->seq) != tail + 1)
		return false;
	*raw = s->raw;
	/* hand the slot back after it was copied */
	smp_store_release(&r->tail, tail + 1);
	return true;
}

#endif /* NUMAMIG_RING_H */
