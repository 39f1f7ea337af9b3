// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand_x86_decode.c - x86-64 instructions from bytes
 *
 * Reads prefixes, REX or VEX, opcode, modrm, SIB, displacement and immediate.
 * AMD's XOP and 3DNow! are not known and refused, and so are EVEX memory forms
 * that are masked or not in the table.
 */
#include "operand_x86.h"
#include "operand_x86_table.h"

static const u16 *const x86_maps[] = {
	[MAP_ONE] = x86_map_one,
	[MAP_0F] = x86_map_0f,
	[MAP_0F38] = x86_map_0f38,
	[MAP_0F3A] = x86_map_0f3a,
};

/*
 * The cursor is a plain pointer that stays in a register.  The bytes are
 * followed by padding (see nm_x86_decode()), so nothing here checks for their
 * end; a decoded length beyond them does.
 */
static inline u8 take_byte(const u8 **p)
{
	return *(*p)++;
}

/* Read @n little-endian bytes, sign-extended to 64 bits. */
static inline u64 take_signed(const u8 **p, unsigned int n)
{
	const u8 *at = *p;
	s32 v32;
	s16 v16;
	u64 v64;

	*p += n;
	if (n == 1)
		return (u64)(s64)(s8)at[0];
	if (n == 4) {
		memcpy(&v32, at, 4);
		return (u64)(s64)v32;
	}
	if (n == 2) {
		memcpy(&v16, at, 2);
		return (u64)(s64)v16;
	}
	memcpy(&v64, at, 8);
	return v64;
}

/* Is this byte neither a legacy prefix nor REX?  Most opcodes are here. */
static bool surely_opcode(u8 b)
{
	return (u8)(b - 0x68) < 0xf0 - 0x68;
}

/* One legacy prefix; false: it is none. */
static bool legacy_prefix(struct insn *i, u8 b)
{
	switch (b) {
	case 0x66:
		i->opsize = true;
		return true;
	case 0x67:
		i->addr32 = true;
		return true;
	case 0xf2:
	case 0xf3:
		i->rep = b;
		return true;
	case 0x64:
		i->seg = SEG_FS;
		return true;
	case 0x65:
		i->seg = SEG_GS;
		return true;
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0xf0:
		return true;
	default:
		return false;
	}
}

/* Legacy prefixes and REX; returns the first byte after them. */
static inline u8 take_prefixes(struct insn *i, const u8 **p)
{
	const u8 *limit = *p + NM_INSN_MAX;
	u8 b;

	do {
		b = take_byte(p);
		if (surely_opcode(b))
			return b;
		if ((b & 0xf0) == 0x40) {
			i->rex = b;
			continue;
		}
		if (!legacy_prefix(i, b))
			return b;
		/* A REX that is not the last prefix has no effect. */
		i->rex = 0;
	} while (*p < limit);
	return b;
}

/* The two- and three-byte VEX prefixes after their first byte @first. */
static enum nm_refusal take_vex(struct insn *i, const u8 **p, u8 first)
{
	static const u8 pp_rep[4] = { 0, 0, 0xf3, 0xf2 };
	u8 b1, b2;

	if (i->rex || i->opsize || i->rep)
		return NM_REFUSE_INSN;
	b1 = take_byte(p);
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
		b2 = take_byte(p);
		if (b2 & 0x80)
			i->rex |= REX_W;
		b1 = b2;
	}
	i->vex = true;
	i->vvvv = ~(b1 >> 3) & 15;
	i->rep = pp_rep[b1 & 3];
	i->opsize = (b1 & 3) == 1;
	i->op = take_byte(p);
	return NM_OK;
}

/* EVEX after its 0x62: R X B R' 0 mmm, W vvvv 1 pp, z LL b V' aaa. */
static enum nm_refusal take_evex(struct insn *i, const u8 **p)
{
	static const u8 pp_rep[4] = { 0, 0, 0xf3, 0xf2 };
	u8 p0, p1, p2;

	if (i->rex || i->opsize || i->rep)
		return NM_REFUSE_INSN;
	p0 = take_byte(p);
	p1 = take_byte(p);
	p2 = take_byte(p);
	i->op = take_byte(p);
	i->map = p0 & 7;
	if ((p0 & 8) || !(p1 & 4) || i->map < MAP_0F || i->map > MAP_0F3A ||
	    (p2 >> 5 & 3) == 3)
		return NM_REFUSE_INSN;
	i->rex = 0x40;
	if (!(p0 & 0x80))
		i->rex |= REX_R;
	if (!(p0 & 0x40))
		i->rex |= REX_X;
	if (!(p0 & 0x20))
		i->rex |= REX_B;
	if (p1 & 0x80)
		i->rex |= REX_W;
	i->vex = true;
	i->evex = true;
	i->vvvv = ~(p1 >> 3) & 15;
	i->rep = pp_rep[p1 & 3];
	i->opsize = (p1 & 3) == 1;
	i->vector = 16u << (p2 >> 5 & 3);
	i->broadcast = p2 & 0x10;
	i->masked = p2 & 7;
	return NM_OK;
}

static u8 evex_unit(const struct insn *i, u8 unit)
{
	u8 element = i->rex & REX_W ? 8 : 4;

	if (i->broadcast)
		return unit == U_VECTOR || unit == U_PACKED_OR_SCALAR ?
		       element : 0;
	switch (unit) {
	case U_VECTOR:
		return i->vector;
	case U_ELEMENT:
		return element;
	case U_BYTE:
		return 1;
	case U_WORD:
		return 2;
	case U_8:
		return 8;
	case U_PACKED_OR_SCALAR:
		return i->rep == 0xf3 ? 4 : i->rep == 0xf2 ? 8 : i->vector;
	default:
		return 0;
	}
}

