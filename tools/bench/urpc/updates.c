// SPDX-License-Identifier: GPL-2.0-only
/*
 * updates.c - a structure of some lines that two CPUs update: both themselves,
 * under the coherence protocol (SHM), or one of them for both, told by calls
 * (MSG); experiment E9, with the two CPUs that there are
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "rig.h"
#include "urpc.h"

#define LINES_MAX	8
#define ROUNDS		20000
#define TURNS		5

static const unsigned int sizes[] = { 1, 2, 4, 8 };

#define SIZES		(sizeof(sizes) / sizeof(sizes[0]))

static struct message state[LINES_MAX] __attribute__((aligned(4096)));

static struct {
	unsigned int lines;
	struct urpc_channel *c[2];
} run;

static void update(void)
{
	unsigned int i;

	for (i = 0; i < run.lines; i++)
		__atomic_fetch_add(&state[i].word[0], 1, __ATOMIC_RELAXED);
}

/* Both write the same lines, as fast as the lines come. */
static uint64_t share(void *arg)
{
	uint64_t t = 0;
	unsigned int n;

	(void)arg;
	for (n = 0; n < ROUNDS; n++) {
		if (n == ROUNDS / 4)
			t = rig_ticks();
		update();
	}
	return (rig_ticks() - t) / (ROUNDS - ROUNDS / 4);
}

/* The lines stay with the server. */
static uint64_t ask(void *arg)
{
	uint64_t word[WORDS] = { 0 }, t = 0;
	unsigned int n;

	(void)arg;
	for (n = 0; n < ROUNDS; n++) {
		if (n == ROUNDS / 4)
			t = rig_ticks();
		if (urpc_call(run.c[0], 0, word, NULL, word, -1))
			abort();
	}
	return (rig_ticks() - t) / (ROUNDS - ROUNDS / 4);
}

static uint64_t serve(void *arg)
{
	uint64_t word[WORDS], spent = 0, t;
	unsigned int n;

	(void)arg;
	for (n = 0; n < ROUNDS; n++) {
		if (urpc_call_next(run.c[1], NULL, word, -1))
			abort();
		t = rig_ticks();
		update();
		spent += rig_ticks() - t;
		if (urpc_call_reply(run.c[1], 0, word))
			abort();
	}
	return spent / ROUNDS;
}

static double by_sharing(unsigned int lines)
{
	uint64_t (*const side[2])(void *) = { share, share };
	uint64_t t[2];

	run.lines = lines;
	rig_run(side, NULL, t);
	return (double)(t[0] + t[1]) / 2;
}

static bool by_calls(unsigned int lines, double *client, double *server)
{
	uint64_t (*const side[2])(void *) = { ask, serve };
	const struct urpc_channel_attr attr = { .poll_ns = 50000000 };
	uint64_t t[2];

	run.lines = lines;
	if (urpc_pair(&attr, run.c))
		return false;
	rig_run(side, NULL, t);
	urpc_close(run.c[0]);
	urpc_close(run.c[1]);
	*client = (double)t[0];
	*server = (double)t[1];
	return true;
}

static double shm[SIZES][PASSES], msg[SIZES][PASSES], served[SIZES][PASSES];

static bool one_pass(unsigned int pass)
{
	double a[TURNS], b[TURNS], c[TURNS];
	unsigned int s, t;

	for (s = 0; s < SIZES; s++) {
		for (t = 0; t < TURNS; t++) {
			a[t] = by_sharing(sizes[s]);
			if (!by_calls(sizes[s], &b[t], &c[t]))
				return false;
		}
		shm[s][pass] = nm_median(a, TURNS);
		msg[s][pass] = nm_median(b, TURNS);
		served[s][pass] = nm_median(c, TURNS);
	}
	return true;
}

static void add(struct nm_result *r, const char *kind, const char *backend,
		double v[SIZES][PASSES], unsigned int passes)
{
	char name[48];
	unsigned int s;

	for (s = 0; s < SIZES; s++) {
		snprintf(name, sizeof(name), "update_%u_lines_%s", sizes[s],
			 kind);
		add_row(r, "", name, "cycles/update", NULL, "lower", backend,
			v[s], passes);
	}
}

void bench_updates(struct nm_result *r, bool quick)
{
	unsigned int passes = quick ? 2 : PASSES, i;
	bool ok = true;

	rig_realtime(true);
	for (i = 0; i < passes && ok; i++)
		ok = one_pass(i);
	rig_realtime(false);
	if (!ok) {
		null_row(r, "", "update_1_lines_messages", "cycles/update",
			 "lower", "memfd", "no channel could be made");
		return;
	}
	add(r, "shared_memory", "memory", shm, passes);
	add(r, "messages", "memfd", msg, passes);
	add(r, "server", "memory", served, passes);
}
