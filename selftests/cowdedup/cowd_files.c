// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_files - names and rights in images/ and ram/, and mounting
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/cowdedup.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

FIXTURE(files)
{
	struct place p;
	char below[160], above[160], other[160];
};

FIXTURE_SETUP(files)
{
	place_open(&self->p);
	image_create(&self->p, "base", 1, 3 * PAGE);
	snprintf(self->below, sizeof(self->below), "%s/base", self->p.images);
	snprintf(self->above, sizeof(self->above), "%s/images/base",
		 self->p.mnt);
	snprintf(self->other, sizeof(self->other), "%s/other", self->p.images);
}

FIXTURE_TEARDOWN(files)
{
	EXPECT_TRUE(place_close(&self->p));
}

/* 0 or the errno of opening. */
static int open_errno(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* What a child of another user gets. */
static int open_errno_as(uid_t uid, const char *path, int flags)
{
	pid_t pid = fork();

	if (!pid) {
		must(!setgid(uid) && !setuid(uid), "setuid");
		_exit(open_errno(path, flags));
	}
	return child_status(pid);
}

TEST_F(files, images_are_read_only)
{
	EXPECT_EQ(0, open_errno(self->above, O_RDONLY));
	EXPECT_EQ(EROFS, open_errno(self->above, O_RDWR));
	EXPECT_EQ(EROFS, open_errno(self->above, O_WRONLY | O_TRUNC));
	EXPECT_EQ(-1, truncate(self->above, 0));
	EXPECT_EQ(-1, chmod(self->above, 0777));
	EXPECT_EQ(-1, unlink(self->above));
	snprintf(self->other, sizeof(self->other), "%s/images/new",
		 self->p.mnt);
	EXPECT_NE(0, open_errno(self->other, O_RDWR | O_CREAT));
	EXPECT_EQ(-1, mkdir(self->other, 0700));
}

TEST_F(files, owner_and_mode_below_count)
{
	struct stat st;

	EXPECT_EQ(0, open_errno_as(1000, self->above, O_RDONLY));
	ASSERT_EQ(0, chmod(self->below, 0600));
	EXPECT_EQ(EACCES, open_errno_as(1000, self->above, O_RDONLY));
	ASSERT_EQ(0, chown(self->below, 1000, 1000));
	EXPECT_EQ(0, open_errno_as(1000, self->above, O_RDONLY));
	EXPECT_EQ(EACCES, open_errno_as(1001, self->above, O_RDONLY));
	ASSERT_EQ(0, stat(self->above, &st));
	EXPECT_EQ(1000, st.st_uid);
	EXPECT_EQ(S_IFREG | 0400, st.st_mode);
	EXPECT_EQ(3 * PAGE, st.st_size);
	/* and those of the folder */
	ASSERT_EQ(0, chmod(self->p.images, 0700));
	EXPECT_EQ(EACCES, open_errno_as(1000, self->above, O_RDONLY));
}

TEST_F(files, only_regular_files_beneath)
{
	char path[200];
	struct dirent *e;
	int seen = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/link", self->p.images);
	ASSERT_EQ(0, symlink("/etc/passwd", path));
	snprintf(path, sizeof(path), "%s/folder", self->p.images);
	ASSERT_EQ(0, mkdir(path, 0755));
	snprintf(path, sizeof(path), "%s/fifo", self->p.images);
	ASSERT_EQ(0, mkfifo(path, 0644));
	EXPECT_NE(0, image_open(&self->p, "link", O_RDONLY) < 0);
	EXPECT_EQ(-ENOENT, image_open(&self->p, "folder", O_RDONLY));
	EXPECT_EQ(-ENOENT, image_open(&self->p, "fifo", O_RDONLY));
	EXPECT_EQ(-ENOENT, image_open(&self->p, "nothing", O_RDONLY));
	snprintf(path, sizeof(path), "%s/images", self->p.mnt);
	d = opendir(path);
	ASSERT_NE(NULL, d);
	while ((e = readdir(d))) {
		printf("# %s\n", e->d_name);
		if (!strcmp(e->d_name, "base"))
			seen++;
		else if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			seen = -100;
	}
	closedir(d);
	EXPECT_EQ(1, seen);
}

/* Replaced by rename: who has it open keeps the old one. */
TEST_F(files, replaced_image)
{
	static char mem[3 * PAGE];
	int old = image_open(&self->p, "base", O_RDONLY), fd;

	image_create(&self->p, "other", 2, 2 * PAGE);
	ASSERT_GE(old, 0);
	ASSERT_EQ(0, rename(self->other, self->below));
	fd = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(fd, 0);
	ASSERT_EQ(3 * PAGE, pread(old, mem, sizeof(mem), 0));
	EXPECT_TRUE(holds_image(mem, 1, 0, 3 * PAGE));
	ASSERT_EQ(2 * PAGE, pread(fd, mem, sizeof(mem), 0));
	EXPECT_TRUE(holds_image(mem, 2, 0, 2 * PAGE));
	ASSERT_EQ(0, unlink(self->below));
	EXPECT_EQ(-ENOENT, image_open(&self->p, "base", O_RDONLY));
	ASSERT_EQ(2 * PAGE, pread(fd, mem, sizeof(mem), 0));
	close(fd);
	close(old);
}

/* One file by two names is one image. */
TEST_F(files, hard_links)
{
	struct guest g;
	int a, b;

	ASSERT_EQ(0, link(self->below, self->other));
	a = image_open(&self->p, "base", O_RDONLY);
	b = image_open(&self->p, "other", O_RDONLY);
	guest_open(&g, &self->p, "g", 8);
	ASSERT_EQ(3 * PAGE, pread(a, g.ram, 3 * PAGE, 0));
	ASSERT_EQ(3 * PAGE, pread(b, g.ram + 4 * PAGE, 3 * PAGE, 0));
	EXPECT_TRUE(holds_image(g.ram, 1, 0, 3 * PAGE));
	EXPECT_TRUE(holds_image(g.ram + 4 * PAGE, 1, 0, 3 * PAGE));
	EXPECT_EQ(3, counter(&self->p, "masters"));
	EXPECT_EQ(6, counter(&self->p, "pages_sharing"));
	guest_close(&g);
	close(a);
	close(b);
}

TEST_F(files, writers_are_refused_while_shared)
{
	int fd = image_open(&self->p, "base", O_RDONLY);

	EXPECT_EQ(ETXTBSY, open_errno(self->below, O_WRONLY));
	EXPECT_EQ(0, open_errno(self->below, O_RDONLY));
	close(fd);
	EXPECT_EQ(0, open_errno(self->below, O_WRONLY));
}

/* libvirt makes, owns and labels a folder a domain. */
TEST_F(files, ram_folders)
{
	char dir[160], to[160];
	struct guest g;
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/ram/1-vm", self->p.mnt);
	snprintf(to, sizeof(to), "%s/ram/2-vm", self->p.mnt);
	ASSERT_EQ(0, mkdir(dir, 0700));
	ASSERT_EQ(0, chown(dir, 1000, 1000));
	ASSERT_EQ(0, chmod(dir, 0750));
	ASSERT_EQ(0, stat(dir, &st));
	EXPECT_EQ(1000, st.st_uid);
	EXPECT_EQ(S_IFDIR | 0750, st.st_mode);
	guest_open(&g, &self->p, "1-vm/ram", 4);
	g.ram[0] = 1;
	EXPECT_EQ(-1, rmdir(dir));
	EXPECT_EQ(ENOTEMPTY, errno);
	ASSERT_EQ(0, rename(dir, to));
	snprintf(g.path, sizeof(g.path), "%s/ram/2-vm/ram",
		 self->p.mnt);
	ASSERT_EQ(0, stat(g.path, &st));
	EXPECT_EQ(4 * PAGE, st.st_size);
	guest_close(&g);
	EXPECT_EQ(0, rmdir(to));
	EXPECT_EQ(0, counter(&self->p, "ram_files"));
}

TEST_F(files, it_says_what_it_is)
{
	struct statfs fs;
	char path[160];

	ASSERT_EQ(0, statfs(self->p.mnt, &fs));
	EXPECT_EQ(COWDEDUP_SUPER_MAGIC, fs.f_type);
	snprintf(path, sizeof(path), "%simages", self->p.sysfs);
	EXPECT_EQ(0, access(path, R_OK));
}

TEST_F(files, unmount_is_refused_while_in_use)
{
	struct guest g;
	int fd;

	fd = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-1, umount(self->p.mnt));
	EXPECT_EQ(EBUSY, errno);
	guest_open(&g, &self->p, "g", 4);
	ASSERT_EQ(3 * PAGE, pread(fd, g.ram, 3 * PAGE, 0));
	close(fd);
	close(g.fd);
	usleep(10000);
	/* the mapping alone */
	EXPECT_EQ(-1, umount(self->p.mnt));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_TRUE(holds_image(g.ram, 1, 0, 3 * PAGE));
	munmap(g.ram, 4 * PAGE);
}

