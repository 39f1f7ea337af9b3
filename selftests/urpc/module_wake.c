// SPDX-License-Identifier: GPL-2.0-only
/*
 * module_wake - no wake-up is lost, whatever the threads and CPUs do meanwhile,
 * and poll(2) says what is there
 *
 * Two processes send each other numbered messages with random pauses, so that
 * every kind of meeting of a sender and a sleeper happens; a message that does
 * not come within LOST is a lost wake-up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "module_test.h"

#define LOST	(10 * SECOND)

static uint64_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 20) % below;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Nothing, some work, a long time, or another CPU. */
static void pause_somehow(int cpus)
{
	switch (rnd(16)) {
	case 0:
		usleep(rnd(2000));
		break;
	case 1:
		sched_yield();
		break;
	case 2:
		if (cpus > 1) {
			cpu_set_t set;

			CPU_ZERO(&set);
			CPU_SET(rnd(cpus), &set);
			/* it may be offline, or not in our cpuset */
			sched_setaffinity(0, sizeof(set), &set);
		}
		break;
	case 3:
	case 4:
	case 5:
		for (volatile uint32_t i = rnd(3000); i; i--)
			;
		break;
	}
}

/* Answer each message with its number until the peer is gone. */
static int echo(struct chan *c, int cpus)
{
	uint64_t word[7], want = 0;
	uint32_t tag;
	int ret;

	for (;;) {
		ret = chan_recv(c, &tag, word, rnd(3) * 20, LOST);
		if (ret == -EPIPE)
			return 0;
		if (ret) {
			printf("# echo: message %llu: %s\n",
			       (unsigned long long)want, strerror(-ret));
			return 1;
		}
		if (word[0] != want++) {
			printf("# echo: %llu came for %llu\n",
			       (unsigned long long)word[0],
			       (unsigned long long)want - 1);
			return 1;
		}
		pause_somehow(cpus);
		ret = chan_send(c, tag, word, 0);
		if (ret) {
			printf("# echo: answer %llu: %s\n",
			       (unsigned long long)want - 1, strerror(-ret));
			return 1;
		}
	}
}

/* A process that has side @b; @a stays with us. */
static pid_t start_echo(struct chan *a, struct chan *b, int cpus)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(a->fd);
	/* ours by fork, without its mappings */
	if (!chan_open(b, b->fd))
		_exit(9);
	seed = getpid();
	status = echo(b, cpus);
	fflush(stdout);
	_exit(status);
}

/*
 * Up to @window messages under way, for @seconds; returns how many came back,
 * or -1.
 */
static long exchange(struct chan *c, double seconds, int window, int cpus)
{
	uint64_t word[7] = { 0 }, sent = 0, back = 0;
	double end = now() + seconds;
	uint32_t tag;
	int ret;

	while (now() < end || back < sent) {
		while (now() < end && sent - back < (uint64_t)window &&
		       (sent == back || rnd(3))) {
			word[0] = sent++;
			if (chan_send(c, 1, word, 0))
				return -1;
			pause_somehow(cpus);
		}
		if (sent == back)
			continue;
		ret = chan_recv(c, &tag, word, rnd(3) * 20, LOST);
		if (ret || word[0] != back++) {
			printf("# answer %llu: %s, got %llu\n",
			       (unsigned long long)back - 1, strerror(-ret),
			       (unsigned long long)word[0]);
			return -1;
		}
	}
	return (long)back;
}

/* Run an exchange against an echo and say how it went. */
static long run(double seconds, uint32_t slots, int window, int cpus)
{
	struct chan a, b;
	int status;
	pid_t pid;
	long n;

	if (!chan_pair(&a, &b, 0, 1, slots, URPC_GUARDED))
		return -1;
	pid = start_echo(&a, &b, cpus);
	chan_close(&b);
	n = exchange(&a, seconds, window, cpus);
	printf("# %ld round trips, %llu waits, %llu barriers\n", n,
	       (unsigned long long)read_number(SYSFS "waits"),
	       (unsigned long long)read_number(SYSFS "barriers"));
	fflush(stdout);
	chan_close(&a);
	waitpid(pid, &status, 0);
	return status ? -1 : n;
}

TEST(one_at_a_time)
{
	EXPECT_LT(15, run(4, 16, 1, 1));
}

TEST(many_under_way)
{
	EXPECT_LT(15, run(4, 16, 12, 1));
}

/*
 * The ring is full again and again: both sides sleep for room, too.  (With more
 * than both rings hold, each side would wait for the other to read.)
 */
TEST(full_ring)
{
	EXPECT_LT(15, run(4, 16, 22, 1));
}

