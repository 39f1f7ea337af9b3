// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_channel - endpoints and channels: names, rights, levels, ends
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

/* --- endpoints ----------------------------------------------------------- */

TEST(backend_is_said)
{
	const char *forced = getenv("URPC_BACKEND");
	struct urpc_channel *c[2];

	if (!forced)
		forced = access("/dev/urpc", R_OK) ? "memfd" : "module";
	EXPECT_STREQ(forced, urpc_backend());
	ASSERT_EQ(0, urpc_pair(NULL, c));
	EXPECT_STREQ(urpc_backend(), urpc_channel_backend(c[0]));
	EXPECT_STREQ(urpc_backend(), urpc_channel_backend(c[1]));
	urpc_close(c[0]);
	urpc_close(c[1]);
}

TEST(backend_that_is_none)
{
	struct urpc_endpoint *e;

	setenv("URPC_BACKEND", "pigeon", 1);
	EXPECT_EQ(-EINVAL, urpc_endpoint_create(&e, NULL));
	EXPECT_STREQ("?", urpc_backend());
}

static int create(struct urpc_endpoint_attr a)
{
	struct urpc_endpoint *e;
	int ret = urpc_endpoint_create(&e, &a);

	if (!ret)
		urpc_endpoint_close(e);
	return ret;
}

