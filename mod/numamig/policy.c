// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy.c - decisions, and nothing but decisions
 *
 * Works on the hot-page table and on counters; knows no kernel object, takes
 * no lock, allocates nothing.  The caller serialises all calls for a target.
 */
#include "policy.h"

const struct nm_policy nm_policy_defaults = {
	.local_share_low = 80,
	.local_share_high = 99,
	.min_samples = 2,
	.block_samples = 8,
	.block_spread = 4,
	.region_samples = 32,
	.region_spread = 24,
	.hysteresis = 133,
	.block_hysteresis = 300,
	.bounce_windows = 8,
	.effect_percent = 60,
	.backoff_ms = 5000,
	.rate_mib = 1024,
	.sampler_permille = 30,
	.period_ns = 250000,
};

void nm_gate_init(struct nm_gate *g)
{
	memset(g, 0, sizeof(*g));
	g->share = -1;
}

/* Ordered, and long enough ago for the move to have happened. */
static bool settled(const struct nm_hot_entry *e, u32 window)
{
	return e && e->moved && window - e->moved > 2;
}

/**
 * nm_gate_sample - count a sample whose home is known
 * @g: gate of the target
 * @page: entry of the page
 * @block: entry of its block, may be NULL
 * @node: accessing node
 * @home: node of the page
 * @window: the running window
 */
void nm_gate_sample(struct nm_gate *g, const struct nm_hot_entry *page,
		    const struct nm_hot_entry *block, s16 node, s16 home,
		    u32 window)
{
	bool is_local = node == home;

	if (is_local)
		g->local++;
	else
		g->remote++;
	if (!settled(page, window) && !settled(block, window))
		return;
	if (is_local)
		g->after_local++;
	else
		g->after_remote++;
}

/* Did what was moved become local?  Three times no: leave it for a while. */
static void check_effect(const struct nm_policy *p, struct nm_gate *g,
			 u64 now_ms)
{
	u32 all = g->after_local + g->after_remote;
	bool good = (u64)g->after_local * 100 >= (u64)all * p->effect_percent;

	if (all < NM_EFFECT_SAMPLES)
		return;
	g->after_local = 0;
	g->after_remote = 0;
	if (good) {
		g->strikes = 0;
		g->backoff_ms = 0;
		return;
	}
	if (++g->strikes < NM_EFFECT_STRIKES)
		return;
	g->strikes = 0;
	g->backoff_ms = g->backoff_ms ? 2 * g->backoff_ms : p->backoff_ms;
	g->backoff_ms = min_t(u32, g->backoff_ms, NM_BACKOFF_MAX_MS);
	g->quiet_until = now_ms + g->backoff_ms;
}

static void check_share(const struct nm_policy *p, struct nm_gate *g)
{
	u32 all = g->local + g->remote;

	if (all < NM_SHARE_SAMPLES)
		return;
	g->share = (s32)((u64)g->local * 1000 / all);
	g->long_local += g->local;
	g->long_remote += g->remote;
	g->local = 0;
	g->remote = 0;
	if (g->share < (s32)p->local_share_low * 10)
		g->acting = true;
}

/*
 * Stopping takes more evidence than starting: 64 samples of a share of 95 %
 * show 98 % and more in a sixth of the cases.
 */
static void check_done(const struct nm_policy *p, struct nm_gate *g)
{
	u32 all = g->long_local + g->long_remote;

	if (all < NM_DONE_SAMPLES)
		return;
	if ((u64)g->long_local * 100 >= (u64)all * p->local_share_high)
		g->acting = false;
	g->long_local = 0;
	g->long_remote = 0;
}

/**
 * nm_gate_window - close a window
 * @p: thresholds
 * @g: gate of the target
 * @now_ms: the time
 *
 * Return: whether orders may be issued now.
 */
bool nm_gate_window(const struct nm_policy *p, struct nm_gate *g, u64 now_ms)
{
	check_share(p, g);
	check_done(p, g);
	check_effect(p, g, now_ms);
	return g->acting && now_ms >= g->quiet_until;
}

/* The node with the most accesses, if it dominates all others together. */
static bool dominant_node(const struct nm_hot *h,
			  const struct nm_hot_entry *e, u32 percent,
			  u32 *node)
{
	u32 sum = 0, best = 0, k;

	for (k = 0; k < h->nr_nodes; k++) {
		sum += e->count[k];
		if (e->count[k] > e->count[best])
			best = k;
	}
	*node = best;
	return (u64)e->count[best] * 100 >
	       (u64)(sum - e->count[best]) * percent;
}

