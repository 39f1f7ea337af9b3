/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loops.h - loops whose memory accesses are known
 */
#ifndef LOOPS_H
#define LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* Every loop has these; what it does not use is there to be hit by mistake. */
#define LOOP_BYTES	(16ul << 20)
#define LOOP_BUFFERS	4

/**
 * struct loop_ctx - what a loop works on
 * @buf: buffers of LOOP_BYTES
 * @x: state of the generator
 * @sink: results go here, so that nothing is optimised away
 * @pos: where a loop that walks goes on
 */
struct loop_ctx {
	uint8_t *buf[LOOP_BUFFERS];
	uint64_t x;
	uint64_t sink;
	size_t pos;
};

/**
 * struct loop - one loop
 * @name: as on the command line
 * @prepare: fill the buffers, may be NULL
 * @run: a few hundred thousand accesses
 * @uses: bit n: accesses buffer n
 * @stack: the stack, too (calls, spills)
 * @hot: share of the accesses to the first @region bytes of buffer 0 that lie
 *	in their first eighth, by construction; 0 when it is not known
 * @region: see @hot.  In a region that fits the cache every access takes the
 *	same time; in a large one the rare accesses miss and take longer, and a
 *	clock sees them more often than they are made
 * @dev: it was looked at while the evaluator was written
 */
struct loop {
	const char *name;
	void (*prepare)(struct loop_ctx *c);
	void (*run)(struct loop_ctx *c);
	unsigned int uses;
	int stack;
	double hot;
	unsigned long region;
	int dev;
};

extern const struct loop loops[];
extern const unsigned int loops_count;

static inline uint64_t loop_next(uint64_t *x)
{
	uint64_t v = *x;

	v ^= v << 13;
	v ^= v >> 7;
	v ^= v << 17;
	*x = v;
	return v;
}

/* Nine of ten in the first eighth, the tenth anywhere: 0.9 + 0.1 / 8. */
#define LOOP_HOT	0.9125
/* fits every first-level cache */
#define LOOP_SMALL	(16ul << 10)

/*
 * Below @n, a power of two.  Without a branch: a clock sees the time between
 * accesses, and a mispredicted branch before the rare ones would make them
 * look less rare.
 */
static inline size_t loop_skewed(uint64_t *x, size_t n)
{
	uint64_t v = loop_next(x), anywhere = -(uint64_t)(v % 10 == 0);

	/* keep the compiler from making it a branch after all */
	asm("" : "+r" (anywhere));
	return (v >> 20) & (((n / 8) - 1) | (anywhere & (n - 1)));
}

#endif /* LOOPS_H */
