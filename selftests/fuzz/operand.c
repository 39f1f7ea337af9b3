// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand - the forward evaluator on any bytes and any registers
 *
 * The input is registers, then code.  Bytes past the code are poisoned in the
 * fetch, so reading further than it was told shows under AddressSanitizer;
 * it must end within its steps and say something of what it was asked.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "operand.h"

struct code {
	const u8 *bytes;
	size_t len;
	u64 ip;
	unsigned int fetches;
};

static unsigned int fetch(void *ctx, u64 ip, u8 *buf, unsigned int len)
{
	struct code *c = ctx;
	u64 off = ip - c->ip;

	c->fetches++;
	if (off >= c->len)
		return 0;
	if (len > c->len - off)
		len = (unsigned int)(c->len - off);
	memcpy(buf, c->bytes + off, len);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nm_regs r = { 0 };
	struct nm_operand op;
	enum nm_refusal why;
	struct code c;
	u8 *exact;

	if (size < 19 * 8 + 2)
		return 0;
	memcpy(r.gpr, data, sizeof(r.gpr));
	memcpy(&r.flags, data + 128, 8);
	memcpy(&r.fs_base, data + 136, 8);
	memcpy(&r.gs_base, data + 144, 8);
	r.have_fs = data[152] & 1;
	r.have_gs = data[152] & 2;
	c.len = size - 153;
	exact = malloc(c.len);
	memcpy(exact, data + 153, c.len);
	c.bytes = exact;
	c.fetches = 0;
	/* also code at the very end of the address space */
	c.ip = data[152] & 4 ? 0 - (u64)c.len : 0x400000;
	r.ip = c.ip;
	why = nm_operand_next(&r, fetch, &c, &op);
	fuzz_check(why < NM_REFUSALS, "a reason that exists");
	fuzz_check(op.steps >= 1 && op.steps <= NM_OPERAND_MAX_STEPS,
		   "steps in bounds");
	fuzz_check(c.fetches <= NM_OPERAND_MAX_STEPS, "fetches in bounds");
	if (why == NM_OK)
		fuzz_check(op.nr == 1 || op.nr == 2, "an access");
	free(exact);
	return 0;
}

/* Opcodes and prefixes that compilers emit, so that walks get far. */
size_t fuzz_shape(uint8_t *data, size_t size, uint64_t (*random)(void))
{
	static const u8 common[] = {
		0x48, 0x8b, 0x89, 0x0f, 0xc5, 0xc4, 0x62, 0x66, 0xf3, 0xf2,
		0x83, 0x01, 0x03, 0x39, 0x74, 0x75, 0xeb, 0xe8, 0xc3, 0x8d,
		0xff, 0xf7, 0xd3, 0xc1, 0x31, 0x85, 0x50, 0x58, 0xa4, 0xab,
		0x49, 0x4c, 0x41, 0x67, 0x65, 0x64, 0x2e, 0xf0, 0xb6, 0xaf,
	};
	size_t k;

	for (k = 153; k < size; k++)
		if (random() & 1)
			data[k] = common[random() % sizeof(common)];
	return size;
}
