// SPDX-License-Identifier: GPL-2.0-only
/*
 * torn - no word is lost or torn while its page is moved
 *
 *   torn [SECONDS]
 *
 * One writer a CPU owns a part of a buffer and knows what every word of it has
 * to be.  It writes, checks, changes protections, unmaps, discards, swaps out
 * and forks; all writers together also add to shared counters.  Meanwhile
 * movers send the whole buffer from node to node and back, by the kernel
 * engine and by move_pages(2), and processes that use the same memory are
 * killed in the middle of it.  Any word that differs is a failure.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <numaif.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "needs.h"
#include "nm_test.h"

#define PART_PAGES	256
#define WORDS		(PAGE / 8)
#define COUNTER_PAGES	8
#define COUNTERS	(COUNTER_PAGES * WORDS)
#define MAX_CPUS	16

static struct {
	int cpus;
	char *buf;			/* cpus * PART_PAGES pages */
	_Atomic uint64_t *counters;	/* private memory, all writers */
	atomic_ullong added;
	atomic_bool stop;
	atomic_int bad;
	atomic_ullong moved_kernel, moved_syscall, kills;
	atomic_ullong ops[8];
} t;

enum { WRITE, CHECK, PROTECT, UNMAP, DISCARD, SWAP, FORK, COUNT };

static const char *const op_names[] = {
	"write", "check", "mprotect", "munmap", "MADV_DONTNEED",
	"MADV_PAGEOUT", "fork", "count",
};

struct writer {
	pthread_t thread;
	int cpu;
	char *part;
	uint32_t seq[PART_PAGES];	/* 0: the page has to be zero */
	uint64_t rng;
};

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static uint64_t expected(int cpu, int page, uint32_t seq, size_t word)
{
	if (!seq)
		return 0;
	return ((uint64_t)seq << 32 | cpu << 24 | page << 12 | word) *
	       0x9e3779b97f4a7c15ull;
}

static void complain_word(const struct writer *w, int page, size_t word,
			  uint64_t is, const char *where)
{
	printf("# %s: cpu %d page %d word %zu: %016llx, not %016llx\n", where,
	       w->cpu, page, word, (unsigned long long)is,
	       (unsigned long long)expected(w->cpu, page, w->seq[page], word));
	fflush(stdout);
}

static bool check_page(const struct writer *w, int page, const char *where)
{
	volatile uint64_t *p = (uint64_t *)(w->part + page * PAGE);
	size_t i;

	for (i = 0; i < WORDS; i++) {
		uint64_t v = p[i];

		if (v == expected(w->cpu, page, w->seq[page], i))
			continue;
		complain_word(w, page, i, v, where);
		return false;
	}
	return true;
}

static void write_page(struct writer *w, int page)
{
	volatile uint64_t *p = (uint64_t *)(w->part + page * PAGE);
	uint32_t seq = w->seq[page] + 1 ? w->seq[page] + 1 : 1;
	size_t i;

	for (i = 0; i < WORDS; i++)
		p[i] = expected(w->cpu, page, seq, i);
	w->seq[page] = seq;
}

