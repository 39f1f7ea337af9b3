// SPDX-License-Identifier: GPL-2.0-only
/*
 * sleep.c - round trips in which both sides sleep: ours, and what the kernel
 * has for it; on CPUs that idle in between, and on CPUs that are kept busy
 */
#include <stdio.h>

#include "measure.h"
#include "rig.h"
#include "urpc.h"

#define ROUNDS	600
#define TURNS	5

enum { GUARDED, SHARED, EVENTFD, PIPE, SOCKETPAIR, FUTEX, QUEUES };

static const struct queue *const queues[QUEUES] = {
	[GUARDED] = &queue_guarded_block,
	[SHARED] = &queue_shared_block,
	[EVENTFD] = &queue_eventfd,
	[PIPE] = &queue_pipe,
	[SOCKETPAIR] = &queue_socketpair,
	[FUTEX] = &queue_futex,
};

static double ns[QUEUES][PASSES];
static double over[2][PASSES];
static const char *why_not[QUEUES];

static void one_pass(unsigned int pass)
{
	double turn[QUEUES][TURNS], v[TURNS];
	unsigned int t, q, l;

	for (t = 0; t < TURNS; t++)
		for (q = 0; q < QUEUES; q++)
			turn[q][t] = 2 * measure_latency(queues[q], ROUNDS,
							 &why_not[q]);
	for (l = GUARDED; l <= SHARED; l++) {
		for (t = 0; t < TURNS; t++)
			v[t] = turn[l][t] / turn[EVENTFD][t];
		over[l][pass] = nm_median(v, TURNS);
	}
	for (q = 0; q < QUEUES; q++)
		ns[q][pass] = nm_median(turn[q], TURNS) / rig_ticks_per_ns();
}

static void measure(struct nm_result *r, bool quick, const char *suffix)
{
	unsigned int passes = quick ? 2 : PASSES, i, q;
	char name[64];

	rig_realtime(true);
	for (i = 0; i < passes; i++)
		one_pass(i);
	rig_realtime(false);
	snprintf(name, sizeof(name), "wake_vs_eventfd%s", suffix);
	add_row(r, "", name, "ratio", "eventfd, the same round trip",
		"lower", "memfd", over[GUARDED], passes);
	snprintf(name, sizeof(name), "call_wake_vs_eventfd%s", suffix);
	add_row(r, "shared", name, "ratio", "eventfd, the same round trip",
		"lower", "memfd", over[SHARED], passes);
	for (q = 0; q < QUEUES; q++) {
		snprintf(name, sizeof(name), q <= SHARED ? "block%s%s" :
			 "block%s_%s", suffix, q <= SHARED ? "" :
			 queues[q]->name);
		if (ns[q][0] < 0)
			null_row(r, "", name, "ns", "lower",
				 queues[q]->backend, why_not[q]);
		else
			add_row(r, q <= SHARED ? queues[q]->name : "", name,
				"ns", NULL, "lower", queues[q]->backend, ns[q],
				passes);
	}
}

void bench_sleep(struct nm_result *r, bool quick)
{
	measure(r, quick, "");
	rig_busy(true);
	measure(r, quick, "_busy");
	rig_busy(false);
}
