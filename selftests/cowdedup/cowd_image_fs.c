// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_image_fs - images on a file system that is full, or read-only, or where
 * somebody does to them what can be done while guests have them
 *
 * Each is read anew after all masters were given back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "kselftest_harness.h"
#include "cowd_disk.h"
#include "cowd_test.h"

#define PAGES	128
#define DATA	32		/* of these, at both ends; between is a hole */
#define SEED	47

FIXTURE(image_fs)
{
	struct disk disk;
	struct place p;
	struct guest g;
	char below[160];
	int image;
};

FIXTURE_VARIANT(image_fs)
{
	bool disk;
	const char *options;
};

FIXTURE_VARIANT_ADD(image_fs, ext4)
{
	.disk = true, .options = "",
};

/* Its pages are its blocks. */
FIXTURE_VARIANT_ADD(image_fs, tmpfs)
{
	.disk = false, .options = "mode=755,size=4m",
};

/* Data at both ends, and a hole between. */
static void sparse_image(FIXTURE_DATA(image_fs) *self)
{
	int fd;

	image_create(&self->p, "base", SEED, PAGES * PAGE);
	fd = open(self->below, O_RDWR | O_CLOEXEC);
	must(fd >= 0, self->below);
	must(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			DATA * PAGE, (PAGES - 2 * DATA) * PAGE), "punch");
	must(!fsync(fd), "fsync");
	close(fd);
}

FIXTURE_SETUP(image_fs)
{
	if (variant->disk)
		disk_open(&self->disk, 16);
	place_open_with(&self->p, variant->disk ? "ext4" : "tmpfs",
			variant->disk ? self->disk.dev : "images",
			variant->options, "");
	snprintf(self->below, sizeof(self->below), "%s/base",
		 self->p.images);
	sparse_image(self);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	guest_open(&self->g, &self->p, "g", 2 * PAGES);
}

FIXTURE_TEARDOWN(image_fs)
{
	guest_close(&self->g);
	if (self->image >= 0)
		close(self->image);
	EXPECT_TRUE(place_close(&self->p));
	if (variant->disk)
		EXPECT_TRUE(disk_close(&self->disk));
}

static bool is_right(const char *ram)
{
	return holds_image(ram, SEED, 0, DATA * PAGE) &&
	       holds_byte(ram + DATA * PAGE, 0, (PAGES - 2 * DATA) * PAGE) &&
	       holds_image(ram + (PAGES - DATA) * PAGE, SEED,
			   (PAGES - DATA) * PAGE, DATA * PAGE);
}

/* All of it is bound, once more, by a read of the guest. */
static bool binds(FIXTURE_DATA(image_fs) *self)
{
	uint64_t bound = counter(&self->p, "pages_bound");
	char *ram = self->g.ram + PAGES * PAGE;

	if (pread(self->image, ram, PAGES * PAGE, 0) != PAGES * PAGE)
		return false;
	return is_right(ram) &&
	       counter(&self->p, "pages_bound") == bound + PAGES;
}

/* What a guest has is right after its masters were given back. */
static bool is_read_again(FIXTURE_DATA(image_fs) *self)
{
	uint64_t again = counter(&self->p, "faults_again");

	squeeze(&self->p);
	if (counter(&self->p, "masters")) {
		printf("# masters are left\n");
		return false;
	}
	write_text("/proc/sys/vm/drop_caches", "1");
	return is_right(self->g.ram) &&
	       counter(&self->p, "faults_again") >= again + PAGES / 16 &&
	       !counter(&self->p, "faults_lost");
}

/* Fill the file system to its last block; false if it is not full then. */
static bool fill(const char *path)
{
	static char block[PAGE] = { 1 };
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ssize_t ret;

	must(fd >= 0, path);
	do {
		ret = write(fd, block, sizeof(block));
	} while (ret > 0);
	if (ret < 0 && errno == ENOSPC)
		fsync(fd);
	else
		ret = 0;
	close(fd);
	return ret < 0;
}

/* What the file takes of it. */
static uint64_t blocks_of(const char *path)
{
	struct stat st;

	must(!stat(path, &st), path);
	return st.st_blocks;
}

TEST_F(image_fs, full)
{
	uint64_t blocks = blocks_of(self->below);
	char path[160];

	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	snprintf(path, sizeof(path), "%s/filler", self->p.images);
	ASSERT_TRUE(fill(path));
	EXPECT_TRUE(binds(self));
	EXPECT_TRUE(is_read_again(self));
	/* reading has taken no block for the hole */
	EXPECT_EQ(blocks, blocks_of(self->below));
	EXPECT_EQ(0, unlink(path));
}

