/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stage.h - a folder of images and a mount of cowdedup over it, and rows: what
 * the benchmarks of cowdedup share
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../bench.h"

#define PAGE	4096ul

/**
 * struct stage - where a benchmark plays
 * @dir: a folder of its own
 * @images: the folder of images in it
 * @mnt: the mount of cowdedup over it
 * @sysfs: the folder of that mount, with a slash
 * @shared: it is in shared mode
 */
struct stage {
	char dir[64];
	char images[80];
	char mnt[80];
	char sysfs[80];
	bool shared;
};

/*
 * A folder of images on tmpfs, or on the file system in the file @disk, in a
 * mount namespace of this process.  Returns NULL, or why there is none.
 */
const char *stage_open(struct stage *s, const char *disk);
void stage_close(struct stage *s);
/* Mount cowdedup over the images, with @more options; NULL, or why not. */
const char *stage_mount(struct stage *s, const char *more);
void stage_unmount(struct stage *s);

uint64_t stage_counter(const struct stage *s, const char *name);
/* A file of images/ of the mount, or of the folder below, to read. */
int stage_image(const struct stage *s, const char *name);
int stage_below(const struct stage *s, const char *name, int flags);
/* A file of ram/, new. */
int stage_ram(const struct stage *s, const char *name, size_t bytes);
void stage_remove_ram(const struct stage *s, const char *name);

/* Addresses without memory. */
char *stage_reserve(size_t bytes, size_t align);
/*
 * Map @fd there, with nothing in it, shared or privately, or anonymous memory
 * if it is below 0; of base pages.
 */
void stage_map(char *at, int fd, size_t bytes, bool shared);

/* Complain and end: a figure that follows would be wrong. */
void stage_die(const char *what) __attribute__((noreturn));

/* --- rows, by the parts of their name --- */

/**
 * struct stage_rows - where rows go
 * @result: to
 * @suffix: of each name
 * @backend: of each
 */
struct stage_rows {
	struct nm_result *result;
	const char *suffix;
	const char *backend;
};

void stage_row(const struct stage_rows *r, const char *name, const char *unit,
	       const char *against, const char *better, const double *v,
	       unsigned int n);
void stage_null(const struct stage_rows *r, const char *name, const char *unit,
		const char *against, const char *better, const char *why);

#endif /* STAGE_H */
