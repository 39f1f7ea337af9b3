// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy - each gate by itself, at its threshold and beside it
 */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "policy.h"

FIXTURE(policy)
{
	struct nm_policy p;
	struct nm_hot h;
	void *mem;
	struct nm_gate g;
	struct nm_advice advice[64];
	u64 pages;
};

FIXTURE_SETUP(policy)
{
	self->p = nm_policy_defaults;
	self->mem = calloc(1, nm_hot_size(4096, 4));
	nm_hot_init(&self->h, self->mem, 4096, 4);
	nm_gate_init(&self->g);
	self->pages = 1 << 20;
}

FIXTURE_TEARDOWN(policy)
{
	free(self->mem);
}

static void touch(struct nm_hot *h, u64 index, s16 node, s16 home, u32 times)
{
	struct nm_hot_sample s = {
		.obj = 1, .index = index, .addr = index << 12, .space = 1,
		.node = node, .home = home,
	};
	struct nm_hot_entry *page, *block;

	while (times--)
		nm_hot_count(h, &s, &page, &block);
}

static u32 advise(FIXTURE_DATA(policy) *self, u32 window)
{
	return nm_policy_advise(&self->p, &self->h, window, self->advice, 64,
				&self->pages);
}

static struct nm_hot_entry *entry(FIXTURE_DATA(policy) *self, u32 k)
{
	return nm_hot_slot(&self->h, self->advice[k].entry);
}

TEST_F(policy, one_remote_sample_is_not_enough)
{
	touch(&self->h, 7, 1, 0, 1);
	EXPECT_EQ(0, advise(self, 1));
	touch(&self->h, 7, 1, 0, 1);
	ASSERT_EQ(1, advise(self, 1));
	EXPECT_EQ(1, self->advice[0].node);
	EXPECT_EQ(7, entry(self, 0)->index);
	EXPECT_EQ((1 << 20) - 1, self->pages);
}

TEST_F(policy, local_page_stays)
{
	touch(&self->h, 7, 1, 1, 50);
	EXPECT_EQ(0, advise(self, 1));
}

/* 4 against 3 is 133.3 %: more than the hysteresis; 5 against 4 is not. */
TEST_F(policy, dominance_has_hysteresis)
{
	touch(&self->h, 7, 1, 0, 5);
	touch(&self->h, 7, 0, 0, 4);
	EXPECT_EQ(0, advise(self, 1));
	touch(&self->h, 9, 1, 0, 4);
	touch(&self->h, 9, 0, 0, 3);
	EXPECT_EQ(1, advise(self, 1));
	EXPECT_EQ(9, entry(self, 0)->index);
}

TEST_F(policy, page_that_moved_waits_before_it_moves_back)
{
	u32 w;

	touch(&self->h, 7, 1, 0, 4);
	ASSERT_EQ(1, advise(self, 1));
	for (w = 2; w < 9; w++) {
		nm_hot_window(&self->h);
		touch(&self->h, 7, 0, 1, 4);
		EXPECT_EQ(0, advise(self, w));
	}
	nm_hot_window(&self->h);
	touch(&self->h, 7, 0, 1, 4);
	EXPECT_EQ(1, advise(self, 9));
}

TEST_F(policy, block_moves_as_one)
{
	u64 k;

	for (k = 0; k < 8; k++)
		touch(&self->h, 512 + k * 60, 2, 0, 1);
	ASSERT_EQ(1, advise(self, 1));
	EXPECT_EQ(NM_BLOCK_ORDER, entry(self, 0)->order);
	EXPECT_EQ(2, self->advice[0].node);
	EXPECT_EQ((1 << 20) - 512, self->pages);
}

/* Eight samples in one place say nothing of the other 500 pages. */
TEST_F(policy, block_needs_spread_unless_it_is_one_folio)
{
	struct nm_hot_sample s = {
		.obj = 1, .index = 1024, .addr = 1024 << 12, .space = 1,
		.node = 1, .home = 0, .large = true,
	};
	struct nm_hot_entry *page, *block;
	u32 k;

	touch(&self->h, 512, 2, 0, 8);
	ASSERT_EQ(1, advise(self, 1));
	EXPECT_EQ(0, entry(self, 0)->order);
	for (k = 0; k < 8; k++)
		nm_hot_count(&self->h, &s, &page, &block);
	ASSERT_LE(1, advise(self, 1));
	EXPECT_EQ(NM_BLOCK_ORDER, entry(self, 0)->order);
}

/* Somebody else moved the folio after its first accesses. */
TEST_F(policy, large_folio_is_not_sent_where_it_is)
{
	struct nm_hot_sample s = {
		.obj = 1, .index = 1024, .addr = 1024 << 12, .space = 1,
		.node = 1, .home = 0, .large = true,
	};
	struct nm_hot_entry *page, *block;
	u32 k;

	for (k = 0; k < 10; k++) {
		s.home = k >= 5;
		s.index = 1024 + k;
		nm_hot_count(&self->h, &s, &page, &block);
	}
	EXPECT_EQ(0, advise(self, 1));
}