static const struct x86_evex *find_extra(const struct x86_evex *t,
					 unsigned int n, const struct insn *i)
{
	for (; n--; t++)
		if (t->map == i->map && t->first <= i->op && i->op <= t->last)
			return t;
	return NULL;
}

/* Attributes of an opcode with a VEX or EVEX prefix; 0: refuse. */
static u16 vex_attributes(struct insn *i)
{
	u16 attr = x86_maps[i->map][i->op];
	const struct x86_evex *e;

	if (!i->evex) {
		if (attr & A_VEX)
			return attr;
		e = find_extra(x86_vex_mask, ARRAY_SIZE(x86_vex_mask), i);
		return e ? e->attr : 0;
	}
	e = find_extra(x86_evex, ARRAY_SIZE(x86_evex), i);
	if (e) {
		i->unit = evex_unit(i, e->unit);
		if (e->attr)
			return e->attr;
	}
	return attr & A_VEX ? attr : 0;
}

static inline enum nm_refusal take_opcode(struct insn *i, const u8 **p)
{
	u8 b = take_prefixes(i, p);

	if (b == 0xc4 || b == 0xc5)
		return take_vex(i, p, b);
	if (b == 0x62)
		return take_evex(i, p);
	i->map = MAP_ONE;
	if (b == 0x0f) {
		i->map = MAP_0F;
		b = take_byte(p);
		if (b == 0x38 || b == 0x3a) {
			i->map = b == 0x38 ? MAP_0F38 : MAP_0F3A;
			b = take_byte(p);
		}
	}
	i->op = b;
	return NM_OK;
}

/* The SIB byte; @mod is that of the modrm byte. */
static inline void take_sib(struct insn *i, const u8 **p, unsigned int mod)
{
	u8 sib = take_byte(p);

	i->scale = sib >> 6;
	i->index = (sib >> 3 & 7) | (i->rex & REX_X ? 8 : 0);
	if (i->index == SP)
		i->index = -1;
	if ((sib & 7) == BP && mod == 0)
		i->base = -1;
	else
		i->base = (sib & 7) | (i->rex & REX_B ? 8 : 0);
}

static inline void take_modrm(struct insn *i, const u8 **p)
{
	u8 modrm = take_byte(p);
	unsigned int mod = modrm >> 6;

	i->reg = (modrm >> 3 & 7) | (i->rex & REX_R ? 8 : 0);
	i->rm = (modrm & 7) | (i->rex & REX_B ? 8 : 0);
	if (mod == 3)
		return;
	i->mem = true;
	i->base = i->rm;
	if ((modrm & 7) == SP)
		take_sib(i, p, mod);
	if ((modrm & 7) == BP && mod == 0) {
		i->base = -1;
		i->rip_relative = true;
	}
	if (mod == 1) {
		i->disp = (s64)take_signed(p, 1);
		if (i->evex)
			i->disp *= i->unit;
	} else if (mod == 2 || i->base < 0) {
		i->disp = (s64)take_signed(p, 4);
	}
}

static inline void take_immediate(struct insn *i, const u8 **p)
{
	switch (i->attr & A_IMM) {
	case A_IB:
		i->imm = take_signed(p, 1);
		break;
	case A_IZ:
		i->imm = take_signed(p, i->size == 2 ? 2 : 4);
		break;
	case A_IV:
		i->imm = take_signed(p, i->size);
		break;
	case A_IW:
		i->imm = take_signed(p, 2);
		break;
	case A_IWB:
		i->imm = take_signed(p, 2);
		(*p)++;
		break;
	default:
		i->imm = take_signed(p, i->addr32 ? 4 : 8);
		break;
	}
}

/* Everything but the length limit; *@p is left behind what was read. */
static inline enum nm_refusal take_insn(struct insn *i, const u8 **p)
{
	enum nm_refusal why = take_opcode(i, p);

	if (why != NM_OK)
		return why;
	i->attr = i->vex ? vex_attributes(i) : x86_maps[i->map][i->op];
	if (!i->attr || (!i->vex && (i->attr & A_VEX_ONLY)))
		return NM_REFUSE_INSN;
	if (i->attr & A_BYTE)
		i->size = 1;
	else if (i->rex & REX_W)
		i->size = 8;
	else
		i->size = i->opsize && !i->vex ? 2 : 4;
	if (i->attr & A_MODRM)
		take_modrm(i, p);
	if (i->evex && i->mem && (i->masked || !i->unit))
		return NM_REFUSE_INSN;
	/* Group 3: only test has an immediate. */
	if (insn_class(i) == X_GROUP3 && (i->reg & 7) < 2)
		i->attr |= i->attr & A_BYTE ? A_IB : A_IZ;
	if (i->attr & A_IMM)
		take_immediate(i, p);
	return NM_OK;
}

/**
 * nm_x86_decode - decode one instruction
 * @i: out
 * @code: its bytes; NM_CODE_SLACK of them can be read, whatever @len is: 15
 *	bytes of prefixes and no more than 16 after them
 * @len: how many of them are really code
 * @ip: its address
 *
 * Return: NM_OK, NM_REFUSE_CODE when it is longer than @len, NM_REFUSE_INSN
 * when it is not in the tables.  What lies beyond @len has no influence.
 */
enum nm_refusal nm_x86_decode(struct insn *i, const u8 *code, unsigned int len,
			      u64 ip)
{
	const u8 *p = code;
	enum nm_refusal why;

	memset(i, 0, sizeof(*i));
	i->base = -1;
	i->index = -1;
	why = take_insn(i, &p);
	i->len = p - code;
	if (i->len > len)
		return len < NM_INSN_MAX ? NM_REFUSE_CODE : NM_REFUSE_INSN;
	i->next = ip + i->len;
	return why;
}
