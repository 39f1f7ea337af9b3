// SPDX-License-Identifier: GPL-2.0-only
/*
 * hot - the hot-page table: keys, decay, eviction, the list of the window
 */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "hot.h"

FIXTURE(hot)
{
	struct nm_hot h;
	void *mem;
	struct nm_hot_entry *page, *block;
};

FIXTURE_SETUP(hot)
{
	self->mem = calloc(1, nm_hot_size(64, 3));
	nm_hot_init(&self->h, self->mem, 64, 3);
}

FIXTURE_TEARDOWN(hot)
{
	free(self->mem);
}

static struct nm_hot_sample at(u64 obj, u64 index, s16 node, s16 home)
{
	return (struct nm_hot_sample){
		.obj = obj, .index = index, .addr = index << 12,
		.space = (u32)obj, .node = node, .home = home,
	};
}

static u32 listed(const struct nm_hot *h)
{
	struct nm_hot_entry *e;
	u32 n, found = 0;

	nm_hot_for_each_touched(h, e, n)
		found++;
	return found;
}

/* Every entry that is in use can be found, and the numbers agree. */
static bool sound(const struct nm_hot *h)
{
	u32 n, used = 0, free_slots = 0;

	for (n = 0; n < h->capacity; n++) {
		struct nm_hot_entry *e = nm_hot_slot(h, n);

		if (!e->in_use)
			continue;
		used++;
		if (nm_hot_find(h, e->obj, e->index, e->order) != e)
			return false;
	}
	for (n = h->free; n != NM_HOT_NONE; n = nm_hot_slot(h, n)->next)
		free_slots++;
	return used == h->used && used + free_slots == h->capacity;
}

TEST_F(hot, counts_a_page_and_its_block)
{
	struct nm_hot_sample s = at(1, 1000, 2, 0);

	s.write = true;
	nm_hot_count(&self->h, &s, &self->page, &self->block);
	ASSERT_NE(NULL, self->block);
	EXPECT_EQ(1000, self->page->index);
	EXPECT_EQ(1000 >> 9, self->block->index);
	EXPECT_EQ(1, self->page->count[2]);
	EXPECT_EQ(1, self->page->remote);
	EXPECT_EQ(1, self->page->writes);
	EXPECT_EQ(0, self->page->home);
	EXPECT_EQ(1000 & 511, self->block->sub);
	EXPECT_EQ(2, self->h.used);
	EXPECT_EQ(2, listed(&self->h));
}

/* A buffer that many processes touch is one entry when keyed by its object. */
TEST_F(hot, shared_page_is_one_entry)
{
	struct nm_hot_sample s;
	u32 k;

	for (k = 0; k < 60; k++) {
		s = at(0xffff888000001000, 5, 1, 0);
		s.space = k;
		s.shared = true;
		nm_hot_count(&self->h, &s, &self->page, &self->block);
	}
	EXPECT_EQ(2, self->h.used);
	EXPECT_EQ(60, self->page->count[1]);
	EXPECT_TRUE(self->page->flags & NM_HOT_SHARED);
}

TEST_F(hot, same_index_of_two_objects_differs)
{
	struct nm_hot_sample a = at(1, 7, 0, 1), b = at(2, 7, 0, 1);

	nm_hot_count(&self->h, &a, &self->page, &self->block);
	nm_hot_count(&self->h, &b, &self->page, &self->block);
	EXPECT_EQ(4, self->h.used);
	EXPECT_EQ(1, nm_hot_find(&self->h, 1, 7, 0)->count[0]);
	EXPECT_EQ(1, nm_hot_find(&self->h, 2, 7, 0)->count[0]);
	EXPECT_EQ(NULL, nm_hot_find(&self->h, 3, 7, 0));
}

TEST_F(hot, decays_by_half_a_period)
{
	struct nm_hot_sample s = at(1, 7, 1, 0);
	u32 k;

	for (k = 0; k < 40; k++)
		nm_hot_count(&self->h, &s, &self->page, &self->block);
	self->h.epoch = 1;
	EXPECT_EQ(20, nm_hot_heat(&self->h, self->page));
	EXPECT_EQ(20, self->page->remote);
	self->h.epoch = 4;
	EXPECT_EQ(2, nm_hot_heat(&self->h, self->page));
	self->h.epoch = 1000;
	EXPECT_EQ(0, nm_hot_heat(&self->h, self->page));
}

TEST_F(hot, counts_are_bounded)
{
	struct nm_hot_sample s = at(1, 7, 1, 0);
	u32 k;

	for (k = 0; k < 70000; k++)
		nm_hot_count(&self->h, &s, &self->page, &self->block);
	EXPECT_LE(self->page->count[1], NM_HOT_FULL);
	EXPECT_LE(NM_HOT_FULL / 2, self->page->count[1]);
	EXPECT_EQ(self->page->count[1], self->page->remote);
}

