// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_adaptive - adaptive=on: reads go both ways, and are right in both; off:
 * they are bound
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/cowdedup.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define PAGES	512ul
#define TAIL	1000
#define BYTES	(PAGES * PAGE + TAIL)
#define SEED	31
#define APART	64
#define FIRST	8		/* COWD_COST_FIRST: in turn */
#define EXPLORE	64		/* COWD_COST_EXPLORE: then one in so many */

FIXTURE(adaptive)
{
	struct place p;
	struct guest g;
	int image;
};

static void begin(FIXTURE_DATA(adaptive) *self, const char *option)
{
	place_open_with(&self->p, "tmpfs", "images", "mode=755", option);
	image_create(&self->p, "base", SEED, BYTES);
	guest_open(&self->g, &self->p, "g", 4 * PAGES);
	self->image = image_open(&self->p, "base", O_RDONLY);
	must(self->image >= 0, "image");
}

FIXTURE_SETUP(adaptive)
{
	begin(self, ",adaptive=on");
}

FIXTURE_TEARDOWN(adaptive)
{
	guest_close(&self->g);
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
}

/* Read @n pages of the image from @from on to page @to; is it right? */
static bool reads(FIXTURE_DATA(adaptive) *self, size_t to, size_t from,
		  size_t n)
{
	char *at = self->g.ram + to * PAGE;
	ssize_t bytes = n * PAGE;

	return pread(self->image, at, bytes, from * PAGE) == bytes &&
	       holds_image(at, SEED, from * PAGE, bytes);
}

/* --- the option --- */

static bool is_shown(const struct place *p)
{
	char cmd[200];

	snprintf(cmd, sizeof(cmd), "grep ' %s ' /proc/mounts | grep -q adaptive=on",
		 p->mnt);
	return !system(cmd);
}

TEST_F(adaptive, option)
{
	EXPECT_TRUE(is_shown(&self->p));
	EXPECT_EQ(0, mount("none", self->p.mnt, "cowdedup", MS_REMOUNT,
			   "adaptive=on"));
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", MS_REMOUNT,
			    "adaptive=off"));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", MS_REMOUNT,
			    "adaptive=2"));
}

static void many_small_reads(FIXTURE_DATA(adaptive) *self)
{
	size_t i;

	for (i = 0; i < 4 * PAGES; i++)
		must(reads(self, i * 7 % PAGES, i % PAGES, 1), "a read");
}

TEST(off)
{
	static const char *const options[] = { "", ",adaptive=off" };
	FIXTURE_DATA(adaptive) self[1];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		begin(self, options[i]);
		EXPECT_FALSE(is_shown(&self->p));
		many_small_reads(self);
		EXPECT_EQ(4 * PAGES, counter(&self->p, "pages_bound"));
		EXPECT_EQ(0, counter(&self->p, "copied_adaptive"));
		guest_close(&self->g);
		close(self->image);
		EXPECT_TRUE(place_close(&self->p));
	}
}

/* --- the choice --- */

TEST_F(adaptive, both_ways)
{
	uint64_t copied, turns = 4 * PAGES / EXPLORE;

	many_small_reads(self);
	copied = counter(&self->p, "copied_adaptive") / PAGE;
	TH_LOG("%lu of %lu pages were copied", copied, 4 * PAGES);
	/* new memory and used memory: two kinds of reads */
	EXPECT_GE(copied, turns - 2);
	EXPECT_LE(copied, 4 * PAGES - turns + 2);
	EXPECT_EQ(4 * PAGES - copied, counter(&self->p, "pages_bound"));
}

/*
 * Half of the first reads of each kind are copied, whatever it costs.  A fault
 * maps what is around it, so they are apart.
 */
TEST_F(adaptive, kinds)
{
	static const size_t sizes[] = { 1, 2, 7, 8, 31, 32, 32 };
	static const unsigned int kind[] = { 0, 1, 1, 2, 2, 3, 3 };
	uint64_t turns[4] = { 0 }, before, copied;
	size_t i, k, used;

	for (used = 0; used < 2; used++) {
		memset(turns, 0, sizeof(turns));
		for (k = 0; k < 7; k++) {
			before = counter(&self->p, "copied_adaptive");
			for (i = 0; i < FIRST / 2; i++)
				EXPECT_TRUE(reads(self, (k * FIRST / 2 + i) *
						  APART, 0, sizes[k]));
			turns[kind[k]] += FIRST / 2;
			copied = counter(&self->p, "copied_adaptive") - before;
			EXPECT_EQ(FIRST / 4 * sizes[k] * PAGE, copied);
		}
		for (k = 0; k < 4; k++)
			ASSERT_LE(turns[k], FIRST);
	}
}

/* The first read is bound, the second copied: without a master, or from one. */
TEST_F(adaptive, masters)
{
	EXPECT_TRUE(reads(self, 0, 0, 1));
	EXPECT_EQ(1, counter(&self->p, "masters"));
	EXPECT_TRUE(reads(self, 1, 1, 1));
	EXPECT_EQ(PAGE, counter(&self->p, "copied_adaptive"));
	EXPECT_EQ(1, counter(&self->p, "masters"));
	EXPECT_TRUE(reads(self, 2, 2, 1));
	EXPECT_TRUE(reads(self, 3, 0, 1));
	EXPECT_EQ(2 * PAGE, counter(&self->p, "copied_adaptive"));
	EXPECT_EQ(2, counter(&self->p, "masters"));
	EXPECT_EQ(2, counter(&self->p, "pages_sharing"));
}

