// SPDX-License-Identifier: GPL-2.0-only
/*
 * fail_nth.c - see fail_nth.h; Documentation/fault-injection of the kernel
 * says what /proc/PID/fail-nth does
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail_nth.h"

static __thread int own_fd = -1;

static void die(const char *what)
{
	printf("# cannot go on: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void put_number(int fd, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fd, text, len, 0) == len)
		return;
	/* the copy of this very number was what failed, and the last to */
	if (errno != EFAULT || pwrite(fd, text, len, 0) != len)
		die("fail-nth");
}

static bool is_zero(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) > 0)
		return !atoi(text);
	/* reading it was the n-th: nothing had failed before */
	if (errno != EFAULT)
		die("fail-nth");
	return false;
}

void fail_nth_arm(unsigned int n)
{
	if (own_fd < 0)
		own_fd = open("/proc/thread-self/fail-nth",
			      O_RDWR | O_CLOEXEC);
	if (own_fd < 0)
		die("/proc/thread-self/fail-nth");
	put_number(own_fd, n);
}

bool fail_nth_disarm(void)
{
	bool fired = is_zero(own_fd);

	put_number(own_fd, 0);
	return fired;
}

static int open_task(pid_t tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", (int)tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

void fail_nth_arm_task(pid_t tid, unsigned int n)
{
	int fd = open_task(tid);

	put_number(fd, n);
	close(fd);
}

bool fail_nth_fired_task(pid_t tid)
{
	int fd = open_task(tid);
	bool fired = is_zero(fd);

	close(fd);
	return fired;
}

static const char *judge(long ret, bool fired)
{
	if (ret >= 0)
		return NULL;
	if (!fired)
		return "failed without a failure";
	return ret == -ENOMEM || ret == -EFAULT ? NULL : "an odd errno";
}

bool fail_nth_run(const struct fail_nth_call *c, void *ctx,
		  struct fail_nth_report *r)
{
	bool fired = true;
	unsigned int n;

	memset(r, 0, sizeof(*r));
	for (n = 1; fired && !r->wrong; n++) {
		if (c->prepare)
			c->prepare(ctx);
		r->n = n;
		r->calls++;
		fail_nth_arm(n);
		r->ret = c->call(ctx);
		fired = fail_nth_disarm();
		r->failed += fired && r->ret < 0;
		r->ridden += fired && r->ret >= 0;
		r->wrong = judge(r->ret, fired);
		if (!r->wrong && c->settle)
			r->wrong = c->settle(ctx, r->ret);
		if (!r->wrong && n > FAIL_NTH_MAX)
			r->wrong = "no end of allocations";
	}
	return !r->wrong;
}

bool fail_nth_explain(const struct fail_nth_call *c, void *ctx,
		      struct fail_nth_report *r)
{
	if (fail_nth_run(c, ctx, r))
		return true;
	printf("# Expected no trouble, but %s, allocation %u: %s (returned %ld)\n",
	       c->name, r->n, r->wrong, r->ret);
	return false;
}

static int tests, bad;

void fail_nth_result(const char *name, bool ok,
		     const struct fail_nth_report *r)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++tests, name);
	printf("# %u calls: %u failed, %u went on all the same\n", r->calls,
	       r->failed, r->ridden);
	fflush(stdout);
	bad += !ok;
}

void fail_nth_test(const struct fail_nth_call *c, void *ctx)
{
	struct fail_nth_report r;
	bool ok = fail_nth_explain(c, ctx, &r);

	fail_nth_result(c->name, ok, &r);
}

int fail_nth_bad(void)
{
	return bad;
}
