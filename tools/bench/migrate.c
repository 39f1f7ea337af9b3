// SPDX-License-Identifier: GPL-2.0-only
/*
 * migrate.c - what moving a page costs: numamig against move_pages(2)
 *
 * The same private base pages go from node to node and back, by the kernel
 * engine and by the system call in turn.  The copy itself, which both do, is
 * measured alone and taken off: what is compared is everything around it.
 *
 * Three machines: instructions with init_on_alloc=0, for with it QEMU counts
 * 4096 more a page in both columns; the same as the distro boots it; and TLB
 * shootdown interrupts with four CPUs on which threads use the pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <numaif.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../numashare/numashare.h"
#include "bench.h"

#define PAGE	4096ul
#define PAGES	8192ul

#define THREADS	4
#define USED_PAGES 512ul	/* an interrupt takes long in the emulator */

static const char *const counted_args[] = {
	"--icount", "--nodes", "2", "--mem", "1G", "--timeout", "900",
	"--append", "init_on_alloc=0", NULL
};

static const char *const default_args[] = {
	"--icount", "--nodes", "2", "--mem", "1G", "--timeout", "900", NULL
};

static const char *const ipis_args[] = {
	"--cpus", "4", "--nodes", "2", "--mem", "1G", "--timeout", "900", NULL
};

static void *page_addr[PAGES];
static int page_node[PAGES];
static int page_status[PAGES];

static double by_numamig(struct numamig *dev, char *p, int node)
{
	uint64_t result[16], t = nm_now();
	int ret = numamig_move(dev, getpid(), (uintptr_t)p, PAGES * PAGE,
			       node, result);

	t = nm_now() - t;
	if (ret || result[NUMAMIG_PAGE_MOVED] != PAGES) {
		complain("numamig moved %llu of %lu pages: %s",
			 (unsigned long long)result[NUMAMIG_PAGE_MOVED],
			 PAGES, strerror(-ret));
		exit(FAILED);
	}
	return (double)t / PAGES;
}

static void list_pages(char *p, size_t count, int node)
{
	size_t i;

	for (i = 0; i < count; i++) {
		page_addr[i] = p + i * PAGE;
		page_node[i] = node;
	}
}

static long move_listed(size_t count)
{
	return move_pages(0, count, page_addr, page_node, page_status,
			  MPOL_MF_MOVE);
}

static double by_syscall(char *p, int node)
{
	uint64_t t;
	long ret;

	list_pages(p, PAGES, node);
	t = nm_now();
	ret = move_listed(PAGES);
	t = nm_now() - t;
	if (ret || nm_pages_on(0, p, PAGES * PAGE, node) != PAGES) {
		complain("move_pages: %ld, %s", ret, strerror(errno));
		exit(FAILED);
	}
	return (double)t / PAGES;
}

/*
 * What copying a page takes in the kernel, where it is one string instruction
 * of 4096 (or 512) iterations, and QEMU counts each: the same instruction.
 */
static double copy_alone(char *a, char *b)
{
	uint64_t t = nm_now();
	size_t i, n;

	for (i = 0; i < PAGES; i++) {
		void *src = a + i * PAGE, *dst = b + i * PAGE;

		n = PAGE / 8;
		asm volatile("rep movsq"
			     : "+S" (src), "+D" (dst), "+c" (n) : : "memory");
	}
	return (double)(nm_now() - t) / PAGES;
}

static void add(struct nm_result *r, const char *name, const char *suffix,
		const char *unit, const char *against, const char *backend,
		const double *v, unsigned int n)
{
	char full[64];

	snprintf(full, sizeof(full), "%s%s", name, suffix);
	nm_result_add(r, &(struct nm_row) { full, unit, against, "lower",
		backend }, v, n);
}

static int count(struct nm_result *r, bool quick, const char *suffix)
{
	unsigned int reps = quick ? 2 : 5, i;
	double ours[16], theirs[16], ratio[16], copy[16];
	struct numamig *dev;
	char *p, *q;
	int ret;

	ret = numamig_open(&dev);
	if (ret)
		return explain_open(ret);
	nm_write_file("/proc/sys/kernel/numa_balancing", "0");
	p = nm_memory(PAGES * PAGE, 0, false);
	q = nm_memory(PAGES * PAGE, 0, false);
	for (i = 0; i < reps; i++) {
		copy[i] = copy_alone(q, p);
		/* there and back with each, both directions in every figure */
		ours[i] = by_numamig(dev, p, 1);
		theirs[i] = by_syscall(p, 0);
		theirs[i] = (theirs[i] + by_syscall(p, 1)) / 2;
		ours[i] = (ours[i] + by_numamig(dev, p, 0)) / 2;
		ratio[i] = (ours[i] - copy[i]) / (theirs[i] - copy[i]);
	}
	numamig_close(dev);
	nm_result_placement(r, "one CPU on node 0, pages between 0 and 1");
	add(r, "vs_move_pages", suffix, "ratio",
	    "move_pages(2), net of the copy", "kernel", ratio, reps);
	add(r, "numamig", suffix, "instr/page", NULL, "kernel", ours, reps);
	add(r, "move_pages", suffix, "instr/page", NULL, "move_pages", theirs,
	    reps);
	add(r, "copy_alone", suffix, "instr/page", NULL, "copy", copy, reps);
	return OK;
}

