// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_fail - mounting, images, memory of guests and reads into it, with each
 * of their allocations failing in turn
 *
 * A failure must end in a plain errno, or in a read that is right as far as it
 * goes; and what is bound, held and mounted afterwards is what was before.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/cowdedup.h>

#include "cowd_test.h"
#include "fail_nth.h"
#include "fault.h"

#define PAGES	20
#define SEED	51

/* What the calls work on. */
static struct {
	struct place p;
	struct guest g;
	char again[96];		/* a second mount */
	char dir[128];
	int image;
	int dev;
	int fd;
	void *map;
} x;

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static const char *idle(void)
{
	if (counter(&x.p, "pages_sharing"))
		return "pages are bound";
	if (counter(&x.p, "ram_files") != 1)
		return "a ram file is left, or gone";
	return place_adds_up(&x.p) ? NULL : "it does not add up";
}

static const char *settle_file(void *ctx, long ret)
{
	(void)ctx;
	(void)ret;
	if (x.fd >= 0)
		close(x.fd);
	x.fd = -1;
	return idle();
}

/* --- mounting and names --------------------------------------------------- */

static long call_mount(void *ctx)
{
	char options[128];

	(void)ctx;
	snprintf(options, sizeof(options), "images=%s,content=on,replicas=on",
		 x.p.images);
	return result(mount("none", x.again, "cowdedup", 0, options));
}

static const char *settle_mount(void *ctx, long ret)
{
	(void)ctx;
	if (ret >= 0 && umount(x.again))
		return "it cannot be unmounted";
	return idle();
}

static long call_open_image(void *ctx)
{
	(void)ctx;
	x.fd = image_open(&x.p, "other", O_RDONLY);
	return x.fd;
}

static long call_list(void *ctx)
{
	char buf[1024];

	(void)ctx;
	snprintf(buf, sizeof(buf), "%s/images", x.p.mnt);
	x.fd = open(buf, O_RDONLY | O_DIRECTORY);
	if (x.fd < 0)
		return -errno;
	return result(getdents64(x.fd, buf, sizeof(buf)));
}

static long call_stat(void *ctx)
{
	struct stat st;
	char path[160];

	(void)ctx;
	snprintf(path, sizeof(path), "%s/images/other", x.p.mnt);
	return result(stat(path, &st));
}

static long call_create(void *ctx)
{
	char path[160];

	(void)ctx;
	snprintf(path, sizeof(path), "%s/ram/new", x.p.mnt);
	x.fd = open(path, O_RDWR | O_CREAT, 0600);
	return result(x.fd);
}

static const char *settle_create(void *ctx, long ret)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/ram/new", x.p.mnt);
	if (x.fd >= 0)
		close(x.fd);
	x.fd = -1;
	unlink(path);
	return settle_file(ctx, ret);
}

static long call_mkdir(void *ctx)
{
	(void)ctx;
	return result(mkdir(x.dir, 0700));
}

static const char *settle_mkdir(void *ctx, long ret)
{
	if (!rmdir(x.dir) != !ret)
		return "it is there, or not, against what was said";
	return settle_file(ctx, ret);
}

static void new_file(void *ctx)
{
	must(call_create(ctx) >= 0, "a file in ram/");
}

static long call_truncate(void *ctx)
{
	(void)ctx;
	return result(ftruncate(x.fd, 1000 * PAGE));
}

/* --- memory --------------------------------------------------------------- */

static long call_mmap(void *ctx)
{
	(void)ctx;
	x.map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE,
		     x.g.fd, 0);
	return x.map == MAP_FAILED ? -errno : 0;
}

static const char *settle_mmap(void *ctx, long ret)
{
	if (!ret)
		munmap(x.map, PAGES * PAGE);
	return settle_file(ctx, ret);
}

static void mapped(void *ctx)
{
	must(!call_mmap(ctx), "mmap");
}

