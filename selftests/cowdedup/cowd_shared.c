// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_shared - guests' memory that is mapped shared, where it differs: others
 * see what is read and written, the file keeps it, and it has huge pages
 *
 * The rest is in the other suites, which run a second time as shared-...
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define PAGES	64		/* of the image */
#define REGION	512		/* pages of a huge one */
#define HUGE	"/sys/kernel/mm/transparent_hugepage/"
#define SEED	41

FIXTURE(shared)
{
	struct place p;
	struct guest g;
	char *map;		/* all that is mapped */
	int image;
};

/* Mapped so that huge pages fit, which the kernel does if there may be some. */
FIXTURE_SETUP(shared)
{
	bool huge = !write_text(HUGE "shmem_enabled", "always");

	place_open_with(&self->p, "tmpfs", "images", "mode=755", "");
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	guest_open(&self->g, &self->p, "g", 4 * REGION);
	if (huge) {
		ASSERT_EQ(0, (uintptr_t)self->g.ram % (REGION * PAGE));
		ASSERT_EQ(0, write_text(HUGE "shmem_enabled", "never"));
	}
}

FIXTURE_TEARDOWN(shared)
{
	write_text(HUGE "shmem_enabled", "never");
	guest_close(&self->g);
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
}

static bool read_at(FIXTURE_DATA(shared) *self, size_t at, size_t pages)
{
	return pread(self->image, self->g.ram + at * PAGE, pages * PAGE, 0) ==
	       (ssize_t)(pages * PAGE);
}

/* --- others see it ------------------------------------------------------- */

TEST_F(shared, private_mappings_are_refused)
{
	char byte;
	int fd;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE, self->g.fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->g.fd, &byte, 1));
	EXPECT_EQ(-1, write(self->g.fd, &byte, 1));
	/* one that may not write sees all */
	ASSERT_TRUE(read_at(self, 0, PAGES));
	self->g.ram[3 * PAGE] ^= 1;
	fd = open(self->g.path, O_RDONLY);
	self->map = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	EXPECT_EQ(0, memcmp(self->map, self->g.ram, PAGES * PAGE));
	EXPECT_EQ(-1, mprotect(self->map, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	munmap(self->map, PAGES * PAGE);
	close(fd);
}

/* As a back end of vhost-user does. */
TEST_F(shared, another_process)
{
	struct gate gate;
	pid_t pid;

	gate_open(&gate);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		char *ram = guest_map(&self->g);

		gate_wait(gate.to_child);
		if (!holds_image(ram, SEED, 0, PAGES * PAGE) ||
		    !holds_image(self->g.ram, SEED, 0, PAGES * PAGE))
			_exit(1);
		memset(ram + 5 * PAGE, 0x77, PAGE);
		gate_pass(gate.to_parent);
		gate_wait(gate.to_child);
		_exit(!holds_image(ram + 5 * PAGE, SEED, 0, PAGES * PAGE));
	}
	ASSERT_TRUE(read_at(self, 0, PAGES));
	gate_pass(gate.to_child);
	gate_wait(gate.to_parent);
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 5 * PAGE));
	EXPECT_TRUE(holds_byte(self->g.ram + 5 * PAGE, 0x77, PAGE));
	EXPECT_TRUE(holds_image(self->g.ram + 6 * PAGE, SEED, 6 * PAGE,
				(PAGES - 6) * PAGE));
	EXPECT_EQ(PAGES - 1, counter(&self->p, "pages_sharing"));
	EXPECT_EQ(1, counter(&self->p, "pages_broken"));
	ASSERT_TRUE(read_at(self, 5, PAGES));
	gate_pass(gate.to_child);
	EXPECT_EQ(0, child_status(pid));
}

/*
 * Who has seen what another process has written to a page that was bound does
 * not see the master again.
 */
TEST_F(shared, nobody_goes_back)
{
	volatile uint64_t *word = (void *)(self->g.ram + 3 * PAGE);
	uint64_t round, last, now, old = word_of(SEED, 3, 0);
	unsigned long seen = 0;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		for (;;) {
			for (last = 0; (now = *word) < 1000; last = now)
				if (now < last)
					_exit(1);
			/* the master: until it is written to */
			while ((now = *word) == old)
				;
			if (now == 2000)
				_exit(0);
		}
	}
	for (round = 0; round < 300; round++) {
		ASSERT_TRUE(read_at(self, 0, round % 2 ? 4 : 16));
		seen += *word == old;
		for (now = 1; now < 20; now++)
			*word = now;
	}
	*word = 2000;
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(300, seen);
	/* a read is copied when the other is about to map the page */
	printf("# %lu of 300 bound and broken\n",
	       counter(&self->p, "pages_broken"));
	EXPECT_GT(counter(&self->p, "pages_broken"), 10);
}