TEST(endpoint_attributes)
{
	char longest[URPC_NAME_MAX], longer[URPC_NAME_MAX + 1];

	memset(longest, 'n', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	memset(longer, 'n', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	EXPECT_EQ(0, create((struct urpc_endpoint_attr){ 0 }));
	EXPECT_EQ(0, create((struct urpc_endpoint_attr){ .name = longest }));
	EXPECT_EQ(-EINVAL,
		  create((struct urpc_endpoint_attr){ .name = longer }));
	EXPECT_EQ(-EINVAL, create((struct urpc_endpoint_attr){ .name = "" }));
	EXPECT_EQ(-EINVAL,
		  create((struct urpc_endpoint_attr){ .name = "cpu/0" }));
	EXPECT_EQ(-EINVAL,
		  create((struct urpc_endpoint_attr){ .mode = 0644 }));
	EXPECT_EQ(-EOPNOTSUPP,
		  create((struct urpc_endpoint_attr){ .flags = 1u << 31 }));
	EXPECT_EQ(-EOPNOTSUPP,
		  create((struct urpc_endpoint_attr){
			.__reserved = { 0, 0, 0, 0, 1 } }));
	EXPECT_EQ(0, create((struct urpc_endpoint_attr){
			.flags = URPC_ENDPOINT_CPU, .cpu = 0 }));
	EXPECT_EQ(-EINVAL, create((struct urpc_endpoint_attr){
			.flags = URPC_ENDPOINT_CPU, .cpu = 99999 }));
}

TEST(name_is_taken_once)
{
	const char *name = new_name();
	struct urpc_endpoint *e = listener(name);

	EXPECT_EQ(-EADDRINUSE,
		  create((struct urpc_endpoint_attr){ .name = name }));
	urpc_endpoint_close(e);
	EXPECT_EQ(0, create((struct urpc_endpoint_attr){ .name = name }));
}

TEST(channel_attributes)
{
	struct urpc_channel_attr a = { 0 };
	struct urpc_channel *c[2];

	a.slots = 8;
	EXPECT_EQ(-EINVAL, urpc_pair(&a, c));
	a.slots = 100;
	EXPECT_EQ(-EINVAL, urpc_pair(&a, c));
	a.slots = 8192;
	EXPECT_EQ(-EINVAL, urpc_pair(&a, c));
	a.slots = 16;
	a.level = URPC_LEVELS;
	EXPECT_EQ(-EINVAL, urpc_pair(&a, c));
	a.level = 0;
	a.poll_mode = URPC_POLL_MODES;
	EXPECT_EQ(-EINVAL, urpc_pair(&a, c));
	a.poll_mode = 0;
	a.flags = 1u << 31;
	EXPECT_EQ(-EOPNOTSUPP, urpc_pair(&a, c));
	a.flags = 0;
	a.__reserved[3] = 1;
	EXPECT_EQ(-EOPNOTSUPP, urpc_pair(&a, c));
}

TEST(nobody_there)
{
	struct urpc_endpoint *e;
	struct urpc_channel *c;

	EXPECT_EQ(-ENOENT, urpc_connect(NULL, new_name(), NULL, -1, &c));
	EXPECT_EQ(-EINVAL, urpc_connect(NULL, "", NULL, -1, &c));
	ASSERT_EQ(0, urpc_endpoint_create(&e, NULL));
	EXPECT_EQ(-EINVAL, urpc_accept(e, NULL, 0, &c));
	urpc_endpoint_close(e);
}

TEST(nobody_comes_and_nobody_accepts)
{
	const char *name = new_name();
	struct urpc_endpoint *e = listener(name);
	struct pollfd p = { .fd = urpc_endpoint_fd(e), .events = POLLIN };
	struct urpc_channel *c;

	EXPECT_EQ(-EAGAIN, urpc_accept(e, NULL, 0, &c));
	EXPECT_EQ(-ETIMEDOUT, urpc_accept(e, NULL, MS, &c));
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_EQ(-ETIMEDOUT, urpc_connect(NULL, name, NULL, 10 * MS, &c));
	urpc_endpoint_close(e);
}

struct connector {
	const char *name;
	struct urpc_channel_attr attr;
	struct urpc_channel *c;
	int ret;
};

static void *connect_late(void *arg)
{
	struct connector *k = arg;

	k->ret = urpc_connect(NULL, k->name, &k->attr, BOUND_NS, &k->c);
	return NULL;
}

TEST(closed_before_it_accepts)
{
	struct connector k = { .name = new_name() };
	struct urpc_endpoint *e = listener(k.name);
	struct pollfd p = { .fd = urpc_endpoint_fd(e), .events = POLLIN };
	pthread_t t;

	must(!pthread_create(&t, NULL, connect_late, &k), "thread");
	EXPECT_EQ(1, poll(&p, 1, 10000));
	urpc_endpoint_close(e);
	pthread_join(t, NULL);
	EXPECT_EQ(-ECONNREFUSED, k.ret);
}

/* Several at once, in any order; poll(2) says when there is one. */
TEST(many_connect_at_once)
{
	enum { MANY = 20 };
	struct connector k[MANY];
	const char *name = new_name();
	struct urpc_endpoint *e = listener(name);
	struct pollfd p = { .fd = urpc_endpoint_fd(e), .events = POLLIN };
	struct urpc_channel *c[MANY];
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	uint64_t seen = 0;
	pthread_t t[MANY];
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		k[i] = (struct connector){ .name = name };
		must(!pthread_create(&t[i], NULL, connect_late, &k[i]),
		     "thread");
	}
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(1, poll(&p, 1, 20000));
		ASSERT_EQ(0, urpc_accept(e, NULL, BOUND_NS, &c[i]));
	}
	EXPECT_EQ(-EAGAIN, urpc_accept(e, NULL, 0, &c[0]));
	urpc_endpoint_close(e);
	for (i = 0; i < MANY; i++) {
		pthread_join(t[i], NULL);
		ASSERT_EQ(0, k[i].ret);
		w[0] = i;
		ASSERT_EQ(0, urpc_send(k[i].c, i, w));
	}
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, urpc_recv_timed(c[i], NULL, w, BOUND_NS));
		seen |= 1ull << w[0];
		urpc_close(c[i]);
	}
	EXPECT_EQ((1ull << MANY) - 1, seen);
	for (i = 0; i < MANY; i++)
		urpc_close(k[i].c);
}

/* --- levels -------------------------------------------------------------- */

static int connect_as(struct urpc_endpoint *e, const char *name,
		      uint32_t wanted, uint32_t flags, uint32_t allowed,
		      uint32_t *got)
{
	struct connector k = {
		.name = name,
		.attr = { .level = wanted, .flags = flags },
	};
	struct urpc_channel_attr a = { .level = allowed };
	struct urpc_channel *c = NULL;
	pthread_t t;
	int ret;

	must(!pthread_create(&t, NULL, connect_late, &k), "thread");
	/* a refused connection is none for accept() */
	ret = urpc_accept(e, &a, flags && wanted > allowed ? 300 * MS :
							 BOUND_NS, &c);
	pthread_join(t, NULL);
	if (!k.ret) {
		must(!ret, "accept");
		*got = urpc_channel_level(c);
		must(*got == urpc_channel_level(k.c), "one level");
		urpc_close(k.c);
		urpc_close(c);
	}
	return k.ret;
}

