// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand_x86_exec.c - what x86-64 instructions do to registers and flags
 *
 * An instruction with a memory operand ends the walk, so only register forms
 * are executed, on a copy of the registers.  A register that receives a value
 * from a vector register, from the clock or from anything else that the sample
 * does not hold is marked unknown; so are flags that the manuals leave
 * undefined.
 */
#include "operand_x86.h"

/* --- registers and flags ------------------------------------------------- */

static void lose(struct nm_machine *m, unsigned int r)
{
	m->known &= ~(1u << r);
}

/* A byte or a word replaces part of a register: that has to be known too. */
static void put(struct nm_machine *m, const struct insn *i, unsigned int r,
		unsigned int size, u64 val, bool is_known)
{
	unsigned int shift = 0;
	u64 mask;

	if (is_high_byte(i, r, size)) {
		r -= 4;
		shift = 8;
	}
	if (size >= 4) {
		m->gpr[r] = size == 8 ? val : (u32)val;
		m->known |= 1u << r;
	} else {
		mask = size_mask(size);
		m->gpr[r] &= ~(mask << shift);
		m->gpr[r] |= (val & mask) << shift;
	}
	if (!is_known)
		lose(m, r);
}

enum {
	ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP,
	ALU_TEST
};

/* ZF, SF and PF of a result. */
static u32 result_flags(u64 res, unsigned int size)
{
	u32 fl = 0;
	u8 low = (u8)res;

	res &= size_mask(size);
	if (!res)
		fl |= F_ZF;
	if (res & sign_bit(size))
		fl |= F_SF;
	low ^= low >> 4;
	if (!(0x6996 >> (low & 15) & 1))
		fl |= F_PF;
	return fl;
}

static u64 alu_result(unsigned int op, u64 a, u64 b, unsigned int carry,
		      unsigned int size)
{
	u64 res;

	switch (op) {
	case ALU_ADD:
	case ALU_ADC:
		res = a + b + carry;
		break;
	case ALU_SUB:
	case ALU_SBB:
	case ALU_CMP:
		res = a - b - carry;
		break;
	case ALU_OR:
		res = a | b;
		break;
	case ALU_XOR:
		res = a ^ b;
		break;
	default:
		res = a & b;
		break;
	}
	return res & size_mask(size);
}

/* CF, PF, ZF, SF and OF of a op b = res; all within @size. */
static u32 alu_flags(unsigned int op, u64 a, u64 b, unsigned int carry,
		     u64 res, unsigned int size)
{
	u64 sign = sign_bit(size);
	u32 fl = result_flags(res, size);

	switch (op) {
	case ALU_ADD:
	case ALU_ADC:
		if (res < a || (carry && res == a))
			fl |= F_CF;
		if (~(a ^ b) & (a ^ res) & sign)
			fl |= F_OF;
		break;
	case ALU_SUB:
	case ALU_SBB:
	case ALU_CMP:
		if (a < b || (carry && a == b))
			fl |= F_CF;
		if ((a ^ b) & (a ^ res) & sign)
			fl |= F_OF;
		break;
	default:
		break;
	}
	return fl;
}

/* Compute the flags that an earlier result left to be computed. */
static void settle_flags(struct nm_machine *m)
{
	u32 fl;

	if (!m->lazy)
		return;
	m->lazy = false;
	fl = alu_flags(m->lazy_op, m->lazy_a, m->lazy_b, m->lazy_carry,
		       m->lazy_res, m->lazy_size);
	m->flags = (m->flags & ~(u64)F_LOGIC) | fl;
}

/* @mask is about to change: what else is pending has to be settled first. */
static void touch_flags(struct nm_machine *m, u32 mask)
{
	if ((mask & F_LOGIC) == F_LOGIC)
		m->lazy = false;
	else
		settle_flags(m);
}

static void lose_flags(struct nm_machine *m, u32 mask)
{
	touch_flags(m, mask);
	m->flags_known &= ~mask;
}

static void set_flags(struct nm_machine *m, u32 mask, u32 val)
{
	touch_flags(m, mask);
	m->flags = (m->flags & ~(u64)mask) | (val & mask);
	m->flags_known |= mask;
}

static bool condition(struct nm_machine *m, unsigned int cc, bool *taken)
{
	static const u16 needs[8] = {
		F_OF, F_CF, F_ZF, F_CF | F_ZF, F_SF, F_PF, F_SF | F_OF,
		F_ZF | F_SF | F_OF,
	};
	u32 need = needs[cc >> 1 & 7], fl;
	bool t;

	if (need & ~m->flags_known)
		return false;
	settle_flags(m);
	fl = (u32)m->flags;
	if (cc < 12)
		t = fl & need;
	else
		t = (!(fl & F_SF) != !(fl & F_OF)) ||
		    (cc >= 14 && (fl & F_ZF));
	*taken = t != (cc & 1);
	return true;
}

/* --- implicit operands ---------------------------------------------------- */

static enum nm_refusal stack_access(struct nm_machine *m,
				    const struct insn *i, int below,
				    bool write, struct nm_operand *out)
{
	/* A word-sized push is legal and unused; do not bet on its width. */
	if (i->opsize)
		return NM_REFUSE_INSN;
	if (!(m->known >> SP & 1))
		return NM_REFUSE_ADDR;
	nm_x86_add_access(out, m->gpr[SP] - below, write);
	return NM_OK;
}

