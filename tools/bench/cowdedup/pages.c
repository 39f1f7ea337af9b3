// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages.c - see pages.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../numashare/numashare.h"
#include "pages.h"

#define SLOT_PAGES	(PAGES_SLOT / PAGE)

char *pages_at(const struct pages *p, size_t page)
{
	return p->mem + page / PAGES_GROUP * PAGES_SLOT +
	       page % PAGES_GROUP * PAGE;
}

static size_t memory_bytes(const struct pages *p)
{
	return p->n / PAGES_GROUP * PAGES_SLOT;
}

/* --- the image: the first word of a page says which it is --- */

static uint64_t first_word(size_t page)
{
	return page * 0x9e3779b97f4a7c15ull + 1;
}

static void write_image(struct stage *s, const char *name, size_t n)
{
	int fd = stage_below(s, name, O_WRONLY | O_CREAT | O_EXCL);
	uint64_t page[PAGE / 8];
	size_t i, w;

	for (i = 0; i < n; i++) {
		for (w = 0; w < PAGE / 8; w++)
			page[w] = first_word(i) ^ w;
		if (write(fd, page, PAGE) != PAGE)
			stage_die("write");
	}
	close(fd);
}

void pages_open(struct pages *p, struct stage *s, size_t n)
{
	*p = (struct pages){ .stage = s, .n = n };
	write_image(s, "bound", n);
	write_image(s, "other", n);
	p->image = stage_image(s, "bound");
	p->below = stage_below(s, "other", O_RDONLY);
	p->ram = stage_ram(s, "vm", memory_bytes(p));
	p->mem = stage_reserve(memory_bytes(p), PAGES_SLOT);
	/* masters are there from here on, as long as the image is open */
	pages_renew(p, BIND, false);
	pages_get(p, BIND, PAGES_GROUP);
	if (stage_counter(s, "masters") != n) {
		complain("%zu pages were read and there are %llu masters", n,
			 (unsigned long long)stage_counter(s, "masters"));
		exit(FAILED);
	}
}

void pages_close(struct pages *p)
{
	munmap(p->mem, memory_bytes(p));
	stage_remove_ram(p->stage, "vm");
	close(p->ram);
	close(p->image);
	close(p->below);
}

void pages_renew(struct pages *p, enum way way, bool populated)
{
	volatile char *mem = p->mem;
	size_t i;

	munmap(p->mem, memory_bytes(p));
	stage_map(p->mem, way == BIND ? p->ram : -1, memory_bytes(p),
		  p->stage->shared);
	/* a page table for each group, by a page that is none of it */
	for (i = 0; i < p->n; i += PAGES_GROUP)
		mem[i / PAGES_GROUP * PAGES_SLOT + PAGES_SLOT - PAGE] = 1;
	for (i = 0; populated && i < p->n; i++)
		*pages_at(p, i) = 1;
}

/* --- ways --- */

static void must_be(ssize_t got, size_t want, const char *what)
{
	if (got == (ssize_t)want)
		return;
	if (got >= 0)
		errno = EIO;
	stage_die(what);
}

static void get(struct pages *p, enum way way, size_t page, size_t from,
		size_t n)
{
	char *at = pages_at(p, page);
	size_t bytes = n * PAGE;
	void *m;

	if (way == MMAP) {
		m = mmap(at, bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_FIXED, p->below, from * PAGE);
		if (m != at)
			stage_die("mmap of the image");
		return;
	}
	must_be(pread(way == BIND ? p->image : p->below, at, bytes,
		      from * PAGE), bytes, "read");
}

/* The sum of what all pages begin with; the loop is the same for all ways. */
static uint64_t touch(struct pages *p)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < p->n; i++)
		sum += *(volatile uint64_t *)pages_at(p, i);
	return sum;
}