TEST(levels)
{
	const char *name = new_name();
	struct urpc_endpoint *e = listener(name);
	uint32_t got = 99;

	EXPECT_EQ(0, connect_as(e, name, 0, 0, 0, &got));
	EXPECT_EQ(URPC_GUARDED, got);
	EXPECT_EQ(0, connect_as(e, name, 1, 0, 1, &got));
	EXPECT_EQ(URPC_SHARED, got);
	EXPECT_EQ(0, connect_as(e, name, 1, 0, 0, &got));
	EXPECT_EQ(URPC_GUARDED, got);
	EXPECT_EQ(0, connect_as(e, name, 0, 0, 1, &got));
	EXPECT_EQ(URPC_GUARDED, got);
	EXPECT_EQ(0, connect_as(e, name, 1, URPC_ATTR_EXACT, 1, &got));
	EXPECT_EQ(URPC_SHARED, got);
	EXPECT_EQ(-EPERM, connect_as(e, name, 1, URPC_ATTR_EXACT, 0, &got));
	urpc_endpoint_close(e);
}

/* A child with other credentials connects; its status is the errno. */
static int connect_as_user(const char *name, gid_t gid, uid_t uid,
			   uint32_t flags)
{
	const struct urpc_channel_attr a = {
		.level = URPC_SHARED, .flags = flags, .poll_ns = -1,
	};
	pid_t pid = fork();

	if (!pid) {
		uint64_t w[URPC_SLOT_WORDS] = { 0 };
		struct urpc_channel *c;
		int ret;

		if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
			_exit(250);
		ret = urpc_connect(NULL, name, &a, 300 * MS, &c);
		if (!ret) {
			w[0] = urpc_channel_level(c);
			ret = urpc_send(c, 0, w);
			/* until the other side has looked */
			urpc_recv_timed(c, NULL, w, BOUND_NS);
		}
		_exit(-ret);
	}
	return pid;
}

