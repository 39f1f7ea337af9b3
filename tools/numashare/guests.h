/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guests.h - guests whose memory is a file of cowdedup, seen from outside
 *
 * What is bound comes from the module, what a guest has written to from
 * /proc/PID/pagemap.  A page that is bound and not anonymous is shared.  Where
 * memory is mapped shared, pages that were written to are not bound; how many
 * there are the file says that is mapped.
 */
#ifndef GUESTS_H
#define GUESTS_H

#include <limits.h>
#include <linux/cowdedup.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define COWDEDUP_SYSFS "/sys/kernel/cowdedup"

/* --- maps.c: lines of /proc ---------------------------------------------- */

/**
 * struct map_line - a line of /proc/PID/maps
 * @start: first address
 * @end: the one behind the last
 * @offset: of @start in the file
 * @inode: of the file, 0 if there is none
 * @major: of its device
 * @minor: of its device
 * @write: it may be written
 * @deleted: the file has no name any more
 * @path: its name, or it had that name
 */
struct map_line {
	uint64_t start, end, offset, inode;
	unsigned int major, minor;
	bool write, deleted;
	char path[PATH_MAX];
};

bool parse_map(const char *line, struct map_line *m);

/**
 * struct mount_line - a line of /proc/PID/mountinfo
 * @major: of the file system
 * @minor: of the file system
 * @root: which part of it is mounted
 * @point: where
 * @type: its type
 * @options: of the file system
 */
struct mount_line {
	unsigned int major, minor;
	char root[PATH_MAX], point[PATH_MAX], type[32], options[512];
};

bool parse_mount(const char *line, struct mount_line *m);
bool looks_like_ram(const struct map_line *m);
const char *shared_ram(const struct map_line *m, unsigned int *major,
		       unsigned int *minor);

/* --- guests --------------------------------------------------------------- */

/* A part of a guest's memory in its process. */
struct part {
	uint64_t addr;
	uint64_t first;		/* page of the file */
	uint64_t pages;
};

/* Pages next to each other that a guest shares, in memory and in the image. */
struct run {
	uint64_t ram, image, index, pages;
};

/* What a guest has of an image, in pages; saved: bytes. */
struct image_share {
	uint64_t image, shared, broken, saved;
};

/**
 * struct guest - a process and a file of memory that it maps
 * @pid: of the process
 * @command: its name
 * @mount: index of the mount, or -1: its memory is a plain file
 * @inode: of the file
 * @path: of the file, as the process has it
 * @name: in ram/
 * @deleted: it has no name any more
 * @split: it is mapped more than once, so reads are copied
 * @in_file: it is mapped shared: what it writes lies in a file of shmem
 * @part: where it is mapped
 * @nr_parts: how many
 * @pages: of memory
 * @shared: pages that are bound and were not written to since
 * @private: anonymous pages, or what the file of shmem has
 * @broken: of these, pages that are bound: the guest has written to them since
 * @saved: bytes, its part of what sharing saves
 * @run: the shared pages
 * @nr_runs: how many
 * @image: by image
 * @nr_images: how many
 */
struct guest {
	int pid;
	char command[32];
	int mount;
	uint64_t inode;
	char path[PATH_MAX];
	char name[PATH_MAX];
	bool deleted, split, in_file;
	struct part *part;
	size_t nr_parts;
	uint64_t pages, shared, private, broken, saved;
	struct run *run;
	size_t nr_runs;
	struct image_share *image;
	size_t nr_images;
};

/**
 * struct share_mount - a mount of cowdedup
 * @major: of its device
 * @minor: of its device
 * @sysfs: its folder there
 * @point: where it is mounted, empty if not in this mount namespace
 * @images: the folder that it shows
 * @masters: pages of memory that are the one copy of a page of an image
 * @alike: pages of images that such a page shows beside its own (content=on)
 * @sharing: pages of guests that are bound
 * @guests: how many
 * @saved: bytes
 */
struct share_mount {
	unsigned int major, minor;
	char sysfs[64];
	char point[PATH_MAX];
	char images[PATH_MAX];
	uint64_t masters, alike, sharing, guests, saved;
};

/**
 * struct guests - all that there are
 * @loaded: the module is
 * @page: bytes of a page
 * @mount: mounts
 * @nr_mounts: how many
 * @guest: guests
 * @nr: how many
 */
struct guests {
	bool loaded;
	uint64_t page;
	struct share_mount *mount;
	size_t nr_mounts;
	struct guest *guest;
	size_t nr;
};

void *grow(void *array, size_t nr, size_t size);

/* --- share_mounts.c ------------------------------------------------------- */

int mounts_find(struct guests *all);
void image_name(const struct share_mount *m, uint64_t inode, char *buf,
		size_t len);

/* --- guests.c ------------------------------------------------------------- */

int guests_find(struct guests *all, int only_pid);
int guests_count(struct guests *all);
int guest_count(struct guests *all, struct guest *g, int dev);
int cowdedup_open(void);
int explain_cowdedup(int err);
void guests_free(struct guests *all);

/* --- pages.c: what is shared ---------------------------------------------- */

/* What a process has at a page of a file of memory. */
enum { PAGE_UNMAPPED, PAGE_OF_FILE, PAGE_PRIVATE };

bool entry_is_private(uint64_t pagemap_entry);
uint64_t guest_end(const struct guest *g);
bool count_private(struct guest *g, int pagemap, uint8_t *state);
bool count_extent(struct guest *g, const uint8_t *state,
		  const struct cowdedup_extent *e);
bool count_saved(struct guests *all);

/* --- prometheus.c --------------------------------------------------------- */

void prometheus_print(FILE *f, const struct guests *all);
int prometheus_write(const char *path, const struct guests *all);

/* --- forecast.c: is there memory for it? ---------------------------------- */

/**
 * struct room - how much more memory a process can have
 * @bytes: so much
 * @limit: what ends it
 */
struct room {
	uint64_t bytes;
	char limit[PATH_MAX];
};

int room_of(int pid, struct room *r);
uint64_t bytes_needed(uint64_t pages, uint64_t page);

#endif /* GUESTS_H */
