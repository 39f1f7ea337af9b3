// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_life - what becomes of bound memory: kill, fork, munmap, mremap, punch,
 * madvise, and I/O from and to it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define PAGES	64
#define SEED	23

FIXTURE(life)
{
	struct place p;
	struct guest g;
	int image;
};

FIXTURE_SETUP(life)
{
	place_open(&self->p);
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	guest_open(&self->g, &self->p, "g", 2 * PAGES);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	ASSERT_EQ(PAGES, counter(&self->p, "pages_sharing"));
}

FIXTURE_TEARDOWN(life)
{
	guest_close(&self->g);
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
}

/* Memory that is mapped shared differs there; cowd_shared has it. */
#define FOR_PRIVATE_MEMORY()						\
	do {								\
		if (shared_mode())					\
			SKIP(return, "only in private mode");		\
	} while (0)

static sigjmp_buf bus;

static void on_bus(int sig)
{
	siglongjmp(bus, 1);
}

/* Does reading a byte there give SIGBUS? */
static bool is_bus(const char *at)
{
	volatile char c;

	signal(SIGBUS, on_bus);
	if (sigsetjmp(bus, 1))
		return true;
	c = *at;
	(void)c;
	return false;
}

TEST_F(life, killed_in_the_middle)
{
	struct gate gate;
	pid_t pid;

	madvise(self->g.ram, self->g.pages * PAGE, MADV_DONTFORK);
	gate_open(&gate);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct guest g;

		guest_open(&g, &self->p, "child", PAGES);
		must(pread(self->image, g.ram, PAGES * PAGE, 0) > 0, "pread");
		memset(g.ram, 1, 10 * PAGE);
		gate_pass(gate.to_parent);
		while (pread(self->image, g.ram, PAGES * PAGE, 0) > 0)
			;
		_exit(1);
	}
	gate_wait(gate.to_parent);
	usleep(20000);
	/* it is in the middle of a read that replaces what is bound */
	EXPECT_GE(counter(&self->p, "pages_sharing"),
		  2 * PAGES - 10 * shared_mode());
	EXPECT_LE(counter(&self->p, "pages_sharing"), 3 * PAGES);
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, child_status(pid));
	if (shared_mode()) {
		char path[160];

		/* the file has it as long as it is there */
		EXPECT_GE(counter(&self->p, "pages_sharing"), 2 * PAGES - 10);
		snprintf(path, sizeof(path), "%s/ram/child", self->p.mnt);
		EXPECT_EQ(0, unlink(path));
	}
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	/* its file is there, and empty */
	EXPECT_EQ(2 - shared_mode(), counter(&self->p, "ram_files"));
}

TEST_F(life, the_next_who_maps_it_finds_zeros)
{
	FOR_PRIVATE_MEMORY();
	munmap(self->g.ram, self->g.pages * PAGE);
	EXPECT_EQ(0, counter(&self->p, "pages_sharing"));
	/* the image is open, so its masters stay */
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	self->g.ram = guest_map(&self->g);
	ASSERT_NE(MAP_FAILED, self->g.ram);
	EXPECT_TRUE(holds_byte(self->g.ram, 0, self->g.pages * PAGE));
}

TEST_F(life, masters_live_as_long_as_bindings)
{
	char path[160];

	close(self->image);
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	snprintf(path, sizeof(path), "%s/base", self->p.images);
	EXPECT_EQ(-1, open(path, O_WRONLY));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_EQ(-1, truncate(path, 0));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	guest_close(&self->g);
	EXPECT_EQ(0, counter(&self->p, "masters"));
	EXPECT_EQ(0, truncate(path, PAGE));
	self->image = image_open(&self->p, "base", O_RDONLY);
	guest_open(&self->g, &self->p, "g", PAGES);
	EXPECT_EQ(PAGE, pread(self->image, self->g.ram, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGE));
}