/* movs, cmps, stos, lods, scas; the repeated ones have a count in rcx. */
static enum nm_refusal string_op(struct nm_machine *m, const struct insn *i,
				 struct nm_operand *out)
{
	bool src = i->op == 0xa4 || i->op == 0xa5 || i->op == 0xa6 ||
		   i->op == 0xa7 || i->op == 0xac || i->op == 0xad;
	bool dst = i->op != 0xac && i->op != 0xad;
	bool store = i->op == 0xa4 || i->op == 0xa5 || i->op == 0xaa ||
		     i->op == 0xab;
	u64 addr;

	if (i->addr32)
		return NM_REFUSE_INSN;
	if (i->rep) {
		if (!(m->known >> CX & 1))
			return NM_REFUSE_ADDR;
		if (!m->gpr[CX])
			return NM_OK;
	}
	if ((src && !(m->known >> SI & 1)) || (dst && !(m->known >> DI & 1)))
		return NM_REFUSE_ADDR;
	if (src) {
		addr = m->gpr[SI];
		if (!nm_x86_add_segment(m, i, &addr))
			return NM_REFUSE_ADDR;
		nm_x86_add_access(out, addr, false);
	}
	if (dst)
		nm_x86_add_access(out, m->gpr[DI], store);
	return NM_OK;
}

static enum nm_refusal xlat(struct nm_machine *m, const struct insn *i,
			    struct nm_operand *out)
{
	u64 addr = m->gpr[BX] + (m->gpr[AX] & 0xff);

	if ((~m->known & (1u << BX | 1u << AX)) || i->addr32 ||
	    !nm_x86_add_segment(m, i, &addr))
		return NM_REFUSE_ADDR;
	nm_x86_add_access(out, addr, false);
	return NM_OK;
}

static enum nm_refusal moffs(struct nm_machine *m, const struct insn *i,
			     struct nm_operand *out)
{
	u64 addr = i->addr32 ? (u32)i->imm : i->imm;

	if (!nm_x86_add_segment(m, i, &addr))
		return NM_REFUSE_ADDR;
	nm_x86_add_access(out, addr, i->attr & A_WRITE);
	return NM_OK;
}

/* --- arithmetic ---------------------------------------------------------- */

/*
 * Register @dst op= @val.  @src_known says whether @val is; a register
 * combined with itself by xor or sub is zero whatever it held, and by sbb it
 * is the carry.
 */
static void alu(struct nm_machine *m, const struct insn *i, unsigned int op,
		unsigned int dst, u64 val, bool src_known, bool self)
{
	bool stores = op != ALU_CMP && op != ALU_TEST;
	bool ok = src_known && known(m, i, dst, i->size);
	u64 a = get(m, i, dst, i->size);
	unsigned int carry = 0;

	if (self && (op == ALU_XOR || op == ALU_SUB || op == ALU_SBB)) {
		a = 0;
		val = 0;
		ok = true;
	}
	if (op == ALU_ADC || op == ALU_SBB) {
		settle_flags(m);
		ok = ok && (m->flags_known & F_CF);
		carry = m->flags & F_CF;
	}
	m->flags_known &= ~F_ARITH;
	m->lazy = ok;
	if (!ok) {
		if (stores)
			put(m, i, dst, i->size, 0, false);
		return;
	}
	val &= size_mask(i->size);
	m->flags_known |= F_LOGIC;
	m->lazy_op = op;
	m->lazy_a = a;
	m->lazy_b = val;
	m->lazy_carry = carry;
	m->lazy_size = i->size;
	m->lazy_res = alu_result(op, a, val, carry, i->size);
	if (stores)
		put(m, i, dst, i->size, m->lazy_res, true);
}

static void alu_row(struct nm_machine *m, const struct insn *i)
{
	unsigned int op = i->op >> 3, form = i->op & 7, src, dst;

	if (form >= 4) {
		alu(m, i, op, AX, i->imm, true, false);
		return;
	}
	dst = form < 2 ? i->rm : i->reg;
	src = form < 2 ? i->reg : i->rm;
	alu(m, i, op, dst, get(m, i, src, i->size),
	    known(m, i, src, i->size), src == dst);
}

static void inc_dec(struct nm_machine *m, const struct insn *i, bool dec)
{
	u32 carry_known = m->flags_known & F_CF, carry;

	settle_flags(m);
	carry = m->flags & F_CF;
	alu(m, i, dec ? ALU_SUB : ALU_ADD, i->rm, 1, true, false);
	/* the carry flag stays as it was */
	settle_flags(m);
	m->flags = (m->flags & ~(u64)F_CF) | carry;
	m->flags_known = (m->flags_known & ~F_CF) | carry_known;
}

static void neg(struct nm_machine *m, const struct insn *i)
{
	u64 v = get(m, i, i->rm, i->size), res = alu_result(ALU_SUB, 0, v, 0,
							    i->size);

	lose_flags(m, F_ARITH);
	if (!known(m, i, i->rm, i->size))
		return;
	set_flags(m, F_LOGIC, alu_flags(ALU_SUB, 0, v, 0, res, i->size));
	put(m, i, i->rm, i->size, res, true);
}

static s64 sign_extend(u64 v, unsigned int size)
{
	return (s64)(v << (64 - size * 8)) >> (64 - size * 8);
}

/* The upper half of a 64 x 64 bit product. */
static u64 mul_high(u64 a, u64 b, bool is_signed)
{
	u64 hi = mul_u64_u64_shr(a, b, 64);

	if (is_signed) {
		if ((s64)a < 0)
			hi -= b;
		if ((s64)b < 0)
			hi -= a;
	}
	return hi;
}

