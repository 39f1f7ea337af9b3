// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_process - fork, exec, kill, and channels that move to another process
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

FIXTURE(process)
{
};

FIXTURE_VARIANT(process)
{
	struct urpc_channel_attr attr;
};

FIXTURE_VARIANT_ADD(process, guarded)
{
	.attr = { .slots = 16 },
};

FIXTURE_VARIANT_ADD(process, shared)
{
	.attr = { .slots = 16, .level = URPC_SHARED },
};

FIXTURE_SETUP(process)
{
}

FIXTURE_TEARDOWN(process)
{
}

/* --- fork and exec ------------------------------------------------------- */

/* Every call in the child fails, and none of them harms the parent. */
static int use_in_child(struct urpc_channel *c, struct urpc_endpoint *e)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	struct urpc_message m[4];
	struct urpc_channel *other;
	struct urpc_stats s;
	char *ring = (char *)c->tx.slot;
	int bad = 0;

	memset(m, 0, sizeof(m));
	bad |= urpc_try_send(c, 0, w) != -EBADF;
	bad |= urpc_send(c, 0, w) != -EBADF;
	bad |= urpc_try_recv(c, NULL, w) != -EBADF;
	bad |= urpc_recv(c, NULL, w) != -EBADF;
	bad |= urpc_try_send_batch(c, m, 4) != -EBADF;
	bad |= urpc_recv_batch(c, m, 4, -1) != -EBADF;
	bad |= urpc_send_bulk(c, 0, w, 8, -1) != -EBADF;
	bad |= urpc_recv_bulk(c, NULL, w, 56, -1) != -EBADF;
	bad |= urpc_call(c, 0, w, NULL, w, -1) != -EBADF;
	bad |= urpc_call_next(c, NULL, w, -1) != -EBADF;
	bad |= urpc_channel_fd(c) != -EBADF;
	bad |= urpc_poll_prepare(c) != -EBADF;
	bad |= urpc_get_stats(c, &s) != -EBADF;
	bad |= urpc_channel_pass(c, 0) != -EBADF;
	bad |= urpc_accept(e, NULL, 0, &other) != -EBADF;
	/* the place of the ring is free */
	(void)ring;
	urpc_close(c);
	urpc_endpoint_close(e);
	return bad;
}

static bool is_mapped(const void *p)
{
	unsigned char v;
	void *page = (void *)((uintptr_t)p & ~4095ul);

	return !mincore(page, 4096, &v);
}

TEST_F(process, fork_inherits_nothing)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	struct urpc_endpoint *e = listener(new_name());
	unsigned int before = open_fds(getpid()), in_child;
	struct urpc_channel *c[2];
	void *ring[4];
	int status, i, fds[2];
	pid_t pid;

	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	for (i = 0; i < 2; i++) {
		ASSERT_LE(0, urpc_channel_fd(c[i]));
		ring[i] = c[i]->tx.slot;
		ring[2 + i] = (void *)(uintptr_t)c[i]->rx.slot;
		ASSERT_TRUE(is_mapped(ring[i]));
		ASSERT_TRUE(is_mapped(ring[2 + i]));
	}
	ASSERT_EQ(0, pipe(fds));
	pid = fork();
	if (!pid) {
		int bad = 0;

		in_child = open_fds(getpid());
		if (write(fds[1], &in_child, sizeof(in_child)) < 0)
			_exit(1);
		for (i = 0; i < 4; i++)
			bad |= is_mapped(ring[i]) << i;
		bad |= use_in_child(c[0], e) << 4;
		_exit(bad);
	}
	status = end_of(pid);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	ASSERT_EQ(sizeof(in_child), read(fds[0], &in_child, sizeof(in_child)));
	/* the pipe, and not even the endpoint */
	EXPECT_GT(before + 2, in_child);
	/* here it goes on */
	EXPECT_EQ(0, urpc_send(c[0], 0, w));
	EXPECT_EQ(0, urpc_recv_timed(c[1], NULL, w, BOUND_NS));
	urpc_close(c[0]);
	EXPECT_EQ(-EPIPE, urpc_recv_timed(c[1], NULL, w, BOUND_NS));
	urpc_close(c[1]);
	urpc_endpoint_close(e);
}

