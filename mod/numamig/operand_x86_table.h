/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * operand_x86_table.h - what each x86-64 opcode is, as far as the forward
 * evaluator cares; included by operand_x86_decode.c alone
 *
 * Opcode numbers, operand forms and the flags they leave follow the Intel SDM
 * volume 2 (appendix A opcode maps) and the AMD APM volume 3.  An opcode that
 * is not listed is refused.
 */
#ifndef NUMAMIG_OPERAND_X86_TABLE_H
#define NUMAMIG_OPERAND_X86_TABLE_H

#include "operand_x86.h"

#define M		A_MODRM
#define R		A_READ
#define W		A_WRITE
#define B		A_BYTE
#define V		A_VEX
#define VO		(A_VEX | A_VEX_ONLY)

/* The eight arithmetic opcodes of one row: E,G G,E and AL/eAX,imm. */
#define ALU_ROW(base, use)						\
	[(base) + 0] = X_ALU | M | (use) | B,				\
	[(base) + 1] = X_ALU | M | (use),				\
	[(base) + 2] = X_ALU | M | R | B,				\
	[(base) + 3] = X_ALU | M | R,					\
	[(base) + 4] = X_ALU | A_IB | B,				\
	[(base) + 5] = X_ALU | A_IZ

static const u16 x86_map_one[256] = {
	ALU_ROW(0x00, A_RW), ALU_ROW(0x08, A_RW), ALU_ROW(0x10, A_RW),
	ALU_ROW(0x18, A_RW), ALU_ROW(0x20, A_RW), ALU_ROW(0x28, A_RW),
	ALU_ROW(0x30, A_RW), ALU_ROW(0x38, R),
	[0x50 ... 0x57] = X_PUSH,
	[0x58 ... 0x5f] = X_POP,
	[0x63] = X_MOVSXD | M | R,
	[0x68] = X_PUSH | A_IZ,
	[0x69] = X_IMUL | M | R | A_IZ,
	[0x6a] = X_PUSH | A_IB,
	[0x6b] = X_IMUL | M | R | A_IB,
	[0x70 ... 0x7f] = X_JCC | A_IB,
	[0x80] = X_ALU_IMM | M | A_RW | A_IB | B,
	[0x81] = X_ALU_IMM | M | A_RW | A_IZ,
	[0x83] = X_ALU_IMM | M | A_RW | A_IB,
	[0x84] = X_TEST | M | R | B,
	[0x85] = X_TEST | M | R,
	[0x86] = X_XCHG | M | A_RW | B,
	[0x87] = X_XCHG | M | A_RW,
	[0x88] = X_MOV | M | W | B,
	[0x89] = X_MOV | M | W,
	[0x8a] = X_MOV | M | R | B,
	[0x8b] = X_MOV | M | R,
	[0x8c] = X_LOSE_RM | M | W,
	[0x8d] = X_LEA | M,
	[0x8f] = X_POP_RM | M | W,
	[0x90 ... 0x97] = X_XCHG_AX,
	[0x98] = X_CBW,
	[0x99] = X_CWD,
	[0x9b] = X_NONE,
	[0x9c] = X_PUSH,
	[0x9d] = X_POP,
	[0x9e] = X_FLAG_OP,
	[0x9f] = X_LAHF,
	[0xa0] = X_MOFFS | R | A_MOFFS | B,
	[0xa1] = X_MOFFS | R | A_MOFFS,
	[0xa2] = X_MOFFS | W | A_MOFFS | B,
	[0xa3] = X_MOFFS | W | A_MOFFS,
	[0xa4 ... 0xa7] = X_STRING,
	[0xa8] = X_TEST | A_IB | B,
	[0xa9] = X_TEST | A_IZ,
	[0xaa ... 0xaf] = X_STRING,
	[0xb0 ... 0xb7] = X_MOV_REG_IMM | A_IB | B,
	[0xb8 ... 0xbf] = X_MOV_REG_IMM | A_IV,
	[0xc0] = X_SHIFT | M | A_RW | A_IB | B,
	[0xc1] = X_SHIFT | M | A_RW | A_IB,
	[0xc2] = X_RET | A_IW,
	[0xc3] = X_RET,
	[0xc6] = X_MOV_IMM | M | W | A_IB | B,
	[0xc7] = X_MOV_IMM | M | W | A_IZ,
	[0xc8] = X_PUSH | A_IWB,
	[0xc9] = X_LEAVE,
	[0xd0] = X_SHIFT | M | A_RW | B,
	[0xd1] = X_SHIFT | M | A_RW,
	[0xd2] = X_SHIFT | M | A_RW | B,
	[0xd3] = X_SHIFT | M | A_RW,
	[0xd7] = X_XLAT,
	[0xd8 ... 0xdf] = X_X87 | M | R,
	[0xe0 ... 0xe3] = X_LOOP | A_IB,
	[0xe8] = X_CALL | A_IZ,
	[0xe9] = X_JMP | A_IZ,
	[0xeb] = X_JMP | A_IB,
	[0xf5] = X_FLAG_OP,
	[0xf6] = X_GROUP3 | M | A_RW | B,
	[0xf7] = X_GROUP3 | M | A_RW,
	[0xf8] = X_FLAG_OP,
	[0xf9] = X_FLAG_OP,
	[0xfc] = X_FLAG_OP,
	[0xfd] = X_FLAG_OP,
	[0xfe] = X_INC_DEC | M | A_RW | B,
	[0xff] = X_GROUP5 | M | A_RW,
};

