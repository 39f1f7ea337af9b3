// SPDX-License-Identifier: GPL-2.0-only
/*
 * cost.c - how cowdedup chooses between binding and copying, with costs that
 * are made up
 */
#include <limits.h>

#include "kselftest_harness.h"

#include "../../mod/cowdedup/cost.h"

/* What a machine takes for a page, by way. */
struct machine {
	u64 ns[COWD_WAYS];
};

/* @n reads of @pages; how many were copied? */
static unsigned int play(struct cowd_cost *c, const struct machine *m,
			 unsigned int n, u64 pages)
{
	unsigned int copied = 0;

	while (n--) {
		enum cowd_way way = cowd_cost_choose(c);

		copied += way == COWD_WAY_COPY;
		cowd_cost_learn(c, way, m->ns[way] * pages, pages);
	}
	return copied;
}

static const struct machine bind_is_cheap = { { 300, 900 } };
static const struct machine copy_is_cheaper = { { 300, 100 } };
static const struct machine copy_is_cheap = { { 2000, 700 } };

/* --- kinds --- */

TEST(kinds)
{
	unsigned int used;

	for (used = 0; used < 2; used++) {
		unsigned int base = used * COWD_COST_SIZES;

		EXPECT_EQ(base, cowd_cost_kind(1, used));
		EXPECT_EQ(base + 1, cowd_cost_kind(2, used));
		EXPECT_EQ(base + 1, cowd_cost_kind(7, used));
		EXPECT_EQ(base + 2, cowd_cost_kind(8, used));
		EXPECT_EQ(base + 2, cowd_cost_kind(31, used));
		EXPECT_EQ(base + 3, cowd_cost_kind(32, used));
		EXPECT_EQ(base + 3, cowd_cost_kind(ULLONG_MAX, used));
	}
	EXPECT_EQ(COWD_COST_KINDS, cowd_cost_kind(32, true) + 1);
}

/* --- choosing --- */

TEST(both_ways_first)
{
	struct cowd_cost c = { 0 };

	EXPECT_EQ(COWD_COST_FIRST / 2,
		  play(&c, &bind_is_cheap, COWD_COST_FIRST, 1));
	EXPECT_NE(0, c.average[COWD_WAY_BIND]);
	EXPECT_NE(0, c.average[COWD_WAY_COPY]);
}

TEST(the_cheaper_one)
{
	struct cowd_cost c = { 0 };
	unsigned int n = COWD_COST_EXPLORE * 10;

	play(&c, &bind_is_cheap, COWD_COST_EXPLORE, 3);
	EXPECT_EQ(10, play(&c, &bind_is_cheap, n, 3));
	c = (struct cowd_cost){ 0 };
	play(&c, &copy_is_cheap, COWD_COST_EXPLORE, 3);
	EXPECT_EQ(n - 10, play(&c, &copy_is_cheap, n, 3));
}

/* Whoever cannot tell binds: that saves memory. */
TEST(in_doubt_bind)
{
	static const struct machine same = { { 500, 500 } };
	struct cowd_cost c = { 0 };
	unsigned int i, copied = 0;

	play(&c, &same, COWD_COST_EXPLORE, 1);
	EXPECT_EQ(10, play(&c, &same, COWD_COST_EXPLORE * 10, 1));
	/* nothing was ever measured, or one way only */
	c = (struct cowd_cost){ 0 };
	for (i = 0; i < COWD_COST_EXPLORE * 11; i++)
		copied += cowd_cost_choose(&c) == COWD_WAY_COPY;
	EXPECT_EQ(COWD_COST_FIRST / 2 + 10, copied);
	c = (struct cowd_cost){ .turns = COWD_COST_FIRST };
	cowd_cost_learn(&c, COWD_WAY_COPY, 1, 1);
	EXPECT_EQ(COWD_WAY_BIND, cowd_cost_choose(&c));
	c = (struct cowd_cost){ .turns = COWD_COST_FIRST };
	cowd_cost_learn(&c, COWD_WAY_BIND, 1000, 1);
	EXPECT_EQ(COWD_WAY_BIND, cowd_cost_choose(&c));
}