/* The end of the parent's side is seen while a child of it lives on. */
static int fork_and_die(struct urpc_channel *c, void *arg)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };

	if (!fork()) {
		/* longer than the parent looks on */
		sleep(5);
		_exit(0);
	}
	urpc_send(c, 0, w);
	kill(getpid(), SIGKILL);
	return 0;
}

TEST_F(process, child_does_not_keep_it_open)
{
	uint64_t w[URPC_SLOT_WORDS];
	struct urpc_channel *c;
	pid_t pid = spawn_peer(&variant->attr, fork_and_die, NULL, &c);

	EXPECT_EQ(0, urpc_recv_timed(c, NULL, w, BOUND_NS));
	EXPECT_EQ(-EPIPE, urpc_recv_timed(c, NULL, w, BOUND_NS));
	end_of(pid);
	urpc_close(c);
}

TEST_F(process, exec_keeps_nothing)
{
	unsigned int before = open_fds(getpid()), i;
	struct urpc_channel *c[2];
	struct urpc_endpoint *e = listener(new_name());
	char command[128];

	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	for (i = 0; i < 2; i++)
		ASSERT_LE(0, urpc_channel_fd(c[i]));
	/* the endpoint, two channels at least; more without the module */
	ASSERT_LT(before + 2, open_fds(getpid()));
	/* system() goes through posix_spawn(), which runs no handlers */
	snprintf(command, sizeof(command),
		 "n=$(ls /proc/self/fd | wc -l); [ $n -le %u ]", before + 5);
	EXPECT_EQ(0, system(command));
	urpc_close(c[0]);
	urpc_close(c[1]);
	urpc_endpoint_close(e);
}

