// SPDX-License-Identifier: GPL-2.0-only
/*
 * frames.c - see frames.h
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "frames.h"

static int cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Sorts @v; how many different ones there are stay at its beginning. */
static size_t distinct(uint64_t *v, size_t n)
{
	size_t i, k = 0;

	qsort(v, n, sizeof(*v), cmp);
	for (i = 0; i < n; i++)
		if (!i || v[i] != v[i - 1])
			v[k++] = v[i];
	return k;
}

/* --- frames --- */

#define FRAME		((1ull << 55) - 1)
#define IS_FILE		(1ull << 61)
#define IS_THERE	(1ull << 63)

static void read_pagemap(const struct guest *g, uint64_t *entry)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", g->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, entry, GUEST_PAGES * 8ul,
			    g->log->ram / PAGE * 8) != GUEST_PAGES * 8l)
		stage_die(path);
	close(fd);
}

static size_t cached_pages(const struct stage *s)
{
	int fd = stage_below(s, IMAGE_NAME, O_RDONLY);
	size_t pages, i, n = 0;
	unsigned char *vec;
	struct stat st;
	void *mem;

	if (fstat(fd, &st))
		stage_die("fstat");
	pages = (st.st_size + PAGE - 1) / PAGE;
	mem = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	vec = malloc(pages);
	if (mem == MAP_FAILED || !vec || mincore(mem, st.st_size, vec))
		stage_die("mincore");
	for (i = 0; i < pages; i++)
		n += vec[i] & 1;
	free(vec);
	munmap(mem, st.st_size);
	close(fd);
	return n;
}

/* An image that is guest memory is no part of @ram, and is counted as cache. */
void frames_count(struct frames *f, const struct guest *g, unsigned int guests,
		  const struct stage *s)
{
	uint64_t *all = malloc(guests * GUEST_PAGES * 8ul), *entry;
	size_t n = 0, i;
	unsigned int k;

	entry = malloc(GUEST_PAGES * 8ul);
	if (!all || !entry)
		stage_die("malloc");
	for (k = 0; k < guests; k++) {
		read_pagemap(&g[k], entry);
		for (i = 0; i < GUEST_PAGES; i++)
			if (entry[i] & IS_THERE)
				all[n++] = entry[i] & (FRAME | IS_FILE);
	}
	/* anonymous or not is a matter of the frame */
	f->distinct = distinct(all, n);
	f->file = 0;
	for (i = 0; i < f->distinct; i++)
		f->file += !!(all[i] & IS_FILE);
	f->cache = cached_pages(s);
	free(entry);
	free(all);
}

/* --- the guests' logs --- */

/*
 * @v: block << 40 | frame of pages that were read, sorted.  A page that was not
 * mapped after it was read has shared nothing.
 */
static void count_shared(struct truth *t, const uint64_t *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (!i || v[i] >> 40 != v[i - 1] >> 40) {
			t->blocks++;
			continue;
		}
		t->shareable++;
		t->shared += v[i] == v[i - 1] && v[i] << 24;
	}
}

/* Pages that were read and written to since have their block's frame too. */
void truth_count(struct truth *t, const struct guest *g, unsigned int guests)
{
	uint64_t *v = malloc(guests * GUEST_PAGES * 8ul);
	size_t n = 0, i;
	unsigned int k;

	if (!v)
		stage_die("malloc");
	*t = (struct truth){ 0 };
	for (k = 0; k < guests; k++)
		for (i = 0; i < GUEST_PAGES; i++) {
			struct guest_page *p = &g[k].log->page[i];

			if (p->state == STATE_NONE)
				continue;
			t->seen++;
			t->private_ += p->state == STATE_PRIVATE;
			if (p->block)
				v[n++] = (uint64_t)p->block << 40 | p->frame;
		}
	qsort(v, n, sizeof(*v), cmp);
	count_shared(t, v, n);
	free(v);
}

/* --- contents --- */

static uint64_t hash(const uint64_t *page)
{
	uint64_t a = 0x9e3779b97f4a7c15ull, b = 0xc2b2ae3d27d4eb4full;
	size_t i;

	for (i = 0; i < PAGE / 8; i += 2) {
		a = (a ^ page[i]) * 0xbf58476d1ce4e5b9ull;
		b = (b ^ page[i + 1]) * 0x94d049bb133111ebull;
		a ^= a >> 29;
		b ^= b >> 31;
	}
	return a ^ b >> 7 ^ b << 13;
}

size_t contents_count(const struct guest *g, unsigned int guests)
{
	uint64_t *v = malloc(guests * GUEST_PAGES * 8ul);
	static uint64_t page[PAGE / 8];
	struct iovec local = { page, PAGE }, remote = { NULL, PAGE };
	size_t n = 0, i;
	unsigned int k;

	if (!v)
		stage_die("malloc");
	for (k = 0; k < guests; k++)
		for (i = 0; i < GUEST_PAGES; i++) {
			if (g[k].log->page[i].state == STATE_NONE)
				continue;
			remote.iov_base = (void *)(g[k].log->ram + i * PAGE);
			if (process_vm_readv(g[k].pid, &local, 1, &remote, 1,
					     0) != PAGE)
				stage_die("process_vm_readv");
			v[n++] = hash(page);
		}
	n = distinct(v, n);
	free(v);
	return n;
}