/* The way that was dear and is cheap now is found. */
TEST(follows)
{
	struct cowd_cost c = { 0 };
	unsigned int n = COWD_COST_EXPLORE * 50;

	play(&c, &bind_is_cheap, n, 1);
	play(&c, &copy_is_cheap, n, 1);
	EXPECT_EQ(n - 50, play(&c, &copy_is_cheap, n, 1));
	play(&c, &bind_is_cheap, n, 1);
	EXPECT_EQ(50, play(&c, &bind_is_cheap, n, 1));
	/* what is chosen stays as it is, and the other is cheaper now */
	play(&c, &copy_is_cheaper, n, 1);
	EXPECT_EQ(n - 50, play(&c, &copy_is_cheaper, n, 1));
}

/* When the turns come round, it goes on as before. */
TEST(turns_come_round)
{
	struct cowd_cost c = { 0 };

	play(&c, &copy_is_cheap, COWD_COST_EXPLORE, 1);
	c.turns = UINT_MAX - 9;
	EXPECT_GE(play(&c, &copy_is_cheap, COWD_COST_EXPLORE, 1),
		  COWD_COST_EXPLORE - 1);
	EXPECT_LT(c.turns, 2 * COWD_COST_EXPLORE);
}

/* --- learning --- */

TEST(average)
{
	struct cowd_cost c = { 0 };
	unsigned int i;

	/* the first one as it is, by page */
	cowd_cost_learn(&c, COWD_WAY_COPY, 3000, 3);
	EXPECT_EQ(1000 << COWD_COST_SHIFT, c.average[COWD_WAY_COPY]);
	EXPECT_EQ(0, c.average[COWD_WAY_BIND]);
	/* an eighth of the way, then all of it, up and down */
	cowd_cost_learn(&c, COWD_WAY_COPY, 1800, 1);
	EXPECT_EQ(1100 << COWD_COST_SHIFT, c.average[COWD_WAY_COPY]);
	for (i = 0; i < 100; i++)
		cowd_cost_learn(&c, COWD_WAY_COPY, 1800, 1);
	EXPECT_EQ(1800 << COWD_COST_SHIFT, c.average[COWD_WAY_COPY]);
	for (i = 0; i < 100; i++)
		cowd_cost_learn(&c, COWD_WAY_COPY, 600, 1);
	EXPECT_EQ(600 << COWD_COST_SHIFT, c.average[COWD_WAY_COPY]);
}

/* One that is far too long does not say much, nor for long. */
TEST(outliers)
{
	struct cowd_cost c = { 0 };

	cowd_cost_learn(&c, COWD_WAY_BIND, 800, 1);
	cowd_cost_learn(&c, COWD_WAY_BIND, 50000000, 1);
	EXPECT_EQ((800 + 300) << COWD_COST_SHIFT, c.average[COWD_WAY_BIND]);
	c = (struct cowd_cost){ 0 };
	cowd_cost_learn(&c, COWD_WAY_BIND, 50000000, 1);
	cowd_cost_learn(&c, COWD_WAY_BIND, 800, 1);
	EXPECT_LE(c.average[COWD_WAY_BIND], 4 * 800 << COWD_COST_SHIFT);
}

TEST(bounds)
{
	const u64 ns[] = { 0, 1, 1000, 1u << 30, 1ull << 60, ULLONG_MAX };
	const u64 pages[] = { 0, 1, 256, 1ull << 40, ULLONG_MAX };
	struct cowd_cost c = { 0 };
	unsigned int i, k, n;

	/* no page: no division, and nothing learnt */
	cowd_cost_learn(&c, COWD_WAY_BIND, 1000, 0);
	EXPECT_EQ(0, c.average[COWD_WAY_BIND]);
	for (n = 0; n < 3; n++)
		for (i = 0; i < 6; i++)
			for (k = 1; k < 5; k++) {
				cowd_cost_learn(&c, COWD_WAY_BIND, ns[i],
						pages[k]);
				ASSERT_GE(c.average[COWD_WAY_BIND], 1);
				ASSERT_LE(c.average[COWD_WAY_BIND],
					  COWD_COST_MAX);
			}
	for (i = 3; i < 6; i++) {
		c = (struct cowd_cost){ 0 };
		cowd_cost_learn(&c, COWD_WAY_BIND, ns[i], 1);
		EXPECT_EQ(COWD_COST_MAX, c.average[COWD_WAY_BIND]);
	}
	/* a clock that stands still is known to be fast */
	c = (struct cowd_cost){ 0 };
	cowd_cost_learn(&c, COWD_WAY_COPY, 0, 256);
	EXPECT_EQ(1, c.average[COWD_WAY_COPY]);
}

TEST_HARNESS_MAIN
