// SPDX-License-Identifier: GPL-2.0-only
/*
 * probe.c - what a cache line takes from one CPU to the other, with nothing
 * around it
 *
 * There is no single way that is best everywhere: one line for both directions
 * or one each, used again at once or in turn, a locked instruction to look at
 * it, with or without PAUSE.  So all of them are tried each time.
 */
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "probe.h"
#include "queue.h"
#include "rig.h"

#define ROUNDS	3000
#define LINES	16

/* --- there and back ------------------------------------------------------ */

/**
 * struct way - one way to hand a line over
 * @lines: of each direction, used in turn; 0: one line for both
 * @locked: look with a locked instruction
 * @pauses: between two looks
 */
struct way {
	unsigned int lines;
	bool locked;
	unsigned int pauses;
};

#define LIKEWISE 3

static const struct way ways[] = {
	{ 0, false, 1 }, { 1, false, 1 }, { 2, false, 1 }, [LIKEWISE] = { 16,
	false, 1 },
	{ 1, false, 2 }, { 16, false, 2 },
	{ 0, true, 0 }, { 0, true, 1 }, { 1, true, 1 }, { 1, true, 2 },
};

#define WAYS	(sizeof(ways) / sizeof(ways[0]))

struct line {
	APART uint64_t word;
};

static struct {
	struct line there[LINES];
	struct line back[LINES];
	const struct way *way;
} lines;

static inline void await(uint64_t *word, uint64_t value, bool locked,
			 unsigned int pauses)
{
	unsigned int i;

	while ((locked ? __sync_fetch_and_add(word, 0) :
		__atomic_load_n(word, __ATOMIC_ACQUIRE)) != value)
		for (i = 0; i < pauses; i++)
			pause_once();
}

/* Inlined with constants: nothing is decided in the loop. */
static inline __attribute__((always_inline))
uint64_t go(const struct way w, bool first)
{
	uint64_t n, t = 0, mask = w.lines ? w.lines - 1 : 0;
	struct line *back = w.lines ? lines.back : lines.there;

	for (n = 0; n < ROUNDS; n++) {
		uint64_t *a = &lines.there[n & mask].word;
		uint64_t *b = &back[n & mask].word;

		if (n == ROUNDS / 2)
			t = rig_ticks();
		if (first) {
			__atomic_store_n(a, 2 * n + 1, __ATOMIC_RELEASE);
			await(b, 2 * n + 2, w.locked, w.pauses);
		} else {
			await(a, 2 * n + 1, w.locked, w.pauses);
			__atomic_store_n(b, 2 * n + 2, __ATOMIC_RELEASE);
		}
	}
	return rig_ticks() - t;
}

#define EACH_WAY(_)	_(0) _(1) _(2) _(3) _(4) _(5) _(6) _(7) _(8) _(9)

static uint64_t go_way(bool first)
{
	switch (lines.way - ways) {
#define CASE(i)	case i: return go(ways[i], first);
	EACH_WAY(CASE)
	}
	return 0;
}

static uint64_t ask(void *arg)
{
	(void)arg;
	return go_way(true);
}

static uint64_t answer(void *arg)
{
	(void)arg;
	return go_way(false);
}

static void lower(double *a, double b)
{
	if (!*a || b < *a)
		*a = b;
}

void probe_latency(struct probe *p)
{
	uint64_t (*const side[2])(void *) = { ask, answer };
	uint64_t t[2];
	unsigned int i;
	double one_way;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < WAYS; i++) {
		memset(&lines, 0, sizeof(lines));
		lines.way = &ways[i];
		rig_run(side, NULL, t);
		one_way = (double)t[0] / (ROUNDS - ROUNDS / 2) / 2;
		lower(&p->any, one_way);
		if (i == LIKEWISE)
			p->likewise = one_way;
		if (!ways[i].locked)
			lower(&p->plain, one_way);
		if (ways[i].lines)
			lower(&p->ring, one_way);
		else if (ways[i].locked)
			lower(&p->slot, one_way);
	}
}

