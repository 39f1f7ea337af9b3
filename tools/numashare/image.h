/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * image.h - can guests share what they read from a disk image?
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is shared, and so what everything has to be aligned to. */
#define UNIT	4096u

/* How good a finding is; anything from BAD on says no. */
enum result { GOOD, NOTE, UNKNOWN, BAD };

/* Something that was looked at, what it is, and what to do about it. */
struct finding {
	enum result result;
	char what[32];
	char text[320];
	char advice[320];
};

/**
 * struct image - a file and what was found
 * @path: as it was named
 * @fd: open for reading
 * @bytes: its size
 * @format: "raw" or what it is instead
 * @refers: it names other files, whose contents belong to it
 * @finding: what was found
 * @nr: how many
 */
struct image {
	const char *path;
	int fd;
	uint64_t bytes;
	const char *format;
	bool refers;
	struct finding *finding;
	size_t nr;
};

/* --- image_format.c ------------------------------------------------------- */

/* As much of a file as is looked at for its format. */
#define IMAGE_HEAD	65536u

const char *image_format(const unsigned char *head, size_t len,
			 const unsigned char *tail, bool *refers);

/* --- image_layout.c ------------------------------------------------------- */

void check_layout(struct image *img);

/* --- image_check.c -------------------------------------------------------- */

void found(struct image *img, enum result result, const char *what,
	   const char *advice, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
int image_open(struct image *img, const char *path);
void image_check(struct image *img);
bool image_shares(const struct image *img);
void image_print(const struct image *img);
struct json_object *image_json(const struct image *img);
void image_close(struct image *img);

/* --- image_import.c ------------------------------------------------------- */

int image_import(int argc, char **argv);

#endif /* IMAGE_H */
