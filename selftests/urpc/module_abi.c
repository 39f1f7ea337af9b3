// SPDX-License-Identifier: GPL-2.0-only
/*
 * module_abi - every ioctl of urpc: sizes, flags, arguments, rights, and that
 * errors change nothing
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "module_test.h"

#define ALL	URPC_CPU_ANY

FIXTURE(abi)
{
	int dev;		/* no endpoint */
	int ep;			/* "abi" */
	struct chan a, b;
};

FIXTURE_SETUP(abi)
{
	self->dev = open("/dev/urpc", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->dev, 0);
	self->ep = endpoint("abi", 0);
	ASSERT_GE(self->ep, 0);
	ASSERT_TRUE(chan_pair(&self->a, &self->b, 0, 1, 16, URPC_GUARDED));
}

FIXTURE_TEARDOWN(abi)
{
	if (self->a.own)
		chan_close(&self->a);
	chan_close(&self->b);
	close(self->ep);
	close(self->dev);
	/* whatever the test did, nothing of it is left */
	EXPECT_EQ(0, read_number(SYSFS "endpoints"));
	EXPECT_EQ(0, read_number(SYSFS "channels_open"));
}

/*
 * A structure one shorter than its first version is refused, one longer with
 * rubbish at the end too, one longer with zeros does what the exact one does.
 */
#define CHECK_LENGTH(_fd, _cmd, _struct, _init)				\
	do {								\
		struct {						\
			_struct cmd;					\
			uint8_t extra;					\
		} __attribute__((packed)) a;				\
		_struct init = _init;					\
		int exact;						\
									\
		memset(&a, 0, sizeof(a));				\
		a.cmd = init;						\
		a.cmd.size = sizeof(a.cmd) - 1;				\
		EXPECT_EQ(EINVAL, call(_fd, _cmd, &a));			\
		a.cmd.size = 0;						\
		EXPECT_EQ(EINVAL, call(_fd, _cmd, &a));			\
		a.cmd.size = sizeof(a.cmd) + 1;				\
		a.extra = UINT8_MAX;					\
		EXPECT_EQ(E2BIG, call(_fd, _cmd, &a));			\
		a.cmd.size = UINT32_MAX;				\
		EXPECT_EQ(E2BIG, call(_fd, _cmd, &a));			\
		a.cmd = init;						\
		a.cmd.size = sizeof(a.cmd);				\
		exact = call(_fd, _cmd, &a);				\
		a.cmd = init;						\
		a.cmd.size = sizeof(a.cmd) + 1;				\
		a.extra = 0;						\
		EXPECT_EQ(exact, call(_fd, _cmd, &a));			\
	} while (0)

#define INIT(...) { __VA_ARGS__ }

TEST_F(abi, length)
{
	CHECK_LENGTH(self->dev, URPC_INFO, struct urpc_info, INIT(.flags = 0));
	CHECK_LENGTH(self->a.fd, URPC_INFO, struct urpc_info, INIT(.flags = 0));
	CHECK_LENGTH(self->dev, URPC_ENDPOINT_CREATE,
		     struct urpc_endpoint_create, INIT(.mode = 1));
	CHECK_LENGTH(self->ep, URPC_CONNECT, struct urpc_connect,
		     INIT(.slots = 17, .name = "x"));
	CHECK_LENGTH(self->ep, URPC_ACCEPT, struct urpc_accept,
		     INIT(.timeout_ns = 0));
	CHECK_LENGTH(self->dev, URPC_PING, struct urpc_ping, INIT(.count = 0));
	CHECK_LENGTH(self->a.fd, URPC_CHANNEL, struct urpc_channel_info,
		     INIT(.flags = 0));
	CHECK_LENGTH(self->a.fd, URPC_WAIT, struct urpc_wait,
		     INIT(.timeout_ns = 0));
	CHECK_LENGTH(self->a.fd, URPC_WAKE, struct urpc_wake,
		     INIT(.flags = 0));
}