static int run_counted(struct nm_result *r, bool quick)
{
	return count(r, quick, "");
}

static int run_default(struct nm_result *r, bool quick)
{
	return count(r, quick, "_as_booted");
}

/* --- interrupts --- */

static volatile bool stop;

static void *use_pages(void *arg)
{
	volatile char *p = arg;
	size_t i;

	while (!stop)
		for (i = 0; i < USED_PAGES && !stop; i++)
			(void)p[i * PAGE];
	return NULL;
}

/* TLB shootdown interrupts of all CPUs so far. */
static double shootdowns(void)
{
	char line[1024], *at;
	double sum = 0;
	FILE *f = fopen("/proc/interrupts", "re");

	while (f && fgets(line, sizeof(line), f)) {
		at = strstr(line, "TLB:");
		if (!at)
			continue;
		for (at = strtok(at + 4, " "); at; at = strtok(NULL, " "))
			sum += atof(at);
	}
	if (f)
		fclose(f);
	return sum;
}

static int run_ipis(struct nm_result *r, bool quick)
{
	unsigned int reps = quick ? 2 : 5, i;
	double ours[16], theirs[16], t;
	pthread_t thread[THREADS];
	struct numamig *dev;
	char *p;
	int ret;

	ret = numamig_open(&dev);
	if (ret)
		return explain_open(ret);
	nm_write_file("/proc/sys/kernel/numa_balancing", "0");
	p = nm_memory(USED_PAGES * PAGE, 0, false);
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, use_pages, p);
	usleep(200000);
	for (i = 0; i < reps; i++) {
		t = shootdowns();
		numamig_move(dev, getpid(), (uintptr_t)p, USED_PAGES * PAGE,
			     1, NULL);
		ours[i] = (shootdowns() - t) / USED_PAGES;
		list_pages(p, USED_PAGES, 0);
		move_listed(USED_PAGES);
		t = shootdowns();
		list_pages(p, USED_PAGES, 1);
		move_listed(USED_PAGES);
		theirs[i] = (shootdowns() - t) / USED_PAGES;
		list_pages(p, USED_PAGES, 0);
		move_listed(USED_PAGES);
	}
	stop = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	numamig_close(dev);
	nm_result_placement(r, "4 CPUs, a thread on each uses the pages");
	add(r, "tlb_ipis_numamig", "", "interrupts/page", NULL, "kernel", ours,
	    reps);
	add(r, "tlb_ipis_move_pages", "", "interrupts/page", NULL,
	    "move_pages", theirs, reps);
	return OK;
}

/* --- all of it --- */

static int run(struct nm_result *r, bool quick)
{
	static const struct nm_row main_row = {
		"vs_move_pages", "ratio", "move_pages(2), net of the copy",
		"lower", "kernel",
	};

	if (!nm_result_merge(r, "migrate-counted", quick))
		nm_result_null(r, &main_row, "the virtual machine could not "
			       "be run: tools/vm/run -- true says why");
	nm_result_merge(r, "migrate-as-booted", quick);
	nm_result_merge(r, "migrate-ipis", quick);
	return OK;
}

const struct nm_bench nm_bench_migrate = {
	.name = "migrate",
	.summary = "instructions to move a page, against move_pages(2)",
	.run = run,
};

const struct nm_bench nm_bench_migrate_counted = {
	.name = "migrate-counted",
	.summary = "migrate, counted, init_on_alloc=0",
	.vm_args = counted_args,
	.hidden = true,
	.run = run_counted,
};

const struct nm_bench nm_bench_migrate_default = {
	.name = "migrate-as-booted",
	.summary = "migrate, counted, as the distro boots",
	.vm_args = default_args,
	.hidden = true,
	.run = run_default,
};

const struct nm_bench nm_bench_migrate_ipis = {
	.name = "migrate-ipis",
	.summary = "TLB shootdown interrupts a page",
	.vm_args = ipis_args,
	.hidden = true,
	.run = run_ipis,
};
