// SPDX-License-Identifier: GPL-2.0-only
/*
 * count.c - what it costs to get pages of an image into a guest's memory, and
 * to write to them: instructions, one CPU
 *
 * Against cowdedup stand a copy by pread(2), and mmap(2) of the image over the
 * guest's memory, which needs no module.  Each gets the same pages in the same
 * run; masters and page cache are warm.
 *
 * QEMU counts each byte of a string instruction as an instruction, so that a
 * copied or cleared page counts 4,096 more.  That is measured alone; ratios to
 * copies are net of it unless their name says gross.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../numashare/numashare.h"
#include "pages.h"
#include "unmaps.h"
#include "vcpu.h"

#define MAX_REPS	5
#define GUARD		"/sys/kernel/cowdedup/guard_ms"
#define GUEST_PAGES	64u
#define MMAP_TEXT	"mmap(MAP_FIXED) of the image, and touch"
#define COPY_TEXT	"pread(2) of the file below, and touch, net of the copy"
#define GROSS_TEXT	"pread(2) of the file below, and touch"
#define KERNEL_TEXT	"the kernel's copy of a private file page, net of the copy"

static const size_t chunks[] = { 1, 8, 32, 64, 256 }, vecs[] = { 32, 128 };
static const char *const way_names[WAYS] = { "bind", "mmap", "copy" };
static const char *const state_names[] = { "cold", "populated" };

enum { CHUNKS = 5, VECS = 2, STATES = 2 };

static struct {
	struct cost get[STATES][CHUNKS][WAYS][MAX_REPS];
	struct cost scatter[STATES][VECS][WAYS][MAX_REPS];
	double cow[WAYS][MAX_REPS];
	double cow_shared[MAX_REPS];
	double copy[MAX_REPS];
	double clear[MAX_REPS];
} m;

/* --- measuring --- */

static void measure_gets(struct pages *p, unsigned int rep)
{
	unsigned int state, c, way;

	for (state = 0; state < STATES; state++)
		for (c = 0; c < CHUNKS; c++)
			for (way = 0; way < WAYS; way++) {
				pages_renew(p, way, state);
				m.get[state][c][way][rep] =
					pages_get(p, way, chunks[c]);
			}
}

static void measure_scatters(struct pages *p, unsigned int rep)
{
	unsigned int state, v, way;

	for (state = 0; state < STATES; state++)
		for (v = 0; v < VECS; v++)
			for (way = 0; way < WAYS; way++) {
				pages_renew(p, way, state);
				m.scatter[state][v][way][rep] =
					pages_scatter(p, way, vecs[v]);
			}
}

/* Pages that were read before, by a touch; then all are written to. */
static void measure_cow(struct pages *p, unsigned int rep)
{
	unsigned int way;

	for (way = BIND; way <= MMAP; way++) {
		pages_renew(p, way, false);
		pages_get(p, way, PAGES_GROUP);
		m.cow[way][rep] = pages_write(p);
	}
}

/* The same on a mount of its own, in shared mode. */
static void measure_cow_shared(size_t n, unsigned int reps)
{
	struct stage s;
	struct pages p;
	const char *why = stage_open(&s, NULL);
	unsigned int i;

	s.shared = true;
	if (!why)
		why = stage_mount(&s, ",mode=shared");
	if (why)
		stage_die(why);
	pages_open(&p, &s, n);
	for (i = 0; i < reps; i++) {
		pages_renew(&p, BIND, false);
		pages_get(&p, BIND, PAGES_GROUP);
		m.cow_shared[i] = pages_write(&p);
	}
	pages_close(&p);
	stage_unmount(&s);
	stage_close(&s);
}

/* --- rows --- */

static double sum(const struct cost *c)
{
	return c->get + c->touch;
}

static void add_cost(const struct stage_rows *r, const char *prefix,
		     enum way way, size_t n, const struct cost *c,
		     unsigned int reps)
{
	double get[MAX_REPS], both[MAX_REPS];
	char name[64];
	unsigned int i;

	for (i = 0; i < reps; i++) {
		get[i] = c[i].get;
		both[i] = sum(&c[i]);
	}
	snprintf(name, sizeof(name), "%s_%s_%zu", prefix, way_names[way], n);
	stage_row(r, name, "instr/page", NULL, "lower", get, reps);
	snprintf(name, sizeof(name), "%s_%s_touch_%zu", prefix, way_names[way],
		 n);
	stage_row(r, name, "instr/page", NULL, "lower", both, reps);
}

/* What string instructions count for in a copy, for each repetition. */
static double strings(unsigned int state, unsigned int rep)
{
	/* a cold page is cleared before */
	return m.copy[rep] + (state ? 0 : m.clear[rep]);
}

