// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_bind - what guests read from an image is there, once for all of them,
 * and what one of them writes is its own: by every way to read
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"
#include "ring.h"

#define PAGES	300		/* of the image: several batches */
#define SEED	7

FIXTURE(bind)
{
	struct place p;
	struct guest a, b;
	int image;
};

FIXTURE_SETUP(bind)
{
	place_open(&self->p);
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	guest_open(&self->a, &self->p, "a", PAGES + 8);
	guest_open(&self->b, &self->p, "b", PAGES + 8);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
}

FIXTURE_TEARDOWN(bind)
{
	guest_close(&self->a);
	guest_close(&self->b);
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
}

TEST_F(bind, two_guests_have_one_copy)
{
	struct guest *a = &self->a, *b = &self->b;
	size_t i;

	ASSERT_EQ(PAGES * PAGE, pread(self->image, a->ram, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(a->ram, SEED, 0, PAGES * PAGE));
	ASSERT_EQ(PAGES * PAGE, pread(self->image, b->ram, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(b->ram, SEED, 0, PAGES * PAGE));
	for (i = 0; i < PAGES; i++) {
		ASSERT_NE(0, frame_of(a->ram + i * PAGE));
		ASSERT_EQ(frame_of(a->ram + i * PAGE),
			  frame_of(b->ram + i * PAGE));
	}
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_made"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "pages_sharing"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "pages_bound"));
	EXPECT_EQ(2 * PAGES * PAGE, counter(&self->p, "bytes_read"));
}

TEST_F(bind, what_one_writes_is_its_own)
{
	struct guest *a = &self->a, *b = &self->b;
	size_t i;

	ASSERT_EQ(64 * PAGE, pread(self->image, a->ram, 64 * PAGE, 0));
	ASSERT_EQ(64 * PAGE, pread(self->image, b->ram, 64 * PAGE, 0));
	/* pages that were read, and, from 32 on, not touched before */
	for (i = 0; i < 32; i++)
		EXPECT_TRUE(holds_image(a->ram + i * PAGE, SEED, i * PAGE, 8));
	for (i = 0; i < 64; i += 2)
		a->ram[i * PAGE + 100] ^= 0x55;
	for (i = 0; i < 64; i++) {
		char *page = a->ram + i * PAGE;

		EXPECT_TRUE(holds_image(page, SEED, i * PAGE, 100));
		EXPECT_TRUE(holds_image(page + 101, SEED, i * PAGE + 101,
					PAGE - 101));
		EXPECT_EQ(i % 2, holds_image(page + 100, SEED, i * PAGE + 100,
					     1));
	}
	EXPECT_TRUE(holds_image(b->ram, SEED, 0, 64 * PAGE));
	/* a third read, of what the masters are */
	ASSERT_EQ(64 * PAGE, pread(self->image, b->ram + 64 * PAGE, 64 * PAGE,
				   0));
	EXPECT_TRUE(holds_image(b->ram + 64 * PAGE, SEED, 0, 64 * PAGE));
	EXPECT_EQ(64, counter(&self->p, "masters"));
}

TEST_F(bind, a_read_overwrites_what_the_guest_wrote)
{
	struct guest *a = &self->a;

	memset(a->ram, 0x11, 64 * PAGE);
	ASSERT_EQ(32 * PAGE, pread(self->image, a->ram + PAGE, 32 * PAGE,
				   5 * PAGE));
	EXPECT_TRUE(holds_byte(a->ram, 0x11, PAGE));
	EXPECT_TRUE(holds_image(a->ram + PAGE, SEED, 5 * PAGE, 32 * PAGE));
	EXPECT_TRUE(holds_byte(a->ram + 33 * PAGE, 0x11, 31 * PAGE));
	/* and another block where one was bound and written to */
	memset(a->ram + PAGE, 0x22, PAGE);
	ASSERT_EQ(PAGE, pread(self->image, a->ram + PAGE, PAGE, 9 * PAGE));
	EXPECT_TRUE(holds_image(a->ram + PAGE, SEED, 9 * PAGE, PAGE));
	ASSERT_EQ(PAGE, pread(self->image, a->ram + PAGE, PAGE, 10 * PAGE));
	EXPECT_TRUE(holds_image(a->ram + PAGE, SEED, 10 * PAGE, PAGE));
	EXPECT_EQ(32, counter(&self->p, "pages_sharing"));
}

TEST_F(bind, unbound_memory_is_zero)
{
	struct guest *a = &self->a;

	EXPECT_TRUE(holds_byte(a->ram, 0, 40 * PAGE));
	a->ram[3 * PAGE] = 1;
	EXPECT_TRUE(holds_byte(a->ram, 0, 3 * PAGE));
	EXPECT_TRUE(holds_byte(a->ram + 3 * PAGE + 1, 0, 36 * PAGE));
	EXPECT_TRUE(holds_byte(self->b.ram, 0, 40 * PAGE));
	ASSERT_EQ(PAGE, pread(self->image, a->ram + 5 * PAGE, PAGE, 0));
	EXPECT_TRUE(holds_image(a->ram + 5 * PAGE, SEED, 0, PAGE));
	EXPECT_TRUE(holds_byte(a->ram + 6 * PAGE, 0, PAGE));
	/* shared, they are pages of shmem */
	EXPECT_EQ(!shared_mode(), !!counter(&self->p, "faults_zero"));
}

TEST_F(bind, tail_of_an_image)
{
	struct guest *a = &self->a;
	int fd;

	image_create(&self->p, "odd", 3, 2 * PAGE + 1000);
	fd = image_open(&self->p, "odd", O_RDONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(2 * PAGE + 1000, lseek(fd, 0, SEEK_END));
	memset(a->ram, 0x77, 4 * PAGE);
	ASSERT_EQ(2 * PAGE + 1000, pread(fd, a->ram, 4 * PAGE, 0));
	EXPECT_TRUE(holds_image(a->ram, 3, 0, 2 * PAGE + 1000));
	EXPECT_TRUE(holds_byte(a->ram + 2 * PAGE + 1000, 0x77,
			       2 * PAGE - 1000));
	EXPECT_EQ(0, pread(fd, a->ram, PAGE, 2 * PAGE + 1000));
	EXPECT_EQ(0, pread(fd, a->ram, PAGE, 1ul << 40));
	EXPECT_EQ(2, counter(&self->p, "pages_bound"));
	EXPECT_EQ(1000, counter(&self->p, "copied_unaligned"));
	close(fd);
}

/* Aligned, unaligned, empty and foreign segments in one read. */
TEST_F(bind, vectors)
{
	struct guest *a = &self->a, *b = &self->b;
	static char other[3 * PAGE] __attribute__((aligned(4096)));
	struct iovec v[] = {
		{ a->ram, 3 * PAGE },
		{ a->ram + 3 * PAGE, 512 },
		{ NULL, 0 },
		{ a->ram + 10 * PAGE + 512, 2 * PAGE - 512 },
		{ other, sizeof(other) },
		{ b->ram + 20 * PAGE, 70 * PAGE },
		{ a->ram + 50 * PAGE, PAGE },
	};
	size_t all = 0, i, pos = 0;

	for (i = 0; i < 7; i++)
		all += v[i].iov_len;
	ASSERT_EQ(all, preadv(self->image, v, 7, PAGE));
	for (i = 0; i < 7; i++) {
		EXPECT_TRUE(holds_image(v[i].iov_base, SEED, PAGE + pos,
					v[i].iov_len));
		pos += v[i].iov_len;
	}
	/* 3 of the first, 1 of the fourth, 70, 1 */
	EXPECT_EQ(75, counter(&self->p, "pages_bound"));
	EXPECT_EQ(3 * PAGE, counter(&self->p, "copied_elsewhere"));
	EXPECT_EQ(PAGE, counter(&self->p, "copied_unaligned"));
}

TEST_F(bind, read_moves_on)
{
	struct guest *a = &self->a;

	ASSERT_EQ(2 * PAGE, read(self->image, a->ram, 2 * PAGE));
	ASSERT_EQ(100, read(self->image, a->ram + 2 * PAGE, 100));
	EXPECT_EQ(2 * PAGE + 100, lseek(self->image, 0, SEEK_CUR));
	EXPECT_TRUE(holds_image(a->ram, SEED, 0, 2 * PAGE + 100));
	ASSERT_EQ(PAGE, read(self->image, a->ram, PAGE));
	EXPECT_TRUE(holds_image(a->ram, SEED, 2 * PAGE + 100, PAGE));
	EXPECT_EQ(2, counter(&self->p, "pages_bound"));
}

TEST_F(bind, direct_io)
{
	struct guest *a = &self->a;
	int fd = image_open(&self->p, "base", O_RDONLY | O_DIRECT);

	ASSERT_GE(fd, 0);
	ASSERT_EQ(40 * PAGE, pread(fd, a->ram, 40 * PAGE, PAGE));
	EXPECT_TRUE(holds_image(a->ram, SEED, PAGE, 40 * PAGE));
	ASSERT_EQ(512, pread(fd, a->ram, 512, 512));
	EXPECT_TRUE(holds_image(a->ram, SEED, 512, 512));
	EXPECT_TRUE(holds_image(a->ram + 512, SEED, PAGE + 512,
				39 * PAGE - 512));
	EXPECT_EQ(40, counter(&self->p, "pages_bound"));
	close(fd);
}

TEST_F(bind, linux_aio)
{
	struct guest *a = &self->a;
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = self->image,
		.aio_buf = (uintptr_t)a->ram,
		.aio_nbytes = 20 * PAGE,
		.aio_offset = 3 * PAGE,
	}, *cbs[] = { &cb };
	struct io_event event;
	aio_context_t ctx = 0;

	ASSERT_EQ(0, syscall(SYS_io_setup, 1, &ctx));
	ASSERT_EQ(1, syscall(SYS_io_submit, ctx, 1, cbs));
	ASSERT_EQ(1, syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL));
	EXPECT_EQ(20 * PAGE, event.res);
	EXPECT_TRUE(holds_image(a->ram, SEED, 3 * PAGE, 20 * PAGE));
	EXPECT_EQ(20, counter(&self->p, "pages_bound"));
	syscall(SYS_io_destroy, ctx);
}

TEST_F(bind, io_uring)
{
	struct guest *a = &self->a;
	struct iovec v[] = {
		{ a->ram, 10 * PAGE },
		{ a->ram + 100 * PAGE, 12 * PAGE },
	};
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READV,
		.fd = self->image,
		.addr = (uintptr_t)v,
		.len = 2,
		.off = 7 * PAGE,
	};
	struct ring ring;

	ASSERT_TRUE(ring_open(&ring));
	EXPECT_EQ(22 * PAGE, ring_do(&ring, &sqe));
	EXPECT_TRUE(holds_image(a->ram, SEED, 7 * PAGE, 10 * PAGE));
	EXPECT_TRUE(holds_image(a->ram + 100 * PAGE, SEED, 17 * PAGE,
				12 * PAGE));
	EXPECT_EQ(22, counter(&self->p, "pages_bound"));
	/* the same by one of its threads */
	sqe.flags = IOSQE_ASYNC;
	sqe.off = 50 * PAGE;
	EXPECT_EQ(22 * PAGE, ring_do(&ring, &sqe));
	EXPECT_TRUE(holds_image(a->ram, SEED, 50 * PAGE, 10 * PAGE));
	EXPECT_TRUE(holds_image(a->ram + 100 * PAGE, SEED, 60 * PAGE,
				12 * PAGE));
	EXPECT_EQ(44, counter(&self->p, "pages_bound"));
	ring_close(&ring);
}

