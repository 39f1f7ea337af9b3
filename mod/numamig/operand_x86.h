/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * operand_x86.h - what the files of the x86-64 evaluator share
 */
#ifndef NUMAMIG_OPERAND_X86_H
#define NUMAMIG_OPERAND_X86_H

#include "operand.h"

/* What an instruction does to the general registers and the flags. */
enum x86_class {
	X_BAD,			/* refused */
	X_NONE,			/* nothing: vector, x87, hints */
	X_ALU,			/* add or adc sbb and sub xor cmp: bits 3-5 */
	X_ALU_IMM,		/* the same with an immediate, by modrm.reg */
	X_TEST,
	X_MOV,
	X_MOV_IMM,		/* c6, c7 */
	X_MOV_REG_IMM,		/* b0 to bf */
	X_MOVSXD,
	X_MOVX,			/* movzx, movsx */
	X_LEA,
	X_XCHG,
	X_XCHG_AX,
	X_INC_DEC,		/* fe */
	X_GROUP5,		/* ff */
	X_GROUP3,		/* f6, f7 */
	X_SHIFT,
	X_IMUL,			/* two and three operands */
	X_PUSH,
	X_PUSH_RM,
	X_POP,
	X_POP_RM,
	X_CALL,
	X_RET,
	X_LEAVE,
	X_JMP,
	X_JCC,
	X_LOOP,
	X_STRING,
	X_MOFFS,
	X_XLAT,
	X_CBW,
	X_CWD,
	X_FLAG_OP,
	X_LAHF,
	X_CMOV,
	X_SETCC,
	X_BT,			/* bit number in a register */
	X_BT_IMM,
	X_BIT_SCAN,
	X_POPCNT,
	X_BSWAP,
	X_XADD,
	X_CMPXCHG,
	X_SHIFT_DOUBLE,
	X_LOSE_REG,		/* modrm.reg takes a value from elsewhere */
	X_LOSE_RM,		/* a register in modrm.rm does */
	X_LOSE_FLAGS,
	X_CVT_INT,		/* to a general register with f2 or f3 */
	X_MOVD_STORE,		/* 0f 7e: three instructions by prefix */
	X_CPUID,
	X_RDTSC,
	X_GROUP7,		/* 0f 01 */
	X_GROUP9,		/* 0f c7 */
	X_GROUP15,		/* 0f ae */
	X_X87,
	X_HINT,			/* names an address, touches none */
	X_CRC_MOVBE,
	X_ADX,
	X_PCMPSTR_INDEX,
	X_ANDN,
	X_GROUP17,		/* blsr blsmsk blsi */
	X_BZHI_PEXT_PDEP,
	X_MULX,
	X_BEXTR_SHX,
	X_RORX,
	X_MASKMOVQ,
};

/* Layout of a table entry. */
#define A_CLASS		0x007f
#define A_MODRM		0x0080
#define A_IMM		0x0700
#define  A_IB		0x0100	/* 1 byte */
#define  A_IW		0x0200	/* 2 bytes */
#define  A_IZ		0x0300	/* 2 or 4 by operand size */
#define  A_IV		0x0400	/* 2, 4 or 8 by operand size */
#define  A_IWB		0x0500	/* 2 + 1: enter */
#define  A_MOFFS	0x0600	/* 8, or 4 with an address-size prefix */
#define A_READ		0x0800	/* how a memory operand is used */
#define A_WRITE		0x1000
#define A_RW		(A_READ | A_WRITE)
#define A_BYTE		0x2000	/* operands of one byte */
#define A_VEX		0x4000	/* exists with a VEX prefix ... */
#define A_VEX_ONLY	0x8000	/* ... and only so */

enum { AX, CX, DX, BX, SP, BP, SI, DI, NR_GPR = 16 };

#define F_CF	0x0001u
#define F_PF	0x0004u
#define F_AF	0x0010u
#define F_ZF	0x0040u
#define F_SF	0x0080u
#define F_DF	0x0400u
#define F_OF	0x0800u
#define F_LOGIC	(F_CF | F_PF | F_ZF | F_SF | F_OF)
#define F_ARITH	(F_LOGIC | F_AF)

enum { SEG_NONE, SEG_FS, SEG_GS };
enum { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };

/*
 * One decoded instruction.  @reg and @rm are extended by REX or VEX; @index
 * and @base are -1 when the address has none.
 */
struct insn {
	unsigned int len;
	u16 attr;
	u8 op;
	u8 size;		/* operand size in bytes */
	u64 next;		/* address after the instruction */
	u64 imm;
	s64 disp;
	u8 rex;			/* 0x40 | W R X B, also from VEX */
	u8 rep;			/* 0xf2, 0xf3 or 0 */
	u8 seg;
	u8 map;
	bool opsize;		/* 0x66 seen */
	bool addr32;		/* 0x67 seen */
	bool vex;		/* VEX or EVEX */
	bool evex;
	bool masked;		/* EVEX with a mask register */
	bool broadcast;		/* EVEX.b */
	bool mem;		/* modrm names memory */
	bool rip_relative;
	u8 reg;
	u8 rm;
	u8 scale;
	u8 unit;		/* of an EVEX 8-bit displacement, 0: unknown */
	u8 vvvv;
	u8 vector;		/* EVEX vector length in bytes */
	s8 base;
	s8 index;
};

#define REX_W	0x08
#define REX_R	0x04
#define REX_X	0x02
#define REX_B	0x01

static inline unsigned int insn_class(const struct insn *i)
{
	return i->attr & A_CLASS;
}

static inline u64 size_mask(unsigned int size)
{
	return size == 8 ? ~0ull : (1ull << size * 8) - 1;
}

static inline u64 sign_bit(unsigned int size)
{
	return 1ull << (size * 8 - 1);
}

/* Without REX, byte registers 4 to 7 are AH, CH, DH and BH. */
static inline bool is_high_byte(const struct insn *i, unsigned int r,
				unsigned int size)
{
	return size == 1 && !i->rex && r >= 4 && r < 8;
}

static inline bool known(const struct nm_machine *m, const struct insn *i,
			 unsigned int r, unsigned int size)
{
	if (is_high_byte(i, r, size))
		r -= 4;
	return m->known >> r & 1;
}

static inline u64 get(const struct nm_machine *m, const struct insn *i,
		      unsigned int r, unsigned int size)
{
	if (is_high_byte(i, r, size))
		return m->gpr[r - 4] >> 8 & 0xff;
	if (size == 8)
		return m->gpr[r];
	if (size == 4)
		return (u32)m->gpr[r];
	return m->gpr[r] & size_mask(size);
}

enum nm_refusal nm_x86_decode(struct insn *i, const u8 *code, unsigned int len,
			      u64 ip);
bool nm_x86_linear_address(const struct nm_machine *m, const struct insn *i,
			   u64 *addr);
bool nm_x86_add_segment(const struct nm_machine *m, const struct insn *i,
			u64 *addr);
void nm_x86_add_access(struct nm_operand *out, u64 addr, bool write);
enum nm_refusal nm_x86_memory(struct nm_machine *m, const struct insn *i,
			      struct nm_operand *out);
enum nm_refusal nm_x86_execute(struct nm_machine *m, const struct insn *i,
			       struct nm_operand *out);

#endif /* NUMAMIG_OPERAND_X86_H */