static const u16 x86_map_0f[256] = {
	[0x01] = X_GROUP7 | M,
	[0x0d] = X_HINT | M,
	[0x10] = X_NONE | M | R | V,
	[0x11] = X_NONE | M | W | V,
	[0x12] = X_NONE | M | R | V,
	[0x13] = X_NONE | M | W | V,
	[0x14 ... 0x16] = X_NONE | M | R | V,
	[0x17] = X_NONE | M | W | V,
	[0x18] = X_HINT | M,
	[0x19] = X_HINT | M,
	[0x1c ... 0x1f] = X_HINT | M,
	[0x28] = X_NONE | M | R | V,
	[0x29] = X_NONE | M | W | V,
	[0x2a] = X_NONE | M | R | V,
	[0x2b] = X_NONE | M | W | V,
	[0x2c] = X_CVT_INT | M | R | V,
	[0x2d] = X_CVT_INT | M | R | V,
	[0x2e] = X_LOSE_FLAGS | M | R | V,
	[0x2f] = X_LOSE_FLAGS | M | R | V,
	[0x31] = X_RDTSC,
	[0x40 ... 0x4f] = X_CMOV | M | R,
	[0x50] = X_LOSE_REG | M | R | V,
	[0x51 ... 0x6f] = X_NONE | M | R | V,
	[0x70 ... 0x73] = X_NONE | M | R | A_IB | V,
	[0x74 ... 0x76] = X_NONE | M | R | V,
	[0x77] = X_NONE | V,
	[0x7c] = X_NONE | M | R | V,
	[0x7d] = X_NONE | M | R | V,
	[0x7e] = X_MOVD_STORE | M | W | V,
	[0x7f] = X_NONE | M | W | V,
	[0x80 ... 0x8f] = X_JCC | A_IZ,
	[0x90 ... 0x9f] = X_SETCC | M | W | B,
	[0xa0] = X_PUSH,
	[0xa2] = X_CPUID,
	[0xa3] = X_BT | M | R,
	[0xa4] = X_SHIFT_DOUBLE | M | A_RW | A_IB,
	[0xa5] = X_SHIFT_DOUBLE | M | A_RW,
	[0xa8] = X_PUSH,
	[0xab] = X_BT | M | A_RW,
	[0xac] = X_SHIFT_DOUBLE | M | A_RW | A_IB,
	[0xad] = X_SHIFT_DOUBLE | M | A_RW,
	[0xae] = X_GROUP15 | M | A_RW | V,
	[0xaf] = X_IMUL | M | R,
	[0xb0] = X_CMPXCHG | M | A_RW | B,
	[0xb1] = X_CMPXCHG | M | A_RW,
	[0xb3] = X_BT | M | A_RW,
	[0xb6] = X_MOVX | M | R,
	[0xb7] = X_MOVX | M | R,
	[0xb8] = X_POPCNT | M | R,
	[0xba] = X_BT_IMM | M | A_RW | A_IB,
	[0xbb] = X_BT | M | A_RW,
	[0xbc] = X_BIT_SCAN | M | R,
	[0xbd] = X_BIT_SCAN | M | R,
	[0xbe] = X_MOVX | M | R,
	[0xbf] = X_MOVX | M | R,
	[0xc0] = X_XADD | M | A_RW | B,
	[0xc1] = X_XADD | M | A_RW,
	[0xc2] = X_NONE | M | R | A_IB | V,
	[0xc3] = X_NONE | M | W,
	[0xc4] = X_NONE | M | R | A_IB | V,
	[0xc5] = X_LOSE_REG | M | R | A_IB | V,
	[0xc6] = X_NONE | M | R | A_IB | V,
	[0xc7] = X_GROUP9 | M | A_RW,
	[0xc8 ... 0xcf] = X_BSWAP,
	[0xd0 ... 0xd5] = X_NONE | M | R | V,
	[0xd6] = X_NONE | M | W | V,
	[0xd7] = X_LOSE_REG | M | R | V,
	[0xd8 ... 0xe6] = X_NONE | M | R | V,
	[0xe7] = X_NONE | M | W | V,
	[0xe8 ... 0xf6] = X_NONE | M | R | V,
	[0xf7] = X_MASKMOVQ | M | W | V,
	[0xf8 ... 0xfe] = X_NONE | M | R | V,
};

