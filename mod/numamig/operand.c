// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand.c - forward evaluator: from a sampled register set to an address
 *
 * A timer interrupt lands after the instruction that was slow, so the operand
 * at the sampled ip is seldom the interesting one and often no memory operand
 * at all.  The evaluator walks forward from ip with the saved registers and
 * flags, executes what it can on that copy, follows jumps, and stops at the
 * first memory operand.  Everything before that operand works on registers
 * only, so the address is exact or it is refused: nothing is guessed.
 *
 * It reads code bytes, never data.  It allocates nothing, takes no lock and
 * always ends, so it may run in NMI context.
 */
#include "operand.h"

struct code_window {
	u8 buf[NM_CODE_WINDOW + NM_CODE_SLACK];
	u64 base;
	unsigned int len;
};

/*
 * Point *@code at the bytes at @ip and return how many there are.  The window
 * is fetched anew when @ip left it or when an instruction may cross its end.
 */
static unsigned int code_at(struct code_window *w, u64 ip, nm_fetch_t fetch,
			    void *ctx, const u8 **code)
{
	u64 off = ip - w->base;

	if (off >= w->len || w->len - off < NM_INSN_MAX) {
		w->base = ip;
		w->len = fetch(ctx, ip, w->buf, NM_CODE_WINDOW);
		if (w->len > NM_CODE_WINDOW)
			w->len = 0;
		off = 0;
	}
	*code = w->buf + off;
	return w->len - off;
}

static void machine_init(struct nm_machine *m, const struct nm_regs *regs)
{
	memcpy(m->gpr, regs->gpr, sizeof(m->gpr));
	m->ip = regs->ip;
	m->flags = regs->flags;
	m->fs_base = regs->fs_base;
	m->gs_base = regs->gs_base;
	m->have_fs = regs->have_fs;
	m->have_gs = regs->have_gs;
	m->lazy = false;
	m->known = 0xffff;
	m->flags_known = U32_MAX;
}

/**
 * nm_operand_next - find the next memory access of sampled user code
 * @regs: user registers at the sample
 * @fetch: reads code bytes
 * @ctx: for @fetch
 * @out: the access or accesses
 *
 * Return: NM_OK with @out filled, else the reason; @out->steps is valid in
 * both cases.
 */
enum nm_refusal nm_operand_next(const struct nm_regs *regs, nm_fetch_t fetch,
				void *ctx, struct nm_operand *out)
{
	struct code_window window;
	enum nm_refusal why;
	struct nm_machine m;
	unsigned int len, step;
	const u8 *code;

	window.base = 0;
	window.len = 0;
	out->nr = 0;
	machine_init(&m, regs);
	for (step = 1; step <= NM_OPERAND_MAX_STEPS; step++) {
		len = code_at(&window, m.ip, fetch, ctx, &code);
		why = len ? nm_arch_step(&m, code, len, out) : NM_REFUSE_CODE;
		if (why != NM_OK || out->nr) {
			out->steps = step;
			return why;
		}
	}
	out->steps = NM_OPERAND_MAX_STEPS;
	return NM_REFUSE_STEPS;
}
