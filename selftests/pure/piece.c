// SPDX-License-Identifier: GPL-2.0-only
/*
 * piece.c - how cowdedup cuts a read: nothing is lost, nothing is done twice,
 * and what is bound consists of whole pages
 */
#include "kselftest_harness.h"

#include "../../mod/cowdedup/piece.h"

#define P	4096ull

static struct cowd_piece next(u64 pos, u64 addr, u64 room, u64 left)
{
	return cowd_piece_next(pos, addr, room, left, P);
}

TEST(whole_pages)
{
	struct cowd_piece p = next(2 * P, 7 * P, 3 * P, 100 * P);

	EXPECT_EQ(3 * P, p.len);
	EXPECT_TRUE(p.whole);
	p = next(0, 0, P, P);
	EXPECT_EQ(P, p.len);
	EXPECT_TRUE(p.whole);
}

TEST(head)
{
	struct cowd_piece p = next(2 * P + 512, P + 512, 3 * P, 100 * P);

	EXPECT_EQ(P - 512, p.len);
	EXPECT_FALSE(p.whole);
	/* shorter than up to the next page */
	p = next(512, 512, 512, 100 * P);
	EXPECT_EQ(512, p.len);
	EXPECT_FALSE(p.whole);
}

TEST(tail)
{
	struct cowd_piece p = next(P, P, 2 * P + 100, 100 * P);

	EXPECT_EQ(2 * P, p.len);
	EXPECT_TRUE(p.whole);
	p = next(3 * P, 3 * P, 100, 100 * P);
	EXPECT_EQ(100, p.len);
	EXPECT_FALSE(p.whole);
}

TEST(end_of_image)
{
	struct cowd_piece p = next(P, P, 10 * P, 2 * P + 1);

	EXPECT_EQ(2 * P, p.len);
	EXPECT_TRUE(p.whole);
	p = next(3 * P, 3 * P, 10 * P, 1);
	EXPECT_EQ(1, p.len);
	EXPECT_FALSE(p.whole);
}

TEST(never_aligned)
{
	struct cowd_piece p = next(P, P + 512, 10 * P, 100 * P);

	EXPECT_EQ(10 * P, p.len);
	EXPECT_FALSE(p.whole);
	p = next(P + 1, P, 10 * P, 5);
	EXPECT_EQ(5, p.len);
	EXPECT_FALSE(p.whole);
}

/* Every small read, piece by piece: it ends, and adds up. */
TEST(all_of_them)
{
	const u64 size = 64, page = 16;
	u64 pos, addr, room;

	for (pos = 0; pos < size; pos++)
	for (addr = 0; addr < page; addr++)
	for (room = 1; room <= size; room++) {
		u64 at = 0, want = room < size - pos ? room : size - pos;
		u64 bound = 0, could = 0;

		while (at < want) {
			struct cowd_piece p = cowd_piece_next(pos + at,
							      addr + at,
							      room - at,
							      size - pos - at,
							      page);

			ASSERT_GT(p.len, 0);
			ASSERT_LE(at + p.len, want);
			if (p.whole) {
				ASSERT_EQ(0, (pos + at) % page);
				ASSERT_EQ(0, (addr + at) % page);
				ASSERT_EQ(0, p.len % page);
				bound += p.len;
			}
			at += p.len;
		}
		ASSERT_EQ(want, at);
		/* no page that could be bound is copied */
		if (pos % page == addr % page) {
			u64 first = (pos + page - 1) / page * page;
			u64 end = (pos + want) / page * page;

			could = end > first ? end - first : 0;
		}
		ASSERT_EQ(could, bound);
	}
}

TEST_HARNESS_MAIN