TEST_F(policy, block_of_two_nodes_stays)
{
	u64 k;

	for (k = 0; k < 8; k++)
		touch(&self->h, 512 + k * 60, k & 1 ? 1 : 2, 0, 1);
	EXPECT_EQ(0, advise(self, 1));
}

/* @per_block samples in each block of region 1, from @node, all apart. */
static void touch_region(struct nm_hot *h, u32 blocks, u32 per_block, s16 node)
{
	u64 first = NM_REGION_BLOCKS << NM_BLOCK_ORDER;
	u32 b, k;

	for (b = 0; b < blocks; b++)
		for (k = 0; k < per_block; k++)
			touch(h, first + b * 512 + k * 60 + node, node, 0, 1);
}

TEST_F(policy, region_speaks_for_blocks_with_few_samples)
{
	u32 k, n;

	touch_region(&self->h, 15, 2, 2);
	EXPECT_EQ(0, advise(self, 1));
	nm_hot_window(&self->h);
	/* two more make 32; all blocks of the region are heard when touched */
	touch_region(&self->h, 16, 2, 2);
	n = advise(self, 2);
	ASSERT_EQ(16, n);
	for (k = 0; k < n; k++) {
		EXPECT_EQ(NM_BLOCK_ORDER, entry(self, k)->order);
		EXPECT_EQ(2, self->advice[k].node);
		EXPECT_TRUE(self->advice[k].by_region);
	}
}

TEST_F(policy, region_of_two_nodes_says_nothing)
{
	touch_region(&self->h, 16, 2, 2);
	touch_region(&self->h, 16, 2, 1);
	EXPECT_EQ(0, advise(self, 1));
}

/* Sixteen hot pages in 32 MiB move one by one. */
TEST_F(policy, region_needs_spread)
{
	u32 k, n;

	for (k = 0; k < 16; k++)
		touch(&self->h, 8192 + k * 512, 2, 0, 3);
	n = advise(self, 1);
	ASSERT_EQ(16, n);
	for (k = 0; k < n; k++)
		EXPECT_EQ(0, entry(self, k)->order);
}

TEST_F(policy, block_contradicts_its_region)
{
	u32 k, n;

	touch_region(&self->h, 15, 4, 2);
	touch(&self->h, 8192 + 15 * 512, 1, 0, 1);
	touch(&self->h, 8192 + 15 * 512 + 99, 3, 2, 1);
	n = advise(self, 1);
	EXPECT_EQ(15, n);
	for (k = 0; k < n; k++)
		EXPECT_NE(31, entry(self, k)->index);
}

/* What came late follows its neighbours, which are local by now. */
TEST_F(policy, straggler_follows_its_region)
{
	u32 k;

	for (k = 0; k < 40; k++)
		touch(&self->h, 8192 + k * 150, 2, 2, 1);
	EXPECT_EQ(0, advise(self, 1));
	touch(&self->h, 8192 + 15 * 512 + 7, 2, 0, 1);
	ASSERT_EQ(1, advise(self, 2));
	EXPECT_EQ(31, entry(self, 0)->index);
	EXPECT_TRUE(self->advice[0].by_region);
}

TEST_F(policy, rate_limit_holds_a_block_back_and_keeps_its_counts)
{
	u64 k;

	for (k = 0; k < 16; k++)
		touch(&self->h, 512 + k * 30, 2, 0, 2);
	self->pages = 511;
	EXPECT_EQ(0, advise(self, 1));
	EXPECT_EQ(511, self->pages);
	self->pages = 512;
	ASSERT_EQ(1, advise(self, 1));
	EXPECT_EQ(0, self->pages);
}

TEST_F(policy, advice_has_room_for_max_only)
{
	u64 k;

	for (k = 0; k < 100; k++)
		touch(&self->h, k * 512, 1, 0, 2);
	EXPECT_EQ(5, nm_policy_advise(&self->p, &self->h, 1, self->advice, 5,
				      &self->pages));
}

static void shares(FIXTURE_DATA(policy) *self, u32 local, u32 remote)
{
	while (local--)
		nm_gate_sample(&self->g, NULL, NULL, 0, 0, 1);
	while (remote--)
		nm_gate_sample(&self->g, NULL, NULL, 0, 1, 1);
}

TEST_F(policy, gate_opens_below_80_and_shuts_at_99)
{
	EXPECT_FALSE(nm_gate_window(&self->p, &self->g, 1));
	EXPECT_EQ(-1, self->g.share);
	shares(self, 80, 20);
	EXPECT_FALSE(nm_gate_window(&self->p, &self->g, 2));
	EXPECT_EQ(800, self->g.share);
	shares(self, 79, 21);
	EXPECT_TRUE(nm_gate_window(&self->p, &self->g, 3));
	/* that much can be chance */
	shares(self, 100, 0);
	EXPECT_TRUE(nm_gate_window(&self->p, &self->g, 4));
	shares(self, 980, 20);
	EXPECT_TRUE(nm_gate_window(&self->p, &self->g, 4));
	shares(self, 990, 10);
	EXPECT_TRUE(nm_gate_window(&self->p, &self->g, 5));
	shares(self, 2970, 30);
	EXPECT_FALSE(nm_gate_window(&self->p, &self->g, 5));
	shares(self, 85, 15);
	EXPECT_FALSE(nm_gate_window(&self->p, &self->g, 6));
}

