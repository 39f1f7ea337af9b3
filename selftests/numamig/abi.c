// SPDX-License-Identifier: GPL-2.0-only
/*
 * abi - every ioctl: sizes, flags, arguments, rights, and that errors change
 * nothing
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <numa.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "needs.h"
#include "nm_test.h"

FIXTURE(abi)
{
	int fd;
};

FIXTURE_SETUP(abi)
{
	self->fd = open("/dev/numamig", O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(abi)
{
	close(self->fd);
}

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

/*
 * A structure one shorter than its first version is refused, one longer with
 * rubbish at the end too, one longer with zeros does what the exact one does.
 */
#define CHECK_LENGTH(_cmd, _struct, _min, _init)			\
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
		a.cmd.size = _min - 1;					\
		EXPECT_EQ(EINVAL, call(self->fd, _cmd, &a));		\
		a.cmd.size = sizeof(a.cmd) + 1;				\
		a.extra = UINT8_MAX;					\
		EXPECT_EQ(E2BIG, call(self->fd, _cmd, &a));		\
		a.cmd.size = UINT32_MAX;				\
		EXPECT_EQ(E2BIG, call(self->fd, _cmd, &a));		\
		a.cmd = init;						\
		a.cmd.size = sizeof(a.cmd);				\
		exact = call(self->fd, _cmd, &a);			\
		a.cmd = init;						\
		a.cmd.size = sizeof(a.cmd) + 1;				\
		a.extra = 0;						\
		EXPECT_EQ(exact, call(self->fd, _cmd, &a));		\
	} while (0)

#define INIT(...) { __VA_ARGS__ }

TEST_F(abi, length)
{
	CHECK_LENGTH(NUMAMIG_INFO, struct numamig_info,
		     sizeof(struct numamig_info), INIT(.flags = 0));
	CHECK_LENGTH(NUMAMIG_TARGET_ADD, struct numamig_target_add,
		     sizeof(struct numamig_target_add), INIT(.pid = -1));
	CHECK_LENGTH(NUMAMIG_TARGET_DEL, struct numamig_target_del,
		     sizeof(struct numamig_target_del), INIT(.pid = -1));
	CHECK_LENGTH(NUMAMIG_TARGET_STAT, struct numamig_target_stat,
		     sizeof(struct numamig_target_stat), INIT(.pid = -1));
	CHECK_LENGTH(NUMAMIG_TARGET_LIST, struct numamig_target_list,
		     sizeof(struct numamig_target_list), INIT(.count = 0));
	CHECK_LENGTH(NUMAMIG_INJECT, struct numamig_inject,
		     sizeof(struct numamig_inject), INIT(.count = 0));
	CHECK_LENGTH(NUMAMIG_MOVE, struct numamig_move,
		     sizeof(struct numamig_move), INIT(.pid = -1));
	CHECK_LENGTH(NUMAMIG_STREAM, struct numamig_stream,
		     sizeof(struct numamig_stream), INIT(.entries = 0));
	CHECK_LENGTH(NUMAMIG_HELPER, struct numamig_helper,
		     sizeof(struct numamig_helper), INIT(.flags = 1));
	CHECK_LENGTH(NUMAMIG_ORDER_DONE, struct numamig_order_done,
		     sizeof(struct numamig_order_done), INIT(.id = 1));
	CHECK_LENGTH(NUMAMIG_STOP, struct numamig_stop,
		     sizeof(struct numamig_stop), INIT(.flags = 0));
}

/* The layout is the same for every compiler: no hidden padding. */
TEST(layout)
{
	EXPECT_EQ(40, sizeof(struct numamig_info));
	EXPECT_EQ(24, sizeof(struct numamig_target_add));
	EXPECT_EQ(16, sizeof(struct numamig_target_del));
	EXPECT_EQ(120, sizeof(struct numamig_target_stat));
	EXPECT_EQ(24, sizeof(struct numamig_target_list));
	EXPECT_EQ(40, sizeof(struct numamig_sample));
	EXPECT_EQ(24, sizeof(struct numamig_inject));
	EXPECT_EQ(160, sizeof(struct numamig_move));
	EXPECT_EQ(16, sizeof(struct numamig_stream));
	EXPECT_EQ(8, sizeof(struct numamig_helper));
	EXPECT_EQ(104, sizeof(struct numamig_order));
	EXPECT_EQ(152, sizeof(struct numamig_order_done));
	EXPECT_EQ(8, sizeof(struct numamig_stop));
}

