// SPDX-License-Identifier: GPL-2.0-only
/*
 * sampler.c - what sampling costs, in instructions
 *
 * Under --icount one CPU does everything and a nanosecond is an instruction,
 * so the difference between a fixed piece of work with and without sampling is
 * all that sampling cost: the interrupt, the handler with the evaluator, and
 * the worker that drains and counts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../numashare/numashare.h"
#include "bench.h"
#include "loopset.h"

#define WORK_NS		150000000.0	/* of each piece of work */
#define TAKEN		NUMAMIG_SYSFS "/samples/taken"

static const char *const vm_args[] = {
	"--icount", "--nodes", "2", "--mem", "1G", "--timeout", "1500", NULL
};

/* A piece of work and what it took. */
struct piece {
	double ns;
	uint64_t samples;
};

static struct piece run_loop(struct numamig *dev, const char *program,
			     const char *loop, unsigned long rounds)
{
	struct piece p = { 0 };
	struct loop_run r;
	uint64_t t;
	int ret;

	if (!loopset_start(&r, program, loop, 0, rounds)) {
		complain("%s %s: cannot be started", program, loop);
		exit(FAILED);
	}
	if (dev) {
		ret = numamig_add(dev, r.pid, NUMAMIG_TARGET_DRY_RUN);
		if (ret)
			exit(explain_target(ret, r.pid));
	}
	p.samples = nm_read_number(TAKEN);
	t = nm_now();
	loopset_go(&r);
	loopset_wait(&r);
	p.ns = nm_now() - t;
	p.samples = nm_read_number(TAKEN) - p.samples;
	if (dev)
		numamig_del(dev, r.pid);
	loopset_end(&r);
	return p;
}

/* So many rounds that the work takes about WORK_NS. */
static unsigned long calibrate(const char *program, const char *loop)
{
	double one = run_loop(NULL, program, loop, 1).ns;

	return one > WORK_NS ? 1 : WORK_NS / one;
}

/* Two processes that wake each other: all context switches. */
static struct piece ping_pong(struct numamig *dev, int rounds)
{
	struct piece p = { 0 };
	int a[2], b[2], go[2], i, ret;
	uint64_t t;
	pid_t pid;
	char c;

	if (pipe(a) || pipe(b) || pipe(go))
		exit(FAILED);
	pid = fork();
	if (!pid) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		if (!fork()) {
			for (i = 0; i < rounds; i++)
				if (read(a[0], &c, 1) != 1 ||
				    write(b[1], &c, 1) != 1)
					_exit(1);
			_exit(0);
		}
		for (i = 0; i < rounds; i++)
			if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1)
				_exit(1);
		wait(NULL);
		_exit(0);
	}
	if (dev) {
		ret = numamig_add(dev, pid, NUMAMIG_TARGET_DRY_RUN |
				  NUMAMIG_TARGET_CHILDREN);
		if (ret)
			exit(explain_target(ret, pid));
	}
	p.samples = nm_read_number(TAKEN);
	t = nm_now();
	ret = write(go[1], "g", 1);
	waitpid(pid, NULL, 0);
	p.ns = nm_now() - t;
	p.samples = nm_read_number(TAKEN) - p.samples;
	for (i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
		close(go[i]);
	}
	return p;
}

static struct numamig *open_device(void)
{
	struct numamig *dev;
	int ret = numamig_open(&dev);

	if (ret)
		exit(explain_open(ret));
	nm_write_file("/proc/sys/kernel/numa_balancing", "0");
	return dev;
}

/* --- overhead at the default rate --- */

static int run_sampler(struct nm_result *r, bool quick)
{
	static const char *const loops[] = {
		"walk", "random", "chase", "hash", "interpreter", "lz",
		"recursion", "sparse",
	};
	unsigned int n = quick ? 3 : sizeof(loops) / sizeof(loops[0]), i;
	double overhead[16], switching;
	struct numamig *dev = open_device();
	struct piece off, on;
	char paths[8][512];
	unsigned long rounds;
	char name[64];

	if (!loopset_programs(paths, 8)) {
		complain("the loops are not built");
		return FAILED;
	}
	for (i = 0; i < n; i++) {
		rounds = calibrate(paths[0], loops[i]);
		off = run_loop(NULL, paths[0], loops[i], rounds);
		on = run_loop(dev, paths[0], loops[i], rounds);
		overhead[i] = on.ns / off.ns - 1;
		snprintf(name, sizeof(name), "overhead_%s", loops[i]);
		nm_result_add(r, &(struct nm_row) { name, "share",
			"the same work unsampled", "lower", "clock" },
			&overhead[i], 1);
	}
	nm_result_placement(r, "one CPU, default rate and governor");
	nm_result_add(r, &(struct nm_row) { "overhead", "share",
		"the same work unsampled, median of the loops", "lower",
		"clock" }, overhead, n);
	off = ping_pong(NULL, 3000);
	on = ping_pong(dev, 3000);
	switching = on.ns / off.ns - 1;
	nm_result_add(r, &(struct nm_row) { "overhead_context_switches",
		"share", "the same work unsampled", "lower", "clock" },
		&switching, 1);
	numamig_close(dev);
	return OK;
}

const struct nm_bench nm_bench_sampler = {
	.name = "sampler",
	.summary = "instructions that sampling adds at the default rate",
	.vm_args = vm_args,
	.run = run_sampler,
};

/* --- cost of a sample --- */

static int run_cost(struct nm_result *r, bool quick)
{
	struct loop_info info[LOOPSET_MAX];
	double all[LOOPSET_MAX], sum = 0;
	struct numamig *dev = open_device();
	unsigned int i, n, k = 0;
	struct piece off, on;
	char paths[8][512];
	unsigned long rounds;

	if (!loopset_programs(paths, 8)) {
		complain("the loops are not built");
		return FAILED;
	}
	/* a fixed rate, high enough for many samples in little work */
	nm_write_file(NUMAMIG_SYSFS "/policy/sampler_permille", "500");
	nm_write_file(NUMAMIG_SYSFS "/policy/period_ns", "100000");
	n = loopset_list(paths[0], info, LOOPSET_MAX);
	for (i = 0; i < n; i++) {
		if (info[i].dev || (quick && k >= 4))
			continue;
		rounds = calibrate(paths[0], info[i].name);
		off = run_loop(NULL, paths[0], info[i].name, rounds);
		on = run_loop(dev, paths[0], info[i].name, rounds);
		if (on.samples < 100)
			continue;
		all[k] = (on.ns - off.ns) / on.samples;
		fprintf(stderr, "%-20s %6llu samples, %6.0f instructions each\n",
			info[i].name, (unsigned long long)on.samples, all[k]);
		sum += all[k++];
	}
	nm_write_file(NUMAMIG_SYSFS "/policy/sampler_permille", "30");
	nm_write_file(NUMAMIG_SYSFS "/policy/period_ns", "250000");
	numamig_close(dev);
	sum /= k ? k : 1;
	nm_result_placement(r, "one CPU, a sample every 100,000 instructions");
	nm_result_add(r, &(struct nm_row) { "instructions", "instr/sample",
		NULL, "lower", "clock" }, &sum, 1);
	nm_result_add(r, &(struct nm_row) { "instructions_by_loop",
		"instr/sample", NULL, "lower", "clock" }, all, k);
	return OK;
}

const struct nm_bench nm_bench_evaluator_cost = {
	.name = "evaluator-cost",
	.summary = "instructions a sample, from interrupt to table",
	.vm_args = vm_args,
	.hidden = true,
	.run = run_cost,
};
