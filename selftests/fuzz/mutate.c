// SPDX-License-Identifier: GPL-2.0-only
/*
 * mutate.c - libFuzzer's mutations, and whole instructions between them, for
 * targets whose input ends in code
 */
#include <string.h>

#include "fuzz.h"
#include "instructions.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);

static uint64_t state;

static uint64_t next_random(void)
{
	/* splitmix64 */
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* Put an instruction somewhere in the code, or over what is there. */
static size_t put_instruction(uint8_t *data, size_t size, size_t max)
{
	uint8_t one[INSTRUCTION_ROOM];
	size_t n = random_instruction(one, next_random);
	size_t at = fuzz_code_at + next_random() % (size - fuzz_code_at + 1);

	if (next_random() & 1 && size + n <= max) {
		memmove(data + at + n, data + at, size - at);
		size += n;
	} else if (at + n > size) {
		if (at + n > max)
			return size;
		size = at + n;
	}
	memcpy(data + at, one, n);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	state = seed;
	if (max < fuzz_code_at + INSTRUCTION_ROOM || next_random() & 1)
		return LLVMFuzzerMutate(data, size, max);
	if (size < fuzz_code_at) {
		memset(data + size, 0x40, fuzz_code_at - size);
		size = fuzz_code_at;
	}
	return put_instruction(data, size, max);
}
