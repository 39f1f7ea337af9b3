// SPDX-License-Identifier: GPL-2.0-only
/*
 * image_import.c - numashare image import: a raw copy in a folder of images
 *
 * It is made under another name and renamed when it is whole, so that no guest
 * sees half of it, and guests that use an older one of that name keep theirs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guests.h"
#include "image.h"
#include "numashare.h"

#define CHUNK	(8u << 20)

extern char **environ;

static volatile sig_atomic_t interrupted;

struct import {
	struct image source;
	bool json, quiet, replace;
	char target[PATH_MAX];
	char part[PATH_MAX];	/* until it is whole */
	int fd;			/* of that */
	const char *how;
	uint64_t copied;	/* bytes, holes left out */
};

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* --- where to ------------------------------------------------------------- */

/* disk.qcow2 becomes disk.raw */
static int name_from_source(const struct import *im, char *buf, size_t len)
{
	static const char *const known[] = {
		".qcow2", ".qcow", ".img", ".vmdk", ".vdi", ".vhdx", ".vhd",
		".qed", ".raw",
	};
	char path[PATH_MAX], *base;
	size_t i, n, m;

	snprintf(path, sizeof(path), "%s", im->source.path);
	base = basename(path);
	n = strlen(base);
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		m = strlen(known[i]);
		if (n > m && !strcmp(base + n - m, known[i])) {
			base[n - m] = 0;
			break;
		}
	}
	return snprintf(buf, len, "%s.raw", base) < (int)len ? OK : FAILED;
}

/* The folder of images of the mounts, if they have the same. */
static int images_folder(char *buf, size_t len)
{
	struct guests all = { .page = 0 };
	const char *folder = NULL;
	int ret = OK;
	size_t i;

	mounts_find(&all);
	for (i = 0; i < all.nr_mounts; i++) {
		if (folder && strcmp(folder, all.mount[i].images)) {
			complain("mounts of cowdedup have several folders of "
				 "images: give a path instead of a name");
			ret = FAILED;
			break;
		}
		folder = all.mount[i].images;
	}
	if (!ret && (!folder || !*folder)) {
		complain("cowdedup is not mounted, so there is no folder of "
			 "images: give a path instead of a name");
		ret = FAILED;
	}
	if (!ret)
		snprintf(buf, len, "%s", folder);
	guests_free(&all);
	return ret;
}

static int choose_target(struct import *im, const char *where)
{
	char folder[PATH_MAX / 2], name[NAME_MAX + 1];
	struct stat st;
	int ret = OK;

	if (!strchr(where, '/')) {
		ret = images_folder(folder, sizeof(folder));
		if (!ret)
			snprintf(im->target, sizeof(im->target), "%s/%s",
				 folder, where);
	} else if (!stat(where, &st) && S_ISDIR(st.st_mode)) {
		ret = name_from_source(im, name, sizeof(name));
		snprintf(im->target, sizeof(im->target), "%s/%s", where, name);
	} else {
		snprintf(im->target, sizeof(im->target), "%s", where);
	}
	if (ret)
		return ret;
	if (!im->replace && !access(im->target, F_OK)) {
		complain("%s is there already\n  --replace puts the new one in "
			 "its place; guests that use the old one keep it",
			 im->target);
		return FAILED;
	}
	return OK;
}

/* A name beside it, which no guest asks for. */
static int open_part(struct import *im)
{
	char dir[PATH_MAX], base[PATH_MAX];
	int len;

	snprintf(dir, sizeof(dir), "%s", im->target);
	snprintf(base, sizeof(base), "%s", im->target);
	len = snprintf(im->part, sizeof(im->part), "%s/.%s.XXXXXX",
		       dirname(dir), basename(base));
	if (len >= (int)sizeof(im->part)) {
		errno = ENAMETOOLONG;
		im->fd = -1;
	} else {
		im->fd = mkostemp(im->part, O_CLOEXEC);
	}
	if (im->fd >= 0)
		return OK;
	complain("%s: %s", im->target, strerror(errno));
	im->part[0] = 0;
	return FAILED;
}

