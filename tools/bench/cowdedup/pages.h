/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pages.h - ways to get pages of an image into a guest's memory, counted
 */
#ifndef PAGES_H
#define PAGES_H

#include "stage.h"

/* Pages lie in groups, each in the 2 MiB of one page table. */
#define PAGES_GROUP	256ul
#define PAGES_MAX	4096ul
#define PAGES_SLOT	(2ul << 20)

/* How an image's page gets into memory. */
enum way { BIND, MMAP, COPY, WAYS };

/**
 * struct pages - an image, and the memory of one who reads it
 * @stage: where
 * @n: pages of the image and of the memory
 * @mem: the memory, groups of pages a slot apart
 * @ram: a file of ram/
 * @image: an open file of images/
 * @below: a file below with the same content, for the other ways: cowdedup
 *	drops its image from the page cache
 */
struct pages {
	struct stage *stage;
	size_t n;
	char *mem;
	int ram;
	int image;
	int below;
};

/* Instructions a page. */
struct cost {
	double get;	/* bind, map or copy */
	double touch;	/* then read a word of each */
};

void pages_open(struct pages *p, struct stage *s, size_t n);
void pages_close(struct pages *p);

/*
 * New memory: cold, that is with page tables and no page, or populated, with a
 * page of its own everywhere.
 */
void pages_renew(struct pages *p, enum way way, bool populated);
/* Get all pages, @chunk a call, and touch them. */
struct cost pages_get(struct pages *p, enum way way, size_t chunk);
/* The same, each page to another place, @vec of them a call (not MMAP). */
struct cost pages_scatter(struct pages *p, enum way way, size_t vec);
/* Instructions a page to write to all of them. */
double pages_write(struct pages *p);

char *pages_at(const struct pages *p, size_t page);

/* One string instruction over a page: what QEMU counts for it. */
double pages_copy_alone(void);
double pages_clear_alone(void);

#endif /* PAGES_H */