/* The rest of a file is there when the mount goes. */
TEST_F(files, unmount_with_files_left)
{
	struct guest g;

	guest_open(&g, &self->p, "left", 1000);
	g.ram[0] = 1;
	munmap(g.ram, g.pages * PAGE);
	close(g.fd);
}

TEST_F(files, mount_options)
{
	char options[200];
	pid_t pid;

	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", 0, NULL));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", 0,
			    "images=/does/not/exist"));
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", 0,
			    "images=/etc/passwd"));
	EXPECT_EQ(ENOTDIR, errno);
	snprintf(options, sizeof(options), "images=%s,mode=private",
		 self->p.images);
	ASSERT_EQ(0, mount("none", self->p.mnt, "cowdedup", 0, options));
	ASSERT_EQ(0, umount(self->p.mnt));
	snprintf(options, sizeof(options),
		 "images=%s,content=off,replicas=off,group=mount",
		 self->p.images);
	ASSERT_EQ(0, mount("none", self->p.mnt, "cowdedup", 0, options));
	ASSERT_EQ(0, umount(self->p.mnt));
	snprintf(options, sizeof(options), "images=%s,content=yes",
		 self->p.images);
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", 0, options));
	EXPECT_EQ(EINVAL, errno);
	snprintf(options, sizeof(options), "images=%s,replicas=2",
		 self->p.images);
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", 0, options));
	EXPECT_EQ(EINVAL, errno);
	snprintf(options, sizeof(options), "images=%s,content=on,replicas=on",
		 self->p.images);
	ASSERT_EQ(0, mount("none", self->p.mnt, "cowdedup", 0, options));
	ASSERT_EQ(0, umount(self->p.mnt));
	snprintf(options, sizeof(options), "images=%s,mode=other",
		 self->p.images);
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", 0, options));
	EXPECT_EQ(EINVAL, errno);
	/* not over itself */
	snprintf(options, sizeof(options), "images=%s/ram", self->p.mnt);
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", 0, options));
	EXPECT_EQ(EINVAL, errno);
	/* and not without rights over the machine */
	pid = fork();
	if (!pid) {
		must(!unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare");
		snprintf(options, sizeof(options), "images=%s",
			 self->p.images);
		_exit(!mount("none", self->p.mnt, "cowdedup", 0, options));
	}
	EXPECT_EQ(0, child_status(pid));
}