static bool in_child(struct writer *w)
{
	pid_t pid = fork();
	int status, i;

	must(pid >= 0, "fork");
	if (!pid) {
		/* a snapshot of this writer's part, and its own copies of it */
		for (i = 0; i < 16; i++) {
			int page = next(&w->rng) % PART_PAGES;

			if (!check_page(w, page, "in a child"))
				_exit(1);
			write_page(w, page);
			if (!check_page(w, page, "written by a child"))
				_exit(1);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return !status;
}

static bool step(struct writer *w)
{
	uint64_t r = next(&w->rng);
	int page = r % PART_PAGES, n = 1 + (r >> 16) % 16, i;
	char *p = w->part + page * PAGE;
	int op = (r >> 24) % 64;

	if (page + n > PART_PAGES)
		n = PART_PAGES - page;
	op = op < 28 ? WRITE : op < 44 ? CHECK : op < 49 ? PROTECT :
	     op < 52 ? UNMAP : op < 55 ? DISCARD : op < 58 ? SWAP :
	     op < 59 ? FORK : COUNT;
	atomic_fetch_add(&t.ops[op], 1);
	switch (op) {
	case WRITE:
		write_page(w, page);
		return check_page(w, page, "just written");
	case CHECK:
		return check_page(w, page, "later");
	case PROTECT:
		must(!mprotect(p, n * PAGE, PROT_READ), "mprotect");
		for (i = 0; i < n; i++)
			if (!check_page(w, page + i, "read-only"))
				return false;
		must(!mprotect(p, n * PAGE, PROT_READ | PROT_WRITE),
		     "mprotect");
		return true;
	case UNMAP:
		must(!munmap(p, n * PAGE), "munmap");
		must(mmap(p, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			  MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p, "mmap");
		memset(&w->seq[page], 0, n * sizeof(w->seq[0]));
		return check_page(w, page, "fresh");
	case DISCARD:
		must(!madvise(p, n * PAGE, MADV_DONTNEED), "DONTNEED");
		memset(&w->seq[page], 0, n * sizeof(w->seq[0]));
		return check_page(w, page, "discarded");
	case SWAP:
		madvise(p, n * PAGE, MADV_PAGEOUT);
		return check_page(w, page, "swapped out");
	case FORK:
		return in_child(w);
	default:
		for (i = 0; i < 64; i++)
			atomic_fetch_add(&t.counters[next(&w->rng) % COUNTERS],
					 1);
		atomic_fetch_add(&t.added, 64);
		return true;
	}
}

static void *write_all(void *arg)
{
	struct writer *w = arg;
	int page;

	pin_cpu(w->cpu);
	for (page = 0; page < PART_PAGES; page++)
		write_page(w, page);
	while (!atomic_load(&t.stop))
		if (!step(w)) {
			atomic_store(&t.bad, 1);
			atomic_store(&t.stop, true);
		}
	for (page = 0; page < PART_PAGES; page++)
		if (!check_page(w, page, "at the end"))
			atomic_store(&t.bad, 1);
	return NULL;
}

static size_t buffer_bytes(void)
{
	return (size_t)t.cpus * PART_PAGES * PAGE;
}

/* By the kernel engine: the buffer and the counters, there and back. */
static void *move_by_kernel(void *arg)
{
	struct numamig *dev;
	uint64_t r[16];
	int node = 1, ret;

	(void)arg;
	must(!numamig_open(&dev), "open");
	while (!atomic_load(&t.stop)) {
		ret = numamig_move(dev, getpid(), (uintptr_t)t.buf,
				   buffer_bytes(), node, r);
		must(!ret, "NUMAMIG_MOVE");
		atomic_fetch_add(&t.moved_kernel, r[NUMAMIG_PAGE_MOVED]);
		ret = numamig_move(dev, getpid(), (uintptr_t)t.counters,
				   COUNTER_PAGES * PAGE, node, r);
		must(!ret, "NUMAMIG_MOVE");
		atomic_fetch_add(&t.moved_kernel, r[NUMAMIG_PAGE_MOVED]);
		node = !node;
	}
	numamig_close(dev);
	return NULL;
}

/* By the system call, against it: the two meet on the same pages. */
static void *move_by_syscall(void *arg)
{
	void *page[64];
	int node[64], status[64], i, to = 0;
	uint64_t rng = 42;

	(void)arg;
	while (!atomic_load(&t.stop)) {
		size_t first = next(&rng) % (t.cpus * PART_PAGES - 64);

		for (i = 0; i < 64; i++) {
			page[i] = t.buf + (first + i) * PAGE;
			node[i] = to;
			status[i] = -1;
		}
		if (move_pages(0, 64, page, node, status, MPOL_MF_MOVE) >= 0)
			for (i = 0; i < 64; i++)
				if (status[i] == to)
					atomic_fetch_add(&t.moved_syscall, 1);
		to = !to;
		usleep(1000);
	}
	return NULL;
}

/* Processes with the same memory, killed at any moment of being moved. */
static void *kill_children(void *arg)
{
	struct numamig *dev;
	uint64_t r[16];
	pid_t pid;

	(void)arg;
	must(!numamig_open(&dev), "open");
	while (!atomic_load(&t.stop)) {
		pid = fork();
		must(pid >= 0, "fork");
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				memset(t.buf, 0x55, buffer_bytes());
		}
		usleep(5000);
		kill(pid, SIGKILL);
		/* it may be gone, or going: either answer is right */
		numamig_move(dev, pid, (uintptr_t)t.buf, buffer_bytes(), 1, r);
		waitpid(pid, NULL, 0);
		atomic_fetch_add(&t.kills, 1);
		usleep(20000);
	}
	numamig_close(dev);
	return NULL;
}

static void *anonymous(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "mmap");
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

static bool counters_add_up(void)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < COUNTERS; i++)
		sum += t.counters[i];
	printf("# counters: %llu, added %llu\n", (unsigned long long)sum,
	       (unsigned long long)t.added);
	return sum == t.added;
}

int main(int argc, char **argv)
{
	static struct writer w[MAX_CPUS];
	double seconds = argc > 1 ? atof(argv[1]) : 30;
	const char *why = lacks(NEED_NODES);
	pthread_t movers[3];
	int i;

	t.cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (t.cpus > MAX_CPUS)
		t.cpus = MAX_CPUS;
	ksft_print_header();
	if (why)
		ksft_exit_skip("%s\n", why);
	ksft_set_plan(4);
	t.buf = anonymous(buffer_bytes());
	t.counters = anonymous(COUNTER_PAGES * PAGE);
	for (i = 0; i < t.cpus; i++) {
		w[i].cpu = i;
		w[i].part = t.buf + (size_t)i * PART_PAGES * PAGE;
		w[i].rng = 88172645463325252ull + i;
		pthread_create(&w[i].thread, NULL, write_all, &w[i]);
	}
	pthread_create(&movers[0], NULL, move_by_kernel, NULL);
	pthread_create(&movers[1], NULL, move_by_syscall, NULL);
	pthread_create(&movers[2], NULL, kill_children, NULL);
	for (i = 0; i < seconds * 10 && !atomic_load(&t.stop); i++)
		usleep(100000);
	atomic_store(&t.stop, true);
	for (i = 0; i < t.cpus; i++)
		pthread_join(w[i].thread, NULL);
	for (i = 0; i < 3; i++)
		pthread_join(movers[i], NULL);
	for (i = 0; i < 8; i++)
		printf("# %-14s %llu\n", op_names[i],
		       (unsigned long long)t.ops[i]);
	printf("# pages moved: %llu by the kernel engine, %llu by the system "
	       "call; %llu processes killed\n",
	       (unsigned long long)t.moved_kernel,
	       (unsigned long long)t.moved_syscall,
	       (unsigned long long)t.kills);
	ksft_test_result(!t.bad, "every word checks\n");
	ksft_test_result(counters_add_up(), "no addition was lost\n");
	/* a run in which little was moved would prove nothing */
	ksft_test_result(t.moved_kernel > 1000, "the kernel engine moved pages\n");
	ksft_test_result(t.moved_syscall > 100, "the system call moved pages\n");
	if (ksft_get_fail_cnt())
		ksft_exit_fail();
	ksft_exit_pass();
}