static int rights(struct __test_metadata *_metadata, uint32_t mode, gid_t gid,
		  uid_t uid, uint32_t flags)
{
	struct urpc_endpoint_attr ea = { .name = new_name(), .mode = mode };
	const struct urpc_channel_attr a = { .level = URPC_SHARED };
	uint64_t w[URPC_SLOT_WORDS] = { 99 };
	struct urpc_endpoint *e;
	struct urpc_channel *c;
	struct urpc_peer who;
	int status;
	pid_t pid;

	ASSERT_EQ(0, urpc_endpoint_create(&e, &ea));
	pid = connect_as_user(ea.name, gid, uid, flags);
	if (!urpc_accept(e, &a, 400 * MS, &c)) {
		EXPECT_EQ(0, urpc_channel_peer(c, &who));
		EXPECT_EQ(pid, who.pid);
		EXPECT_EQ(uid, who.uid);
		EXPECT_EQ(gid, who.gid);
		EXPECT_EQ(0, urpc_recv_timed(c, NULL, w, BOUND_NS));
		EXPECT_EQ(w[0], urpc_channel_level(c));
		/* never shared between different users */
		EXPECT_EQ(uid == geteuid() && gid == getegid() ?
			  URPC_SHARED : URPC_GUARDED, w[0]);
		urpc_close(c);
	}
	status = end_of(pid);
	urpc_endpoint_close(e);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Users and groups that are not ours; root may take them. */
TEST(who_may_connect)
{
	if (geteuid())
		SKIP(return, "needs root");
	EXPECT_EQ(0, rights(_metadata, 0, 0, 0, 0));
	EXPECT_EQ(0, rights(_metadata, 0, 0, 0, URPC_ATTR_EXACT));
	EXPECT_EQ(EACCES, rights(_metadata, 0, 0, 4711, 0));
	EXPECT_EQ(EACCES, rights(_metadata, 0, 4711, 4711, 0));
	EXPECT_EQ(0, rights(_metadata, 0220, 0, 4711, 0));
	EXPECT_EQ(EACCES, rights(_metadata, 0220, 4711, 4711, 0));
	EXPECT_EQ(0, rights(_metadata, 0222, 4711, 4711, 0));
	EXPECT_EQ(EACCES, rights(_metadata, 0202, 0, 4711, 0));
	EXPECT_EQ(EPERM, rights(_metadata, 0222, 4711, 4711,
				URPC_ATTR_EXACT));
}

/* --- the end ------------------------------------------------------------- */

FIXTURE(ends)
{
	struct urpc_channel *c[2];
};

FIXTURE_VARIANT(ends)
{
	struct urpc_channel_attr attr;
};

FIXTURE_VARIANT_ADD(ends, guarded)
{
	.attr = { .slots = 16 },
};

FIXTURE_VARIANT_ADD(ends, shared)
{
	.attr = { .slots = 16, .level = URPC_SHARED },
};

FIXTURE_SETUP(ends)
{
	ASSERT_EQ(0, urpc_pair(&variant->attr, self->c));
}

FIXTURE_TEARDOWN(ends)
{
	urpc_close(self->c[0]);
	urpc_close(self->c[1]);
}

TEST_F(ends, what_was_sent_comes_then_the_end)
{
	uint64_t w[URPC_SLOT_WORDS];
	unsigned int i;
	uint32_t tag = 0;

	for (i = 0; i < 7; i++) {
		fill_message(w, i);
		ASSERT_EQ(0, urpc_send(self->c[0], i, w));
	}
	EXPECT_EQ(0, urpc_state(self->c[1]));
	urpc_close(self->c[0]);
	self->c[0] = NULL;
	EXPECT_EQ(URPC_STATE_PEER_GONE, urpc_state(self->c[1]));
	for (i = 0; i < 7; i++) {
		ASSERT_EQ(0, urpc_recv_timed(self->c[1], &tag, w, BOUND_NS));
		ASSERT_EQ(i, tag);
		ASSERT_TRUE(is_message(w, i));
	}
	EXPECT_EQ(-EPIPE, urpc_recv(self->c[1], &tag, w));
	EXPECT_EQ(-EPIPE, urpc_try_recv(self->c[1], &tag, w));
	EXPECT_EQ(-EPIPE, urpc_recv_timed(self->c[1], &tag, w, 0));
	EXPECT_EQ(-EPIPE, urpc_recv_bulk(self->c[1], &tag, w, sizeof(w), -1));
	EXPECT_EQ(-EPIPE, urpc_next_bytes(self->c[1]));
}

/* Whoever looks and looks is told, too. */
TEST_F(ends, seen_without_waiting)
{
	uint64_t w[URPC_SLOT_WORDS];
	double end = seconds_now() + BOUND_NS / 1e9;
	int ret;

	urpc_close(self->c[0]);
	self->c[0] = NULL;
	do {
		ret = urpc_try_recv(self->c[1], NULL, w);
	} while (ret == -EAGAIN && seconds_now() < end);
	EXPECT_EQ(-EPIPE, ret);
}

TEST_F(ends, sender_is_told_what_was_not_received)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	unsigned int i;
	int ret;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, urpc_send(self->c[0], i, w));
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, urpc_recv(self->c[1], NULL, w));
	/* the end of this side acknowledges what it took */
	urpc_close(self->c[1]);
	self->c[1] = NULL;
	EXPECT_EQ(4, urpc_unacked(self->c[0]));
	do {
		ret = urpc_send_timed(self->c[0], i++, w, BOUND_NS);
	} while (!ret && i < 100);
	EXPECT_EQ(-EPIPE, ret);
	EXPECT_EQ(16, urpc_unacked(self->c[0]));
}

struct waiter {
	struct urpc_channel *c;
	bool sends;
	int ret;
};

static void *wait_for_ever(void *arg)
{
	struct waiter *k = arg;
	uint64_t w[URPC_SLOT_WORDS] = { 0 };

	do {
		k->ret = k->sends ? urpc_send(k->c, 0, w) :
				    urpc_recv(k->c, NULL, w);
	} while (!k->ret);
	return NULL;
}