#define EXPECT_FLAGS(_cmd, _struct)					\
	do {								\
		_struct a = { .size = sizeof(a), .flags = 1u << 31 };	\
									\
		EXPECT_EQ(EOPNOTSUPP, call(self->fd, _cmd, &a));	\
	} while (0)

TEST_F(abi, flags)
{
	EXPECT_FLAGS(NUMAMIG_INFO, struct numamig_info);
	EXPECT_FLAGS(NUMAMIG_TARGET_ADD, struct numamig_target_add);
	EXPECT_FLAGS(NUMAMIG_TARGET_DEL, struct numamig_target_del);
	EXPECT_FLAGS(NUMAMIG_TARGET_STAT, struct numamig_target_stat);
	EXPECT_FLAGS(NUMAMIG_TARGET_LIST, struct numamig_target_list);
	EXPECT_FLAGS(NUMAMIG_INJECT, struct numamig_inject);
	EXPECT_FLAGS(NUMAMIG_MOVE, struct numamig_move);
	EXPECT_FLAGS(NUMAMIG_STREAM, struct numamig_stream);
	EXPECT_FLAGS(NUMAMIG_HELPER, struct numamig_helper);
	EXPECT_FLAGS(NUMAMIG_STOP, struct numamig_stop);
	EXPECT_FLAGS(NUMAMIG_ORDER_DONE, struct numamig_order_done);
}

TEST_F(abi, reserved)
{
	struct numamig_target_add add = {
		.size = sizeof(add), .pid = getpid(), .__reserved = 1,
	};
	struct numamig_target_del del = {
		.size = sizeof(del), .pid = getpid(), .__reserved = 1,
	};
	struct numamig_target_list list = {
		.size = sizeof(list), .__reserved = 1,
	};
	struct numamig_stream stream = {
		.size = sizeof(stream), .entries = 16, .__reserved = 1,
	};
	struct numamig_order_done done = {
		.size = sizeof(done), .__reserved = 1,
	};

	EXPECT_EQ(EOPNOTSUPP, call(self->fd, NUMAMIG_TARGET_ADD, &add));
	EXPECT_EQ(EOPNOTSUPP, call(self->fd, NUMAMIG_TARGET_DEL, &del));
	EXPECT_EQ(EOPNOTSUPP, call(self->fd, NUMAMIG_TARGET_LIST, &list));
	EXPECT_EQ(EOPNOTSUPP, call(self->fd, NUMAMIG_STREAM, &stream));
	EXPECT_EQ(EOPNOTSUPP, call(self->fd, NUMAMIG_ORDER_DONE, &done));
	EXPECT_EQ(0, counter("targets"));
}

TEST_F(abi, unknown_command)
{
	uint64_t a[32] = { 0 };
	unsigned int nr;

	for (nr = 0; nr < 256; nr++) {
		if (nr >= NUMAMIG_CMD_INFO && nr <= NUMAMIG_CMD_STOP)
			continue;
		EXPECT_EQ(ENOTTY, call(self->fd, _IO(NUMAMIG_TYPE, nr), a));
	}
	/* right number, wrong direction or type */
	EXPECT_EQ(ENOTTY, call(self->fd, _IOWR(NUMAMIG_TYPE, NUMAMIG_CMD_INFO,
					       struct numamig_info), a));
	EXPECT_EQ(ENOTTY, call(self->fd, _IO(NUMAMIG_TYPE + 1,
					     NUMAMIG_CMD_INFO), a));
	EXPECT_EQ(ENOTTY, call(self->fd, 0xffffffff, a));
}

TEST_F(abi, bad_pointer)
{
	unsigned int nr;
	char *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	for (nr = NUMAMIG_CMD_INFO; nr <= NUMAMIG_CMD_STOP; nr++) {
		EXPECT_EQ(EFAULT, call(self->fd, _IO(NUMAMIG_TYPE, nr), NULL));
		EXPECT_EQ(EFAULT, call(self->fd, _IO(NUMAMIG_TYPE, nr), hole));
		EXPECT_EQ(EFAULT, call(self->fd, _IO(NUMAMIG_TYPE, nr),
				       (void *)-8ul));
	}
	munmap(hole, PAGE);
}

/* A structure in memory that can only be read. */
static void *read_only(const void *arg, size_t size)
{
	static char *p;

	if (p)
		munmap(p, PAGE);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(p, arg, size);
	mprotect(p, PAGE, PROT_READ);
	return p;
}