/* --- streaming ----------------------------------------------------------- */

#define WINDOW_MAX	1024
#define STREAM_LINES	(1 << 18)

/*
 * Two halves of a window: one is written while the other is read.  Counters
 * on lines of their own say how many halves were written and read.
 */
static struct {
	struct message line[WINDOW_MAX] __attribute__((aligned(4096)));
	APART uint64_t written;
	APART uint64_t taken;
	APART uint64_t half;
	uint64_t sum;
} window;

static void write_plain(struct message *m, uint64_t n, uint64_t value)
{
	uint64_t i;
	int k;

	for (i = 0; i < n; i++)
		for (k = 0; k <= WORDS; k++)
			m[i].word[k] = value;
}

static uint64_t read_plain(const struct message *m, uint64_t n)
{
	uint64_t i, sum = 0;
	int k;

	for (i = 0; i < n; i++)
		for (k = 0; k <= WORDS; k++)
			sum ^= m[i].word[k];
	return sum;
}

#if defined(__x86_64__)
__attribute__((target("avx2")))
static void write_avx(struct message *m, uint64_t n, uint64_t value)
{
	const __m256i v = _mm256_set1_epi64x((long long)value);
	uint64_t i;

	for (i = 0; i < n; i++) {
		_mm256_store_si256((__m256i *)m[i].word, v);
		_mm256_store_si256((__m256i *)&m[i].word[4], v);
	}
}

__attribute__((target("avx2")))
static uint64_t read_avx(const struct message *m, uint64_t n)
{
	__m256i sum = _mm256_setzero_si256();
	uint64_t i;

	for (i = 0; i < n; i++) {
		sum = _mm256_xor_si256(sum, _mm256_load_si256(
					(const __m256i *)m[i].word));
		sum = _mm256_xor_si256(sum, _mm256_load_si256(
					(const __m256i *)&m[i].word[4]));
	}
	return (uint64_t)_mm256_extract_epi64(sum, 0);
}
#else
#define write_avx	write_plain
#define read_avx	read_plain
#endif

static bool has_avx(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}

static uint64_t write_stream(void *arg)
{
	uint64_t half = window.half, n = STREAM_LINES / half, i;
	const bool avx = has_avx();

	(void)arg;
	for (i = 0; i < n; i++) {
		while (i > __atomic_load_n(&window.taken, __ATOMIC_ACQUIRE) + 1)
			pause_once();
		(avx ? write_avx : write_plain)(&window.line[i % 2 * half],
						half, i + 1);
		__atomic_store_n(&window.written, i + 1, __ATOMIC_RELEASE);
	}
	return 0;
}

static uint64_t read_stream(void *arg)
{
	uint64_t half = window.half, n = STREAM_LINES / half, i, t = 0;
	const bool avx = has_avx();

	(void)arg;
	for (i = 0; i < n; i++) {
		if (i == n / 4)
			t = rig_ticks();
		while (i >= __atomic_load_n(&window.written, __ATOMIC_ACQUIRE))
			pause_once();
		window.sum += (avx ? read_avx : read_plain)(
				&window.line[i % 2 * half], half);
		__atomic_store_n(&window.taken, i + 1, __ATOMIC_RELEASE);
	}
	return rig_ticks() - t;
}

double probe_stream(void)
{
	uint64_t (*const side[2])(void *) = { write_stream, read_stream };
	uint64_t t[2], size;
	double best = 0, rate;

	for (size = 64; size <= WINDOW_MAX; size *= 4) {
		window.written = 0;
		window.taken = 0;
		window.half = size / 2;
		rig_run(side, NULL, t);
		rate = STREAM_LINES * 0.75 * 1000 / (double)t[1];
		if (rate > best)
			best = rate;
	}
	return best;
}
