// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring - the sample ring: order, fullness, wrap, and a consumer elsewhere
 */
#include <pthread.h>
#include <stdlib.h>

#include "kselftest_harness.h"
#include "ring.h"

static struct nm_ring *new_ring(u32 slots)
{
	struct nm_ring *r = calloc(1, nm_ring_size(slots));

	nm_ring_init(r, slots);
	return r;
}

TEST(empty_gives_nothing)
{
	struct nm_ring *r = new_ring(8);
	struct nm_raw raw;

	EXPECT_FALSE(nm_ring_get(r, &raw));
	EXPECT_EQ(0, nm_ring_used(r));
	free(r);
}

TEST(full_refuses_and_keeps_what_it_has)
{
	struct nm_ring *r = new_ring(8);
	struct nm_raw raw = { 0 };
	u64 i;

	for (i = 0; i < 8; i++) {
		raw.addr = i;
		EXPECT_TRUE(nm_ring_put(r, &raw));
	}
	raw.addr = 99;
	EXPECT_FALSE(nm_ring_put(r, &raw));
	EXPECT_EQ(8, nm_ring_used(r));
	for (i = 0; i < 8; i++) {
		ASSERT_TRUE(nm_ring_get(r, &raw));
		EXPECT_EQ(i, raw.addr);
	}
	EXPECT_FALSE(nm_ring_get(r, &raw));
	free(r);
}

/* The numbers are 32 bits wide and wrap after four thousand million samples. */
TEST(numbers_wrap)
{
	struct nm_ring *r = new_ring(4);
	struct nm_raw raw = { 0 };
	u64 i, n = 0;
	u32 k;

	r->head = r->tail = U32_MAX - 5;
	for (k = 0; k < 4; k++)
		r->slot[k].seq = r->tail;
	for (i = 0; i < 32; i++) {
		raw.addr = i;
		ASSERT_TRUE(nm_ring_put(r, &raw));
		if (i & 1)
			continue;
		ASSERT_TRUE(nm_ring_get(r, &raw));
		EXPECT_EQ(n, raw.addr);
		n++;
		if (nm_ring_used(r) == 3) {
			ASSERT_TRUE(nm_ring_get(r, &raw));
			EXPECT_EQ(n, raw.addr);
			n++;
		}
	}
	free(r);
}

/* A producer that was interrupted in the middle holds the consumer back. */
TEST(unpublished_slot_is_not_read)
{
	struct nm_ring *r = new_ring(8);
	struct nm_raw raw = { .addr = 7 };

	r->head++;	/* reserved by a context that was interrupted */
	ASSERT_TRUE(nm_ring_put(r, &raw));
	EXPECT_FALSE(nm_ring_get(r, &raw));
	r->slot[0].raw.addr = 6;
	smp_store_release(&r->slot[0].seq, 1);
	ASSERT_TRUE(nm_ring_get(r, &raw));
	EXPECT_EQ(6, raw.addr);
	ASSERT_TRUE(nm_ring_get(r, &raw));
	EXPECT_EQ(7, raw.addr);
	free(r);
}

#define MANY	2000000

static void *produce(void *arg)
{
	struct nm_ring *r = arg;
	struct nm_raw raw = { 0 };

	while (raw.addr < MANY) {
		raw.mm = ~raw.addr;
		raw.pgoff = raw.addr * 3;
		if (nm_ring_put(r, &raw))
			raw.addr++;
	}
	return NULL;
}

TEST(two_threads_lose_and_tear_nothing)
{
	struct nm_ring *r = new_ring(64);
	struct nm_raw raw;
	pthread_t p;
	u64 next = 0;

	ASSERT_EQ(0, pthread_create(&p, NULL, produce, r));
	while (next < MANY) {
		if (!nm_ring_get(r, &raw))
			continue;
		if (raw.addr != next || raw.mm != ~next ||
		    raw.pgoff != next * 3)
			break;
		next++;
	}
	EXPECT_EQ(MANY, next);
	if (next != MANY)
		_exit(1);
	pthread_join(p, NULL);
	free(r);
}

TEST_HARNESS_MAIN