/* --- the file keeps it --------------------------------------------------- */

TEST_F(shared, the_next_who_maps_it_finds_it)
{
	size_t len = self->g.pages * PAGE;

	ASSERT_TRUE(read_at(self, 0, PAGES));
	memset(self->g.ram + 7 * PAGE, 0x31, PAGE);
	munmap(self->g.ram, len);
	EXPECT_EQ(PAGES - 1, counter(&self->p, "pages_sharing"));
	/* and a file that nobody maps may grow */
	ASSERT_EQ(0, ftruncate(self->g.fd, 16 * len));
	self->g.ram = guest_map(&self->g);
	ASSERT_NE(MAP_FAILED, self->g.ram);
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 7 * PAGE));
	EXPECT_TRUE(holds_byte(self->g.ram + 7 * PAGE, 0x31, PAGE));
	EXPECT_TRUE(holds_image(self->g.ram + 8 * PAGE, SEED, 8 * PAGE,
				(PAGES - 8) * PAGE));
	EXPECT_EQ(0, ftruncate(self->g.fd, len));
}

TEST_F(shared, what_it_occupies)
{
	struct stat st;

	ASSERT_TRUE(read_at(self, 0, PAGES));
	ASSERT_EQ(0, fstat(self->g.fd, &st));
	EXPECT_EQ(PAGES * PAGE / 512, st.st_blocks);
	memset(self->g.ram + 10 * PAGE, 1, 100 * PAGE);
	ASSERT_EQ(0, fstat(self->g.fd, &st));
	EXPECT_EQ(110 * PAGE / 512, st.st_blocks);
}

/* What QEMU's balloon does; and parts of pages are zero, then. */
TEST_F(shared, punch)
{
	char *ram = self->g.ram;
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	ASSERT_TRUE(read_at(self, 0, PAGES));
	memset(ram + 3 * PAGE, 4, PAGE);
	memset(ram + PAGES * PAGE, 5, PAGE);
	ASSERT_EQ(0, fallocate(self->g.fd, punch, 2 * PAGE, 20 * PAGE));
	EXPECT_EQ(PAGES - 20, counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 2 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 2 * PAGE, 0, 20 * PAGE));
	EXPECT_TRUE(holds_image(ram + 22 * PAGE, SEED, 22 * PAGE, 2 * PAGE));
	ASSERT_EQ(0, fallocate(self->g.fd, punch, 30 * PAGE + 100, 2 * PAGE));
	EXPECT_TRUE(holds_image(ram + 30 * PAGE, SEED, 30 * PAGE, 100));
	EXPECT_TRUE(holds_byte(ram + 30 * PAGE + 100, 0, 2 * PAGE));
	EXPECT_TRUE(holds_image(ram + 32 * PAGE + 100, SEED, 32 * PAGE + 100,
				PAGE - 100));
	EXPECT_EQ(PAGES - 23, counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(holds_byte(ram + PAGES * PAGE, 5, PAGE));
	ASSERT_EQ(0, fallocate(self->g.fd, punch, 0, self->g.pages * PAGE));
	EXPECT_TRUE(holds_byte(ram, 0, self->g.pages * PAGE));
	EXPECT_EQ(0, counter(&self->p, "pages_sharing"));
	EXPECT_EQ(-1, fallocate(self->g.fd, 0, 0, PAGE));
	EXPECT_EQ(EOPNOTSUPP, errno);
}

/* A file that nobody maps is cut, in the middle of a page, and grows again. */
TEST_F(shared, cut_in_a_page)
{
	size_t len = self->g.pages * PAGE;

	ASSERT_TRUE(read_at(self, 0, PAGES));
	munmap(self->g.ram, len);
	ASSERT_EQ(0, ftruncate(self->g.fd, 9 * PAGE + 100));
	ASSERT_EQ(0, ftruncate(self->g.fd, len));
	self->g.ram = guest_map(&self->g);
	ASSERT_NE(MAP_FAILED, self->g.ram);
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 9 * PAGE + 100));
	EXPECT_TRUE(holds_byte(self->g.ram + 9 * PAGE + 100, 0,
			       len - 9 * PAGE - 100));
	EXPECT_EQ(9, counter(&self->p, "pages_sharing"));
}

