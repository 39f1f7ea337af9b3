// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_copy - when a read is copied and not bound: each reason provoked, each
 * right, each counted
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"
#include "ring.h"

#define PAGES	40
#define SEED	11

FIXTURE(copy)
{
	struct place p;
	struct guest g;
	int image;
};

FIXTURE_SETUP(copy)
{
	place_open(&self->p);
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	guest_open(&self->g, &self->p, "g", 2 * PAGES);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
}

FIXTURE_TEARDOWN(copy)
{
	guest_close(&self->g);
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
}

/* Read all of the image; is it there, and was it all counted as @why? */
static bool all_copied(FIXTURE_DATA(copy) *self, const char *why)
{
	uint64_t bound = counter(&self->p, "pages_bound");
	uint64_t before = counter(&self->p, why);

	if (pread(self->image, self->g.ram, PAGES * PAGE, 0) != PAGES * PAGE ||
	    !holds_image(self->g.ram, SEED, 0, PAGES * PAGE))
		return false;
	if (counter(&self->p, "pages_bound") != bound) {
		printf("# it was bound\n");
		return false;
	}
	printf("# %s: %lu\n", why, counter(&self->p, why) - before);
	return counter(&self->p, why) - before == PAGES * PAGE;
}

static bool all_bound(FIXTURE_DATA(copy) *self)
{
	uint64_t bound = counter(&self->p, "pages_bound");

	return pread(self->image, self->g.ram, PAGES * PAGE, 0) ==
	       PAGES * PAGE &&
	       holds_image(self->g.ram, SEED, 0, PAGES * PAGE) &&
	       counter(&self->p, "pages_bound") - bound == PAGES;
}

TEST_F(copy, control)
{
	EXPECT_TRUE(all_bound(self));
	EXPECT_TRUE(all_bound(self));
}