static void add_ratio(const struct stage_rows *r, const char *name,
		      const char *against, const struct cost *ours,
		      const struct cost *theirs, const double *net,
		      unsigned int reps)
{
	double v[MAX_REPS];
	unsigned int i;

	for (i = 0; i < reps; i++)
		v[i] = sum(&ours[i]) / (sum(&theirs[i]) - (net ? net[i] : 0));
	stage_row(r, name, "ratio", against, "lower", v, reps);
}

static void add_ratios(const struct stage_rows *r, unsigned int state,
		       const char *prefix, size_t n,
		       struct cost (*c)[MAX_REPS], unsigned int reps)
{
	double net[MAX_REPS];
	char name[80];
	unsigned int i;

	for (i = 0; i < reps; i++)
		net[i] = strings(state, i);
	snprintf(name, sizeof(name), "%s_bind_touch_vs_mmap_%zu", prefix, n);
	add_ratio(r, name, MMAP_TEXT, c[BIND], c[MMAP], NULL, reps);
	snprintf(name, sizeof(name), "%s_bind_touch_vs_copy_%zu", prefix, n);
	add_ratio(r, name, COPY_TEXT, c[BIND], c[COPY], net, reps);
	snprintf(name, sizeof(name), "%s_bind_touch_vs_copy_gross_%zu", prefix,
		 n);
	add_ratio(r, name, GROSS_TEXT, c[BIND], c[COPY], NULL, reps);
	/* the name without a state is the harder one: no page is cleared */
	if (state && !strcmp(prefix, "populated")) {
		snprintf(name, sizeof(name), "bind_touch_vs_copy_%zu", n);
		add_ratio(r, name, COPY_TEXT, c[BIND], c[COPY], net, reps);
	}
}

static void add_all(const struct stage_rows *r, unsigned int reps)
{
	unsigned int state, c, way;
	char prefix[32];

	for (state = 0; state < STATES; state++)
		for (c = 0; c < CHUNKS; c++)
			add_ratios(r, state, state_names[state], chunks[c],
				   m.get[state][c], reps);
	for (state = 0; state < STATES; state++) {
		snprintf(prefix, sizeof(prefix), "scattered_%s",
			 state_names[state]);
		for (c = 0; c < VECS; c++)
			add_ratios(r, state, prefix, vecs[c],
				   m.scatter[state][c], reps);
		for (c = 0; c < CHUNKS; c++)
			for (way = 0; way < WAYS; way++)
				add_cost(r, state_names[state], way, chunks[c],
					 m.get[state][c][way], reps);
		for (c = 0; c < VECS; c++)
			for (way = 0; way < WAYS; way++)
				add_cost(r, prefix, way, vecs[c],
					 m.scatter[state][c][way], reps);
	}
}

/* Against the kernel's; net of the copy, and of @clear if it clears, too. */
static void add_cow_ratio(const struct stage_rows *r, const char *name,
			  const double *cow, const double *clear,
			  unsigned int reps)
{
	double net[MAX_REPS], gross[MAX_REPS];
	char full[64];
	unsigned int i;

	for (i = 0; i < reps; i++) {
		gross[i] = cow[i] / m.cow[MMAP][i];
		net[i] = (cow[i] - m.copy[i] - (clear ? clear[i] : 0)) /
			 (m.cow[MMAP][i] - m.copy[i]);
	}
	stage_row(r, name, "ratio", KERNEL_TEXT, "lower", net, reps);
	snprintf(full, sizeof(full), "%s_gross", name);
	stage_row(r, full, "ratio", "the kernel's copy of a private file page",
		  "lower", gross, reps);
}

static void add_cow(const struct stage_rows *r, unsigned int reps)
{
	add_cow_ratio(r, "cow_private_vs_kernel", m.cow[BIND], NULL, reps);
	/* shmem clears the page that the copy goes to */
	add_cow_ratio(r, "cow_shared_vs_kernel", m.cow_shared, m.clear, reps);
	stage_row(r, "cow_shared", "instr/page", NULL, "lower", m.cow_shared,
		  reps);
	stage_row(r, "cow_private", "instr/page", NULL, "lower", m.cow[BIND],
		  reps);
	stage_row(r, "cow_kernel", "instr/page", NULL, "lower", m.cow[MMAP],
		  reps);
	stage_row(r, "copy_alone", "instr/page", NULL, "lower", m.copy, reps);
	stage_row(r, "clear_alone", "instr/page", NULL, "lower", m.clear, reps);
}

/* --- a guest's own first read --- */

enum { FAULTS, INSERTED, PRIVATE, KINDS };

static const char *const kind_names[KINDS] = {
	"guest_read_not_mapped", "guest_read_mapped", "guest_read_private",
};

