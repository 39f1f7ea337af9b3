// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_device - every ioctl of /dev/cowdedup: sizes, flags, arguments, rights,
 * and that errors change nothing
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/cowdedup.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define PAGES	200
#define SEED	61

FIXTURE(device)
{
	struct place p;
	struct guest g;
	int image, dev;
};

FIXTURE_SETUP(device)
{
	place_open(&self->p);
	image_create(&self->p, "base", SEED, PAGES * PAGE + 100);
	guest_open(&self->g, &self->p, "g", 2 * PAGES);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	self->dev = open("/dev/cowdedup", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->dev, 0);
}

FIXTURE_TEARDOWN(device)
{
	close(self->dev);
	guest_close(&self->g);
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
}

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

/*
 * A structure one shorter than its first version is refused, one longer with
 * rubbish at the end too, one longer with zeros does what the exact one does.
 */
#define CHECK_LENGTH(_cmd, _struct)					\
	do {								\
		struct {						\
			_struct cmd;					\
			uint8_t extra;					\
		} __attribute__((packed)) a;				\
		int exact;						\
									\
		memset(&a, 0, sizeof(a));				\
		a.cmd.size = sizeof(a.cmd) - 1;				\
		EXPECT_EQ(EINVAL, call(self->dev, _cmd, &a));		\
		a.cmd.size = 0;						\
		EXPECT_EQ(EINVAL, call(self->dev, _cmd, &a));		\
		a.cmd.size = sizeof(a.cmd) + 1;				\
		a.extra = UINT8_MAX;					\
		EXPECT_EQ(E2BIG, call(self->dev, _cmd, &a));		\
		a.cmd.size = UINT32_MAX;				\
		EXPECT_EQ(E2BIG, call(self->dev, _cmd, &a));		\
		a.cmd.size = sizeof(a.cmd);				\
		exact = call(self->dev, _cmd, &a);			\
		memset(&a, 0, sizeof(a));				\
		a.cmd.size = sizeof(a.cmd) + 1;				\
		EXPECT_EQ(exact, call(self->dev, _cmd, &a));		\
		memset(&a, 0, sizeof(a));				\
		a.cmd.size = sizeof(a.cmd);				\
		a.cmd.flags = 1;					\
		EXPECT_EQ(EOPNOTSUPP, call(self->dev, _cmd, &a));	\
		EXPECT_EQ(EFAULT, call(self->dev, _cmd, NULL));		\
	} while (0)

TEST_F(device, length)
{
	CHECK_LENGTH(COWDEDUP_INFO, struct cowdedup_info);
	CHECK_LENGTH(COWDEDUP_EXTENTS, struct cowdedup_extents);
	CHECK_LENGTH(COWDEDUP_BIND, struct cowdedup_bind);
	CHECK_LENGTH(COWDEDUP_UNSHARE, struct cowdedup_unshare);
}

/* The layout is the same for every compiler: no hidden padding. */
TEST(layout)
{
	EXPECT_EQ(16, sizeof(struct cowdedup_info));
	EXPECT_EQ(32, sizeof(struct cowdedup_extent));
	EXPECT_EQ(32, sizeof(struct cowdedup_extents));
	EXPECT_EQ(24, offsetof(struct cowdedup_extents, extents));
	EXPECT_EQ(24, sizeof(struct cowdedup_piece));
	EXPECT_EQ(32, sizeof(struct cowdedup_bind));
	EXPECT_EQ(32, sizeof(struct cowdedup_unshare));
}

TEST_F(device, unknown_commands)
{
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		if (nr >= COWDEDUP_CMD_INFO && nr <= COWDEDUP_CMD_UNSHARE)
			continue;
		EXPECT_EQ(ENOTTY, call(self->dev, _IO(COWDEDUP_TYPE, nr),
				       NULL));
	}
	EXPECT_EQ(ENOTTY, call(self->dev, _IO(0xb7, COWDEDUP_CMD_INFO), NULL));
	EXPECT_EQ(ENOTTY, call(self->dev, _IOR(COWDEDUP_TYPE,
					       COWDEDUP_CMD_INFO, int), NULL));
	EXPECT_EQ(ENOTTY, call(self->image, COWDEDUP_INFO, NULL));
	EXPECT_EQ(ENOTTY, call(self->g.fd, COWDEDUP_INFO, NULL));
}

