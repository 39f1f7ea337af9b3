// SPDX-License-Identifier: GPL-2.0-only
/*
 * fail-nth - a command, again and again, with its n-th allocation failing
 *
 *   fail-nth [--from N] [--step N] COMMAND [ARG]...
 *
 * Counted is from the first instruction of the program on, the dynamic linker
 * included, in its first thread.  The command may fail in any way, by a signal
 * too (a stack that cannot grow is one), and has to succeed once none of its
 * allocations is left to fail.  The kernel's log says the rest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fault.h"

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fail-nth: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void become(char **argv)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	execvp(argv[0], argv);
	_exit(127);
}

/* Let it run to its end and see, before it is gone, whether one failed. */
static int run_to_end(pid_t pid, bool *fired)
{
	int status, sig;

	for (;;) {
		must(waitpid(pid, &status, 0) == pid, "waitpid");
		if (WIFEXITED(status) || WIFSIGNALED(status))
			return status;
		sig = WSTOPSIG(status);
		if (sig == SIGTRAP && status >> 16 == PTRACE_EVENT_EXIT) {
			*fired = fail_nth_fired_task(pid);
			fail_nth_arm_task(pid, 0);
			sig = 0;
		}
		must(!ptrace(PTRACE_CONT, pid, 0, sig), "continue");
	}
}

/* The command's status, as of waitpid(), with its @n-th allocation failing. */
static int run_once(char **argv, unsigned int n, bool *fired)
{
	pid_t pid = fork();
	int status;

	must(pid >= 0, "fork");
	if (!pid)
		become(argv);
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	if (!WIFSTOPPED(status)) {
		fprintf(stderr, "fail-nth: cannot run %s\n", argv[0]);
		exit(127);
	}
	must(!ptrace(PTRACE_SETOPTIONS, pid, 0,
		     PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL), "options");
	*fired = false;
	fail_nth_arm_task(pid, n);
	must(!ptrace(PTRACE_CONT, pid, 0, 0), "continue");
	return run_to_end(pid, fired);
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (!n || *end || n > FAIL_NTH_MAX) {
		fprintf(stderr, "fail-nth: '%s' is no number\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	unsigned int n = 1, step = 1, failed = 0, ridden = 0;
	bool fired = true;
	int i, status = 0;

	for (i = 1; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (!strcmp(argv[i], "--from"))
			n = number(argv[i + 1]);
		else if (!strcmp(argv[i], "--step"))
			step = number(argv[i + 1]);
		else
			break;
	}
	if (i >= argc || argv[i][0] == '-') {
		fprintf(stderr, "usage: fail-nth [--from N] [--step N] COMMAND...\n");
		return 2;
	}
	if (!fault_setup())
		return 125;
	for (; n <= FAIL_NTH_MAX; n += step) {
		status = run_once(argv + i, n, &fired);
		if (!fired)
			break;
		failed += status != 0;
		ridden += status == 0;
	}
	printf("%u failures: %u times it failed, %u times it went on\n",
	       failed + ridden, failed, ridden);
	return fired || status;
}
