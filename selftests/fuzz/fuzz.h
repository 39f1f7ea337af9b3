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

static inline void fuzz_check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz: does not hold: %s\n", what);
	abort();
}

#endif /* FUZZ_H */
