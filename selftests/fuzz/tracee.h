/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tracee.h - a process with nothing in it but a page of code, stepped one
 * instruction at a time: what the processor makes of it
 */
#ifndef FUZZ_TRACEE_H
#define FUZZ_TRACEE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* The page that holds the code, in the fuzzer (writable) and in tracees. */
#define TRACEE_CODE		0x10000000ull
#define TRACEE_CODE_SIZE	4096u

/*
 * Where tracees can be given memory that may be read and not written.  Nothing
 * else is mapped in them.
 */
#define TRACEE_DATA		0x100000000000ull
#define TRACEE_DATA_SIZE	(64ull << 30)

struct tracee {
	pid_t pid;
	bool readable;		/* TRACEE_DATA is mapped */
	siginfo_t info;		/* of the last step that was no trap */
	struct user_regs_struct first;
	struct user_fpregs_struct fp;
};

/* Start it; @readable: with TRACEE_DATA mapped.  False: not allowed here. */
bool tracee_start(struct tracee *t, bool readable);
void tracee_end(struct tracee *t);
/*
 * Step one instruction from @r; @r becomes what the processor left.  Returns
 * SIGTRAP when it was executed, else the signal that it raised (@t->info), or
 * 0 when the tracee is lost.
 */
int tracee_step(struct tracee *t, struct user_regs_struct *r);
/* Forget what loads have done to the x87 and SSE control registers. */
void tracee_reset_fp(struct tracee *t);

#endif /* FUZZ_TRACEE_H */