TEST_F(life, image_opened_anew)
{
	struct guest g;

	close(self->image);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	guest_open(&g, &self->p, "second", PAGES);
	ASSERT_EQ(PAGES * PAGE, pread(self->image, g.ram, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "pages_sharing"));
	guest_close(&g);
}

TEST_F(life, fork)
{
	struct gate gate;
	pid_t pid;

	FOR_PRIVATE_MEMORY();
	gate_open(&gate);
	self->g.ram[0] ^= 1;
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		gate_wait(gate.to_child);
		/* the parent's writes from before the fork, not from after */
		if (holds_image(self->g.ram, SEED, 0, 1) ||
		    !holds_image(self->g.ram + 1, SEED, 1, PAGES * PAGE - 1))
			_exit(1);
		memset(self->g.ram, 0x99, PAGES * PAGE);
		_exit(!holds_byte(self->g.ram, 0x99, PAGES * PAGE));
	}
	memset(self->g.ram + PAGE, 0x66, PAGE);
	gate_pass(gate.to_child);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(holds_image(self->g.ram + 1, SEED, 1, PAGE - 1));
	EXPECT_TRUE(holds_byte(self->g.ram + PAGE, 0x66, PAGE));
	EXPECT_TRUE(holds_image(self->g.ram + 2 * PAGE, SEED, 2 * PAGE,
				(PAGES - 2) * PAGE));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
}

TEST_F(life, munmap_in_parts)
{
	char *ram = self->g.ram;

	/* the middle, then all that is left is mapped in two parts */
	ASSERT_EQ(0, munmap(ram + 10 * PAGE, 10 * PAGE));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 10 * PAGE));
	EXPECT_TRUE(holds_image(ram + 20 * PAGE, SEED, 20 * PAGE, 44 * PAGE));
	ASSERT_EQ(PAGE, pread(self->image, ram, PAGE, 30 * PAGE));
	EXPECT_TRUE(holds_image(ram, SEED, 30 * PAGE, PAGE));
	EXPECT_EQ(PAGE * !shared_mode(), counter(&self->p, "copied_mappings"));
	/* then in one again */
	ASSERT_EQ(0, munmap(ram, 10 * PAGE));
	ASSERT_EQ(PAGE, pread(self->image, ram + 25 * PAGE, PAGE, 0));
	EXPECT_TRUE(holds_image(ram + 25 * PAGE, SEED, 0, PAGE));
	EXPECT_EQ(PAGES + 1 + shared_mode(), counter(&self->p, "pages_bound"));
	/* a read over the end of the mapping */
	ASSERT_EQ(0, munmap(ram + 30 * PAGE, self->g.pages * PAGE - 30 * PAGE));
	EXPECT_EQ(2 * PAGE, pread(self->image, ram + 28 * PAGE, 4 * PAGE, 0));
	EXPECT_TRUE(holds_image(ram + 28 * PAGE, SEED, 0, 2 * PAGE));
}

TEST_F(life, mremap)
{
	size_t len = self->g.pages * PAGE;
	char *to = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);

	self->g.ram[5 * PAGE] ^= 1;
	to = mremap(self->g.ram, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ASSERT_NE(MAP_FAILED, to);
	self->g.ram = to;
	EXPECT_TRUE(holds_image(to, SEED, 0, 5 * PAGE));
	EXPECT_FALSE(holds_image(to + 5 * PAGE, SEED, 5 * PAGE, 1));
	EXPECT_TRUE(holds_image(to + 6 * PAGE, SEED, 6 * PAGE, 58 * PAGE));
	ASSERT_EQ(PAGES * PAGE, pread(self->image, to + PAGE, PAGES * PAGE,
				      0));
	EXPECT_TRUE(holds_image(to + PAGE, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "pages_bound"));
	EXPECT_EQ(PAGES + 1, counter(&self->p, "pages_sharing"));
}

