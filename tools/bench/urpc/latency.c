// SPDX-License-Identifier: GPL-2.0-only
/*
 * latency.c - one way from CPU to CPU: ours, the bare line, and the others
 *
 * A pass takes turns: probe, queue, probe, next queue... several times, and is
 * the median of its turns.  A ratio to the probe uses the two probes around the
 * queue; a ratio to another queue uses that one's figure of the same turn.
 */
#include <stdio.h>

#include "measure.h"
#include "probe.h"
#include "rig.h"

#define ROUNDS	20000
#define TURNS	7

enum { GUARDED, SHARED, CALL, LAMPORT, FASTFORWARD, CK, RTE, BOOST, QUEUES };

static const struct queue *const queues[QUEUES] = {
	[GUARDED] = &queue_guarded,
	[SHARED] = &queue_shared,
	[CALL] = &queue_shared_call,
	[LAMPORT] = &queue_lamport,
	[FASTFORWARD] = &queue_fastforward,
	[CK] = &queue_ck,
	[RTE] = &queue_rte,
	[BOOST] = &queue_boost,
};

/* The median over the turns of each queue, pass by pass; below 0: no figure. */
static double ticks[QUEUES][PASSES];
static double vs_plain[QUEUES][PASSES];
static double vs_any[QUEUES][PASSES];
static double vs_call[PASSES];
static double vs_ring[2][PASSES];
static double probe_plain[PASSES];
static double probe_any[PASSES];
static const char *why_not[QUEUES];

/* ... and, of ours over each queue, turn by turn. */
static double turn[QUEUES][TURNS];
static double over[2][QUEUES][PASSES];

static double mean(double a, double b)
{
	return (a + b) / 2;
}

static void one_pass(unsigned int pass)
{
	double plain[QUEUES][TURNS], any[QUEUES][TURNS], call[TURNS];
	double ring[2][TURNS], of_probe[2][TURNS], v[TURNS];
	struct probe a, b;
	unsigned int t, q, l;

	for (t = 0; t < TURNS; t++) {
		probe_latency(&a);
		for (q = 0; q < QUEUES; q++) {
			turn[q][t] = measure_latency(queues[q], ROUNDS,
						     &why_not[q]);
			probe_latency(&b);
			plain[q][t] = turn[q][t] / mean(a.plain, b.plain);
			any[q][t] = turn[q][t] / mean(a.any, b.any);
			if (q <= SHARED)
				ring[q][t] = turn[q][t] /
					     mean(a.likewise, b.likewise);
			if (q == CALL)
				call[t] = turn[q][t] / mean(a.any, b.any);
			a = b;
		}
		of_probe[0][t] = a.plain;
		of_probe[1][t] = a.any;
	}
	probe_plain[pass] = nm_median(of_probe[0], TURNS);
	probe_any[pass] = nm_median(of_probe[1], TURNS);
	vs_call[pass] = nm_median(call, TURNS);
	for (l = GUARDED; l <= SHARED; l++)
		vs_ring[l][pass] = nm_median(ring[l], TURNS);
	for (q = 0; q < QUEUES; q++) {
		for (l = GUARDED; l <= SHARED; l++) {
			for (t = 0; t < TURNS; t++)
				v[t] = turn[l][t] / turn[q][t];
			over[l][q][pass] = nm_median(v, TURNS);
		}
	}
	for (q = 0; q < QUEUES; q++) {
		vs_plain[q][pass] = nm_median(plain[q], TURNS);
		vs_any[q][pass] = nm_median(any[q], TURNS);
		ticks[q][pass] = nm_median(turn[q], TURNS);
	}
}

/* The packaged queue with the lowest latency in the run. */
static int best_packaged(unsigned int passes)
{
	double v[PASSES], least = 0, m;
	unsigned int q, i;
	int best = -1;

	for (q = 0; q < QUEUES; q++) {
		if (!queues[q]->packaged || ticks[q][0] < 0)
			continue;
		for (i = 0; i < passes; i++)
			v[i] = ticks[q][i];
		m = nm_median(v, passes);
		if (best < 0 || m < least) {
			best = (int)q;
			least = m;
		}
	}
	return best;
}

static void add_against(struct nm_result *r, const char *level, unsigned int l,
			unsigned int passes)
{
	int best = best_packaged(passes);

	add_row(r, level, "latency_vs_ring_probe", "ratio",
		"bare lines, 16 a direction, plain loads", "lower", "memfd",
		vs_ring[l], passes);
	if (best < 0)
		null_row(r, level, "latency_vs_best_packaged", "ratio",
			 "lower", "memfd", why_not[CK]);
	else
		add_row(r, level, "latency_vs_best_packaged", "ratio",
			queues[best]->name, "lower", "memfd", over[l][best],
			passes);
	add_row(r, level, "latency_vs_lamport", "ratio",
		"Lamport's queue, cached indices, PAUSE", "lower", "memfd",
		over[l][LAMPORT], passes);
	add_row(r, level, "latency_vs_fastforward", "ratio",
		"FastForward, PAUSE", "lower", "memfd", over[l][FASTFORWARD],
		passes);
}

static void add_plain_rows(struct nm_result *r, unsigned int passes)
{
	char name[64];
	unsigned int q;

	add_row(r, "", "probe_plain", "cycles", NULL, "lower", "memory",
		probe_plain, passes);
	add_row(r, "", "probe_any", "cycles", NULL, "lower", "memory",
		probe_any, passes);
	for (q = 0; q < QUEUES; q++) {
		snprintf(name, sizeof(name), q == CALL ? "call" : q <= SHARED ?
			 "latency" : "latency_%s", queues[q]->name);
		if (ticks[q][0] < 0)
			null_row(r, "", name, "cycles", "lower",
				 "memory", why_not[q]);
		else
			add_row(r, q <= CALL ? queues[q]->name : "", name,
				"cycles", NULL, "lower", queues[q]->backend,
				ticks[q], passes);
	}
}

void bench_latency(struct nm_result *r, bool quick)
{
	unsigned int passes = quick ? 2 : PASSES, i;

	rig_realtime(true);
	for (i = 0; i < passes; i++)
		one_pass(i);
	rig_realtime(false);
	add_row(r, "guarded", "latency_vs_probe", "ratio",
		"the best line that is polled by plain loads", "lower",
		"memfd", vs_plain[GUARDED], passes);
	add_against(r, "guarded", GUARDED, passes);
	add_row(r, "shared", "latency_vs_probe", "ratio",
		"the best line, polled in any way", "lower", "memfd",
		vs_any[SHARED], passes);
	add_against(r, "shared", SHARED, passes);
	add_row(r, "", "rpc_vs_best_probe", "ratio",
		"the better of a line a direction and one for both, polled in "
		"any way", "lower", "memfd", vs_call, passes);
	add_plain_rows(r, passes);
	/* the rows are written, now they may be sorted */
	table2.cycles[0] = nm_median(ticks[GUARDED], passes);
	table2.cycles[1] = nm_median(ticks[SHARED], passes);
}