static void *fork_a_lot(void *arg)
{
	bool *stop = arg;
	pid_t pid;

	while (!urpc_load(stop)) {
		pid = fork();
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return NULL;
}

/* Forks in the middle of set-up, use and tear-down. */
TEST_F(process, fork_beside_everything)
{
	double end = seconds_now() + test_seconds(0.3);
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	struct urpc_channel *c[2];
	bool stop = false;
	pthread_t t;

	must(!pthread_create(&t, NULL, fork_a_lot, &stop), "thread");
	while (seconds_now() < end) {
		ASSERT_EQ(0, urpc_pair(&variant->attr, c));
		ASSERT_EQ(0, urpc_send(c[0], 0, w));
		ASSERT_EQ(0, urpc_recv(c[1], NULL, w));
		urpc_close(c[0]);
		ASSERT_EQ(-EPIPE, urpc_recv_timed(c[1], NULL, w, BOUND_NS));
		urpc_close(c[1]);
	}
	urpc_store(&stop, true);
	pthread_join(t, NULL);
}

/* --- kill ---------------------------------------------------------------- */

/* Sends until it is killed; what was sent is in shared memory. */
static int send_for_ever(struct urpc_channel *c, void *arg)
{
	uint64_t *sent = arg, w[URPC_SLOT_WORDS], n;

	for (n = 0;; n++) {
		fill_message(w, n);
		if (urpc_send(c, (uint32_t)n, w))
			return 1;
		urpc_store_release(sent, n + 1);
	}
}

TEST_F(process, sender_is_killed)
{
	double end = seconds_now() + test_seconds(0.5);
	uint64_t *sent, w[URPC_SLOT_WORDS], n, total = 0, seed = 99;
	struct urpc_channel *c;
	unsigned int rounds = 0;
	uint32_t tag;
	pid_t pid;
	int ret;

	sent = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (; seconds_now() < end || rounds < 3; rounds++) {
		uint64_t until = next_random(&seed) % 3000;

		*sent = 0;
		pid = spawn_peer(&variant->attr, send_for_ever, sent, &c);
		for (n = 0;; n++) {
			if (n == until)
				kill(pid, SIGKILL);
			ret = urpc_recv_timed(c, &tag, w, BOUND_NS);
			if (ret)
				break;
			ASSERT_EQ((uint32_t)n, tag);
			ASSERT_TRUE(is_message(w, n));
		}
		ASSERT_EQ(-EPIPE, ret);
		/* all that it sent came, perhaps one that it did not note */
		ASSERT_LE(*sent, n);
		ASSERT_GE(*sent + 1, n);
		EXPECT_EQ(SIGKILL, end_of(pid));
		urpc_close(c);
		total += n;
	}
	EXPECT_LT(0, total);
}

static int recv_for_ever(struct urpc_channel *c, void *arg)
{
	uint64_t *got = arg, w[URPC_SLOT_WORDS], n;

	for (n = 0;; n++) {
		if (urpc_recv(c, NULL, w) || !is_message(w, n))
			return 1;
		urpc_store_release(got, n + 1);
	}
}

TEST_F(process, receiver_is_killed)
{
	double end = seconds_now() + test_seconds(0.5);
	uint64_t *got, w[URPC_SLOT_WORDS], n, seed = 98;
	struct urpc_channel *c;
	unsigned int rounds = 0;
	pid_t pid;
	int ret;

	got = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (; seconds_now() < end || rounds < 3; rounds++) {
		uint64_t until = next_random(&seed) % 3000;

		*got = 0;
		pid = spawn_peer(&variant->attr, recv_for_ever, got, &c);
		for (n = 0;; n++) {
			if (n == until)
				kill(pid, SIGKILL);
			fill_message(w, n);
			ret = urpc_send_timed(c, 0, w, BOUND_NS);
			if (ret)
				break;
		}
		ASSERT_EQ(-EPIPE, ret);
		/* what it did not get is reported; one it may not have noted */
		ASSERT_LE(n, *got + 1 + urpc_unacked(c));
		ASSERT_GE(16, urpc_unacked(c));
		EXPECT_EQ(SIGKILL, end_of(pid));
		urpc_close(c);
	}
}

/* A peer that is killed asleep, or while this side sleeps. */
static int sleep_for_ever(struct urpc_channel *c, void *arg)
{
	uint64_t w[URPC_SLOT_WORDS];

	return urpc_recv(c, NULL, w);
}

TEST_F(process, killed_asleep)
{
	uint64_t w[URPC_SLOT_WORDS];
	struct urpc_channel *c;
	pid_t pid = spawn_peer(&variant->attr, sleep_for_ever, NULL, &c);

	EXPECT_EQ(-ETIMEDOUT, urpc_recv_timed(c, NULL, w, 50 * MS));
	kill(pid, SIGKILL);
	EXPECT_EQ(-EPIPE, urpc_recv_timed(c, NULL, w, BOUND_NS));
	end_of(pid);
	urpc_close(c);
}

/* --- to another process -------------------------------------------------- */

#define PASSED	40

/*
 * The child takes the channel from the socket and goes on receiving and
 * sending where the parent stopped.
 */
static int go_on(int sock, const struct urpc_channel_attr *attr, uint64_t n)
{
	uint64_t w[URPC_SLOT_WORDS];
	struct urpc_channel *c;
	struct urpc_stats s;
	uint32_t tag;
	int i, ret;

	ret = urpc_channel_take(sock, attr, &c);
	if (ret)
		return 2;
	if (urpc_channel_level(c) != attr->level || urpc_channel_slots(c) != 16)
		return 3;
	if (urpc_get_stats(c, &s) || s.received != n || s.sent != n)
		return 4;
	for (i = 0; i < PASSED; i++, n++) {
		if (urpc_recv_timed(c, &tag, w, BOUND_NS))
			return 5;
		if (tag != (uint32_t)n || !is_message(w, n))
			return 6;
		if (urpc_send_timed(c, tag, w, BOUND_NS))
			return 7;
	}
	urpc_close(c);
	return 0;
}

/* The peer, a thread here, echoes what it gets and notices nothing. */
static void *talk(void *arg)
{
	struct urpc_channel *c = arg;
	uint64_t w[URPC_SLOT_WORDS], n;
	uint32_t tag = 0;
	long ret = 0;

	for (n = 0; !ret; n++) {
		fill_message(w, n);
		ret = urpc_send_timed(c, (uint32_t)n, w, BOUND_NS);
		if (!ret && n >= 10)
			ret = urpc_recv_timed(c, &tag, w, BOUND_NS);
		if (!ret && n >= 10 &&
		    (tag != (uint32_t)(n - 10) || !is_message(w, n - 10)))
			ret = -EILSEQ;
	}
	return (void *)(ret == -EPIPE ? (long)n : -1);
}

TEST_F(process, passed_on)
{
	uint64_t w[URPC_SLOT_WORDS], n = 0;
	unsigned int fds = open_fds(getpid()), hop;
	struct urpc_channel *c[2];
	int sock[2], own[2], status, i;
	uint32_t tag = 0;
	pthread_t t;
	void *ret;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, own));
	/* before there are threads and a channel */
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(go_on(sock[1], &variant->attr,
			    (UNDER_TSAN ? 1 : 3) * PASSED));
	}
	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	must(!pthread_create(&t, NULL, talk, c[0]), "thread");
	/* through this process twice, then to the child */
	for (hop = UNDER_TSAN ? 2 : 0; hop < 3; hop++) {
		for (i = 0; i < PASSED; i++, n++) {
			ASSERT_EQ(0, urpc_recv_timed(c[1], &tag, w, BOUND_NS));
			ASSERT_EQ((uint32_t)n, tag);
			ASSERT_TRUE(is_message(w, n));
			ASSERT_EQ(0, urpc_send_timed(c[1], tag, w, BOUND_NS));
		}
		ASSERT_EQ(0, urpc_channel_pass(c[1], hop == 2 ? sock[0] :
								own[0]));
		if (hop < 2)
			ASSERT_EQ(0, urpc_channel_take(own[1], &variant->attr,
						       &c[1]));
	}
	for (i = 0; i < 2; i++) {
		close(sock[i]);
		close(own[i]);
	}
	status = end_of(pid);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	pthread_join(t, &ret);
	/* the last thing that the peer saw was the end of the child's side */
	EXPECT_LE(2 * PASSED, (long)ret);
	urpc_close(c[0]);
	EXPECT_EQ(fds, open_fds(getpid()));
}