/* mul and imul of one operand: rdx:rax, or ax for bytes. */
static void mul_wide(struct nm_machine *m, const struct insn *i,
		     bool is_signed)
{
	bool ok = known(m, i, i->rm, i->size) && (m->known >> AX & 1);
	u64 a = get(m, i, AX, i->size), b = get(m, i, i->rm, i->size);
	u64 lo, hi, mask = size_mask(i->size);

	lose_flags(m, F_ARITH);
	if (i->size == 1) {
		if (is_signed)
			lo = (u64)(sign_extend(a, 1) * sign_extend(b, 1));
		else
			lo = a * b;
		put(m, i, AX, 2, lo, ok);
		return;
	}
	if (is_signed) {
		a = (u64)sign_extend(a, i->size);
		b = (u64)sign_extend(b, i->size);
	}
	lo = a * b;
	if (i->size == 8)
		hi = mul_high(a, b, is_signed);
	else
		hi = lo >> (i->size * 8);
	put(m, i, AX, i->size, lo & mask, ok);
	put(m, i, DX, i->size, hi & mask, ok);
}

/* The quotient and the remainder fit, or the processor raises #DE. */
static enum nm_refusal divide(struct nm_machine *m, const struct insn *i,
			      bool is_signed)
{
	u64 hi = get(m, i, DX, i->size), lo = get(m, i, AX, i->size);
	u64 d = get(m, i, i->rm, i->size), q, r;
	unsigned int bits = i->size * 8;
	s64 n, sd;

	lose_flags(m, F_ARITH);
	if (i->size == 1 || !known(m, i, i->rm, i->size) ||
	    (~m->known & (1u << AX | 1u << DX)))
		goto unknown;
	if (!d)
		return NM_REFUSE_FAULT;
	if (!is_signed) {
		if (hi >= d)
			return NM_REFUSE_FAULT;
		if (i->size == 8 && hi)
			goto unknown;
		if (i->size < 8)
			lo |= hi << bits;
		q = lo / d;
		r = lo % d;
	} else {
		if (i->size == 8) {
			if (hi != (u64)((s64)lo >> 63))
				goto unknown;
			n = (s64)lo;
		} else {
			n = sign_extend(lo | hi << bits, 2 * i->size);
		}
		sd = sign_extend(d, i->size);
		if (sd == -1) {
			if (n == (s64)(1ull << 63))
				return NM_REFUSE_FAULT;
			q = (u64)-n;
			r = 0;
		} else {
			q = (u64)(n / sd);
			r = (u64)(n % sd);
		}
		if (sign_extend(q, i->size) != (s64)q)
			return NM_REFUSE_FAULT;
	}
	put(m, i, AX, i->size, q, true);
	put(m, i, DX, i->size, r, true);
	return NM_OK;
unknown:
	lose(m, AX);
	if (i->size != 1)
		lose(m, DX);
	return NM_OK;
}

static enum nm_refusal group3(struct nm_machine *m, const struct insn *i)
{
	switch (i->reg & 7) {
	case 0:
	case 1:
		alu(m, i, ALU_TEST, i->rm, i->imm, true, false);
		return NM_OK;
	case 2:
		put(m, i, i->rm, i->size, ~get(m, i, i->rm, i->size),
		    known(m, i, i->rm, i->size));
		return NM_OK;
	case 3:
		neg(m, i);
		return NM_OK;
	case 4:
	case 5:
		mul_wide(m, i, (i->reg & 7) == 5);
		return NM_OK;
	default:
		return divide(m, i, (i->reg & 7) == 7);
	}
}

/* imul with two or three operands; only CF and OF are defined. */
static void imul(struct nm_machine *m, const struct insn *i)
{
	bool three = i->map == MAP_ONE;
	bool ok = known(m, i, i->rm, i->size) &&
		  (three || known(m, i, i->reg, i->size));
	u64 a = get(m, i, i->rm, i->size);
	u64 b = three ? i->imm : get(m, i, i->reg, i->size);

	lose_flags(m, F_ARITH);
	put(m, i, i->reg, i->size, a * b, ok);
}

enum { SH_ROL, SH_ROR, SH_RCL, SH_RCR, SH_SHL, SH_SHR, SH_SAL, SH_SAR };

static void rotate(struct nm_machine *m, const struct insn *i,
		   unsigned int op, unsigned int count)
{
	unsigned int bits = i->size * 8, n = count % bits;
	u64 v = get(m, i, i->rm, i->size);

	lose_flags(m, F_CF | F_OF);
	if (op == SH_RCL || op == SH_RCR) {
		put(m, i, i->rm, i->size, 0, false);
		return;
	}
	if (op == SH_ROR)
		n = (bits - n) % bits;
	if (n)
		v = v << n | v >> (bits - n);
	if (op == SH_ROL)
		set_flags(m, F_CF, v & 1 ? F_CF : 0);
	else
		set_flags(m, F_CF, v & sign_bit(i->size) ? F_CF : 0);
	put(m, i, i->rm, i->size, v, known(m, i, i->rm, i->size));
}

static void shift_value(struct nm_machine *m, const struct insn *i,
			unsigned int op, unsigned int count)
{
	unsigned int bits = i->size * 8;
	u64 v = get(m, i, i->rm, i->size), res, last;

	/* a count beyond the width is legal for bytes and words */
	if (count > bits) {
		lose_flags(m, F_ARITH);
		put(m, i, i->rm, i->size, 0, false);
		return;
	}
	switch (op) {
	case SH_SHR:
		last = v >> (count - 1) & 1;
		res = count == 64 ? 0 : v >> count;
		break;
	case SH_SAR:
		last = (u64)(sign_extend(v, i->size) >> (count - 1)) & 1;
		res = (u64)(sign_extend(v, i->size) >> min(count, 63u));
		break;
	default:
		last = v >> (bits - count) & 1;
		res = count == 64 ? 0 : v << count;
		break;
	}
	lose_flags(m, F_ARITH);
	set_flags(m, F_CF | F_ZF | F_SF | F_PF,
		  (last ? F_CF : 0) | result_flags(res, i->size));
	put(m, i, i->rm, i->size, res, true);
}

