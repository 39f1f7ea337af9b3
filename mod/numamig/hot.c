// SPDX-License-Identifier: GPL-2.0-only
/*
 * hot.c - the hot-page table: bounded, decayed, coldest out first
 *
 * A chained hash over a fixed array.  Counts are halved once per decay period,
 * lazily, when an entry is looked at.  A period lasts until there were enough
 * samples, as MEMTIS cools, so that a slow sampler does not forget faster than
 * it learns; and a count that gets large is halved by itself, so that the past
 * of a hot page does not outvote its present.  When the array is full the
 * coldest of a few entries under a moving hand makes room, so an entry that is
 * accessed in every period stays.  The caller serialises all calls.
 */
#include "hot.h"

/* How many entries are compared to find a cold one. */
#define EVICT_LOOK	16

static u32 stride_of(u32 nr_nodes)
{
	size_t n = sizeof(struct nm_hot_entry) + nr_nodes * sizeof(u16);

	return (n + 7) & ~7ul;
}

static u32 bits_of(u32 capacity)
{
	u32 bits = 4;

	while ((1u << bits) < capacity && bits < 30)
		bits++;
	return bits;
}

/** nm_hot_size - bytes that nm_hot_init() wants, to be zeroed by the caller */
size_t nm_hot_size(u32 capacity, u32 nr_nodes)
{
	return ((size_t)sizeof(u32) << bits_of(capacity)) +
	       (size_t)capacity * stride_of(nr_nodes);
}

void nm_hot_init(struct nm_hot *h, void *mem, u32 capacity, u32 nr_nodes)
{
	u32 n;

	memset(h, 0, sizeof(*h));
	h->nr_nodes = nr_nodes;
	h->capacity = capacity;
	h->stride = stride_of(nr_nodes);
	h->bits = bits_of(capacity);
	h->buckets = mem;
	h->slots = (u8 *)mem + (sizeof(u32) << h->bits);
	h->touched = NM_HOT_NONE;
	for (n = 0; n < 1u << h->bits; n++)
		h->buckets[n] = NM_HOT_NONE;
	for (n = 0; n < capacity; n++)
		nm_hot_slot(h, n)->next = n + 1 < capacity ? n + 1 :
							     NM_HOT_NONE;
	h->free = capacity ? 0 : NM_HOT_NONE;
}

static u32 *bucket_of(const struct nm_hot *h, u64 obj, u64 index,
		      unsigned int order)
{
	u64 v = hash_64(obj, 64) ^ (index << 1 | (order ? 1 : 0));

	return &h->buckets[hash_64(v, h->bits)];
}

struct nm_hot_entry *nm_hot_find(const struct nm_hot *h, u64 obj, u64 index,
				 unsigned int order)
{
	struct nm_hot_entry *e;
	u32 n;

	for (n = *bucket_of(h, obj, index, order); n != NM_HOT_NONE;
	     n = e->next) {
		e = nm_hot_slot(h, n);
		if (e->index == index && e->obj == obj && e->order == order)
			return e;
	}
	return NULL;
}

static void halve(const struct nm_hot *h, struct nm_hot_entry *e,
		  u32 halvings)
{
	u32 k;

	e->remote = (u32)e->remote >> halvings;
	e->writes = (u32)e->writes >> halvings;
	for (k = 0; k < h->nr_nodes; k++)
		e->count[k] = (u32)e->count[k] >> halvings;
}

/* Bring an entry's counts to the current decay period. */
void nm_hot_cool(const struct nm_hot *h, struct nm_hot_entry *e)
{
	u32 halvings = h->epoch - e->epoch;

	if (!halvings)
		return;
	e->epoch = h->epoch;
	if (halvings > 15)
		halvings = 16;
	halve(h, e, halvings);
	if (halvings > 4)
		e->spread = 0;
}

/** nm_hot_heat - accesses from all nodes, decayed */
u32 nm_hot_heat(const struct nm_hot *h, struct nm_hot_entry *e)
{
	u32 sum = 0, k;

	nm_hot_cool(h, e);
	for (k = 0; k < h->nr_nodes; k++)
		sum += e->count[k];
	return sum;
}

static void unlink_touched(struct nm_hot *h, u32 number)
{
	struct nm_hot_entry *e;
	u32 *link = &h->touched;

	while (*link != NM_HOT_NONE) {
		e = nm_hot_slot(h, *link);
		if (*link == number) {
			*link = e->touched;
			return;
		}
		link = &e->touched;
	}
}

