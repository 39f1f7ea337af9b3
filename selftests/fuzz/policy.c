// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy - decisions under any stream of samples and any settings
 *
 * The first bytes are settings within the ranges that sysfs allows, the rest
 * is a stream of samples and windows.  Advice is looked at beside the table as
 * it was before: entries that exist, each once, those that the documented
 * rules name and all of them, to a node that is not the page's, no sooner again
 * than allowed, within the tokens.  The bucket gives no more than its rate.
 * The gate never opens for more local samples, and stays shut as long as it
 * said.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "policy.h"

#define CAPACITY	48
#define MAX_NODES	4
#define MAX_ADVICE	8

static struct {
	struct nm_policy p;
	struct nm_hot h;
	u8 *mem;
	u8 *before;		/* the table before advice */
	struct nm_gate gate;
	struct nm_bucket bucket;
	u64 now;
	u32 window;
	u32 period;
	/* what the bucket may have given */
	u64 given;
	u64 since;
} f;

static unsigned long pages_advised, blocks_advised, opened, backoffs, filled;

static void draw_policy(struct fuzz_bytes *in)
{
	f.p = nm_policy_defaults;
	/* mostly the defaults, or little would ever be advised */
	if (fuzz_u8(in) & 1)
		return;
	f.p.local_share_low = fuzz_between(in, 0, 100);
	f.p.local_share_high = fuzz_between(in, 0, 101);
	f.p.min_samples = fuzz_between(in, 1, 8);
	f.p.block_samples = fuzz_between(in, 2, 16);
	f.p.block_spread = fuzz_between(in, 1, 4);
	f.p.region_samples = fuzz_between(in, 2, 32);
	f.p.region_spread = fuzz_between(in, 1, 24);
	f.p.hysteresis = fuzz_between(in, 100, 1000);
	f.p.block_hysteresis = fuzz_between(in, 100, 1000);
	f.p.bounce_windows = fuzz_between(in, 1, 20);
	f.p.effect_percent = fuzz_between(in, 0, 100);
	f.p.backoff_ms = fuzz_between(in, 1, NM_BACKOFF_MAX_MS);
	f.p.rate_mib = fuzz_between(in, 1, fuzz_u8(in) & 1 ? 8 : 65536);
	f.p.sampler_permille = fuzz_between(in, 1, 500);
	f.p.period_ns = fuzz_between(in, 10000, 100000000);
}

/* --- advice -------------------------------------------------------------- */

static const struct nm_hot_entry *was(u32 n)
{
	return (const struct nm_hot_entry *)
		(f.before + (f.h.slots - f.mem) + (size_t)n * f.h.stride);
}

/* Its count of @node in the running decay period. */
static u32 cooled(const struct nm_hot_entry *e, u32 count)
{
	u32 age = f.h.epoch - e->epoch;

	return count >> (age > 16 ? 16 : age);
}

/* The node that should have it, -1 if none dominates. */
static int dominant(const struct nm_hot_entry *e, u32 percent)
{
	u64 sum = 0, own;
	u32 k;

	for (k = 0; k < f.h.nr_nodes; k++)
		sum += cooled(e, e->count[k]);
	for (k = 0; k < f.h.nr_nodes; k++) {
		own = cooled(e, e->count[k]);
		if (own * 100 > (sum - own) * percent)
			return (int)k;
	}
	return -1;
}

static bool may_go(const struct nm_hot_entry *e)
{
	return !e->moved || f.window - e->moved >= f.p.bounce_windows;
}

static u32 heat_of(const struct nm_hot_entry *e)
{
	u32 heat = 0, k;

	for (k = 0; k < f.h.nr_nodes; k++)
		heat += cooled(e, e->count[k]);
	return heat;
}

static u32 spread_of(const struct nm_hot_entry *e)
{
	return f.h.epoch - e->epoch > 4 ? 0 : hweight64(e->spread);
}