/* Read for the first time when there is no block left. */
TEST_F(image_fs, full_from_the_start)
{
	uint64_t blocks = blocks_of(self->below);
	char path[160];

	snprintf(path, sizeof(path), "%s/filler", self->p.images);
	ASSERT_TRUE(fill(path));
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	EXPECT_TRUE(is_right(self->g.ram));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_bound"));
	EXPECT_TRUE(is_read_again(self));
	EXPECT_EQ(blocks, blocks_of(self->below));
	EXPECT_EQ(0, unlink(path));
}

/* Nobody may read it any more; who has it open may. */
TEST_F(image_fs, made_read_only)
{
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	ASSERT_EQ(0, chmod(self->below, 0));
	EXPECT_TRUE(binds(self));
	EXPECT_TRUE(is_read_again(self));
	ASSERT_EQ(0, chmod(self->below, 0444));
	close(self->image);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	EXPECT_TRUE(binds(self));
}

static int set_immutable(const char *path, bool on)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), flags, ret;

	must(fd >= 0, path);
	ret = ioctl(fd, FS_IOC_GETFLAGS, &flags);
	flags = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	if (!ret)
		ret = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
	return ret;
}

TEST_F(image_fs, made_immutable)
{
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	if (set_immutable(self->below, true))
		SKIP(return, "this file system has no immutable files");
	EXPECT_TRUE(binds(self));
	EXPECT_TRUE(is_read_again(self));
	close(self->image);
	self->image = image_open(&self->p, "base", O_RDONLY);
	EXPECT_TRUE(binds(self));
	EXPECT_EQ(0, set_immutable(self->below, false));
}

/* The whole file system is, while it is shared and when it is opened. */
TEST_F(image_fs, below_read_only)
{
	const char *images = self->p.images;

	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	ASSERT_EQ(0, mount("none", images, NULL, MS_REMOUNT | MS_RDONLY,
			   NULL));
	EXPECT_EQ(-1, open(self->below, O_WRONLY));
	EXPECT_EQ(EROFS, errno);
	EXPECT_TRUE(binds(self));
	EXPECT_TRUE(is_read_again(self));
	close(self->image);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	EXPECT_TRUE(binds(self));
	ASSERT_EQ(0, mount("none", images, NULL, MS_REMOUNT, NULL));
	EXPECT_TRUE(is_read_again(self));
}

/* A guest has what it read of an image that has no name any more. */
TEST_F(image_fs, deleted)
{
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	ASSERT_EQ(0, unlink(self->below));
	EXPECT_TRUE(binds(self));
	EXPECT_TRUE(is_read_again(self));
	/* by what is bound alone */
	close(self->image);
	self->image = -1;
	EXPECT_TRUE(is_read_again(self));
	/* one of the same name is another */
	image_create(&self->p, "base", SEED + 1, PAGES * PAGE);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_EQ(PAGE, pread(self->image, self->g.ram + PAGES * PAGE, PAGE,
			      0));
	EXPECT_TRUE(holds_image(self->g.ram + PAGES * PAGE, SEED + 1, 0,
				PAGE));
	EXPECT_TRUE(is_read_again(self));
}

/* It cannot be cut off while somebody shares it, by no way. */
TEST_F(image_fs, truncated)
{
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int fd;

	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	close(self->image);
	EXPECT_EQ(-1, truncate(self->below, 0));
	EXPECT_EQ(ETXTBSY, errno);
	EXPECT_EQ(-1, open(self->below, O_RDONLY | O_TRUNC));
	EXPECT_EQ(ETXTBSY, errno);
	fd = open(self->below, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, ftruncate(fd, 0));
	EXPECT_EQ(-1, fallocate(fd, punch, 0, PAGE));
	close(fd);
	EXPECT_TRUE(is_read_again(self));
	/* one that is not shared can: reads end where it ends */
	guest_close(&self->g);
	guest_open(&self->g, &self->p, "g", 2 * PAGES);
	fd = open(self->below, O_RDWR | O_CLOEXEC);
	ASSERT_GE(fd, 0);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	ASSERT_EQ(0, ftruncate(fd, 3 * PAGE));
	EXPECT_EQ(3 * PAGE, pread(self->image, self->g.ram, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 3 * PAGE));
	EXPECT_TRUE(holds_byte(self->g.ram + 3 * PAGE, 0, PAGE));
	EXPECT_EQ(3 * PAGE, counter(&self->p, "copied_image"));
	close(fd);
}

TEST_HARNESS_MAIN
