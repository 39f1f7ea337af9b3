// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy - the hot-page table and the policy under any stream of samples
 *
 * Each input byte pair is an action.  After every one the table is sound: what
 * is in use can be found, free and used slots add up, advice names entries in
 * use and nodes that exist, and never more pages than the limit.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "policy.h"

#define CAPACITY	48

static void check_table(const struct nm_hot *h)
{
	struct nm_hot_entry *e;
	u32 n, used = 0, spare = 0, steps = 0;

	for (n = 0; n < h->capacity; n++) {
		e = nm_hot_slot(h, n);
		if (!e->in_use)
			continue;
		used++;
		fuzz_check(nm_hot_find(h, e->obj, e->index, e->order) == e,
			   "every entry can be found");
	}
	for (n = h->free; n != NM_HOT_NONE; n = nm_hot_slot(h, n)->next)
		spare++;
	fuzz_check(used == h->used && used + spare == h->capacity,
		   "slots add up");
	nm_hot_for_each_touched(h, e, n) {
		fuzz_check(e->in_use && e->listed, "the list is of entries");
		fuzz_check(++steps <= h->capacity, "the list ends");
	}
}

static void check_advice(const struct nm_hot *h, const struct nm_advice *a,
			 u32 n, u64 before, u64 after)
{
	u64 pages = 0;
	u32 k;

	for (k = 0; k < n; k++) {
		fuzz_check(a[k].entry < h->capacity, "an entry");
		fuzz_check(nm_hot_slot(h, a[k].entry)->in_use, "in use");
		fuzz_check(a[k].node < h->nr_nodes, "a node");
		pages += 1ull << nm_hot_slot(h, a[k].entry)->order;
	}
	fuzz_check(before - after == pages, "pages add up");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 nodes = size ? 1 + data[0] % 4 : 1, window = 1;
	void *mem = calloc(1, nm_hot_size(CAPACITY, nodes));
	struct nm_policy p = nm_policy_defaults;
	struct nm_hot_entry *page, *block;
	struct nm_advice advice[8];
	struct nm_bucket bucket = { 0 };
	struct nm_gate gate;
	struct nm_hot h;
	u64 now = 0, before;
	u32 found, period = p.period_ns;
	size_t k;

	nm_hot_init(&h, mem, CAPACITY, nodes);
	nm_gate_init(&gate);
	for (k = 1; k + 3 < size; k += 4) {
		const uint8_t *d = data + k;
		struct nm_hot_sample s = {
			.obj = d[1] & 3, .index = (u64)d[2] * (d[3] | 1),
			.node = (s16)(d[1] / 4 % nodes),
			.home = (s16)(d[1] / 16 % (nodes + 1)) - 1,
			.write = d[0] & 64, .large = d[0] & 128,
			.shared = d[1] & 1,
		};

		switch (d[0] % 8) {
		case 0:
			nm_hot_window(&h);
			window++;
			break;
		case 1:
			now += d[1] * 100u;
			nm_hot_age(&h, now);
			break;
		case 2:
			now += d[1] * d[2];
			nm_bucket_fill(&p, &bucket, now);
			nm_gate_window(&p, &gate, now);
			break;
		case 3:
			before = bucket.tokens;
			found = nm_policy_advise(&p, &h, window, advice, 8,
						 &bucket.tokens);
			fuzz_check(found <= 8, "room");
			check_advice(&h, advice, found, before,
				     bucket.tokens);
			break;
		case 4:
			period = nm_policy_period(&p, period, d[1] * 1000u,
						  (u64)d[2] << (d[3] % 32));
			fuzz_check(period >= p.period_ns, "period");
			break;
		case 5:
			page = nm_hot_find(&h, s.obj, s.index, 0);
			if (page)
				nm_hot_drop(&h, page);
			break;
		default:
			nm_hot_count(&h, &s, &page, &block);
			if (s.home >= 0)
				nm_gate_sample(&gate, page, block, s.node,
					       s.home, window);
			break;
		}
	}
	check_table(&h);
	free(mem);
	return 0;
}

size_t fuzz_shape(uint8_t *data, size_t size, uint64_t (*random)(void))
{
	(void)data;
	(void)random;
	return size;
}