/* A copy, and a right one. */
TEST_F(bind, splice)
{
	static char mem[9 * PAGE];
	int fd = memfd_create("to", 0), ends[2];

	ASSERT_EQ(9 * PAGE, sendfile(fd, self->image, NULL, 9 * PAGE));
	ASSERT_EQ(9 * PAGE, pread(fd, mem, 9 * PAGE, 0));
	EXPECT_TRUE(holds_image(mem, SEED, 0, 9 * PAGE));
	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(2 * PAGE, splice(self->image, NULL, ends[1], NULL, 2 * PAGE,
				   0));
	ASSERT_EQ(2 * PAGE, read(ends[0], mem, sizeof(mem)));
	EXPECT_TRUE(holds_image(mem, SEED, 9 * PAGE, 2 * PAGE));
	EXPECT_EQ(11 * PAGE, counter(&self->p, "copied_elsewhere"));
	close(fd);
}

TEST_F(bind, pages_are_mapped_at_once)
{
	struct guest *a = &self->a;
	size_t i;

	ASSERT_EQ(64 * PAGE, pread(self->image, a->ram, 64 * PAGE, 0));
	for (i = 0; i < 64; i++)
		EXPECT_NE(0, frame_of(a->ram + i * PAGE));
	EXPECT_EQ(64, counter(&self->p, "pages_inserted"));
	/* few of them are not, but 16 are around a fault */
	for (i = 64; i < 96; i += 4)
		ASSERT_EQ(4 * PAGE, pread(self->image, a->ram + i * PAGE,
					  4 * PAGE, i * PAGE));
	for (i = 64; i < 96; i++)
		EXPECT_EQ(0, frame_of(a->ram + i * PAGE));
	EXPECT_TRUE(holds_image(a->ram + 70 * PAGE, SEED, 70 * PAGE, 8));
	for (i = 64; i < 96; i++)
		EXPECT_EQ(i < 80, !!frame_of(a->ram + i * PAGE));
	EXPECT_EQ(80, counter(&self->p, "pages_inserted"));
	EXPECT_TRUE(holds_image(a->ram, SEED, 0, 96 * PAGE));
}

