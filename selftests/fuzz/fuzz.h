/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz.h - a fuzz target: built with fuzz.c it throws random inputs for some
 * seconds (tools/check); built by clang with libFuzzer it is guided by
 * coverage (make fuzz)
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Make a random input look more like a real one; returns its size. */
size_t fuzz_shape(uint8_t *data, size_t size, uint64_t (*random)(void));
/* Where the code begins in an input that ends in code. */
extern const size_t fuzz_code_at;
/* Say what was done so far, so that nobody takes nothing for success. */
void fuzz_report(void);

static inline void fuzz_check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz: does not hold: %s\n", what);
	abort();
}

/* What is left of an input, taken from the front; zeros when it is used up. */
struct fuzz_bytes {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_bytes *b)
{
	if (!b->left)
		return 0;
	b->left--;
	return *b->at++;
}

static inline uint16_t fuzz_u16(struct fuzz_bytes *b)
{
	uint16_t low = fuzz_u8(b);

	return (uint16_t)(fuzz_u8(b) << 8 | low);
}

static inline uint32_t fuzz_u32(struct fuzz_bytes *b)
{
	uint32_t low = fuzz_u16(b);

	return (uint32_t)fuzz_u16(b) << 16 | low;
}

/* A number from @low to @high. */
static inline uint32_t fuzz_between(struct fuzz_bytes *b, uint32_t low,
				    uint32_t high)
{
	return low + fuzz_u32(b) % (high - low + 1);
}

#endif /* FUZZ_H */