static volatile bool punched;

static void *puncher(void *arg)
{
	FIXTURE_DATA(shared) *self = arg;

	/* parts of pages: what is bound is looked for */
	while (!punched)
		fallocate(self->g.fd, FALLOC_FL_PUNCH_HOLE |
			  FALLOC_FL_KEEP_SIZE, 3 * PAGE + 1, 10);
	return NULL;
}

/* Holes are made in a file that nobody maps, while it grows. */
TEST_F(shared, grows_while_punched)
{
	size_t len = self->g.pages * PAGE, i;
	pthread_t t;

	ASSERT_TRUE(read_at(self, 0, PAGES));
	munmap(self->g.ram, len);
	punched = false;
	pthread_create(&t, NULL, puncher, self);
	for (i = 1; i < 200; i++)
		ASSERT_EQ(0, ftruncate(self->g.fd, len + i * 512 * PAGE));
	punched = true;
	pthread_join(t, NULL);
	ASSERT_EQ(0, ftruncate(self->g.fd, len));
	self->g.ram = guest_map(&self->g);
	ASSERT_NE(MAP_FAILED, self->g.ram);
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 3 * PAGE + 1));
	EXPECT_TRUE(holds_byte(self->g.ram + 3 * PAGE + 1, 0, 10));
	EXPECT_TRUE(holds_image(self->g.ram + 3 * PAGE + 11, SEED,
				3 * PAGE + 11, (PAGES - 3) * PAGE - 11));
}

