// SPDX-License-Identifier: GPL-2.0-only
/*
 * hot - the hot-page table under any stream of calls, beside a plain model
 *
 * The model keeps every entry in a list, halves all counts when a decay period
 * begins, and forgets what the table evicts.  After each call both agree: what
 * is there, its counts, the list of the window; chains and the free list hold
 * every slot once; an entry goes only when the table is full, it is the
 * coldest of those looked at, and it is counted as evicted when it was warm.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "hot.h"

#define MAX_CAPACITY	48
#define MAX_NODES	4
#define LOOKED_AT	16	/* EVICT_LOOK of hot.c */

struct entry {
	u64 obj;
	u64 index;
	unsigned int order;
	u32 count[MAX_NODES];
	u32 remote;
	u32 writes;
	bool listed;
};

static struct {
	struct nm_hot h;
	void *mem;
	struct entry e[MAX_CAPACITY];
	u32 used;
	u64 evicted;
	u32 epoch;
} f;

static unsigned long counted, evictions, periods;

static void model_halve(struct entry *e)
{
	u32 k;

	for (k = 0; k < f.h.nr_nodes; k++)
		e->count[k] /= 2;
	e->remote /= 2;
	e->writes /= 2;
}

static struct entry *model_find(u64 obj, u64 index, unsigned int order)
{
	u32 k;

	for (k = 0; k < f.used; k++)
		if (f.e[k].obj == obj && f.e[k].index == index &&
		    f.e[k].order == order)
			return &f.e[k];
	return NULL;
}

static void model_drop(struct entry *e)
{
	*e = f.e[--f.used];
}

/* As evict_one() ranks. */
static u32 model_rank(const struct entry *e)
{
	u32 sum = 0, k;

	for (k = 0; k < f.h.nr_nodes; k++)
		sum += e->count[k];
	return sum * 2 + e->listed;
}

static void model_count_one(const struct nm_hot_sample *s, unsigned int order)
{
	struct entry *e = model_find(s->obj, s->index >> order, order);

	if (!e) {
		fuzz_check(f.used < f.h.capacity, "room was made");
		e = &f.e[f.used++];
		*e = (struct entry){
			.obj = s->obj, .index = s->index >> order,
			.order = order,
		};
	}
	if (e->count[s->node] == NM_HOT_FULL)
		model_halve(e);
	e->count[s->node]++;
	e->remote += s->home >= 0 && s->home != s->node;
	e->writes += s->write;
	e->listed = true;
}

/* The ranks of the slots under the hand, before a call. */
struct looked_at {
	u32 least;
	bool full;
};

static struct looked_at look(void)
{
	struct looked_at l = { U32_MAX, f.used == f.h.capacity };
	u32 k, n = f.h.hand, rank;

	for (k = 0; l.full && k < LOOKED_AT; k++) {
		const struct nm_hot_entry *e = nm_hot_slot(&f.h, n);

		rank = model_rank(model_find(e->obj, e->index, e->order));
		if (rank < l.least)
			l.least = rank;
		n = n + 1 < f.h.capacity ? n + 1 : 0;
	}
	return l;
}

/* One insertion may have evicted one entry: find it and forget it too. */
static void follow_eviction(const struct looked_at *l)
{
	u32 k, gone = 0, rank;

	for (k = 0; k < f.used; k++) {
		struct entry *e = &f.e[k];

		if (nm_hot_find(&f.h, e->obj, e->index, e->order))
			continue;
		rank = model_rank(e);
		fuzz_check(l->full, "only a full table evicts");
		fuzz_check(rank == l->least, "the coldest goes");
		f.evicted += rank > 1;
		evictions++;
		gone++;
		model_drop(e);
		k--;
	}
	fuzz_check(gone <= 1, "one goes at a time");
}

/* Take the table's word for it: what an insertion did cannot be foreseen. */
static void take_over(void)
{
	u32 n, node;

	f.used = 0;
	f.evicted = f.h.evicted;
	for (n = 0; n < f.h.capacity; n++) {
		struct nm_hot_entry *t = nm_hot_slot(&f.h, n);
		struct entry *e;

		if (!t->in_use)
			continue;
		nm_hot_cool(&f.h, t);
		e = &f.e[f.used++];
		*e = (struct entry){
			.obj = t->obj, .index = t->index, .order = t->order,
			.remote = t->remote, .writes = t->writes,
			.listed = t->listed,
		};
		for (node = 0; node < f.h.nr_nodes; node++)
			e->count[node] = t->count[node];
	}
}