static void shift(struct nm_machine *m, const struct insn *i)
{
	unsigned int op = i->reg & 7, count;

	if (i->op == 0xc0 || i->op == 0xc1) {
		count = (unsigned int)i->imm;
	} else if (i->op == 0xd0 || i->op == 0xd1) {
		count = 1;
	} else if (m->known >> CX & 1) {
		count = (unsigned int)m->gpr[CX];
	} else {
		lose_flags(m, F_ARITH);
		put(m, i, i->rm, i->size, 0, false);
		return;
	}
	count &= i->size == 8 ? 63 : 31;
	if (!count) {
		/* a 32-bit destination still loses its upper half */
		put(m, i, i->rm, i->size, get(m, i, i->rm, i->size),
		    known(m, i, i->rm, i->size));
	} else if (op < SH_SHL) {
		bool was_known = known(m, i, i->rm, i->size);

		rotate(m, i, op, count);
		if (!was_known)
			lose_flags(m, F_CF);
	} else if (known(m, i, i->rm, i->size)) {
		shift_value(m, i, op, count);
	} else {
		lose_flags(m, F_ARITH);
		put(m, i, i->rm, i->size, 0, false);
	}
}

static void shift_double(struct nm_machine *m, const struct insn *i)
{
	bool by_cl = i->op & 1, right = i->op >= 0xac;
	unsigned int bits = i->size * 8, count;
	bool ok = known(m, i, i->rm, i->size) && known(m, i, i->reg, i->size);
	u64 a = get(m, i, i->rm, i->size), b = get(m, i, i->reg, i->size);

	if (by_cl && !(m->known >> CX & 1)) {
		lose_flags(m, F_ARITH);
		put(m, i, i->rm, i->size, 0, false);
		return;
	}
	count = (unsigned int)(by_cl ? m->gpr[CX] : i->imm);
	count &= i->size == 8 ? 63 : 31;
	if (count) {
		lose_flags(m, F_ARITH);
		if (count >= bits)
			ok = false;
		else if (right)
			a = a >> count | b << (bits - count);
		else
			a = a << count | b >> (bits - count);
	}
	put(m, i, i->rm, i->size, a, ok);
}

/* --- moves and bits ------------------------------------------------------ */

static void move(struct nm_machine *m, const struct insn *i, unsigned int dst,
		 unsigned int src)
{
	put(m, i, dst, i->size, get(m, i, src, i->size),
	    known(m, i, src, i->size));
}

static void extend(struct nm_machine *m, const struct insn *i)
{
	unsigned int from = i->op & 1 ? 2 : 1;
	u64 v = get(m, i, i->rm, from);

	if (i->op >= 0xbe)
		v = (u64)sign_extend(v, from);
	put(m, i, i->reg, i->size, v, known(m, i, i->rm, from));
}

static void movsxd(struct nm_machine *m, const struct insn *i)
{
	unsigned int from = i->size == 2 ? 2 : 4;

	put(m, i, i->reg, i->size,
	    (u64)sign_extend(get(m, i, i->rm, from), from),
	    known(m, i, i->rm, from));
}

static void exchange(struct nm_machine *m, const struct insn *i,
		     unsigned int a, unsigned int b)
{
	u64 va = get(m, i, a, i->size), vb = get(m, i, b, i->size);
	bool ka = known(m, i, a, i->size), kb = known(m, i, b, i->size);

	put(m, i, a, i->size, vb, kb);
	put(m, i, b, i->size, va, ka);
}

/* 90 to 97; plain 90 is nop, and f3 90 is pause. */
static void exchange_ax(struct nm_machine *m, const struct insn *i)
{
	unsigned int r = (i->op & 7) | (i->rex & REX_B ? 8 : 0);

	if (r != AX)
		exchange(m, i, AX, r);
}

static void lea(struct nm_machine *m, const struct insn *i)
{
	u64 addr = 0;
	bool ok = nm_x86_linear_address(m, i, &addr);

	put(m, i, i->reg, i->size, addr, ok);
}

static void cmov(struct nm_machine *m, const struct insn *i)
{
	bool taken;

	if (!condition(m, i->op & 15, &taken))
		put(m, i, i->reg, i->size, 0, false);
	else
		move(m, i, i->reg, taken ? i->rm : i->reg);
}

static void setcc(struct nm_machine *m, const struct insn *i)
{
	bool taken = false, ok = condition(m, i->op & 15, &taken);

	put(m, i, i->rm, 1, taken, ok);
}

static void bit_test(struct nm_machine *m, const struct insn *i, u64 nr,
		     bool nr_known, unsigned int op)
{
	bool ok = nr_known && known(m, i, i->rm, i->size);
	u64 v = get(m, i, i->rm, i->size);
	u64 bit = 1ull << (nr & (i->size * 8 - 1));

	lose_flags(m, F_ARITH & ~F_ZF);
	if (ok)
		set_flags(m, F_CF, v & bit ? F_CF : 0);
	if (op == 1)
		v |= bit;
	else if (op == 2)
		v &= ~bit;
	else if (op == 3)
		v ^= bit;
	if (op)
		put(m, i, i->rm, i->size, v, ok);
}