TEST_F(device, info)
{
	struct cowdedup_info a = { .size = sizeof(a) };

	ASSERT_EQ(0, call(self->dev, COWDEDUP_INFO, &a));
	EXPECT_EQ(COWDEDUP_ABI_VERSION, a.abi);
	EXPECT_EQ(PAGE, a.page_size);
}

/* --- extents ------------------------------------------------------------- */

static int extents(FIXTURE_DATA(device) *self, uint64_t *next,
		   struct cowdedup_extent *e, unsigned int *n)
{
	struct cowdedup_extents a = {
		.size = sizeof(a), .ram_fd = self->g.fd, .count = *n,
		.next = *next, .extents = (uintptr_t)e,
	};
	int ret = call(self->dev, COWDEDUP_EXTENTS, &a);

	*next = a.next;
	*n = a.count;
	return ret;
}

static bool is_extent(const struct cowdedup_extent *e, uint64_t ram,
		      uint64_t index, uint64_t image, unsigned int pages)
{
	if (e->ram == ram && e->index == index && e->image == image &&
	    e->pages == pages && !e->reserved)
		return true;
	printf("# extent: ram %llu index %llu image %llu pages %u\n", e->ram,
	       e->index, e->image, e->pages);
	return false;
}

TEST_F(device, extents)
{
	struct cowdedup_extent e[8];
	struct stat image, ram;
	unsigned int n = 8;
	uint64_t next = 0;

	ASSERT_EQ(0, extents(self, &next, e, &n));
	EXPECT_EQ(0, n);
	EXPECT_EQ(UINT64_MAX, next);
	ASSERT_EQ(0, fstat(self->image, &image));
	ASSERT_EQ(0, fstat(self->g.fd, &ram));
	EXPECT_EQ(0, ram.st_blocks);
	ASSERT_EQ(5 * PAGE, pread(self->image, self->g.ram, 5 * PAGE, PAGE));
	ASSERT_EQ(3 * PAGE, pread(self->image, self->g.ram + 5 * PAGE,
				  3 * PAGE, 0));
	ASSERT_EQ(100 * PAGE, pread(self->image, self->g.ram + 50 * PAGE,
				    100 * PAGE, 20 * PAGE));
	/* what is written is still said to be bound; shared, it is not */
	if (!shared_mode())
		self->g.ram[2 * PAGE] = 1;
	n = 8;
	next = 0;
	ASSERT_EQ(0, extents(self, &next, e, &n));
	ASSERT_EQ(3, n);
	EXPECT_EQ(UINT64_MAX, next);
	EXPECT_TRUE(is_extent(e, 0, 1, image.st_ino, 5));
	EXPECT_TRUE(is_extent(e + 1, 5, 0, image.st_ino, 3));
	EXPECT_TRUE(is_extent(e + 2, 50, 20, image.st_ino, 100));
	ASSERT_EQ(0, fstat(self->g.fd, &ram));
	EXPECT_EQ(108 * PAGE / 512, ram.st_blocks);
}

/* In steps of one, and from the middle of an extent on. */
TEST_F(device, extents_in_steps)
{
	struct cowdedup_extent e;
	unsigned int n = 1, i;
	uint64_t next = 0;

	for (i = 0; i < PAGES; i += 2)
		ASSERT_EQ(PAGE, pread(self->image, self->g.ram + i * PAGE,
				      PAGE, i * PAGE));
	for (i = 0; i < PAGES; i += 2) {
		n = 1;
		ASSERT_EQ(0, extents(self, &next, &e, &n));
		ASSERT_EQ(1, n);
		EXPECT_EQ(i, e.ram);
		EXPECT_EQ(i, e.index);
		EXPECT_EQ(1, e.pages);
	}
	EXPECT_EQ(UINT64_MAX, next);
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	next = 33;
	n = 1;
	ASSERT_EQ(0, extents(self, &next, &e, &n));
	EXPECT_EQ(33, e.ram);
	EXPECT_EQ(PAGES - 33, e.pages);
}