static long call_read(void *ctx)
{
	(void)ctx;
	return result(pread(x.image, x.map, PAGES * PAGE, 0));
}

static const char *settle_read(void *ctx, long ret)
{
	bool right = ret <= 0 || holds_image(x.map, SEED, 0, ret);

	munmap(x.map, PAGES * PAGE);
	if (!right)
		return "wrong data";
	return settle_file(ctx, ret);
}

/* The masters are there; others are bound already. */
static void mapped_and_bound(void *ctx)
{
	mapped(ctx);
	must(pread(x.image, x.map, PAGES * PAGE, 0) == PAGES * PAGE, "pread");
	must(pread(x.image, (char *)x.map + PAGE, (PAGES - 1) * PAGE, 0) ==
	     (PAGES - 1) * PAGE, "pread");
}

/* None is there. */
static void mapped_and_forgotten(void *ctx)
{
	mapped(ctx);
	must(!write_text("/proc/sys/vm/drop_caches", "2"), "drop_caches");
}

/* For another node, and there is none of that: the next one makes replicas. */
static void mapped_and_far(void *ctx)
{
	numa_run_on_node(0);
	mapped_and_forgotten(ctx);
	must(pread(x.image, x.map, PAGES * PAGE, 0) == PAGES * PAGE, "pread");
	numa_run_on_node(numa_max_node());
	must(pread(x.image, x.map, PAGES * PAGE, 0) == PAGES * PAGE, "pread");
}

/* They are made, and lose their pages. */
static void mapped_and_left(void *ctx)
{
	mapped_and_far(ctx);
	must(pread(x.image, x.map, PAGES * PAGE, 0) == PAGES * PAGE, "pread");
	squeeze(&x.p);
}

static const char *settle_near(void *ctx, long ret)
{
	numa_run_on_node(-1);
	return settle_read(ctx, ret);
}

static const char *settle_left(void *ctx, long ret)
{
	(void)ret;
	return settle_near(ctx, PAGES * PAGE);
}

/* Another image has the same pages. */
static void mapped_and_held_by_another(void *ctx)
{
	mapped(ctx);
	must(pread(x.image, x.map, PAGES * PAGE, 0) == PAGES * PAGE, "pread");
	must(call_open_image(ctx) >= 0, "other");
}

static long call_read_other(void *ctx)
{
	(void)ctx;
	return result(pread(x.fd, x.map, PAGES * PAGE, 0));
}

/* Faults are in what populates: its errors do not kill. */
static long call_touch(void *ctx)
{
	(void)ctx;
	return result(madvise(x.map, PAGES * PAGE, 22 /* POPULATE_READ */));
}

static long call_write(void *ctx)
{
	(void)ctx;
	return result(madvise(x.map, PAGES * PAGE, 23 /* POPULATE_WRITE */));
}

static void mapped_and_read(void *ctx)
{
	mapped(ctx);
	write_text(SYSFS "insert", "0");
	must(pread(x.image, x.map, PAGES * PAGE, 0) == PAGES * PAGE, "pread");
	write_text(SYSFS "insert", "1");
}

static const char *settle_touched(void *ctx, long ret)
{
	(void)ret;
	return settle_read(ctx, PAGES * PAGE);
}

static long call_punch(void *ctx)
{
	(void)ctx;
	return result(fallocate(x.g.fd, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, 0, PAGES * PAGE));
}

static const char *settle_punch(void *ctx, long ret)
{
	bool right = ret || holds_byte(x.map, 0, PAGES * PAGE);

	munmap(x.map, PAGES * PAGE);
	if (!right)
		return "not punched";
	return settle_file(ctx, ret);
}

static long call_unshare(void *ctx)
{
	struct cowdedup_unshare a = {
		.size = sizeof(a), .ram_fd = x.g.fd, .pid = getpid(),
		.pages = PAGES,
	};

	(void)ctx;
	return result(ioctl(x.dev, COWDEDUP_UNSHARE, &a));
}

