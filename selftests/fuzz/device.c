// SPDX-License-Identifier: GPL-2.0-only
/*
 * device - random use of numamig's whole user interface, as TAP
 *
 *   fuzz-device [SECONDS] [--seconds N] [--seed N]
 *
 * Threads of one process work on /dev/numamig and /sys/kernel/numamig by the
 * grammar of device_ops.c, while victims (device_victim.c) use memory, fork and
 * die.  No answer may be one that is not documented, no page may change, and in
 * the end all is quiet, the counters add up and the module can be unloaded.
 * A BUG or WARNING of the kernel is seen by whoever runs the machine.
 *
 * Each thread's sequence follows from the seed; how they interleave does not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "nm_test.h"

/* A thread that does nothing for so long hangs. */
#define STUCK_SECONDS	60

struct shared *shared;

static unsigned int tests, failed;

/* --- random numbers, complaints ------------------------------------------ */

static __thread uint64_t state;

void seed_random(uint64_t seed)
{
	state = seed;
}

uint64_t next_random(void)
{
	/* splitmix64 */
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t below(uint32_t n)
{
	return (uint32_t)((next_random() >> 32) * n >> 32);
}

bool one_in(uint32_t n)
{
	return !below(n);
}

void complain(const char *format, ...)
{
	va_list ap;

	if (__atomic_fetch_add(&shared->complaints, 1, __ATOMIC_RELAXED))
		return;
	va_start(ap, format);
	vsnprintf(shared->complaint, sizeof(shared->complaint), format, ap);
	va_end(ap);
}

static void result(bool ok, const char *what)
{
	printf("%sok %u %s\n", ok ? "" : "not ", ++tests, what);
	failed += !ok;
	fflush(stdout);
}

static void print_log(void)
{
	unsigned int t, k;

	for (t = 0; t < THREADS; t++) {
		const struct oplog *l = &shared->log[t];
		uint64_t n = l->done, from = n > LOG_LINES ? n - LOG_LINES : 0;

		printf("# thread %u, %llu operations, the last of them:\n", t,
		       (unsigned long long)n);
		for (k = 0; from + k < n; k++)
			printf("#   %s\n", l->line[(from + k) % LOG_LINES]);
	}
	fflush(stdout);
}

/* --- the processes ------------------------------------------------------- */

static void start_victim(unsigned int slot, uint64_t seed)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (!pid) {
		seed_random(seed);
		victim_main(slot);
	}
	shared->victim[slot].pid = pid;
}

static void ignore(int sig)
{
	(void)sig;
}

/* The process that does the operations, in several threads. */
static void attacker(uint64_t seed)
{
	/* without SA_RESTART: whatever waits is interrupted */
	struct sigaction act = { .sa_handler = ignore };
	pthread_t thread[THREADS];
	uintptr_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGUSR1, &act, NULL);
	no_files();
	for (t = 0; t < THREADS; t++)
		must(!pthread_create(&thread[t], NULL, operate,
				     (void *)(seed * THREADS + t)), "thread");
	for (t = 0; t < THREADS; t++)
		pthread_join(thread[t], NULL);
	_exit(0);
}

static uint64_t operations_done(void)
{
	uint64_t sum = 0;
	unsigned int t;

	for (t = 0; t < THREADS; t++)
		sum += __atomic_load_n(&shared->log[t].done, __ATOMIC_RELAXED);
	return sum;
}

/* Does any thread do nothing for too long? */
static bool stuck(double now)
{
	static uint64_t last[THREADS];
	static double since[THREADS];
	unsigned int t;

	for (t = 0; t < THREADS; t++) {
		uint64_t done = __atomic_load_n(&shared->log[t].done,
						__ATOMIC_RELAXED);

		if (done != last[t] || !since[t]) {
			last[t] = done;
			since[t] = now;
		}
		if (now - since[t] > STUCK_SECONDS) {
			complain("thread %u hangs in: %s", t,
				 shared->log[t].line[(done - 1) % LOG_LINES]);
			return true;
		}
	}
	return false;
}

