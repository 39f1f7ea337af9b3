// SPDX-License-Identifier: GPL-2.0-only
/*
 * heldout.c - loops that the evaluator was not written with
 *
 * They were written after it, and it is not changed for one of them alone:
 * what they show is what a program that nobody looked at gets.
 */
#include <string.h>

#include "loops.h"
#include "sets.h"

static void stencil(struct loop_ctx *c)
{
	enum { W = 1024 };
	const float *a = (float *)c->buf[0];
	float *b = (float *)c->buf[1];
	size_t x, y;

	for (y = 1; y < 511; y++)
		for (x = 1; x < W - 1; x++)
			b[y * W + x] = 0.25f * (a[(y - 1) * W + x] +
						a[(y + 1) * W + x] +
						a[y * W + x - 1] +
						a[y * W + x + 1]);
}

static void prefix_sum(struct loop_ctx *c)
{
	int32_t *a = (int32_t *)c->buf[0], s = 0;
	size_t i;

	for (i = 0; i < LOOP_BYTES / 4; i++) {
		s += a[i];
		a[i] = s;
	}
}

static void partition(struct loop_ctx *c)
{
	uint32_t *a = (uint32_t *)c->buf[0], x;
	size_t lo = 0, hi = LOOP_BYTES / 4 - 1, i;

	for (i = 0; i < LOOP_BYTES / 4; i += 16)
		a[i] = loop_next(&c->x);
	while (lo < hi) {
		while (lo < hi && a[lo] < 0x80000000u)
			lo++;
		while (lo < hi && a[hi] >= 0x80000000u)
			hi--;
		x = a[lo];
		a[lo] = a[hi];
		a[hi] = x;
	}
	c->sink += lo;
}

static void radix_pass(struct loop_ctx *c)
{
	const uint32_t *in = (uint32_t *)c->buf[0];
	uint32_t *out = (uint32_t *)c->buf[1];
	uint32_t *head = (uint32_t *)c->buf[2];
	size_t i, n = LOOP_BYTES / 16;

	for (i = 0; i < 256; i++)
		head[i] = i * (n / 256);
	for (i = 0; i < n; i++) {
		uint32_t d = (in[i] * 2654435761u) >> 24;

		out[head[d]++ % n] = in[i];
	}
}

static void transpose(struct loop_ctx *c)
{
	enum { N = 1024 };
	const uint64_t *a = (uint64_t *)c->buf[0];
	uint64_t *b = (uint64_t *)c->buf[1];
	size_t i, j;

	for (i = 0; i < N; i++)
		for (j = 0; j < N; j++)
			b[j * N + i] = a[i * N + j];
}

/* rows of eight, columns in buffer 1, values in buffer 0, vector in 2 */
static void sparse_prepare(struct loop_ctx *c)
{
	uint32_t *col = (uint32_t *)c->buf[1];
	size_t i;

	for (i = 0; i < LOOP_BYTES / 8; i++)
		col[i] = loop_next(&c->x) % (LOOP_BYTES / 8);
}

static void sparse(struct loop_ctx *c)
{
	const double *val = (double *)c->buf[0], *v = (double *)c->buf[2];
	const uint32_t *col = (uint32_t *)c->buf[1];
	uint64_t x = c->x;
	double sum = 0;
	size_t r, k;

	for (r = 0; r < 20000; r++) {
		size_t row = loop_next(&x) % (LOOP_BYTES / 64);
		double s = 0;

		for (k = 0; k < 8; k++)
			s += val[row * 8 + k] * v[col[row * 8 + k]];
		sum += s;
	}
	c->x = x;
	c->sink += sum > 0;
}

static void compare(struct loop_ctx *c)
{
	const char *a = (char *)c->buf[0], *b = (char *)c->buf[1];
	size_t i, n = 0;

	for (i = 0; i < LOOP_BYTES; i++) {
		if (a[i] != b[i])
			n++;
	}
	c->sink += n;
}

