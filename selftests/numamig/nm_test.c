// SPDX-License-Identifier: GPL-2.0-only
/*
 * nm_test.c - what the tests of numamig share
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nm_test.h"

void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("# cannot go on: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

uint64_t read_number(const char *path)
{
	unsigned long long v = 0;
	FILE *f = fopen(path, "re");

	must(f && fscanf(f, "%llu", &v) == 1, path);
	fclose(f);
	return v;
}

int write_errno(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

void write_text(const char *path, const char *text)
{
	errno = write_errno(path, text);
	must(!errno, path);
}

void balancing_off(void)
{
	static const char path[] = "/proc/sys/kernel/numa_balancing";

	if (access(path, F_OK))
		return;
	write_text(path, "0");
}

uint64_t counter(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), SYSFS "%s", name);
	return read_number(path);
}

void pin_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

int first_cpu_of(int node)
{
	struct bitmask *mask = numa_allocate_cpumask();
	unsigned int i;
	int cpu = -1;

	must(!numa_node_to_cpus(node, mask), "numa_node_to_cpus");
	for (i = 0; i < mask->size && cpu < 0; i++)
		if (numa_bitmask_isbitset(mask, i))
			cpu = i;
	numa_free_cpumask(mask);
	return cpu;
}

void touch_on(int node)
{
	unsigned long mask;

	if (node < 0) {
		must(!set_mempolicy(MPOL_DEFAULT, NULL, 0), "set_mempolicy");
		return;
	}
	mask = 1ul << node;
	must(!set_mempolicy(MPOL_BIND, &mask, 64), "set_mempolicy");
}

static char *aligned(size_t bytes)
{
	char *p = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "mmap");
	return (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
}

void *base_pages(size_t bytes, int node)
{
	char *p = aligned(bytes);

	madvise(p, bytes, MADV_NOHUGEPAGE);
	touch_on(node);
	fill(p, bytes, 1);
	touch_on(-1);
	must(pages_on(0, p, bytes, node) == bytes / PAGE, "placement");
	return p;
}

static size_t anon_huge(void)
{
	char line[256];
	size_t kb = 0, v;
	FILE *f = fopen("/proc/self/smaps", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %zu kB", &v) == 1)
			kb += v;
	if (f)
		fclose(f);
	return kb << 10;
}

void *huge_pages(size_t bytes, int node)
{
	size_t before = anon_huge();
	char *p = aligned(bytes);

	madvise(p, bytes, MADV_HUGEPAGE);
	touch_on(node);
	fill(p, bytes, 1);
	touch_on(-1);
	return anon_huge() - before >= bytes ? p : NULL;
}

void fill(void *p, size_t bytes, uint64_t seed)
{
	uint64_t *w = p;
	size_t i;

	for (i = 0; i < bytes / 8; i++)
		w[i] = (i + seed) * 0x9e3779b97f4a7c15ull;
}

long check(const void *p, size_t bytes, uint64_t seed)
{
	const uint64_t *w = p;
	size_t i;

	for (i = 0; i < bytes / 8; i++)
		if (w[i] != (i + seed) * 0x9e3779b97f4a7c15ull)
			return i;
	return -1;
}

int node_of(pid_t pid, const void *p)
{
	void *page = (void *)p;
	int status = -EIO;

	must(!move_pages(pid, 1, &page, NULL, &status, 0), "move_pages");
	return status;
}

size_t pages_on(pid_t pid, const void *p, size_t bytes, int node)
{
	enum { BATCH = 1024 };
	static void *page[BATCH];
	static int status[BATCH];
	size_t at = 0, n, i, found = 0;

	while (at < bytes) {
		for (n = 0; n < BATCH && at < bytes; n++, at += PAGE)
			page[n] = (char *)p + at;
		must(!move_pages(pid, n, page, NULL, status, 0), "move_pages");
		for (i = 0; i < n; i++)
			found += status[i] == node;
	}
	return found;
}

static pid_t child(void)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

pid_t sleeping_child(void)
{
	pid_t pid = child();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

pid_t spinning_child(int cpu)
{
	volatile unsigned long spins = 0;
	pid_t pid = child();

	if (!pid) {
		pin_cpu(cpu);
		for (;;)
			spins++;
	}
	return pid;
}

pid_t reading_child(int cpu, void *p, size_t bytes)
{
	volatile uint64_t *w = p;
	uint64_t x = 88172645463325252ull;
	pid_t pid = child();

	if (!pid) {
		pin_cpu(cpu);
		for (;;) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			(void)w[x % (bytes / 8)];
		}
	}
	return pid;
}

void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

bool wait_for(bool (*cond)(void *arg), void *arg, double seconds)
{
	const char *slow = getenv("NUMASHARE_SLOW");
	double end = seconds_now() + seconds * (slow ? atoi(slow) : 1);

	while (!cond(arg)) {
		if (seconds_now() > end)
			return false;
		usleep(20000);
	}
	return true;
}