TEST_F(life, truncate)
{
	char *ram = self->g.ram;

	EXPECT_EQ(-1, ftruncate(self->g.fd, 3 * PAGES * PAGE));
	EXPECT_EQ(EBUSY, errno);
	memset(ram + 8 * PAGE, 5, 4 * PAGE);
	ASSERT_EQ(0, ftruncate(self->g.fd, 10 * PAGE));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 8 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 8 * PAGE, 5, 2 * PAGE));
	EXPECT_TRUE(is_bus(ram + 10 * PAGE));
	EXPECT_TRUE(is_bus(ram + 30 * PAGE));
	EXPECT_TRUE(is_bus(ram + PAGES * PAGE));
	/* shared, what was written is not bound */
	EXPECT_EQ(10 - 2 * shared_mode(), counter(&self->p, "pages_sharing"));
	ASSERT_EQ(0, ftruncate(self->g.fd, 0));
	EXPECT_TRUE(is_bus(ram));
	EXPECT_EQ(0, counter(&self->p, "pages_sharing"));
}

TEST_F(life, unlinked_while_mapped)
{
	ASSERT_EQ(0, unlink(self->g.path));
	close(self->g.fd);
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	ASSERT_EQ(8 * PAGE, pread(self->image, self->g.ram, 8 * PAGE,
				  8 * PAGE));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 8 * PAGE, 8 * PAGE));
	EXPECT_EQ(1, counter(&self->p, "ram_files"));
	munmap(self->g.ram, self->g.pages * PAGE);
	EXPECT_EQ(0, counter(&self->p, "pages_sharing"));
	usleep(10000);
	EXPECT_EQ(0, counter(&self->p, "ram_files"));
}

/* What QEMU's balloon does. */
TEST_F(life, punch)
{
	char *ram = self->g.ram;
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	FOR_PRIVATE_MEMORY();
	memset(ram + 3 * PAGE, 4, PAGE);
	ASSERT_EQ(0, fallocate(self->g.fd, punch, 2 * PAGE, 20 * PAGE));
	EXPECT_EQ(PAGES - 20, counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 2 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 2 * PAGE, 0, PAGE));
	EXPECT_TRUE(holds_byte(ram + 3 * PAGE, 4, PAGE));
	EXPECT_TRUE(holds_byte(ram + 4 * PAGE, 0, 18 * PAGE));
	EXPECT_TRUE(holds_image(ram + 22 * PAGE, SEED, 22 * PAGE, PAGE));
	ASSERT_EQ(0, madvise(ram + 3 * PAGE, PAGE, MADV_DONTNEED));
	EXPECT_TRUE(holds_byte(ram + 3 * PAGE, 0, PAGE));
	/* parts of pages are not punched */
	ASSERT_EQ(0, fallocate(self->g.fd, punch, 30 * PAGE + 1, PAGE));
	EXPECT_TRUE(holds_image(ram + 30 * PAGE, SEED, 30 * PAGE, 2 * PAGE));
	EXPECT_EQ(-1, fallocate(self->g.fd, 0, 0, PAGE));
	EXPECT_EQ(EOPNOTSUPP, errno);
}

TEST_F(life, mprotect)
{
	char *ram = self->g.ram;
	size_t len = self->g.pages * PAGE;

	ASSERT_EQ(0, mprotect(ram, len, PROT_NONE));
	EXPECT_EQ(-1, pread(self->image, ram, PAGE, PAGE));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, mprotect(ram, len, PROT_READ | PROT_WRITE));
	EXPECT_TRUE(holds_image(ram, SEED, 0, PAGES * PAGE));
	ram[0] ^= 1;
	EXPECT_TRUE(holds_image(ram + 1, SEED, 1, PAGES * PAGE - 1));
}

