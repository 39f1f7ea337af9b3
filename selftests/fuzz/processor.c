// SPDX-License-Identifier: GPL-2.0-only
/*
 * processor - the forward evaluator against the processor, on any code
 *
 * The input is registers, then code.  What the evaluator executes, a process
 * that has nothing but this code executes too, one instruction at a time: each
 * register and each flag that the evaluator says it knows has to be what the
 * processor left.  Where the evaluator says that memory is accessed, the
 * process faults, and the fault says at which address; a second process, whose
 * memory can be read only, says whether it was a store.
 *
 * Where the processor refuses an instruction, or says no address (one that is
 * not canonical), nothing is judged.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "instructions.h"
#include "operand.h"
#include "tracee.h"

#define F_SETTLED	0x8d5u	/* CF PF AF ZF SF OF */
#define F_DIRECTION	0x400u
#define HEADER		(2 + 18 * 8)
#define MAX_CODE	512

const size_t fuzz_code_at = HEADER;

static struct tracee plain, readable;

static unsigned long executed, addresses, loads, stores_judged, not_judged;

static struct {
	const u8 *bytes;
	size_t len;
} code;

static u64 next_word(const uint8_t **at)
{
	u64 v;

	memcpy(&v, *at, 8);
	*at += 8;
	return v;
}

/* A small number, an address in the readable memory, any address, anything. */
static u64 next_register(const uint8_t **at)
{
	u64 v = next_word(at);

	switch (v >> 62) {
	case 0:
		return v & 0xff;
	case 1:
		return TRACEE_DATA + TRACEE_DATA_SIZE / 2 + (u32)v;
	case 2:
		return (u64)((s64)(v << 17) >> 17);
	default:
		return v;
	}
}

static u64 next_base(const uint8_t **at)
{
	return TRACEE_DATA + (next_word(at) & (TRACEE_DATA_SIZE - 1));
}

static void take_registers(struct nm_regs *r, const uint8_t *data)
{
	int k;

	memset(r, 0, sizeof(*r));
	r->flags = 2 | ((data[0] | data[1] << 8) &
			(F_SETTLED | F_DIRECTION));
	data += 2;
	for (k = 0; k < 16; k++)
		r->gpr[k] = next_register(&data);
	r->fs_base = next_base(&data);
	r->gs_base = next_base(&data);
	r->have_fs = true;
	r->have_gs = true;
	r->ip = TRACEE_CODE;
}

static unsigned int fetch(void *ctx, u64 ip, u8 *buf, unsigned int len)
{
	u64 off = ip - TRACEE_CODE;

	(void)ctx;
	if (off >= code.len)
		return 0;
	if (len > code.len - off)
		len = (unsigned int)(code.len - off);
	memcpy(buf, code.bytes + off, len);
	return len;
}

/* As operand.c begins. */
static void start_machine(struct nm_machine *m, const struct nm_regs *r)
{
	memset(m, 0, sizeof(*m));
	memcpy(m->gpr, r->gpr, sizeof(m->gpr));
	m->ip = r->ip;
	m->flags = r->flags;
	m->fs_base = r->fs_base;
	m->gs_base = r->gs_base;
	m->have_fs = true;
	m->have_gs = true;
	m->known = 0xffff;
	m->flags_known = U32_MAX;
}

static void start_processor(struct user_regs_struct *u,
			    const struct nm_regs *r)
{
	const u64 *g = r->gpr;

	*u = plain.first;
	u->rax = g[0];
	u->rcx = g[1];
	u->rdx = g[2];
	u->rbx = g[3];
	u->rsp = g[4];
	u->rbp = g[5];
	u->rsi = g[6];
	u->rdi = g[7];
	u->r8 = g[8];
	u->r9 = g[9];
	u->r10 = g[10];
	u->r11 = g[11];
	u->r12 = g[12];
	u->r13 = g[13];
	u->r14 = g[14];
	u->r15 = g[15];
	u->rip = r->ip;
	u->eflags = r->flags | 0x200;
	u->fs_base = r->fs_base;
	u->gs_base = r->gs_base;
}

/* Whatever is pending; complementing the carry makes it be computed. */
static u64 settled_flags(const struct nm_machine *m)
{
	u8 cmc[NM_CODE_WINDOW + NM_CODE_SLACK] = { 0xf5 };
	struct nm_machine copy = *m;
	struct nm_operand op = { 0 };

	fuzz_check(nm_arch_step(&copy, cmc, 1, &op) == NM_OK, "cmc is known");
	return copy.flags ^ 1;
}

static void say(const char *what, const struct nm_machine *was,
		const struct nm_machine *m, const struct user_regs_struct *u)
{
	u64 off = was->ip - TRACEE_CODE;
	unsigned int k;

	fprintf(stderr, "%s at +%llu:", what, (unsigned long long)off);
	for (k = 0; k < 15 && off + k < code.len; k++)
		fprintf(stderr, " %02x", code.bytes[off + k]);
	fprintf(stderr, "\n  ip %llx, processor %llx; flags %llx of %x, processor %llx\n",
		(unsigned long long)m->ip, u->rip,
		(unsigned long long)settled_flags(m), m->flags_known,
		u->eflags);
}

