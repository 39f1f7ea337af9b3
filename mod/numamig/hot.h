/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hot.h - the hot-page table of one target
 */
#ifndef NUMAMIG_HOT_H
#define NUMAMIG_HOT_H

#include "pure.h"

/*
 * Samples are counted twice: for their page, and for the block of 512 pages
 * that holds it.  A block needs far fewer samples to be understood, and is
 * what a large folio is anyway.
 */
#define NM_BLOCK_ORDER	9

/*
 * Blocks of a region, 32 MiB in all.  A region is not an entry: the policy adds
 * its blocks up when one of them has too few samples to be judged alone.
 */
#define NM_REGION_BLOCKS	16

#define NM_HOT_NONE	U32_MAX

/* All counts of an entry are halved when one of them gets here. */
#define NM_HOT_FULL	64

/*
 * A decay period: at least so long, then until there were so many samples,
 * but not longer than that.  At the default rate one busy CPU gives 4000
 * samples a second; 16384 are then four seconds of its work.
 */
#define NM_AGE_MIN_MS	1000
#define NM_AGE_MAX_MS	30000
#define NM_AGE_SAMPLES	16384

/* nm_hot_entry.flags */
#define NM_HOT_SHARED	0x01	/* keyed by (mapping, page offset) */
#define NM_HOT_LARGE	0x02	/* last seen as part of a large folio */

/**
 * struct nm_hot_sample - a sample, ready to be counted
 * @obj: what the page belongs to: the id of an address space, or an
 *	address_space when shared
 * @index: page number within @obj
 * @addr: virtual address that was accessed
 * @space: id of the address space that made the access
 * @node: dense number of the accessing node
 * @home: dense number of the page's node, -1 when not known
 * @write: it was a store
 * @shared: @obj is an address_space
 * @large: the page is part of a large folio
 */
struct nm_hot_sample {
	u64 obj;
	u64 index;
	u64 addr;
	u32 space;
	s16 node;
	s16 home;
	bool write;
	bool shared;
	bool large;
};

/**
 * struct nm_hot_entry - one page or block
 * @obj: see struct nm_hot_sample
 * @index: number in units of 1 << @order pages
 * @addr: last virtual address accessed in it
 * @spread: for a block, which 64ths of it were accessed
 * @next: hash chain
 * @touched: list of the entries touched in this window
 * @space: address space of the last access
 * @epoch: decay period that @count, @remote and @writes belong to
 * @moved: window in which it was last ordered, 0 for never
 * @remote: accesses from a node that was not the page's
 * @writes: stores
 * @sub: for a block, the page of the last access within it
 * @judged: for a block, when its region was last judged, see nm_hot.judgment
 * @region_node: what came of it: the node that dominates the region, or -1
 * @home: node of the page at the last access, -1 when not known
 * @order: 0 or NM_BLOCK_ORDER
 * @flags: NM_HOT_*
 * @in_use: the slot holds an entry
 * @listed: it is on the list of touched entries
 * @count: accesses by node
 */
struct nm_hot_entry {
	u64 obj;
	u64 index;
	u64 addr;
	u64 spread;
	u32 next;
	u32 touched;
	u32 space;
	u32 epoch;
	u32 moved;
	u16 remote;
	u16 writes;
	u16 sub;
	s16 home;
	u32 judged;
	s16 region_node;
	u8 order;
	u8 flags;
	bool in_use;
	bool listed;
	u16 count[];
};

/**
 * struct nm_hot - the table
 * @nr_nodes: nodes with CPUs
 * @capacity: entries there is room for
 * @used: entries in use
 * @evicted: warm entries that had to make room
 * @hand: where the search for a cold entry goes on
 * @free: list of free slots, through @next
 * @touched: entries touched since nm_hot_window(), through @touched
 * @epoch: current decay period
 * @counted: samples in it
 * @aged_ms: when it began
 * @judgment: how often advice was asked for
 * @bits: log2 of the buckets
 * @stride: bytes of an entry
 * @buckets: heads of the hash chains
 * @slots: the entries
 */
struct nm_hot {
	u32 nr_nodes;
	u32 capacity;
	u32 used;
	u64 evicted;
	u32 hand;
	u32 free;
	u32 touched;
	u32 epoch;
	u32 counted;
	u64 aged_ms;
	u32 judgment;
	u32 bits;
	u32 stride;
	u32 *buckets;
	u8 *slots;
};

size_t nm_hot_size(u32 capacity, u32 nr_nodes);
void nm_hot_init(struct nm_hot *h, void *mem, u32 capacity, u32 nr_nodes);
void nm_hot_count(struct nm_hot *h, const struct nm_hot_sample *s,
		  struct nm_hot_entry **page, struct nm_hot_entry **block);
struct nm_hot_entry *nm_hot_find(const struct nm_hot *h, u64 obj, u64 index,
				 unsigned int order);
void nm_hot_window(struct nm_hot *h);
void nm_hot_age(struct nm_hot *h, u64 now_ms);
void nm_hot_drop(struct nm_hot *h, struct nm_hot_entry *e);
u32 nm_hot_heat(const struct nm_hot *h, struct nm_hot_entry *e);
void nm_hot_cool(const struct nm_hot *h, struct nm_hot_entry *e);

static inline struct nm_hot_entry *nm_hot_slot(const struct nm_hot *h, u32 n)
{
	return (struct nm_hot_entry *)(h->slots + (size_t)n * h->stride);
}

static inline u32 nm_hot_number(const struct nm_hot *h,
				const struct nm_hot_entry *e)
{
	return (u32)(((const u8 *)e - h->slots) / h->stride);
}

/* Walk the entries touched in this window; the list may not change. */
#define nm_hot_for_each_touched(h, e, n)				\
	for ((n) = (h)->touched;					\
	     (n) != NM_HOT_NONE && ((e) = nm_hot_slot(h, n), true);	\
	     (n) = (e)->touched)

#endif /* NUMAMIG_HOT_H */
