// SPDX-License-Identifier: GPL-2.0-only
/*
 * measure.c - run one kind of queue
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../numashare/numashare.h"
#include "measure.h"
#include "rig.h"

#define LATENCY_SLOTS	16

static bool open_queue(const struct queue *q, struct duo *d,
		       unsigned int slots, const char **why)
{
	memset(d, 0, sizeof(*d));
	*why = "it was not there when this was built: tools/setup/peers, make";
	if (!q->open)
		return false;
	*why = "it cannot be opened";
	if (q->open(d, slots, why))
		return true;
	q->close(d);
	return false;
}

/* A message that is not the one expected makes every figure worthless. */
static void must_be_right(const struct queue *q, const struct duo *d)
{
	if (!d->errors[0] && !d->errors[1])
		return;
	complain("%s: %llu messages were wrong", q->name,
		 (unsigned long long)(d->errors[0] + d->errors[1]));
	exit(FAILED);
}

double measure_latency(const struct queue *q, unsigned int rounds,
		       const char **why)
{
	uint64_t t[2];
	struct duo d;

	if (!open_queue(q, &d, LATENCY_SLOTS, why))
		return -1;
	d.count = rounds;
	rig_run(q->pingpong, &d, t);
	q->close(&d);
	must_be_right(q, &d);
	return (double)t[0] / (rounds - rounds / 2) / 2;
}

double measure_stream(const struct queue *q, unsigned int slots,
		      uint64_t count, const char **why)
{
	uint64_t t[2];
	struct duo d;

	if (!open_queue(q, &d, slots, why))
		return -1;
	d.count = count;
	rig_run(q->stream, &d, t);
	q->close(&d);
	must_be_right(q, &d);
	return (double)(count - count / 4) * 1000 / (double)t[1];
}

/* Of a row whose name does not begin with it; NULL: no channel is in it. */
static const char *level_of(const char *name)
{
	if (!strncmp(name, "rpc_", 4))
		return "shared";
	if (!strncmp(name, "wake_vs_", 8) || strstr(name, "_messages") ||
	    !strcmp(name, "flag_instructions") ||
	    !strcmp(name, "module_wake_vs_eventfd"))
		return "guarded";
	return NULL;
}

static const char *full_name(const char *level, const char *name)
{
	static char buf[96];

	snprintf(buf, sizeof(buf), "%s%s%s", level, *level ? "." : "", name);
	return buf;
}

void add_row(struct nm_result *r, const char *level, const char *name,
	     const char *unit, const char *against, const char *better,
	     const char *backend, const double *v, unsigned int n)
{
	nm_result_level(r, *level ? level : level_of(name));
	nm_result_add(r, &(struct nm_row) { full_name(level, name), unit,
		      against, better, backend }, v, n);
}

void null_row(struct nm_result *r, const char *level, const char *name,
	      const char *unit, const char *better, const char *backend,
	      const char *why)
{
	nm_result_level(r, *level ? level : level_of(name));
	nm_result_null(r, &(struct nm_row) { full_name(level, name), unit,
		       NULL, better, backend }, why);
}