static const char *settle_unshare(void *ctx, long ret)
{
	if (!ret && counter(&x.p, "pages_sharing"))
		return "pages are shared still";
	return settle_read(ctx, PAGES * PAGE);
}

static long call_munmap(void *ctx)
{
	(void)ctx;
	return result(munmap(x.map, PAGES * PAGE));
}

static const char *settle_munmap(void *ctx, long ret)
{
	if (ret)
		munmap(x.map, PAGES * PAGE);
	return settle_file(ctx, ret);
}

/* --- all of them ---------------------------------------------------------- */

static const struct fail_nth_call calls[] = {
	{ "mount", NULL, call_mount, settle_mount },
	{ "open an image", NULL, call_open_image, settle_file },
	{ "list images", NULL, call_list, settle_file },
	{ "stat an image", NULL, call_stat, settle_file },
	{ "create", NULL, call_create, settle_create },
	{ "mkdir", NULL, call_mkdir, settle_mkdir },
	{ "ftruncate", new_file, call_truncate, settle_create },
	{ "mmap", NULL, call_mmap, settle_mmap },
	{ "read", mapped, call_read, settle_read },
	{ "read without masters", mapped_and_forgotten, call_read,
	  settle_read },
	{ "read what another image holds", mapped_and_held_by_another,
	  call_read_other, settle_read },
	{ "read over what is bound", mapped_and_bound, call_read,
	  settle_read },
	{ "read that makes replicas", mapped_and_far, call_read, settle_near },
	{ "read faults", mapped_and_read, call_touch, settle_touched },
	{ "read faults that leave replicas", mapped_and_left, call_touch,
	  settle_left },
	{ "write faults", mapped_and_read, call_write, settle_touched },
	{ "punch", mapped_and_bound, call_punch, settle_punch },
	{ "unshare", mapped_and_read, call_unshare, settle_unshare },
	{ "munmap", mapped_and_bound, call_munmap, settle_munmap },
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	unsigned int i;
	bool closed, merged, near;

	printf("TAP version 13\n1..%zu\n", COUNT(calls) + 1);
	if (!fault_setup())
		return 1;
	x.fd = -1;
	place_open_with(&x.p, "tmpfs", "images", "mode=755", ",content=on,replicas=on");
	image_create(&x.p, "base", SEED, PAGES * PAGE);
	image_create(&x.p, "other", SEED, PAGES * PAGE);
	snprintf(x.again, sizeof(x.again), "%s/again", x.p.dir);
	snprintf(x.dir, sizeof(x.dir), "%s/ram/dir", x.p.mnt);
	must(!mkdir(x.again, 0755), "mkdir");
	x.image = image_open(&x.p, "base", O_RDONLY);
	must(x.image >= 0, "base");
	x.dev = open("/dev/cowdedup", O_RDWR | O_CLOEXEC);
	must(x.dev >= 0, "/dev/cowdedup");
	guest_open(&x.g, &x.p, "g", PAGES);
	munmap(x.g.ram, PAGES * PAGE);
	for (i = 0; i < COUNT(calls); i++)
		fail_nth_test(&calls[i], NULL);
	close(x.g.fd);
	close(x.dev);
	close(x.image);
	rmdir(x.again);
	merged = counter(&x.p, "masters_merged") >= PAGES;
	near = numa_max_node() < 1 ||
	       (counter(&x.p, "replicas_made") >= PAGES &&
		counter(&x.p, "replicas_left") >= PAGES);
	closed = place_close(&x.p);
	printf("# equal pages were held once: %d, replicas made and left: %d\n",
	       merged, near);
	printf("%sok %zu nothing is left, and all of it has happened\n",
	       closed && merged && near ? "" : "not ", COUNT(calls) + 1);
	return fail_nth_bad() > 0 || !closed || !merged || !near;
}