/** nm_hot_drop - take an entry out of the table */
void nm_hot_drop(struct nm_hot *h, struct nm_hot_entry *e)
{
	u32 *link = bucket_of(h, e->obj, e->index, e->order);
	u32 number = nm_hot_number(h, e);

	while (*link != number)
		link = &nm_hot_slot(h, *link)->next;
	*link = e->next;
	if (e->listed)
		unlink_touched(h, number);
	memset(e, 0, h->stride);
	e->next = h->free;
	h->free = number;
	h->used--;
}

/* Entries of this window are spared unless there is nothing else. */
static void evict_one(struct nm_hot *h)
{
	struct nm_hot_entry *e, *cold = NULL;
	u32 heat, least = U32_MAX, k;

	for (k = 0; k < EVICT_LOOK; k++) {
		e = nm_hot_slot(h, h->hand);
		h->hand = h->hand + 1 < h->capacity ? h->hand + 1 : 0;
		heat = nm_hot_heat(h, e) * 2 + e->listed;
		if (heat < least) {
			least = heat;
			cold = e;
		}
	}
	if (least > 1)
		h->evicted++;
	nm_hot_drop(h, cold);
}

static struct nm_hot_entry *insert(struct nm_hot *h, u64 obj, u64 index,
				   unsigned int order)
{
	struct nm_hot_entry *e;
	u32 *bucket, number;

	if (h->free == NM_HOT_NONE)
		evict_one(h);
	number = h->free;
	e = nm_hot_slot(h, number);
	h->free = e->next;
	h->used++;
	e->obj = obj;
	e->index = index;
	e->order = order;
	e->in_use = true;
	e->epoch = h->epoch;
	e->home = -1;
	bucket = bucket_of(h, obj, index, order);
	e->next = *bucket;
	*bucket = number;
	return e;
}

static struct nm_hot_entry *count_one(struct nm_hot *h,
				      const struct nm_hot_sample *s,
				      unsigned int order)
{
	struct nm_hot_entry *e;

	e = nm_hot_find(h, s->obj, s->index >> order, order);
	if (!e)
		e = insert(h, s->obj, s->index >> order, order);
	nm_hot_cool(h, e);
	if (e->count[s->node] == NM_HOT_FULL)
		halve(h, e, 1);
	e->count[s->node]++;
	if (s->home >= 0 && s->home != s->node)
		e->remote++;
	if (s->write)
		e->writes++;
	e->home = s->home;
	e->addr = s->addr;
	e->space = s->space;
	e->flags = (s->shared ? NM_HOT_SHARED : 0) |
		   (s->large ? NM_HOT_LARGE : 0);
	if (order) {
		e->spread |= 1ull << ((s->index >> (order - 6)) & 63);
		e->sub = s->index & ((1u << order) - 1);
	}
	if (!e->listed) {
		e->listed = true;
		e->touched = h->touched;
		h->touched = nm_hot_number(h, e);
	}
	return e;
}

/**
 * nm_hot_count - count a sample for its page and its block
 * @h: table
 * @s: sample; its node is below the table's nr_nodes
 * @page: out: the page's entry, valid until the next call
 * @block: out: the block's entry, likewise
 */
void nm_hot_count(struct nm_hot *h, const struct nm_hot_sample *s,
		  struct nm_hot_entry **page, struct nm_hot_entry **block)
{
	h->counted++;
	*block = count_one(h, s, NM_BLOCK_ORDER);
	*page = count_one(h, s, 0);
	/* the second insertion may have evicted the first entry */
	if (!(*block)->in_use || *block == *page)
		*block = NULL;
}

/** nm_hot_window - start a window: no entry is touched */
void nm_hot_window(struct nm_hot *h)
{
	struct nm_hot_entry *e;
	u32 n;

	nm_hot_for_each_touched(h, e, n)
		e->listed = false;
	h->touched = NM_HOT_NONE;
}

/** nm_hot_age - start a new decay period if the running one is over */
void nm_hot_age(struct nm_hot *h, u64 now_ms)
{
	u64 lasted = now_ms - h->aged_ms;

	if (lasted < NM_AGE_MIN_MS ||
	    (h->counted < NM_AGE_SAMPLES && lasted < NM_AGE_MAX_MS))
		return;
	h->epoch++;
	h->counted = 0;
	h->aged_ms = now_ms;
}