TEST_F(device, extents_errors)
{
	struct cowdedup_extent e;
	struct cowdedup_extents a = {
		.size = sizeof(a), .ram_fd = self->g.fd, .count = 1,
		.extents = (uintptr_t)&e,
	};

	ASSERT_EQ(PAGE, pread(self->image, self->g.ram, PAGE, 0));
	a.count = 0;
	EXPECT_EQ(EINVAL, call(self->dev, COWDEDUP_EXTENTS, &a));
	a.count = 65537;
	EXPECT_EQ(EINVAL, call(self->dev, COWDEDUP_EXTENTS, &a));
	a.count = 1;
	a.ram_fd = self->image;
	EXPECT_EQ(EINVAL, call(self->dev, COWDEDUP_EXTENTS, &a));
	a.ram_fd = self->dev;
	EXPECT_EQ(EINVAL, call(self->dev, COWDEDUP_EXTENTS, &a));
	a.ram_fd = -1;
	EXPECT_EQ(EBADF, call(self->dev, COWDEDUP_EXTENTS, &a));
	a.ram_fd = self->g.fd;
	a.extents = 8;
	EXPECT_EQ(EFAULT, call(self->dev, COWDEDUP_EXTENTS, &a));
	a.extents = (uintptr_t)&e;
	a.next = UINT64_MAX;
	EXPECT_EQ(0, call(self->dev, COWDEDUP_EXTENTS, &a));
	EXPECT_EQ(0, a.count);
	a.count = 1;
	a.next = UINT64_MAX / 2;
	EXPECT_EQ(0, call(self->dev, COWDEDUP_EXTENTS, &a));
	EXPECT_EQ(0, a.count);
}

/* --- binding ------------------------------------------------------------- */

static int bind_pieces(FIXTURE_DATA(device) *self,
		       const struct cowdedup_piece *p, unsigned int n,
		       uint64_t *bytes)
{
	struct cowdedup_bind a = {
		.size = sizeof(a), .image_fd = self->image, .count = n,
		.pieces = (uintptr_t)p, .bytes = 77,
	};
	int ret = call(self->dev, COWDEDUP_BIND, &a);

	*bytes = a.bytes;
	return ret;
}

TEST_F(device, bind)
{
	char *ram = self->g.ram;
	struct cowdedup_piece p[] = {
		{ (uintptr_t)ram, PAGE, 100 * PAGE },
		{ (uintptr_t)ram + 150 * PAGE, 0, PAGE },
		{ (uintptr_t)ram + 110 * PAGE, 50 * PAGE, 20 * PAGE },
	};
	uint64_t bytes;

	memset(ram + 3 * PAGE, 7, PAGE);
	ASSERT_EQ(0, bind_pieces(self, p, 3, &bytes));
	EXPECT_EQ(121 * PAGE, bytes);
	EXPECT_TRUE(holds_image(ram, SEED, PAGE, 100 * PAGE));
	EXPECT_TRUE(holds_image(ram + 150 * PAGE, SEED, 0, PAGE));
	EXPECT_TRUE(holds_image(ram + 110 * PAGE, SEED, 50 * PAGE, 20 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 100 * PAGE, 0, 10 * PAGE));
	EXPECT_EQ(121, counter(&self->p, "pages_sharing"));
	EXPECT_EQ(121 * PAGE, counter(&self->p, "bytes_read"));
}

/* It ends at what cannot be bound, and copies nothing. */
TEST_F(device, bind_ends_early)
{
	static char other[PAGE] __attribute__((aligned(4096)));
	char *ram = self->g.ram;
	struct cowdedup_piece p[] = {
		{ (uintptr_t)ram, 0, 70 * PAGE },
		{ (uintptr_t)other, 0, PAGE },
		{ (uintptr_t)ram + 80 * PAGE, 0, PAGE },
	};
	uint64_t bytes;

	ASSERT_EQ(0, bind_pieces(self, p, 3, &bytes));
	EXPECT_EQ(70 * PAGE, bytes);
	EXPECT_TRUE(holds_byte(other, 0, PAGE));
	EXPECT_TRUE(holds_byte(ram + 80 * PAGE, 0, PAGE));
	/* the tail of the image is no whole page, and behind it is nothing */
	p[0].offset = (PAGES - 1) * PAGE;
	p[0].length = 4 * PAGE;
	ASSERT_EQ(0, bind_pieces(self, p, 1, &bytes));
	EXPECT_EQ(PAGE, bytes);
	EXPECT_TRUE(holds_image(ram, SEED, (PAGES - 1) * PAGE, PAGE));
	EXPECT_TRUE(holds_image(ram + PAGE, SEED, PAGE, PAGE));
	p[0].offset = 1ull << 62;
	ASSERT_EQ(0, bind_pieces(self, p, 1, &bytes));
	EXPECT_EQ(0, bytes);
	p[0].offset = -PAGE;
	ASSERT_EQ(0, bind_pieces(self, p, 1, &bytes));
	EXPECT_EQ(0, bytes);
	/* all of the address space */
	p[0] = (struct cowdedup_piece){ -PAGE, 0, 2 * PAGE };
	ASSERT_EQ(0, bind_pieces(self, p, 1, &bytes));
	EXPECT_EQ(0, bytes);
	p[0] = (struct cowdedup_piece){ (uintptr_t)ram, 0, -PAGE };
	ASSERT_EQ(0, bind_pieces(self, p, 1, &bytes));
	EXPECT_EQ(PAGES * PAGE, bytes);
}

