// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand_x86_decode.c - x86-64 instructions from bytes
 *
 * Reads prefixes, REX or VEX, opcode, modrm, SIB, displacement and immediate.
 * EVEX (0x62) and the AMD XOP and 3DNow! forms are not known and refused.
 */
#include "operand_x86.h"
#include "operand_x86_table.h"

static const u16 *const x86_maps[] = {
	[MAP_ONE] = x86_map_one,
	[MAP_0F] = x86_map_0f,
	[MAP_0F38] = x86_map_0f38,
	[MAP_0F3A] = x86_map_0f3a,
};

static bool take_byte(struct insn *i, u8 *b)
{
	if (i->len >= i->avail)
		return false;
	*b = i->code[i->len++];
	return true;
}

/* Read @n little-endian bytes, sign-extended to 64 bits. */
static bool take_signed(struct insn *i, unsigned int n, u64 *val)
{
	const u8 *p = i->code + i->len;
	s32 v32;
	s16 v16;

	if (i->avail - i->len < n)
		return false;
	i->len += n;
	switch (n) {
	case 1:
		*val = (u64)(s64)(s8)p[0];
		return true;
	case 2:
		memcpy(&v16, p, 2);
		*val = (u64)(s64)v16;
		return true;
	case 4:
		memcpy(&v32, p, 4);
		*val = (u64)(s64)v32;
		return true;
	default:
		memcpy(val, p, 8);
		return true;
	}
}

/* Legacy prefixes and REX; *@b is the first byte after them. */
static bool take_prefixes(struct insn *i, u8 *b)
{
	for (;;) {
		if (!take_byte(i, b))
			return false;
		switch (*b) {
		case 0x66:
			i->opsize = true;
			break;
		case 0x67:
			i->addr32 = true;
			break;
		case 0xf2:
		case 0xf3:
			i->rep = *b;
			break;
		case 0x64:
			i->seg = SEG_FS;
			break;
		case 0x65:
			i->seg = SEG_GS;
			break;
		case 0x26: case 0x2e: case 0x36: case 0x3e: case 0xf0:
			break;
		default:
			if ((*b & 0xf0) != 0x40)
				return true;
			i->rex = *b;
			continue;
		}
		/* A REX that is not the last prefix has no effect. */
		i->rex = 0;
	}
}

/* The two- and three-byte VEX prefixes after their first byte @first. */
static enum nm_refusal take_vex(struct insn *i, u8 first)
{
	static const u8 pp_rep[4] = { 0, 0, 0xf3, 0xf2 };
	u8 b1, b2 = 0;

	if (i->rex || i->opsize || i->rep)
		return NM_REFUSE_INSN;
	if (!take_byte(i, &b1))
		return NM_REFUSE_CODE;
	i->rex = 0x40;
	if (!(b1 & 0x80))
		i->rex |= REX_R;
	i->map = MAP_0F;
	if (first == 0xc4) {
		if (!(b1 & 0x40))
			i->rex |= REX_X;
		if (!(b1 & 0x20))
			i->rex |= REX_B;
		i->map = b1 & 0x1f;
		if (i->map < MAP_0F || i->map > MAP_0F3A)
			return NM_REFUSE_INSN;
		if (!take_byte(i, &b2))
			return NM_REFUSE_CODE;
		if (b2 & 0x80)
			i->rex |= REX_W;
		b1 = b2;
	}
	i->vex = true;
	i->vvvv = ~(b1 >> 3) & 15;
	i->rep = pp_rep[b1 & 3];
	i->opsize = (b1 & 3) == 1;
	return take_byte(i, &i->op) ? NM_OK : NM_REFUSE_CODE;
}

static enum nm_refusal take_opcode(struct insn *i)
{
	u8 b;

	if (!take_prefixes(i, &b))
		return NM_REFUSE_CODE;
	if (b == 0xc4 || b == 0xc5)
		return take_vex(i, b);
	i->map = MAP_ONE;
	if (b == 0x0f) {
		i->map = MAP_0F;
		if (!take_byte(i, &b))
			return NM_REFUSE_CODE;
		if (b == 0x38 || b == 0x3a) {
			i->map = b == 0x38 ? MAP_0F38 : MAP_0F3A;
			if (!take_byte(i, &b))
				return NM_REFUSE_CODE;
		}
	}
	i->op = b;
	return NM_OK;
}