/* The node that has the region of block @e to itself, -1: none. */
static int region_node(const struct nm_hot_entry *e)
{
	u64 count[MAX_NODES] = { 0 };
	u32 heat = 0, spread = 0, n, k;

	for (n = 0; n < CAPACITY; n++) {
		const struct nm_hot_entry *b = was(n);

		if (!b->in_use || !b->order || b->obj != e->obj ||
		    b->index / NM_REGION_BLOCKS != e->index / NM_REGION_BLOCKS)
			continue;
		heat += heat_of(b);
		spread += spread_of(b);
		for (k = 0; k < f.h.nr_nodes; k++)
			count[k] += cooled(b, b->count[k]);
	}
	if (heat < f.p.region_samples || spread < f.p.region_spread)
		return -1;
	for (k = 0; k < f.h.nr_nodes; k++)
		if (count[k] * 100 > (heat - count[k]) * f.p.block_hysteresis)
			return (int)k;
	return -1;
}

/* Where a block should go by what policy.h says, -1: nowhere. */
static int block_goes(const struct nm_hot_entry *e)
{
	bool large = e->flags & NM_HOT_LARGE;
	u32 heat = heat_of(e), remote = cooled(e, e->remote);
	int node;

	if (!remote || 2 * remote < heat || !may_go(e))
		return -1;
	if (heat >= f.p.block_samples &&
	    (large || spread_of(e) >= f.p.block_spread)) {
		node = dominant(e, f.p.block_hysteresis);
		return large && node == e->home ? -1 : node;
	}
	node = region_node(e);
	if (node == e->home || node != dominant(e, 100))
		return -1;
	return node;
}

/* The same for a page; its block decides as well. */
static int page_goes(const struct nm_hot_entry *e)
{
	int node = dominant(e, f.p.hysteresis);
	u32 n;

	if (cooled(e, e->remote) < f.p.min_samples || !may_go(e) ||
	    node == e->home)
		return -1;
	for (n = 0; n < CAPACITY; n++) {
		const struct nm_hot_entry *b = was(n);

		if (b->in_use && b->order && b->obj == e->obj &&
		    b->index == e->index >> NM_BLOCK_ORDER &&
		    (!may_go(b) || (b->listed && block_goes(b) >= 0)))
			return -1;
	}
	return node;
}

static int goes(const struct nm_hot_entry *e)
{
	if (!e->in_use || !e->listed)
		return -1;
	return e->order ? block_goes(e) : page_goes(e);
}

static void check_one(const struct nm_advice *a)
{
	const struct nm_hot_entry *e;

	fuzz_check(a->entry < f.h.capacity && was(a->entry)->in_use,
		   "an entry in use");
	e = was(a->entry);
	fuzz_check(e->listed, "touched in this window");
	fuzz_check(!e->moved || f.window - e->moved >= f.p.bounce_windows,
		   "not again so soon");
	fuzz_check(e->order || e->home != (s16)a->node, "not where it is");
	fuzz_check(a->node < f.h.nr_nodes && goes(e) == (int)a->node,
		   "it should go, and there");
	fuzz_check(nm_hot_slot(&f.h, a->entry)->moved == f.window,
		   "marked as moved");
	pages_advised += !e->order;
	blocks_advised += e->order;
}

/* Nothing is left out that there was room and tokens for. */
static void check_complete(const struct nm_advice *a, u32 n, u32 max)
{
	u32 pages = 0, blocks = 0, got_blocks = 0, k;

	for (k = 0; k < CAPACITY; k++) {
		if (goes(was(k)) < 0)
			continue;
		pages += !was(k)->order;
		blocks += !!was(k)->order;
	}
	for (k = 0; k < n; k++)
		got_blocks += !!was(a[k].entry)->order;
	if (got_blocks < blocks) {
		fuzz_check(n == got_blocks, "no page while a block waits");
		fuzz_check(n == max || f.bucket.tokens < 512,
			   "a block waits for room or tokens");
		return;
	}
	fuzz_check(n == blocks + pages || n == max || !f.bucket.tokens,
		   "a page waits for room or tokens");
}

