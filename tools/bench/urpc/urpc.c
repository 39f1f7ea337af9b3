// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc.c - numashare bench urpc: its parts, one after the other
 *
 * On this machine, over the memfd back end: what user-space code does is the
 * same over the module, whose own sleeping is counted in the virtual machine
 * (urpc_module.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../numashare/numashare.h"
#include "measure.h"
#include "probe.h"
#include "rig.h"

static void place(struct nm_result *r)
{
	struct probe p;
	char text[128];

	probe_latency(&p);
	snprintf(text, sizeof(text), "CPUs %d and %d, a line takes %.0f cycles"
		 " (%.0f ns) one way", rig_cpu[0], rig_cpu[1], p.plain,
		 p.plain / rig_ticks_per_ns());
	nm_result_placement(r, text);
}

static const struct part {
	const char *what;
	void (*run)(struct nm_result *r, bool quick);
} parts[] = {
	{ "latency", bench_latency },
	{ "throughput", bench_throughput },
	{ "sleeping", bench_sleep },
	{ "rates", bench_rates },
	{ "shared memory or messages", bench_updates },
	{ "the sender's look", bench_flag },
	{ "many channels", bench_many },
};

static int run(struct nm_result *r, bool quick)
{
	const char *why;
	unsigned int i;

	setenv("URPC_BACKEND", "memfd", 1);
	why = rig_begin();
	if (*why) {
		complain("two threads are to be run on two CPUs: %s", why);
		return FAILED;
	}
	place(r);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		fprintf(stderr, "urpc: %s...\n", parts[i].what);
		parts[i].run(r, quick);
	}
	note_table2(r);
	fprintf(stderr, "urpc: the module, in the virtual machine...\n");
	if (!nm_result_merge(r, "urpc-module", quick))
		null_row(r, "", "module_wake_vs_eventfd", "ratio", "lower",
			 "module", "the virtual machine could not be run: "
			 "tools/vm/run -- true says why");
	return OK;
}

const struct nm_bench nm_bench_urpc = {
	.name = "urpc",
	.summary = "messages between CPUs, against bare lines and other queues",
	.run = run,
};
