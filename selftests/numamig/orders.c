// SPDX-License-Identifier: GPL-2.0-only
/*
 * orders - from injected samples, whose truth is known, to moved pages
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "needs.h"
#include "nm_test.h"

#define BLOCK	HUGE
#define N	(BLOCK / PAGE)
/*
 * A page may be in somebody's hands just when it is to be moved; those of one
 * CPU's batch on its way to the LRU, up to 15 (31 in newer kernels), are in the
 * kernel's.
 */
#define BUSY	32

static const char *const results[] = {
	"moved", "nothing", "refused", "gone", "stale", "cpuset", "mempolicy",
	"nomem", "no_helper", "helper_error", "split", "dry_run", "cancelled",
};

FIXTURE(orders)
{
	struct numamig *dev;
	struct numamig *helper;
	pthread_t thread;
	bool quit;
	uint64_t before[ARRAY_SIZE(results)];
};

static uint64_t result(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "orders/%s", name);
	return counter(path);
}

FIXTURE_SETUP(orders)
{
	unsigned int i;

	SETUP_NEEDS(NEED_NODES);
	balancing_off();
	write_text(SYSFS "sampler", "inject");
	write_text(SYSFS "policy/window_ms", "50");
	for (i = 0; i < ARRAY_SIZE(results); i++)
		self->before[i] = result(results[i]);
	self->helper = NULL;
	ASSERT_EQ(0, numamig_open(&self->dev));
}

/* Every order that was issued ended, once. */
static bool all_ended(void *arg)
{
	uint64_t sum = 0;
	unsigned int i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(results); i++)
		sum += result(results[i]);
	return counter("orders/issued") == sum && !counter("orders/pending");
}

FIXTURE_TEARDOWN(orders)
{
	if (self->helper) {
		__atomic_store_n(&self->quit, true, __ATOMIC_RELEASE);
		pthread_join(self->thread, NULL);
		numamig_close(self->helper);
	}
	numamig_close(self->dev);
	/* one that would end again later is met by the next test */
	EXPECT_TRUE(wait_for(all_ended, NULL, 10));
	EXPECT_EQ(0, counter("targets"));
	write_text(SYSFS "sampler", "auto");
	write_text(SYSFS "policy/window_ms", "200");
	write_text(SYSFS "dry_run", "0");
}

static void *serve(void *arg)
{
	FIXTURE_DATA(orders) *self = arg;

	while (!__atomic_load_n(&self->quit, __ATOMIC_ACQUIRE))
		numamig_helper_step(self->helper, 50, NULL);
	return NULL;
}

static void start_helper(FIXTURE_DATA(orders) *self)
{
	must(!numamig_open(&self->helper), "open");
	must(!numamig_helper(self->helper), "helper");
	self->quit = false;
	must(!pthread_create(&self->thread, NULL, serve, self), "thread");
}

/* One sample at @p by @node. */
static int inject(struct numamig *dev, pid_t pid, const void *p, int node)
{
	struct numamig_sample s = {
		.addr = (uintptr_t)p,
		.pid = pid,
		.node = node,
	};

	return numamig_inject(dev, &s, 1);
}

/*
 * @n samples all over [p, p + bytes) by @node.  The gate wants 64 samples for
 * a local share, the block rule 8 in 4 different parts.
 */
static void inject_all_over(struct numamig *dev, pid_t pid, const char *p,
			    size_t bytes, int node, int n)
{
	struct numamig_sample s[1024] = { 0 };
	int i;

	for (i = 0; i < n; i++) {
		s[i].addr = (uintptr_t)p + (bytes / n * i + random() %
					    (bytes / n));
		s[i].pid = pid;
		s[i].node = node;
	}
	must(numamig_inject(dev, s, n) == n, "inject");
}

static bool orders_done(void *arg)
{
	return counter("orders/issued") > *(uint64_t *)arg &&
	       !counter("orders/pending");
}

static bool wait_order(uint64_t issued)
{
	return wait_for(orders_done, &issued, 10);
}

/* 1 when the helper has something to read within ten seconds. */
static int poll_order(struct numamig *helper)
{
	struct pollfd p = { .fd = numamig_fd(helper), .events = POLLIN };

	return poll(&p, 1, 10000);
}

static uint64_t new_results(FIXTURE_DATA(orders) *self, const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(results); i++)
		if (!strcmp(results[i], name))
			return result(name) - self->before[i];
	must(false, name);
	return 0;
}

