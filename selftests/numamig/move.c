// SPDX-License-Identifier: GPL-2.0-only
/*
 * move - the kernel engine: what it moves, what it leaves, and why
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "needs.h"
#include "nm_test.h"

#define N	512ul
#define BYTES	(N * PAGE)

FIXTURE(move)
{
	struct numamig *dev;
	uint64_t r[16];
};

FIXTURE_SETUP(move)
{
	SETUP_NEEDS(NEED_NODES);
	balancing_off();
	ASSERT_EQ(0, numamig_open(&self->dev));
}

FIXTURE_TEARDOWN(move)
{
	numamig_close(self->dev);
}

#define MOVE(_p, _bytes, _node)						\
	numamig_move(self->dev, getpid(), (uintptr_t)(_p), _bytes, _node, \
		     self->r)
#define R(_what)	self->r[NUMAMIG_PAGE_##_what]

TEST_F(move, there_and_back)
{
	char *p = base_pages(BYTES, 0);

	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(MOVED));
	EXPECT_EQ(N, pages_on(0, p, BYTES, 1));
	EXPECT_EQ(-1, check(p, BYTES, 1));
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(LOCAL));
	EXPECT_EQ(0, R(MOVED));
	EXPECT_EQ(0, MOVE(p, BYTES, 0));
	EXPECT_EQ(N, R(MOVED));
	EXPECT_EQ(-1, check(p, BYTES, 1));
}

TEST_F(move, of_another_process)
{
	char *p = base_pages(BYTES, 0);
	int go[2], back[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(back));
	pid = fork();
	if (!pid) {
		/* make them its own, then say so; then check them */
		fill(p, BYTES, 2);
		if (write(back[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(2);
		_exit(check(p, BYTES, 2) != -1);
	}
	EXPECT_EQ(1, read(back[0], &c, 1));
	EXPECT_EQ(0, numamig_move(self->dev, pid, (uintptr_t)p, BYTES, 1,
				  self->r));
	EXPECT_EQ(N, R(MOVED) + R(LOCAL));
	EXPECT_EQ(N, pages_on(pid, p, BYTES, 1));
	EXPECT_EQ(1, write(go[1], "x", 1));
	waitpid(pid, &(int){ 0 }, 0);
	EXPECT_EQ(N, pages_on(0, p, BYTES, 0));
	EXPECT_EQ(-1, check(p, BYTES, 1));
}

/* What a child still shares belongs to both: it never opted in. */
TEST_F(move, fork_shared_stays)
{
	char *p = base_pages(BYTES, 0);
	pid_t pid = sleeping_child();

	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(0, R(MOVED));
	EXPECT_EQ(N, R(SHARED));
	EXPECT_EQ(N, pages_on(0, p, BYTES, 0));
	/* a written page is this process's own copy */
	fill(p, 16 * PAGE, 1);
	touch_on(-1);
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(16, R(MOVED) + R(LOCAL));
	EXPECT_EQ(N - 16, R(SHARED));
	EXPECT_EQ(-1, check(p, BYTES, 1));
	end_child(pid);
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(MOVED) + R(LOCAL));
}

TEST_F(move, huge_page_is_kept)
{
	NEEDS(NEED_THP);

	uint64_t splits = 0, after = 0;
	char *p = huge_pages(4 * HUGE, 0);
	FILE *f;

	if (!p)
		SKIP(return, "no huge pages here");
	f = popen("sed -n 's/^thp_split_page //p' /proc/vmstat", "r");
	ASSERT_EQ(1, fscanf(f, "%lu", &splits));
	pclose(f);
	EXPECT_EQ(0, MOVE(p, 4 * HUGE, 1));
	EXPECT_EQ(0, R(MOVED));
	EXPECT_EQ(4 * HUGE / PAGE, R(LARGE));
	EXPECT_EQ(4 * HUGE / PAGE, pages_on(0, p, 4 * HUGE, 0));
	f = popen("sed -n 's/^thp_split_page //p' /proc/vmstat", "r");
	ASSERT_EQ(1, fscanf(f, "%lu", &after));
	pclose(f);
	EXPECT_EQ(splits, after);
	EXPECT_EQ(-1, check(p, 4 * HUGE, 1));
}

/* Huge and base pages side by side: the base pages go. */
TEST_F(move, huge_next_to_base)
{
	NEEDS(NEED_THP);

	char *p = huge_pages(2 * HUGE, 0);

	if (!p)
		SKIP(return, "no huge pages here");
	madvise(p + HUGE, HUGE, MADV_NOHUGEPAGE);
	/* unmapping a page of the second splits its mapping */
	ASSERT_EQ(0, munmap(p + HUGE, PAGE));
	EXPECT_EQ(0, MOVE(p, 2 * HUGE, 1));
	EXPECT_GE(R(LARGE), HUGE / PAGE);
	EXPECT_GE(R(ABSENT), 1);
	EXPECT_EQ(HUGE / PAGE, pages_on(0, p, HUGE, 0));
	EXPECT_EQ(-1, check(p, HUGE, 1));
}

