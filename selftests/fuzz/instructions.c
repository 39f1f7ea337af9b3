// SPDX-License-Identifier: GPL-2.0-only
/*
 * instructions.c - random x86-64 code
 *
 * Of random bytes every fourth instruction is none.  This draws opcodes that
 * the evaluator should know, with every operand size; general instructions in
 * register forms more often than not, for memory ends the walk.
 */
#include <stdbool.h>
#include <string.h>

#include "instructions.h"

enum { ONE, TWO, THREE_38, VEX_38, VEX_3A, VEX_TWO };
enum { I0, IB, IZ, IV };

/* @rep: mandatory prefixes that make sense: a bit each for none 66 f3 f2 */
static const struct family {
	uint8_t map;
	uint8_t first;
	uint8_t last;
	bool modrm;
	uint8_t imm;
	uint8_t rep;
} families[] = {
	{ ONE, 0x00, 0x3f, true, I0, 3 },
	{ ONE, 0x50, 0x5f, false, I0, 1 },
	{ ONE, 0x63, 0x63, true, I0, 3 },
	{ ONE, 0x68, 0x68, false, IZ, 1 },
	{ ONE, 0x69, 0x69, true, IZ, 3 },
	{ ONE, 0x6a, 0x6a, false, IB, 1 },
	{ ONE, 0x6b, 0x6b, true, IB, 3 },
	{ ONE, 0x70, 0x7f, false, IB, 1 },
	{ ONE, 0x80, 0x80, true, IB, 3 },
	{ ONE, 0x81, 0x81, true, IZ, 3 },
	{ ONE, 0x83, 0x83, true, IB, 3 },
	{ ONE, 0x84, 0x8b, true, I0, 3 },
	{ ONE, 0x8d, 0x8d, true, I0, 3 },
	{ ONE, 0x8f, 0x8f, true, I0, 1 },
	{ ONE, 0x90, 0x99, false, I0, 7 },
	{ ONE, 0x9e, 0x9f, false, I0, 1 },
	{ ONE, 0xa0, 0xa3, false, IV, 1 },
	{ ONE, 0xa4, 0xa7, false, I0, 15 },
	{ ONE, 0xa8, 0xa8, false, IB, 3 },
	{ ONE, 0xa9, 0xa9, false, IZ, 3 },
	{ ONE, 0xaa, 0xaf, false, I0, 15 },
	{ ONE, 0xb0, 0xb7, false, IB, 3 },
	{ ONE, 0xb8, 0xbf, false, IV, 3 },
	{ ONE, 0xc0, 0xc1, true, IB, 3 },
	{ ONE, 0xc3, 0xc3, false, I0, 1 },
	{ ONE, 0xc6, 0xc6, true, IB, 3 },
	{ ONE, 0xc7, 0xc7, true, IZ, 3 },
	{ ONE, 0xc9, 0xc9, false, I0, 1 },
	{ ONE, 0xd0, 0xd3, true, I0, 3 },
	{ ONE, 0xd7, 0xdf, true, I0, 1 },
	{ ONE, 0xe0, 0xe3, false, IB, 1 },
	{ ONE, 0xe8, 0xe9, false, IZ, 1 },
	{ ONE, 0xeb, 0xeb, false, IB, 1 },
	{ ONE, 0xf5, 0xf5, false, I0, 1 },
	{ ONE, 0xf6, 0xf6, true, IB, 3 },
	{ ONE, 0xf7, 0xf7, true, IZ, 3 },
	{ ONE, 0xf8, 0xfd, false, I0, 1 },
	{ ONE, 0xfe, 0xff, true, I0, 3 },
	{ TWO, 0x10, 0x17, true, I0, 15 },
	{ TWO, 0x18, 0x1f, true, I0, 7 },
	{ TWO, 0x28, 0x2f, true, I0, 15 },
	{ TWO, 0x40, 0x4f, true, I0, 3 },
	{ TWO, 0x50, 0x57, true, I0, 3 },
	{ TWO, 0x58, 0x5f, true, I0, 15 },
	{ TWO, 0x60, 0x6d, true, I0, 3 },
	{ TWO, 0x6e, 0x6f, true, I0, 7 },
	{ TWO, 0x70, 0x70, true, IB, 15 },
	{ TWO, 0x71, 0x73, true, IB, 3 },
	{ TWO, 0x74, 0x77, true, I0, 3 },
	{ TWO, 0x7e, 0x7f, true, I0, 7 },
	{ TWO, 0x80, 0x8f, false, IZ, 1 },
	{ TWO, 0x90, 0x9f, true, I0, 1 },
	{ TWO, 0xa3, 0xa3, true, I0, 3 },
	{ TWO, 0xa4, 0xa4, true, IB, 3 },
	{ TWO, 0xa5, 0xa5, true, I0, 3 },
	{ TWO, 0xab, 0xab, true, I0, 3 },
	{ TWO, 0xac, 0xac, true, IB, 3 },
	{ TWO, 0xad, 0xb1, true, I0, 3 },
	{ TWO, 0xb3, 0xb3, true, I0, 3 },
	{ TWO, 0xb6, 0xb8, true, I0, 7 },
	{ TWO, 0xba, 0xba, true, IB, 3 },
	{ TWO, 0xbb, 0xbf, true, I0, 7 },
	{ TWO, 0xc0, 0xc1, true, I0, 3 },
	{ TWO, 0xc2, 0xc2, true, IB, 15 },
	{ TWO, 0xc3, 0xc3, true, I0, 1 },
	{ TWO, 0xc4, 0xc6, true, IB, 3 },
	{ TWO, 0xc7, 0xc7, true, I0, 5 },
	{ TWO, 0xc8, 0xcf, false, I0, 3 },
	{ TWO, 0xd0, 0xfe, true, I0, 3 },
	{ THREE_38, 0x00, 0x41, true, I0, 3 },
	{ THREE_38, 0xf0, 0xf1, true, I0, 9 },
	{ THREE_38, 0xf6, 0xf6, true, I0, 6 },
	{ VEX_38, 0xf2, 0xf7, true, I0, 15 },
	{ VEX_38, 0x00, 0xdf, true, I0, 2 },
	{ VEX_3A, 0xf0, 0xf0, true, IB, 8 },
	{ VEX_3A, 0x00, 0xdf, true, IB, 2 },
	{ VEX_TWO, 0x10, 0xfe, true, I0, 15 },
	/* with EVEX each has a displacement unit of its own */
	{ VEX_TWO, 0x10, 0x11, true, I0, 15 },
	{ VEX_TWO, 0x6e, 0x6f, true, I0, 14 },
	{ VEX_TWO, 0xd6, 0xd6, true, I0, 2 },
	{ VEX_38, 0x18, 0x19, true, I0, 2 },
	{ VEX_38, 0x58, 0x59, true, I0, 2 },
	{ VEX_38, 0x78, 0x79, true, I0, 2 },
};