TEST(threads_change_cpus)
{
	EXPECT_LT(15, run(4, 16, 4, sysconf(_SC_NPROCESSORS_CONF)));
}

/* Without an allowance every sleep is cut in slices instead. */
TEST(no_barriers_allowed)
{
	uint64_t limited = read_number(SYSFS "barriers_limited");

	EXPECT_EQ(0, write_text(SYSFS "barrier_rate", "0"));
	EXPECT_LT(20, run(3, 16, 2, 1));
	EXPECT_LT(limited, read_number(SYSFS "barriers_limited"));
	EXPECT_EQ(0, write_text(SYSFS "barrier_rate", "20000"));
}

/* Every now and then a CPU goes, and comes back. */
static pid_t start_hotplug(int cpu)
{
	char path[64];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online",
		 cpu);
	for (;;) {
		write_text(path, "0");
		usleep(100000);
		write_text(path, "1");
		usleep(100000);
	}
}

TEST(cpus_go_offline)
{
	char path[64];
	pid_t pid;

	if (getenv("NUMASHARE_GENTLE"))
		SKIP(return, "others would feel a CPU go offline (--rough)");
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu1/online");
	if (write_text(path, "1"))
		SKIP(return, "CPU 1 cannot go offline");
	pid = start_hotplug(1);
	EXPECT_LT(10, run(5, 16, 4, sysconf(_SC_NPROCESSORS_CONF)));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, write_text(path, "1"));
}

/* A cpuset that shrinks and grows under the sleepers. */
TEST(cpuset_changes)
{
	const char *cg = "/sys/fs/cgroup/urpc-cpuset";
	char path[128], text[32];
	struct chan a, b;
	int status, i;
	pid_t pid, mover;
	long n;

	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
	if (mkdir(cg, 0755) && errno != EEXIST)
		SKIP(return, "no cgroup2");
	snprintf(path, sizeof(path), "%s/cpuset.cpus", cg);
	if (write_text(path, "0-1"))
		SKIP(return, "no cpuset controller");
	ASSERT_TRUE(chan_pair(&a, &b, 0, 1, 16, URPC_GUARDED));
	pid = start_echo(&a, &b, 2);
	chan_close(&b);
	snprintf(path, sizeof(path), "%s/cgroup.procs", cg);
	snprintf(text, sizeof(text), "%d", pid);
	EXPECT_EQ(0, write_text(path, text));
	mover = fork();
	if (!mover) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(path, sizeof(path), "%s/cpuset.cpus", cg);
		for (i = 0;; i++) {
			write_text(path, i & 1 ? "0-1" : i & 2 ? "0" : "1");
			usleep(30000);
		}
	}
	n = exchange(&a, 4, 4, 2);
	EXPECT_LT(20, n);
	kill(mover, SIGKILL);
	waitpid(mover, NULL, 0);
	chan_close(&a);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	rmdir(cg);
}

/* How many barriers side 0 of @c has asked for. */
static uint64_t side_barriers(const struct chan *c)
{
	char path[96];

	snprintf(path, sizeof(path), SYSFS "channels/%llu/side0/barriers",
		 (unsigned long long)c->info.id);
	return read_number(path);
}

/*
 * Call and return: the sleep word is set before the request is published, and
 * hardly a barrier is asked for.
 */