static void bitset(struct loop_ctx *c)
{
	const uint64_t *a = (uint64_t *)c->buf[0];
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < LOOP_BYTES / 8; i++) {
		uint64_t v = a[i];

		while (v) {
			v &= v - 1;
			n++;
		}
		n += i & 1;
	}
	c->sink += n;
}

static void crc_prepare(struct loop_ctx *c)
{
	uint32_t *table = (uint32_t *)c->buf[1], r;
	int i, k;

	for (i = 0; i < 256; i++) {
		for (r = i, k = 0; k < 8; k++)
			r = r >> 1 ^ (r & 1 ? 0xedb88320u : 0);
		table[i] = r;
	}
}

static void crc_table(struct loop_ctx *c)
{
	const uint32_t *table = (uint32_t *)c->buf[1];
	const uint8_t *p = c->buf[0];
	uint32_t crc = ~0u;
	size_t i;

	for (i = 0; i < LOOP_BYTES / 8; i++)
		crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
	c->sink += crc;
}

/* LZ77: a hash of four bytes names an earlier place, matches are extended */
static void lz_prepare(struct loop_ctx *c)
{
	size_t i;

	memset(c->buf[1], 0, LOOP_BYTES);
	for (i = 0; i < LOOP_BYTES; i++)
		c->buf[0][i] = "the quick brown fox jumps over it "
			[(i * 7 + (loop_next(&c->x) % 16 == 0)) % 34];
}

static void lz(struct loop_ctx *c)
{
	uint32_t *head = (uint32_t *)c->buf[1], v;
	const uint8_t *p = c->buf[0];
	size_t i = 0, n = 1 << 20, len, from, sum = 0;

	while (i + 300 < n) {
		memcpy(&v, p + i, 4);
		v = v * 2654435761u >> 18;
		from = head[v];
		head[v] = i;
		for (len = 0; len < 255 && p[from + len] == p[i + len]; len++)
			;
		i += len > 3 && from < i ? len : 1;
		sum += len;
	}
	c->sink += sum;
}

static void utf8(struct loop_ctx *c)
{
	const uint8_t *p = c->buf[0];
	size_t i = 0, n = 0;

	while (i < LOOP_BYTES / 4) {
		uint8_t b = p[i];

		i += b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
		n++;
	}
	c->sink += n;
}

static void dot(struct loop_ctx *c)
{
	const double *a = (double *)c->buf[0], *b = (double *)c->buf[1];
	double s = 0;
	size_t i;

	for (i = 0; i < LOOP_BYTES / 8; i++)
		s += a[i] * b[i];
	c->sink += s > 0;
}

struct body {
	float x, y, z, m;
	float vx, vy, vz, pad;
};

static void nbody(struct loop_ctx *c)
{
	struct body *b = (struct body *)c->buf[0];
	size_t i, j;

	for (i = 0; i < 64; i++) {
		float ax = 0, ay = 0, az = 0;

		for (j = 0; j < 4096; j++) {
			float dx = b[j].x - b[i].x, dy = b[j].y - b[i].y;
			float dz = b[j].z - b[i].z;
			float d = dx * dx + dy * dy + dz * dz + 0.01f;

			ax += dx / d;
			ay += dy / d;
			az += dz / d;
		}
		b[i].vx += ax;
		b[i].vy += ay;
		b[i].vz += az;
	}
}

static void bfs_prepare(struct loop_ctx *c)
{
	uint32_t *edge = (uint32_t *)c->buf[0];
	size_t i;

	for (i = 0; i < LOOP_BYTES / 4; i++)
		edge[i] = loop_next(&c->x) % (LOOP_BYTES / 16);
}

/* four edges a vertex; queue in buffer 1, visited marks in buffer 2 */
static void bfs(struct loop_ctx *c)
{
	const uint32_t *edge = (uint32_t *)c->buf[0];
	uint32_t *queue = (uint32_t *)c->buf[1], head = 0, tail = 0;
	uint8_t *seen = c->buf[2];
	int k;

	memset(seen, 0, LOOP_BYTES / 16);
	queue[tail++] = loop_next(&c->x) % (LOOP_BYTES / 16);
	while (head < tail && tail < 200000) {
		uint32_t v = queue[head++];

		for (k = 0; k < 4; k++) {
			uint32_t to = edge[v * 4 + k];

			if (!seen[to]) {
				seen[to] = 1;
				queue[tail++] = to;
			}
		}
	}
	c->sink += tail;
}