/* --- options ------------------------------------------------------------- */

TEST_F(files, owner_of_ram)
{
	struct place p;
	char path[160];
	struct stat st;

	place_open_with(&p, "tmpfs", "images", "mode=755",
			",uid=1234,gid=99,mode=0750");
	snprintf(path, sizeof(path), "%s/ram", p.mnt);
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(1234, st.st_uid);
	EXPECT_EQ(99, st.st_gid);
	EXPECT_EQ(0750, st.st_mode & 07777);
	snprintf(path, sizeof(path),
		 "grep -q ' %s cowdedup .*,uid=1234,gid=99,mode=750 ' /proc/mounts",
		 p.mnt);
	EXPECT_EQ(0, system(path));
	EXPECT_TRUE(place_close(&p));
}

/* With the same options it is no error, and others are one. */
TEST_F(files, remount)
{
	EXPECT_EQ(0, mount("none", self->p.mnt, "cowdedup", MS_REMOUNT, NULL));
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", MS_REMOUNT,
			    "reclaim=off"));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, mount("none", self->p.mnt, "cowdedup", MS_REMOUNT,
			   "reclaim=on"));
}

TEST_F(files, strict)
{
	char path[160], options[200];
	struct place p;
	int fd;

	place_open_with(&p, "tmpfs", "images", "mode=755", ",strict=on");
	image_create(&p, "base", 1, 3 * PAGE);
	snprintf(path, sizeof(path), "%s/base", p.images);
	fd = open(path, O_RDWR);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-ETXTBSY, image_open(&p, "base", O_RDONLY));
	close(fd);
	fd = image_open(&p, "base", O_RDONLY);
	EXPECT_GE(fd, 0);
	close(fd);
	EXPECT_TRUE(place_close(&p));
	/* /proc is nothing to share */
	snprintf(options, sizeof(options), "images=/proc/sys,strict=on");
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", 0, options));
	EXPECT_EQ(EOPNOTSUPP, errno);
}

