// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand_trace - the forward evaluator against the processor
 *
 *   operand_trace [--steps N] [--skip N] [--verbose] -- PROGRAM [ARG]...
 *
 * Runs PROGRAM one instruction at a time.  At every step the evaluator says
 * which memory access comes next and in how many instructions; the program is
 * then stepped on, and capstone (a decoder that shares nothing with ours) with
 * the registers that the processor really had says which access did come.
 * Any difference is a failure: the evaluator may refuse, it may not be wrong.
 */
#define _GNU_SOURCE
#include <capstone/capstone.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "operand.h"

#define WINDOW	(NM_OPERAND_MAX_STEPS + 1)

/* What really happened in one step. */
struct truth {
	u64 ip;
	unsigned int nr;
	struct nm_access acc[2];
	bool unsure;		/* capstone cannot tell: not judged */
	u8 code[16];
	unsigned int len;
};

/* What the evaluator said at one step. */
struct forecast {
	enum nm_refusal why;
	struct nm_operand op;
};

static struct {
	pid_t pid;
	csh cs;
	cs_insn *insn;
	unsigned long judged, resolved, wrong, unsure;
	unsigned long refused[NM_REFUSALS];
	bool verbose;
} t;

static void die(const char *what)
{
	fprintf(stderr, "operand_trace: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned int peek(void *ctx, u64 addr, u8 *buf, unsigned int len)
{
	struct iovec local = { buf, len }, remote = { (void *)addr, len };
	ssize_t n;

	(void)ctx;
	/* as in the kernel, a window never crosses a page */
	if (len > 4096 - (addr & 4095)) {
		local.iov_len = 4096 - (addr & 4095);
		remote.iov_len = local.iov_len;
		n = process_vm_readv(t.pid, &local, 1, &remote, 1, 0);
		if (n == (ssize_t)local.iov_len) {
			struct iovec l2 = { buf + n, len - n };
			struct iovec r2 = { (void *)(addr + n), len - n };
			ssize_t more = process_vm_readv(t.pid, &l2, 1, &r2, 1,
							0);
			if (more > 0)
				n += more;
		}
	} else {
		n = process_vm_readv(t.pid, &local, 1, &remote, 1, 0);
	}
	return n < 0 ? 0 : n;
}

static u64 reg_value(const struct user_regs_struct *r, x86_reg reg, bool *bad)
{
	switch (reg) {
	case X86_REG_INVALID: case X86_REG_RIZ: case X86_REG_EIZ: return 0;
	case X86_REG_RAX: return r->rax;
	case X86_REG_RBX: return r->rbx;
	case X86_REG_RCX: return r->rcx;
	case X86_REG_RDX: return r->rdx;
	case X86_REG_RSI: return r->rsi;
	case X86_REG_RDI: return r->rdi;
	case X86_REG_RBP: return r->rbp;
	case X86_REG_RSP: return r->rsp;
	case X86_REG_R8: return r->r8;
	case X86_REG_R9: return r->r9;
	case X86_REG_R10: return r->r10;
	case X86_REG_R11: return r->r11;
	case X86_REG_R12: return r->r12;
	case X86_REG_R13: return r->r13;
	case X86_REG_R14: return r->r14;
	case X86_REG_R15: return r->r15;
	case X86_REG_RIP: return r->rip;
	default:
		*bad = true;
		return 0;
	}
}

static void truth_add(struct truth *tr, u64 addr, bool write)
{
	if (tr->nr < 2) {
		tr->acc[tr->nr].addr = addr;
		tr->acc[tr->nr].write = write;
		tr->nr++;
	}
}

static bool touches_nothing(unsigned int id)
{
	switch (id) {
	case X86_INS_LEA: case X86_INS_NOP: case X86_INS_PREFETCH:
	case X86_INS_PREFETCHNTA: case X86_INS_PREFETCHT0:
	case X86_INS_PREFETCHT1: case X86_INS_PREFETCHT2:
	case X86_INS_PREFETCHW:
		return true;
	default:
		return false;
	}
}

/* The stack accesses that capstone leaves implicit. */
static void implicit_stack(struct truth *tr, const cs_insn *in,
			   const struct user_regs_struct *r)
{
	switch (in->id) {
	case X86_INS_PUSH: case X86_INS_CALL: case X86_INS_PUSHFQ:
	case X86_INS_ENTER:
		truth_add(tr, r->rsp - 8, true);
		break;
	case X86_INS_POP: case X86_INS_RET: case X86_INS_POPFQ:
		truth_add(tr, r->rsp, false);
		break;
	case X86_INS_LEAVE:
		truth_add(tr, r->rbp, false);
		break;
	default:
		break;
	}
}

static bool rep_without_count(const cs_insn *in,
			      const struct user_regs_struct *r)
{
	u8 op = in->detail->x86.opcode[0];
	bool string = (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf);

	return string && in->detail->x86.opcode[1] == 0 &&
	       in->detail->x86.prefix[0] && !r->rcx;
}

static void find_truth(struct truth *tr, const struct user_regs_struct *r)
{
	const u8 *code = tr->code;
	size_t len;
	u64 addr = r->rip;
	int k;

	memset(tr, 0, sizeof(*tr));
	tr->ip = r->rip;
	tr->len = peek(NULL, r->rip, tr->code, 15);
	len = tr->len;
	if (!cs_disasm_iter(t.cs, &code, &len, &addr, t.insn)) {
		tr->unsure = true;
		return;
	}
	if (touches_nothing(t.insn->id) || rep_without_count(t.insn, r))
		return;
	for (k = 0; k < t.insn->detail->x86.op_count; k++) {
		const cs_x86_op *o = &t.insn->detail->x86.operands[k];
		u64 a;

		if (o->type != X86_OP_MEM)
			continue;
		a = reg_value(r, o->mem.base, &tr->unsure) +
		    reg_value(r, o->mem.index, &tr->unsure) * o->mem.scale +
		    o->mem.disp;
		if (o->mem.base == X86_REG_RIP)
			a += t.insn->size;
		if (t.insn->id == X86_INS_POP && o->mem.base == X86_REG_RSP)
			a += 8;
		if (o->mem.segment == X86_REG_FS)
			a += r->fs_base;
		else if (o->mem.segment == X86_REG_GS)
			a += r->gs_base;
		truth_add(tr, a, o->access & CS_AC_WRITE);
	}
	implicit_stack(tr, t.insn, r);
	/* capstone 4 does not apply a register bit offset */
	if (tr->nr &&
	    (t.insn->id == X86_INS_BT || t.insn->id == X86_INS_BTS ||
	     t.insn->id == X86_INS_BTR || t.insn->id == X86_INS_BTC) &&
	    t.insn->detail->x86.operands[1].type == X86_OP_REG)
		tr->unsure = true;
}

static void foresee(struct forecast *f, const struct user_regs_struct *r)
{
	struct nm_regs regs = {
		.gpr = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp,
			 r->rsi, r->rdi, r->r8, r->r9, r->r10, r->r11, r->r12,
			 r->r13, r->r14, r->r15 },
		.ip = r->rip,
		.flags = r->eflags,
		.fs_base = r->fs_base,
		.gs_base = r->gs_base,
		.have_fs = true,
		.have_gs = true,
	};

	f->why = nm_operand_next(&regs, peek, NULL, &f->op);
}

static bool same_set(const struct nm_operand *op, const struct truth *tr)
{
	unsigned int k, j;

	if (op->nr != tr->nr)
		return false;
	for (k = 0; k < op->nr; k++) {
		for (j = 0; j < tr->nr; j++)
			if (op->acc[k].addr == tr->acc[j].addr)
				break;
		if (j == tr->nr)
			return false;
	}
	return true;
}

static void complain(const struct forecast *f, const struct truth *at,
		     const struct truth *end)
{
	unsigned int k;

	if (t.wrong > 20 && !t.verbose)
		return;
	printf("# wrong at %llx, %u steps on at %llx:", (long long)at->ip,
	       f->op.steps, (long long)end->ip);
	for (k = 0; k < 15; k++)
		printf(" %02x", end->code[k]);
	printf("\n#   said");
	for (k = 0; k < f->op.nr; k++)
		printf(" %llx", (long long)f->op.acc[k].addr);
	printf(", was");
	for (k = 0; k < end->nr; k++)
		printf(" %llx", (long long)end->acc[k].addr);
	printf("\n");
}

/* Judge the forecast made @f->op.steps - 1 steps before the newest. */
static void judge(const struct forecast *f, struct truth *ring,
		  unsigned long step)
{
	const struct truth *end = &ring[(step + f->op.steps - 1) % WINDOW];
	unsigned int k;

	t.judged++;
	if (f->why != NM_OK) {
		t.refused[f->why]++;
		return;
	}
	for (k = 0; k < f->op.steps; k++) {
		const struct truth *tr = &ring[(step + k) % WINDOW];

		if (tr->unsure) {
			t.unsure++;
			return;
		}
		if (k + 1 < f->op.steps && tr->nr) {
			t.wrong++;
			complain(f, &ring[step % WINDOW], tr);
			return;
		}
	}
	t.resolved++;
	if (!same_set(&f->op, end)) {
		t.wrong++;
		complain(f, &ring[step % WINDOW], end);
	}
}

static bool single_step(void)
{
	int status;

	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, t.pid, 0, 0))
			return false;
		if (waitpid(t.pid, &status, 0) < 0 || !WIFSTOPPED(status))
			return false;
		if (WSTOPSIG(status) == SIGTRAP)
			return true;
		/* a signal for the program: out of scope, let it end */
		if (WSTOPSIG(status) != SIGCHLD)
			return false;
	}
}

