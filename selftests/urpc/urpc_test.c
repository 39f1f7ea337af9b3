// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_test.c - what the tests of urpc share
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "urpc_test.h"

void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("# cannot go on: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

const char *new_name(void)
{
	static char name[URPC_NAME_MAX];
	static unsigned int n;

	snprintf(name, sizeof(name), "test/%d/%u", getpid(), n++);
	return name;
}

double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

void idle_for(unsigned int pauses)
{
	while (pauses--)
		urpc_pause();
}

double test_seconds(double usually)
{
	const char *given = getenv("URPC_TEST_SECONDS");

	/* the sanitizers look for something else than rare moments */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	usually /= 4;
#endif
	return given ? atof(given) : usually;
}

void fill_message(uint64_t *word, uint64_t n)
{
	unsigned int i;

	for (i = 0; i < URPC_SLOT_WORDS; i++)
		word[i] = (n + i) * 0x9e3779b97f4a7c15ull;
}

bool is_message(const uint64_t *word, uint64_t n)
{
	unsigned int i;

	for (i = 0; i < URPC_SLOT_WORDS; i++)
		if (word[i] != (n + i) * 0x9e3779b97f4a7c15ull)
			return false;
	return true;
}

struct urpc_endpoint *listener(const char *name)
{
	const struct urpc_endpoint_attr attr = { .name = name };
	struct urpc_endpoint *e;

	errno = -urpc_endpoint_create(&e, &attr);
	must(!errno, "an endpoint");
	return e;
}

pid_t spawn_peer(const struct urpc_channel_attr *attr, child_work work,
		 void *arg, struct urpc_channel **c)
{
	struct urpc_channel *theirs;
	const char *name = new_name();
	struct urpc_endpoint *e = listener(name);
	pid_t parent = getpid(), pid = fork();

	must(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		errno = -urpc_connect(NULL, name, attr, BOUND_NS, &theirs);
		must(!errno, "connect");
		_exit(work(theirs, arg));
	}
	errno = -urpc_accept(e, attr, BOUND_NS, c);
	must(!errno, "accept");
	urpc_endpoint_close(e);
	return pid;
}

int end_of(pid_t pid)
{
	double end = seconds_now() + BOUND_NS / 1e9;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (seconds_now() > end) {
			printf("# a child hangs\n");
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		usleep(1000);
	}
	return status;
}

unsigned int usable_cpus(int *cpus, unsigned int room)
{
	unsigned int n = 0;
	cpu_set_t set;
	int cpu;

	must(!sched_getaffinity(0, sizeof(set), &set), "sched_getaffinity");
	for (cpu = 0; cpu < CPU_SETSIZE && n < room; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	return n;
}

void move_thread(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	/* it may have ended */
	sched_setaffinity(tid, sizeof(set), &set);
}

unsigned int open_fds(pid_t pid)
{
	struct dirent *d;
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	must(dir, path);
	while ((d = readdir(dir)))
		n += atoi(d->d_name) > 2;
	closedir(dir);
	return n;
}