TEST_F(device, bind_errors)
{
	char *ram = self->g.ram;
	struct cowdedup_piece p[] = {
		{ (uintptr_t)ram, 0, PAGE },
		{ (uintptr_t)ram + PAGE, 100, PAGE },
	};
	struct cowdedup_bind a = {
		.size = sizeof(a), .image_fd = self->g.fd, .count = 1,
		.pieces = (uintptr_t)p,
	};
	uint64_t bytes;

	EXPECT_EQ(EINVAL, bind_pieces(self, p, 2, &bytes));
	EXPECT_EQ(PAGE, bytes);
	p[1] = (struct cowdedup_piece){ (uintptr_t)ram + 8, 0, PAGE };
	EXPECT_EQ(EINVAL, bind_pieces(self, p + 1, 1, &bytes));
	p[1] = (struct cowdedup_piece){ (uintptr_t)ram, 0, 0 };
	EXPECT_EQ(EINVAL, bind_pieces(self, p + 1, 1, &bytes));
	p[1] = (struct cowdedup_piece){ (uintptr_t)ram, 0, 512 };
	EXPECT_EQ(EINVAL, bind_pieces(self, p + 1, 1, &bytes));
	EXPECT_EQ(EINVAL, bind_pieces(self, p, 0, &bytes));
	EXPECT_EQ(EINVAL, bind_pieces(self, p, 1025, &bytes));
	EXPECT_EQ(EFAULT, bind_pieces(self, NULL, 1, &bytes));
	EXPECT_EQ(EINVAL, call(self->dev, COWDEDUP_BIND, &a));
	a.image_fd = -1;
	EXPECT_EQ(EBADF, call(self->dev, COWDEDUP_BIND, &a));
	EXPECT_EQ(1, counter(&self->p, "pages_bound"));
}

/* --- unsharing ----------------------------------------------------------- */

static int unshare_pages(FIXTURE_DATA(device) *self, int fd, int pid,
			 uint64_t *next, uint64_t *pages)
{
	struct cowdedup_unshare a = {
		.size = sizeof(a), .ram_fd = fd, .pid = pid, .next = *next,
		.pages = *pages,
	};
	int ret = call(self->dev, COWDEDUP_UNSHARE, &a);

	*next = a.next;
	*pages = a.pages;
	return ret;
}