/* A guest in a folder of ram/ shares with those in it, and with nobody else. */
TEST_F(files, groups)
{
	static const char *const name[] = { "a/1", "a/sub/2", "b/3", "4" };
	char path[200], to[200];
	struct guest g[4];
	struct place p;
	int image, i, k;

	place_open_with(&p, "tmpfs", "images", "mode=755", ",group=dir");
	image_create(&p, "base", 1, 8 * PAGE);
	image = image_open(&p, "base", O_RDONLY);
	ASSERT_GE(image, 0);
	snprintf(path, sizeof(path), "mkdir -p %s/ram/a/sub %s/ram/b", p.mnt,
		 p.mnt);
	ASSERT_EQ(0, system(path));
	for (i = 0; i < 4; i++) {
		guest_open(&g[i], &p, name[i], 8);
		ASSERT_EQ(8 * PAGE, pread(image, g[i].ram, 8 * PAGE, 0));
		EXPECT_TRUE(holds_image(g[i].ram, 1, 0, 8 * PAGE));
	}
	EXPECT_EQ(3 * 8, counter(&p, "masters"));
	for (i = 0; i < 4; i++) {
		for (k = 0; k < i; k++)
			EXPECT_EQ(i == 1 && k == 0,
				  frame_of(g[i].ram) == frame_of(g[k].ram));
	}
	/* nothing gets into another group by its name */
	snprintf(to, sizeof(to), "%s/ram/b/1", p.mnt);
	EXPECT_EQ(-1, rename(g[0].path, to));
	EXPECT_EQ(EXDEV, errno);
	snprintf(path, sizeof(path), "%s/ram/a/sub", p.mnt);
	snprintf(to, sizeof(to), "%s/ram/c", p.mnt);
	EXPECT_EQ(-1, rename(path, to));
	EXPECT_EQ(EXDEV, errno);
	snprintf(path, sizeof(path), "%s/ram/a", p.mnt);
	EXPECT_EQ(0, rename(path, to));
	EXPECT_EQ(0, rename(to, path));
	for (i = 0; i < 4; i++)
		guest_close(&g[i]);
	close(image);
	EXPECT_TRUE(place_close(&p));
}

TEST_HARNESS_MAIN
