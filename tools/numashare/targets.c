// SPDX-License-Identifier: GPL-2.0-only
/*
 * targets.c - PID... or -- COMMAND, as migrate and record take them
 *
 * A command is forked first and waits on a pipe until it is a target, so that
 * its first instruction is sampled already; threads and children inherit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numashare.h"

/* Start the command; it runs when the pipe is written to. */
static int start_command(struct targets *t, char **argv)
{
	int pipefd[2];
	char c;

	if (pipe2(pipefd, O_CLOEXEC)) {
		complain("pipe: %s", strerror(errno));
		return FAILED;
	}
	t->command = fork();
	if (t->command < 0) {
		complain("fork: %s", strerror(errno));
		return FAILED;
	}
	if (!t->command) {
		close(pipefd[1]);
		/* closed without a byte: the parent gave up */
		if (read(pipefd[0], &c, 1) != 1)
			_exit(FAILED);
		execvp(argv[0], argv);
		complain("%s: %s", argv[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(pipefd[0]);
	t->go = pipefd[1];
	t->pids[t->nr++] = t->command;
	/* what the terminal sends is for the command, which ends us */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	return OK;
}

static int parse_pids(struct targets *t, const struct subcommand *c, int argc,
		      char **argv)
{
	double v;
	int i;

	for (i = 0; i < argc; i++) {
		if (!parse_number(argv[i], 1, 1 << 22, &v))
			return usage_error(c, "'%s' is not a process id",
					   argv[i]);
		if (t->nr == MAX_PIDS)
			return usage_error(c, "more than %d processes",
					   MAX_PIDS);
		t->pids[t->nr++] = v;
	}
	if (!t->nr)
		return usage_error(c, "no process and no command");
	return OK;
}

/*
 * Make targets of the PIDs in @argv or, with @command, of the command that it
 * is.  The command does not run before targets_go().
 */
int targets_open(struct targets *t, const struct subcommand *c, int argc,
		 char **argv, bool command, uint32_t flags)
{
	unsigned int i;
	int ret;

	memset(t, 0, sizeof(*t));
	t->go = -1;
	ret = numamig_open(&t->dev);
	if (ret)
		return explain_open(ret);
	if (command && !argc)
		return usage_error(c, "no command after --");
	ret = command ? start_command(t, argv) : parse_pids(t, c, argc, argv);
	for (i = 0; i < t->nr && !ret; i++) {
		ret = numamig_add(t->dev, t->pids[i], flags);
		if (ret)
			ret = explain_target(ret, t->pids[i]);
	}
	return ret;
}

int targets_go(struct targets *t)
{
	if (t->go < 0)
		return OK;
	if (write(t->go, "", 1) != 1) {
		complain("the command is gone: %s", strerror(errno));
		return FAILED;
	}
	close(t->go);
	t->go = -1;
	return OK;
}

/* Is there still something to look at? */
bool targets_alive(struct targets *t)
{
	struct numamig_target_stat st;
	unsigned int i;

	if (t->command && !t->ended &&
	    waitpid(t->command, &t->status, WNOHANG) == t->command)
		t->ended = true;
	if (t->command)
		return !t->ended;
	for (i = 0; i < t->nr; i++)
		if (!numamig_get_stat(t->dev, t->pids[i], &st))
			return true;
	return false;
}

/* The command's exit status, as a shell gives it. */
int targets_status(const struct targets *t)
{
	if (!t->command || !t->ended)
		return OK;
	if (WIFSIGNALED(t->status))
		return 128 + WTERMSIG(t->status);
	return WEXITSTATUS(t->status);
}

/* Sample them no more; the command runs on. */
void targets_stop(struct targets *t)
{
	numamig_close(t->dev);
	t->dev = NULL;
}

void targets_close(struct targets *t)
{
	if (t->go >= 0)
		close(t->go);
	targets_stop(t);
}