static void reverse_copy(struct loop_ctx *c)
{
	const uint8_t *a = c->buf[0];
	uint8_t *b = c->buf[1];
	size_t i;

	for (i = 0; i < LOOP_BYTES / 4; i++)
		b[i] = a[LOOP_BYTES / 4 - 1 - i];
}

static void maximum(struct loop_ctx *c)
{
	const int64_t *a = (int64_t *)c->buf[0];
	int64_t best = INT64_MIN;
	size_t i, at = 0;

	for (i = 0; i < LOOP_BYTES / 8; i++) {
		if (a[i] > best) {
			best = a[i];
			at = i;
		}
	}
	c->sink += at;
}

static void heap(struct loop_ctx *c)
{
	uint32_t *h = (uint32_t *)c->buf[0], v, x;
	size_t n = LOOP_BYTES / 4, i, k;
	uint64_t rng = c->x;
	int round;

	for (round = 0; round < 5000; round++) {
		h[0] = loop_next(&rng);
		for (i = 0; (k = 2 * i + 1) < n; i = k) {
			if (k + 1 < n && h[k + 1] > h[k])
				k++;
			if (h[i] >= h[k])
				break;
			x = h[i];
			v = h[k];
			h[i] = v;
			h[k] = x;
		}
	}
	c->x = rng;
}

/* open addressing, skewed keys, buffer 0 holds the slots */
static inline void probe(struct loop_ctx *c, size_t slots)
{
	const uint64_t *slot = (uint64_t *)c->buf[0];
	uint64_t hits = 0, x = c->x;
	int n;

	for (n = 0; n < 200000; n++) {
		size_t i = loop_skewed(&x, slots);

		if (slot[i] == x)
			hits++;
	}
	c->x = x;
	c->sink += hits;
}

static void hash_probe(struct loop_ctx *c)
{
	probe(c, LOOP_SMALL / 8);
}

static void hash_probe_large(struct loop_ctx *c)
{
	probe(c, LOOP_BYTES / 8);
}

static void bisect(struct loop_ctx *c)
{
	const uint64_t *a = (uint64_t *)c->buf[0];
	uint64_t x = c->x, sum = 0;
	int n;

	for (n = 0; n < 20000; n++) {
		uint64_t key = loop_next(&x);
		size_t lo = 0, hi = LOOP_BYTES / 8;

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (a[mid] < key)
				lo = mid + 1;
			else
				hi = mid;
		}
		sum += lo;
	}
	c->x = x;
	c->sink += sum;
}

static void mandelbrot(struct loop_ctx *c)
{
	uint8_t *out = c->buf[0];
	int x, y, n;

	for (y = 0; y < 64; y++) {
		for (x = 0; x < 256; x++) {
			float cr = x / 128.0f - 1.5f, ci = y / 32.0f - 1;
			float r = 0, i = 0, t;

			for (n = 0; n < 32 && r * r + i * i < 4; n++) {
				t = r * r - i * i + cr;
				i = 2 * r * i + ci;
				r = t;
			}
			out[y * 256 + x] = n;
		}
	}
}

static uint64_t fib(const uint64_t *a, unsigned int n)
{
	return n < 2 ? a[n] : fib(a, n - 1) + fib(a, n - 2);
}

/* recursion: calls, returns and spills on the stack */
static void recursion(struct loop_ctx *c)
{
	c->sink += fib((uint64_t *)c->buf[0], 20);
}

static void bytes_to_words(struct loop_ctx *c)
{
	const uint8_t *a = c->buf[0];
	uint32_t *b = (uint32_t *)c->buf[1];
	size_t i;

	for (i = 0; i < LOOP_BYTES / 4; i++)
		b[i] = a[i] * 257u;
}

