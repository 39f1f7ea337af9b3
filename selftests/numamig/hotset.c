// SPDX-License-Identifier: GPL-2.0-only
/*
 * hotset - a program with a hot buffer on one node and its CPU on another
 *
 *   hotset [--mib N] [--node FROM] [--cpu N] [--seconds S] [--huge] [--shared]
 *          [--file PATH] [--procs N] [--write] [--until TO]
 *
 * Fills the buffer while it is bound to node FROM, takes the binding back,
 * moves to CPU N and then reads (or adds to) random words of it.  Prints
 * "ready PID ADDRESS BYTES" before, and the number of accesses at the end.
 * With --until it ends earlier, a second after 98 % of the buffer came to node
 * TO: who watches sees it there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <numaif.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct {
	size_t bytes;
	int node;
	int cpu;
	double seconds;
	int huge;
	int shared;
	int procs;
	int write;
	int until;
	const char *file;
} opt = { 64ul << 20, 0, -1, 10, 0, 0, 1, 0, -1, NULL };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static char *map_buffer(void)
{
	size_t align = 2ul << 20;
	int fd = -1, flags = MAP_ANONYMOUS;
	char *p;

	if (opt.file) {
		fd = open(opt.file, O_RDWR | O_CREAT, 0600);
		if (fd < 0 || ftruncate(fd, opt.bytes))
			die(opt.file);
		flags = 0;
	}
	flags |= opt.shared || opt.file ? MAP_SHARED : MAP_PRIVATE;
	p = mmap(NULL, opt.bytes + (fd < 0 ? align : 0),
		 PROT_READ | PROT_WRITE, flags, fd, 0);
	if (p == MAP_FAILED)
		die("mmap");
	if (fd < 0)
		p = (char *)(((uintptr_t)p + align - 1) & ~(align - 1));
	madvise(p, opt.bytes, opt.huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return p;
}

static void fill(char *p)
{
	unsigned long mask = 1ul << opt.node;
	size_t i;

	if (set_mempolicy(MPOL_BIND, &mask, 64))
		die("set_mempolicy");
	for (i = 0; i < opt.bytes; i += 8)
		*(uint64_t *)(p + i) = i;
	if (set_mempolicy(MPOL_DEFAULT, NULL, 0))
		die("set_mempolicy");
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Do 98 of 100 pages lie on node opt.until? */
static int arrived(char *p)
{
	enum { BATCH = 1024, SIZE = 4096 };
	static void *page[BATCH];
	static int node[BATCH];
	size_t at, pages = opt.bytes / SIZE, there = 0;
	int i, n;

	for (at = 0; at < pages; at += n) {
		n = pages - at < BATCH ? pages - at : BATCH;
		for (i = 0; i < n; i++)
			page[i] = p + (at + i) * SIZE;
		if (move_pages(0, n, page, NULL, node, 0))
			die("move_pages");
		for (i = 0; i < n; i++)
			there += node[i] == opt.until;
	}
	return there * 100 >= pages * 98;
}

/* Looking costs little enough five times a second. */
static void look(char *p, double *next, double *end)
{
	double t;

	if (opt.until < 0 || now() < *next)
		return;
	if (arrived(p)) {
		t = now() + 1;
		*end = t < *end ? t : *end;
		*next = *end;
		return;
	}
	*next = now() + 0.2;
}

static unsigned long work(char *p)
{
	volatile uint64_t *w = (volatile uint64_t *)p;
	uint64_t x = 88172645463325252ull + getpid(), sum = 0;
	size_t words = opt.bytes / 8;
	double next = now(), end = next + opt.seconds;
	unsigned long n = 0;
	int i;

	while (now() < end) {
		for (i = 0; i < 10000; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			if (opt.write)
				w[x % words] += x;
			else
				sum += w[x % words];
		}
		n += 10000;
		look(p, &next, &end);
	}
	return n + (sum == 42);
}

static void parse(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "mib", required_argument, NULL, 'm' },
		{ "node", required_argument, NULL, 'n' },
		{ "cpu", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' },
		{ "huge", no_argument, NULL, 'H' },
		{ "shared", no_argument, NULL, 'S' },
		{ "file", required_argument, NULL, 'f' },
		{ "procs", required_argument, NULL, 'p' },
		{ "write", no_argument, NULL, 'w' },
		{ "until", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (c) {
		case 'm': opt.bytes = strtoul(optarg, NULL, 0) << 20; break;
		case 'n': opt.node = atoi(optarg); break;
		case 'c': opt.cpu = atoi(optarg); break;
		case 's': opt.seconds = atof(optarg); break;
		case 'H': opt.huge = 1; break;
		case 'S': opt.shared = 1; break;
		case 'f': opt.file = optarg; break;
		case 'p': opt.procs = atoi(optarg); break;
		case 'w': opt.write = 1; break;
		case 'u': opt.until = atoi(optarg); break;
		default: exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned long n;
	cpu_set_t set;
	char *p;
	int i;

	parse(argc, argv);
	p = map_buffer();
	fill(p);
	if (opt.cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(opt.cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			die("sched_setaffinity");
	}
	printf("ready %d %lx %lx\n", getpid(), (unsigned long)p, opt.bytes);
	fflush(stdout);
	for (i = 1; i < opt.procs; i++) {
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			work(p);
			_exit(0);
		}
	}
	n = work(p);
	while (wait(NULL) > 0)
		;
	printf("accesses %lu\n", n);
	return 0;
}
