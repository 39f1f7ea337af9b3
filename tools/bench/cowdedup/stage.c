// SPDX-License-Identifier: GPL-2.0-only
/*
 * stage.c - see stage.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../../numashare/numashare.h"
#include "stage.h"

void stage_die(const char *what)
{
	complain("%s: %s", what, strerror(errno));
	exit(FAILED);
}

/* --- mounts --- */

static bool mount_images(struct stage *s, const char *disk)
{
	char cmd[256];

	if (!disk)
		return !mount("images", s->images, "tmpfs", 0, "mode=755");
	snprintf(cmd, sizeof(cmd), "mount -o loop '%s' '%s'", disk, s->images);
	return !system(cmd);
}

const char *stage_open(struct stage *s, const char *disk)
{
	s->shared = false;
	if (access("/sys/kernel/cowdedup", F_OK))
		return "cowdedup is not loaded";
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return "no mount namespace: not root";
	strcpy(s->dir, "/tmp/cowdedup.XXXXXX");
	if (!mkdtemp(s->dir))
		stage_die("mkdtemp");
	snprintf(s->images, sizeof(s->images), "%s/images", s->dir);
	snprintf(s->mnt, sizeof(s->mnt), "%s/mnt", s->dir);
	if (mkdir(s->images, 0755) || mkdir(s->mnt, 0755))
		stage_die(s->dir);
	return mount_images(s, disk) ? NULL : "the images cannot be mounted";
}

const char *stage_mount(struct stage *s, const char *more)
{
	char options[128];
	struct stat st;

	snprintf(options, sizeof(options), "images=%s%s", s->images, more);
	if (mount("none", s->mnt, "cowdedup", 0, options))
		return "cowdedup cannot be mounted";
	if (stat(s->mnt, &st))
		stage_die(s->mnt);
	snprintf(s->sysfs, sizeof(s->sysfs),
		 "/sys/kernel/cowdedup/mounts/%u:%u/", major(st.st_dev),
		 minor(st.st_dev));
	return NULL;
}

void stage_unmount(struct stage *s)
{
	int tries = 100;

	/* The last reference on a file may go a moment after close(). */
	while (umount(s->mnt)) {
		if (errno != EBUSY || !tries--)
			stage_die("umount");
		usleep(10000);
	}
}

void stage_close(struct stage *s)
{
	if (umount(s->images))
		stage_die(s->images);
	rmdir(s->images);
	rmdir(s->mnt);
	rmdir(s->dir);
}

/* --- files --- */

uint64_t stage_counter(const struct stage *s, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s%s", s->sysfs, name);
	return nm_read_number(path);
}

static int open_or_die(const char *dir, const char *sub, const char *name,
		       int flags)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s%s", dir, sub, name);
	fd = open(path, flags | O_CLOEXEC, 0644);
	if (fd < 0)
		stage_die(path);
	return fd;
}

int stage_image(const struct stage *s, const char *name)
{
	return open_or_die(s->mnt, "images/", name, O_RDONLY);
}

int stage_below(const struct stage *s, const char *name, int flags)
{
	return open_or_die(s->images, "", name, flags);
}

int stage_ram(const struct stage *s, const char *name, size_t bytes)
{
	int fd = open_or_die(s->mnt, "ram/", name, O_RDWR | O_CREAT | O_EXCL);

	if (ftruncate(fd, bytes))
		stage_die("ftruncate");
	return fd;
}

/* In shared mode it has what is bound as long as it is there. */
void stage_remove_ram(const struct stage *s, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/ram/%s", s->mnt, name);
	if (unlink(path))
		stage_die(path);
}

/* --- memory --- */

char *stage_reserve(size_t bytes, size_t align)
{
	char *p = mmap(NULL, bytes + align, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		stage_die("mmap");
	return (char *)(((uintptr_t)p + align - 1) & ~(align - 1));
}

void stage_map(char *at, int fd, size_t bytes, bool shared)
{
	int flags = MAP_FIXED | MAP_NORESERVE;

	flags |= shared && fd >= 0 ? MAP_SHARED : MAP_PRIVATE;
	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	else if (shared &&
		 fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			   bytes))
		stage_die("fallocate");
	if (mmap(at, bytes, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED)
		stage_die("mmap");
	madvise(at, bytes, MADV_NOHUGEPAGE);
}

/* --- rows --- */

void stage_row(const struct stage_rows *r, const char *name, const char *unit,
	       const char *against, const char *better, const double *v,
	       unsigned int n)
{
	char full[80];

	snprintf(full, sizeof(full), "%s%s", name, r->suffix);
	nm_result_add(r->result, &(struct nm_row) { full, unit, against,
		better, r->backend }, v, n);
}

void stage_null(const struct stage_rows *r, const char *name, const char *unit,
		const char *against, const char *better, const char *why)
{
	char full[80];

	snprintf(full, sizeof(full), "%s%s", name, r->suffix);
	nm_result_null(r->result, &(struct nm_row) { full, unit, against,
		better, r->backend }, why);
}