static void compare(const struct nm_machine *was, const struct nm_machine *m,
		    const struct user_regs_struct *u)
{
	const u64 got[16] = {
		u->rax, u->rcx, u->rdx, u->rbx, u->rsp, u->rbp, u->rsi,
		u->rdi, u->r8, u->r9, u->r10, u->r11, u->r12, u->r13, u->r14,
		u->r15,
	};
	u64 mask = m->flags_known & (F_SETTLED | F_DIRECTION);
	bool same = m->ip == u->rip;
	int k;

	if ((settled_flags(m) ^ u->eflags) & mask)
		same = false;
	for (k = 0; k < 16; k++) {
		if (!(m->known >> k & 1) || m->gpr[k] == got[k])
			continue;
		same = false;
		fprintf(stderr, "  register %d: was %llx, %llx, processor %llx\n",
			k, (unsigned long long)was->gpr[k],
			(unsigned long long)m->gpr[k],
			(unsigned long long)got[k]);
	}
	if (!same)
		say("result differs", was, m, u);
	fuzz_check(same, "registers and flags are the processor's");
}

static bool within(u64 addr, u64 from, u64 size)
{
	return addr - from < size;
}

/*
 * fxsave, xsave and the x87 environment are areas, touched in an order of the
 * processor's own.
 */
static u64 area_size(u64 ip)
{
	const u8 *p = code.bytes + (ip - TRACEE_CODE);
	const u8 *end = code.bytes + code.len;

	while (p < end && (*p == 0x66 || *p == 0x67 || *p == 0xf0 ||
			   *p == 0xf2 || *p == 0xf3 || (*p & 0xf0) == 0x40 ||
			   *p == 0x64 || *p == 0x65 || *p == 0x2e ||
			   *p == 0x26 || *p == 0x36 || *p == 0x3e))
		p++;
	if (p + 1 < end && *p == 0x0f && p[1] == 0xae)
		return 4096;
	return p < end && *p >= 0xd8 && *p <= 0xdf ? 128 : 1;
}

/* Is this one of the addresses that were forecast? */
static bool forecast(const struct nm_operand *op, u64 addr, u64 area,
		     bool only_stores)
{
	unsigned int k;

	for (k = 0; k < op->nr; k++)
		if (within(addr, op->acc[k].addr, area) &&
		    (op->acc[k].write || !only_stores))
			return true;
	return false;
}

static bool any_near(const struct nm_operand *op, u64 from, u64 size)
{
	unsigned int k;

	for (k = 0; k < op->nr; k++)
		if (within(op->acc[k].addr + 4096, from, size + 8192))
			return true;
	return false;
}

static bool all_within(const struct nm_operand *op, u64 from, u64 size)
{
	unsigned int k;

	for (k = 0; k < op->nr; k++)
		if (!within(op->acc[k].addr, from, size))
			return false;
	return true;
}

static bool stores(const struct nm_operand *op)
{
	return op->acc[0].write || (op->nr > 1 && op->acc[1].write);
}

static void say_access(const char *what, const struct nm_operand *op,
		       const struct nm_machine *was,
		       const struct nm_machine *m,
		       const struct user_regs_struct *u, int sig,
		       const siginfo_t *info)
{
	unsigned int k;

	for (k = 0; k < op->nr; k++)
		fprintf(stderr, "  %s %llx\n",
			op->acc[k].write ? "store" : "load",
			(unsigned long long)op->acc[k].addr);
	fprintf(stderr, "  processor: signal %d, address %p\n", sig,
		sig == SIGTRAP ? NULL : info->si_addr);
	say(what, was, m, u);
}

/* The address: the process has no memory, so the access faults. */
static void judge_address(const struct nm_operand *op,
			  const struct nm_machine *was,
			  const struct nm_machine *m,
			  struct user_regs_struct u)
{
	int sig = tracee_step(&plain, &u);
	u64 addr = (u64)plain.info.si_addr;
	bool ok;

	if (any_near(op, TRACEE_CODE, TRACEE_CODE_SIZE)) {
		/* a load of its own code; it may be of the control word */
		tracee_reset_fp(&plain);
		not_judged++;
		return;
	}
	if (sig == SIGILL || ((sig == SIGSEGV || sig == SIGBUS) &&
			      plain.info.si_code == SI_KERNEL)) {
		not_judged++;
		return;
	}
	ok = sig == SIGSEGV && forecast(op, addr, area_size(was->ip), false);
	if (!ok)
		say_access("access differs", op, was, m, &u, sig,
			   &plain.info);
	fuzz_check(ok, "the address is the processor's");
	addresses++;
}

/* Load or store: in memory that can be read, only a store faults. */
static void judge_store(const struct nm_operand *op,
			const struct nm_machine *was,
			const struct nm_machine *m,
			struct user_regs_struct u)
{
	u64 addr;
	bool ok;
	int sig;