#define READ_ONLY(arg) read_only(&(arg), sizeof(arg))

/*
 * A command whose answer cannot be written fails and changes nothing; one that
 * answers nothing writes nothing.
 */
TEST_F(abi, answer_not_writable)
{
	struct numamig_target_add add = { .size = sizeof(add),
					  .pid = getpid() };
	struct numamig_target_del del = { .size = sizeof(del),
					  .pid = getpid() };
	struct numamig_stream stream = { .size = sizeof(stream),
					 .entries = 16 };
	struct numamig_helper helper = { .size = sizeof(helper) };
	struct numamig_stop stop = { .size = sizeof(stop) };
	struct numamig_info info = { .size = sizeof(info) };

	EXPECT_EQ(EFAULT, call(self->fd, NUMAMIG_INFO, READ_ONLY(info)));
	EXPECT_EQ(EFAULT, call(self->fd, NUMAMIG_TARGET_ADD, READ_ONLY(add)));
	EXPECT_EQ(0, counter("targets"));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_ADD, &add));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_DEL, READ_ONLY(del)));
	EXPECT_EQ(0, counter("targets"));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_STREAM, READ_ONLY(stream)));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_STOP, READ_ONLY(stop)));
	close(self->fd);
	self->fd = open("/dev/numamig", O_RDWR);
	EXPECT_EQ(0, call(self->fd, NUMAMIG_HELPER, READ_ONLY(helper)));
	EXPECT_EQ(1, counter("helper"));
}

/* A structure that ends at the last mapped byte is read no further. */
TEST_F(abi, end_of_page)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct numamig_info *info;

	munmap(p + PAGE, PAGE);
	info = (void *)(p + PAGE - sizeof(*info));
	info->size = sizeof(*info);
	info->flags = 0;
	EXPECT_EQ(0, call(self->fd, NUMAMIG_INFO, info));
	EXPECT_EQ(NUMAMIG_ABI_VERSION, info->abi);
	EXPECT_EQ(1, info->samplers & 1);
	EXPECT_GE(info->nr_nodes, numa_num_configured_nodes());
	munmap(p, PAGE);
}

TEST_F(abi, target_add_bad)
{
	static const int pids[] = { -1, 0, 4194304, INT32_MAX, INT32_MIN };
	struct numamig_target_add a = { .size = sizeof(a) };
	pid_t dead = sleeping_child();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pids); i++) {
		a.pid = pids[i];
		EXPECT_EQ(ESRCH, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	}
	/* kthreadd */
	a.pid = 2;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	/* a zombie, then nothing */
	kill(dead, SIGKILL);
	waitid(P_PID, dead, NULL, WEXITED | WNOWAIT);
	a.pid = dead;
	EXPECT_EQ(ESRCH, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	waitpid(dead, NULL, 0);
	EXPECT_EQ(ESRCH, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	EXPECT_EQ(0, counter("targets"));
}

TEST_F(abi, target_twice)
{
	struct numamig_target_add a = { .size = sizeof(a) };
	struct numamig_target_del d = { .size = sizeof(d) };
	pid_t pid = sleeping_child();

	a.pid = pid;
	d.pid = pid;
	EXPECT_EQ(ENOENT, call(self->fd, NUMAMIG_TARGET_DEL, &d));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	EXPECT_NE(0, a.start_time);
	EXPECT_EQ(EEXIST, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	EXPECT_EQ(1, counter("targets"));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_DEL, &d));
	EXPECT_EQ(ENOENT, call(self->fd, NUMAMIG_TARGET_DEL, &d));
	EXPECT_EQ(0, counter("targets"));
	end_child(pid);
}

/* A descendant of a target with children is sampled already. */
TEST_F(abi, target_child_twice)
{
	struct numamig_target_add a = { .size = sizeof(a) };
	pid_t pid = sleeping_child();

	a.pid = getpid();
	a.flags = NUMAMIG_TARGET_CHILDREN;
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	a.pid = pid;
	a.flags = 0;
	EXPECT_EQ(EEXIST, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	end_child(pid);
}

TEST_F(abi, target_limit)
{
	struct numamig_target_add a = { .size = sizeof(a) };
	pid_t pids[65];
	int i;

	/* the children must not hold the file open */
	close(self->fd);
	for (i = 0; i < 65; i++)
		pids[i] = sleeping_child();
	self->fd = open("/dev/numamig", O_RDWR);
	for (i = 0; i < 65; i++) {
		a.pid = pids[i];
		EXPECT_EQ(i < 64 ? 0 : ENOSPC,
			  call(self->fd, NUMAMIG_TARGET_ADD, &a));
	}
	EXPECT_EQ(64, counter("targets"));
	close(self->fd);
	EXPECT_EQ(0, counter("targets"));
	self->fd = open("/dev/numamig", O_RDWR);
	for (i = 0; i < 65; i++)
		end_child(pids[i]);
}

TEST_F(abi, target_list)
{
	struct numamig_target_add a = { .size = sizeof(a) };
	struct numamig_target_list l = { .size = sizeof(l) };
	pid_t one = sleeping_child(), two = sleeping_child();
	int32_t pids[4] = { 0 };

	a.pid = one;
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	a.pid = two;
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_ADD, &a));
	l.pids = (uintptr_t)pids;
	l.count = 1;
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_LIST, &l));
	EXPECT_EQ(2, l.count);
	EXPECT_EQ(one, pids[0]);
	EXPECT_EQ(0, pids[1]);
	l.count = 4;
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_LIST, &l));
	EXPECT_EQ(two, pids[1]);
	EXPECT_EQ(0, pids[2]);
	l.count = 4;
	l.pids = 8;
	EXPECT_EQ(EFAULT, call(self->fd, NUMAMIG_TARGET_LIST, &l));
	end_child(one);
	end_child(two);
}

