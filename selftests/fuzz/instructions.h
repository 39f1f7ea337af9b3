/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * instructions.h - random x86-64 code that is not all refused at once
 */
#ifndef FUZZ_INSTRUCTIONS_H
#define FUZZ_INSTRUCTIONS_H

#include <stddef.h>
#include <stdint.h>

/* Longer than any instruction. */
#define INSTRUCTION_ROOM	24

/* Write one instruction, or nearly one; returns its length. */
size_t random_instruction(uint8_t *at, uint64_t (*random)(void));
/* Fill @size bytes with them. */
void random_instructions(uint8_t *at, size_t size, uint64_t (*random)(void));

#endif /* FUZZ_INSTRUCTIONS_H */