/* The layout is the same for every compiler: no hidden padding. */
TEST(layout)
{
	EXPECT_EQ(64, sizeof(struct urpc_slot));
	EXPECT_EQ(56, offsetof(struct urpc_slot, ctl));
	EXPECT_EQ(128, sizeof(struct urpc_stats));
	EXPECT_EQ(0, offsetof(struct urpc_control, ack));
	EXPECT_EQ(128, offsetof(struct urpc_control, rx_sleep));
	EXPECT_EQ(256, offsetof(struct urpc_control, wake_rx));
	EXPECT_EQ(384, offsetof(struct urpc_control, cursor));
	EXPECT_EQ(512, offsetof(struct urpc_control, rpc));
	EXPECT_EQ(640, offsetof(struct urpc_control, state));
	EXPECT_EQ(768, offsetof(struct urpc_control, stats));
	EXPECT_GE(URPC_CONTROL_BYTES, sizeof(struct urpc_control));
	EXPECT_EQ(32, sizeof(struct urpc_info));
	EXPECT_EQ(80, sizeof(struct urpc_endpoint_create));
	EXPECT_EQ(96, sizeof(struct urpc_connect));
	EXPECT_EQ(40, sizeof(struct urpc_accept));
	EXPECT_EQ(32, sizeof(struct urpc_ping));
	EXPECT_EQ(48, sizeof(struct urpc_channel_info));
	EXPECT_EQ(24, sizeof(struct urpc_wait));
	EXPECT_EQ(8, sizeof(struct urpc_wake));
}

#define EXPECT_FLAGS(_fd, _cmd, _struct)				\
	do {								\
		_struct a = { .size = sizeof(a), .flags = 1u << 31 };	\
									\
		EXPECT_EQ(EOPNOTSUPP, call(_fd, _cmd, &a));		\
	} while (0)

TEST_F(abi, flags)
{
	EXPECT_FLAGS(self->dev, URPC_INFO, struct urpc_info);
	EXPECT_FLAGS(self->dev, URPC_ENDPOINT_CREATE,
		     struct urpc_endpoint_create);
	EXPECT_FLAGS(self->ep, URPC_CONNECT, struct urpc_connect);
	EXPECT_FLAGS(self->ep, URPC_ACCEPT, struct urpc_accept);
	EXPECT_FLAGS(self->dev, URPC_PING, struct urpc_ping);
	EXPECT_FLAGS(self->a.fd, URPC_CHANNEL, struct urpc_channel_info);
	EXPECT_FLAGS(self->a.fd, URPC_WAIT, struct urpc_wait);
	EXPECT_FLAGS(self->a.fd, URPC_WAKE, struct urpc_wake);
}

TEST_F(abi, reserved)
{
	struct urpc_connect c = {
		.size = sizeof(c), .slots = 16, .name = "abi",
		.__reserved = 1,
	};
	struct urpc_ping p = {
		.size = sizeof(p), .to = 1, .count = 1, .__reserved = 1,
	};

	EXPECT_EQ(EOPNOTSUPP, call(self->ep, URPC_CONNECT, &c));
	EXPECT_EQ(EOPNOTSUPP, call(self->dev, URPC_PING, &p));
}

static bool known_on(bool channel, unsigned int nr)
{
	if (nr == URPC_CMD_INFO)
		return true;
	if (channel)
		return nr >= URPC_CMD_CHANNEL && nr <= URPC_CMD_WAKE;
	return nr >= URPC_CMD_ENDPOINT_CREATE && nr <= URPC_CMD_PING;
}

TEST_F(abi, unknown_command)
{
	uint64_t a[32] = { 0 };
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		if (!known_on(false, nr))
			EXPECT_EQ(ENOTTY, call(self->dev, _IO(URPC_TYPE, nr),
					       a));
		if (!known_on(true, nr))
			EXPECT_EQ(ENOTTY, call(self->a.fd, _IO(URPC_TYPE, nr),
					       a));
	}
	EXPECT_EQ(ENOTTY, call(self->dev, _IOWR(URPC_TYPE, URPC_CMD_INFO,
						struct urpc_info), a));
	EXPECT_EQ(ENOTTY, call(self->dev, _IO(URPC_TYPE - 1, URPC_CMD_INFO),
			       a));
	EXPECT_EQ(ENOTTY, call(self->a.fd, 0xffffffff, a));
}

TEST_F(abi, bad_pointer)
{
	char *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	unsigned int nr;

	for (nr = URPC_CMD_INFO; nr <= URPC_CMD_WAKE; nr++) {
		int fd = known_on(true, nr) ? self->a.fd : self->dev;

		EXPECT_EQ(EFAULT, call(fd, _IO(URPC_TYPE, nr), NULL));
		EXPECT_EQ(EFAULT, call(fd, _IO(URPC_TYPE, nr), hole));
		EXPECT_EQ(EFAULT, call(fd, _IO(URPC_TYPE, nr), (void *)-8ul));
	}
	munmap(hole, PAGE);
}