/* A page with a long past on one node follows its program to another. */
TEST_F(hot, the_past_does_not_outvote_the_present)
{
	struct nm_hot_sample before = at(1, 7, 0, 0), now = at(1, 7, 1, 0);
	u32 k;

	for (k = 0; k < 100000; k++)
		nm_hot_count(&self->h, &before, &self->page, &self->block);
	for (k = 0; k < 2 * NM_HOT_FULL; k++)
		nm_hot_count(&self->h, &now, &self->page, &self->block);
	EXPECT_LT(2 * self->page->count[0], self->page->count[1]);
}

/* A slow sampler keeps what it learned until it has learned more. */
TEST_F(hot, decay_waits_for_samples)
{
	struct nm_hot_sample s = at(1, 7, 1, 0);
	u32 k;

	nm_hot_age(&self->h, 100000);
	EXPECT_EQ(1, self->h.epoch);
	nm_hot_age(&self->h, 100000 + NM_AGE_MAX_MS - 1);
	EXPECT_EQ(1, self->h.epoch);
	for (k = 0; k < NM_AGE_SAMPLES; k++)
		nm_hot_count(&self->h, &s, &self->page, &self->block);
	nm_hot_age(&self->h, 100000 + NM_AGE_MIN_MS - 1);
	EXPECT_EQ(1, self->h.epoch);
	nm_hot_age(&self->h, 100000 + NM_AGE_MIN_MS);
	EXPECT_EQ(2, self->h.epoch);
	nm_hot_age(&self->h, 100000 + NM_AGE_MIN_MS + NM_AGE_MAX_MS);
	EXPECT_EQ(3, self->h.epoch);
}

TEST_F(hot, full_table_evicts_and_stays_sound)
{
	struct nm_hot_sample s;
	u64 k;

	for (k = 0; k < 5000; k++) {
		s = at(1 + k % 3, k * 700, (s16)(k % 3), 0);
		nm_hot_count(&self->h, &s, &self->page, &self->block);
		ASSERT_LE(self->h.used, 64);
		ASSERT_TRUE(self->page->in_use);
		if (k % 10 == 0)
			nm_hot_window(&self->h);
	}
	EXPECT_TRUE(sound(&self->h));
	EXPECT_LT(0, self->h.evicted);
}

/* What is accessed in every period outlives a stream of pages seen once. */
TEST_F(hot, hot_entry_survives_a_cold_stream)
{
	struct nm_hot_sample warm = at(9, 3, 1, 0), cold;
	u64 k;

	for (k = 0; k < 4000; k++) {
		cold = at(1, k * 512, 0, 1);
		nm_hot_count(&self->h, &cold, &self->page, &self->block);
		nm_hot_count(&self->h, &warm, &self->page, &self->block);
		nm_hot_count(&self->h, &warm, &self->page, &self->block);
		if (k % 8 == 0)
			nm_hot_window(&self->h);
		if (k % 64 == 0)
			self->h.epoch = (u32)k / 64;
	}
	ASSERT_NE(NULL, nm_hot_find(&self->h, 9, 3, 0));
	EXPECT_LT(16, nm_hot_find(&self->h, 9, 3, 0)->count[1]);
}

TEST_F(hot, window_empties_the_list_and_keeps_the_entries)
{
	struct nm_hot_sample s = at(1, 7, 1, 0);

	nm_hot_count(&self->h, &s, &self->page, &self->block);
	nm_hot_window(&self->h);
	EXPECT_EQ(0, listed(&self->h));
	EXPECT_EQ(2, self->h.used);
	nm_hot_count(&self->h, &s, &self->page, &self->block);
	EXPECT_EQ(2, listed(&self->h));
	EXPECT_EQ(2, self->page->count[1]);
}

TEST_F(hot, drop_takes_it_out_of_chain_and_list)
{
	struct nm_hot_sample a = at(1, 7, 1, 0), b = at(1, 8, 1, 0);

	nm_hot_count(&self->h, &a, &self->page, &self->block);
	nm_hot_count(&self->h, &b, &self->page, &self->block);
	nm_hot_drop(&self->h, nm_hot_find(&self->h, 1, 7, 0));
	EXPECT_EQ(NULL, nm_hot_find(&self->h, 1, 7, 0));
	EXPECT_NE(NULL, nm_hot_find(&self->h, 1, 8, 0));
	EXPECT_EQ(2, listed(&self->h));
	EXPECT_TRUE(sound(&self->h));
}

TEST_HARNESS_MAIN