static double timed_touch(struct pages *p)
{
	uint64_t want = 0, got, t = nm_now();
	size_t i;

	got = touch(p);
	t = nm_now() - t;
	for (i = 0; i < p->n; i++)
		want += first_word(i);
	if (got != want) {
		complain("the memory does not hold the image");
		exit(FAILED);
	}
	return (double)t / p->n;
}

/* Nothing counts as bound that was copied. */
static void must_have_bound(struct pages *p, uint64_t before)
{
	if (stage_counter(p->stage, "pages_bound") - before == p->n)
		return;
	complain("not all reads were bound");
	exit(FAILED);
}

struct cost pages_get(struct pages *p, enum way way, size_t chunk)
{
	uint64_t bound = stage_counter(p->stage, "pages_bound"), t;
	size_t i, from;
	struct cost c;

	t = nm_now();
	for (i = 0; i < p->n; i += chunk) {
		/* single pages in an order in which mappings cannot merge */
		from = chunk == 1 ? i ^ 1 : i;
		get(p, way, i, from, chunk);
	}
	c.get = (double)(nm_now() - t) / p->n;
	if (way == BIND)
		must_have_bound(p, bound);
	c.touch = timed_touch(p);
	return c;
}

/* Where page @i of the image goes: any order, the same each time. */
static void shuffle(size_t *to, size_t n)
{
	uint32_t r = 12345;
	size_t i, j, t;

	for (i = 0; i < n; i++)
		to[i] = i;
	for (i = n - 1; i; i--) {
		r = r * 1664525 + 1013904223;
		j = (r >> 8) % (i + 1);
		t = to[i];
		to[i] = to[j];
		to[j] = t;
	}
}

struct cost pages_scatter(struct pages *p, enum way way, size_t vec)
{
	uint64_t bound = stage_counter(p->stage, "pages_bound"), t;
	struct iovec iov[IOV_MAX];
	size_t to[PAGES_MAX], i, k;
	struct cost c;

	shuffle(to, p->n);
	t = nm_now();
	for (i = 0; i < p->n; i += vec) {
		if (way == MMAP) {
			for (k = 0; k < vec; k++)
				get(p, way, to[i + k], i + k, 1);
			continue;
		}
		for (k = 0; k < vec; k++)
			iov[k] = (struct iovec){ pages_at(p, to[i + k]), PAGE };
		must_be(preadv(way == BIND ? p->image : p->below, iov, vec,
			       i * PAGE), vec * PAGE, "preadv");
	}
	c.get = (double)(nm_now() - t) / p->n;
	if (way == BIND)
		must_have_bound(p, bound);
	c.touch = timed_touch(p);
	return c;
}

double pages_write(struct pages *p)
{
	uint64_t t = nm_now();
	size_t i;

	for (i = 0; i < p->n; i++)
		*(volatile uint64_t *)pages_at(p, i) = i;
	return (double)(nm_now() - t) / p->n;
}

/* --- string instructions --- */

static void copy_page(void)
{
	static char from[PAGE], to[PAGE];
	void *src = from, *dst = to;
	size_t n = PAGE;

	asm volatile("rep movsb"
		     : "+S" (src), "+D" (dst), "+c" (n) : : "memory");
}

static void clear_page(void)
{
	static char to[PAGE];
	void *dst = to;
	size_t n = PAGE;

	asm volatile("rep stosb"
		     : "+D" (dst), "+c" (n) : "a" (0) : "memory");
}

/* The least of many: nothing came between, not even the clock's interrupt. */
static double least(void (*what)(void))
{
	uint64_t best = UINT64_MAX, t;
	unsigned int i, k;

	for (i = 0; i < 64; i++) {
		t = nm_now();
		for (k = 0; k < 16; k++)
			what();
		t = nm_now() - t;
		if (t < best)
			best = t;
	}
	return best / 16.0;
}

double pages_copy_alone(void)
{
	return least(copy_page);
}

double pages_clear_alone(void)
{
	return least(clear_page);
}
