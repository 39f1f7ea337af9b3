// SPDX-License-Identifier: GPL-2.0-only
/*
 * migrate.c - what moving a page costs: numamig against move_pages(2)
 *
 * The same private base pages go from node to node and back, by the kernel
 * engine and by the system call in turn.  The copy itself, which both do, is
 * measured alone and taken off: what is compared is everything around it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../numashare/numashare.h"
#include "bench.h"

#define PAGE	4096ul
#define PAGES	8192ul

static const char *const vm_args[] = {
	"--icount", "--nodes", "2", "--mem", "1G", "--timeout", "900", NULL
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

static double by_syscall(char *p, int node)
{
	uint64_t t;
	size_t i;
	long ret;

	for (i = 0; i < PAGES; i++) {
		page_addr[i] = p + i * PAGE;
		page_node[i] = node;
	}
	t = nm_now();
	ret = move_pages(0, PAGES, page_addr, page_node, page_status,
			 MPOL_MF_MOVE);
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

static int run(struct nm_result *r, bool quick)
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
	nm_result_add(r, &(struct nm_row) { "vs_move_pages", "ratio",
		"move_pages(2), net of the copy", "lower", "kernel" },
		ratio, reps);
	nm_result_add(r, &(struct nm_row) { "numamig", "instr/page", NULL,
		"lower", "kernel" }, ours, reps);
	nm_result_add(r, &(struct nm_row) { "move_pages", "instr/page", NULL,
		"lower", "move_pages" }, theirs, reps);
	nm_result_add(r, &(struct nm_row) { "copy_alone", "instr/page", NULL,
		"lower", "copy" }, copy, reps);
	return OK;
}

const struct nm_bench nm_bench_migrate = {
	.name = "migrate",
	.summary = "instructions to move a page, against move_pages(2)",
	.vm_args = vm_args,
	.run = run,
};
