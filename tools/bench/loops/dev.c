// SPDX-License-Identifier: GPL-2.0-only
/*
 * dev.c - loops that were looked at while the evaluator was written
 */
#include <string.h>

#include "loops.h"
#include "sets.h"

#define WORDS	(LOOP_BYTES / 8)

/* a[i] summed up */
static void walk(struct loop_ctx *c)
{
	const uint64_t *a = (uint64_t *)c->buf[0];
	uint64_t s = 0;
	size_t i;

	for (i = 0; i < WORDS; i++)
		s += a[i];
	c->sink += s;
}

/* read-modify-write of random words, skewed */
static void random_rmw(struct loop_ctx *c)
{
	uint64_t *a = (uint64_t *)c->buf[0], x = c->x, s = 0;
	int n;

	for (n = 0; n < 200000; n++) {
		size_t i = loop_skewed(&x, LOOP_SMALL / 8);

		a[i] += s;
		s += i;
	}
	c->x = x;
	c->sink += s;
}

static void chase_prepare(struct loop_ctx *c)
{
	uint64_t *a = (uint64_t *)c->buf[0];
	size_t lines = LOOP_BYTES / 64, i, j, k;

	/* one cycle through all cache lines (Sattolo) */
	for (i = 0; i < lines; i++)
		a[i * 8] = i;
	for (i = lines - 1; i > 0; i--) {
		j = loop_next(&c->x) % i;
		k = a[i * 8];
		a[i * 8] = a[j * 8];
		a[j * 8] = k;
	}
	for (i = 0; i < lines; i++)
		a[i * 8] = (uint64_t)&a[a[i * 8] * 8];
	c->pos = (size_t)a;
}

static void chase(struct loop_ctx *c)
{
	void **p = (void **)c->pos;
	int n;

	for (n = 0; n < 200000; n++)
		p = *p;
	c->pos = (size_t)p;
}

struct node {
	struct node *left, *right;
	uint64_t key;
	uint64_t pad[5];
};

static struct node *build(struct node *n, size_t lo, size_t hi)
{
	size_t mid = (lo + hi) / 2;

	if (lo >= hi)
		return NULL;
	n[mid].key = mid;
	n[mid].left = build(n, lo, mid);
	n[mid].right = build(n, mid + 1, hi);
	return &n[mid];
}

static void tree_prepare(struct loop_ctx *c)
{
	c->pos = (size_t)build((struct node *)c->buf[0], 0,
			       LOOP_BYTES / sizeof(struct node));
}

static void tree(struct loop_ctx *c)
{
	const struct node *root = (struct node *)c->pos, *p;
	uint64_t x = c->x, sum = 0;
	int n;

	for (n = 0; n < 10000; n++) {
		uint64_t key = loop_next(&x) % (LOOP_BYTES / sizeof(*p));

		for (p = root; p && p->key != key;)
			p = key < p->key ? p->left : p->right;
		sum += (size_t)p;
	}
	c->x = x;
	c->sink += sum;
}

static void copy(struct loop_ctx *c)
{
	memcpy(c->buf[1], c->buf[0], LOOP_BYTES / 2);
}

static void set(struct loop_ctx *c)
{
	memset(c->buf[0], (int)c->sink++, LOOP_BYTES / 2);
}

/* find a byte that is not there, one at a time */
static void scan_prepare(struct loop_ctx *c)
{
	memset(c->buf[0], 'a', LOOP_BYTES);
	c->buf[0][LOOP_BYTES - 1] = 0;
}

static void scan(struct loop_ctx *c)
{
	const uint8_t *p = c->buf[0];

	while (*p)
		p++;
	c->sink += p - c->buf[0];
}

/* y = a * x + y */
static void saxpy(struct loop_ctx *c)
{
	const float *x = (float *)c->buf[0];
	float *y = (float *)c->buf[1];
	size_t i;

	for (i = 0; i < LOOP_BYTES / 4; i++)
		y[i] = 1.0001f * x[i] + y[i];
}

static void histogram(struct loop_ctx *c)
{
	uint32_t *count = (uint32_t *)c->buf[0];
	uint64_t x = c->x;
	int n;

	for (n = 0; n < 200000; n++)
		count[loop_skewed(&x, LOOP_SMALL / 4)]++;
	c->x = x;
}

static void matrix(struct loop_ctx *c)
{
	enum { N = 256 };
	const double *a = (double *)c->buf[0], *b = (double *)c->buf[1];
	double *r = (double *)c->buf[2];
	size_t i, j, k;

	for (i = 0; i < N / 8; i++)
		for (k = 0; k < N; k++)
			for (j = 0; j < N; j++)
				r[i * N + j] += a[i * N + k] * b[k * N + j];
}

const struct loop loops_dev[] = {
	{ "walk", NULL, walk, 1, 0, 0, 0, 1 },
	{ "random", NULL, random_rmw, 1, 0, LOOP_HOT, LOOP_SMALL, 1 },
	{ "chase", chase_prepare, chase, 1, 0, 0, 0, 1 },
	{ "tree", tree_prepare, tree, 1, 0, 0, 0, 1 },
	{ "memcpy", NULL, copy, 3, 0, 0, 0, 1 },
	{ "memset", NULL, set, 1, 0, 0, 0, 1 },
	{ "scan", scan_prepare, scan, 1, 0, 0, 0, 1 },
	{ "saxpy", NULL, saxpy, 3, 0, 0, 0, 1 },
	{ "histogram", NULL, histogram, 1, 0, LOOP_HOT, LOOP_SMALL, 1 },
	{ "matrix", NULL, matrix, 7, 0, 0, 0, 1 },
};

const unsigned int loops_dev_count = sizeof(loops_dev) / sizeof(loops_dev[0]);
