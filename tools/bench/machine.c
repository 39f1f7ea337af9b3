// SPDX-License-Identifier: GPL-2.0-only
/*
 * machine.c - memory, CPUs and files for the benchmarks
 */
#define _GNU_SOURCE
#include <errno.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

#define PAGE 4096ul

static void die(const char *what)
{
	perror(what);
	exit(1);
}

uint64_t nm_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

void nm_write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) == EOF || fclose(f))
		die(path);
}

uint64_t nm_read_number(const char *path)
{
	unsigned long long v = 0;
	FILE *f = fopen(path, "re");

	if (!f || fscanf(f, "%llu", &v) != 1)
		die(path);
	fclose(f);
	return v;
}

/*
 * The memory is placed with mbind() and the binding is taken back once it is
 * filled, so that nothing forbids to move it.
 */
void *nm_memory(size_t bytes, int node, bool huge)
{
	unsigned long mask = 1ul << node;
	size_t align = 2ul << 20, i;
	char *raw, *p;

	raw = mmap(NULL, bytes + align, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED)
		die("mmap");
	p = (char *)(((uintptr_t)raw + align - 1) & ~(align - 1));
	madvise(p, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	if (mbind(p, bytes, MPOL_BIND, &mask, 64, 0))
		die("mbind");
	for (i = 0; i < bytes; i += PAGE)
		p[i] = i / PAGE + 1;
	if (mbind(p, bytes, MPOL_DEFAULT, NULL, 0, 0))
		die("mbind");
	return p;
}

size_t nm_pages_on(int pid, const void *addr, size_t bytes, int node)
{
	enum { N = 4096 };
	static void *pages[N];
	static int status[N];
	size_t at, n, i, found = 0;

	for (at = 0; at < bytes; at += n * PAGE) {
		for (n = 0; n < N && at + n * PAGE < bytes; n++)
			pages[n] = (char *)addr + at + n * PAGE;
		if (move_pages(pid, n, pages, NULL, status, 0))
			die("move_pages");
		for (i = 0; i < n; i++)
			found += status[i] == node;
	}
	return found;
}

