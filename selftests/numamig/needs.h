/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * needs.h - what a test needs of the machine
 *
 * The virtual machine of tools/check has all of it, and a skip there is a
 * failure unless selftests/skips names it.  A machine that somebody runs
 * "make kselftest" on may lack anything.
 */
#ifndef NEEDS_H
#define NEEDS_H

enum {
	NEED_NODES	= 1 << 0,	/* 0 and 1, with CPUs and memory */
	NEED_CPUS	= 1 << 1,	/* 0 to 3 */
	NEED_HOTPLUG	= 1 << 2,	/* CPU 2 may go */
	NEED_ISOLATED	= 1 << 3,	/* a CPU, by isolcpus= */
	NEED_FULL_NODE	= 1 << 4,	/* node 1 may be filled */
	NEED_HUGETLB	= 1 << 5,	/* and nobody else uses it */
	NEED_KSM	= 1 << 6,	/* and nobody else uses it */
	NEED_CPUSETS	= 1 << 7,
	NEED_TRACING	= 1 << 8,	/* of timers and work items */
	NEED_THP	= 1 << 9,
};

/* The first thing of @needs that is missing here, NULL when all is there. */
const char *lacks(unsigned int needs);

/* First of all in a TEST or TEST_F. */
#define NEEDS(_needs)							\
	do {								\
		const char *_why = lacks(_needs);			\
									\
		if (_why)						\
			SKIP(return, "%s", _why);			\
	} while (0)

/* In FIXTURE_SETUP, where a return alone would start the test. */
#define SETUP_NEEDS(_needs)						\
	do {								\
		const char *_why = lacks(_needs);			\
									\
		if (_why)						\
			SKIP(longjmp(_metadata->env, 1), "%s", _why);	\
	} while (0)

#endif /* NEEDS_H */
