/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * frames.h - what guests hold of the host's memory, seen from outside: page
 * frames in pagemap, pages of the image in the page cache, contents
 */
#ifndef FRAMES_H
#define FRAMES_H

#include "guest.h"

/**
 * struct frames - in pages
 * @distinct: frames that guests have mapped, each once
 * @file: of these, those that are not anonymous
 * @cache: pages of the image in the page cache
 */
struct frames {
	size_t distinct;
	size_t file;
	size_t cache;
};

void frames_count(struct frames *f, const struct guest *g, unsigned int guests,
		  const struct stage *s);

/**
 * struct truth - what the guests' logs say, in pages
 * @seen: pages of guests in use: Disco's V
 * @private_: those that they have for themselves
 * @blocks: distinct blocks that were read, whole
 * @shareable: pages beyond the first that were read of the same block
 * @shared: of these, those that had a frame that was there already
 */
struct truth {
	size_t seen;
	size_t private_;
	size_t blocks;
	size_t shareable;
	size_t shared;
};

void truth_count(struct truth *t, const struct guest *g, unsigned int guests);

/* Distinct contents of all pages in use. */
size_t contents_count(const struct guest *g, unsigned int guests);

#endif /* FRAMES_H */