TEST_F(move, holes_are_not_populated)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char c;
	unsigned char vec[N];
	size_t i, present = 0;

	madvise(p, BYTES, MADV_NOHUGEPAGE);
	/* every fourth page is there, every fourth is the zero page */
	touch_on(0);
	for (i = 0; i < N; i += 4) {
		p[i * PAGE] = 1;
		c = p[(i + 1) * PAGE];
		(void)c;
	}
	touch_on(-1);
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N / 4, R(MOVED));
	EXPECT_EQ(N - N / 4, R(ABSENT));
	for (i = 0; i < N; i++) {
		int node = node_of(0, p + i * PAGE);

		present += node >= 0;
		EXPECT_EQ(i % 4 ? 1 : 0, node != 1);
	}
	EXPECT_EQ(N / 4, present);
	EXPECT_EQ(0, mincore(p, BYTES, vec));
}

TEST_F(move, ranges_with_gaps)
{
	char *p = base_pages(BYTES, 0);

	ASSERT_EQ(0, munmap(p + 100 * PAGE, 50 * PAGE));
	ASSERT_EQ(0, mprotect(p + 200 * PAGE, 20 * PAGE, PROT_NONE));
	ASSERT_EQ(0, mprotect(p + 300 * PAGE, 20 * PAGE, PROT_READ));
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N - 50, R(MOVED));
	EXPECT_EQ(50, R(ABSENT));
	ASSERT_EQ(0, mprotect(p + 200 * PAGE, 20 * PAGE, PROT_READ));
	EXPECT_EQ(-1, check(p, 100 * PAGE, 1));
	EXPECT_EQ(-1, check(p + 150 * PAGE, 362 * PAGE, 1 + 150 * 512));
	/* nothing at all there */
	EXPECT_EQ(0, MOVE(p + 100 * PAGE, 50 * PAGE, 0));
	EXPECT_EQ(50, R(ABSENT));
}

TEST_F(move, pinned_stays)
{
	char *p = base_pages(16 * PAGE, 0);
	struct iovec v = { p, 16 * PAGE };
	int pp[2];

	ASSERT_EQ(0, pipe(pp));
	ASSERT_EQ(16 * PAGE, vmsplice(pp[1], &v, 1, 0));
	EXPECT_EQ(0, MOVE(p, 16 * PAGE, 1));
	EXPECT_EQ(0, R(MOVED));
	EXPECT_EQ(16, R(BUSY));
	EXPECT_EQ(16, pages_on(0, p, 16 * PAGE, 0));
	EXPECT_EQ(-1, check(p, 16 * PAGE, 1));
	close(pp[0]);
	close(pp[1]);
	EXPECT_EQ(0, MOVE(p, 16 * PAGE, 1));
	EXPECT_EQ(16, R(MOVED));
}

TEST_F(move, mlocked_moves)
{
	char *p = base_pages(BYTES, 0);

	ASSERT_EQ(0, mlock(p, BYTES));
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(MOVED));
	EXPECT_EQ(-1, check(p, BYTES, 1));
	ASSERT_EQ(0, munlock(p, BYTES));
}

/* Whatever is not private anonymous memory is the helper's business. */
TEST_F(move, other_kinds_stay)
{
	int fd = memfd_create("x", 0);
	char *shared, *file, *priv;

	ASSERT_EQ(0, ftruncate(fd, BYTES));
	touch_on(0);
	shared = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fill(shared, BYTES, 1);
	file = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	fill(file, BYTES, 1);
	priv = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	fill(priv, BYTES, 2);
	touch_on(-1);
	EXPECT_EQ(0, MOVE(shared, BYTES, 1));
	EXPECT_EQ(N, R(KIND));
	EXPECT_EQ(0, MOVE(file, BYTES, 1));
	EXPECT_EQ(N, R(KIND));
	EXPECT_EQ(0, MOVE(priv, BYTES, 1));
	EXPECT_EQ(N, R(KIND));
	EXPECT_EQ(-1, check(shared, BYTES, 1));
	EXPECT_EQ(-1, check(file, BYTES, 1));
	EXPECT_EQ(-1, check(priv, BYTES, 2));
}

