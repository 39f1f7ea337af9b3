// SPDX-License-Identifier: GPL-2.0-only
/*
 * throughput.c - messages one way: with 16 slots, one at a time, as in table 2
 * of the Barrelfish paper; and streamed in batches through rings of any size
 */
#include <stdio.h>

#include "measure.h"
#include "probe.h"
#include "rig.h"

#define TURNS		5
#define COUNT		200000
#define STREAM_COUNT	(1 << 20)
#define PAPER_SLOTS	16

enum { GUARDED, SHARED, LAMPORT, FASTFORWARD, CK, RTE, BOOST, QUEUES };

static const struct queue *const queues[QUEUES] = {
	[GUARDED] = &queue_guarded,
	[SHARED] = &queue_shared_marks,
	[LAMPORT] = &queue_lamport,
	[FASTFORWARD] = &queue_fastforward,
	[CK] = &queue_ck,
	[RTE] = &queue_rte,
	[BOOST] = &queue_boost,
};

static double rate[QUEUES][PASSES];
static double over[2][QUEUES][PASSES];
static const char *why_not[QUEUES];

static void one_pass(unsigned int pass)
{
	double turn[QUEUES][TURNS], v[TURNS];
	unsigned int t, q, l;

	for (t = 0; t < TURNS; t++)
		for (q = 0; q < QUEUES; q++)
			turn[q][t] = measure_stream(queues[q], PAPER_SLOTS,
						    COUNT, &why_not[q]);
	for (q = 0; q < QUEUES; q++)
		for (l = GUARDED; l <= SHARED; l++) {
			for (t = 0; t < TURNS; t++)
				v[t] = turn[l][t] / turn[q][t];
			over[l][q][pass] = nm_median(v, TURNS);
		}
	for (q = 0; q < QUEUES; q++)
		rate[q][pass] = nm_median(turn[q], TURNS);
}

static int best_packaged(unsigned int passes)
{
	double v[PASSES], most = 0, m;
	unsigned int q, i;
	int best = -1;

	for (q = 0; q < QUEUES; q++) {
		if (!queues[q]->packaged || rate[q][0] < 0)
			continue;
		for (i = 0; i < passes; i++)
			v[i] = rate[q][i];
		m = nm_median(v, passes);
		if (m > most) {
			best = (int)q;
			most = m;
		}
	}
	return best;
}

static void add_q16(struct nm_result *r, unsigned int l, unsigned int passes)
{
	const char *level = queues[l]->name;
	int best = best_packaged(passes);

	if (best < 0)
		null_row(r, level, "q16_vs_best_packaged", "ratio", "higher",
			 "memfd", why_not[CK]);
	else
		add_row(r, level, "q16_vs_best_packaged", "ratio",
			queues[best]->name, "higher", "memfd", over[l][best],
			passes);
	add_row(r, level, "q16_vs_fastforward", "ratio", "FastForward, PAUSE",
		"higher", "memfd", over[l][FASTFORWARD], passes);
	add_row(r, level, "q16_vs_lamport", "ratio",
		"Lamport's queue, cached indices, PAUSE", "higher", "memfd",
		over[l][LAMPORT], passes);
}

static void add_q16_rates(struct nm_result *r, unsigned int passes)
{
	char name[64];
	unsigned int q;

	for (q = 0; q < QUEUES; q++) {
		snprintf(name, sizeof(name), q <= SHARED ? "q16" : "q16_%s",
			 queues[q]->name);
		if (rate[q][0] < 0)
			null_row(r, "", name, "msgs/kcycle", "higher",
				 "memory", why_not[q]);
		else
			add_row(r, q <= SHARED ? queues[q]->name : "", name,
				"msgs/kcycle", NULL, "higher",
				queues[q]->backend, rate[q], passes);
	}
}

/* --- streaming ----------------------------------------------------------- */

static const unsigned int sizes[] = { 64, 256, 1024, 4096 };

#define SIZES	(sizeof(sizes) / sizeof(sizes[0]))

static double limit[PASSES];
static double stream[2][SIZES][PASSES];
static double vs_limit[2][SIZES][PASSES];
static double flat[2][PASSES];

static const struct queue *const streams[2] = {
	&queue_guarded_batch, &queue_shared_batch,
};

static void stream_pass(unsigned int pass)
{
	double v[2][SIZES][TURNS], ratio[2][SIZES][TURNS], top[TURNS];
	double least, most;
	const char *why;
	unsigned int t, l, s;

	for (t = 0; t < TURNS; t++) {
		top[t] = probe_stream();
		for (l = 0; l < 2; l++)
			for (s = 0; s < SIZES; s++) {
				v[l][s][t] = measure_stream(streams[l],
						sizes[s], STREAM_COUNT, &why);
				ratio[l][s][t] = v[l][s][t] / top[t];
			}
	}
	limit[pass] = nm_median(top, TURNS);
	for (l = 0; l < 2; l++) {
		least = 1e9;
		most = 0;
		for (s = 0; s < SIZES; s++) {
			double m = nm_median(v[l][s], TURNS);

			stream[l][s][pass] = m;
			vs_limit[l][s][pass] = nm_median(ratio[l][s], TURNS);
			least = m < least ? m : least;
			most = m > most ? m : most;
		}
		flat[l][pass] = least / most;
	}
}

static void add_streams(struct nm_result *r, unsigned int passes)
{
	char name[64];
	unsigned int l, s;

	for (l = 0; l < 2; l++) {
		const char *level = streams[l]->name;

		for (s = 0; s < SIZES; s++) {
			snprintf(name, sizeof(name), "stream_vs_limit_%u",
				 sizes[s]);
			add_row(r, level, name, "ratio",
				"lines streamed in windows of 64 to 1024",
				"higher", "memfd", vs_limit[l][s], passes);
			snprintf(name, sizeof(name), "stream_%u", sizes[s]);
			add_row(r, level, name, "msgs/kcycle", NULL, "higher",
				"memfd", stream[l][s], passes);
		}
		add_row(r, level, "stream_flat", "ratio",
			"the fastest of 64 to 4096 slots", "higher", "memfd",
			flat[l], passes);
	}
	add_row(r, "", "stream_limit", "lines/kcycle", NULL, "higher",
		"memory", limit, passes);
}

void bench_throughput(struct nm_result *r, bool quick)
{
	unsigned int passes = quick ? 2 : PASSES, i;

	rig_realtime(true);
	for (i = 0; i < passes; i++) {
		one_pass(i);
		stream_pass(i);
	}
	rig_realtime(false);
	add_q16(r, GUARDED, passes);
	add_q16(r, SHARED, passes);
	add_q16_rates(r, passes);
	add_streams(r, passes);
	/* the rows are written, now they may be sorted */
	table2.rate[0] = nm_median(rate[GUARDED], passes);
	table2.rate[1] = nm_median(rate[SHARED], passes);
}