static bool may_bounce(const struct nm_policy *p,
		       const struct nm_hot_entry *e, u32 window)
{
	return !e->moved || window - e->moved >= p->bounce_windows;
}

/* The node that dominates @nr blocks taken together, or -1. */
static s16 dominant_of(const struct nm_policy *p, const struct nm_hot *h,
		       struct nm_hot_entry *const *block, u32 nr, u32 heat)
{
	u32 best = 0, most = 0, sum, k, n;

	for (k = 0; k < h->nr_nodes; k++) {
		for (sum = 0, n = 0; n < nr; n++)
			sum += block[n]->count[k];
		if (sum > most) {
			most = sum;
			best = k;
		}
	}
	if ((u64)most * 100 <= (u64)(heat - most) * p->block_hysteresis)
		return -1;
	return best;
}

/*
 * Judge the region of block @e, once each time advice is asked for and before
 * a block of it is marked as moved; all its blocks remember what came of it.
 */
static void judge_region(const struct nm_policy *p, const struct nm_hot *h,
			 const struct nm_hot_entry *e)
{
	u64 first = e->index & ~(u64)(NM_REGION_BLOCKS - 1);
	struct nm_hot_entry *block[NM_REGION_BLOCKS];
	u32 heat = 0, spread = 0, nr = 0, k;
	s16 node = -1;

	if (e->judged == h->judgment)
		return;
	for (k = 0; k < NM_REGION_BLOCKS; k++) {
		block[nr] = nm_hot_find(h, e->obj, first + k, NM_BLOCK_ORDER);
		if (!block[nr])
			continue;
		heat += nm_hot_heat(h, block[nr]);
		spread += hweight64(block[nr]->spread);
		nr++;
	}
	if (heat >= p->region_samples && spread >= p->region_spread)
		node = dominant_of(p, h, block, nr, heat);
	for (k = 0; k < nr; k++) {
		block[k]->judged = h->judgment;
		block[k]->region_node = node;
	}
}

/*
 * A block with few samples goes where its region says, unless its own samples
 * contradict.
 */
static bool region_says(const struct nm_hot *h, const struct nm_hot_entry *e,
			u32 *node)
{
	u32 own;

	if (e->region_node < 0 || e->region_node == e->home)
		return false;
	*node = e->region_node;
	return dominant_node(h, e, 100, &own) && own == *node;
}

static bool block_should_move(const struct nm_policy *p,
			      const struct nm_hot *h,
			      struct nm_hot_entry *e, u32 window,
			      struct nm_advice *a)
{
	u32 heat = nm_hot_heat(h, e);

	a->by_region = false;
	/* most of it is local already: its pages may move one by one */
	if (!e->remote || (u32)e->remote * 2 < heat ||
	    !may_bounce(p, e, window))
		return false;
	judge_region(p, h, e);
	/* a large folio moves whole, wherever in it the accesses lie */
	if (heat >= p->block_samples &&
	    (e->flags & NM_HOT_LARGE ||
	     hweight64(e->spread) >= p->block_spread)) {
		if (!dominant_node(h, e, p->block_hysteresis, &a->node))
			return false;
		/* it has one home, and may have moved since the accesses */
		return !(e->flags & NM_HOT_LARGE) || (s16)a->node != e->home;
	}
	a->by_region = true;
	return region_says(h, e, &a->node);
}

static bool page_should_move(const struct nm_policy *p,
			     const struct nm_hot *h, struct nm_hot_entry *e,
			     u32 window, struct nm_advice *a)
{
	struct nm_hot_entry *block;

	a->by_region = false;
	nm_hot_cool(h, e);
	if (e->remote < p->min_samples || !may_bounce(p, e, window))
		return false;
	if (!dominant_node(h, e, p->hysteresis, &a->node) ||
	    (s16)a->node == e->home)
		return false;
	block = nm_hot_find(h, e->obj, e->index >> NM_BLOCK_ORDER,
			    NM_BLOCK_ORDER);
	return !block || may_bounce(p, block, window);
}

