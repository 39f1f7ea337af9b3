/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * operand.h - which address will this code touch next?
 */
#ifndef NUMAMIG_OPERAND_H
#define NUMAMIG_OPERAND_H

#include "pure.h"

/* More steps than this find few operands and cost interrupt time. */
#define NM_OPERAND_MAX_STEPS	32

/* The architectural limit of an x86 instruction. */
#define NM_INSN_MAX		15

/*
 * Code bytes are fetched in windows of this size; decoders may read (and then
 * refuse) some bytes beyond what was fetched.
 */
#define NM_CODE_WINDOW		48
#define NM_CODE_SLACK		40

/**
 * struct nm_regs - the user registers at the sampled instruction
 * @gpr: general registers in hardware order: ax cx dx bx sp bp si di r8..r15
 * @ip: address of the next instruction to execute
 * @flags: RFLAGS
 * @fs_base: live FS base, when @have_fs
 * @gs_base: live GS base, when @have_gs
 * @have_fs: @fs_base is known; without it FS-relative operands are refused
 * @have_gs: likewise for GS
 */
struct nm_regs {
	u64 gpr[16];
	u64 ip;
	u64 flags;
	u64 fs_base;
	u64 gs_base;
	bool have_fs;
	bool have_gs;
};

/**
 * struct nm_access - one memory access of one instruction
 * @addr: its virtual address
 * @write: it stores; a read-modify-write counts as a store
 */
struct nm_access {
	u64 addr;
	bool write;
};

/**
 * struct nm_operand - what nm_operand_next() found
 * @acc: the accesses; two for movs, cmps, push/pop/call through memory
 * @nr: how many of @acc are valid, 1 or 2; of two accesses only the one whose
 *	address is known
 * @steps: instructions walked, the accessing one included
 */
struct nm_operand {
	struct nm_access acc[2];
	u8 nr;
	u8 steps;
};

/**
 * enum nm_refusal - why no address is given
 * @NM_OK: there is one
 * @NM_REFUSE_CODE: the code bytes cannot be read
 * @NM_REFUSE_INSN: not an instruction that the tables know, or one that
 *	leaves user code (syscall, int3, hlt)
 * @NM_REFUSE_ADDR: an address register, segment base or counter is unknown
 * @NM_REFUSE_BRANCH: the flags or the target of a branch are unknown
 * @NM_REFUSE_FAULT: the instruction would fault (division by zero)
 * @NM_REFUSE_STEPS: no memory operand within NM_OPERAND_MAX_STEPS
 * @NM_REFUSALS: how many there are
 */
enum nm_refusal {
	NM_OK,
	NM_REFUSE_CODE,
	NM_REFUSE_INSN,
	NM_REFUSE_ADDR,
	NM_REFUSE_BRANCH,
	NM_REFUSE_FAULT,
	NM_REFUSE_STEPS,
	NM_REFUSALS
};

/**
 * typedef nm_fetch_t - read code bytes
 * @ctx: the caller's
 * @ip: where
 * @buf: room for @len bytes
 * @len: bytes wanted
 *
 * Return: how many bytes from @ip on were read, 0 to @len.
 */
typedef unsigned int (*nm_fetch_t)(void *ctx, u64 ip, u8 *buf,
				   unsigned int len);

enum nm_refusal nm_operand_next(const struct nm_regs *regs, nm_fetch_t fetch,
				void *ctx, struct nm_operand *out);

/* --- between operand.c and the file of the architecture --- */

/*
 * The machine while it is walked.  A register whose bit in @known is clear
 * holds a value that came from memory or from a vector register: it is not
 * used, and whatever depends on it becomes unknown too.
 *
 * Most results of arithmetic are never asked for their flags, so the operands
 * are kept (@lazy) and @flags is computed when something looks at it.
 */
struct nm_machine {
	u64 gpr[16];
	u64 ip;
	u64 flags;
	u64 lazy_a;
	u64 lazy_b;
	u64 lazy_res;
	u8 lazy_op;
	u8 lazy_carry;
	u8 lazy_size;
	bool lazy;
	u64 fs_base;
	u64 gs_base;
	u32 known;		/* a bit per register */
	u32 flags_known;	/* in RFLAGS positions */
	bool have_fs;
	bool have_gs;
};

/**
 * nm_arch_step - execute one instruction, or say which memory it touches
 * @m: the machine, advanced when the instruction touches no memory
 * @code: code bytes at m->ip; NM_CODE_SLACK bytes can be read
 * @len: how many of them are code, at least one
 * @out: filled when the instruction touches memory; @out->nr stays 0 if not
 *
 * Return: NM_OK, or why the walk ends here.  NM_REFUSE_CODE means that the
 * instruction is longer than @len.
 */
enum nm_refusal nm_arch_step(struct nm_machine *m, const u8 *code,
			     unsigned int len, struct nm_operand *out);

#endif /* NUMAMIG_OPERAND_H */
