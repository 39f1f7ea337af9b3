// SPDX-License-Identifier: GPL-2.0-only
/*
 * rates.c - to poll or to sleep: what the receiver's CPU does and how late it
 * is, over a range of message rates
 *
 * The model (experiment E13): who polls for P and then sleeps, which costs C,
 * with P = C, burns at most 2 C a message and is at most C late, however the
 * messages come.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "measure.h"
#include "rig.h"
#include "urpc.h"

#define MODES	3

/* What @poll_ns of the channel means. */
static const struct mode {
	const char *name;
	int64_t poll_ns;
} modes[MODES] = {
	{ "poll", 50000000 },
	{ "sleep", -1 },
	{ "adapt", 0 },
};

static const unsigned int gaps_us[] = { 1, 3, 10, 30, 100, 1000 };

#define GAPS	(sizeof(gaps_us) / sizeof(gaps_us[0]))

static struct {
	struct urpc_channel *c[2];
	uint64_t count;
	uint64_t gap;
	double late;
	double cpu;
} run;

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A message every @run.gap ticks, with the time in it. */
static uint64_t send_slowly(void *arg)
{
	uint64_t word[WORDS] = { 0 }, next = rig_ticks(), n;

	(void)arg;
	for (n = 0; n < run.count; n++) {
		next += run.gap;
		while (rig_ticks() < next)
			pause_once();
		word[0] = rig_ticks();
		if (urpc_send(run.c[0], 0, word))
			abort();
	}
	return 0;
}

static uint64_t receive_them(void *arg)
{
	uint64_t word[WORDS], n, late = 0, cpu = 0, skip = run.count / 4;

	(void)arg;
	for (n = 0; n < run.count; n++) {
		if (n == skip)
			cpu = cpu_ns();
		if (urpc_recv(run.c[1], NULL, word))
			abort();
		if (n >= skip)
			late += rig_ticks() - word[0];
	}
	n -= skip;
	run.cpu = (double)(cpu_ns() - cpu) / (double)n;
	run.late = (double)late / (double)n / rig_ticks_per_ns();
	return 0;
}

/* A receiver in mode @m, a message every @us; its figures are in @run. */
static bool one_run(const struct mode *m, unsigned int us)
{
	uint64_t (*const side[2])(void *) = { send_slowly, receive_them };
	const struct urpc_channel_attr attr = { .poll_ns = m->poll_ns };
	uint64_t t[2];

	if (urpc_pair(&attr, run.c))
		return false;
	run.gap = (uint64_t)(us * 1000 * rig_ticks_per_ns());
	run.count = us >= 1000 ? 100 : us >= 100 ? 400 : 2000;
	rig_run(side, NULL, t);
	urpc_close(run.c[0]);
	urpc_close(run.c[1]);
	return true;
}

static double late[GAPS][MODES][PASSES], cpu[GAPS][MODES][PASSES];
static double cpu_of_c[PASSES], late_of_c[PASSES];

static bool one_pass(unsigned int pass, double c)
{
	double extra;
	unsigned int g, m;

	cpu_of_c[pass] = 0;
	late_of_c[pass] = 0;
	for (g = 0; g < GAPS; g++) {
		for (m = 0; m < MODES; m++) {
			if (!one_run(&modes[m], gaps_us[g]))
				return false;
			late[g][m][pass] = run.late;
			cpu[g][m][pass] = run.cpu;
		}
		/* the last one is ours */
		if (run.cpu / c > cpu_of_c[pass])
			cpu_of_c[pass] = run.cpu / c;
		extra = (run.late - late[g][0][pass]) / c;
		if (extra > late_of_c[pass])
			late_of_c[pass] = extra;
	}
	return true;
}

static void add(struct nm_result *r, unsigned int passes)
{
	char name[64];
	unsigned int g, m;

	for (g = 0; g < GAPS; g++)
		for (m = 0; m < MODES; m++) {
			snprintf(name, sizeof(name), "every_%uus_%s_latency",
				 gaps_us[g], modes[m].name);
			add_row(r, "guarded", name, "ns", NULL, "lower",
				"memfd", late[g][m], passes);
			snprintf(name, sizeof(name), "every_%uus_%s_cpu",
				 gaps_us[g], modes[m].name);
			add_row(r, "guarded", name, "ns/message", NULL,
				"lower", "memfd", cpu[g][m], passes);
		}
}

void bench_rates(struct nm_result *r, bool quick)
{
	unsigned int passes = quick ? 2 : PASSES, i;
	double c = (double)urpc_wake_cost_ns();

	rig_realtime(true);
	for (i = 0; i < passes; i++)
		if (!one_pass(i, c)) {
			rig_realtime(false);
			null_row(r, "guarded", "adapt_cpu_of_c", "ratio",
				 "lower", "memfd", "no channel could be made");
			return;
		}
	rig_realtime(false);
	add_row(r, "guarded", "wake_cost", "ns", NULL, "lower", "memfd", &c,
		1);
	add_row(r, "guarded", "adapt_cpu_of_c", "ratio",
		"C, the worst of the rates; the model says 2", "lower",
		"memfd", cpu_of_c, passes);
	add_row(r, "guarded", "adapt_latency_of_c", "ratio",
		"C, beyond polling, the worst of the rates; the model says 1",
		"lower", "memfd", late_of_c, passes);
	add(r, passes);
}
