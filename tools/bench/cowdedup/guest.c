// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest.c - see guest.h
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "monitor.h"

void guest_start(struct guest *g, const struct guest_plan *p)
{
	int hold[2];
	char c;

	g->log = mmap(NULL, sizeof(*g->log), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->log == MAP_FAILED || pipe(hold))
		stage_die("a guest");
	g->pid = fork();
	if (g->pid < 0)
		stage_die("fork");
	if (!g->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(hold[1]);
		monitor_run(p, g->log);
		/* its memory stays till the conductor has counted it */
		while (read(hold[0], &c, 1) > 0)
			;
		_exit(0);
	}
	close(hold[0]);
	g->hold = hold[1];
}

const char *guest_wait(struct guest *g, const struct guest_plan *p)
{
	while (!g->log->ended) {
		if (waitpid(g->pid, NULL, WNOHANG))
			return "a guest failed";
		usleep(10000);
	}
	return g->log->steps + 1 == p->n ? NULL : "a guest left out steps";
}

void guest_quit(struct guest *g)
{
	kill(g->pid, SIGKILL);
	waitpid(g->pid, NULL, 0);
	close(g->hold);
	munmap(g->log, sizeof(*g->log));
}