static bool same_block(const struct nm_hot_entry *page,
		       const struct nm_hot_entry *block)
{
	return !page->order && block->order && page->obj == block->obj &&
	       page->index >> NM_BLOCK_ORDER == block->index;
}

static void check_pair(const struct nm_advice *a, const struct nm_advice *b)
{
	fuzz_check(a->entry != b->entry, "each once");
	fuzz_check(!same_block(was(a->entry), was(b->entry)) &&
		   !same_block(was(b->entry), was(a->entry)),
		   "no page of a block that goes as a whole");
}

static void advise(struct fuzz_bytes *in)
{
	u32 max = 1 + fuzz_u8(in) % MAX_ADVICE, n, k, j;
	u64 before = f.bucket.tokens, pages = 0;
	struct nm_advice a[MAX_ADVICE];

	memcpy(f.before, f.mem, nm_hot_size(CAPACITY, f.h.nr_nodes));
	n = nm_policy_advise(&f.p, &f.h, f.window, a, max, &f.bucket.tokens);
	fuzz_check(n <= max, "room");
	for (k = 0; k < n; k++) {
		check_one(&a[k]);
		pages += 1ull << was(a[k].entry)->order;
		for (j = 0; j < k; j++)
			check_pair(&a[j], &a[k]);
	}
	fuzz_check(f.bucket.tokens <= before &&
		   before - f.bucket.tokens == pages, "tokens add up");
	check_complete(a, n, max);
}

/* --- bucket, gate, period ------------------------------------------------ */

/* Not more than the rate since it was empty, and not less but for a page. */
static void fill(void)
{
	u64 per_second = (u64)f.p.rate_mib << 8, before = f.bucket.tokens;
	u64 room = per_second / 2 > 512 ? per_second / 2 : 512;
	u64 owed;

	nm_bucket_fill(&f.p, &f.bucket, f.now);
	filled++;
	fuzz_check(f.bucket.tokens <= room, "room in the bucket");
	fuzz_check(f.bucket.tokens >= before, "filling takes nothing");
	f.given += f.bucket.tokens - before;
	owed = per_second * (f.now - f.since) / 1000;
	fuzz_check(f.given <= owed, "no more than the rate");
	if (f.now - f.since > 9000 || f.bucket.tokens == room) {
		/* it was full: what it did not take is not owed */
		f.given = 0;
		f.since = f.now;
		f.bucket = (struct nm_bucket){ .last_ms = f.now };
		return;
	}
	fuzz_check(f.given + 1 >= owed, "no less than the rate");
}

static void close_gate_window(void)
{
	struct nm_gate before = f.gate;
	bool open = nm_gate_window(&f.p, &f.gate, f.now);

	fuzz_check(f.gate.share >= -1 && f.gate.share <= 1000, "a share");
	fuzz_check(!open || f.gate.acting, "open when acting only");
	fuzz_check(!open || f.now >= f.gate.quiet_until, "quiet is quiet");
	fuzz_check(f.gate.backoff_ms <= NM_BACKOFF_MAX_MS, "back-off bounded");
	fuzz_check(f.gate.quiet_until <= f.now + NM_BACKOFF_MAX_MS,
		   "and so is the quiet");
	fuzz_check(before.acting || !f.gate.acting ||
		   f.gate.share < (s32)f.p.local_share_low * 10,
		   "opens below the low share only");
	opened += !before.acting && f.gate.acting;
	backoffs += before.quiet_until != f.gate.quiet_until;
}

