// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_offline - memory is taken out of the machine: not while masters lie in
 * it; what guests have written moves
 *
 * The kernel looks for what cannot be moved before it tells anybody that memory
 * is to go, so there is nothing that the module could do about that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define MEMORY	"/sys/devices/system/memory/"
/* so many that some lie where the kernel has nothing else */
#define PAGES	49152ul
#define DATA	1024ul		/* of these, with data; behind is a hole */
#define OWN	16ul		/* of these, that the guest writes to */
#define BLOCKS	4096
#define SEED	53

FIXTURE(offline)
{
	struct place p;
	struct guest g;
	int image;
	uint64_t block_pages;
	/* how many pages of the guest that are looked at are in each block */
	unsigned int pages[BLOCKS];
};

static void __attribute__((constructor)) look_first(void)
{
	needs(!getenv("NUMASHARE_GENTLE"), "it takes memory from the machine");
}

/* All is bound, but for a few pages that it has written to. */
FIXTURE_SETUP(offline)
{
	char line[128];

	place_open(&self->p);
	image_create(&self->p, "base", SEED, DATA * PAGE);
	snprintf(line, sizeof(line), "%s/base", self->p.images);
	ASSERT_EQ(0, truncate(line, PAGES * PAGE));
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	guest_open(&self->g, &self->p, "g", PAGES);
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	memset(self->g.ram, 7, OWN * PAGE);
	if (access(MEMORY "block_size_bytes", R_OK))
		return;
	/* in hexadecimal */
	run_for_line("cat " MEMORY "block_size_bytes", line, sizeof(line));
	self->block_pages = strtoull(line, NULL, 16) / PAGE;
}

FIXTURE_TEARDOWN(offline)
{
	guest_close(&self->g);
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
}

#define NEEDS_BLOCKS()							\
	do {								\
		if (!self->block_pages)					\
			SKIP(return, "no memory can be taken offline");	\
	} while (0)

/* As holds_byte(), but soon done. */
static bool is_all(const char *mem, int byte, size_t bytes)
{
	return mem[0] == byte && !memcmp(mem, mem + 1, bytes - 1);
}

static bool is_right(const struct guest *g)
{
	return holds_byte(g->ram, 7, OWN * PAGE) &&
	       holds_image(g->ram + OWN * PAGE, SEED, OWN * PAGE,
			   (DATA - OWN) * PAGE) &&
	       is_all(g->ram + DATA * PAGE, 0, (PAGES - DATA) * PAGE);
}

/* 0 or an errno. */
static int set_state(unsigned int block, const char *state)
{
	char path[96];

	snprintf(path, sizeof(path), MEMORY "memory%u/state", block);
	return write_text(path, state);
}

/* In which blocks are pages of the guest? */
static void look(FIXTURE_DATA(offline) *self, size_t first, size_t end)
{
	static uint64_t entry[PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t frame;
	size_t i;

	memset(self->pages, 0, sizeof(self->pages));
	must(fd >= 0, "pagemap");
	must(pread(fd, entry, sizeof(entry), (uintptr_t)self->g.ram / PAGE *
		   8) == sizeof(entry), "pagemap");
	close(fd);
	for (i = first; i < end; i++) {
		frame = entry[i] & ((1ull << 55) - 1);
		if (frame && frame / self->block_pages < BLOCKS)
			self->pages[frame / self->block_pages]++;
	}
}

TEST_F(offline, refused_while_masters_are_there)
{
	unsigned int b, refused = 0, err;

	NEEDS_BLOCKS();
	look(self, OWN, PAGES);
	for (b = 0; b < BLOCKS; b++) {
		if (!self->pages[b])
			continue;
		err = set_state(b, "offline");
		printf("# block %u has %u: %s\n", b, self->pages[b],
		       strerror(err));
		EXPECT_NE(0, err);
		/* one with a hole cannot go anyhow */
		refused += err == EBUSY;
	}
	EXPECT_GT(refused, 0);
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(is_right(&self->g));
}

/* The blocks that the guest's memory is in; how many can be taken offline? */
static unsigned int take_offline(FIXTURE_DATA(offline) *self,
				 unsigned int *gone)
{
	unsigned int b, n = 0;
	int err;

	for (b = 0; b < BLOCKS; b++) {
		if (!self->pages[b])
			continue;
		err = set_state(b, "offline");
		printf("# block %u: %u pages, %s\n", b, self->pages[b],
		       err ? strerror(err) : "offline");
		if (!err)
			gone[n++] = b;
	}
	return n;
}

static void bring_back(const unsigned int *gone, unsigned int n)
{
	while (n--)
		must(!set_state(gone[n], "online"), "online");
}

/* What is written from here on is on another node, if there is one. */
static void go_to_last_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* What a guest has written moves, beside masters that stay. */
TEST_F(offline, its_own_pages_move)
{
	size_t half = PAGES / 2 * PAGE;
	unsigned int gone[BLOCKS], n, i;

	NEEDS_BLOCKS();
	go_to_last_cpu();
	memset(self->g.ram + half, 9, half);
	look(self, PAGES / 2, PAGES);
	n = take_offline(self, gone);
	if (!n)
		SKIP(return, "all of it has memory of the kernel, too");
	EXPECT_TRUE(holds_image(self->g.ram + OWN * PAGE, SEED, OWN * PAGE,
				(DATA - OWN) * PAGE));
	EXPECT_TRUE(is_all(self->g.ram + half, 9, half));
	look(self, 0, PAGES);
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, self->pages[gone[i]]);
	bring_back(gone, n);
	EXPECT_TRUE(is_all(self->g.ram + half, 9, half));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
}

TEST_HARNESS_MAIN