static void complex_mul(struct loop_ctx *c)
{
	const float *a = (float *)c->buf[0], *b = (float *)c->buf[1];
	float *r = (float *)c->buf[2];
	size_t i;

	for (i = 0; i + 1 < LOOP_BYTES / 8; i += 2) {
		r[i] = a[i] * b[i] - a[i + 1] * b[i + 1];
		r[i + 1] = a[i] * b[i + 1] + a[i + 1] * b[i];
	}
}

/* updates of a random key's record, skewed, through a jump table */
static inline void interpret(struct loop_ctx *c, size_t words)
{
	uint64_t *a = (uint64_t *)c->buf[0], x = c->x;
	int n;

	for (n = 0; n < 200000; n++) {
		uint64_t *p = &a[loop_skewed(&x, words)];

		switch (x >> 60) {
		case 0: *p += 1; break;
		case 1: *p ^= x; break;
		case 2: *p -= x >> 3; break;
		case 3: *p |= 1; break;
		case 4: *p &= ~x; break;
		case 5: *p *= 3; break;
		case 6: *p = ~*p; break;
		case 7: *p <<= 1; break;
		default: *p = x; break;
		}
	}
	c->x = x;
}

static void interpreter(struct loop_ctx *c)
{
	interpret(c, LOOP_SMALL / 8);
}

static void interpreter_large(struct loop_ctx *c)
{
	interpret(c, LOOP_BYTES / 8);
}

const struct loop loops_heldout[] = {
	{ "stencil", NULL, stencil, 3, 0, 0, 0, 0 },
	{ "prefix", NULL, prefix_sum, 1, 0, 0, 0, 0 },
	{ "partition", NULL, partition, 1, 0, 0, 0, 0 },
	{ "radix", NULL, radix_pass, 7, 0, 0, 0, 0 },
	{ "transpose", NULL, transpose, 3, 0, 0, 0, 0 },
	{ "sparse", sparse_prepare, sparse, 7, 0, 0, 0, 0 },
	{ "compare", NULL, compare, 3, 0, 0, 0, 0 },
	{ "bitset", NULL, bitset, 1, 0, 0, 0, 0 },
	{ "crc", crc_prepare, crc_table, 3, 0, 0, 0, 0 },
	{ "lz", lz_prepare, lz, 3, 0, 0, 0, 0 },
	{ "utf8", NULL, utf8, 1, 0, 0, 0, 0 },
	{ "dot", NULL, dot, 3, 0, 0, 0, 0 },
	{ "nbody", NULL, nbody, 1, 0, 0, 0, 0 },
	{ "bfs", bfs_prepare, bfs, 7, 0, 0, 0, 0 },
	{ "reverse", NULL, reverse_copy, 3, 0, 0, 0, 0 },
	{ "maximum", NULL, maximum, 1, 0, 0, 0, 0 },
	{ "heap", NULL, heap, 1, 0, 0, 0, 0 },
	{ "hash", NULL, hash_probe, 1, 0, LOOP_HOT, LOOP_SMALL, 0 },
	{ "bisect", NULL, bisect, 1, 0, 0, 0, 0 },
	{ "mandelbrot", NULL, mandelbrot, 1, 0, 0, 0, 0 },
	{ "recursion", NULL, recursion, 1, 1, 0, 0, 0 },
	{ "widen", NULL, bytes_to_words, 3, 0, 0, 0, 0 },
	{ "complex", NULL, complex_mul, 7, 0, 0, 0, 0 },
	{ "interpreter", NULL, interpreter, 1, 0, LOOP_HOT, LOOP_SMALL, 0 },
	{ "hash-large", NULL, hash_probe_large, 1, 0, LOOP_HOT, LOOP_BYTES,
	  0 },
	{ "interpreter-large", NULL, interpreter_large, 1, 0, LOOP_HOT,
	  LOOP_BYTES, 0 },
};

const unsigned int loops_heldout_count = sizeof(loops_heldout) /
					 sizeof(loops_heldout[0]);