TEST_F(ends, who_sleeps_is_woken)
{
	struct waiter k[2] = {
		{ .c = self->c[0], .sends = true }, { .c = self->c[0] },
	};
	pthread_t t[2];
	unsigned int i;
	double began;

	for (i = 0; i < 2; i++)
		must(!pthread_create(&t[i], NULL, wait_for_ever, &k[i]),
		     "thread");
	usleep(30000);
	began = seconds_now();
	urpc_close(self->c[1]);
	self->c[1] = NULL;
	for (i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ(-EPIPE, k[i].ret);
	}
	EXPECT_GT(BOUND_NS / 1e9, seconds_now() - began);
}

/* Channels take descriptors and memory with them when they go. */
TEST(nothing_is_left)
{
	struct urpc_channel *c[2];
	unsigned int fds, i;
	struct rlimit few;
	char before[64], after[64];
	FILE *f;

	ASSERT_EQ(0, urpc_pair(NULL, c));
	urpc_close(c[0]);
	urpc_close(c[1]);
	f = fopen("/proc/self/statm", "r");
	ASSERT_TRUE(!!fgets(before, sizeof(before), f));
	fds = open_fds(getpid());
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, urpc_pair(NULL, c));
		ASSERT_LE(0, urpc_channel_fd(c[0]));
		urpc_close(c[i % 2]);
		urpc_close(c[!(i % 2)]);
	}
	ASSERT_EQ(fds, open_fds(getpid()));
	rewind(f);
	ASSERT_TRUE(!!fgets(after, sizeof(after), f));
	/* pages; an allocator keeps some, a leak would be 300 * 4 and more */
	EXPECT_GT(1000, labs(atol(after) - atol(before)));
	/* and a set-up that fails half way takes back what it had */
	getrlimit(RLIMIT_NOFILE, &few);
	for (i = fds; i < fds + 14; i++) {
		few.rlim_cur = i + 3;
		setrlimit(RLIMIT_NOFILE, &few);
		if (!urpc_pair(NULL, c)) {
			urpc_close(c[0]);
			urpc_close(c[1]);
		}
		few.rlim_cur = few.rlim_max;
		setrlimit(RLIMIT_NOFILE, &few);
		ASSERT_EQ(fds, open_fds(getpid()));
	}
	fclose(f);
}

TEST(many_channels)
{
	enum { MANY = 250 };
	static struct urpc_channel *c[MANY][2];
	uint64_t w[URPC_SLOT_WORDS];
	struct rlimit r;
	unsigned int i;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(0, urpc_pair(NULL, c[i]));
	for (i = 0; i < MANY; i++) {
		fill_message(w, i);
		ASSERT_EQ(0, urpc_send(c[i][0], i, w));
	}
	for (i = MANY; i--;) {
		ASSERT_EQ(0, urpc_recv(c[i][1], NULL, w));
		ASSERT_TRUE(is_message(w, i));
	}
	for (i = 0; i < MANY; i++) {
		urpc_close(c[i][0]);
		urpc_close(c[i][1]);
	}
}

TEST(measured)
{
	struct urpc_calibration k;
	int cpus[2];

	EXPECT_LT(0, urpc_wake_cost_ns());
	EXPECT_GT(1000000000, urpc_wake_cost_ns());
	EXPECT_EQ(urpc_wake_cost_ns(), urpc_wake_cost_ns());
	setenv("URPC_WAKE_COST_NS", "4321", 1);
	EXPECT_EQ(4321, urpc_wake_cost_ns());
	EXPECT_EQ(-EINVAL, urpc_calibrate(0, 0, &k));
	EXPECT_EQ(-EINVAL, urpc_calibrate(0, 99999, &k));
	if (usable_cpus(cpus, 2) < 2)
		return;
	ASSERT_EQ(0, urpc_calibrate(cpus[0], cpus[1], &k));
	EXPECT_LT(0, k.ns[k.best]);
	EXPECT_LE(k.ns[k.best], k.ns[URPC_POLL_LOAD]);
	/* plain loads are kept when another way is hardly better */
	EXPECT_LE(k.one_line_ns[k.one_line_best] * 0.95,
		  k.one_line_ns[URPC_POLL_RMW]);
}

TEST_HARNESS_MAIN