TEST_F(abi, target_stat_bad)
{
	struct numamig_target_stat a = { .size = sizeof(a), .pid = 1 };

	EXPECT_EQ(ENOENT, call(self->fd, NUMAMIG_TARGET_STAT, &a));
}

TEST_F(abi, inject_bad)
{
	struct numamig_target_add add = { .size = sizeof(add),
					  .pid = getpid() };
	struct numamig_sample s = { .pid = getpid(), .node = 0 };
	struct numamig_inject a = {
		.size = sizeof(a), .count = 1, .samples = (uintptr_t)&s,
	};
	uint64_t before = counter("samples/injected");

	EXPECT_EQ(ESRCH, call(self->fd, NUMAMIG_INJECT, &a));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_ADD, &add));
	a.count = 0;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_INJECT, &a));
	a.count = 65537;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_INJECT, &a));
	a.count = 1;
	a.samples = 16;
	EXPECT_EQ(EFAULT, call(self->fd, NUMAMIG_INJECT, &a));
	a.samples = (uintptr_t)&s;
	s.node = -1;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_INJECT, &a));
	s.node = 1023;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_INJECT, &a));
	s.node = INT32_MAX;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_INJECT, &a));
	s.node = 0;
	s.addr = 1ull << 63;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_INJECT, &a));
	s.addr = 0;
	s.flags = 1u << 30;
	EXPECT_EQ(EOPNOTSUPP, call(self->fd, NUMAMIG_INJECT, &a));
	s.flags = 0;
	s.__reserved = 1;
	EXPECT_EQ(EOPNOTSUPP, call(self->fd, NUMAMIG_INJECT, &a));
	s.__reserved = 0;
	s.pid = 1;
	EXPECT_EQ(ESRCH, call(self->fd, NUMAMIG_INJECT, &a));
	EXPECT_EQ(before, counter("samples/injected"));
	s.pid = getpid();
	EXPECT_EQ(0, call(self->fd, NUMAMIG_INJECT, &a));
	EXPECT_EQ(1, a.accepted);
	EXPECT_EQ(before + 1, counter("samples/injected"));
}

/* Samples before a bad one are taken, and their number is told. */
TEST_F(abi, inject_partial)
{
	struct numamig_target_add add = { .size = sizeof(add),
					  .pid = getpid() };
	struct numamig_sample s[300];
	struct numamig_inject a = {
		.size = sizeof(a), .count = 300, .samples = (uintptr_t)s,
	};
	int i;

	EXPECT_EQ(0, call(self->fd, NUMAMIG_TARGET_ADD, &add));
	memset(s, 0, sizeof(s));
	for (i = 0; i < 300; i++)
		s[i].pid = getpid();
	s[200].node = 77;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_INJECT, &a));
	EXPECT_EQ(200, a.accepted);
}