/* --- copying -------------------------------------------------------------- */

static void progress(const struct import *im, uint64_t at)
{
	if (!im->quiet && isatty(2))
		fprintf(stderr, "\r\033[K%s: %3.0f %%%s", im->target,
			im->source.bytes ? 100.0 * at / im->source.bytes : 100,
			at < im->source.bytes ? "" : "\n");
}

/* Some of it, in the kernel if it can; 0 or a negative errno. */
static int copy_some(struct import *im, loff_t at, size_t len)
{
	static char buf[1 << 16];
	loff_t from = at, to = at;
	ssize_t got;

	got = copy_file_range(im->source.fd, &from, im->fd, &to, len, 0);
	if (got > 0)
		return got;
	if (len > sizeof(buf))
		len = sizeof(buf);
	got = pread(im->source.fd, buf, len, at);
	if (got > 0)
		got = pwrite(im->fd, buf, got, at);
	if (got < 0)
		return -errno;
	return got ? got : -EIO;
}

static int copy_range(struct import *im, uint64_t at, uint64_t end)
{
	int got;

	while (at < end) {
		if (interrupted)
			return -EINTR;
		got = copy_some(im, at, end - at < CHUNK ? end - at : CHUNK);
		if (got < 0)
			return got;
		at += got;
		im->copied += got;
		progress(im, at);
	}
	return 0;
}