TEST_F(abi, endpoint_bad)
{
	struct urpc_endpoint_create a = { .size = sizeof(a), .mode = 0200 };

	a.cpu = 100000;
	EXPECT_EQ(EINVAL, call(self->dev, URPC_ENDPOINT_CREATE, &a));
	a.cpu = 0;
	a.mode = 0600;
	EXPECT_EQ(EINVAL, call(self->dev, URPC_ENDPOINT_CREATE, &a));
	a.mode = 0200;
	memset(a.name, 'x', sizeof(a.name));
	EXPECT_EQ(EINVAL, call(self->dev, URPC_ENDPOINT_CREATE, &a));
	memset(a.name, 0, sizeof(a.name));
	strcpy(a.name, "cpu/0");
	EXPECT_EQ(EINVAL, call(self->dev, URPC_ENDPOINT_CREATE, &a));
	strcpy(a.name, "abi");
	EXPECT_EQ(EADDRINUSE, call(self->dev, URPC_ENDPOINT_CREATE, &a));
	EXPECT_EQ(1, read_number(SYSFS "endpoints"));
	strcpy(a.name, "other");
	EXPECT_EQ(0, call(self->dev, URPC_ENDPOINT_CREATE, &a));
	EXPECT_EQ(EBUSY, call(self->dev, URPC_ENDPOINT_CREATE, &a));
	EXPECT_EQ(2, read_number(SYSFS "endpoints"));
}

TEST_F(abi, connect_bad)
{
	struct urpc_connect a = {
		.size = sizeof(a), .slots = 16, .name = "nobody",
		.timeout_ns = SECOND,
	};
	static const uint32_t slots[] = { 0, 1, 8, 17, 8192, UINT32_MAX };
	unsigned int i;

	EXPECT_EQ(EINVAL, call(self->dev, URPC_CONNECT, &a));
	EXPECT_EQ(ENOENT, call(self->ep, URPC_CONNECT, &a));
	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		a.slots = slots[i];
		EXPECT_EQ(EINVAL, call(self->ep, URPC_CONNECT, &a));
	}
	a.slots = 16;
	a.level = URPC_LEVELS;
	EXPECT_EQ(EINVAL, call(self->ep, URPC_CONNECT, &a));
	a.level = 0;
	a.name[0] = 0;
	EXPECT_EQ(EINVAL, call(self->ep, URPC_CONNECT, &a));
	memset(a.name, 'x', sizeof(a.name));
	EXPECT_EQ(EINVAL, call(self->ep, URPC_CONNECT, &a));
	/* nobody accepts */
	memset(a.name, 0, sizeof(a.name));
	strcpy(a.name, "abi");
	a.timeout_ns = 0;
	EXPECT_EQ(ETIMEDOUT, call(self->ep, URPC_CONNECT, &a));
	a.timeout_ns = SECOND / 20;
	EXPECT_EQ(ETIMEDOUT, call(self->ep, URPC_CONNECT, &a));
	/* ... and what was given up is not found later */
	EXPECT_EQ(-EAGAIN, ({
		struct urpc_accept b = { .size = sizeof(b) };

		-call(self->ep, URPC_ACCEPT, &b);
	}));
	EXPECT_EQ(1, read_number(SYSFS "channels_open"));
}

TEST_F(abi, accept_bad)
{
	struct urpc_accept a = { .size = sizeof(a) };
	int nameless = endpoint("", 0);

	EXPECT_EQ(EINVAL, call(self->dev, URPC_ACCEPT, &a));
	EXPECT_EQ(EINVAL, call(nameless, URPC_ACCEPT, &a));
	EXPECT_EQ(EAGAIN, call(self->ep, URPC_ACCEPT, &a));
	a.timeout_ns = SECOND / 20;
	EXPECT_EQ(ETIMEDOUT, call(self->ep, URPC_ACCEPT, &a));
	a.level = URPC_LEVELS;
	EXPECT_EQ(EINVAL, call(self->ep, URPC_ACCEPT, &a));
	close(nameless);
}

TEST_F(abi, info)
{
	struct urpc_info i = { .size = sizeof(i) };
	struct urpc_channel_info a = { .size = sizeof(a) };

	ASSERT_EQ(0, call(self->dev, URPC_INFO, &i));
	EXPECT_EQ(URPC_ABI_VERSION, i.abi);
	EXPECT_EQ(URPC_SLOTS_MAX, i.slots_max);
	EXPECT_EQ(1, i.endpoints);
	EXPECT_EQ(2, i.channels);
	EXPECT_EQ(read_number(SYSFS "max_channels"), i.channels_max);
	ASSERT_EQ(0, call(self->b.fd, URPC_CHANNEL, &a));
	EXPECT_EQ(URPC_GUARDED, a.level);
	EXPECT_EQ(16, a.slots);
	EXPECT_EQ(1, a.side);
	EXPECT_EQ(0, a.state);
	EXPECT_EQ(2 * PAGE, a.region_bytes);
	EXPECT_EQ(1, a.cpu);
	EXPECT_EQ(0, a.peer_cpu);
}

