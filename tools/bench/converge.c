// SPDX-License-Identifier: GPL-2.0-only
/*
 * converge.c - how long until a hot set is local, and what that costs
 *
 * A process on node 0's only CPU reads random words of 256 MiB that lie on
 * node 1.  Under --icount one virtual nanosecond is one instruction, so both
 * the time until 95 % of the hot set is local and the work that was not done
 * meanwhile are exact.  Arms: the kernel's numa_balancing as it comes, the same
 * with a short scan delay and period, numamig alone, and both.
 *
 * Two machines: with init_on_alloc=0, for with it QEMU counts 4096 instructions
 * more for each page that any arm moves; and as the distro boots.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <numaif.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../numashare/numashare.h"
#include "bench.h"

#define PAGE		4096ul
#define HOT_BYTES	(256ul << 20)
#define LOOK_EVERY	16		/* of so many pages one is looked at */
#define LOOKED		(HOT_BYTES / PAGE / LOOK_EVERY)
#define GIVE_UP_NS	60000000000ull
#define MAX_REPS	5
#define BALANCING	"/proc/sys/kernel/numa_balancing"
#define KNOBS		"/sys/kernel/debug/sched/numa_balancing/"

static const char *const counted_args[] = {
	"--icount", "--nodes", "2", "--mem", "1536M", "--timeout", "3000",
	"--append", "init_on_alloc=0", NULL
};

static const char *const default_args[] = {
	"--icount", "--nodes", "2", "--mem", "1536M", "--timeout", "3000", NULL
};

enum arm { NOTHING, DEFAULT, TUNED, NUMAMIG, BOTH, ARMS };

static const char *const arm_names[] = {
	"nothing", "numa_balancing", "numa_balancing_tuned", "numamig", "both",
};

struct outcome {
	double seconds;		/* until 95 % was local; < 0: never */
	double spent;		/* instructions that were not the work's */
};

/* What the worker and its watcher share. */
struct shared {
	volatile uint64_t rounds;	/* of 1024 reads */
	volatile int go;
};

static struct shared *shared;

static void work(const uint64_t *buf)
{
	uint64_t r = 88172645463325252ull, sum = 0;
	unsigned int i;

	while (!shared->go)
		usleep(1000);
	for (;;) {
		for (i = 0; i < 1024; i++) {
			r ^= r << 13;
			r ^= r >> 7;
			r ^= r << 17;
			sum += buf[r % (HOT_BYTES / 8)];
		}
		asm volatile("" : : "r" (sum));
		shared->rounds++;
	}
}

/* The share of the hot set on node 0. */
static double local_share(pid_t pid, char *buf)
{
	static void *pages[LOOKED];
	static int status[LOOKED];
	size_t i, found = 0;

	for (i = 0; i < LOOKED; i++)
		pages[i] = buf + i * LOOK_EVERY * PAGE;
	if (move_pages(pid, LOOKED, pages, NULL, status, 0))
		return 0;
	for (i = 0; i < LOOKED; i++)
		found += status[i] == 0;
	return (double)found / LOOKED;
}

static void set_knobs(enum arm arm)
{
	bool tuned = arm == TUNED;
	bool on = arm == DEFAULT || arm == TUNED || arm == BOTH;

	nm_write_file(KNOBS "scan_delay_ms", tuned ? "0" : "1000");
	nm_write_file(KNOBS "scan_period_min_ms", tuned ? "100" : "1000");
	nm_write_file(BALANCING, on ? "1" : "0");
}

/* Watch until 95 % is local, or for two virtual seconds with NOTHING. */
static struct outcome watch(pid_t pid, char *buf, enum arm arm, double round)
{
	uint64_t start = nm_now(), first = shared->rounds, now, limit;
	struct outcome o = { .seconds = -1 };

	limit = arm == NOTHING ? 2000000000ull : GIVE_UP_NS;
	for (;;) {
		usleep(20000);
		now = nm_now() - start;
		if (arm != NOTHING && local_share(pid, buf) >= 0.95) {
			o.seconds = now / 1e9;
			break;
		}
		if (now > limit)
			break;
		if (arm == NOTHING)
			local_share(pid, buf);
	}
	now = nm_now() - start;
	/* without a price of a round yet, that is what is measured */
	o.spent = round ? now - (shared->rounds - first) * round :
			  (double)now / (shared->rounds - first);
	return o;
}

static struct outcome run_arm(struct numamig *dev, enum arm arm, double round)
{
	struct outcome o;
	pid_t pid;
	char *buf;
	int ret;