static const u16 x86_map_0f38[256] = {
	[0x00 ... 0x0b] = X_NONE | M | R | V,
	[0x0c] = X_NONE | M | R | VO,
	[0x0d] = X_NONE | M | R | VO,
	[0x0e] = X_LOSE_FLAGS | M | R | VO,
	[0x0f] = X_LOSE_FLAGS | M | R | VO,
	[0x10] = X_NONE | M | R,
	[0x13] = X_NONE | M | R | VO,
	[0x14] = X_NONE | M | R,
	[0x15] = X_NONE | M | R,
	[0x16] = X_NONE | M | R | VO,
	[0x17] = X_LOSE_FLAGS | M | R | V,
	[0x18 ... 0x1a] = X_NONE | M | R | VO,
	[0x1c ... 0x1e] = X_NONE | M | R | V,
	[0x20 ... 0x25] = X_NONE | M | R | V,
	[0x28 ... 0x2b] = X_NONE | M | R | V,
	[0x30 ... 0x35] = X_NONE | M | R | V,
	[0x36] = X_NONE | M | R | VO,
	[0x37 ... 0x41] = X_NONE | M | R | V,
	[0x45 ... 0x47] = X_NONE | M | R | VO,
	[0x50 ... 0x53] = X_NONE | M | R | VO,
	[0x58 ... 0x5a] = X_NONE | M | R | VO,
	[0x78] = X_NONE | M | R | VO,
	[0x79] = X_NONE | M | R | VO,
	[0x96 ... 0x9f] = X_NONE | M | R | VO,
	[0xa6 ... 0xaf] = X_NONE | M | R | VO,
	[0xb6 ... 0xbf] = X_NONE | M | R | VO,
	[0xc8 ... 0xcd] = X_NONE | M | R,
	[0xcf] = X_NONE | M | R | V,
	[0xdb ... 0xdf] = X_NONE | M | R | V,
	[0xf0] = X_CRC_MOVBE | M | R,
	[0xf1] = X_CRC_MOVBE | M | W,
	[0xf2] = X_ANDN | M | R | VO,
	[0xf3] = X_GROUP17 | M | R | VO,
	[0xf5] = X_BZHI_PEXT_PDEP | M | R | VO,
	[0xf6] = X_ADX | M | R | V,
	[0xf7] = X_BEXTR_SHX | M | R | VO,
	[0xf9] = X_NONE | M | W,
};

static const u16 x86_map_0f3a[256] = {
	[0x00 ... 0x02] = X_NONE | M | R | A_IB | VO,
	[0x04 ... 0x06] = X_NONE | M | R | A_IB | VO,
	[0x08 ... 0x0f] = X_NONE | M | R | A_IB | V,
	[0x14 ... 0x17] = X_LOSE_RM | M | W | A_IB | V,
	[0x18] = X_NONE | M | R | A_IB | VO,
	[0x19] = X_NONE | M | W | A_IB | VO,
	[0x1d] = X_NONE | M | W | A_IB | VO,
	[0x20 ... 0x22] = X_NONE | M | R | A_IB | V,
	[0x38] = X_NONE | M | R | A_IB | VO,
	[0x39] = X_NONE | M | W | A_IB | VO,
	[0x40 ... 0x42] = X_NONE | M | R | A_IB | V,
	[0x44] = X_NONE | M | R | A_IB | V,
	[0x46] = X_NONE | M | R | A_IB | VO,
	[0x4a ... 0x4c] = X_NONE | M | R | A_IB | VO,
	[0x60] = X_LOSE_FLAGS | M | R | A_IB | V,
	[0x61] = X_PCMPSTR_INDEX | M | R | A_IB | V,
	[0x62] = X_LOSE_FLAGS | M | R | A_IB | V,
	[0x63] = X_PCMPSTR_INDEX | M | R | A_IB | V,
	[0xcc] = X_NONE | M | R | A_IB,
	[0xce] = X_NONE | M | R | A_IB | V,
	[0xcf] = X_NONE | M | R | A_IB | V,
	[0xdf] = X_NONE | M | R | A_IB | V,
	[0xf0] = X_RORX | M | R | A_IB | VO,
};

/*
 * EVEX: an 8-bit displacement counts in units that depend on the instruction
 * (SDM volume 2, "Compressed Displacement").  A memory form that is not listed
 * here, or that is masked, is refused; a register form needs no unit.
 */
enum x86_unit {
	U_NONE,
	U_VECTOR,		/* the whole vector */
	U_ELEMENT,		/* 4 bytes, or 8 with W */
	U_BYTE,
	U_WORD,
	U_8,			/* 8 bytes */
	U_PACKED_OR_SCALAR,	/* the vector; 4 with f3, 8 with f2 */
};

