// SPDX-License-Identifier: GPL-2.0-only
/*
 * messages.c - errors that say what to do next
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "numashare.h"

static void say(const char *fmt, va_list ap)
{
	fprintf(stderr, "numashare: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

/* Why /dev/numamig cannot be opened (a negative errno). */
int explain_open(int err)
{
	switch (err) {
	case -ENOENT:
		complain("the numamig module is not loaded\n"
			 "  load it with 'modprobe numamig', or from the "
			 "source folder with 'make load'");
		break;
	case -EPERM:
	case -EACCES:
		complain("not permitted: %s\n"
			 "  this needs CAP_SYS_NICE, CAP_PERFMON and "
			 "CAP_SYS_PTRACE: run it with sudo",
			 geteuid() ? "you are not root" :
			 "root here lacks rights in the initial namespace");
		break;
	default:
		complain("/dev/numamig: %s", strerror(-err));
	}
	return FAILED;
}

/* Why a process cannot be a target. */
int explain_target(int err, int pid)
{
	switch (err) {
	case -ESRCH:
		complain("there is no process %d", pid);
		break;
	case -EEXIST:
		complain("process %d is sampled already\n"
			 "  'numashare status' lists the targets, 'numashare "
			 "stop' ends them", pid);
		break;
	case -EINVAL:
		complain("%d is a kernel thread", pid);
		break;
	case -ENOSPC:
		complain("there are %d targets already\n"
			 "  end some with 'numashare stop'", MAX_PIDS);
		break;
	case -EACCES:
		complain("the kernel is locked down (Secure Boot) and allows "
			 "no perf sampling\n  see 'man 7 kernel_lockdown'");
		break;
	default:
		complain("process %d: %s", pid, strerror(-err));
	}
	return FAILED;
}

int usage_error(const struct subcommand *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	fprintf(stderr, "Usage: numashare %s %s\n"
		"'numashare %s --help' explains it.\n", c->name, c->usage,
		c->name);
	return USAGE;
}

void print_help(const struct subcommand *c)
{
	printf("Usage: numashare %s %s\n\n%s.\n\n%s", c->name, c->usage,
	       c->summary, c->help);
}