TEST(causal_wait_needs_hardly_a_barrier)
{
	struct urpc_wait w = {
		.size = sizeof(w), .flags = URPC_WAIT_CAUSAL,
		.timeout_ns = LOST,
	};
	uint64_t word[7] = { 0 }, before;
	struct chan a, b;
	uint32_t tag;
	int status, i;
	pid_t pid;

	ASSERT_TRUE(chan_pair(&a, &b, 0, 1, 16, URPC_GUARDED));
	pid = start_echo(&a, &b, 1);
	chan_close(&b);
	before = side_barriers(&a);
	for (i = 0; i < 300; i++) {
		word[0] = i;
		urpc_store(&a.tx.own->rx_sleep, (uint32_t)i + 1);
		ASSERT_EQ(0, chan_send(&a, 1, word, 0));
		w.pos = a.rx.pos;
		ASSERT_EQ(0, call(a.fd, URPC_WAIT, &w));
		ASSERT_EQ(0, chan_recv(&a, &tag, word, 0, 0));
		ASSERT_EQ(i, word[0]);
	}
	/* but for the few whose word a late wake took */
	EXPECT_GT(before + 30, side_barriers(&a));
	chan_close(&a);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

/* --- poll and epoll --- */

static void publish_positions(struct chan *c)
{
	urpc_store(&c->tx.own->cursor, c->rx.pos);
	urpc_store(&c->tx.own->tx_pos, c->tx.pos);
}

TEST(poll_is_level_triggered)
{
	struct pollfd p = { .events = POLLIN };
	uint64_t word[7] = { 0 };
	struct chan a, b;
	uint32_t tag;
	int i;

	ASSERT_TRUE(chan_pair(&a, &b, 0, 1, 16, URPC_GUARDED));
	p.fd = b.fd;
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_EQ(0, chan_send(&a, 1, word, 0));
	EXPECT_EQ(1, poll(&p, 1, 5000));
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_EQ(POLLIN, p.revents);
	EXPECT_EQ(0, chan_recv(&b, &tag, word, 0, 0));
	publish_positions(&b);
	EXPECT_EQ(0, poll(&p, 1, 0));
	/* room: the other way about */
	p.fd = a.fd;
	p.events = POLLOUT;
	for (i = 0; i < 15; i++)
		EXPECT_EQ(0, chan_send(&a, 1, word, 0));
	publish_positions(&a);
	EXPECT_EQ(0, poll(&p, 1, 0));
	for (i = 0; i < 8; i++)
		EXPECT_EQ(0, chan_recv(&b, &tag, word, 0, 0));
	EXPECT_EQ(1, poll(&p, 1, 5000));
	chan_close(&b);
	p.events = POLLIN;
	EXPECT_EQ(1, poll(&p, 1, 5000));
	EXPECT_TRUE(p.revents & POLLHUP);
	chan_close(&a);
}

/* An event loop that only ever sleeps in epoll_wait() misses nothing. */
static void epoll_loop(struct __test_metadata *_metadata, uint32_t events)
{
	struct epoll_event ev = { .events = events };
	uint64_t word[7] = { 0 }, back = 0, sent = 0;
	struct chan a, b;
	double end = now() + 3;
	int status, ep = epoll_create1(EPOLL_CLOEXEC);
	uint32_t tag;
	pid_t pid;

	ASSERT_TRUE(chan_pair(&a, &b, 0, 1, 16, URPC_GUARDED));
	pid = start_echo(&a, &b, 1);
	chan_close(&b);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, a.fd, &ev));
	while (now() < end || back < sent) {
		if (now() < end && sent - back < 8) {
			word[0] = sent++;
			ASSERT_EQ(0, chan_send(&a, 1, word, 0));
			pause_somehow(1);
			if (rnd(2))
				continue;
		}
		publish_positions(&a);
		ASSERT_EQ(1, epoll_wait(ep, &ev, 1, 10000));
		while (!chan_recv(&a, &tag, word, 0, 0))
			ASSERT_EQ(back++, word[0]);
	}
	printf("# %llu round trips\n", (unsigned long long)back);
	fflush(stdout);
	EXPECT_LT(15, back);
	close(ep);
	chan_close(&a);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

TEST(epoll_loses_nothing)
{
	epoll_loop(_metadata, EPOLLIN);
}

TEST(edge_triggered_epoll_loses_nothing)
{
	epoll_loop(_metadata, EPOLLIN | EPOLLET);
}

/* A wait must not take the word away under which epoll waits. */
TEST(epoll_beside_waits)
{
	struct urpc_wait w = { .size = sizeof(w), .timeout_ns = 1000000 };
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	uint64_t word[7] = { 0 };
	struct chan a, b;
	uint32_t tag;

	ASSERT_TRUE(chan_pair(&a, &b, 0, 1, 16, URPC_GUARDED));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, b.fd, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	EXPECT_EQ(ETIMEDOUT, call(b.fd, URPC_WAIT, &w));
	EXPECT_EQ(0, chan_send(&a, 1, word, 0));
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, 5000));
	EXPECT_EQ(0, chan_recv(&b, &tag, word, 0, 0));
	close(ep);
	chan_close(&a);
	chan_close(&b);
}

/* A side that dies in its sleep, or while the other one sleeps. */
TEST(killed_at_any_moment)
{
	uint64_t word[7] = { 0 };
	struct chan a, b;
	int i, ret;
	uint32_t tag;
	pid_t pid;

	for (i = 0; i < 30; i++) {
		ASSERT_TRUE(chan_pair(&a, &b, 0, 1, 16, URPC_GUARDED));
		pid = start_echo(&a, &b, 1);
		chan_close(&b);
		for (word[0] = 0;; word[0]++) {
			if (!rnd(20))
				kill(pid, SIGKILL);
			ret = chan_send(&a, 1, word, 0);
			if (!ret)
				ret = chan_recv(&a, &tag, word, 0, LOST);
			if (ret)
				break;
		}
		EXPECT_EQ(-EPIPE, ret);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		chan_close(&a);
	}
	EXPECT_EQ(0, read_number(SYSFS "channels_open"));
}

TEST_HARNESS_MAIN