/* @attr 0: as in the table of the map */
struct x86_evex {
	u8 map;
	u8 first;
	u8 last;
	u8 unit;
	u16 attr;
};

static const struct x86_evex x86_evex[] = {
	{ 1, 0x10, 0x11, U_PACKED_OR_SCALAR, 0 },
	{ 1, 0x14, 0x15, U_VECTOR, 0 },
	{ 1, 0x28, 0x29, U_VECTOR, 0 },
	{ 1, 0x2b, 0x2b, U_VECTOR, 0 },
	{ 1, 0x51, 0x51, U_PACKED_OR_SCALAR, 0 },
	{ 1, 0x54, 0x57, U_VECTOR, 0 },
	{ 1, 0x58, 0x59, U_PACKED_OR_SCALAR, 0 },
	{ 1, 0x5c, 0x5f, U_PACKED_OR_SCALAR, 0 },
	{ 1, 0x60, 0x6d, U_VECTOR, 0 },
	{ 1, 0x6e, 0x6e, U_ELEMENT, 0 },
	{ 1, 0x6f, 0x70, U_VECTOR, 0 },
	{ 1, 0x74, 0x76, U_VECTOR, 0 },
	{ 1, 0x7f, 0x7f, U_VECTOR, 0 },
	{ 1, 0xd4, 0xd5, U_VECTOR, 0 },
	{ 1, 0xd6, 0xd6, U_8, 0 },
	{ 1, 0xd8, 0xe0, U_VECTOR, 0 },
	{ 1, 0xe3, 0xe5, U_VECTOR, 0 },
	{ 1, 0xe7, 0xef, U_VECTOR, 0 },
	{ 1, 0xf4, 0xf6, U_VECTOR, 0 },
	{ 1, 0xf8, 0xfe, U_VECTOR, 0 },
	{ 2, 0x00, 0x00, U_VECTOR, 0 },
	{ 2, 0x04, 0x04, U_VECTOR, 0 },
	{ 2, 0x18, 0x18, U_ELEMENT, 0 },
	{ 2, 0x19, 0x19, U_8, 0 },
	{ 2, 0x26, 0x27, U_VECTOR, X_NONE | M | R },
	{ 2, 0x36, 0x36, U_VECTOR, 0 },
	{ 2, 0x38, 0x40, U_VECTOR, 0 },
	{ 2, 0x58, 0x58, U_ELEMENT, 0 },
	{ 2, 0x59, 0x59, U_8, 0 },
	{ 2, 0x78, 0x78, U_BYTE, 0 },
	{ 2, 0x79, 0x79, U_WORD, 0 },
	{ 2, 0x7a, 0x7c, U_NONE, X_NONE | M },
	{ 2, 0x98, 0x98, U_VECTOR, 0 },
	{ 2, 0x99, 0x99, U_ELEMENT, 0 },
	{ 2, 0xa8, 0xa8, U_VECTOR, 0 },
	{ 2, 0xa9, 0xa9, U_ELEMENT, 0 },
	{ 2, 0xb8, 0xb8, U_VECTOR, 0 },
	{ 2, 0xb9, 0xb9, U_ELEMENT, 0 },
	{ 3, 0x0f, 0x0f, U_VECTOR, 0 },
	{ 3, 0x1e, 0x1f, U_VECTOR, X_NONE | M | R | A_IB },
	{ 3, 0x25, 0x25, U_VECTOR, X_NONE | M | R | A_IB },
	{ 3, 0x3e, 0x3f, U_VECTOR, X_NONE | M | R | A_IB },
};

/* VEX instructions on mask registers, which the maps leave to SETcc, CMOVcc. */
static const struct x86_evex x86_vex_mask[] = {
	{ 1, 0x41, 0x42, U_NONE, X_NONE | M },
	{ 1, 0x44, 0x47, U_NONE, X_NONE | M },
	{ 1, 0x4a, 0x4b, U_NONE, X_NONE | M },
	{ 1, 0x90, 0x90, U_NONE, X_NONE | M | R },
	{ 1, 0x91, 0x91, U_NONE, X_NONE | M | W },
	{ 1, 0x92, 0x92, U_NONE, X_NONE | M },
	{ 1, 0x93, 0x93, U_NONE, X_LOSE_REG | M },
	{ 1, 0x98, 0x99, U_NONE, X_LOSE_FLAGS | M },
	{ 3, 0x30, 0x33, U_NONE, X_NONE | M | A_IB },
};

#undef M
#undef R
#undef W
#undef B
#undef V
#undef VO
#undef ALU_ROW

#endif /* NUMAMIG_OPERAND_X86_TABLE_H */
