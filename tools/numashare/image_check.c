// SPDX-License-Identifier: GPL-2.0-only
/*
 * image_check.c - can this image be shared?
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/cowdedup.h>
#include <linux/magic.h>

#include "image.h"
#include "numashare.h"

/* --- findings ------------------------------------------------------------- */

void found(struct image *img, enum result result, const char *what,
	   const char *advice, const char *fmt, ...)
{
	struct finding *f;
	va_list ap;

	f = realloc(img->finding, (img->nr + 1) * sizeof(*f));
	if (!f)
		return;
	img->finding = f;
	f += img->nr++;
	f->result = result;
	snprintf(f->what, sizeof(f->what), "%s", what);
	snprintf(f->advice, sizeof(f->advice), "%s", advice);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

bool image_shares(const struct image *img)
{
	size_t i;

	for (i = 0; i < img->nr; i++)
		if (img->finding[i].result == BAD)
			return false;
	return img->nr;
}

static const char *const words[] = { "ok", "note", "unknown", "no" };

void image_print(const struct image *img)
{
	const struct finding *f;
	size_t i;

	printf("%s: %s\n", img->path, image_shares(img) ?
	       "can be shared" : "cannot be shared");
	for (i = 0; i < img->nr; i++) {
		f = &img->finding[i];
		printf("  %-8s %s: %s\n", words[f->result], f->what, f->text);
		if (*f->advice)
			printf("           %s\n", f->advice);
	}
}

struct json_object *image_json(const struct image *img)
{
	struct json_object *o = json_object_new_object();
	struct json_object *list = json_object_new_array(), *line;
	const struct finding *f;
	size_t i;

	json_object_object_add(o, "image", json_object_new_string(img->path));
	json_object_object_add(o, "shares",
			       json_object_new_boolean(image_shares(img)));
	json_object_object_add(o, "format", img->format ?
			       json_object_new_string(img->format) : NULL);
	json_object_object_add(o, "bytes", json_u64(img->bytes));
	for (i = 0; i < img->nr; i++) {
		f = &img->finding[i];
		line = json_object_new_object();
		json_object_object_add(line, "result",
			json_object_new_string(words[f->result]));
		json_object_object_add(line, "what",
				       json_object_new_string(f->what));
		json_object_object_add(line, "text",
				       json_object_new_string(f->text));
		json_object_object_add(line, "advice", *f->advice ?
				       json_object_new_string(f->advice) :
				       NULL);
		json_object_array_add(list, line);
	}
	json_object_object_add(o, "findings", list);
	return o;
}

/* --- the file ------------------------------------------------------------- */

static int read_format(struct image *img)
{
	static unsigned char head[IMAGE_HEAD], tail[512];
	ssize_t len = pread(img->fd, head, sizeof(head), 0);
	bool has_tail;

	if (len < 0)
		return -errno;
	has_tail = img->bytes >= sizeof(tail) &&
		   pread(img->fd, tail, sizeof(tail),
			 img->bytes - sizeof(tail)) == sizeof(tail);
	img->format = image_format(head, len, has_tail ? tail : NULL,
				   &img->refers);
	return 0;
}

/* A file or a block device.  0 or a negative errno. */
int image_open(struct image *img, const char *path)
{
	off_t end;
	int ret;

	memset(img, 0, sizeof(*img));
	img->path = path;
	img->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (img->fd < 0)
		return -errno;
	end = lseek(img->fd, 0, SEEK_END);
	img->bytes = end > 0 ? end : 0;
	ret = end < 0 ? -errno : read_format(img);
	if (ret)
		image_close(img);
	return ret;
}

void image_close(struct image *img)
{
	if (img->fd >= 0)
		close(img->fd);
	img->fd = -1;
	free(img->finding);
	img->finding = NULL;
	img->nr = 0;
}

/* --- what is looked at ---------------------------------------------------- */

static bool check_kind(struct image *img)
{
	struct stat st, link;

	if (fstat(img->fd, &st) || !S_ISREG(st.st_mode)) {
		found(img, BAD, "kind", "copy it into a file with 'numashare "
		      "image import'", "not a regular file");
		return false;
	}
	if (!lstat(img->path, &link) && S_ISLNK(link.st_mode))
		found(img, NOTE, "kind", "give the folder the file itself, or "
		      "a hard link", "a symbolic link, which is not followed "
		      "in images/");
	return true;
}

static bool check_format(struct image *img)
{
	if (!strcmp(img->format, "raw")) {
		found(img, GOOD, "format", "", "raw");
		return true;
	}
	found(img, BAD, "format", "convert it with 'numashare image import'",
	      "%s: blocks of the disk are not blocks of the file",
	      img->format);
	return false;
}

/* As image.c of the module has them. */
static const struct {
	unsigned long magic;
	const char *name;
} local_fs[] = {
	{ EXT4_SUPER_MAGIC, "ext2, ext3 or ext4" },
	{ XFS_SUPER_MAGIC, "xfs" },
	{ BTRFS_SUPER_MAGIC, "btrfs" },
	{ TMPFS_MAGIC, "tmpfs" },
	{ 0xe0f5e1e2, "erofs" },
	{ SQUASHFS_MAGIC, "squashfs" },
};

static bool on_dax(const struct image *img)
{
	struct statx sx;

	return !statx(img->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx) &&
	       sx.stx_attributes & STATX_ATTR_DAX;
}

static void check_host(struct image *img)
{
	static const char advice[] = "copy it to ext4, xfs, btrfs or tmpfs";
	struct statfs fs;
	size_t i;

	if (fstatfs(img->fd, &fs)) {
		found(img, UNKNOWN, "file system", "", "%s", strerror(errno));
		return;
	}
	if ((unsigned long)fs.f_type == COWDEDUP_SUPER_MAGIC) {
		found(img, NOTE, "file system", "check the file in the images= "
		      "folder instead", "this is cowdedup itself");
		return;
	}
	if (on_dax(img)) {
		found(img, BAD, "file system", advice, "with DAX, where writes "
		      "by mmap are not seen");
		return;
	}
	for (i = 0; i < sizeof(local_fs) / sizeof(local_fs[0]); i++)
		if ((unsigned long)fs.f_type == local_fs[i].magic)
			break;
	if (i < sizeof(local_fs) / sizeof(local_fs[0]))
		found(img, GOOD, "file system", "", "%s", local_fs[i].name);
	else
		found(img, BAD, "file system", advice, "type 0x%lx: the image "
		      "could change unseen", (unsigned long)fs.f_type);
}

/*
 * A lease for reading is refused while somebody has the file open for writing.
 * It is given back at once; whoever is made to wait for it meanwhile would have
 * us told by SIGIO.
 */
static void check_writers(struct image *img)
{
	signal(SIGIO, SIG_IGN);
	if (!fcntl(img->fd, F_SETLEASE, F_RDLCK)) {
		fcntl(img->fd, F_SETLEASE, F_UNLCK);
		found(img, GOOD, "writers", "", "nobody has it open for "
		      "writing");
	} else if (errno == EAGAIN) {
		found(img, BAD, "writers", "end whoever has: lsof names them",
		      "somebody has it open for writing");
	} else {
		found(img, UNKNOWN, "writers", errno == EACCES ?
		      "run it as root or as the owner of the file" : "",
		      "cannot tell who has it open: %s", strerror(errno));
	}
}

static void check_size(struct image *img)
{
	unsigned int rest = img->bytes % UNIT;

	if (img->bytes < UNIT)
		found(img, BAD, "size", "", "%llu bytes, less than one page",
		      (unsigned long long)img->bytes);
	else if (rest)
		found(img, NOTE, "size", "", "the last %u bytes are no whole "
		      "page, and are copied", rest);
}

void image_check(struct image *img)
{
	bool file = check_kind(img);

	if (file) {
		check_host(img);
		check_writers(img);
	}
	if (!check_format(img))
		return;
	check_size(img);
	if (img->bytes >= UNIT)
		check_layout(img);
}