/* What has no holes, as a block device, is data to its end. */
static int copy_data(struct import *im)
{
	off_t at = 0, hole, size = im->source.bytes;
	int ret = 0;

	while (at < size && !ret) {
		at = lseek(im->source.fd, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			break;
		if (at < 0)
			return copy_range(im, 0, size);
		hole = lseek(im->source.fd, at, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		ret = copy_range(im, at, hole);
		at = hole;
	}
	if (!ret)
		progress(im, size);
	return ret;
}

static int copy_raw(struct import *im)
{
	int ret;

	im->how = "reflinked";
	if (!ioctl(im->fd, FICLONE, im->source.fd))
		return OK;
	im->how = "copied";
	ret = ftruncate(im->fd, im->source.bytes) ? -errno : copy_data(im);
	if (!ret)
		return OK;
	complain("%s: %s", im->target, ret == -EINTR ? "interrupted" :
		 strerror(-ret));
	return FAILED;
}

/* --- converting ----------------------------------------------------------- */

/* In qemu-img's words; it shall open no other file than this one. */
static char *source_name(const struct import *im)
{
	struct json_object *o = json_object_new_object();
	struct json_object *file = json_object_new_object();
	char *path = realpath(im->source.path, NULL), *text = NULL;

	json_object_object_add(file, "driver", json_object_new_string("file"));
	json_object_object_add(file, "filename",
			       json_object_new_string(path ? path : ""));
	json_object_object_add(o, "driver",
			       json_object_new_string(im->source.format));
	json_object_object_add(o, "file", file);
	json_object_object_add(o, "backing", NULL);
	if (asprintf(&text, "json:%s", json_object_to_json_string(o)) < 0)
		text = NULL;
	json_object_put(o);
	free(path);
	return text;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return FAILED;
		if (interrupted)
			kill(pid, SIGTERM);
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return OK;
	complain("qemu-img failed");
	return FAILED;
}

static int run_qemu_img(struct import *im, char *source)
{
	char *argv[] = { "qemu-img", "convert", im->quiet || !isatty(2) ?
			 "-q" : "-p", "-O", "raw", source, im->part, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int ret;

	posix_spawn_file_actions_init(&actions);
	/* its progress; standard output is for the result */
	posix_spawn_file_actions_adddup2(&actions, 2, 1);
	ret = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (!ret)
		return wait_for(pid);
	if (ret == ENOENT)
		complain("%s is %s, and qemu-img, which converts it, is "
			 "missing\n  install qemu-utils", im->source.path,
			 im->source.format);
	else
		complain("qemu-img: %s", strerror(ret));
	return FAILED;
}

static bool can_convert(const struct import *im)
{
	static const char *const no[] = {
		"luks", "gzip", "xz", "zstd", "bzip2",
	};
	size_t i;

	for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (!strcmp(im->source.format, no[i])) {
			complain("%s is %s: decrypt or unpack it first",
				 im->source.path, no[i]);
			return false;
		}
	if (!im->source.refers)
		return true;
	complain("%s takes contents from another file, which its header "
		 "names\n  if you trust whoever made it, make one file of it "
		 "with 'qemu-img convert -O raw'", im->source.path);
	return false;
}

static int convert(struct import *im)
{
	char *source;
	int ret;

	if (!can_convert(im))
		return FAILED;
	source = source_name(im);
	if (!source)
		return FAILED;
	im->how = "converted";
	ret = run_qemu_img(im, source);
	free(source);
	return ret;
}

/* --- the command ---------------------------------------------------------- */

/* Nobody may write to an image; who may read it stays so. */
static int finish(struct import *im, mode_t *mode)
{
	struct stat st;
	int ret;

	if (fstat(im->source.fd, &st))
		st.st_mode = 0444;
	*mode = S_ISREG(st.st_mode) ? st.st_mode & 0444 : 0400;
	ret = fchmod(im->fd, *mode);
	if (!ret)
		ret = fsync(im->fd);
	if (!ret)
		ret = im->replace ? rename(im->part, im->target) :
		      renameat2(AT_FDCWD, im->part, AT_FDCWD, im->target,
				RENAME_NOREPLACE);
	if (ret) {
		complain("%s: %s", im->target, strerror(errno));
		return FAILED;
	}
	im->part[0] = 0;
	return OK;
}

static int tell(const struct import *im, mode_t mode)
{
	struct json_object *o;
	struct image img;
	int ret;

	if (image_open(&img, im->target))
		return FAILED;
	image_check(&img);
	ret = image_shares(&img) ? OK : FAILED;
	if (im->json) {
		o = image_json(&img);
		json_object_object_add(o, "how",
				       json_object_new_string(im->how));
		json_object_object_add(o, "source", json_object_new_string(
				       im->source.path));
		json_print(stdout, o);
	} else {
		printf("%s: %s from %s, mode %04o\n", im->target, im->how,
		       im->source.path, mode);
		image_print(&img);
		if (!(mode & 0004))
			printf("Whoever runs guests has to be allowed to read "
			       "it: chown it, or chmod 0444.\n");
	}
	image_close(&img);
	return ret;
}

static int import(struct import *im, const char *where)
{
	struct sigaction sa = { .sa_handler = on_signal };
	mode_t mode = 0;
	int ret;

	ret = choose_target(im, where);
	if (!ret)
		ret = open_part(im);
	if (ret)
		return ret;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	ret = strcmp(im->source.format, "raw") ? convert(im) : copy_raw(im);
	if (!ret)
		ret = finish(im, &mode);
	if (im->part[0])
		unlink(im->part);
	close(im->fd);
	return ret ? ret : tell(im, mode);
}

int image_import(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "replace", no_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 }
	};
	static struct import im;
	int c, ret;

	while ((c = getopt_long(argc, argv, "jqr", opts, NULL)) != -1) {
		if (c == 'j')
			im.json = true;
		else if (c == 'q')
			im.quiet = true;
		else if (c == 'r')
			im.replace = true;
		else
			return usage_error(&cmd_image, "unknown option");
	}
	if (argc - optind != 2)
		return usage_error(&cmd_image, "import FILE NAME, or a path");
	ret = image_open(&im.source, argv[optind]);
	if (ret) {
		complain("%s: %s", argv[optind], strerror(-ret));
		return FAILED;
	}
	ret = import(&im, argv[optind + 1]);
	image_close(&im.source);
	return ret;
}