TEST_F(shared, madvise)
{
	char *ram = self->g.ram;
	size_t len = self->g.pages * PAGE;

	ASSERT_TRUE(read_at(self, 0, PAGES));
	memset(ram, 9, 8 * PAGE);
	madvise(ram, len, MADV_PAGEOUT);
	EXPECT_TRUE(holds_byte(ram, 9, 8 * PAGE));
	EXPECT_TRUE(holds_image(ram + 8 * PAGE, SEED, 8 * PAGE, 56 * PAGE));
	ASSERT_EQ(0, madvise(ram, len, MADV_DONTNEED));
	EXPECT_TRUE(holds_byte(ram, 9, 8 * PAGE));
	EXPECT_TRUE(holds_image(ram + 8 * PAGE, SEED, 8 * PAGE, 56 * PAGE));
	EXPECT_EQ(0, madvise(ram, len, MADV_POPULATE_READ));
	EXPECT_EQ(PAGES - 8, counter(&self->p, "pages_sharing"));
	EXPECT_EQ(0, madvise(ram, len, MADV_POPULATE_WRITE));
	EXPECT_EQ(0, counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(holds_byte(ram, 9, 8 * PAGE));
	EXPECT_TRUE(holds_image(ram + 8 * PAGE, SEED, 8 * PAGE, 56 * PAGE));
	/* a bind over what is in swap */
	madvise(ram, len, MADV_PAGEOUT);
	ASSERT_TRUE(read_at(self, 4, PAGES));
	EXPECT_TRUE(holds_byte(ram, 9, 4 * PAGE));
	EXPECT_TRUE(holds_image(ram + 4 * PAGE, SEED, 0, PAGES * PAGE));
	/* a hole */
	ASSERT_EQ(0, madvise(ram, 6 * PAGE, MADV_REMOVE));
	EXPECT_TRUE(holds_byte(ram, 0, 6 * PAGE));
	EXPECT_TRUE(holds_image(ram + 6 * PAGE, SEED, 2 * PAGE,
				(PAGES - 2) * PAGE));
	EXPECT_EQ(PAGES - 2, counter(&self->p, "pages_sharing"));
}

/* The file of shmem is mapped in no other way. */
TEST_F(shared, remap_file_pages)
{
	char *ram = self->g.ram;

	ASSERT_TRUE(read_at(self, 0, PAGES));
	memset(ram + PAGES * PAGE, 6, PAGE);
	EXPECT_EQ(-1, syscall(SYS_remap_file_pages, ram, PAGE, 0, PAGES, 0));
	EXPECT_TRUE(holds_image(ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(0, msync(ram, PAGES * PAGE, MS_SYNC));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
}

/* Where memory goes is for shmem to know. */
TEST_F(shared, policy)
{
	unsigned long nodes = 1ul << 1;
	int node = -1;

	ASSERT_EQ(0, syscall(SYS_mbind, self->g.ram, 16 * PAGE, MPOL_BIND,
			     &nodes, 64, 0));
	ASSERT_TRUE(read_at(self, 0, 4));
	memset(self->g.ram, 1, 16 * PAGE);
	ASSERT_EQ(0, syscall(SYS_get_mempolicy, &node, NULL, 0, self->g.ram,
			     MPOL_F_NODE | MPOL_F_ADDR));
	EXPECT_EQ(1, node);
	node = -1;
	ASSERT_EQ(0, syscall(SYS_get_mempolicy, &node, NULL, 0,
			     self->g.ram + 8 * PAGE,
			     MPOL_F_NODE | MPOL_F_ADDR));
	EXPECT_EQ(1, node);
}

/* --- huge pages ---------------------------------------------------------- */

/* Of one of this process's mappings, in KiB. */
static uint64_t smaps(const void *at, const char *field)
{
	char cmd[200], line[64];

	snprintf(cmd, sizeof(cmd), "sed -n '/^%lx-/,/^VmFlags/s/^%s: *//p' "
		 "/proc/%d/smaps", (unsigned long)at, field, getpid());
	run_for_line(cmd, line, sizeof(line));
	return strtoull(line, NULL, 10);
}

static bool make_huge(FIXTURE_DATA(shared) *self, int byte)
{
	if (write_text(HUGE "shmem_enabled", "always"))
		return false;
	memset(self->g.ram, byte, self->g.pages * PAGE);
	return smaps(self->g.ram, "ShmemPmdMapped") ==
	       self->g.pages * PAGE / 1024;
}

#define NEEDS_HUGE_PAGES(_byte)						\
	do {								\
		if (access(HUGE "shmem_enabled", F_OK))			\
			SKIP(return, "no transparent huge pages");	\
		ASSERT_TRUE(make_huge(self, _byte));			\
	} while (0)

TEST_F(shared, bind_into_a_huge_page)
{
	char *ram = self->g.ram;

	NEEDS_HUGE_PAGES(0x51);
	ASSERT_TRUE(read_at(self, 100, 5));
	EXPECT_TRUE(holds_byte(ram, 0x51, 100 * PAGE));
	EXPECT_TRUE(holds_image(ram + 100 * PAGE, SEED, 0, 5 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 105 * PAGE, 0x51,
			       (self->g.pages - 105) * PAGE));
	/* the others are huge still */
	EXPECT_EQ(3 * REGION * PAGE / 1024, smaps(ram, "ShmemPmdMapped"));
	EXPECT_EQ(5, counter(&self->p, "pages_sharing"));
	/* over the border of two of them, and not the last page */
	ASSERT_TRUE(read_at(self, 3 * REGION - 10, PAGES));
	EXPECT_TRUE(holds_byte(ram + 2 * REGION * PAGE, 0x51,
			       (REGION - 10) * PAGE));
	EXPECT_TRUE(holds_image(ram + (3 * REGION - 10) * PAGE, SEED, 0,
				PAGES * PAGE));
	EXPECT_TRUE(holds_byte(ram + (3 * REGION + PAGES - 10) * PAGE, 0x51,
			       (REGION - PAGES + 10) * PAGE));
	EXPECT_EQ(REGION * PAGE / 1024, smaps(ram, "ShmemPmdMapped"));
	memset(ram, 0x52, self->g.pages * PAGE);
	EXPECT_TRUE(holds_byte(ram, 0x52, self->g.pages * PAGE));
	EXPECT_EQ(0, counter(&self->p, "pages_sharing"));
}

/* Nothing huge comes where something is bound: by a fault, or by khugepaged. */
TEST_F(shared, huge_pages_stay_away)
{
	char *ram = self->g.ram;
	struct stat st;
	size_t i;

	if (access(HUGE "shmem_enabled", F_OK))
		SKIP(return, "no transparent huge pages");
	ASSERT_EQ(0, write_text(HUGE "shmem_enabled", "always"));
	ASSERT_TRUE(read_at(self, 200, PAGES));
	/* a read fault, and a write, next to it */
	EXPECT_EQ(0, ram[199 * PAGE]);
	ram[300 * PAGE] = 1;
	EXPECT_TRUE(holds_image(ram + 200 * PAGE, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(0, smaps(ram, "ShmemPmdMapped"));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
	/* nor does it keep memory for what is bound */
	ASSERT_EQ(0, fstat(self->g.fd, &st));
	EXPECT_LE(st.st_blocks, REGION * PAGE / 512);
	for (i = 0; i < REGION; i++)
		if (i < 200 || i >= 200 + PAGES)
			ram[i * PAGE] = 7;
	EXPECT_TRUE(holds_image(ram + 200 * PAGE, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(-1, madvise(ram, REGION * PAGE, MADV_COLLAPSE));
	EXPECT_TRUE(holds_image(ram + 200 * PAGE, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(0, smaps(ram, "ShmemPmdMapped"));
	/* a write to what is bound gets one page */
	ram[210 * PAGE + 5] ^= 1;
	EXPECT_TRUE(holds_image(ram + 211 * PAGE, SEED, 11 * PAGE,
				(PAGES - 11) * PAGE));
	EXPECT_TRUE(holds_image(ram + 210 * PAGE, SEED, 10 * PAGE, 5));
	EXPECT_EQ(PAGES - 1, counter(&self->p, "pages_sharing"));
}

/* A pipe that has a part of a huge page shows what is read into it. */
TEST_F(shared, huge_page_in_a_pipe)
{
	struct iovec v = { self->g.ram + 40 * PAGE, 2 * PAGE };
	static char mem[2 * PAGE];
	int fd[2];

	NEEDS_HUGE_PAGES(0x61);
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(2 * PAGE, vmsplice(fd[1], &v, 1, 0));
	ASSERT_TRUE(read_at(self, 30, PAGES));
	EXPECT_TRUE(holds_image(self->g.ram + 30 * PAGE, SEED, 0,
				PAGES * PAGE));
	EXPECT_EQ(PAGES * PAGE, counter(&self->p, "copied_pinned"));
	ASSERT_EQ(2 * PAGE, read(fd[0], mem, 2 * PAGE));
	EXPECT_TRUE(holds_image(mem, SEED, 10 * PAGE, 2 * PAGE));
	close(fd[0]);
	close(fd[1]);
	ASSERT_TRUE(read_at(self, 30, PAGES));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_bound"));
	EXPECT_TRUE(holds_image(self->g.ram + 30 * PAGE, SEED, 0,
				PAGES * PAGE));
	EXPECT_TRUE(holds_byte(self->g.ram + (30 + PAGES) * PAGE, 0x61,
			       100 * PAGE));
}

/*
 * A huge page that cannot be split, for a pipe has a part of it, is put where a
 * page is bound: it is mapped around that.
 */
TEST_F(shared, huge_page_that_cannot_be_split)
{
	struct iovec v = { self->g.ram + 400 * PAGE, PAGE };
	char *ram = self->g.ram;
	int fd[2];

	NEEDS_HUGE_PAGES(0x71);
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(PAGE, vmsplice(fd[1], &v, 1, 0));
	/* a shorter file: no huge page may reach over its end */
	ASSERT_EQ(0, ftruncate(self->g.fd, 500 * PAGE));
	EXPECT_TRUE(holds_byte(ram, 0x71, 500 * PAGE));
	memset(ram + 100 * PAGE, 0x72, 50 * PAGE);
	EXPECT_TRUE(holds_byte(ram, 0x71, 100 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 100 * PAGE, 0x72, 50 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 150 * PAGE, 0x71, 350 * PAGE));
	close(fd[0]);
	close(fd[1]);
	EXPECT_TRUE(holds_byte(ram + 150 * PAGE, 0x71, 350 * PAGE));
}

/* --- its own pages are charged to who writes ------------------------------ */

#define CGROUP	"/sys/fs/cgroup/cowdedup-shared/"

TEST_F(shared, the_guest_pays_for_its_own)
{
	uint64_t used;
	struct gate gate;
	pid_t pid;

	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	ASSERT_TRUE(!mkdir(CGROUP, 0755) || errno == EEXIST);
	gate_open(&gate);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		if (write_text(CGROUP "cgroup.procs", "0") ||
		    !read_at(self, 0, PAGES))
			_exit(1);
		memset(self->g.ram, 1, 2 * REGION * PAGE);
		gate_pass(gate.to_parent);
		gate_wait(gate.to_child);
		_exit(0);
	}
	gate_wait(gate.to_parent);
	used = read_number(CGROUP "memory.current");
	EXPECT_GE(used, 2 * REGION * PAGE);
	EXPECT_EQ(PAGES, counter(&self->p, "pages_broken"));
	gate_pass(gate.to_child);
	EXPECT_EQ(0, child_status(pid));
	ASSERT_EQ(0, fallocate(self->g.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, self->g.pages * PAGE));
	EXPECT_LT(read_number(CGROUP "memory.current"), REGION * PAGE);
	EXPECT_EQ(0, rmdir(CGROUP));
}

TEST_HARNESS_MAIN
