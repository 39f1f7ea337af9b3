// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand - the forward evaluator on any bytes and any registers
 *
 * The input is registers, then code.  The code is in a buffer of just its
 * size, and what the fetch leaves of a window is filled in two ways: reading
 * beyond it shows under AddressSanitizer, and being led by it in a difference.
 * The evaluator must end within its steps and say something of what it was
 * asked; with less known it may say less, and nothing else.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "instructions.h"
#include "operand.h"

#define HEADER	153

const size_t fuzz_code_at = HEADER;

struct code {
	const u8 *bytes;
	size_t len;
	u64 ip;
	unsigned int fetches;
	unsigned int most;
	u8 filling;
};

static unsigned long resolved, refused;

static unsigned int fetch(void *ctx, u64 ip, u8 *buf, unsigned int len)
{
	struct code *c = ctx;
	u64 off = ip - c->ip;

	c->fetches++;
	memset(buf, c->filling, NM_CODE_WINDOW + NM_CODE_SLACK);
	if (off >= c->len)
		return 0;
	if (len > c->most)
		len = c->most;
	if (len > c->len - off)
		len = (unsigned int)(c->len - off);
	memcpy(buf, c->bytes + off, len);
	return len;
}

static void take_registers(struct nm_regs *r, const uint8_t *data)
{
	memset(r, 0, sizeof(*r));
	memcpy(r->gpr, data, sizeof(r->gpr));
	memcpy(&r->flags, data + 128, 8);
	memcpy(&r->fs_base, data + 136, 8);
	memcpy(&r->gs_base, data + 144, 8);
	r->have_fs = data[152] & 1;
	r->have_gs = data[152] & 2;
}

/* @most: what is fetched at once; any instruction fits into NM_INSN_MAX */
static enum nm_refusal run(const struct nm_regs *r, struct code *c, u8 filling,
			   unsigned int most, struct nm_operand *op)
{
	enum nm_refusal why;

	c->fetches = 0;
	c->most = most;
	c->filling = filling;
	memset(op, 0, sizeof(*op));
	why = nm_operand_next(r, fetch, c, op);
	fuzz_check(why < NM_REFUSALS, "a reason that exists");
	fuzz_check(op->steps >= 1 && op->steps <= NM_OPERAND_MAX_STEPS,
		   "steps in bounds");
	fuzz_check(c->fetches <= NM_OPERAND_MAX_STEPS, "fetches in bounds");
	if (why == NM_OK)
		fuzz_check(op->nr == 1 || op->nr == 2, "an access");
	return why;
}

static bool same(const struct nm_operand *a, const struct nm_operand *b)
{
	unsigned int k;

	if (a->nr != b->nr || a->steps != b->steps)
		return false;
	for (k = 0; k < a->nr; k++)
		if (a->acc[k].addr != b->acc[k].addr ||
		    a->acc[k].write != b->acc[k].write)
			return false;
	return true;
}

/* Does @all say each access that @some says, at the same step? */
static bool says_all_of(const struct nm_operand *all,
			const struct nm_operand *some)
{
	struct nm_operand one = *some, other = *all;
	unsigned int k, n;

	for (k = 0; k < some->nr; k++) {
		one.acc[0] = some->acc[k];
		one.nr = 1;
		other.nr = 1;
		for (n = 0; n < all->nr; n++) {
			other.acc[0] = all->acc[n];
			if (same(&other, &one))
				break;
		}
		if (n == all->nr)
			return false;
	}
	return true;
}

/*
 * Without the segment bases it is the same, or refused, or one of two accesses,
 * or not foreseen that a division by a value read from one of them fails.
 */
static void check_unknown(const struct nm_regs *r, struct code *c,
			  enum nm_refusal why, const struct nm_operand *op)
{
	struct nm_regs less = *r;
	struct nm_operand other;
	enum nm_refusal then;

	less.have_fs = false;
	less.have_gs = false;
	then = run(&less, c, 0x90, NM_CODE_WINDOW, &other);
	if (then == NM_OK && why != NM_REFUSE_FAULT)
		fuzz_check(why == NM_OK && says_all_of(op, &other),
			   "who knows less says nothing else");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nm_operand op, other;
	enum nm_refusal why;
	struct nm_regs r;
	struct code c;
	u8 *exact;

	if (size <= HEADER)
		return 0;
	take_registers(&r, data);
	c.len = size - HEADER;
	exact = malloc(c.len);
	memcpy(exact, data + HEADER, c.len);
	c.bytes = exact;
	/* also code at the very end of the address space */
	c.ip = data[152] & 4 ? 0 - (u64)c.len : 0x400000;
	r.ip = c.ip;
	why = run(&r, &c, 0xcc, NM_CODE_WINDOW, &op);
	fuzz_check(run(&r, &c, 0x00, NM_CODE_WINDOW, &other) == why &&
		   same(&op, &other),
		   "what lies behind the code has no influence");
	fuzz_check(run(&r, &c, 0xf0, NM_INSN_MAX, &other) == why &&
		   same(&op, &other), "nor has the size of the window");
	check_unknown(&r, &c, why, &op);
	resolved += why == NM_OK;
	refused += why != NM_OK;
	free(exact);
	return 0;
}

size_t fuzz_shape(uint8_t *data, size_t size, uint64_t (*random)(void))
{
	if (size <= HEADER)
		return size;
	/* three of four look like a program, the rest is any bytes */
	if (random() & 3)
		random_instructions(data + HEADER, size - HEADER, random);
	return size;
}

void fuzz_report(void)
{
	printf("# %lu resolved, %lu refused\n", resolved, refused);
}