TEST_F(abi, move_bad)
{
	NEEDS(NEED_NODES);

	struct numamig_move a = { .size = sizeof(a), .pid = getpid() };
	char *p = base_pages(4 * PAGE, 0);

#define MOVE(_addr, _len, _node)					\
	(a.addr = (uintptr_t)(_addr), a.len = (_len), a.node = (_node),	\
	 call(self->fd, NUMAMIG_MOVE, &a))

	EXPECT_EQ(EINVAL, MOVE(p + 1, PAGE, 1));
	EXPECT_EQ(EINVAL, MOVE(p, 0, 1));
	EXPECT_EQ(EINVAL, MOVE(p, 100, 1));
	EXPECT_EQ(EINVAL, MOVE(p, -PAGE, 1));
	EXPECT_EQ(EINVAL, MOVE(0, 1ull << 50, 1));
	EXPECT_EQ(EINVAL, MOVE(1ull << 63, PAGE, 1));
	EXPECT_EQ(EINVAL, MOVE(p, PAGE, -1));
	EXPECT_EQ(EINVAL, MOVE(p, PAGE, 1000));
	EXPECT_EQ(EINVAL, MOVE(p, PAGE, INT32_MAX));
	a.pid = 2;
	EXPECT_EQ(ESRCH, MOVE(p, PAGE, 1));
	a.pid = -5;
	EXPECT_EQ(ESRCH, MOVE(p, PAGE, 1));
	EXPECT_EQ(4, pages_on(0, p, 4 * PAGE, 0));
	a.pid = getpid();
	EXPECT_EQ(0, MOVE(p, 4 * PAGE, 1));
	EXPECT_EQ(4, a.pages[NUMAMIG_PAGE_MOVED]);
#undef MOVE
}

TEST_F(abi, read_without_role)
{
	struct pollfd p = { .fd = self->fd, .events = POLLIN };
	char buf[4096];

	EXPECT_EQ(-1, read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(1, poll(&p, 1, 0));
	EXPECT_TRUE(p.revents & POLLERR);
	EXPECT_EQ(-1, write(self->fd, buf, 1));
	EXPECT_EQ(-1, lseek(self->fd, 8, SEEK_SET));
}

static void ignore(int sig)
{
	(void)sig;
}

/* A stream without samples says so, and can be interrupted. */
TEST_F(abi, empty_stream)
{
	struct numamig_stream s = { .size = sizeof(s), .entries = 16 };
	struct sigaction act = { .sa_handler = ignore };
	struct itimerval soon = { .it_value.tv_usec = 100000 };
	char buf[4096];

	ASSERT_EQ(0, call(self->fd, NUMAMIG_STREAM, &s));
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(self->fd, F_SETFL, 0));
	ASSERT_EQ(0, sigaction(SIGALRM, &act, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-1, read(self->fd, buf, sizeof(buf)));
	EXPECT_EQ(EINTR, errno);
}

TEST_F(abi, roles)
{
	struct numamig_stream s = { .size = sizeof(s), .entries = 16 };
	struct numamig_helper h = { .size = sizeof(h) };
	int other = open("/dev/numamig", O_RDWR | O_NONBLOCK);
	char buf[4096];

	s.entries = 0;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_STREAM, &s));
	s.entries = 1u << 21;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_STREAM, &s));
	s.entries = 16;
	EXPECT_EQ(0, call(self->fd, NUMAMIG_STREAM, &s));
	EXPECT_EQ(EBUSY, call(self->fd, NUMAMIG_STREAM, &s));
	EXPECT_EQ(EBUSY, call(self->fd, NUMAMIG_HELPER, &h));
	EXPECT_EQ(0, call(other, NUMAMIG_HELPER, &h));
	EXPECT_EQ(EBUSY, call(other, NUMAMIG_HELPER, &h));
	EXPECT_EQ(EBUSY, call(other, NUMAMIG_STREAM, &s));
	EXPECT_EQ(1, counter("helper"));
	EXPECT_EQ(-1, read(other, buf, 8));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(other, buf, sizeof(buf)));
	EXPECT_EQ(EAGAIN, errno);
	close(other);
	EXPECT_EQ(0, counter("helper"));
}