/* What is tried out is not a whole large read. */
TEST_F(adaptive, large)
{
	EXPECT_TRUE(reads(self, 0, 0, 256));
	EXPECT_EQ(256, counter(&self->p, "pages_bound"));
	EXPECT_TRUE(reads(self, 256, 0, 256));
	EXPECT_EQ(32 * PAGE, counter(&self->p, "copied_adaptive"));
	EXPECT_EQ(512 - 32, counter(&self->p, "pages_bound"));
}

/* Whoever asks for a bind gets it. */
TEST_F(adaptive, bind)
{
	struct cowdedup_piece piece = { 0, 0, PAGE };
	struct cowdedup_bind a = {
		.size = sizeof(a), .image_fd = self->image, .count = 1,
		.pieces = (uintptr_t)&piece,
	};
	int dev = open("/dev/cowdedup", O_RDWR | O_CLOEXEC);
	size_t i;

	ASSERT_GE(dev, 0);
	for (i = 0; i < 2 * EXPLORE; i++) {
		piece.addr = (uintptr_t)self->g.ram + i * PAGE;
		piece.offset = i * PAGE;
		ASSERT_EQ(0, ioctl(dev, COWDEDUP_BIND, &a));
		ASSERT_EQ(PAGE, a.bytes);
	}
	EXPECT_EQ(2 * EXPLORE, counter(&self->p, "pages_bound"));
	EXPECT_EQ(0, counter(&self->p, "copied_adaptive"));
	close(dev);
}

/* What is read into memory that cannot be written to is an error as ever. */
TEST_F(adaptive, behind_the_end)
{
	size_t i;

	ASSERT_EQ(0, ftruncate(self->g.fd, 4 * PAGE));
	for (i = 0; i < 2 * FIRST; i++) {
		EXPECT_EQ(4 * PAGE, pread(self->image, self->g.ram, 6 * PAGE,
					  0));
		EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 4 * PAGE));
		EXPECT_EQ(-1, pread(self->image, self->g.ram + 4 * PAGE, PAGE,
				    0));
		EXPECT_EQ(EFAULT, errno);
	}
}

/* --- what is read --- */

/* A reader with a guest of its own, or a part of one. */
struct reader {
	FIXTURE_DATA(adaptive) *self;
	struct guest *g;
	size_t first, pages;
	unsigned int seed, rounds, wrong;
};

static unsigned int any(struct reader *r, unsigned int below)
{
	return rand_r(&r->seed) % below;
}

/* One read, of any size to any place, in up to three parts. */
static bool read_any(struct reader *r)
{
	size_t sub = any(r, 4) ? 0 : any(r, 8) * 512, pos, want, done = 0;
	size_t pages = any(r, 3) ? 1 + any(r, 9) : 1 + any(r, r->pages - 2);
	char *at = r->g->ram + (r->first + any(r, r->pages - pages)) * PAGE;
	struct iovec v[3];
	unsigned int i;

	pos = any(r, PAGES) * PAGE + sub;
	want = pages * PAGE - (any(r, 4) ? 0 : any(r, 4000));
	if (any(r, 8))
		at += sub;
	if (at + want > r->g->ram + (r->first + r->pages) * PAGE)
		want -= sub;
	for (i = 0; i < 3; i++) {
		size_t part = i == 2 ? want - done :
				       any(r, want - done + 1) & ~4095ul;

		v[i] = (struct iovec){ at + done, part };
		done += part;
	}
	if (pos + want > BYTES)
		want = BYTES - pos;
	return preadv(r->self->image, v, 3, pos) == (ssize_t)want &&
	       holds_image(at, SEED, pos, want);
}

static void *read_rounds(void *arg)
{
	struct reader *r = arg;
	unsigned int i;

	for (i = 0; i < r->rounds && !r->wrong; i++) {
		/* the guest writes, too */
		if (!any(r, 3))
			memset(r->g->ram + (r->first + any(r, r->pages)) * PAGE,
			       any(r, 256), PAGE);
		if (!read_any(r))
			r->wrong++;
	}
	return NULL;
}

TEST_F_TIMEOUT(adaptive, everything_is_right, 120)
{
	struct reader r = { self, &self->g, 0, PAGES, 1, 1500, 0 };

	read_rounds(&r);
	EXPECT_EQ(0, r.wrong);
	TH_LOG("%lu pages bound, %lu bytes copied",
	       counter(&self->p, "pages_bound"),
	       counter(&self->p, "copied_adaptive"));
	EXPECT_NE(0, counter(&self->p, "pages_bound"));
	EXPECT_NE(0, counter(&self->p, "copied_adaptive"));
	EXPECT_TRUE(place_adds_up(&self->p));
}

/* Four readers, of one guest and of another one, and one set of costs. */
TEST_F_TIMEOUT(adaptive, readers, 120)
{
	struct guest other;
	struct reader r[4];
	pthread_t thread[4];
	unsigned int i;

	guest_open(&other, &self->p, "other", 2 * PAGES);
	for (i = 0; i < 4; i++) {
		r[i] = (struct reader){ self, i < 2 ? &self->g : &other,
					i % 2 * PAGES, PAGES, i + 2, 300, 0 };
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, read_rounds,
					    &r[i]));
	}
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		EXPECT_EQ(0, r[i].wrong);
	}
	EXPECT_NE(0, counter(&self->p, "copied_adaptive"));
	guest_close(&other);
	EXPECT_TRUE(place_adds_up(&self->p));
}

TEST_HARNESS_MAIN