static void trace(unsigned long skip, unsigned long steps)
{
	static struct forecast cast[WINDOW];
	static struct truth ring[WINDOW];
	struct user_regs_struct r;
	unsigned long i;

	for (i = 0; i < skip; i++)
		if (!single_step())
			return;
	for (i = 0; i < steps + WINDOW; i++) {
		if (ptrace(PTRACE_GETREGS, t.pid, 0, &r))
			return;
		if (i >= WINDOW - 1)
			judge(&cast[(i + 1) % WINDOW], ring, i + 1 - WINDOW);
		find_truth(&ring[i % WINDOW], &r);
		foresee(&cast[i % WINDOW], &r);
		if (!single_step())
			return;
	}
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "steps", required_argument, NULL, 'n' },
		{ "skip", required_argument, NULL, 's' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 }
	};
	unsigned long steps = 200000, skip = 0;
	int c, status;

	while ((c = getopt_long(argc, argv, "+n:s:v", opts, NULL)) != -1) {
		if (c == 'n')
			steps = strtoul(optarg, NULL, 0);
		else if (c == 's')
			skip = strtoul(optarg, NULL, 0);
		else if (c == 'v')
			t.verbose = true;
		else
			return 2;
	}
	if (optind == argc)
		return 2;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &t.cs))
		die("capstone");
	cs_option(t.cs, CS_OPT_DETAIL, CS_OPT_ON);
	t.insn = cs_malloc(t.cs);
	t.pid = fork();
	if (t.pid < 0)
		die("fork");
	if (!t.pid) {
		personality(ADDR_NO_RANDOMIZE);
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execvp(argv[optind], argv + optind);
		_exit(127);
	}
	if (waitpid(t.pid, &status, 0) < 0 || !WIFSTOPPED(status))
		die(argv[optind]);
	trace(skip, steps);
	kill(t.pid, SIGKILL);
	printf("# %s: %lu judged, %lu resolved (%.2f %%), %lu wrong, %lu not judged\n",
	       argv[optind], t.judged, t.resolved,
	       t.judged ? 100.0 * t.resolved / t.judged : 0, t.wrong,
	       t.unsure);
	printf("#   refused: code %lu insn %lu addr %lu branch %lu fault %lu steps %lu\n",
	       t.refused[NM_REFUSE_CODE], t.refused[NM_REFUSE_INSN],
	       t.refused[NM_REFUSE_ADDR], t.refused[NM_REFUSE_BRANCH],
	       t.refused[NM_REFUSE_FAULT], t.refused[NM_REFUSE_STEPS]);
	if (!t.judged) {
		printf("# nothing was judged\n");
		return 1;
	}
	return t.wrong ? 1 : 0;
}