/* A victim that ended is replaced; one that a check ended is a complaint. */
static void reap_victims(uint64_t *seed)
{
	unsigned int slot;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (slot = 0; slot < VICTIMS; slot++)
			if (shared->victim[slot].pid == pid)
				break;
		if (slot == VICTIMS)
			complain("process %d ended: %x", pid, status);
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			complain("process %d: signal %d", pid,
				 WTERMSIG(status));
		if (slot < VICTIMS)
			start_victim(slot, ++*seed);
	}
}

static void run(double seconds, uint64_t seed)
{
	double end = seconds_now() + seconds;
	unsigned int slot;
	pid_t pid;

	for (slot = 0; slot < VICTIMS; slot++)
		start_victim(slot, ++seed);
	pid = fork();
	must(pid >= 0, "fork");
	if (!pid)
		attacker(seed);
	while (seconds_now() < end && !shared->complaints &&
	       !stuck(seconds_now())) {
		usleep(20000);
		reap_victims(&seed);
	}
	shared->quit = true;
	end = seconds_now() + STUCK_SECONDS;
	while (!waitpid(pid, NULL, WNOHANG)) {
		if (stuck(seconds_now()) || seconds_now() > end) {
			complain("the threads do not end");
			kill(pid, SIGKILL);
		}
		usleep(20000);
	}
	/* killed or told to quit, and their own last check of all pages */
	for (slot = 0; slot < VICTIMS; slot++)
		waitpid(shared->victim[slot].pid, NULL, 0);
}

/* --- before and after ---------------------------------------------------- */

/* Every attribute that can be written, as it was. */
static char saved_path[32][128], saved_text[32][64];
static unsigned int saved;

static void save_settings(const char *pattern)
{
	glob_t g;
	size_t k;

	if (glob(pattern, 0, NULL, &g))
		return;
	for (k = 0; k < g.gl_pathc && saved < 32; k++) {
		FILE *f = fopen(g.gl_pathv[k], "r+");

		if (!f)
			continue;
		snprintf(saved_path[saved], sizeof(saved_path[0]), "%s",
			 g.gl_pathv[k]);
		if (fgets(saved_text[saved], sizeof(saved_text[0]), f))
			saved++;
		fclose(f);
	}
	globfree(&g);
}

static bool restore_settings(void)
{
	bool ok = true;
	unsigned int k;

	for (k = 0; k < saved; k++) {
		if (!write_errno(saved_path[k], saved_text[k]))
			continue;
		printf("# Expected: %s can be set to %s", saved_path[k],
		       saved_text[k]);
		ok = false;
	}
	return ok && saved > 10;
}

/* Orders early and often. */
static void eager_settings(void)
{
	if (!access("/proc/sys/kernel/numa_balancing", F_OK))
		write_text("/proc/sys/kernel/numa_balancing", "0");
	write_text(SYSFS "policy/window_ms", "20");
	write_text(SYSFS "policy/local_share_low", "100");
	write_text(SYSFS "policy/local_share_high", "101");
	write_text(SYSFS "policy/effect_percent", "0");
}

static bool all_quiet(void *arg)
{
	(void)arg;
	return !counter("targets") && !counter("orders/pending") &&
	       !counter("helper");
}

static uint64_t sum_of(const char *const *names)
{
	uint64_t sum = 0;

	for (; *names; names++)
		sum += counter(*names);
	return sum;
}

static bool equal(const char *what, uint64_t a, uint64_t b)
{
	if (a == b)
		return true;
	printf("# Expected equal: %s: %llu, %llu\n", what,
	       (unsigned long long)a, (unsigned long long)b);
	return false;
}