TEST_F(copy, elsewhere)
{
	struct place other;
	struct guest g;
	char *mem = aligned_alloc(PAGE, PAGES * PAGE);

	ASSERT_EQ(PAGES * PAGE, pread(self->image, mem, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(mem, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES * PAGE, counter(&self->p, "copied_elsewhere"));
	/* a guest of another mount is elsewhere, too */
	place_open(&other);
	guest_open(&g, &other, "g", PAGES);
	ASSERT_EQ(PAGES * PAGE, pread(self->image, g.ram, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(2 * PAGES * PAGE, counter(&self->p, "copied_elsewhere"));
	EXPECT_EQ(0, counter(&self->p, "masters"));
	EXPECT_EQ(0, counter(&other, "pages_bound"));
	guest_close(&g);
	EXPECT_TRUE(place_close(&other));
	free(mem);
}

TEST_F(copy, unaligned)
{
	ASSERT_EQ(10 * PAGE, pread(self->image, self->g.ram + 512, 10 * PAGE,
				   0));
	EXPECT_TRUE(holds_image(self->g.ram + 512, SEED, 0, 10 * PAGE));
	EXPECT_EQ(10 * PAGE, counter(&self->p, "copied_unaligned"));
	ASSERT_EQ(10 * PAGE, pread(self->image, self->g.ram, 10 * PAGE, 512));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 512, 10 * PAGE));
	EXPECT_EQ(20 * PAGE, counter(&self->p, "copied_unaligned"));
	EXPECT_EQ(0, counter(&self->p, "pages_bound"));
}

TEST_F(copy, image_open_for_writing)
{
	char path[160];
	int writer;

	close(self->image);
	snprintf(path, sizeof(path), "%s/base", self->p.images);
	writer = open(path, O_RDWR);
	ASSERT_GE(writer, 0);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	EXPECT_TRUE(all_copied(self, "copied_image"));
	/* what is written is seen, and a longer image is longer */
	ASSERT_EQ(3, pwrite(writer, "abc", 3, PAGE));
	ASSERT_EQ(PAGE, pread(self->image, self->g.ram, PAGE, PAGE));
	EXPECT_EQ(0, memcmp(self->g.ram, "abc", 3));
	ASSERT_EQ(4, pwrite(writer, "tail", 4, PAGES * PAGE));
	EXPECT_EQ(PAGES * PAGE + 4, lseek(self->image, 0, SEEK_END));
	ASSERT_EQ(4, pread(self->image, self->g.ram, PAGE, PAGES * PAGE));
	EXPECT_EQ(0, memcmp(self->g.ram, "tail", 4));
	close(writer);
	/* it is tried anew at the next open */
	close(self->image);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	ASSERT_EQ(4 * PAGE, pread(self->image, self->g.ram, 4 * PAGE, 0));
	EXPECT_EQ(4, counter(&self->p, "pages_bound"));
	EXPECT_EQ(0, memcmp(self->g.ram + PAGE, "abc", 3));
}

TEST_F(copy, stopped)
{
	ASSERT_EQ(0, write_text(SYSFS "enabled", "0"));
	EXPECT_TRUE(all_copied(self, "copied_stopped"));
	ASSERT_EQ(0, write_text(SYSFS "enabled", "1"));
	EXPECT_TRUE(all_bound(self));
}

TEST_F(copy, mapped_twice)
{
	char *second = guest_map(&self->g);

	ASSERT_NE(MAP_FAILED, second);
	memset(second, 0x33, 2 * PAGE);
	if (shared_mode()) {
		/* it is the same memory */
		EXPECT_TRUE(all_bound(self));
		EXPECT_TRUE(holds_image(second, SEED, 0, PAGES * PAGE));
	} else {
		EXPECT_TRUE(all_copied(self, "copied_mappings"));
		EXPECT_TRUE(holds_byte(second, 0x33, 2 * PAGE));
		EXPECT_TRUE(holds_byte(second + 2 * PAGE, 0, PAGE));
	}
	munmap(second, self->g.pages * PAGE);
	EXPECT_TRUE(all_bound(self));
}

TEST_F(copy, another_process)
{
	struct gate gate;
	pid_t pid;

	memset(self->g.ram, 0x44, 2 * PAGE);
	gate_open(&gate);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		gate_wait(gate.to_child);
		if (shared_mode())
			_exit(!holds_image(self->g.ram, SEED, 0,
					   PAGES * PAGE));
		/* what the parent has read since is not ours */
		_exit(!holds_byte(self->g.ram, 0x44, 2 * PAGE) ||
		      !holds_byte(self->g.ram + 2 * PAGE, 0, PAGE));
	}
	if (shared_mode()) {
		EXPECT_TRUE(all_bound(self));
	} else {
		EXPECT_TRUE(all_copied(self, "copied_mappings"));
	}
	gate_pass(gate.to_child);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(all_bound(self));
}

TEST_F(copy, not_writable)
{
	uint64_t before;

	ASSERT_EQ(0, mprotect(self->g.ram, self->g.pages * PAGE, PROT_READ));
	EXPECT_EQ(-1, pread(self->image, self->g.ram, PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(holds_byte(self->g.ram, 0, PAGE));
	ASSERT_EQ(0, mprotect(self->g.ram, self->g.pages * PAGE,
			      PROT_READ | PROT_WRITE));
	/* a part of it: what is before is read, as by any file */
	ASSERT_EQ(0, ftruncate(self->g.fd, 4 * PAGE));
	before = counter(&self->p, "pages_bound");
	EXPECT_EQ(4 * PAGE, pread(self->image, self->g.ram, 6 * PAGE, 0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 4 * PAGE));
	EXPECT_EQ(4 * PAGE, counter(&self->p, "copied_vma"));
	EXPECT_EQ(before, counter(&self->p, "pages_bound"));
}

TEST_F(copy, protection_key)
{
	int key = pkey_alloc(0, PKEY_DISABLE_WRITE);

	if (key < 0)
		SKIP(return, "no protection keys in this machine");
	ASSERT_EQ(0, pkey_mprotect(self->g.ram, self->g.pages * PAGE,
				   PROT_READ | PROT_WRITE, key));
	EXPECT_EQ(-1, pread(self->image, self->g.ram, PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(holds_byte(self->g.ram, 0, PAGE));
	ASSERT_EQ(0, pkey_set(key, 0));
	EXPECT_TRUE(all_bound(self));
}

/* CONFIG_MEM_SOFT_DIRTY: new memory is dirty. */
static bool kernel_tracks_writes(void)
{
	return !system("grep -q '^VmFlags:.* sd' /proc/self/smaps");
}

TEST_F(copy, soft_dirty)
{
	if (!kernel_tracks_writes())
		SKIP(return, "this kernel has no soft-dirty bits");
	EXPECT_TRUE(all_bound(self));
	ASSERT_EQ(0, write_text("/proc/self/clear_refs", "4"));
	EXPECT_TRUE(all_copied(self, "copied_soft_dirty"));
}

TEST_F(copy, locked)
{
	ASSERT_EQ(0, mlock(self->g.ram, self->g.pages * PAGE));
	/* shared, the kernel does not lock it, and does not say so */
	if (shared_mode()) {
		EXPECT_TRUE(all_bound(self));
	} else {
		EXPECT_TRUE(all_copied(self, "copied_locked"));
	}
	ASSERT_EQ(0, munlock(self->g.ram, self->g.pages * PAGE));
	EXPECT_TRUE(all_bound(self));
}

/*
 * Register all of the guest's memory that is read into.  6.1 has no registered
 * buffers in the memory of files, newer kernels none where the file has to be
 * asked before a write; then nothing is pinned.
 */
static bool ring_with_buffer(struct ring *ring, FIXTURE_DATA(copy) *self)
{
	must(ring_open(ring), "io_uring");
	if (ring_register(ring, self->g.ram, PAGES * PAGE))
		return true;
	must(errno == EOPNOTSUPP || (shared_mode() && errno == EFAULT),
	     "a registered buffer");
	printf("# this kernel does not register the memory of files\n");
	ring_close(ring);
	return false;
}

/*
 * A buffer that io_uring has pinned: what is read into it is what io_uring
 * writes from it.
 */
TEST_F(copy, pinned)
{
	static char mem[PAGES * PAGE];
	int fd = memfd_create("out", 0);
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_WRITE_FIXED,
		.fd = fd,
		.addr = (uintptr_t)self->g.ram,
		.len = PAGES * PAGE,
	};
	struct ring ring;

	if (!ring_with_buffer(&ring, self)) {
		EXPECT_TRUE(all_bound(self));
		return;
	}
	EXPECT_TRUE(all_copied(self, "copied_pinned"));
	EXPECT_EQ(PAGES * PAGE, ring_do(&ring, &sqe));
	EXPECT_EQ(PAGES * PAGE, pread(fd, mem, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(mem, SEED, 0, PAGES * PAGE));
	/* behind it nothing is pinned */
	ASSERT_EQ(PAGE, pread(self->image, self->g.ram + PAGES * PAGE, PAGE,
			      0));
	EXPECT_EQ(1, counter(&self->p, "pages_bound"));
	ring_close(&ring);
	close(fd);
}

/* Into a registered buffer io_uring reads by itself. */
TEST_F(copy, fixed_buffer)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.fd = self->image,
		.addr = (uintptr_t)self->g.ram,
		.len = PAGES * PAGE,
	};
	struct ring ring;

	if (!ring_with_buffer(&ring, self)) {
		EXPECT_TRUE(all_bound(self));
		return;
	}
	EXPECT_EQ(PAGES * PAGE, ring_do(&ring, &sqe));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES * PAGE, counter(&self->p, "copied_elsewhere"));
	ring_close(&ring);
}

/* A pipe that has pages of the memory shows what is read into them. */
TEST_F(copy, spliced_into_a_pipe)
{
	struct iovec v = { self->g.ram, 4 * PAGE };
	static char mem[4 * PAGE];
	int fd[2];

	memset(self->g.ram, 0x21, 4 * PAGE);
	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(4 * PAGE, vmsplice(fd[1], &v, 1, 0));
	ASSERT_EQ(8 * PAGE, pread(self->image, self->g.ram, 8 * PAGE, 0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 8 * PAGE));
	EXPECT_EQ(4 * PAGE, counter(&self->p, "copied_pinned"));
	EXPECT_EQ(4, counter(&self->p, "pages_bound"));
	ASSERT_EQ(4 * PAGE, read(fd[0], mem, 4 * PAGE));
	EXPECT_TRUE(holds_image(mem, SEED, 0, 4 * PAGE));
	close(fd[0]);
	close(fd[1]);
	EXPECT_TRUE(all_bound(self));
}

/* Pages that were just bound and written to are not bound again at once. */
TEST_F(copy, guard)
{
	uint64_t bound;

	ASSERT_EQ(0, write_text(SYSFS "guard_ms", "20000"));
	ASSERT_TRUE(all_bound(self));
	/* written to, but no longer bound, or bound and not written to */
	memset(self->g.ram + 30 * PAGE, 1, PAGE);
	ASSERT_EQ(0, fallocate(self->g.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 30 * PAGE, PAGE));
	self->g.ram[3 * PAGE] ^= 1;
	self->g.ram[4 * PAGE] ^= 1;
	self->g.ram[20 * PAGE] ^= 1;
	bound = counter(&self->p, "pages_bound");
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(3 * PAGE, counter(&self->p, "copied_guard"));
	EXPECT_EQ(PAGES - 3, counter(&self->p, "pages_bound") - bound);
	/* private, it is seen when they are bound anew; else page 30, too */
	EXPECT_EQ(shared_mode() ? 4 : 0, counter(&self->p, "pages_broken"));
	ASSERT_EQ(0, write_text(SYSFS "guard_ms", "100"));
	usleep(300000);
	EXPECT_TRUE(all_bound(self));
	EXPECT_EQ(shared_mode() ? 4 : 3, counter(&self->p, "pages_broken"));
}

TEST_F(copy, limit_of_masters)
{
	char path[160];

	snprintf(path, sizeof(path), "%smax_masters", self->p.sysfs);
	ASSERT_EQ(0, write_text(path, "10"));
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(10, counter(&self->p, "masters"));
	EXPECT_EQ(10, counter(&self->p, "pages_bound"));
	EXPECT_EQ((PAGES - 10) * PAGE, counter(&self->p, "copied_memory"));
	ASSERT_EQ(0, write_text(path, "0"));
	EXPECT_TRUE(all_bound(self));
}

/*
 * Newer kernels can watch writes to any memory (UFFD_FEATURE_WP_ASYNC); older
 * ones refuse what is not theirs to fill.
 */
TEST_F(copy, userfaultfd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = 1 << 15 };
	struct uffdio_register reg = {
		.range = { (uintptr_t)self->g.ram, self->g.pages * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	ASSERT_GE(fd, 0);
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = syscall(SYS_userfaultfd, O_CLOEXEC);
		api = (struct uffdio_api){ .api = UFFD_API };
		ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
		EXPECT_EQ(-1, ioctl(fd, UFFDIO_REGISTER, &reg));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_TRUE(all_bound(self));
	} else if (!ioctl(fd, UFFDIO_REGISTER, &reg)) {
		EXPECT_TRUE(all_copied(self, "copied_userfaultfd"));
	} else {
		/* what may not grow cannot be watched */
		EXPECT_TRUE(shared_mode());
		EXPECT_EQ(EINVAL, errno);
		EXPECT_TRUE(all_bound(self));
	}
	close(fd);
	EXPECT_TRUE(all_bound(self));
}

TEST_HARNESS_MAIN
