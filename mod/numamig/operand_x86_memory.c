// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand_x86_memory.c - the address that a modrm memory operand names
 */
#include "operand_x86.h"

void nm_x86_add_access(struct nm_operand *out, u64 addr, bool write)
{
	out->acc[out->nr].addr = addr;
	out->acc[out->nr].write = write;
	out->nr++;
}

bool nm_x86_add_segment(const struct nm_machine *m, const struct insn *i,
			u64 *addr)
{
	switch (i->seg) {
	case SEG_FS:
		*addr += m->fs_base;
		return m->have_fs;
	case SEG_GS:
		*addr += m->gs_base;
		return m->have_gs;
	default:
		return true;
	}
}

/* The address that modrm names, without the segment base. */
bool nm_x86_linear_address(const struct nm_machine *m, const struct insn *i,
			   u64 *addr)
{
	u64 a = (u64)i->disp;

	if (i->rip_relative)
		a += i->next;
	if (i->base >= 0) {
		if (!(m->known >> i->base & 1))
			return false;
		a += m->gpr[i->base];
	}
	if (i->index >= 0) {
		if (!(m->known >> i->index & 1))
			return false;
		a += m->gpr[i->index] << i->scale;
	}
	*addr = i->addr32 ? (u32)a : a;
	return true;
}

/* How a group or a prefix changes what the table says of a memory operand. */
static unsigned int memory_use(const struct insn *i)
{
	unsigned int sub = i->reg & 7;

	switch (insn_class(i)) {
	case X_ALU_IMM:
		return sub == 7 ? A_READ : A_RW;
	case X_GROUP3:
		return sub == 2 || sub == 3 ? A_RW : A_READ;
	case X_GROUP5:
		return sub < 2 ? A_RW : A_READ;
	case X_BT_IMM:
		return sub == 4 ? A_READ : A_RW;
	case X_MOVD_STORE:
		return i->rep == 0xf3 ? A_READ : A_WRITE;
	case X_CRC_MOVBE:
		return i->rep == 0xf2 ? A_READ : i->attr & A_RW;
	case X_GROUP15:
		/* fxrstor, ldmxcsr and xrstor read, the saves write */
		return sub == 1 || sub == 2 || sub == 5 ? A_READ : A_WRITE;
	case X_X87:
		switch (i->op) {
		case 0xd9:
			return sub == 2 || sub == 3 || sub >= 6 ? A_WRITE :
								  A_READ;
		case 0xdb:
			return sub == 0 || sub == 5 ? A_READ : A_WRITE;
		case 0xdd:
			return sub == 0 || sub == 4 ? A_READ : A_WRITE;
		case 0xdf:
			return sub == 0 || sub == 4 || sub == 5 ? A_READ :
								  A_WRITE;
		default:
			return A_READ;
		}
	default:
		return i->attr & A_RW;
	}
}

/* Forms with a memory operand that do not exist, or that we do not know. */
static bool memory_form_ok(const struct insn *i)
{
	unsigned int sub = i->reg & 7;

	switch (insn_class(i)) {
	case X_MOV_IMM:
	case X_POP_RM:
		return sub == 0;
	case X_SHIFT:
		return sub != 6;
	case X_INC_DEC:
		return sub < 2;
	case X_GROUP5:
		/* of a word-sized call or push the width is not certain */
		if (i->opsize && (sub == 2 || sub == 6))
			return false;
		return sub != 3 && sub != 5 && sub != 7;
	case X_BT_IMM:
		return sub >= 4;
	case X_GROUP9:
		return sub == 1;
	case X_GROUP15:
		return sub < 7 && !i->rep &&
		       (!i->opsize || i->vex) &&
		       (!i->vex || sub == 2 || sub == 3);
	case X_X87:
		return i->op != 0xdb || (sub != 4 && sub != 6);
	case X_CRC_MOVBE:
		return i->rep != 0xf3;
	case X_ADX:
		return i->vex ? i->rep == 0xf2 : i->opsize || i->rep == 0xf3;
	case X_POPCNT:
		return i->rep == 0xf3;
	case X_GROUP17:
		return sub >= 1 && sub <= 3;
	case X_RORX:
		return i->rep == 0xf2;
	case X_GROUP7:
	case X_MASKMOVQ:
		return false;
	default:
		return true;
	}
}

/*
 * bt, bts, btr and btc with a register bit number reach outside the operand:
 * the number, counted in operands, moves the address.
 */
static bool bit_string_offset(const struct nm_machine *m,
			      const struct insn *i, u64 *addr)
{
	s64 bit;

	if (!known(m, i, i->reg, i->size))
		return false;
	bit = (s64)(get(m, i, i->reg, i->size) << (64 - i->size * 8));
	bit >>= 64 - i->size * 8;
	*addr += (u64)((bit >> (i->size == 8 ? 6 : i->size == 4 ? 5 : 4)) *
		       i->size);
	/* the number is part of the address, which wraps */
	if (i->addr32)
		*addr = (u32)*addr;
	return true;
}

/**
 * nm_x86_memory - the accesses of an instruction with a memory operand
 * @m: registers before the instruction, m->ip behind it
 * @i: the instruction
 * @out: accesses are added here
 */
enum nm_refusal nm_x86_memory(struct nm_machine *m, const struct insn *i,
			      struct nm_operand *out)
{
	unsigned int cls = insn_class(i), sub = i->reg & 7;
	unsigned int use = memory_use(i);
	struct nm_machine popped;
	u64 addr;

	if (!memory_form_ok(i))
		return NM_REFUSE_INSN;
	if (cls == X_POP_RM) {
		/* pop computes an address from the incremented rsp */
		if (i->opsize || !(m->known >> SP & 1))
			return NM_REFUSE_ADDR;
		popped = *m;
		popped.gpr[SP] += 8;
		if (!nm_x86_linear_address(&popped, i, &addr) ||
		    !nm_x86_add_segment(m, i, &addr))
			return NM_REFUSE_ADDR;
		nm_x86_add_access(out, m->gpr[SP], false);
		nm_x86_add_access(out, addr, true);
		return NM_OK;
	}
	if (!nm_x86_linear_address(m, i, &addr))
		return NM_REFUSE_ADDR;
	if (cls == X_BT && !bit_string_offset(m, i, &addr))
		return NM_REFUSE_ADDR;
	if (!nm_x86_add_segment(m, i, &addr))
		return NM_REFUSE_ADDR;
	nm_x86_add_access(out, addr, use & A_WRITE);
	/* call and push through memory store to the stack as well */
	if (cls == X_GROUP5 && (sub == 2 || sub == 6) && (m->known >> SP & 1))
		nm_x86_add_access(out, m->gpr[SP] - 8, true);
	return NM_OK;
}
