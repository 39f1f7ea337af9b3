// SPDX-License-Identifier: GPL-2.0-only
/*
 * evaluator.c - does the forward evaluator find the right buffer?
 *
 * Runs loops whose buffers are known, samples their registers with perf's
 * cpu-clock on this machine, and gives each sample to the evaluator, the same
 * code as in the module.  An address in the buffers that the loop uses is
 * right; one on its stack or in its own image (a constant, a jump table) is one
 * that it really makes, and right, too; any other is a false one, and buffers
 * that the loop does not use lie beside to be hit.  (Whether each single
 * address is exact is what selftests/numamig/operand_trace.c is about.)  What
 * a sample costs is measured in the virtual machine (evaluator-cost).
 */
#define _GNU_SOURCE
#include <linux/perf_event.h>
#include <asm/perf_regs.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../numashare/numashare.h"
#include "bench.h"
#include "loopset.h"
#include "operand.h"

#define RING_PAGES	256
#define PERIOD_NS	50000
/* A region that the caches hold: every access takes the same time. */
#define CACHED		(1ul << 20)

/* General registers in perf's order, with IP and FLAGS. */
#define REG(r)		(1ull << PERF_REG_X86_##r)
#define REGS_MASK	(REG(AX) | REG(BX) | REG(CX) | REG(DX) | REG(SI) | \
			 REG(DI) | REG(BP) | REG(SP) | REG(IP) | REG(FLAGS) | \
			 0xff * REG(R8))
#define NR_REGS		18

/* One sample as perf writes it with PERF_SAMPLE_REGS_USER. */
struct sample {
	struct perf_event_header header;
	uint64_t abi;
	uint64_t reg[NR_REGS];
};

/* In the order of their bits in REGS_MASK. */
enum { R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_SP, R_IP, R_FLAGS, R_8 };

/**
 * struct score - what became of the samples of a loop
 * @samples: all
 * @resolved: with an address
 * @right: of these, in a buffer that the loop uses, its stack or its image
 * @wrong: anywhere else
 * @in_hot: in the first eighth of the loop's region
 * @in_region: in that region
 * @refused: by reason
 * @steps: instructions walked, over all resolved
 */
struct score {
	unsigned long samples, resolved, right, wrong, in_hot, in_region;
	unsigned long refused[NM_REFUSALS];
	unsigned long steps;
};

static struct {
	struct loop_run run;
	uint64_t fs_base;
	uint64_t own[16][2];		/* stack and image */
	unsigned int nr_own;
	int fd;
	uint8_t *ring;
} t;

static unsigned int read_code(void *ctx, u64 ip, u8 *buf, unsigned int len)
{
	struct iovec local = { buf, len }, remote = { (void *)ip, len };
	ssize_t n;

	(void)ctx;
	/* a window never crosses into an unreadable page */
	n = process_vm_readv(t.run.pid, &local, 1, &remote, 1, 0);
	if (n < 0 && 4096 - (ip & 4095) < len) {
		local.iov_len = 4096 - (ip & 4095);
		remote.iov_len = local.iov_len;
		n = process_vm_readv(t.run.pid, &local, 1, &remote, 1, 0);
	}
	return n < 0 ? 0 : n;
}

static bool open_event(void)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD_NS,
		.sample_type = PERF_SAMPLE_REGS_USER,
		.sample_regs_user = REGS_MASK,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.disabled = 1,
	};

	t.fd = syscall(SYS_perf_event_open, &attr, t.run.pid, -1, -1,
		       PERF_FLAG_FD_CLOEXEC);
	if (t.fd < 0)
		return false;
	t.ring = mmap(NULL, (1 + RING_PAGES) * 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED, t.fd, 0);
	return t.ring != MAP_FAILED;
}

static void close_event(void)
{
	munmap(t.ring, (1 + RING_PAGES) * 4096);
	close(t.fd);
}

static bool in_buffer(unsigned int n, uint64_t addr)
{
	return addr >= t.run.addr[n] && addr < t.run.addr[n] + t.run.bytes;
}

static bool belongs(const struct loop_info *l, uint64_t addr)
{
	unsigned int n;

	for (n = 0; n < LOOPSET_BUFFERS; n++)
		if ((l->uses >> n & 1) && in_buffer(n, addr))
			return true;
	for (n = 0; n < t.nr_own; n++)
		if (addr >= t.own[n][0] && addr < t.own[n][1])
			return true;
	return false;
}

static void judge(const struct loop_info *l, const struct sample *s,
		  struct score *sc)
{
	const uint64_t *r = s->reg;
	struct nm_regs regs = {
		.gpr = { r[R_AX], r[R_CX], r[R_DX], r[R_BX], r[R_SP], r[R_BP],
			 r[R_SI], r[R_DI], r[R_8], r[R_8 + 1], r[R_8 + 2],
			 r[R_8 + 3], r[R_8 + 4], r[R_8 + 5], r[R_8 + 6],
			 r[R_8 + 7] },
		.ip = r[R_IP],
		.flags = r[R_FLAGS],
		.fs_base = t.fs_base,
		.have_fs = true,
	};
	struct nm_operand op;
	enum nm_refusal why;
	uint64_t addr;