TEST_F(orders, block_moves)
{
	char *p = base_pages(2 * BLOCK, 0);
	uint64_t issued = counter("orders/issued");

	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 1));
	EXPECT_EQ(N, pages_on(0, p + BLOCK, BLOCK, 0));
	EXPECT_EQ(-1, check(p, 2 * BLOCK, 1));
	EXPECT_EQ(1, new_results(self, "moved"));
}

/* Samples in one place of a block move their pages, not the block. */
TEST_F(orders, single_pages_move)
{
	char *p = base_pages(BLOCK, 0);
	uint64_t issued = counter("orders/issued");
	int i;

	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	for (i = 0; i < 40; i++) {
		inject(self->dev, getpid(), p + 100 * PAGE, 1);
		inject(self->dev, getpid(), p + 101 * PAGE + 64, 1);
	}
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(1, node_of(0, p + 100 * PAGE));
	EXPECT_EQ(1, node_of(0, p + 101 * PAGE));
	EXPECT_EQ(2, pages_on(0, p, BLOCK, 1));
}

/* Two nodes use the pages evenly: nothing to gain. */
TEST_F(orders, evenly_shared_stays)
{
	char *p = base_pages(BLOCK, 0);
	uint64_t issued = counter("orders/issued");
	int i;

	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	for (i = 0; i < 400; i++)
		inject(self->dev, getpid(), p + i * PAGE, i / 2 % 2);
	for (i = 0; i < 400; i++)
		inject(self->dev, getpid(), p + i * PAGE, ~i / 2 % 2);
	usleep(500000);
	EXPECT_EQ(issued, counter("orders/issued"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
}

/* Mostly local already: the gate keeps out. */
TEST_F(orders, local_enough_stays)
{
	char *p = base_pages(4 * BLOCK, 0);
	uint64_t issued = counter("orders/issued");

	/* all of it has to be in one window */
	write_text(SYSFS "policy/window_ms", "2000");
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, 3 * BLOCK, 0, 900);
	inject_all_over(self->dev, getpid(), p + 3 * BLOCK, BLOCK, 1, 100);
	usleep(3000000);
	EXPECT_EQ(issued, counter("orders/issued"));
}

TEST_F(orders, dry_run_moves_nothing)
{
	char *p = base_pages(BLOCK, 0);
	uint64_t issued = counter("orders/issued");

	write_text(SYSFS "dry_run", "1");
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(1, new_results(self, "dry_run"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
	write_text(SYSFS "dry_run", "0");
}

TEST_F(orders, dry_run_of_one_target)
{
	char *p = base_pages(BLOCK, 0);
	uint64_t issued = counter("orders/issued");

	ASSERT_EQ(0, numamig_add(self->dev, getpid(),
				 NUMAMIG_TARGET_DRY_RUN));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(1, new_results(self, "dry_run"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
}

TEST_F(orders, not_back_at_once)
{
	char *p = base_pages(BLOCK, 0);
	uint64_t issued = counter("orders/issued");
	int i;

	write_text(SYSFS "policy/bounce_windows", "1000");
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	issued = counter("orders/issued");
	for (i = 0; i < 5; i++) {
		inject_all_over(self->dev, getpid(), p, BLOCK, 0, 500);
		usleep(100000);
	}
	EXPECT_EQ(issued, counter("orders/issued"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 1));
	write_text(SYSFS "policy/bounce_windows", "8");
}

TEST_F(orders, cpuset_forbids)
{
	NEEDS(NEED_CPUSETS);

	const char *cg = "/sys/fs/cgroup/nm-orders";
	char *p = base_pages(BLOCK, 0), path[128], pid[16];
	uint64_t issued = counter("orders/issued");

	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
	ASSERT_EQ(0, mkdir(cg, 0755));
	snprintf(path, sizeof(path), "%s/cpuset.mems", cg);
	write_text(path, "0");
	snprintf(path, sizeof(path), "%s/cgroup.procs", cg);
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_text(path, pid);
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(1, new_results(self, "cpuset"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
	write_text("/sys/fs/cgroup/cgroup.procs", pid);
	EXPECT_EQ(0, rmdir(cg));
}

TEST_F(orders, mempolicy_forbids)
{
	char *p = base_pages(BLOCK, 0);
	uint64_t issued = counter("orders/issued");

	ASSERT_EQ(0, mbind(p, BLOCK, MPOL_BIND, &(unsigned long){ 1 }, 64, 0));
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(1, new_results(self, "mempolicy"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
}

/* mbind() on a shared mapping sets the policy of the object. */
TEST_F(orders, mempolicy_of_shared_memory_forbids)
{
	uint64_t issued = counter("orders/issued");
	char *p;

	start_helper(self);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_EQ(0, mbind(p, BLOCK, MPOL_BIND, &(unsigned long){ 1 }, 64, 0));
	fill(p, BLOCK, 1);
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_LE(1, new_results(self, "mempolicy"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
}

TEST_F(orders, no_helper_is_counted)
{
	uint64_t issued = counter("orders/issued");
	char *p;

	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(p, BLOCK, 1);
	touch_on(-1);
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_LE(1, new_results(self, "no_helper"));
	EXPECT_EQ(new_results(self, "no_helper"), new_results(self, "split"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
}

TEST_F(orders, shared_memory_by_the_helper)
{
	uint64_t issued = counter("orders/issued");
	char *p;

	touch_on(0);
	p = mmap(NULL, BLOCK + HUGE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	fill(p, BLOCK, 1);
	touch_on(-1);
	start_helper(self);
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 500);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_LE(N - BUSY, pages_on(0, p, BLOCK, 1));
	EXPECT_EQ(-1, check(p, BLOCK, 1));
}

/*
 * A buffer touched by many processes is one hot block and not many cold
 * pages: no process alone has enough samples.  All of them map it, so moving
 * needs MPOL_MF_MOVE_ALL.
 */
TEST_F(orders, many_processes_one_buffer)
{
	uint64_t issued = counter("orders/issued");
	int i, k, ready[2];
	pid_t pids[20];
	char *p, c;

	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(p, BLOCK, 1);
	touch_on(-1);
	start_helper(self);
	ASSERT_EQ(0, pipe(ready));
	for (i = 0; i < 20; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			/* map it all, then wait */
			check(p, BLOCK, 1);
			if (write(ready[1], "x", 1) == 1)
				for (;;)
					pause();
			_exit(1);
		}
	}
	for (i = 0; i < 20; i++)
		ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, numamig_add(self->dev, getpid(),
				 NUMAMIG_TARGET_CHILDREN));
	/* five samples each, all over: none alone reaches eight */
	for (i = 0; i < 20; i++)
		for (k = 0; k < 5; k++)
			ASSERT_EQ(1, inject(self->dev, pids[i], p +
					    ((i * 5 + k) * 5) * PAGE, 1));
	EXPECT_TRUE(wait_order(issued));
	EXPECT_LE(N - BUSY, pages_on(0, p, BLOCK, 1));
	for (i = 0; i < 20; i++)
		end_child(pids[i]);
	EXPECT_EQ(-1, check(p, BLOCK, 1));
}

/* The same pages, mapped by a process that is not in the target: they stay. */
TEST_F(orders, shared_with_outsiders_stays)
{
	uint64_t issued = counter("orders/issued");
	int ready[2];
	pid_t pid;
	char *p, c;

	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(p, BLOCK, 1);
	touch_on(-1);
	start_helper(self);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		check(p, BLOCK, 1);
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	ASSERT_EQ(1, read(ready[0], &c, 1));
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 500);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_LE(1, new_results(self, "refused"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
	end_child(pid);
}

/* Bytes of huge pages in the mapping that holds @p. */
static size_t huge_bytes(const void *p)
{
	unsigned long start, end;
	bool here = false;
	char line[256];
	size_t kb = 0;
	FILE *f = fopen("/proc/self/smaps", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)p && (uintptr_t)p < end;
		else if (here)
			sscanf(line, "AnonHugePages: %zu kB", &kb);
	}
	if (f)
		fclose(f);
	return kb << 10;
}

TEST_F(orders, huge_page_moves_whole)
{
	NEEDS(NEED_THP);

	char *p = huge_pages(2 * HUGE, 0);
	uint64_t issued = counter("orders/issued");
	size_t huge = huge_bytes(p);

	if (!p)
		SKIP(return, "no huge pages here");
	start_helper(self);
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, HUGE, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(HUGE / PAGE, pages_on(0, p, HUGE, 1));
	EXPECT_EQ(HUGE / PAGE, pages_on(0, p + HUGE, HUGE, 0));
	EXPECT_EQ(huge, huge_bytes(p));
	EXPECT_EQ(-1, check(p, 2 * HUGE, 1));
}

TEST_F(orders, hugetlb_moves)
{
	NEEDS(NEED_HUGETLB);

	uint64_t issued = counter("orders/issued");
	char *p;

	write_text("/sys/devices/system/node/node0/hugepages/"
		   "hugepages-2048kB/nr_hugepages", "2");
	write_text("/sys/devices/system/node/node1/hugepages/"
		   "hugepages-2048kB/nr_hugepages", "2");
	touch_on(0);
	p = mmap(NULL, HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	fill(p, HUGE, 1);
	touch_on(-1);
	ASSERT_EQ(0, node_of(0, p));
	start_helper(self);
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, HUGE, 1, 100);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(1, node_of(0, p));
	EXPECT_EQ(-1, check(p, HUGE, 1));
	munmap(p, HUGE);
	write_text("/sys/devices/system/node/node0/hugepages/"
		   "hugepages-2048kB/nr_hugepages", "0");
	write_text("/sys/devices/system/node/node1/hugepages/"
		   "hugepages-2048kB/nr_hugepages", "0");
}

/* A private mapping of a file: its copied pages are the process's own. */
TEST_F(orders, private_file_pages)
{
	uint64_t issued = counter("orders/issued");
	int fd = memfd_create("x", 0);
	char *p;

	ASSERT_EQ(0, ftruncate(fd, BLOCK));
	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	fill(p, BLOCK, 1);
	touch_on(-1);
	start_helper(self);
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 500);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_LE(N - BUSY, pages_on(0, p, BLOCK, 1));
	EXPECT_EQ(-1, check(p, BLOCK, 1));
	close(fd);
}

/* The helper dies with orders in its hands. */
TEST_F(orders, helper_dies)
{
	uint64_t issued = counter("orders/issued");
	struct numamig_order o[8];
	struct numamig *h;
	char *p;

	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(p, BLOCK, 1);
	touch_on(-1);
	ASSERT_EQ(0, numamig_open(&h));
	ASSERT_EQ(0, numamig_helper(h));
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 500);
	ASSERT_LT(0, read(numamig_fd(h), o, sizeof(o)));
	EXPECT_EQ(getpid(), o[0].pid);
	EXPECT_EQ(1, o[0].node);
	EXPECT_EQ(NUMAMIG_ORDER_ALL, o[0].flags);
	EXPECT_LT(0, counter("orders/pending"));
	numamig_close(h);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_LE(1, new_results(self, "no_helper"));
}

/* An order that could not be handed over is there for the next read. */
TEST_F(orders, helper_reads_in_vain)
{
	void *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	struct numamig_order o[8];
	struct numamig *h;
	char *p;

	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(p, BLOCK, 1);
	touch_on(-1);
	ASSERT_EQ(0, numamig_open(&h));
	ASSERT_EQ(0, numamig_helper(h));
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 500);
	ASSERT_EQ(1, poll_order(h));
	EXPECT_EQ(-1, read(numamig_fd(h), hole, sizeof(o)));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(1, poll_order(h));
	EXPECT_LT(0, read(numamig_fd(h), o, sizeof(o)));
	EXPECT_EQ(getpid(), o[0].pid);
	numamig_close(h);
}

/* What the helper reports is what is counted, once. */
TEST_F(orders, helper_reports)
{
	struct numamig_order_done d = { .size = sizeof(d) };
	struct numamig_order o[8];
	struct numamig *h;
	ssize_t n;
	char *p;
	int i;

	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(p, BLOCK, 1);
	touch_on(-1);
	ASSERT_EQ(0, numamig_open(&h));
	ASSERT_EQ(0, numamig_helper(h));
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 500);
	n = read(numamig_fd(h), o, sizeof(o)) / sizeof(o[0]);
	ASSERT_LT(0, n);
	for (i = 0; i < n; i++) {
		d.id = o[i].id;
		d.error = EIO;
		EXPECT_EQ(0, ioctl(numamig_fd(h), NUMAMIG_ORDER_DONE, &d));
		EXPECT_EQ(-1, ioctl(numamig_fd(h), NUMAMIG_ORDER_DONE, &d));
		EXPECT_EQ(ENOENT, errno);
	}
	EXPECT_EQ((uint64_t)n, new_results(self, "helper_error"));
	numamig_close(h);
}

/*
 * A process whose memory is locked much of the time, for it forks and is large,
 * so that the mover is often stopped in the middle of an order.
 */
static pid_t forking_child(void *shared)
{
	pid_t pid = fork(), inner;
	char *p;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	p = base_pages(64ul << 20, 0);
	*(volatile char *)shared = 1;
	for (;;) {
		inner = fork();
		if (!inner)
			_exit(*p == 0x7f);
		waitpid(inner, NULL, 0);
	}
}

/* Until an order is issued; windows are short, so this looks often. */
static void await_order(uint64_t issued)
{
	int tries;

	for (tries = 0; tries < 4000; tries++)
		if (counter("orders/issued") != issued)
			return;
}

/* The kill switch reaches orders that are on their way to the helper, too. */
TEST_F_TIMEOUT(orders, nothing_reaches_the_helper_after_stop, 180)
{
	struct numamig_order o[8];
	int round, late = 0;
	struct numamig *h;
	uint64_t issued;
	double end;
	pid_t pid;
	char *p;

	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(p, 0, BLOCK);
	touch_on(-1);
	pid = forking_child(p);
	while (!*(volatile char *)p)
		usleep(1000);
	write_text(SYSFS "policy/window_ms", "10");
	ASSERT_EQ(0, numamig_open(&h));
	ASSERT_EQ(0, numamig_helper(h));
	ASSERT_EQ(0, fcntl(numamig_fd(h), F_SETFL, O_NONBLOCK));
	/* where forking is slow, fewer rounds */
	end = seconds_now() + 40;
	for (round = 0; round < 10 && !late && seconds_now() < end; round++) {
		issued = counter("orders/issued");
		ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
		inject_all_over(self->dev, pid, p, BLOCK, 1, 500);
		await_order(issued);
		ASSERT_EQ(0, numamig_stop_all(self->dev));
		late += counter("orders/pending") ||
			read(numamig_fd(h), o, sizeof(o)) > 0;
	}
	EXPECT_EQ(0, late);
	end_child(pid);
	numamig_close(h);
}

/* Between the samples and the order the memory became something else. */
TEST_F(orders, target_vanishes)
{
	char *p = base_pages(4 * BLOCK, 0);
	uint64_t issued = counter("orders/issued");
	pid_t pid = sleeping_child();

	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	inject_all_over(self->dev, pid, p, 4 * BLOCK, 1, 400);
	end_child(pid);
	usleep(500000);
	/* whatever was issued ended: the teardown adds up */
	EXPECT_LE(issued, counter("orders/issued"));
}

TEST_F(orders, unmapped_meanwhile)
{
	char *p = base_pages(BLOCK, 0);
	uint64_t issued = counter("orders/issued");

	write_text(SYSFS "policy/window_ms", "1000");
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 100);
	ASSERT_EQ(0, munmap(p, BLOCK));
	EXPECT_TRUE(wait_order(issued));
	EXPECT_EQ(1, new_results(self, "nothing"));
}

TEST_F(orders, another_file_meanwhile)
{
	uint64_t issued = counter("orders/issued");
	int fd = memfd_create("y", 0);
	char *p;

	ASSERT_EQ(0, ftruncate(fd, BLOCK));
	touch_on(0);
	p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(p, BLOCK, 1);
	write_text(SYSFS "policy/window_ms", "1000");
	start_helper(self);
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	inject_all_over(self->dev, getpid(), p, BLOCK, 1, 500);
	ASSERT_EQ(p, mmap(p, BLOCK, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, fd, 0));
	fill(p, BLOCK, 2);
	touch_on(-1);
	EXPECT_TRUE(wait_order(issued));
	EXPECT_LE(1, new_results(self, "stale"));
	EXPECT_EQ(N, pages_on(0, p, BLOCK, 0));
}

/* Stopping with a queue full of orders. */
TEST_F(orders, stop_with_orders)
{
	char *p = base_pages(64 * BLOCK, 0);
	struct numamig *other;
	int i;

	ASSERT_EQ(0, numamig_open(&other));
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	for (i = 0; i < 64; i++)
		inject_all_over(self->dev, getpid(), p + i * BLOCK, BLOCK, 1,
				20);
	usleep(60000);
	EXPECT_EQ(0, numamig_stop_all(other));
	EXPECT_EQ(0, counter("orders/pending"));
	EXPECT_EQ(-1, check(p, 64 * BLOCK, 1));
	numamig_close(other);
}

/* The rate limit spreads orders over time; nothing is dropped. */
TEST_F(orders, rate_limit)
{
	char *p = base_pages(16 * BLOCK, 0);
	int i, round;

	write_text(SYSFS "policy/rate_mib", "8");
	ASSERT_EQ(0, numamig_add(self->dev, getpid(), 0));
	usleep(300000);
	for (i = 0; i < 16; i++)
		inject_all_over(self->dev, getpid(), p + i * BLOCK, BLOCK, 1,
				20);
	usleep(200000);
	/* half a second of it may have been saved up */
	EXPECT_GE(4 * N, pages_on(0, p, 16 * BLOCK, 1));
	for (round = 0; round < 200; round++) {
		if (pages_on(0, p, 16 * BLOCK, 1) == 16 * N)
			break;
		for (i = 0; i < 16; i++)
			inject_all_over(self->dev, getpid(), p + i * BLOCK,
					BLOCK, 1, 64);
		usleep(100000);
	}
	EXPECT_EQ(16 * N, pages_on(0, p, 16 * BLOCK, 1));
	write_text(SYSFS "policy/rate_mib", "1024");
}

TEST_HARNESS_MAIN