TEST_F(move, hugetlb_stays)
{
	NEEDS(NEED_HUGETLB);

	char *p;

	write_text("/proc/sys/vm/nr_hugepages", "8");
	p = mmap(NULL, 4 * HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (p == MAP_FAILED)
		SKIP(return, "no hugetlb pages to be had");
	fill(p, 4 * HUGE, 1);
	EXPECT_EQ(0, MOVE(p, 4 * HUGE, 1));
	EXPECT_EQ(0, R(MOVED));
	EXPECT_EQ(4 * HUGE / PAGE, R(KIND));
	EXPECT_EQ(-1, check(p, 4 * HUGE, 1));
	munmap(p, 4 * HUGE);
	write_text("/proc/sys/vm/nr_hugepages", "0");
}

TEST_F(move, merged_pages_stay)
{
	NEEDS(NEED_KSM);

	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int i;

	madvise(p, BYTES, MADV_NOHUGEPAGE);
	touch_on(0);
	memset(p, 0x5a, BYTES);
	touch_on(-1);
	write_text("/sys/kernel/mm/ksm/merge_across_nodes", "1");
	write_text("/sys/kernel/mm/ksm/pages_to_scan", "5000");
	write_text("/sys/kernel/mm/ksm/run", "1");
	ASSERT_EQ(0, madvise(p, BYTES, MADV_MERGEABLE));
	for (i = 0; i < 200; i++) {
		if (read_number("/sys/kernel/mm/ksm/pages_sharing") >= N - 40)
			break;
		usleep(50000);
	}
	ASSERT_LT(i, 200);
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_LE(R(MOVED), 40);
	EXPECT_GE(R(KIND), N - 40);
	for (i = 0; i < (int)BYTES; i++)
		ASSERT_EQ(0x5a, p[i]);
	write_text("/sys/kernel/mm/ksm/run", "2");
}

TEST_F(move, policy_of_the_range)
{
	unsigned long zero = 1, one = 2;
	char *p = base_pages(BYTES, 0);

	ASSERT_EQ(0, mbind(p, 100 * PAGE, MPOL_BIND, &zero, 64, 0));
	ASSERT_EQ(0, mbind(p + 100 * PAGE, 100 * PAGE, MPOL_PREFERRED, &one,
			   64, 0));
	ASSERT_EQ(0, mbind(p + 200 * PAGE, 100 * PAGE, MPOL_INTERLEAVE,
			   &(unsigned long){ 3 }, 64, 0));
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(200, R(FAILED));
	EXPECT_EQ(N - 200, R(MOVED));
	EXPECT_EQ(100, pages_on(0, p, 100 * PAGE, 0));
	EXPECT_EQ(100, pages_on(0, p + 200 * PAGE, 100 * PAGE, 0));
}

TEST_F(move, policy_of_the_task)
{
	char *p = base_pages(BYTES, 0);
	unsigned long zero = 1, both = 3;

	ASSERT_EQ(0, set_mempolicy(MPOL_BIND, &zero, 64));
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(FAILED));
	ASSERT_EQ(0, set_mempolicy(MPOL_BIND, &both, 64));
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(MOVED));
	ASSERT_EQ(0, set_mempolicy(MPOL_DEFAULT, NULL, 0));
}

TEST_F(move, cpuset)
{
	NEEDS(NEED_CPUSETS);

	const char *cg = "/sys/fs/cgroup/nm-test";
	char *p = base_pages(BYTES, 0), path[128], pid[16];

	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
	ASSERT_EQ(0, mkdir(cg, 0755));
	snprintf(path, sizeof(path), "%s/cpuset.mems", cg);
	write_text(path, "0");
	snprintf(path, sizeof(path), "%s/cgroup.procs", cg);
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_text(path, pid);
	EXPECT_EQ(-EACCES, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, pages_on(0, p, BYTES, 0));
	write_text("/sys/fs/cgroup/cgroup.procs", pid);
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(MOVED));
	EXPECT_EQ(0, rmdir(cg));
}

/* Below its high watermark a node gets nothing. */
TEST_F(move, full_node)
{
	NEEDS(NEED_FULL_NODE);

	char *p = base_pages(BYTES, 0), *eat;
	long long room = 0;
	size_t i;

	numa_node_size64(1, &room);
	eat = mmap(NULL, room, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	madvise(eat, room, MADV_NOHUGEPAGE);
	ASSERT_NE(MAP_FAILED, eat);
	mbind(eat, room, MPOL_PREFERRED, &(unsigned long){ 2 }, 64, 0);
	/* until the node is full and pages come from the other one */
	for (i = 0; i < (size_t)room / PAGE; i++) {
		eat[i * PAGE] = 1;
		if (i % 64 == 0 && node_of(0, eat + i * PAGE) != 1)
			break;
	}
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(NOMEM));
	EXPECT_EQ(-1, check(p, BYTES, 1));
	munmap(eat, room);
	EXPECT_EQ(0, MOVE(p, BYTES, 1));
	EXPECT_EQ(N, R(MOVED));
}

TEST_F(move, bad_memory_moves_nothing)
{
	/* a range that spans the whole address space is walked, not believed */
	EXPECT_EQ(0, MOVE(0, 1ull << 40, 1));
	EXPECT_EQ(0, R(FAILED));
}

TEST_HARNESS_MAIN