	sc->samples++;
	why = nm_operand_next(&regs, read_code, NULL, &op);
	if (why != NM_OK) {
		sc->refused[why]++;
		return;
	}
	sc->resolved++;
	sc->steps += op.steps;
	/* of two, either in turn, as the module does */
	addr = op.acc[op.nr == 2 ? sc->samples & 1 : 0].addr;
	if (!belongs(l, addr)) {
		sc->wrong++;
		return;
	}
	sc->right++;
	if (addr >= t.run.addr[0] && addr < t.run.addr[0] + l->region) {
		sc->in_region++;
		sc->in_hot += addr < t.run.addr[0] + l->region / 8;
	}
}

/* Hand what is in the ring to the evaluator. */
static void drain(const struct loop_info *l, struct score *sc)
{
	struct perf_event_mmap_page *page = (void *)t.ring;
	uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = page->data_tail, size = RING_PAGES * 4096ull;
	uint8_t *data = t.ring + 4096;
	struct sample s;
	size_t len, first;

	while (tail < head) {
		struct perf_event_header *h = (void *)(data + tail % size);

		len = h->size;
		first = size - tail % size;
		if (h->type == PERF_RECORD_SAMPLE && len == sizeof(s)) {
			memcpy(&s, h, first < len ? first : len);
			if (first < len)
				memcpy((uint8_t *)&s + first, data,
				       len - first);
			if (s.abi == PERF_SAMPLE_REGS_ABI_64)
				judge(l, &s, sc);
		}
		tail += len;
	}
	__atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
}

/* The stack, and the program's own image: code, constants, data. */
static void find_own(const char *program)
{
	char path[64], line[512];
	unsigned long lo, hi;
	FILE *f;

	t.nr_own = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", t.run.pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && t.nr_own < 16) {
		if (!strstr(line, "[stack]") && !strstr(line, program))
			continue;
		if (sscanf(line, "%lx-%lx", &lo, &hi) != 2)
			continue;
		t.own[t.nr_own][0] = lo;
		t.own[t.nr_own++][1] = hi;
	}
	if (f)
		fclose(f);
}

/* The FS base, which perf does not give: one thread, so it never changes. */
static void find_fs_base(void)
{
	struct user_regs_struct regs;

	t.fs_base = 0;
	if (ptrace(PTRACE_ATTACH, t.run.pid, 0, 0))
		return;
	waitpid(t.run.pid, NULL, 0);
	if (!ptrace(PTRACE_GETREGS, t.run.pid, 0, &regs))
		t.fs_base = regs.fs_base;
	ptrace(PTRACE_DETACH, t.run.pid, 0, 0);
}

static bool sample_loop(const char *program, const struct loop_info *l,
			double seconds, struct score *sc)
{
	struct pollfd p;
	int done = 0;

	memset(sc, 0, sizeof(*sc));
	if (!loopset_start(&t.run, program, l->name, seconds, 0)) {
		complain("%s %s: cannot be started", program, l->name);
		return false;
	}
	find_fs_base();
	find_own(program);
	if (!open_event()) {
		complain("perf_event_open: %s\n  sampling needs root, or "
			 "kernel.perf_event_paranoid at 2 or below",
			 strerror(errno));
		loopset_end(&t.run);
		return false;
	}
	p = (struct pollfd) { .fd = fileno(t.run.in), .events = POLLIN };
	ioctl(t.fd, PERF_EVENT_IOC_ENABLE, 0);
	loopset_go(&t.run);
	while (!done) {
		done = poll(&p, 1, 20);
		drain(l, sc);
	}
	ioctl(t.fd, PERF_EVENT_IOC_DISABLE, 0);
	loopset_wait(&t.run);
	drain(l, sc);
	close_event();
	loopset_end(&t.run);
	return true;
}

/* Sums over the loops of one set, and over the programs one by one. */
struct sums {
	double resolved, right, wrong, hot_error, stall_bias;
	unsigned int loops, hots, stalls;
	unsigned long samples, steps, walked;
};

static void add_score(struct sums *s, const struct loop_info *l,
		      const struct score *sc)
{
	double err;

	/* a loop that was hardly sampled (it waited) says nothing */
	if (sc->samples < 50)
		return;
	s->loops++;
	s->samples += sc->samples;
	s->resolved += (double)sc->resolved / sc->samples;
	if (sc->resolved) {
		s->right += (double)sc->right / sc->resolved;
		s->wrong += (double)sc->wrong / sc->resolved;
		s->steps += sc->steps;
		s->walked += sc->resolved;
	}
	if (l->hot <= 0 || !sc->in_region)
		return;
	err = (double)sc->in_hot / sc->in_region - l->hot;
	if (err < 0)
		err = -err;
	if (l->region <= CACHED) {
		s->hot_error += err;
		s->hots++;
	} else {
		s->stall_bias += err;
		s->stalls++;
	}
}