static uint8_t draw_rep(uint8_t allowed, uint64_t (*random)(void))
{
	unsigned int n = random() % 4;

	while (!(allowed >> n & 1))
		n = (n + 1) % 4;
	return n;
}

static size_t put_legacy(uint8_t *at, const struct family *f, uint8_t op,
			 unsigned int rep, uint8_t *rex,
			 uint64_t (*random)(void))
{
	static const uint8_t byte[] = { 0, 0x66, 0xf3, 0xf2 };
	size_t n = 0;

	if (random() % 32 == 0)
		at[n++] = 0x67;
	if (random() % 32 == 0)
		at[n++] = random() & 1 ? 0x64 : 0x65;
	if (rep)
		at[n++] = byte[rep];
	*rex = random() & 1 ? 0x40 | random() % 16 : 0;
	if (*rex)
		at[n++] = *rex;
	if (f->map != ONE)
		at[n++] = 0x0f;
	if (f->map == THREE_38)
		at[n++] = 0x38;
	at[n++] = op;
	return n;
}

static size_t put_vex(uint8_t *at, const struct family *f, uint8_t op,
		      unsigned int rep, uint8_t *rex,
		      uint64_t (*random)(void))
{
	static const uint8_t map[] = { 1, 1, 2, 2, 3, 1 };
	uint64_t bits = random();
	size_t n = 0;

	*rex = bits >> 8 & 0x80 ? 8 : 0;
	if (bits >> 20 & 1) {
		/* EVEX, unmasked more often than not */
		at[n++] = 0x62;
		at[n++] = (bits & 0xf0) | map[f->map];
		at[n++] = (bits >> 8 & 0xf8) | 4 | rep;
		at[n++] = (bits >> 24 & 0x60) | 8 |
			  (bits >> 32 & 1 ? 0 : bits >> 40 & 0x17);
	} else {
		at[n++] = 0xc4;
		at[n++] = (bits & 0xe0) | map[f->map];
		at[n++] = (bits >> 8 & 0xf8) | rep;
	}
	at[n++] = op;
	return n;
}

/* @memory: eighths of the forms that name memory */
static size_t put_modrm(uint8_t *at, unsigned int memory,
			uint64_t (*random)(void))
{
	uint64_t bits = random();
	uint8_t mod = bits >> 61 >= memory ? 3 : bits & 3;
	uint8_t rm = bits >> 4 & 7;
	size_t n = 0;

	at[n++] = mod << 6 | (bits >> 8 & 7) << 3 | rm;
	if (mod == 3)
		return n;
	/* a SIB byte, often that of [rsp] */
	if (rm == 4)
		at[n++] = bits & 0x200000 ? 0x24 : bits >> 12;
	if (mod == 1)
		at[n++] = bits >> 24;
	if (mod == 2 || (mod == 0 && rm == 5)) {
		memcpy(at + n, (uint32_t[]){ bits >> 32 }, 4);
		n += 4;
	}
	return n;
}

size_t random_instruction(uint8_t *at, uint64_t (*random)(void))
{
	const struct family *f = &families[random() %
				(sizeof(families) / sizeof(families[0]))];
	uint8_t op = f->first + random() % (f->last - f->first + 1), rex;
	unsigned int rep = draw_rep(f->rep, random);
	uint64_t imm = random() & 1 ? random() : random() & 0x1f;
	size_t n, width;

	if (f->map >= VEX_38)
		n = put_vex(at, f, op, rep, &rex, random);
	else
		n = put_legacy(at, f, op, rep, &rex, random);
	if (f->modrm && !(f->map == ONE && op < 0x40 && (op & 7) >= 4))
		n += put_modrm(at + n, f->map >= VEX_38 ? 6 : 3, random);
	width = f->imm == IB ? 1 : rep == 1 ? 2 : 4;
	if (f->imm == IV && (rex & 8 || (op & 0xfc) == 0xa0))
		width = 8;
	if (f->imm) {
		memcpy(at + n, &imm, 8);
		n += width;
	}
	return n;
}

void random_instructions(uint8_t *at, size_t size, uint64_t (*random)(void))
{
	uint8_t one[INSTRUCTION_ROOM];
	size_t done = 0, n;

	while (done < size) {
		n = random_instruction(one, random);
		if (n > size - done)
			n = size - done;
		memcpy(at + done, one, n);
		done += n;
	}
}
