// SPDX-License-Identifier: GPL-2.0-only
/*
 * table2.c - ours beside table 2 of "The Multikernel" (SOSP 2009), which has
 * URPC's latency, and its throughput with a queue of 16 messages
 */
#include <stdio.h>

#include "measure.h"
#include "rig.h"

struct table2 table2;

static const struct {
	const char *machine;
	const char *relation;
	unsigned int cycles;
	unsigned int ns;
	double rate;
} paper[] = {
	{ "2x4-core Intel", "shared", 180, 68, 11.97 },
	{ "2x4-core Intel", "non-shared", 570, 214, 3.78 },
	{ "2x2-core AMD", "same die", 450, 161, 3.42 },
	{ "2x2-core AMD", "one hop", 532, 190, 3.19 },
	{ "4x4-core AMD", "shared", 448, 179, 3.57 },
	{ "4x4-core AMD", "one hop", 545, 218, 3.53 },
	{ "4x4-core AMD", "two hops", 558, 223, 3.51 },
	{ "8x4-core AMD", "shared", 538, 269, 2.77 },
	{ "8x4-core AMD", "one hop", 613, 307, 2.79 },
	{ "8x4-core AMD", "two hops", 618, 309, 2.75 },
};

static void note(struct nm_result *r, const char *machine,
		 const char *relation, double cycles, double ns, double rate)
{
	char line[128];

	snprintf(line, sizeof(line), "%-18s %-12s %8.0f %8.0f %12.2f", machine,
		 relation, cycles, ns, rate);
	nm_result_note(r, line);
}

void note_table2(struct nm_result *r)
{
	static const char *const level[2] = { "guarded", "shared" };
	char head[128];
	unsigned int i;

	snprintf(head, sizeof(head), "%-18s %-12s %8s %8s %12s",
		 "Barrelfish 2009", "caches", "CYCLES", "NS", "MSGS/KCYCLE");
	nm_result_note(r, head);
	for (i = 0; i < sizeof(paper) / sizeof(paper[0]); i++)
		note(r, paper[i].machine, paper[i].relation, paper[i].cycles,
		     paper[i].ns, paper[i].rate);
	for (i = 0; i < 2; i++)
		note(r, "this machine", level[i], table2.cycles[i],
		     table2.cycles[i] / rig_ticks_per_ns(), table2.rate[i]);
}
