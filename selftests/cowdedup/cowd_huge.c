// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_huge - khugepaged goes over the memory of a guest: it collapses nothing
 * that is bound, and changes no byte
 *
 * Beside the guest is ordinary memory, in the same process and of the same
 * kind to khugepaged; that this is collapsed shows that it came by.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define THP	"/sys/kernel/mm/transparent_hugepage/"
#define DAEMON	THP "khugepaged/"
#define HUGE	512ul		/* pages */
#define PAGES	(2 * HUGE)
#define SEED	41

/* Settings of the machine, to be put back. */
static const struct setting {
	const char *path, *value;
} settings[] = {
	{ DAEMON "scan_sleep_millisecs", "0" },
	{ DAEMON "alloc_sleep_millisecs", "0" },
	{ DAEMON "pages_to_scan", "65536" },
	{ DAEMON "max_ptes_none", "511" },
	{ DAEMON "max_ptes_shared", "511" },
};

#define SETTINGS	(sizeof(settings) / sizeof(*settings))

FIXTURE(huge)
{
	struct place p;
	struct guest g;
	int image;
	char *plain;		/* PAGES of ordinary memory */
	char was[SETTINGS][32];
};

/* Guests' memory may be huge where its file and it are aligned alike. */
static void guest_at_boundary(FIXTURE_DATA(huge) *self)
{
	struct guest *g = &self->g;
	size_t len = PAGES * PAGE, all = len + HUGE * PAGE;
	uintptr_t at;

	guest_open(g, &self->p, "g", PAGES);
	munmap(g->ram, len);
	at = (uintptr_t)mmap(NULL, all, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at = (at + HUGE * PAGE - 1) & -(HUGE * PAGE);
	g->ram = mmap((void *)at, len, PROT_READ | PROT_WRITE,
		      (shared_mode() ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED,
		      g->fd, 0);
	must(g->ram == (void *)at, "mmap");
}

/* Small pages, though they could be huge. */
static void plain_open(FIXTURE_DATA(huge) *self)
{
	size_t len = PAGES * PAGE;

	self->plain = mmap(NULL, len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(self->plain != MAP_FAILED, "mmap");
	madvise(self->plain, len, MADV_NOHUGEPAGE);
	memset(self->plain, 3, len);
	madvise(self->plain, len, MADV_HUGEPAGE);
}

static bool has_huge(void)
{
	return !access(DAEMON, F_OK);
}

#define NEEDS_HUGE()							\
	do {								\
		if (!has_huge())					\
			SKIP(return, "no transparent huge pages");	\
	} while (0)

FIXTURE_SETUP(huge)
{
	size_t i;

	for (i = 0; i < SETTINGS && has_huge(); i++) {
		snprintf(self->was[i], sizeof(self->was[i]), "%lu",
			 read_number(settings[i].path));
		ASSERT_EQ(0, write_text(settings[i].path, settings[i].value));
	}
	place_open(&self->p);
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	guest_at_boundary(self);
	plain_open(self);
}

FIXTURE_TEARDOWN(huge)
{
	size_t i;

	munmap(self->plain, PAGES * PAGE);
	guest_close(&self->g);
	close(self->image);
	for (i = 0; i < SETTINGS && has_huge(); i++)
		EXPECT_EQ(0, write_text(settings[i].path, self->was[i]));
	EXPECT_TRUE(place_close(&self->p));
}

/* KiB of huge pages that a mapping of this process has, of each kind. */
static uint64_t huge_at(const void *mem)
{
	char line[256], begin[32];
	bool there = false;
	uint64_t sum = 0, v;
	FILE *f = fopen("/proc/self/smaps", "r");

	must(f, "smaps");
	snprintf(begin, sizeof(begin), "%lx-", (uintptr_t)mem);
	while (fgets(line, sizeof(line), f)) {
		if (strchr("0123456789abcdef", line[0]))
			there = !strncmp(line, begin, strlen(begin));
		else if (there && (sscanf(line, "AnonHugePages: %lu", &v) == 1 ||
				   sscanf(line, "ShmemPmdMapped: %lu", &v) == 1 ||
				   sscanf(line, "FilePmdMapped: %lu", &v) == 1))
			sum += v;
	}
	fclose(f);
	return sum;
}

/* It has gone over all memory twice, and collapsed what it can. */
static bool came_by(FIXTURE_DATA(huge) *self)
{
	uint64_t scans = read_number(DAEMON "full_scans");
	int tries = 200;

	while (tries-- && (read_number(DAEMON "full_scans") < scans + 3 ||
			   huge_at(self->plain) < HUGE * 4))
		usleep(50000);
	printf("# %lu scans, %lu KiB are huge\n",
	       read_number(DAEMON "full_scans") - scans,
	       huge_at(self->plain));
	return tries > 0;
}

TEST_F(huge, khugepaged)
{
	char *ram = self->g.ram;
	size_t at = PAGES / 2;

	NEEDS_HUGE();
	/* all that is bound, then all but some that were written to */
	ASSERT_EQ(PAGES * PAGE, pread(self->image, ram, PAGES * PAGE, 0));
	ASSERT_EQ(0, madvise(ram, PAGES * PAGE, MADV_HUGEPAGE));
	memset(ram + at * PAGE, 9, 32 * PAGE);
	EXPECT_TRUE(came_by(self));
	EXPECT_TRUE(holds_byte(self->plain, 3, PAGES * PAGE));
	EXPECT_TRUE(holds_image(ram, SEED, 0, at * PAGE));
	EXPECT_TRUE(holds_byte(ram + at * PAGE, 9, 32 * PAGE));
	EXPECT_TRUE(holds_image(ram + (at + 32) * PAGE, SEED,
				(at + 32) * PAGE, (at - 32) * PAGE));
	EXPECT_EQ(0, huge_at(ram));
	/* shared, what was written to is not bound */
	EXPECT_EQ(PAGES - 32 * shared_mode(),
		  counter(&self->p, "pages_sharing"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
}

/* The guest's own memory, which is bound while khugepaged goes over it. */
TEST_F(huge, bound_meanwhile)
{
	char *ram = self->g.ram;
	int i;

	NEEDS_HUGE();
	memset(ram, 9, PAGES * PAGE);
	ASSERT_EQ(0, madvise(ram, PAGES * PAGE, MADV_HUGEPAGE));
	EXPECT_TRUE(came_by(self));
	for (i = 0; i < 200; i++) {
		size_t to = i * 37 % (PAGES - 16);

		ASSERT_EQ(16 * PAGE, pread(self->image, ram + to * PAGE,
					   16 * PAGE, to * PAGE));
		ASSERT_TRUE(holds_image(ram + to * PAGE, SEED, to * PAGE,
					16 * PAGE));
		memset(ram + to * PAGE, i, PAGE);
	}
	ASSERT_EQ(PAGES * PAGE, pread(self->image, ram, PAGES * PAGE, 0));
	EXPECT_TRUE(came_by(self));
	EXPECT_TRUE(holds_image(ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(0, huge_at(ram));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
}

TEST_HARNESS_MAIN