static bool counters_add_up(void)
{
	static const char *const taken[] = {
		"samples/excluded", "samples/outside", "samples/refused_code",
		"samples/refused_insn", "samples/refused_addr",
		"samples/refused_branch", "samples/refused_fault",
		"samples/refused_steps", "samples/dropped", "samples/drained",
		NULL
	};
	static const char *const drained[] = {
		"samples/stale", "samples/local", "samples/remote",
		"samples/unknown", NULL
	};
	static const char *const issued[] = {
		"orders/moved", "orders/nothing", "orders/refused",
		"orders/gone", "orders/stale", "orders/cpuset",
		"orders/mempolicy", "orders/nomem", "orders/no_helper",
		"orders/helper_error", "orders/split", "orders/dry_run",
		"orders/cancelled", "orders/pending", NULL
	};
	bool ok;

	ok = equal("samples taken", counter("samples/taken"), sum_of(taken));
	ok &= equal("samples drained and injected",
		    counter("samples/drained") + counter("samples/injected"),
		    sum_of(drained));
	ok &= equal("orders", counter("orders/issued"), sum_of(issued));
	if (counter("pages/moved") < counter("pages/moved_by_helper"))
		ok = equal("pages moved by the helper", 0, 1);
	return ok;
}

/* Out and in again, as it was found. */
static bool reload(void)
{
	char command[256];
	struct utsname u;

	uname(&u);
	snprintf(command, sizeof(command),
		 "rmmod numamig && insmod build/modules/%s/mod/numamig/numamig.ko",
		 u.release);
	return !system(command) && !counter("samples/taken");
}

static void say_what_was_done(void)
{
	static const char *const names[COMMANDS] = {
		"info", "add", "del", "stat", "list", "inject", "move",
		"stream", "helper", "done", "stop",
	};
	unsigned int k;

	printf("# granted:");
	for (k = 0; k < COMMANDS; k++)
		printf(" %s %llu of %llu%s", names[k],
		       (unsigned long long)shared->granted[k],
		       (unsigned long long)shared->asked[k],
		       k + 1 < COMMANDS ? "," : "\n");
	printf("# %llu operations; %llu samples accepted, %llu pages moved on request, %llu by orders; %llu orders issued, %llu read\n",
	       (unsigned long long)operations_done(),
	       (unsigned long long)shared->accepted,
	       (unsigned long long)shared->moved,
	       (unsigned long long)(counter("pages/moved") - shared->moved),
	       (unsigned long long)counter("orders/issued"),
	       (unsigned long long)shared->orders);
	printf("# %llu pages verified; %llu samples taken by the sampler\n",
	       (unsigned long long)shared->verified,
	       (unsigned long long)counter("samples/taken"));
}

/* A run in which nothing happened proves nothing. */
static bool worth_something(void)
{
	return operations_done() > 100 && shared->accepted &&
	       shared->moved && shared->verified &&
	       counter("orders/issued");
}

static void judge(void)
{
	bool quiet;

	say_what_was_done();
	if (shared->complaints) {
		printf("# Expected otherwise, %llu times: %s\n",
		       (unsigned long long)shared->complaints,
		       shared->complaint);
		print_log();
	}
	result(!shared->complaints, "answers and contents");
	result(worth_something(), "something was done");
	quiet = wait_for(all_quiet, NULL, 20);
	if (!quiet)
		printf("# Expected none: %llu targets, %llu orders pending, %llu helpers\n",
		       (unsigned long long)counter("targets"),
		       (unsigned long long)counter("orders/pending"),
		       (unsigned long long)counter("helper"));
	result(quiet, "all is quiet");
	result(counters_add_up(), "counters add up");
	result(restore_settings(), "settings can be restored");
	result(reload(), "the module unloads, and loads anew");
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "seconds", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	uint64_t seed = (uint64_t)(seconds_now() * 1e6);
	double seconds = 15;
	int c;

	while ((c = getopt_long(argc, argv, "n:s:", opts, NULL)) != -1) {
		if (c == 'n')
			seconds = atof(optarg);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	if (optind < argc)
		seconds = atof(argv[optind]);
	printf("TAP version 13\n1..6\n# seed %llu\n",
	       (unsigned long long)seed);
	fflush(stdout);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared != MAP_FAILED, "mmap");
	save_settings(SYSFS "policy/*");
	save_settings(SYSFS "dry_run");
	save_settings(SYSFS "sampler");
	eager_settings();
	run(seconds, seed);
	judge();
	return failed > 0;
}