/* Instructions a page of the guest's first read of what it has in @mem. */
static double guest_reads(char *mem)
{
	struct vcpu v;
	uint32_t value;
	uint64_t t;

	if (vcpu_open(&v))
		return -1;
	vcpu_memory(&v, 1, 0, mem, GUEST_PAGES * PAGE, false);
	/* the CPU's own beginnings are not part of it */
	vcpu_begin(&v, vcpu_sweep, VCPU_CODE, 1);
	vcpu_go(&v, &value);
	vcpu_begin(&v, vcpu_sweep, 0, GUEST_PAGES);
	t = nm_now();
	if (vcpu_go(&v, &value))
		stage_die("the guest did not halt");
	t = nm_now() - t;
	vcpu_close(&v);
	return (double)t / GUEST_PAGES;
}

static double guest_kind(struct pages *p, unsigned int kind)
{
	double v;

	pages_renew(p, kind == PRIVATE ? COPY : BIND, kind == PRIVATE);
	if (kind == FAULTS)
		nm_write_file("/sys/kernel/cowdedup/insert", "0");
	if (kind != PRIVATE && pread(p->image, p->mem, GUEST_PAGES * PAGE, 0) !=
	    GUEST_PAGES * PAGE)
		stage_die("read");
	v = guest_reads(p->mem);
	if (kind == FAULTS)
		nm_write_file("/sys/kernel/cowdedup/insert", "1");
	return v;
}

static void measure_guest(const struct stage_rows *r, struct pages *p,
			  unsigned int reps)
{
	double v[KINDS][MAX_REPS];
	struct vcpu probe;
	const char *why = vcpu_open(&probe);
	unsigned int i, kind;

	if (!why)
		vcpu_close(&probe);
	for (kind = 0; kind < KINDS; kind++) {
		if (why) {
			stage_null(r, kind_names[kind], "instr/page", NULL,
				   "lower", why);
			continue;
		}
		for (i = 0; i < reps; i++)
			v[kind][i] = guest_kind(p, kind);
		stage_row(r, kind_names[kind], "instr/page", NULL, "lower",
			  v[kind], reps);
	}
}

/* --- all of it --- */

static int measure(struct nm_result *result, bool quick, const char *suffix)
{
	struct stage_rows r = { result, suffix, "private" };
	unsigned int reps = quick ? 1 : 3, i;
	struct stage s;
	struct pages p;
	const char *why;

	why = stage_open(&s, NULL);
	if (!why)
		why = stage_mount(&s, "");
	if (why) {
		complain("%s", why);
		return FAILED;
	}
	/* what is written to here is read anew at once */
	if (!access(GUARD, F_OK))
		nm_write_file(GUARD, "0");
	pages_open(&p, &s, quick ? PAGES_MAX / 4 : PAGES_MAX);
	for (i = 0; i < reps; i++) {
		m.copy[i] = pages_copy_alone();
		m.clear[i] = pages_clear_alone();
		measure_gets(&p, i);
		measure_scatters(&p, i);
		measure_cow(&p, i);
		fprintf(stderr, "cowdedup: pass %u of %u\n", i + 1, reps);
	}
	nm_result_placement(result, "one CPU, images on tmpfs");
	add_all(&r, reps);
	measure_guest(&r, &p, reps);
	unmaps_rows(&r, &p);
	pages_close(&p);
	stage_unmount(&s);
	stage_close(&s);
	measure_cow_shared(p.n, reps);
	add_cow(&r, reps);
	stage_null(&r, "base_pages_vs_huge", "ratio",
		   "the same guest in memory with huge pages", "lower",
		   "a miss in the TLB costs nothing under TCG; on hardware: Documentation/admin-guide/cowdedup-monitors.md, The price of 4 KiB");
	return OK;
}

static int run_61(struct nm_result *r, bool quick)
{
	return measure(r, quick, "");
}

static int run_612(struct nm_result *r, bool quick)
{
	return measure(r, quick, "_on_6.12");
}

static const char *const args_61[] = {
	"--kernel", "6.1", "--icount", "--cpus", "1", "--nodes", "1", "--mem",
	"1G", "--timeout", "900", "--append", "init_on_alloc=0", NULL
};

static const char *const args_612[] = {
	"--kernel", "6.12", "--icount", "--cpus", "1", "--nodes", "1", "--mem",
	"1G", "--timeout", "900", "--append", "init_on_alloc=0", NULL
};

const struct nm_bench nm_bench_cowdedup_counted = {
	.name = "cowdedup-counted",
	.summary = "cowdedup, instructions a page, on 6.1",
	.vm_args = args_61,
	.hidden = true,
	.run = run_61,
};

const struct nm_bench nm_bench_cowdedup_counted_612 = {
	.name = "cowdedup-counted-6.12",
	.summary = "cowdedup, instructions a page, on 6.12",
	.vm_args = args_612,
	.hidden = true,
	.run = run_612,
};