TEST_F(device, unshare)
{
	char *ram = self->g.ram;
	uint64_t next = 0, pages = 50, frame;
	size_t i;

	ASSERT_EQ(150 * PAGE, pread(self->image, ram, 150 * PAGE, 0));
	frame = frame_of(ram + 10 * PAGE);
	memset(ram + 20 * PAGE, 9, PAGE);
	ASSERT_EQ(0, unshare_pages(self, self->g.fd, getpid(), &next, &pages));
	EXPECT_EQ(50, pages);
	/* shared, the page that was written is not bound */
	EXPECT_EQ(50 + shared_mode(), next);
	EXPECT_EQ(100 - shared_mode(), counter(&self->p, "pages_sharing"));
	pages = 1000;
	ASSERT_EQ(0, unshare_pages(self, self->g.fd, getpid(), &next, &pages));
	EXPECT_EQ(100 - shared_mode(), pages);
	EXPECT_EQ(UINT64_MAX, next);
	EXPECT_EQ(0, counter(&self->p, "pages_sharing"));
	EXPECT_NE(frame, frame_of(ram + 10 * PAGE));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 20 * PAGE));
	EXPECT_TRUE(holds_byte(ram + 20 * PAGE, 9, PAGE));
	EXPECT_TRUE(holds_image(ram + 21 * PAGE, SEED, 21 * PAGE,
				129 * PAGE));
	/* it stays so, until the memory is another guest's */
	ASSERT_EQ(PAGE, pread(self->image, ram, PAGE, PAGE));
	EXPECT_TRUE(holds_image(ram, SEED, PAGE, PAGE));
	EXPECT_EQ(PAGE, counter(&self->p, "copied_stopped"));
	munmap(ram, self->g.pages * PAGE);
	self->g.ram = guest_map(&self->g);
	ASSERT_NE(MAP_FAILED, self->g.ram);
	ASSERT_EQ(PAGE, pread(self->image, self->g.ram, PAGE, PAGE));
	EXPECT_EQ(1, counter(&self->p, "pages_sharing"));
	for (i = 0; i < PAGE; i += 512)
		EXPECT_TRUE(holds_image(self->g.ram + i, SEED, PAGE + i, 8));
}

/* Pages that no process has in its page tables, or no mapping at all. */
TEST_F(device, unshare_what_is_not_mapped)
{
	char *ram = self->g.ram;
	uint64_t next = 0, pages = 1000;

	ASSERT_EQ(100 * PAGE, pread(self->image, ram, 100 * PAGE, 0));
	ASSERT_EQ(0, madvise(ram, 50 * PAGE, MADV_DONTNEED));
	ASSERT_EQ(0, munmap(ram, 10 * PAGE));
	ASSERT_EQ(0, mprotect(ram + 10 * PAGE, (self->g.pages - 10) * PAGE,
			      PROT_READ));
	ASSERT_EQ(0, unshare_pages(self, self->g.fd, getpid(), &next, &pages));
	EXPECT_EQ(100, pages);
	EXPECT_EQ(0, counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(holds_image(ram + 10 * PAGE, SEED, 10 * PAGE, 90 * PAGE));
	if (shared_mode()) {
		/* and what no mapping has is in the file */
		ram = guest_map(&self->g);
		ASSERT_NE(MAP_FAILED, ram);
		EXPECT_TRUE(holds_image(ram, SEED, 0, 100 * PAGE));
		munmap(ram, self->g.pages * PAGE);
	}
}

TEST_F(device, unshare_errors)
{
	uint64_t next = 0, pages = 1;
	struct gate gate;
	int fd = open(self->g.path, O_RDONLY);
	pid_t pid;

	ASSERT_EQ(PAGE, pread(self->image, self->g.ram, PAGE, 0));
	EXPECT_EQ(EBADF, unshare_pages(self, fd, getpid(), &next, &pages));
	EXPECT_EQ(EBADF, unshare_pages(self, -1, getpid(), &next, &pages));
	EXPECT_EQ(EINVAL, unshare_pages(self, self->image, getpid(), &next,
					&pages));
	pages = 0;
	EXPECT_EQ(EINVAL, unshare_pages(self, self->g.fd, getpid(), &next,
					&pages));
	pages = 1;
	EXPECT_EQ(ESRCH, unshare_pages(self, self->g.fd, INT_MAX, &next,
				       &pages));
	EXPECT_EQ(ESRCH, unshare_pages(self, self->g.fd, -1, &next, &pages));
	EXPECT_EQ(ENXIO, unshare_pages(self, self->g.fd, getppid(), &next,
				       &pages));
	gate_open(&gate);
	pid = fork();
	if (!pid) {
		gate_wait(gate.to_child);
		_exit(0);
	}
	if (!shared_mode()) {
		EXPECT_EQ(EBUSY, unshare_pages(self, self->g.fd, getpid(),
					       &next, &pages));
	}
	gate_pass(gate.to_child);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(1, counter(&self->p, "pages_sharing"));
	/* and binding goes on */
	ASSERT_EQ(PAGE, pread(self->image, self->g.ram + PAGE, PAGE, 0));
	EXPECT_EQ(2, counter(&self->p, "pages_sharing"));
	close(fd);
}

TEST_HARNESS_MAIN
