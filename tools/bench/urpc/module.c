// SPDX-License-Identifier: GPL-2.0-only
/*
 * module.c - sleeping and waking through urpc.ko, in instructions
 *
 * One CPU, so that the machine can count: both sides run on it, and each
 * message makes one sleep and the other wake.  There is no other CPU to send a
 * barrier to; what that costs is in Documentation/design/urpc.md.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../numashare/numashare.h"
#include "measure.h"
#include "urpc.h"

#define ROUNDS	2000
#define SLOTS	16

static const char *const vm_args[] = {
	"--icount", "--cpus", "1", "--nodes", "1", "--mem", "2G", "--timeout",
	"900", NULL
};

struct job {
	uint64_t (*run)(void *arg);
	struct duo *d;
};

static void *other_side(void *arg)
{
	struct job *j = arg;

	j->run(j->d);
	return NULL;
}

/* Instructions of a round trip; below 0: no. */
static double round_trip(const struct queue *q, const char **why)
{
	struct duo d = { .count = ROUNDS };
	struct job j = { q->pingpong[1], &d };
	pthread_t other;
	uint64_t t;

	if (!q->open(&d, SLOTS, why))
		return -1;
	if (pthread_create(&other, NULL, other_side, &j))
		return -1;
	t = nm_now();
	q->pingpong[0](&d);
	t = nm_now() - t;
	pthread_join(other, NULL);
	q->close(&d);
	return d.errors[0] || d.errors[1] ? -1 : (double)t / ROUNDS;
}

enum { GUARDED, SHARED, EVENTFD, QUEUES };

static int run(struct nm_result *r, bool quick)
{
	static const struct queue *const queues[QUEUES] = {
		&queue_guarded_block, &queue_shared_block, &queue_eventfd,
	};
	unsigned int passes = quick ? 2 : PASSES, i, q;
	double v[QUEUES][PASSES], ratio[2][PASSES];
	const char *why = "no thread, or a wrong message";

	setenv("URPC_BACKEND", "module", 1);
	for (i = 0; i < passes; i++)
		for (q = 0; q < QUEUES; q++) {
			v[q][i] = round_trip(queues[q], &why);
			if (v[q][i] < 0) {
				complain("%s: %s", queues[q]->name, why);
				return FAILED;
			}
		}
	for (i = 0; i < passes; i++)
		for (q = 0; q < EVENTFD; q++)
			ratio[q][i] = v[q][i] / v[EVENTFD][i];
	nm_result_placement(r, "both sides on one CPU");
	add_row(r, "", "module_wake_vs_eventfd", "ratio",
		"eventfd, instructions of the same round trip", "lower",
		"module", ratio[GUARDED], passes);
	add_row(r, "shared", "module_call_wake_vs_eventfd", "ratio",
		"eventfd, instructions of the same round trip", "lower",
		"module", ratio[SHARED], passes);
	add_row(r, "guarded", "module_block", "instr", NULL, "lower", "module",
		v[GUARDED], passes);
	add_row(r, "shared", "module_call_block", "instr", NULL, "lower",
		"module", v[SHARED], passes);
	add_row(r, "", "module_block_eventfd", "instr", NULL, "lower",
		"kernel", v[EVENTFD], passes);
	bench_10000(r);
	setenv("URPC_BACKEND", "memfd", 1);
	bench_10000(r);
	return OK;
}

const struct nm_bench nm_bench_urpc_module = {
	.name = "urpc-module",
	.summary = "sleeping and waking through urpc.ko, counted",
	.vm_args = vm_args,
	.hidden = true,
	.run = run,
};
