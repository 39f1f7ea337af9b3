// SPDX-License-Identifier: GPL-2.0-only
/*
 * sampler_clock.c - a clock of the thread's CPU time, and the evaluator
 *
 * Needs no performance counter, so it works in every virtual machine.  What
 * it samples are accesses in proportion to the time the code spends near
 * them; it cannot tell a cache hit from a miss, so a page that lives in the
 * first-level cache looks hot.
 *
 * The only file of the module with x86 in it besides operand_x86.c.
 */
#include <linux/mm.h>
#include <linux/perf_event.h>
#include <linux/uaccess.h>

#include "internal.h"

#ifdef CONFIG_X86_64

#include <asm/cpufeature.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/ptrace.h>

static int clock_available(void)
{
	return 0;
}

/* Code bytes; a window that would leave the page ends with it. */
static unsigned int fetch_code(void *ctx, u64 ip, u8 *buf, unsigned int len)
{
	unsigned int room = PAGE_SIZE - offset_in_page(ip);

	if (ip >= TASK_SIZE_MAX)
		return 0;
	if (!copy_from_user_nofault(buf, (void __user *)ip, len))
		return len;
	if (room < len && !copy_from_user_nofault(buf, (void __user *)ip, room))
		return room;
	return 0;
}

/*
 * The live FS base; thread.fsbase is only written back at a context switch,
 * and with FSGSBASE user code writes the register itself.
 */
static u64 live_fs_base(void)
{
	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		return rdfsbase();
	return __rdmsr(MSR_FS_BASE);
}

static void user_registers(struct nm_regs *r, const struct pt_regs *regs)
{
	r->gpr[0] = regs->ax;
	r->gpr[1] = regs->cx;
	r->gpr[2] = regs->dx;
	r->gpr[3] = regs->bx;
	r->gpr[4] = regs->sp;
	r->gpr[5] = regs->bp;
	r->gpr[6] = regs->si;
	r->gpr[7] = regs->di;
	r->gpr[8] = regs->r8;
	r->gpr[9] = regs->r9;
	r->gpr[10] = regs->r10;
	r->gpr[11] = regs->r11;
	r->gpr[12] = regs->r12;
	r->gpr[13] = regs->r13;
	r->gpr[14] = regs->r14;
	r->gpr[15] = regs->r15;
	r->ip = regs->ip;
	r->flags = regs->flags;
	r->fs_base = live_fs_base();
	r->have_fs = true;
	/* in the kernel GS is its own; user code hardly uses it */
	r->gs_base = 0;
	r->have_gs = false;
}

static enum nm_refusal clock_resolve(struct perf_sample_data *data,
				     struct pt_regs *regs, struct nm_raw *raw)
{
	struct nm_operand op;
	struct nm_regs r;
	enum nm_refusal why;
	unsigned int pick;

	if (!user_mode(regs) || !user_64bit_mode(regs))
		return NM_REFUSE_CODE;
	user_registers(&r, regs);
	why = nm_operand_next(&r, fetch_code, NULL, &op);
	if (why != NM_OK)
		return why;
	/* of two accesses (movs, push through memory) take either in turn */
	pick = (raw->cpu ^ (u32)regs->cx ^ (u32)regs->sp >> 3) & 1;
	if (op.nr < 2)
		pick = 0;
	raw->addr = op.acc[pick].addr;
	if (op.acc[pick].write)
		raw->flags |= NM_RAW_WRITE;
	return NM_OK;
}

#else

static int clock_available(void)
{
	return -EOPNOTSUPP;
}

static enum nm_refusal clock_resolve(struct perf_sample_data *data,
				     struct pt_regs *regs, struct nm_raw *raw)
{
	return NM_REFUSE_INSN;
}

#endif

static void clock_attr(struct perf_event_attr *attr)
{
	attr->type = PERF_TYPE_SOFTWARE;
	attr->config = PERF_COUNT_SW_CPU_CLOCK;
	attr->sample_period = READ_ONCE(nm_period_ns);
}

const struct nm_sampler nm_sampler_clock = {
	.name = "clock",
	.id = NUMAMIG_SAMPLER_CLOCK,
	.event = true,
	.clocked = true,
	.available = clock_available,
	.attr = clock_attr,
	.resolve = clock_resolve,
};