	set_knobs(arm);
	/* filled by the child: numa_balancing looks at a process's own life */
	shared->go = 0;
	shared->rounds = 0;
	pid = fork();
	if (!pid) {
		char *mine;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		mine = nm_memory(HOT_BYTES, 1, false);
		shared->rounds = (uintptr_t)mine;
		work((uint64_t *)mine);
	}
	while (!shared->rounds)
		usleep(10000);
	buf = (char *)(uintptr_t)shared->rounds;
	shared->rounds = 0;
	if (arm == NUMAMIG || arm == BOTH) {
		ret = numamig_add(dev, pid, 0);
		if (ret)
			exit(explain_target(ret, pid));
	}
	shared->go = 1;
	o = watch(pid, buf, arm, round);
	if (arm == NUMAMIG || arm == BOTH)
		numamig_del(dev, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	set_knobs(NOTHING);
	return o;
}

static void add_arm(struct nm_result *r, enum arm arm, const char *suffix,
		    struct outcome *o, unsigned int reps)
{
	const char *backend = arm == NUMAMIG || arm == BOTH ? "clock" : NULL;
	double seconds[MAX_REPS], spent[MAX_REPS];
	char name[64], name2[64];
	unsigned int i;

	for (i = 0; i < reps; i++) {
		seconds[i] = o[i].seconds;
		spent[i] = o[i].spent;
	}
	snprintf(name, sizeof(name), "seconds_%s%s", arm_names[arm], suffix);
	snprintf(name2, sizeof(name2), "spent_%s%s", arm_names[arm], suffix);
	for (i = 0; i < reps; i++) {
		if (seconds[i] >= 0)
			continue;
		nm_result_null(r, &(struct nm_row) { name, "virtual s", NULL,
			"lower", backend }, "not 95 % local after 60 s");
		return;
	}
	nm_result_add(r, &(struct nm_row) { name, "virtual s", NULL, "lower",
		backend }, seconds, reps);
	nm_result_add(r, &(struct nm_row) { name2, "instr", NULL, "lower",
		backend }, spent, reps);
}

static void add_ratio(struct nm_result *r, const char *name,
		      const char *suffix, struct outcome *a,
		      struct outcome *b, const char *against,
		      unsigned int reps)
{
	char full[64];
	struct nm_row row = { full, "ratio", against, "lower", "clock" };
	double ratio[MAX_REPS];
	unsigned int i;

	snprintf(full, sizeof(full), "%s%s", name, suffix);
	for (i = 0; i < reps; i++) {
		if (a[i].seconds < 0) {
			nm_result_null(r, &row, "not 95 % local after 60 s");
			return;
		}
		/* what never got there took longer than it was given */
		ratio[i] = a[i].seconds /
			   (b[i].seconds < 0 ? GIVE_UP_NS / 1e9 :
					       b[i].seconds);
	}
	nm_result_add(r, &row, ratio, reps);
}

static int measure(struct nm_result *r, bool quick, const char *suffix)
{
	static struct outcome o[ARMS][MAX_REPS];
	unsigned int reps = quick ? 1 : 3, i, arm;
	struct numamig *dev;
	double round;
	int ret;

	ret = numamig_open(&dev);
	if (ret)
		return explain_open(ret);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	round = run_arm(dev, NOTHING, 0).spent;
	fprintf(stderr, "1024 reads: %.0f instructions\n", round);
	for (i = 0; i < reps; i++) {
		for (arm = DEFAULT; arm < ARMS; arm++) {
			o[arm][i] = run_arm(dev, arm, round);
			fprintf(stderr, "%-22s %6.2f virtual s, %.0f million "
				"instructions\n", arm_names[arm],
				o[arm][i].seconds, o[arm][i].spent / 1e6);
		}
	}
	numamig_close(dev);
	nm_result_placement(r, "CPU on node 0, 256 MiB on node 1 (no CPU)");
	add_ratio(r, "vs_numa_balancing", suffix, o[NUMAMIG], o[DEFAULT],
		  "numa_balancing as it comes", reps);
	add_ratio(r, "vs_numa_balancing_tuned", suffix, o[NUMAMIG], o[TUNED],
		  "numa_balancing, scan delay 0, period 100 ms", reps);
	add_ratio(r, "both_on_vs_alone", suffix, o[BOTH], o[NUMAMIG],
		  "numamig alone", reps);
	for (arm = DEFAULT; arm < ARMS; arm++)
		add_arm(r, arm, suffix, o[arm], reps);
	return OK;
}

static int run_counted(struct nm_result *r, bool quick)
{
	return measure(r, quick, "");
}

static int run_default(struct nm_result *r, bool quick)
{
	return measure(r, quick, "_as_booted");
}

static int run(struct nm_result *r, bool quick)
{
	static const struct nm_row main_row = {
		"vs_numa_balancing", "ratio", "numa_balancing as it comes",
		"lower", "clock",
	};

	if (!nm_result_merge(r, "converge-counted", quick))
		nm_result_null(r, &main_row, "the virtual machine could not "
			       "be run: tools/vm/run -- true says why");
	nm_result_merge(r, "converge-as-booted", quick);
	return OK;
}

const struct nm_bench nm_bench_converge = {
	.name = "converge",
	.summary = "until a hot set is local: numamig against numa_balancing",
	.run = run,
};

const struct nm_bench nm_bench_converge_counted = {
	.name = "converge-counted",
	.summary = "converge, init_on_alloc=0",
	.vm_args = counted_args,
	.hidden = true,
	.run = run_counted,
};

const struct nm_bench nm_bench_converge_default = {
	.name = "converge-as-booted",
	.summary = "converge, as the distro boots",
	.vm_args = default_args,
	.hidden = true,
	.run = run_default,
};