/* bsf, bsr, tzcnt, lzcnt: the f3 prefix makes the counting forms. */
static void bit_scan(struct nm_machine *m, const struct insn *i)
{
	bool counting = i->rep == 0xf3, reverse = i->op == 0xbd;
	unsigned int bits = i->size * 8;
	u64 v = get(m, i, i->rm, i->size), res = bits;
	bool ok = known(m, i, i->rm, i->size);

	lose_flags(m, F_ARITH);
	if (!ok) {
		put(m, i, i->reg, i->size, 0, false);
		return;
	}
	if (v)
		res = reverse ? 63 - __builtin_clzll(v) : __builtin_ctzll(v);
	if (!counting) {
		/* without a set bit the destination is undefined */
		set_flags(m, F_ZF, v ? 0 : F_ZF);
		put(m, i, i->reg, i->size, res, v != 0);
		return;
	}
	if (reverse && v)
		res = bits - 1 - res;
	set_flags(m, F_CF | F_ZF, (v ? 0 : F_CF) | (res ? 0 : F_ZF));
	put(m, i, i->reg, i->size, res, true);
}

static enum nm_refusal popcnt(struct nm_machine *m, const struct insn *i)
{
	u64 v = get(m, i, i->rm, i->size);
	bool ok = known(m, i, i->rm, i->size);

	if (i->rep != 0xf3)
		return NM_REFUSE_INSN;
	lose_flags(m, F_ARITH);
	if (ok)
		set_flags(m, F_LOGIC, v ? 0 : F_ZF);
	put(m, i, i->reg, i->size, hweight64(v), ok);
	return NM_OK;
}

static void bswap(struct nm_machine *m, const struct insn *i)
{
	unsigned int r = (i->op & 7) | (i->rex & REX_B ? 8 : 0);

	if (i->size == 8)
		m->gpr[r] = __builtin_bswap64(m->gpr[r]);
	else if (i->size == 4)
		m->gpr[r] = __builtin_bswap32((u32)m->gpr[r]);
	else
		lose(m, r);
}

static void exchange_add(struct nm_machine *m, const struct insn *i)
{
	u64 old = get(m, i, i->rm, i->size);
	bool old_known = known(m, i, i->rm, i->size);
	u64 add = get(m, i, i->reg, i->size);
	bool add_known = known(m, i, i->reg, i->size);

	put(m, i, i->reg, i->size, old, old_known);
	alu(m, i, ALU_ADD, i->rm, add, add_known, false);
}

static void compare_exchange(struct nm_machine *m, const struct insn *i)
{
	bool ok = known(m, i, AX, i->size) && known(m, i, i->rm, i->size);
	u64 dst = get(m, i, i->rm, i->size), acc = get(m, i, AX, i->size);

	alu(m, i, ALU_CMP, AX, dst, known(m, i, i->rm, i->size), false);
	if (!ok) {
		put(m, i, AX, i->size, 0, false);
		put(m, i, i->rm, i->size, 0, false);
	} else if (acc == dst) {
		move(m, i, i->rm, i->reg);
	} else {
		put(m, i, AX, i->size, dst, true);
	}
}