/* An ordered page starts from nothing: its history was made elsewhere. */
static void mark_moved(const struct nm_hot *h, struct nm_hot_entry *e,
		       u32 window)
{
	e->moved = window;
	e->remote = 0;
	e->writes = 0;
	e->spread = 0;
	memset(e->count, 0, h->nr_nodes * sizeof(e->count[0]));
}

static u32 advise_order(const struct nm_policy *p, struct nm_hot *h,
			u32 window, unsigned int order,
			struct nm_advice *advice, u32 max, u64 *pages,
			bool *short_of)
{
	struct nm_hot_entry *e;
	struct nm_advice a;
	u32 found = 0, n;
	bool yes;

	nm_hot_for_each_touched(h, e, n) {
		if (e->order != order)
			continue;
		if (order)
			yes = block_should_move(p, h, e, window, &a);
		else
			yes = page_should_move(p, h, e, window, &a);
		if (!yes)
			continue;
		if (found == max || *pages < 1ull << order) {
			*short_of = true;
			break;
		}
		a.entry = n;
		advice[found] = a;
		mark_moved(h, e, window);
		*pages -= 1ull << order;
		found++;
	}
	return found;
}

/**
 * nm_policy_advise - which of the entries touched in this window should move
 * @p: thresholds
 * @h: table; advised entries are marked as moved
 * @window: number of the running window, not 0
 * @advice: room for @max
 * @max: at most so many
 * @pages: in: pages that may be ordered; out: what is left
 *
 * Blocks come first, so that pages of an advised block are not advised too;
 * and while a block waits for the rate limit no page is, or single pages would
 * use up what it waits for.  What is held back keeps its counts and is looked
 * at again when it is next touched.
 *
 * Return: how many there are.
 */
u32 nm_policy_advise(const struct nm_policy *p, struct nm_hot *h, u32 window,
		     struct nm_advice *advice, u32 max, u64 *pages)
{
	bool short_of = false;
	u32 n;

	h->judgment++;
	n = advise_order(p, h, window, NM_BLOCK_ORDER, advice, max, pages,
			 &short_of);
	if (!short_of)
		n += advise_order(p, h, window, 0, advice + n, max - n, pages,
				  &short_of);
	return n;
}

/*
 * Half a second of the rate, and never less than one block, so that a low rate
 * delays a block and cannot stop it.
 */
static u64 bucket_room(u64 per_second)
{
	return max(per_second / 2, (u64)1 << NM_BLOCK_ORDER);
}

static u64 pages_per_second(const struct nm_policy *p)
{
	return (u64)p->rate_mib << (20 - 12);
}

/** nm_bucket_init - a full bucket: a new target may begin with a burst */
void nm_bucket_init(const struct nm_policy *p, struct nm_bucket *b, u64 now_ms)
{
	b->tokens = bucket_room(pages_per_second(p));
	b->rest = 0;
	b->last_ms = now_ms;
}

/**
 * nm_bucket_fill - add what the rate limit allows since the last time
 * @p: the limit
 * @b: bucket
 * @now_ms: the time
 */
void nm_bucket_fill(const struct nm_policy *p, struct nm_bucket *b,
		    u64 now_ms)
{
	u64 per_second = pages_per_second(p);
	u64 passed = min(now_ms - b->last_ms, (u64)10000);
	u64 due = per_second * passed + b->rest;

	b->tokens = min(b->tokens + due / 1000, bucket_room(per_second));
	b->rest = due % 1000;
	b->last_ms = now_ms;
}

/**
 * nm_policy_period - hold the cost of sampling at its share
 * @p: thresholds
 * @period: sampling period in force, nanoseconds
 * @cpu_ns: CPU time that was sampled with it
 * @spent_ns: time that sampling took
 *
 * Return: the period to use next.  It stays within a sixth of the share, goes
 * up at once when the cost is above and comes down slowly when it is below.
 */
u32 nm_policy_period(const struct nm_policy *p, u32 period, u64 cpu_ns,
		     u64 spent_ns)
{
	u64 limit = p->sampler_permille, cost, next = period;

	if (!cpu_ns || !limit)
		return max(period, p->period_ns);
	cost = spent_ns * 1000 / cpu_ns;
	if (cost > limit)
		next = next * min(cost, 4 * limit) / limit + next / 16;
	else if (cost * 6 < limit * 5)
		next -= next / 8;
	if (next > 100000000)
		next = 100000000;
	return max_t(u32, next, p->period_ns);
}