/* The SIB byte; @mod is that of the modrm byte. */
static bool take_sib(struct insn *i, unsigned int mod)
{
	u8 sib;

	if (!take_byte(i, &sib))
		return false;
	i->scale = sib >> 6;
	i->index = (sib >> 3 & 7) | (i->rex & REX_X ? 8 : 0);
	if (i->index == SP)
		i->index = -1;
	if ((sib & 7) == BP && mod == 0)
		i->base = -1;
	else
		i->base = (sib & 7) | (i->rex & REX_B ? 8 : 0);
	return true;
}

static bool take_modrm(struct insn *i)
{
	unsigned int mod, disp_size = 0;
	u8 modrm;
	u64 disp;

	if (!take_byte(i, &modrm))
		return false;
	mod = modrm >> 6;
	i->reg = (modrm >> 3 & 7) | (i->rex & REX_R ? 8 : 0);
	i->rm = (modrm & 7) | (i->rex & REX_B ? 8 : 0);
	if (mod == 3)
		return true;
	i->mem = true;
	i->base = i->rm;
	if ((modrm & 7) == SP && !take_sib(i, mod))
		return false;
	if ((modrm & 7) == BP && mod == 0) {
		i->base = -1;
		i->rip_relative = true;
	}
	if (mod == 1)
		disp_size = 1;
	else if (mod == 2 || i->base < 0)
		disp_size = 4;
	if (disp_size) {
		if (!take_signed(i, disp_size, &disp))
			return false;
		i->disp = (s64)disp;
	}
	return true;
}

static bool take_immediate(struct insn *i)
{
	unsigned int n;

	switch (i->attr & A_IMM) {
	case A_IB:
		n = 1;
		break;
	case A_IW:
		n = 2;
		break;
	case A_IZ:
		n = i->size == 2 ? 2 : 4;
		break;
	case A_IV:
		n = i->size;
		break;
	case A_IWB:
		if (!take_signed(i, 2, &i->imm))
			return false;
		n = 1;
		break;
	case A_MOFFS:
		n = i->addr32 ? 4 : 8;
		break;
	default:
		return true;
	}
	return take_signed(i, n, &i->imm);
}

/**
 * nm_x86_decode - decode one instruction
 * @i: out
 * @code: its bytes
 * @len: how many can be read
 * @ip: its address
 *
 * Return: NM_OK, NM_REFUSE_CODE when it is longer than @len, NM_REFUSE_INSN
 * when it is not in the tables.
 */
enum nm_refusal nm_x86_decode(struct insn *i, const u8 *code, unsigned int len,
			      u64 ip)
{
	enum nm_refusal why;

	memset(i, 0, sizeof(*i));
	i->code = code;
	i->avail = min(len, (unsigned int)NM_INSN_MAX);
	i->base = -1;
	i->index = -1;
	why = take_opcode(i);
	if (why != NM_OK)
		return why;
	i->attr = x86_maps[i->map][i->op];
	if (!i->attr)
		return NM_REFUSE_INSN;
	if (i->vex ? !(i->attr & A_VEX) : !!(i->attr & A_VEX_ONLY))
		return NM_REFUSE_INSN;
	if (i->attr & A_BYTE)
		i->size = 1;
	else if (i->rex & REX_W)
		i->size = 8;
	else
		i->size = i->opsize && !i->vex ? 2 : 4;
	if ((i->attr & A_MODRM) && !take_modrm(i))
		return NM_REFUSE_CODE;
	/* Group 3: only test has an immediate. */
	if (insn_class(i) == X_GROUP3 && (i->reg & 7) < 2)
		i->attr |= i->attr & A_BYTE ? A_IB : A_IZ;
	if (!take_immediate(i))
		return NM_REFUSE_CODE;
	i->next = ip + i->len;
	return NM_OK;
}