TEST_F(abi, wait_looks_and_times_out)
{
	struct urpc_wait w = { .size = sizeof(w), .timeout_ns = 0 };
	uint64_t word[7] = { 0 };

	EXPECT_EQ(ETIMEDOUT, call(self->b.fd, URPC_WAIT, &w));
	w.timeout_ns = SECOND / 50;
	EXPECT_EQ(ETIMEDOUT, call(self->b.fd, URPC_WAIT, &w));
	EXPECT_EQ(0, self->b.tx.own->rx_sleep);
	EXPECT_EQ(0, chan_send(&self->a, 0, word, 0));
	EXPECT_EQ(0, call(self->b.fd, URPC_WAIT, &w));
	w.timeout_ns = 0;
	EXPECT_EQ(0, call(self->b.fd, URPC_WAIT, &w));
	/* any position is one of the ring's */
	w.pos = UINT64_MAX;
	call(self->b.fd, URPC_WAIT, &w);
	w.flags = URPC_WAIT_ROOM;
	w.pos = 0;
	EXPECT_EQ(ETIMEDOUT, call(self->a.fd, URPC_WAIT, &w));
}

static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	(void)sig;
	got_signal = 1;
}

TEST_F(abi, wait_is_interrupted)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct urpc_wait w = { .size = sizeof(w), .timeout_ns = -1 };

	sigaction(SIGALRM, &sa, NULL);
	ualarm(50000, 0);
	EXPECT_EQ(EINTR, call(self->b.fd, URPC_WAIT, &w));
	EXPECT_TRUE(got_signal);
	EXPECT_EQ(0, self->b.tx.own->rx_sleep);
}

TEST_F(abi, peer_gone_ends_waits)
{
	struct urpc_wait w = { .size = sizeof(w), .timeout_ns = -1 };
	pid_t pid = fork();

	if (!pid) {
		/* the child's descriptor keeps the side open for a while */
		chan_close(&self->b);
		usleep(100000);
		_exit(0);
	}
	close(self->a.fd);
	munmap(self->a.own, self->a.info.region_bytes);
	munmap(self->a.peer, self->a.info.region_bytes);
	EXPECT_EQ(0, call(self->b.fd, URPC_WAIT, &w));
	EXPECT_TRUE(self->b.tx.own->state & URPC_STATE_PEER_GONE);
	waitpid(pid, NULL, 0);
	self->a.own = NULL;
}

TEST_F(abi, not_mmapped_read_or_written)
{
	char c = 0;

	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED,
				   self->dev, 0));
	EXPECT_EQ(-1, read(self->dev, &c, 1));
	EXPECT_EQ(-1, write(self->a.fd, &c, 1));
	EXPECT_EQ(-1, read(self->a.fd, &c, 1));
}

/* --- who may connect --- */

/* As another user: the errno of a connect to "door". */
static int connect_as(uid_t uid, gid_t gid, uint32_t level, uint32_t flags)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct urpc_connect a = {
			.size = sizeof(a), .slots = 16, .name = "door",
			.timeout_ns = 5 * SECOND, .level = level,
			.flags = flags,
		};
		int ep, ret;

		if (setgid(gid) || setuid(uid))
			_exit(200);
		ep = endpoint("", ALL);
		if (ep < 0)
			_exit(201);
		ret = call(ep, URPC_CONNECT, &a);
		_exit(ret ? ret : 100 + a.level);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void *accept_all(void *arg)
{
	int *ep = arg, fd;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	while ((fd = do_accept(*ep, URPC_SHARED)) >= 0 || fd == -EPERM)
		close(fd);
	return NULL;
}

static int door(uint32_t mode)
{
	struct urpc_endpoint_create a = {
		.size = sizeof(a), .cpu = 0, .mode = mode, .name = "door",
	};
	int fd = open("/dev/urpc", O_RDWR | O_CLOEXEC);

	must(fd >= 0 && !call(fd, URPC_ENDPOINT_CREATE, &a), "door");
	return fd;
}

