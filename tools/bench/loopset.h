/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopset.h - the programs of tools/bench/loops, started and stopped
 */
#ifndef LOOPSET_H
#define LOOPSET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define LOOPSET_BUFFERS	4
#define LOOPSET_MAX	64

/**
 * struct loop_info - what a program says of one of its loops
 * @name: its name
 * @uses: bit n: accesses buffer n
 * @stack: the stack, too
 * @hot: known share of the first eighth of @region, 0 for none
 * @region: bytes of buffer 0 that @hot is about
 * @dev: looked at while the evaluator was written
 */
struct loop_info {
	char name[32];
	unsigned int uses;
	bool stack;
	double hot;
	unsigned long region;
	bool dev;
};

/**
 * struct loop_run - a loop that waits to be let go, or runs
 * @pid: its process
 * @in: what it prints
 * @out: where it reads
 * @addr: start of each buffer
 * @bytes: of each buffer
 */
struct loop_run {
	pid_t pid;
	FILE *in;
	FILE *out;
	uint64_t addr[LOOPSET_BUFFERS];
	uint64_t bytes;
};

/* The programs that were built: one a compiler and set of options. */
unsigned int loopset_programs(char paths[][512], unsigned int max);
unsigned int loopset_list(const char *program, struct loop_info *info,
			  unsigned int max);
/* Start a loop; it waits.  @rounds 0: for @seconds. */
bool loopset_start(struct loop_run *r, const char *program, const char *loop,
		   double seconds, unsigned long rounds);
void loopset_go(struct loop_run *r);
/* Wait until it is done; its memory is still there.  Returns its rounds. */
unsigned long loopset_wait(struct loop_run *r);
void loopset_end(struct loop_run *r);

#endif /* LOOPSET_H */