TEST_F(policy, share_needs_samples)
{
	shares(self, 0, NM_SHARE_SAMPLES - 1);
	EXPECT_FALSE(nm_gate_window(&self->p, &self->g, 1));
	shares(self, 0, 1);
	EXPECT_TRUE(nm_gate_window(&self->p, &self->g, 2));
}

/* Moves that do not help three times in a row bring a pause that doubles. */
TEST_F(policy, no_effect_backs_off)
{
	struct nm_hot_entry *e = calloc(1, sizeof(*e) + 8);
	u64 now = 1000;
	u32 k, round;

	e->moved = 1;
	self->g.acting = true;
	for (round = 0; round < 2; round++) {
		for (k = 0; k < 3 * NM_EFFECT_SAMPLES; k++) {
			nm_gate_sample(&self->g, e, NULL, 0, 1, 10);
			if (k % NM_EFFECT_SAMPLES == NM_EFFECT_SAMPLES - 1)
				nm_gate_window(&self->p, &self->g, now);
		}
		EXPECT_FALSE(nm_gate_window(&self->p, &self->g, now + 1));
		EXPECT_EQ(now + (5000u << round), self->g.quiet_until);
		now = self->g.quiet_until;
		EXPECT_TRUE(nm_gate_window(&self->p, &self->g, now));
	}
	for (k = 0; k < NM_EFFECT_SAMPLES; k++)
		nm_gate_sample(&self->g, e, NULL, 1, 1, 10);
	nm_gate_window(&self->p, &self->g, now);
	EXPECT_EQ(0, self->g.backoff_ms);
	free(e);
}

/* A page that was ordered a moment ago may not have moved yet. */
TEST_F(policy, effect_ignores_fresh_moves)
{
	struct nm_hot_entry *e = calloc(1, sizeof(*e) + 8);

	e->moved = 8;
	nm_gate_sample(&self->g, e, NULL, 0, 1, 10);
	EXPECT_EQ(0, self->g.after_remote);
	nm_gate_sample(&self->g, e, NULL, 0, 1, 11);
	EXPECT_EQ(1, self->g.after_remote);
	free(e);
}

TEST_F(policy, bucket_gives_its_rate_and_never_less_than_a_block)
{
	struct nm_bucket b = { 0 };
	u64 t, given = 0;

	self->p.rate_mib = 1;		/* 256 pages a second */
	for (t = 10; t <= 20000; t += 10) {
		nm_bucket_fill(&self->p, &b, t);
		EXPECT_LE(b.tokens, 512);
		if (b.tokens == 512) {
			given += 512;
			b.tokens = 0;
		}
	}
	EXPECT_LE(4096, given);
	EXPECT_LE(given, 5120);
	self->p.rate_mib = 1024;
	b = (struct nm_bucket){ 0 };
	nm_bucket_fill(&self->p, &b, 5000);
	EXPECT_EQ(131072, b.tokens);
	nm_bucket_init(&self->p, &b, 6000);
	EXPECT_EQ(131072, b.tokens);
	b.tokens = 0;
	nm_bucket_fill(&self->p, &b, 6100);
	EXPECT_EQ(26214, b.tokens);
}

/* However often it is filled, no page is given too many or forgotten. */
TEST_F(policy, bucket_gives_exactly_its_rate)
{
	struct nm_bucket b;
	u64 step, t = 0;

	self->p.rate_mib = 1;
	for (step = 1; step < 60; step++) {
		b = (struct nm_bucket){ 0 };
		for (t = step; t < 1900; t += step)
			nm_bucket_fill(&self->p, &b, t);
		ASSERT_EQ(256 * (t - step) / 1000, b.tokens);
	}
}

TEST_F(policy, period_follows_its_cost)
{
	u32 period = 250000;

	/* 10 % of the time: up at once */
	period = nm_policy_period(&self->p, period, 1000000000, 100000000);
	EXPECT_LE(800000, period);
	/* nothing: down slowly, to the shortest and not below */
	EXPECT_LT(500000, nm_policy_period(&self->p, period, 1000000000, 0));
	for (int k = 0; k < 50; k++)
		period = nm_policy_period(&self->p, period, 1000000000, 0);
	EXPECT_EQ(250000, period);
	/* no time ran: as it was */
	EXPECT_EQ(777777, nm_policy_period(&self->p, 777777, 0, 5));
	/* whatever it costs, it stays finite */
	for (int k = 0; k < 99; k++)
		period = nm_policy_period(&self->p, period, 1000, 1000000000);
	EXPECT_EQ(100000000, period);
}

TEST_HARNESS_MAIN
