// SPDX-License-Identifier: GPL-2.0-only
/*
 * many.c - what channels cost that nothing goes through: looking at N of them,
 * and having 10,000 of them open (in the virtual machine, where the limits are
 * ours and time is instructions)
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "measure.h"
#include "rig.h"
#include "urpc.h"

#define MOST_POLLED	256
#define ROUNDS		2000

static const struct urpc_channel_attr attr = {
	.slots = URPC_SLOTS_MIN, .poll_ns = -1,
};

struct ends {
	struct urpc_channel *c[2];
};

/* As many as there can be of @n. */
static unsigned int open_all(struct ends *e, unsigned int n, const char **why)
{
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		ret = urpc_pair(&attr, e[i].c);
		if (ret) {
			*why = strerror(-ret);
			break;
		}
	}
	return i;
}

static void close_all(struct ends *e, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		urpc_close(e[i].c[0]);
		urpc_close(e[i].c[1]);
	}
}

static double poll_all(struct ends *e, unsigned int n)
{
	uint64_t word[WORDS], t = 0;
	unsigned int i, k;

	for (k = 0; k < ROUNDS; k++) {
		if (k == ROUNDS / 4)
			t = rig_ticks();
		for (i = 0; i < n; i++)
			if (urpc_try_recv(e[i].c[1], NULL, word) != -EAGAIN)
				abort();
	}
	return (double)(rig_ticks() - t) / (ROUNDS - ROUNDS / 4) / n;
}

static void bench_polling(struct nm_result *r, unsigned int passes)
{
	struct ends *e = calloc(MOST_POLLED, sizeof(*e));
	const char *why = "";
	unsigned int n, i, got;
	double v[PASSES];
	char name[48];

	got = open_all(e, MOST_POLLED, &why);
	for (n = 1; n <= MOST_POLLED; n *= 4) {
		snprintf(name, sizeof(name), "poll_idle_%u", n);
		if (got < n) {
			null_row(r, "guarded", name, "cycles/channel", "lower",
				 "memfd", why);
			continue;
		}
		for (i = 0; i < passes; i++)
			v[i] = poll_all(e, n);
		add_row(r, "guarded", name, "cycles/channel", NULL, "lower",
			"memfd", v, passes);
	}
	close_all(e, got);
	free(e);
}

/* --- 10,000 of them ------------------------------------------------------ */

#define MANY	10000
#define FDS	8

/* What the machine has left, in bytes. */
static double available(void)
{
	char line[128];
	double kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lf kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024;
}

static bool allow_files(unsigned long n)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l))
		return false;
	if (l.rlim_cur >= n)
		return true;
	l.rlim_cur = n;
	if (l.rlim_max < n)
		l.rlim_max = n;
	return !setrlimit(RLIMIT_NOFILE, &l);
}

/* Of the module; the machine is the benchmark's. */
static void allow_channels(void)
{
	if (!strcmp(urpc_backend(), "module"))
		nm_write_file("/sys/kernel/urpc/max_channels", "65536");
}

static void add_many(struct nm_result *r, const char *name, const char *unit,
		     double v)
{
	add_row(r, "guarded", name, unit, NULL, "lower",
		urpc_backend(), &v, 1);
}

void bench_10000(struct nm_result *r)
{
	struct ends *e = calloc(MANY, sizeof(*e));
	const char *why = "the limit of open files cannot be raised to 80,000";
	double bytes, set_up, tear_down;
	unsigned int got = 0;

	allow_channels();
	if (allow_files((unsigned long)MANY * FDS)) {
		bytes = available();
		set_up = (double)nm_now();
		got = open_all(e, MANY, &why);
		set_up = (double)nm_now() - set_up;
		bytes -= available();
		tear_down = (double)nm_now();
		close_all(e, got);
		tear_down = (double)nm_now() - tear_down;
	}
	free(e);
	if (got < MANY) {
		null_row(r, "guarded", "channel_memory", "bytes", "lower",
			 urpc_backend(), why);
		return;
	}
	add_many(r, "channel_memory", "bytes", bytes / MANY);
	add_many(r, "channel_set_up", "instr", set_up / MANY);
	add_many(r, "channel_tear_down", "instr", tear_down / MANY);
}

void bench_many(struct nm_result *r, bool quick)
{
	bench_polling(r, quick ? 2 : PASSES);
}