	if (!all_within(op, TRACEE_DATA, TRACEE_DATA_SIZE - 4096))
		return;
	tracee_reset_fp(&readable);
	sig = tracee_step(&readable, &u);
	addr = (u64)readable.info.si_addr;
	if (sig == SIGSEGV && readable.info.si_code != SI_KERNEL)
		ok = forecast(op, addr, area_size(was->ip), true) ||
		     /* call, push: the stack is left out when not known */
		     (!(was->known >> 4 & 1) && addr == u.rsp - 8);
	else
		ok = sig != SIGTRAP || !stores(op);
	if (!ok)
		say_access("load or store", op, was, m, &u, sig,
			   &readable.info);
	fuzz_check(ok, "a store is a store");
	stores_judged += sig == SIGSEGV;
	loads += sig == SIGTRAP;
}

/* Have the processor do the instruction as well; false: nothing to judge. */
static bool step_both(const struct nm_machine *was,
		      const struct nm_machine *m, struct user_regs_struct *u)
{
	int sig = tracee_step(&plain, u);

	fuzz_check(sig, "the process is alive");
	if (sig == SIGTRAP) {
		compare(was, m, u);
		executed++;
		return true;
	}
	if (sig == SIGSEGV && plain.info.si_code != SI_KERNEL) {
		say("unforeseen access", was, m, u);
		fuzz_check(0, "what touches no memory does not");
	}
	/* refused by the processor, or a division that the evaluator left */
	not_judged++;
	return false;
}

static void check_end(enum nm_refusal why, const struct nm_operand *op,
		      unsigned int step, enum nm_refusal why2,
		      const struct nm_operand *op2)
{
	if (why != why2 || step != op->steps || op->nr != op2->nr)
		fprintf(stderr, "  refusal %d, %u steps, %u accesses; %d, %u, %u\n",
			why, op->steps, op->nr, why2, step, op2->nr);
	fuzz_check(why == why2 && step == op->steps && op->nr == op2->nr,
		   "nm_operand_next() and single steps agree");
	fuzz_check(!op->nr || op->acc[0].addr == op2->acc[0].addr,
		   "on the address too");
}

static void walk(const struct nm_regs *r, enum nm_refusal why,
		 const struct nm_operand *op)
{
	u8 window[NM_CODE_WINDOW + NM_CODE_SLACK];
	struct nm_operand now = { 0 };
	struct user_regs_struct u;
	struct nm_machine m, was;
	unsigned int len, step;
	enum nm_refusal end;
	int sig;

	start_machine(&m, r);
	start_processor(&u, r);
	for (step = 1; step <= NM_OPERAND_MAX_STEPS; step++) {
		was = m;
		memset(window, 0xcc, sizeof(window));
		len = fetch(NULL, m.ip, window, NM_CODE_WINDOW);
		end = len ? nm_arch_step(&m, window, len, &now) :
			    NM_REFUSE_CODE;
		if (end != NM_OK || now.nr)
			break;
		if (!step_both(&was, &m, &u))
			return;
	}
	if (step > NM_OPERAND_MAX_STEPS) {
		check_end(why, op, step - 1, NM_REFUSE_STEPS, &now);
		return;
	}
	check_end(why, op, step, end, &now);
	if (end == NM_REFUSE_FAULT) {
		sig = tracee_step(&plain, &u);
		fuzz_check(sig == SIGFPE || sig == SIGILL,
			   "what is said to fault does");
	}
	if (end != NM_OK)
		return;
	judge_address(&now, &was, &m, u);
	judge_store(&now, &was, &m, u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum nm_refusal why;
	struct nm_operand op;
	struct nm_regs r;
	u8 *exact;

	if (!plain.pid && (!tracee_start(&plain, false) ||
			   !tracee_start(&readable, true))) {
		fprintf(stderr, "fuzz: no process can be traced here\n");
		exit(1);
	}
	if (size <= HEADER || size > HEADER + MAX_CODE)
		return 0;
	code.len = size - HEADER;
	exact = malloc(code.len);
	memcpy(exact, data + HEADER, code.len);
	code.bytes = exact;
	memcpy((u8 *)TRACEE_CODE, exact, code.len);
	memset((u8 *)TRACEE_CODE + code.len, 0xcc, 32);
	take_registers(&r, data);
	why = nm_operand_next(&r, fetch, NULL, &op);
	walk(&r, why, &op);
	free(exact);
	return 0;
}

size_t fuzz_shape(uint8_t *data, size_t size, uint64_t (*random)(void))
{
	if (size <= HEADER)
		size = HEADER + 1 + random() % 128;
	if (size > HEADER + 160)
		size = HEADER + 160;
	random_instructions(data + HEADER, size - HEADER, random);
	return size;
}

void fuzz_report(void)
{
	printf("# %lu instructions, %lu addresses, %lu loads, %lu stores agree; %lu not judged\n",
	       executed, addresses, loads, stores_judged, not_judged);
}