static u32 crc32c(u32 crc, u64 data, unsigned int size)
{
	unsigned int bit;

	for (bit = 0; bit < size * 8; bit++) {
		crc ^= (data >> bit) & 1;
		crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* 0f 38 f0/f1: with f2 it is crc32, and movbe has no register form. */
static enum nm_refusal crc32(struct nm_machine *m, const struct insn *i)
{
	unsigned int size = i->op == 0xf0 ? 1 : i->size;
	bool ok = known(m, i, i->rm, size) && (m->known >> i->reg & 1);
	u32 crc;

	if (i->rep != 0xf2)
		return NM_REFUSE_INSN;
	crc = crc32c((u32)m->gpr[i->reg], get(m, i, i->rm, size), size);
	put(m, i, i->reg, 4, crc, ok);
	return NM_OK;
}

/* adcx uses only the carry, adox only the overflow flag. */
static void add_carry_x(struct nm_machine *m, const struct insn *i)
{
	u32 flag = i->rep == 0xf3 ? F_OF : F_CF;
	unsigned int size = i->rex & REX_W ? 8 : 4, carry;
	bool ok = known(m, i, i->reg, size) && known(m, i, i->rm, size) &&
		  (m->flags_known & flag);
	u64 a = get(m, i, i->reg, size), b = get(m, i, i->rm, size), res;

	settle_flags(m);
	carry = !!(m->flags & flag);
	res = alu_result(ALU_ADC, a, b, carry, size);
	put(m, i, i->reg, size, res, ok);
	lose_flags(m, flag);
	if (ok)
		set_flags(m, flag, alu_flags(ALU_ADC, a, b, carry, res, size) &
				   F_CF ? flag : 0);
}

/* --- BMI1 and BMI2 ------------------------------------------------------- */

static void andn(struct nm_machine *m, const struct insn *i)
{
	bool ok = known(m, i, i->vvvv, i->size) &&
		  known(m, i, i->rm, i->size);
	u64 res = ~get(m, i, i->vvvv, i->size) & get(m, i, i->rm, i->size);

	lose_flags(m, F_ARITH);
	if (ok)
		set_flags(m, F_CF | F_OF | F_ZF | F_SF,
			  result_flags(res, i->size));
	put(m, i, i->reg, i->size, res, ok);
}

static enum nm_refusal group17(struct nm_machine *m, const struct insn *i)
{
	u64 v = get(m, i, i->rm, i->size), res;
	bool ok = known(m, i, i->rm, i->size), carry = !v;

	switch (i->reg & 7) {
	case 1:
		res = v & (v - 1);
		break;
	case 2:
		res = v ^ (v - 1);
		break;
	case 3:
		res = v & -v;
		carry = v;
		break;
	default:
		return NM_REFUSE_INSN;
	}
	lose_flags(m, F_ARITH);
	if (ok)
		set_flags(m, F_CF | F_OF | F_ZF | F_SF,
			  result_flags(res, i->size) | (carry ? F_CF : 0));
	put(m, i, i->vvvv, i->size, res, ok);
	return NM_OK;
}

static u64 deposit(u64 src, u64 mask)
{
	u64 res = 0;

	for (; mask; mask &= mask - 1, src >>= 1)
		if (src & 1)
			res |= mask & -mask;
	return res;
}

static u64 extract(u64 src, u64 mask)
{
	unsigned int to = 0;
	u64 res = 0;

	for (; mask; mask &= mask - 1, to++)
		if (src & mask & -mask)
			res |= 1ull << to;
	return res;
}

static enum nm_refusal bzhi_pext_pdep(struct nm_machine *m,
				      const struct insn *i)
{
	bool ok = known(m, i, i->vvvv, i->size) &&
		  known(m, i, i->rm, i->size);
	u64 rm = get(m, i, i->rm, i->size), v = get(m, i, i->vvvv, i->size);
	unsigned int n = v & 0xff, bits = i->size * 8;

	if (i->opsize)
		return NM_REFUSE_INSN;
	if (i->rep == 0xf2) {
		rm = deposit(v, rm);
	} else if (i->rep == 0xf3) {
		rm = extract(v, rm);
	} else {
		if (n < bits)
			rm &= (1ull << n) - 1;
		lose_flags(m, F_ARITH);
		if (ok)
			set_flags(m, F_CF | F_OF | F_ZF | F_SF,
				  result_flags(rm, i->size) |
				  (n >= bits ? F_CF : 0));
	}
	put(m, i, i->reg, i->size, rm, ok);
	return NM_OK;
}

static void mulx(struct nm_machine *m, const struct insn *i)
{
	bool ok = known(m, i, DX, i->size) && known(m, i, i->rm, i->size);
	u64 a = get(m, i, DX, i->size), b = get(m, i, i->rm, i->size);
	u64 hi;

	if (i->size == 8)
		hi = mul_high(a, b, false);
	else
		hi = a * b >> 32;
	/* when both name one register it receives the upper half */
	put(m, i, i->vvvv, i->size, a * b, ok);
	put(m, i, i->reg, i->size, hi, ok);
}

static enum nm_refusal adx_or_mulx(struct nm_machine *m, const struct insn *i)
{
	if (i->vex) {
		if (i->rep != 0xf2)
			return NM_REFUSE_INSN;
		mulx(m, i);
		return NM_OK;
	}
	if (!i->opsize && i->rep != 0xf3)
		return NM_REFUSE_INSN;
	add_carry_x(m, i);
	return NM_OK;
}

static u64 shift_plain(u64 v, unsigned int count, unsigned int size, u8 how)
{
	switch (how) {
	case 0xf3:
		return (u64)(sign_extend(v, size) >> count);
	case 0xf2:
		return v >> count;
	default:
		return v << count;
	}
}

static void bextr_shx(struct nm_machine *m, const struct insn *i)
{
	bool ok = known(m, i, i->vvvv, i->size) &&
		  known(m, i, i->rm, i->size);
	u64 v = get(m, i, i->rm, i->size), ctl = get(m, i, i->vvvv, i->size);
	unsigned int start = ctl & 0xff, n = ctl >> 8 & 0xff;

	if (i->rep || i->opsize) {
		v = shift_plain(v, ctl & (i->size == 8 ? 63 : 31), i->size,
				i->rep);
		put(m, i, i->reg, i->size, v, ok);
		return;
	}
	v = start < 64 ? v >> start : 0;
	if (n < 64)
		v &= (1ull << n) - 1;
	lose_flags(m, F_ARITH);
	if (ok)
		set_flags(m, F_CF | F_OF | F_ZF, v ? 0 : F_ZF);
	put(m, i, i->reg, i->size, v, ok);
}

static enum nm_refusal rorx(struct nm_machine *m, const struct insn *i)
{
	unsigned int bits = i->size * 8, n = i->imm & (bits - 1);
	u64 v = get(m, i, i->rm, i->size);

	if (i->rep != 0xf2)
		return NM_REFUSE_INSN;
	if (n)
		v = v >> n | v << (bits - n);
	put(m, i, i->reg, i->size, v, known(m, i, i->rm, i->size));
	return NM_OK;
}

/* --- the rest ------------------------------------------------------------ */

static void flag_op(struct nm_machine *m, const struct insn *i)
{
	switch (i->op) {
	case 0x9e:
		lose_flags(m, F_ARITH & ~F_OF);
		if (m->known >> AX & 1)
			set_flags(m, F_CF | F_PF | F_ZF | F_SF,
				  (u32)(m->gpr[AX] >> 8));
		break;
	case 0xf5:
		settle_flags(m);
		m->flags ^= F_CF;
		break;
	case 0xf8:
		set_flags(m, F_CF, 0);
		break;
	case 0xf9:
		set_flags(m, F_CF, F_CF);
		break;
	case 0xfc:
		set_flags(m, F_DF, 0);
		break;
	default:
		set_flags(m, F_DF, F_DF);
		break;
	}
}

static void cbw(struct nm_machine *m, const struct insn *i)
{
	put(m, i, AX, i->size,
	    (u64)sign_extend(get(m, i, AX, i->size / 2), i->size / 2),
	    m->known >> AX & 1);
}

static void cwd(struct nm_machine *m, const struct insn *i)
{
	bool neg = get(m, i, AX, i->size) & sign_bit(i->size);

	put(m, i, DX, i->size, neg ? ~0ull : 0, m->known >> AX & 1);
}

static enum nm_refusal jump_to(struct nm_machine *m, const struct insn *i,
			       u64 target)
{
	/* With 0x66 processors disagree about the width of the target. */
	if (i->opsize)
		return NM_REFUSE_BRANCH;
	m->ip = target;
	return NM_OK;
}

static enum nm_refusal jcc(struct nm_machine *m, const struct insn *i)
{
	bool taken;

	if (!condition(m, i->op & 15, &taken))
		return NM_REFUSE_BRANCH;
	return jump_to(m, i, i->next + (taken ? i->imm : 0));
}

/* loopne, loope, loop, jrcxz */
static enum nm_refusal loop(struct nm_machine *m, const struct insn *i)
{
	bool taken, zero;

	/* a repeat prefix exchanges loope and loopne on some processors */
	if (!(m->known >> CX & 1) || i->addr32 || i->rep)
		return NM_REFUSE_BRANCH;
	settle_flags(m);
	zero = m->flags & F_ZF;
	if (i->op == 0xe3) {
		taken = !m->gpr[CX];
	} else {
		if (i->op != 0xe2 && !(m->flags_known & F_ZF))
			return NM_REFUSE_BRANCH;
		taken = --m->gpr[CX] != 0;
		if (i->op == 0xe0)
			taken = taken && !zero;
		else if (i->op == 0xe1)
			taken = taken && zero;
	}
	return jump_to(m, i, i->next + (taken ? i->imm : 0));
}

/* ff in its register forms: inc, dec, call, jmp, push. */
static enum nm_refusal group5(struct nm_machine *m, const struct insn *i,
			      struct nm_operand *out)
{
	switch (i->reg & 7) {
	case 0:
	case 1:
		inc_dec(m, i, i->reg & 1);
		return NM_OK;
	case 2:
	case 6:
		return stack_access(m, i, 8, true, out);
	case 4:
		if (!(m->known >> i->rm & 1))
			return NM_REFUSE_BRANCH;
		return jump_to(m, i, m->gpr[i->rm]);
	default:
		return NM_REFUSE_INSN;
	}
}

/* xgetbv and rdtscp are the ones that user code runs. */
static enum nm_refusal group7(struct nm_machine *m, const struct insn *i)
{
	unsigned int which = (i->reg & 7) << 3 | (i->rm & 7);

	if (which == (2 << 3 | 0)) {
		lose(m, AX);
		lose(m, DX);
		return NM_OK;
	}
	if (which == (7 << 3 | 1)) {
		lose(m, AX);
		lose(m, CX);
		lose(m, DX);
		return NM_OK;
	}
	return NM_REFUSE_INSN;
}

/* rdrand, rdseed, rdpid */
static enum nm_refusal group9(struct nm_machine *m, const struct insn *i)
{
	if ((i->reg & 7) < 6)
		return NM_REFUSE_INSN;
	lose(m, i->rm);
	if (!i->rep)
		lose_flags(m, F_ARITH);
	return NM_OK;
}

/* Fences; rdfsbase, rdgsbase, wrfsbase and wrgsbase with f3. */
static enum nm_refusal group15(struct nm_machine *m, const struct insn *i)
{
	unsigned int sub = i->reg & 7;
	/* 66 does not make it 2 */
	unsigned int size = i->rex & REX_W ? 8 : 4;

	if (!i->rep && !i->opsize && sub >= 5)
		return NM_OK;
	if (i->rep != 0xf3 || sub > 3)
		return NM_REFUSE_INSN;
	switch (sub) {
	case 0:
		put(m, i, i->rm, size, m->fs_base, m->have_fs);
		break;
	case 1:
		put(m, i, i->rm, size, m->gs_base, m->have_gs);
		break;
	case 2:
		m->fs_base = get(m, i, i->rm, size);
		m->have_fs = known(m, i, i->rm, size);
		break;
	default:
		m->gs_base = get(m, i, i->rm, size);
		m->have_gs = known(m, i, i->rm, size);
		break;
	}
	return NM_OK;
}

/* fnstsw ax and the comparisons that set RFLAGS. */
static void x87_register_form(struct nm_machine *m, const struct insn *i)
{
	unsigned int sub = i->reg & 7;

	if (i->op == 0xdf && sub == 4 && (i->rm & 7) == 0)
		lose(m, AX);
	if ((i->op == 0xdb || i->op == 0xdf) && (sub == 5 || sub == 6))
		lose_flags(m, F_ARITH);
}

static void cvt_int(struct nm_machine *m, const struct insn *i)
{
	if (i->rep)
		lose(m, i->reg);
}

static enum nm_refusal execute_control(struct nm_machine *m,
				       const struct insn *i,
				       struct nm_operand *out)
{
	switch (insn_class(i)) {
	case X_JMP:
		return jump_to(m, i, i->next + i->imm);
	case X_JCC:
		return jcc(m, i);
	case X_LOOP:
		return loop(m, i);
	case X_GROUP5:
		return group5(m, i, out);
	case X_PUSH:
	case X_CALL:
		return stack_access(m, i, 8, true, out);
	case X_POP_RM:
		if (i->reg & 7)
			return NM_REFUSE_INSN;
		fallthrough;
	case X_POP:
	case X_RET:
		return stack_access(m, i, 0, false, out);
	case X_LEAVE:
		if (!(m->known >> BP & 1))
			return NM_REFUSE_ADDR;
		nm_x86_add_access(out, m->gpr[BP], false);
		return NM_OK;
	case X_STRING:
		return string_op(m, i, out);
	case X_MOFFS:
		return moffs(m, i, out);
	case X_XLAT:
		return xlat(m, i, out);
	default:
		return NM_REFUSE_INSN;
	}
}

static enum nm_refusal execute_rare(struct nm_machine *m,
				    const struct insn *i,
				    struct nm_operand *out)
{
	switch (insn_class(i)) {
	case X_POPCNT:
		return popcnt(m, i);
	case X_BSWAP:
		bswap(m, i);
		return NM_OK;
	case X_XADD:
		exchange_add(m, i);
		return NM_OK;
	case X_CMPXCHG:
		compare_exchange(m, i);
		return NM_OK;
	case X_CRC_MOVBE:
		return crc32(m, i);
	case X_ADX:
		return adx_or_mulx(m, i);
	case X_ANDN:
		andn(m, i);
		return NM_OK;
	case X_GROUP17:
		return group17(m, i);
	case X_BZHI_PEXT_PDEP:
		return bzhi_pext_pdep(m, i);
	case X_BEXTR_SHX:
		bextr_shx(m, i);
		return NM_OK;
	case X_RORX:
		return rorx(m, i);
	case X_GROUP7:
		return group7(m, i);
	case X_GROUP9:
		return group9(m, i);
	case X_GROUP15:
		return group15(m, i);
	case X_X87:
		x87_register_form(m, i);
		return NM_OK;
	case X_CPUID:
		m->known &= ~(1u << AX | 1u << BX | 1u << CX | 1u << DX);
		return NM_OK;
	case X_RDTSC:
		m->known &= ~(1u << AX | 1u << DX);
		return NM_OK;
	case X_LAHF:
		lose(m, AX);
		return NM_OK;
	case X_PCMPSTR_INDEX:
		lose(m, CX);
		lose_flags(m, F_ARITH);
		return NM_OK;
	case X_MASKMOVQ:
		return NM_REFUSE_INSN;
	default:
		return execute_control(m, i, out);
	}
}

/**
 * nm_x86_execute - execute an instruction whose modrm names no memory access
 * @m: the machine; m->ip already points behind the instruction, what jumps
 *	sets it anew
 * @i: the instruction: a register form, lea, or a hint
 * @out: implicit accesses (stack, string, moffs) are added here
 *
 * Return: NM_OK or why the walk ends.
 */
enum nm_refusal nm_x86_execute(struct nm_machine *m, const struct insn *i,
			       struct nm_operand *out)
{
	switch (insn_class(i)) {
	case X_NONE:
		break;
	case X_LEA:
		if (!i->mem)
			return NM_REFUSE_INSN;
		lea(m, i);
		break;
	case X_HINT:
		/* rdssp: a nop unless shadow stacks are on */
		if (i->op == 0x1e && i->rep == 0xf3 && (i->reg & 7) == 1)
			lose(m, i->rm);
		break;
	case X_ALU:
		alu_row(m, i);
		break;
	case X_ALU_IMM:
		alu(m, i, i->reg & 7, i->rm, i->imm, true, false);
		break;
	case X_TEST:
		if (i->attr & A_MODRM)
			alu(m, i, ALU_TEST, i->rm, get(m, i, i->reg, i->size),
			    known(m, i, i->reg, i->size), false);
		else
			alu(m, i, ALU_TEST, AX, i->imm, true, false);
		break;
	case X_MOV:
		if (i->op & 2)
			move(m, i, i->reg, i->rm);
		else
			move(m, i, i->rm, i->reg);
		break;
	case X_MOV_IMM:
		if (i->reg & 7)
			return NM_REFUSE_INSN;
		put(m, i, i->rm, i->size, i->imm, true);
		break;
	case X_MOV_REG_IMM:
		put(m, i, (i->op & 7) | (i->rex & REX_B ? 8 : 0), i->size,
		    i->imm, true);
		break;
	case X_MOVSXD:
		movsxd(m, i);
		break;
	case X_MOVX:
		extend(m, i);
		break;
	case X_XCHG:
		exchange(m, i, i->rm, i->reg);
		break;
	case X_XCHG_AX:
		exchange_ax(m, i);
		break;
	case X_INC_DEC:
		if ((i->reg & 7) > 1)
			return NM_REFUSE_INSN;
		inc_dec(m, i, i->reg & 1);
		break;
	case X_GROUP3:
		return group3(m, i);
	case X_SHIFT:
		if ((i->reg & 7) == 6)
			return NM_REFUSE_INSN;
		shift(m, i);
		break;
	case X_SHIFT_DOUBLE:
		shift_double(m, i);
		break;
	case X_IMUL:
		imul(m, i);
		break;
	case X_CBW:
		cbw(m, i);
		break;
	case X_CWD:
		cwd(m, i);
		break;
	case X_FLAG_OP:
		flag_op(m, i);
		break;
	case X_CMOV:
		cmov(m, i);
		break;
	case X_SETCC:
		setcc(m, i);
		break;
	case X_BT:
		bit_test(m, i, get(m, i, i->reg, i->size),
			 known(m, i, i->reg, i->size), i->op >> 3 & 3);
		break;
	case X_BT_IMM:
		if ((i->reg & 7) < 4)
			return NM_REFUSE_INSN;
		bit_test(m, i, i->imm, true, i->reg & 3);
		break;
	case X_BIT_SCAN:
		bit_scan(m, i);
		break;
	case X_LOSE_REG:
		lose(m, i->reg);
		break;
	case X_LOSE_RM:
		lose(m, i->rm);
		break;
	case X_LOSE_FLAGS:
		lose_flags(m, F_ARITH);
		break;
	case X_CVT_INT:
		cvt_int(m, i);
		break;
	case X_MOVD_STORE:
		if (i->rep != 0xf3)
			lose(m, i->rm);
		break;
	default:
		return execute_rare(m, i, out);
	}
	return NM_OK;
}