TEST_F(life, madvise)
{
	char *ram = self->g.ram;
	size_t len = self->g.pages * PAGE;

	FOR_PRIVATE_MEMORY();
	memset(ram, 9, 8 * PAGE);
	madvise(ram, len, MADV_PAGEOUT);
	EXPECT_TRUE(holds_byte(ram, 9, 8 * PAGE));
	EXPECT_TRUE(holds_image(ram + 8 * PAGE, SEED, 8 * PAGE, 56 * PAGE));
	/* what it shows then is what was read last, as a file would */
	ASSERT_EQ(0, madvise(ram, 4 * PAGE, MADV_DONTNEED));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 4 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 4 * PAGE, 9, 4 * PAGE));
	EXPECT_EQ(0, madvise(ram, len, MADV_POPULATE_READ));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 4 * PAGE));
	EXPECT_EQ(0, madvise(ram, len, MADV_POPULATE_WRITE));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 4 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 4 * PAGE, 9, 4 * PAGE));
	EXPECT_TRUE(holds_image(ram + 8 * PAGE, SEED, 8 * PAGE, 56 * PAGE));
	/* a kernel without huge pages knows neither */
	EXPECT_EQ(access("/sys/kernel/mm/transparent_hugepage", F_OK),
		  madvise(ram, len, MADV_HUGEPAGE));
	madvise(ram, len, MADV_COLLAPSE);
	EXPECT_TRUE(holds_image(ram + 8 * PAGE, SEED, 8 * PAGE, 56 * PAGE));
	EXPECT_EQ(0, madvise(ram, len, MADV_MERGEABLE));
	/* a bind over all of that */
	ASSERT_EQ(PAGES * PAGE, pread(self->image, ram + 4 * PAGE,
				      PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(ram + 4 * PAGE, SEED, 0, PAGES * PAGE));
}

/* Direct I/O and other processes read and write bound memory. */
TEST_F(life, io_from_and_to_bound_pages)
{
	char *ram = self->g.ram, path[160];
	static char mem[4 * PAGE];
	struct iovec local = { mem, 4 * PAGE }, remote = { ram, 4 * PAGE };
	int fd;

	ASSERT_EQ(4 * PAGE, process_vm_readv(getpid(), &local, 1, &remote, 1,
					     0));
	EXPECT_TRUE(holds_image(mem, SEED, 0, 4 * PAGE));
	snprintf(path, sizeof(path), "%s/file", self->p.images);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(4 * PAGE, pwrite(fd, ram + 4 * PAGE, 4 * PAGE, 0));
	ASSERT_EQ(4 * PAGE, pread(fd, mem, 4 * PAGE, 0));
	EXPECT_TRUE(holds_image(mem, SEED, 4 * PAGE, 4 * PAGE));
	/* written by others, it is the guest's own */
	memset(mem, 8, sizeof(mem));
	remote.iov_base = ram + 16 * PAGE;
	ASSERT_EQ(4 * PAGE, process_vm_writev(getpid(), &local, 1, &remote, 1,
					      0));
	ASSERT_EQ(4 * PAGE, pread(fd, ram + 20 * PAGE, 4 * PAGE, 0));
	EXPECT_TRUE(holds_byte(ram + 16 * PAGE, 8, 4 * PAGE));
	EXPECT_TRUE(holds_image(ram + 20 * PAGE, SEED, 4 * PAGE, 4 * PAGE));
	EXPECT_TRUE(holds_image(ram + 24 * PAGE, SEED, 24 * PAGE, PAGE));
	/* the masters are what they were */
	ASSERT_EQ(PAGES * PAGE, pread(self->image, ram + PAGES * PAGE,
				      PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(ram + PAGES * PAGE, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_made"));
	close(fd);
	unlink(path);
}

TEST_F(life, shared_mappings_are_refused)
{
	FOR_PRIVATE_MEMORY();
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->g.fd, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED,
				   self->g.fd, 0));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_EXEC,
				   MAP_PRIVATE, self->g.fd, 0));
	EXPECT_EQ(-1, read(self->g.fd, self->g.path, 1));
	EXPECT_EQ(-1, write(self->g.fd, self->g.path, 1));
	/* and do not count as mappings */
	ASSERT_EQ(PAGE, pread(self->image, self->g.ram, PAGE, PAGE));
	EXPECT_EQ(PAGES + 1, counter(&self->p, "pages_bound"));
}

TEST_HARNESS_MAIN
