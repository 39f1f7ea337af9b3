// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopset.c - the programs of tools/bench/loops, started and stopped
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loopset.h"

unsigned int loopset_programs(char paths[][512], unsigned int max)
{
	char exe[PATH_MAX], pattern[PATH_MAX + 32];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	unsigned int n = 0;
	glob_t g;

	if (len < 0)
		return 0;
	exe[len] = 0;
	/* build/bin/numashare, build/bench/loops-* */
	snprintf(pattern, sizeof(pattern), "%s/bench/loops-*",
		 dirname(dirname(exe)));
	if (glob(pattern, 0, NULL, &g))
		return 0;
	for (; n < g.gl_pathc && n < max; n++)
		snprintf(paths[n], sizeof(paths[n]), "%s", g.gl_pathv[n]);
	globfree(&g);
	return n;
}

unsigned int loopset_list(const char *program, struct loop_info *info,
			  unsigned int max)
{
	char cmd[600], name[32];
	unsigned int n = 0, uses;
	unsigned long region;
	int stack, dev;
	double hot;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "%s --list", program);
	f = popen(cmd, "r");
	while (f && n < max && fscanf(f, "%31s %u %d %lf %lu %d", name, &uses,
				      &stack, &hot, &region, &dev) == 6) {
		snprintf(info[n].name, sizeof(info[n].name), "%s", name);
		info[n].uses = uses;
		info[n].stack = stack;
		info[n].hot = hot;
		info[n].region = region;
		info[n].dev = dev;
		n++;
	}
	if (f)
		pclose(f);
	return n;
}

static void child(const char *program, const char *loop, double seconds,
		  unsigned long rounds, int in, int out)
{
	char secs[32], rnds[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, 0);
	dup2(out, 1);
	snprintf(secs, sizeof(secs), "%g", seconds);
	snprintf(rnds, sizeof(rnds), "%lu", rounds);
	/* the addresses of shared libraries need not be the same each time */
	execl(program, program, loop, secs, rounds ? rnds : NULL, NULL);
	_exit(127);
}

bool loopset_start(struct loop_run *r, const char *program, const char *loop,
		   double seconds, unsigned long rounds)
{
	unsigned long addr, bytes;
	int to[2], from[2], n;
	char line[256];

	memset(r, 0, sizeof(*r));
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return false;
	r->pid = fork();
	if (!r->pid)
		child(program, loop, seconds, rounds, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	r->in = fdopen(from[0], "r");
	r->out = fdopen(to[1], "w");
	while (fgets(line, sizeof(line), r->in)) {
		if (!strcmp(line, "run\n"))
			return true;
		if (sscanf(line, "buffer %d %lx %lx", &n, &addr,
			   &bytes) == 3 && n < LOOPSET_BUFFERS) {
			r->addr[n] = addr;
			r->bytes = bytes;
		}
	}
	loopset_end(r);
	return false;
}

void loopset_go(struct loop_run *r)
{
	fputs("go\n", r->out);
	fflush(r->out);
}

unsigned long loopset_wait(struct loop_run *r)
{
	unsigned long rounds = 0;
	char line[256];

	if (fgets(line, sizeof(line), r->in))
		sscanf(line, "rounds %lu", &rounds);
	return rounds;
}

void loopset_end(struct loop_run *r)
{
	fclose(r->out);
	fclose(r->in);
	waitpid(r->pid, NULL, 0);
}