/* The buffer ends in a hole: what fits is read, the rest is there after. */
TEST_F(abi, stream_into_hole)
{
	struct numamig_stream stream = { .size = sizeof(stream),
					 .entries = 16 };
	struct numamig_target_add add = { .size = sizeof(add),
					  .pid = getpid() };
	struct numamig_sample s[3] = { { 0 } };
	struct numamig_inject inject = {
		.size = sizeof(inject), .count = 3, .samples = (uintptr_t)s,
	};
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct numamig_sample *end = (void *)(p + PAGE);
	int i;

	write_text(SYSFS "sampler", "inject");
	mprotect(p + PAGE, PAGE, PROT_NONE);
	for (i = 0; i < 3; i++) {
		s[i].pid = getpid();
		s[i].addr = (uintptr_t)p + i;
	}
	ASSERT_EQ(0, call(self->fd, NUMAMIG_STREAM, &stream));
	ASSERT_EQ(0, call(self->fd, NUMAMIG_TARGET_ADD, &add));
	ASSERT_EQ(0, call(self->fd, NUMAMIG_INJECT, &inject));
	EXPECT_EQ(-1, read(self->fd, end, sizeof(s)));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ((ssize_t)(2 * sizeof(s[0])),
		  read(self->fd, end - 2, sizeof(s)));
	EXPECT_EQ((uintptr_t)p, end[-2].addr);
	EXPECT_EQ((uintptr_t)p + 1, end[-1].addr);
	EXPECT_EQ((ssize_t)sizeof(s[0]), read(self->fd, s, sizeof(s)));
	EXPECT_EQ((uintptr_t)p + 2, s[0].addr);
	close(self->fd);
	self->fd = open("/dev/numamig", O_RDWR);
	write_text(SYSFS "sampler", "auto");
}

TEST_F(abi, order_done_bad)
{
	struct numamig_order_done a = { .size = sizeof(a), .id = 1 };
	struct numamig_helper h = { .size = sizeof(h) };

	EXPECT_EQ(EPERM, call(self->fd, NUMAMIG_ORDER_DONE, &a));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_HELPER, &h));
	EXPECT_EQ(ENOENT, call(self->fd, NUMAMIG_ORDER_DONE, &a));
	a.error = 5000;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_ORDER_DONE, &a));
	a.error = 0;
	a.pages[0] = 1ull << 40;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_ORDER_DONE, &a));
	a.pages[0] = 0;
	a.pages[15] = 1;
	EXPECT_EQ(EINVAL, call(self->fd, NUMAMIG_ORDER_DONE, &a));
}

static void drop_cap(int cap)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2];

	syscall(SYS_capget, &h, d);
	d[cap / 32].effective &= ~(1u << (cap % 32));
	syscall(SYS_capset, &h, d);
}

/*
 * Each of the rights is needed at open and, with a file that was opened before
 * it was given up, at every call.
 */
static int errno_without(int fd, const int *caps, int nr)
{
	int status, i;
	pid_t pid = fork();

	if (!pid) {
		struct numamig_info info = { .size = sizeof(info) };
		char buf[4096];
		int bad;

		for (i = 0; i < nr; i++)
			drop_cap(caps[i]);
		bad = open("/dev/numamig", O_RDWR) >= 0 || errno != EPERM;
		bad |= call(fd, NUMAMIG_INFO, &info) != EPERM;
		bad |= read(fd, buf, sizeof(buf)) >= 0 || errno != EPERM;
		_exit(bad);
	}
	waitpid(pid, &status, 0);
	return status;
}

TEST_F(abi, rights)
{
	static const int nice[] = { CAP_SYS_NICE };
	static const int ptrace[] = { CAP_SYS_PTRACE };
	/* CAP_SYS_ADMIN stands for CAP_PERFMON, as with perf itself */
	static const int perf[] = { CAP_PERFMON, CAP_SYS_ADMIN };
	struct numamig_info info = { .size = sizeof(info) };

	EXPECT_EQ(0, errno_without(self->fd, nice, 1));
	EXPECT_EQ(0, errno_without(self->fd, ptrace, 1));
	EXPECT_EQ(0, errno_without(self->fd, perf, 2));
	EXPECT_EQ(0, call(self->fd, NUMAMIG_INFO, &info));
}

TEST(mode)
{
	EXPECT_EQ(0, system("test \"$(stat -c %a:%u:%g /dev/numamig)\" = 600:0:0"));
}

TEST_F(abi, stop_when_idle)
{
	struct numamig_stop s = { .size = sizeof(s) };

	EXPECT_EQ(0, call(self->fd, NUMAMIG_STOP, &s));
}

TEST_HARNESS_MAIN