TEST(rights)
{
	pthread_t t;
	int ep;

	chmod("/dev/urpc", 0666);
	ep = door(0200);
	EXPECT_EQ(EACCES, connect_as(1000, 1000, 0, 0));
	close(ep);
	ep = door(0020);
	EXPECT_EQ(EACCES, connect_as(1000, 1000, 0, 0));
	close(ep);
	ep = door(0222);
	pthread_create(&t, NULL, accept_all, &ep);
	EXPECT_EQ(100 + URPC_SHARED, connect_as(0, 0, URPC_SHARED, 0));
	EXPECT_EQ(100 + URPC_GUARDED, connect_as(1000, 1000, 0, 0));
	/* other credentials: guarded, or nothing */
	EXPECT_EQ(100 + URPC_GUARDED, connect_as(1000, 0, URPC_SHARED, 0));
	EXPECT_EQ(EPERM, connect_as(1000, 0, URPC_SHARED, URPC_CONNECT_EXACT));
	EXPECT_EQ(100 + URPC_GUARDED, connect_as(0, 1000, URPC_SHARED, 0));
	pthread_cancel(t);
	pthread_join(t, NULL);
	close(ep);
}

TEST(names_belong_to_an_ipc_namespace)
{
	int ep = endpoint("scope", ALL), status;
	pid_t pid = fork();

	if (!pid) {
		int other;

		if (unshare(CLONE_NEWIPC))
			_exit(1);
		other = endpoint("", ALL);
		if (do_connect(other, "scope", 16, 0) != -ENOENT)
			_exit(2);
		/* the same name is free here */
		_exit(endpoint("scope", ALL) < 0 ? 3 : 0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, WEXITSTATUS(status));
	close(ep);
}

TEST(closed_door_refuses)
{
	int ep = endpoint("door", ALL), own = endpoint("", ALL);
	pid_t pid = fork();

	if (!pid) {
		usleep(200000);
		_exit(0);
	}
	close(ep);
	/* the child still holds it; then nobody does */
	EXPECT_EQ(-ECONNREFUSED, do_connect(own, "door", 16, 0));
	waitpid(pid, NULL, 0);
	EXPECT_EQ(-ENOENT, do_connect(own, "door", 16, 0));
	close(own);
}

TEST(backlog_is_bounded)
{
	int ep = endpoint("busy", ALL), i, refused = 0, status;
	struct pollfd p = { .fd = ep, .events = POLLIN };
	pid_t pid[80];

	EXPECT_EQ(0, poll(&p, 1, 0));
	for (i = 0; i < 80; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			struct urpc_connect a = {
				.size = sizeof(a), .slots = 16,
				.name = "busy", .timeout_ns = SECOND,
			};
			int own = endpoint("", ALL);

			_exit(call(own, URPC_CONNECT, &a));
		}
	}
	EXPECT_EQ(1, poll(&p, 1, 10000));
	for (i = 0; i < 80; i++) {
		waitpid(pid[i], &status, 0);
		if (WEXITSTATUS(status) == EAGAIN)
			refused++;
		else
			EXPECT_EQ(ETIMEDOUT, WEXITSTATUS(status));
	}
	printf("# %d of 80 found the backlog full\n", refused);
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_EQ(0, read_number(SYSFS "channels_open"));
	close(ep);
}

TEST(quota)
{
	uint64_t old = read_number(SYSFS "max_endpoints");
	struct chan a, b;
	char text[32];
	int e0, e1;

	EXPECT_EQ(0, write_text(SYSFS "max_endpoints", "1"));
	e0 = endpoint("", ALL);
	EXPECT_GE(e0, 0);
	EXPECT_EQ(-EDQUOT, endpoint("", ALL));
	close(e0);
	e1 = endpoint("", ALL);
	EXPECT_GE(e1, 0);
	close(e1);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)old);
	EXPECT_EQ(0, write_text(SYSFS "max_endpoints", text));
	old = read_number(SYSFS "max_channels");
	/* one for us, none for who accepts */
	EXPECT_EQ(0, write_text(SYSFS "max_channels", "1"));
	EXPECT_FALSE(chan_pair(&a, &b, 0, 1, 16, 0));
	EXPECT_EQ(0, read_number(SYSFS "channels_open"));
	EXPECT_EQ(0, write_text(SYSFS "max_channels", "2"));
	EXPECT_TRUE(chan_pair(&a, &b, 0, 1, 16, 0));
	chan_close(&a);
	chan_close(&b);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)old);
	EXPECT_EQ(0, write_text(SYSFS "max_channels", text));
}

TEST_HARNESS_MAIN
