/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fail_nth.h - one system call, again and again, with its first allocation
 * failing, its second, its third, until none is left to fail
 *
 * What fails is whatever the calling thread asks for inside the call: slab
 * objects, pages, copies from and to user space.  What interrupts and other
 * threads ask for is left alone.  Call fault_setup() first.
 */
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

#include <stdbool.h>
#include <sys/types.h>

/* More allocations than this in one call are taken for a loop. */
#define FAIL_NTH_MAX	20000

/* The calling thread's @n-th allocation from here on fails. */
void fail_nth_arm(unsigned int n);
/* No more does.  Returns whether one failed since it was armed. */
bool fail_nth_disarm(void);
/* The same for a thread that is stopped. */
void fail_nth_arm_task(pid_t tid, unsigned int n);
bool fail_nth_fired_task(pid_t tid);

/**
 * struct fail_nth_call - a system call under test
 * @name: for the report
 * @prepare: what it takes, before each call; may be NULL
 * @call: the call and nothing else; returns its result or a negative errno
 * @settle: after each call: check what has to hold, and undo what it did;
 *	returns NULL, or what is wrong; may be NULL
 */
struct fail_nth_call {
	const char *name;
	void (*prepare)(void *ctx);
	long (*call)(void *ctx);
	const char *(*settle)(void *ctx, long ret);
};

/**
 * struct fail_nth_report - what came of it
 * @calls: how often it was called
 * @failed: how many of them had a failure injected and ended with an errno
 * @ridden: how many had one and ended well all the same
 * @wrong: what was wrong first, and with which @n and @ret; NULL for nothing
 * @n: the allocation that failed
 * @ret: what the call returned
 */
struct fail_nth_report {
	unsigned int calls;
	unsigned int failed;
	unsigned int ridden;
	const char *wrong;
	unsigned int n;
	long ret;
};

/* Returns whether all went well; then the last call had no failure left. */
bool fail_nth_run(const struct fail_nth_call *c, void *ctx,
		  struct fail_nth_report *r);
/* The same as TAP: what is wrong, as a comment. */
bool fail_nth_explain(const struct fail_nth_call *c, void *ctx,
		      struct fail_nth_report *r);
/* One test of a TAP test program. */
void fail_nth_result(const char *name, bool ok,
		     const struct fail_nth_report *r);
/* Run one call as one test. */
void fail_nth_test(const struct fail_nth_call *c, void *ctx);
/* How many tests failed. */
int fail_nth_bad(void);

#endif /* FAIL_NTH_H */