static struct nm_hot_sample draw_sample(struct fuzz_bytes *in)
{
	u8 how = fuzz_u8(in), where = fuzz_u8(in);

	return (struct nm_hot_sample){
		.obj = where & 3,
		.index = fuzz_u8(in) * (u64)(1 + (how & 63) * 9),
		.node = (s16)(where / 4 % f.h.nr_nodes),
		.home = (s16)((s16)(where / 16 % (f.h.nr_nodes + 1)) - 1),
		.write = how & 64, .large = how & 128, .shared = where & 1,
	};
}

static void check_counted(const struct nm_hot_sample *s,
			  const struct nm_hot_entry *page,
			  const struct nm_hot_entry *block)
{
	fuzz_check(page->in_use && page->listed && page->index == s->index &&
		   page->obj == s->obj && !page->order &&
		   page->home == s->home && page->count[s->node], "its page");
	if (!block)
		return;
	fuzz_check(block->in_use && block->listed &&
		   block->index == s->index >> NM_BLOCK_ORDER &&
		   block->obj == s->obj && block->order == NM_BLOCK_ORDER &&
		   block->sub == (s->index & 511) && block->count[s->node],
		   "its block");
	fuzz_check(block->spread >> (s->index >> 3 & 63) & 1,
		   "where in the block");
}

/*
 * A sample is counted for its block, then for its page; either may have to be
 * inserted.  An eviction is foreseen when the page's is the only one.
 */
static void count(const struct nm_hot_sample *s)
{
	struct nm_hot_entry *page = NULL, *block = NULL;
	bool fresh_block = !model_find(s->obj, s->index >> NM_BLOCK_ORDER,
				       NM_BLOCK_ORDER);
	bool unforeseen = fresh_block && f.used + 1 >= f.h.capacity;
	u32 before = f.used;
	struct looked_at l;

	if (!unforeseen)
		model_count_one(s, NM_BLOCK_ORDER);
	l = look();
	nm_hot_count(&f.h, s, &page, &block);
	counted++;
	check_counted(s, page, block);
	if (unforeseen) {
		fuzz_check(f.h.evicted <= f.evicted + 2 &&
			   f.h.used >= before, "two insertions, two evictions");
		take_over();
		return;
	}
	follow_eviction(&l);
	fuzz_check(block || l.full, "the block is only lost when full");
	model_count_one(s, 0);
}

/* A page that is accessed again and again. */
static void count_often(struct fuzz_bytes *in)
{
	struct nm_hot_sample s = draw_sample(in);
	u32 times = fuzz_u8(in) % 100;

	while (times--)
		count(&s);
}

static void count_once(struct fuzz_bytes *in)
{
	struct nm_hot_sample s = draw_sample(in);

	count(&s);
}

static void age(struct fuzz_bytes *in, u64 *now)
{
	u32 before = f.h.epoch, k;
	u64 lasted;
	bool due;

	*now += fuzz_u16(in);
	lasted = *now - f.h.aged_ms;
	due = lasted >= NM_AGE_MIN_MS && (f.h.counted >= NM_AGE_SAMPLES ||
					  lasted >= NM_AGE_MAX_MS);
	nm_hot_age(&f.h, *now);
	fuzz_check(f.h.epoch == before + due, "a period ends when it is due");
	if (!due)
		return;
	periods++;
	for (k = 0; k < f.used; k++)
		model_halve(&f.e[k]);
}

/* Periods in which nothing was looked at. */
static void skip_periods(struct fuzz_bytes *in)
{
	u32 n = fuzz_u8(in) % 40, k;

	f.h.epoch += n;
	periods += n;
	while (n--)
		for (k = 0; k < f.used; k++)
			model_halve(&f.e[k]);
}

/* Many samples at once, so that a period can end by their number. */
static void many(struct fuzz_bytes *in)
{
	f.h.counted += fuzz_u16(in);
}