static void note_score(const char *program, const struct loop_info *l,
		       const struct score *sc)
{
	const char *base = strrchr(program, '/');
	double n = sc->samples ? sc->samples : 1;

	fprintf(stderr, "%-20s %-12s %6lu samples, resolved %5.1f %%, right "
		"%5.1f %%, wrong %4.2f %%", base ? base + 1 : program,
		l->name, sc->samples, 100 * sc->resolved / n,
		sc->resolved ? 100.0 * sc->right / sc->resolved : 0,
		sc->resolved ? 100.0 * sc->wrong / sc->resolved : 0);
	if (sc->refused[NM_REFUSE_INSN] || sc->refused[NM_REFUSE_BRANCH] ||
	    sc->refused[NM_REFUSE_STEPS] || sc->refused[NM_REFUSE_ADDR])
		fprintf(stderr, " (insn %.1f, addr %.1f, branch %.1f, steps "
			"%.1f %%)", 100 * sc->refused[NM_REFUSE_INSN] / n,
			100 * sc->refused[NM_REFUSE_ADDR] / n,
			100 * sc->refused[NM_REFUSE_BRANCH] / n,
			100 * sc->refused[NM_REFUSE_STEPS] / n);
	if (l->hot > 0 && sc->in_region)
		fprintf(stderr, ", hot %.1f of %.1f %%",
			100.0 * sc->in_hot / sc->in_region, 100 * l->hot);
	fputc('\n', stderr);
}

static bool run_program(const char *program, double seconds,
			struct sums *dev, struct sums *heldout)
{
	struct loop_info info[LOOPSET_MAX];
	unsigned int i, n = loopset_list(program, info, LOOPSET_MAX);
	struct score sc;

	for (i = 0; i < n; i++) {
		if (!sample_loop(program, &info[i], seconds, &sc))
			return false;
		note_score(program, &info[i], &sc);
		add_score(info[i].dev ? dev : heldout, &info[i], &sc);
	}
	return n;
}

#define MAX_PROGRAMS	8

static void add_rows(struct nm_result *r, const char *prefix,
		     const struct sums *s, unsigned int n)
{
	static const char *const what[] = {
		"resolved", "right", "wrong", "hot_error", "steps",
		"stall_bias",
	};
	static const char *const better[] = {
		"higher", "higher", "lower", "lower", "lower",
		"lower",
	};
	double v[MAX_PROGRAMS];
	char name[64];
	unsigned int k, i;

	for (k = 0; k < 6; k++) {
		for (i = 0; i < n; i++) {
			const double sum[] = {
				s[i].resolved / s[i].loops,
				s[i].right / s[i].loops,
				s[i].wrong / s[i].loops,
				s[i].hots ? s[i].hot_error / s[i].hots : 0,
				s[i].walked ? (double)s[i].steps /
					      s[i].walked : 0,
				s[i].stalls ? s[i].stall_bias / s[i].stalls :
					      0,
			};

			v[i] = sum[k];
		}
		snprintf(name, sizeof(name), "%s%s", prefix, what[k]);
		nm_result_add(r, &(struct nm_row) { name,
			k == 4 ? "instructions" : "share", NULL, better[k],
			"native" }, v, n);
	}
}

static int run_native(struct nm_result *r, bool quick)
{
	struct sums dev[MAX_PROGRAMS] = { 0 }, heldout[MAX_PROGRAMS] = { 0 };
	char paths[MAX_PROGRAMS][512];
	unsigned int i, n = loopset_programs(paths, MAX_PROGRAMS);

	if (!n) {
		complain("the loops are not built: run make in the source "
			 "folder");
		return FAILED;
	}
	for (i = 0; i < n; i++)
		if (!run_program(paths[i], quick ? 0.15 : 0.6, &dev[i],
				 &heldout[i]))
			return FAILED;
	nm_result_placement(r, "native, perf cpu-clock; one repetition a "
			    "compiler and option set");
	add_rows(r, "", heldout, n);
	add_rows(r, "dev_", dev, n);
	return OK;
}

static int run(struct nm_result *r, bool quick)
{
	static const struct nm_row cost = {
		"instructions", "instr/sample", NULL, "lower", "clock",
	};
	int ret = run_native(r, quick);

	if (!ret && !nm_result_merge(r, "evaluator-cost", quick))
		nm_result_null(r, &cost, "the virtual machine could not be "
			       "run: tools/vm/run -- true says why");
	return ret;
}

const struct nm_bench nm_bench_evaluator = {
	.name = "evaluator",
	.summary = "samples resolved, right and wrong, and what one costs",
	.run = run,
};

const struct nm_bench nm_bench_evaluator_native = {
	.name = "evaluator-native",
	.summary = "evaluator without its cost",
	.hidden = true,
	.run = run_native,
};