TEST_F(process, not_in_the_middle)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	struct urpc_channel *c[2];
	uint8_t data[2000];
	int sock[2];

	memset(data, 0, sizeof(data));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	ASSERT_EQ(0, urpc_call_start(c[0], 0, w));
	EXPECT_EQ(-EBUSY, urpc_channel_pass(c[0], sock[0]));
	ASSERT_EQ(0, urpc_call_next(c[1], NULL, w, -1));
	EXPECT_EQ(-EBUSY, urpc_channel_pass(c[1], sock[0]));
	ASSERT_EQ(0, urpc_call_reply(c[1], 0, w));
	ASSERT_EQ(0, urpc_call_finish(c[0], NULL, w, -1));
	ASSERT_EQ(-ETIMEDOUT, urpc_send_bulk(c[0], 0, data, 2000, MS));
	ASSERT_EQ(-EAGAIN, urpc_recv_bulk(c[1], NULL, data, 2000, 0));
	EXPECT_EQ(-EBUSY, urpc_channel_pass(c[1], sock[0]));
	/* what is no channel is not taken for one */
	ASSERT_EQ(sizeof(data), write(sock[0], data, sizeof(data)));
	EXPECT_EQ(-EPROTO, urpc_channel_take(sock[1], NULL, &c[1]));
	urpc_close(c[0]);
}

TEST_HARNESS_MAIN