static void window(void)
{
	u32 k;

	nm_hot_window(&f.h);
	for (k = 0; k < f.used; k++)
		f.e[k].listed = false;
}

static void drop(struct fuzz_bytes *in)
{
	struct entry *e;

	if (!f.used)
		return;
	e = &f.e[fuzz_u8(in) % f.used];
	nm_hot_drop(&f.h, nm_hot_find(&f.h, e->obj, e->index, e->order));
	fuzz_check(!nm_hot_find(&f.h, e->obj, e->index, e->order),
		   "what was dropped is gone");
	model_drop(e);
}

static void check_slots(void)
{
	u8 seen[MAX_CAPACITY] = { 0 };
	u32 b, n, spare = 0, chained = 0, listed = 0, k;
	struct nm_hot_entry *e;

	for (b = 0; b < 1u << f.h.bits; b++) {
		for (n = f.h.buckets[b]; n != NM_HOT_NONE; n = e->next) {
			fuzz_check(n < f.h.capacity && !seen[n]++,
				   "a slot is in one chain, once");
			e = nm_hot_slot(&f.h, n);
			fuzz_check(e->in_use, "chains are of entries");
			chained++;
		}
	}
	for (n = f.h.free; n != NM_HOT_NONE; n = nm_hot_slot(&f.h, n)->next) {
		fuzz_check(n < f.h.capacity && !seen[n]++,
			   "free, or in a chain");
		spare++;
	}
	fuzz_check(chained == f.h.used && chained == f.used &&
		   chained + spare == f.h.capacity, "slots add up");
	nm_hot_for_each_touched(&f.h, e, n) {
		fuzz_check(e->in_use && e->listed, "the list is of entries");
		fuzz_check(++listed <= f.h.used, "the list ends");
	}
	for (k = 0; k < f.used; k++)
		listed -= f.e[k].listed;
	fuzz_check(!listed, "the list is of this window");
}

static void check_entries(void)
{
	struct nm_hot_entry *e;
	u32 k, node;

	for (k = 0; k < f.used; k++) {
		const struct entry *m = &f.e[k];

		e = nm_hot_find(&f.h, m->obj, m->index, m->order);
		fuzz_check(e != NULL, "every entry can be found");
		fuzz_check(e->listed == m->listed, "touched or not");
		nm_hot_cool(&f.h, e);
		for (node = 0; node < f.h.nr_nodes; node++)
			fuzz_check(e->count[node] == m->count[node] &&
				   e->count[node] <= NM_HOT_FULL, "counts");
		fuzz_check(e->remote == m->remote && e->writes == m->writes,
			   "remote accesses and stores");
		fuzz_check(2 * nm_hot_heat(&f.h, e) + m->listed ==
			   model_rank(m), "heat");
	}
	fuzz_check(f.h.evicted == f.evicted, "warm evictions are counted");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes in = { data, size };
	u32 nodes = fuzz_between(&in, 1, MAX_NODES);
	u32 capacity = fuzz_between(&in, LOOKED_AT, MAX_CAPACITY);
	u64 now = 0;

	memset(&f, 0, sizeof(f));
	f.mem = calloc(1, nm_hot_size(capacity, nodes));
	nm_hot_init(&f.h, f.mem, capacity, nodes);
	while (in.left) {
		switch (fuzz_u8(&in) % 16) {
		case 0:
			window();
			break;
		case 1:
			age(&in, &now);
			break;
		case 2:
			drop(&in);
			break;
		case 3:
			many(&in);
			break;
		case 4:
			skip_periods(&in);
			break;
		case 5:
			count_often(&in);
			break;
		default:
			count_once(&in);
			break;
		}
		check_slots();
		/* looking cools: not always, so that decay is lazy as well */
		if (in.left % 8 == 0)
			check_entries();
	}
	check_entries();
	free(f.mem);
	return 0;
}

size_t fuzz_shape(uint8_t *data, size_t size, uint64_t (*random)(void))
{
	(void)data;
	(void)random;
	return size;
}

void fuzz_report(void)
{
	printf("# %lu samples counted, %lu evictions, %lu decay periods\n",
	       counted, evictions, periods);
}
