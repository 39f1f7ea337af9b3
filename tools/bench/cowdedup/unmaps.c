// SPDX-License-Identifier: GPL-2.0-only
/*
 * unmaps.c - see unmaps.h
 *
 * A bind unmaps what was there, and KVM hears of that by its MMU notifier, be
 * the page in the guest's tables or not.  Counted are its calls (a tracepoint),
 * the flushes of the guest's TLB that it asks for, and the entries that go from
 * the guest's tables (its statistics).
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../numashare/numashare.h"
#include "unmaps.h"
#include "vcpu.h"

#define TRACING		"/sys/kernel/tracing/"
#define EVENT		TRACING "events/kvm/kvm_unmap_hva_range/enable"
#define KVM		"/sys/kernel/debug/kvm/"
#define N		PAGES_GROUP

static const size_t chunks[] = { 1, PAGES_GROUP };
static const char *const states[] = { "cold", "populated", "mapped" };

enum { COLD, POPULATED, MAPPED, STATES };
enum { UNMAPS, FLUSHES, ENTRIES, COUNTS };

static const struct {
	const char *name, *unit;
} counts[COUNTS] = {
	{ "kvm_unmaps", "calls/bound page" },
	{ "kvm_flushes", "requests/bound page" },
	{ "kvm_entries", "entries/bound page" },
};

/* Events in the buffer of the only CPU. */
static double events(void)
{
	FILE *f = fopen(TRACING "per_cpu/cpu0/stats", "re");
	unsigned long n, sum = 0;
	char line[128];

	if (!f)
		stage_die("the statistics of tracing");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "entries: %lu", &n) == 1 ||
		    sscanf(line, "overrun: %lu", &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

static void read_counts(double *c)
{
	c[UNMAPS] = events();
	c[FLUSHES] = nm_read_number(KVM "remote_tlb_flush_requests");
	c[ENTRIES] = nm_read_number(KVM "pages_4k");
}

/* The guest reads its memory, so that KVM maps it. */
static void sweep(struct vcpu *v)
{
	uint32_t value;

	vcpu_begin(v, vcpu_sweep, 0, N);
	if (vcpu_go(v, &value))
		stage_die("the guest did not halt");
}

static void count(struct pages *p, unsigned int state, size_t chunk, double *c)
{
	uint64_t bound = stage_counter(p->stage, "pages_bound");
	double before[COUNTS];
	struct vcpu v;
	size_t bytes = chunk * PAGE, i;

	pages_renew(p, BIND, state != COLD);
	if (vcpu_open(&v))
		stage_die("a virtual machine");
	vcpu_memory(&v, 1, 0, p->mem, N * PAGE, false);
	if (state == MAPPED)
		sweep(&v);
	nm_write_file(EVENT, "1");
	read_counts(before);
	for (i = 0; i < N * PAGE; i += bytes)
		if (pread(p->image, p->mem + i, bytes, i) != (ssize_t)bytes)
			stage_die("read");
	read_counts(c);
	if (stage_counter(p->stage, "pages_bound") - bound != N)
		stage_die("not all of it was bound");
	nm_write_file(EVENT, "0");
	for (i = 0; i < COUNTS; i++)
		c[i] = (c[i] - before[i]) / N;
	c[ENTRIES] = -c[ENTRIES];
	vcpu_close(&v);
}

static const char *missing(void)
{
	struct vcpu v;
	const char *why = vcpu_open(&v);

	if (why)
		return why;
	vcpu_close(&v);
	if (access(EVENT, W_OK))
		return "KVM has no tracepoint for it";
	return access(KVM "remote_tlb_flush_requests", R_OK) ||
	       access(KVM "pages_4k", R_OK) ?
	       "KVM has no such statistics" : NULL;
}

void unmaps_rows(const struct stage_rows *r, struct pages *p)
{
	const char *why = missing();
	unsigned int state, k, i;
	double c[COUNTS] = { 0 };
	char name[64];

	for (state = 0; state < STATES; state++)
		for (k = 0; k < 2; k++) {
			if (!why)
				count(p, state, chunks[k], c);
			for (i = 0; i < COUNTS; i++) {
				snprintf(name, sizeof(name), "%s_%s_%zu",
					 counts[i].name, states[state],
					 chunks[k]);
				if (why)
					stage_null(r, name, counts[i].unit,
						   NULL, "lower", why);
				else
					stage_row(r, name, counts[i].unit,
						  NULL, "lower", &c[i], 1);
			}
		}
}