TEST_F(bind, a_fault_a_page)
{
	struct guest *a = &self->a;
	size_t i;

	ASSERT_EQ(0, write_text(SYSFS "insert", "0"));
	ASSERT_EQ(64 * PAGE, pread(self->image, a->ram, 64 * PAGE, 0));
	ASSERT_EQ(0, write_text(SYSFS "insert", "1"));
	for (i = 0; i < 64; i++)
		EXPECT_EQ(0, frame_of(a->ram + i * PAGE));
	ASSERT_EQ(0, write_text(SYSFS "insert", "0"));
	EXPECT_TRUE(holds_image(a->ram, SEED, 0, 64 * PAGE));
	ASSERT_EQ(0, write_text(SYSFS "insert", "1"));
	EXPECT_EQ(64, counter(&self->p, "faults_bound"));
	EXPECT_EQ(0, counter(&self->p, "pages_inserted"));
}

/* Two processes, the second by another name of the mount's image. */
TEST_F(bind, two_processes)
{
	uint64_t there, here;
	int ends[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(ends));
	guest_close(&self->b);
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->a.ram, PAGES * PAGE,
				      0));
	/* The child maps nothing of the first guest. */
	madvise(self->a.ram, self->a.pages * PAGE, MADV_DONTFORK);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct guest g;
		int fd = image_open(&self->p, "base", O_RDONLY);

		guest_open(&g, &self->p, "child", PAGES);
		if (pread(fd, g.ram, PAGES * PAGE, 0) != PAGES * PAGE ||
		    !holds_image(g.ram, SEED, 0, PAGES * PAGE))
			_exit(1);
		there = frame_of(g.ram + 9 * PAGE);
		memset(g.ram, 0xee, PAGES * PAGE / 2);
		must(write(ends[1], &there, 8) == 8, "write");
		unlink(g.path);
		_exit(!holds_image(g.ram + PAGES * PAGE / 2, SEED,
				   PAGES * PAGE / 2, PAGES * PAGE / 2));
	}
	EXPECT_EQ(8, read(ends[0], &there, 8));
	EXPECT_EQ(0, child_status(pid));
	EXPECT_TRUE(holds_image(self->a.ram, SEED, 0, PAGES * PAGE));
	here = frame_of(self->a.ram + 9 * PAGE);
	EXPECT_NE(0, here);
	EXPECT_EQ(here, there);
	EXPECT_EQ(PAGES, counter(&self->p, "masters_made"));
	guest_open(&self->b, &self->p, "b", PAGES);
}

TEST_HARNESS_MAIN