/* With one remote sample turned into a local one it opens no sooner. */
static void check_monotony(void)
{
	struct nm_gate more = f.gate, less = f.gate;

	if (!less.remote)
		return;
	more.remote--;
	more.local++;
	nm_gate_window(&f.p, &more, f.now);
	nm_gate_window(&f.p, &less, f.now);
	fuzz_check(!more.acting || less.acting, "local samples open nothing");
	fuzz_check(more.share >= less.share, "and lower no share");
}

static void govern(struct fuzz_bytes *in)
{
	u64 cpu = fuzz_u32(in), spent = fuzz_u32(in);
	u32 next = nm_policy_period(&f.p, f.period, cpu, spent);
	u32 dearer = nm_policy_period(&f.p, f.period, cpu,
				      spent + fuzz_u32(in));

	fuzz_check(next >= f.p.period_ns && next <= 100000000, "a period");
	fuzz_check(dearer >= next, "what costs more is done less often");
	f.period = next;
}

/* --- the stream ---------------------------------------------------------- */

static void sample(struct fuzz_bytes *in)
{
	u8 how = fuzz_u8(in), where = fuzz_u8(in), times = fuzz_u8(in) % 16;
	struct nm_hot_sample s = {
		.obj = where & 1, .index = fuzz_u16(in) & 0xfff,
		.node = (s16)(where / 2 % f.h.nr_nodes),
		.home = (s16)((s16)(where / 8 % (f.h.nr_nodes + 1)) - 1),
		.write = how & 1, .large = how & 2, .shared = where & 1,
	};
	struct nm_hot_entry *page, *block;

	do {
		nm_hot_count(&f.h, &s, &page, &block);
		if (s.home >= 0)
			nm_gate_sample(&f.gate, page, block, s.node, s.home,
				       f.window);
		/* over the pages of the block */
		if (how & 4)
			s.index = (s.index & ~511ull) |
				  ((s.index + 37) & 511);
	} while (times--);
}

/* Samples on a page that was ordered in the first window. */
static void effect(struct fuzz_bytes *in)
{
	u32 local = fuzz_u8(in), remote = fuzz_u8(in), before, k;
	struct nm_hot_entry e = { .moved = 1 };
	bool counts = f.window > 3;

	before = f.gate.after_local + f.gate.after_remote;
	for (k = 0; k < local; k++)
		nm_gate_sample(&f.gate, NULL, &e, 0, 0, f.window);
	for (k = 0; k < remote; k++)
		nm_gate_sample(&f.gate, &e, NULL, 0, 1, f.window);
	fuzz_check(f.gate.after_local + f.gate.after_remote ==
		   before + (counts ? local + remote : 0),
		   "counted once the page can have moved");
}

static void step(struct fuzz_bytes *in)
{
	switch (fuzz_u8(in) % 9) {
	case 0:
		nm_hot_window(&f.h);
		f.window++;
		break;
	case 1:
		f.now += fuzz_u16(in) & 0x1fff;
		nm_hot_age(&f.h, f.now);
		break;
	case 2:
		f.now += fuzz_u8(in);
		fill();
		check_monotony();
		close_gate_window();
		break;
	case 3:
		advise(in);
		break;
	case 4:
		govern(in);
		break;
	case 5:
		effect(in);
		break;
	default:
		sample(in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes in = { data, size };
	u32 nodes = fuzz_between(&in, 1, MAX_NODES);
	size_t bytes = nm_hot_size(CAPACITY, nodes);

	memset(&f, 0, sizeof(f));
	draw_policy(&in);
	f.mem = calloc(1, bytes);
	f.before = malloc(bytes);
	f.window = 1;
	f.period = f.p.period_ns;
	nm_hot_init(&f.h, f.mem, CAPACITY, nodes);
	nm_gate_init(&f.gate);
	while (in.left)
		step(&in);
	free(f.before);
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
	printf("# advised %lu pages, %lu blocks; the gate opened %lu times and backed off %lu times; %lu fills\n",
	       pages_advised, blocks_advised, opened, backoffs, filled);
}
