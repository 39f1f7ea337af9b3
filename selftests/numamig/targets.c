// SPDX-License-Identifier: GPL-2.0-only
/*
 * targets - who is sampled, where, and that nothing stays behind
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "needs.h"
#include "nm_test.h"

#define TRACING "/sys/kernel/tracing/"

FIXTURE(targets)
{
	struct numamig *dev;
};

FIXTURE_SETUP(targets)
{
	balancing_off();
	ASSERT_EQ(0, numamig_open(&self->dev));
}

FIXTURE_TEARDOWN(targets)
{
	numamig_close(self->dev);
}

static bool no_targets(void *arg)
{
	(void)arg;
	return counter("targets") == 0;
}

static uint64_t samples_of(struct numamig *dev, pid_t pid)
{
	struct numamig_target_stat st;

	return numamig_get_stat(dev, pid, &st) ? 0 : st.samples;
}

struct at_least {
	struct numamig *dev;
	pid_t pid;
	uint64_t samples;
};

static bool has_samples(void *arg)
{
	struct at_least *a = arg;

	return samples_of(a->dev, a->pid) >= a->samples;
}

TEST_F(targets, sampled_and_gone)
{
	char *p = base_pages(HUGE, 0);
	pid_t pid = reading_child(0, p, HUGE);
	struct at_least a = { self->dev, pid, 50 };

	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_DRY_RUN));
	EXPECT_TRUE(wait_for(has_samples, &a, 20));
	end_child(pid);
	EXPECT_TRUE(wait_for(no_targets, NULL, 10));
}

static bool three_processes(void *arg)
{
	struct at_least *a = arg;
	struct numamig_target_stat st;

	return !numamig_get_stat(a->dev, a->pid, &st) && st.processes >= 3;
}

static void *spin(void *arg)
{
	volatile unsigned long n = 0;

	(void)arg;
	for (;;)
		n++;
	return NULL;
}

/* Threads that are there, and threads that come later. */
TEST_F(targets, threads)
{
	struct numamig_target_stat st;
	char cpu0_only[64];
	pthread_t th;
	pid_t pid;
	int go[2];
	char c;

	(void)cpu0_only;
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* the leader sleeps: only other threads can be sampled */
		pthread_create(&th, NULL, spin, NULL);
		if (read(go[0], &c, 1) == 1)
			pthread_create(&th, NULL, spin, NULL);
		for (;;)
			pause();
	}
	usleep(200000);
	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_DRY_RUN));
	struct at_least a = { self->dev, pid, 50 };

	EXPECT_TRUE(wait_for(has_samples, &a, 20));
	ASSERT_EQ(0, numamig_get_stat(self->dev, pid, &st));
	EXPECT_EQ(1, st.processes);
	ASSERT_EQ(1, write(go[1], "x", 1));
	end_child(pid);
	EXPECT_TRUE(wait_for(no_targets, NULL, 10));
}

/* A thread group whose leader has ended is still a process. */
TEST_F(targets, dead_leader)
{
	pthread_t th;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&th, NULL, spin, NULL);
		usleep(100000);
		syscall(60, 0);
	}
	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_DRY_RUN));
	usleep(3000000);
	EXPECT_EQ(1, counter("targets"));
	struct at_least a = { self->dev, pid, 50 };

	EXPECT_TRUE(wait_for(has_samples, &a, 20));
	end_child(pid);
	EXPECT_TRUE(wait_for(no_targets, NULL, 10));
}

/* With children: those there already, and those to come. */
TEST_F(targets, children)
{
	NEEDS(NEED_CPUS);

	struct numamig_target_stat st;
	int go[2];
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		spinning_child(0);
		if (read(go[0], &c, 1) == 1)
			spinning_child(1);
		for (;;)
			pause();
	}
	usleep(300000);
	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_CHILDREN |
				 NUMAMIG_TARGET_DRY_RUN));
	struct at_least a = { self->dev, pid, 50 };

	EXPECT_TRUE(wait_for(has_samples, &a, 20));
	ASSERT_EQ(1, write(go[1], "x", 1));
	EXPECT_TRUE(wait_for(three_processes, &a, 20));
	ASSERT_EQ(0, numamig_get_stat(self->dev, pid, &st));
	EXPECT_EQ(3, st.processes);
	/* the descendants outlive the process: still a target */
	EXPECT_EQ(1, counter("targets"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_TRUE(wait_for(no_targets, NULL, 10));
}

TEST_F(targets, without_children)
{
	char *p = base_pages(HUGE, 0);
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		reading_child(0, p, HUGE);
		for (;;)
			pause();
	}
	usleep(300000);
	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_DRY_RUN));
	usleep(1500000);
	EXPECT_GE(5, samples_of(self->dev, pid));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* exec keeps the target: a program started by a target is sampled. */
TEST_F(targets, exec)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		usleep(500000);
		execlp("sh", "sh", "-c", "while :; do :; done", NULL);
		_exit(127);
	}
	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_DRY_RUN));
	usleep(1000000);
	struct at_least a = { self->dev, pid, 100 };

	EXPECT_TRUE(wait_for(has_samples, &a, 20));
	end_child(pid);
}

/* Closing the file ends what it added, and nothing else. */
TEST_F(targets, belong_to_the_file)
{
	pid_t one = sleeping_child(), two = sleeping_child();
	struct numamig *other;

	ASSERT_EQ(0, numamig_open(&other));
	ASSERT_EQ(0, numamig_add(self->dev, one, 0));
	ASSERT_EQ(0, numamig_add(other, two, 0));
	EXPECT_EQ(2, counter("targets"));
	numamig_close(other);
	EXPECT_EQ(1, counter("targets"));
	/* but removing by pid works from any file */
	ASSERT_EQ(0, numamig_open(&other));
	EXPECT_EQ(0, numamig_del(other, one));
	EXPECT_EQ(0, counter("targets"));
	numamig_close(other);
	end_child(one);
	end_child(two);
}

TEST_F(targets, stop_ends_all)
{
	NEEDS(NEED_CPUS);

	char *p = base_pages(4 * HUGE, 0);
	pid_t one = reading_child(2, p, 4 * HUGE);
	pid_t two = reading_child(3, p, 4 * HUGE);
	struct numamig *other;
	uint64_t taken;

	ASSERT_EQ(0, numamig_add(self->dev, one, 0));
	ASSERT_EQ(0, numamig_add(self->dev, two, 0));
	usleep(500000);
	ASSERT_EQ(0, numamig_open(&other));
	EXPECT_EQ(0, numamig_stop_all(other));
	EXPECT_EQ(0, counter("targets"));
	EXPECT_EQ(0, counter("orders/pending"));
	taken = counter("samples/taken");
	usleep(500000);
	EXPECT_EQ(taken, counter("samples/taken"));
	numamig_close(other);
	end_child(one);
	end_child(two);
}

TEST_F(targets, rmmod_is_refused)
{
	pid_t pid = sleeping_child();

	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	EXPECT_NE(0, system("rmmod numamig 2>/dev/null"));
	EXPECT_EQ(1, counter("targets"));
	end_child(pid);
}

TEST_F(targets, sampler_is_fixed_while_there_are_some)
{
	pid_t pid = sleeping_child();

	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	EXPECT_EQ(EBUSY, write_errno(SYSFS "sampler", "fault"));
	ASSERT_EQ(0, numamig_del(self->dev, pid));
	EXPECT_EQ(EINVAL, write_errno(SYSFS "sampler", "nonsense"));
	EXPECT_EQ(0, write_errno(SYSFS "sampler", "fault"));
	EXPECT_EQ(0, write_errno(SYSFS "sampler", "auto"));
	end_child(pid);
}

/* The fault sampler sees every first touch, with its exact address. */
TEST_F(targets, fault_sampler)
{
	static struct numamig_sample s[4096];
	struct numamig *stream;
	size_t i, hits = 0, known = 0;
	int go[2], n;
	pid_t pid;
	char *p, c;

	p = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, 256 * PAGE, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, write_errno(SYSFS "sampler", "fault"));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(go[0], &c, 1) == 1)
			for (i = 0; i < 256; i++)
				p[i * PAGE] = 1;
		for (;;)
			pause();
	}
	ASSERT_EQ(0, numamig_open(&stream));
	ASSERT_EQ(0, numamig_stream(stream, 8192));
	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_DRY_RUN));
	ASSERT_EQ(1, write(go[1], "x", 1));
	/* what comes after the last is one too many, and would come at once */
	while ((n = numamig_read(stream, s, 4096,
				 hits < 256 ? 2000 : 300)) > 0) {
		for (i = 0; i < (size_t)n; i++)
			if (s[i].pid == pid && s[i].addr >= (uintptr_t)p &&
			    s[i].addr < (uintptr_t)p + 256 * PAGE) {
				hits++;
				EXPECT_EQ(NUMAMIG_SAMPLER_FAULT, s[i].sampler);
				known += s[i].home >= 0;
			}
	}
	EXPECT_EQ(256, hits);
	/* nearly all were mapped by the time they were counted */
	EXPECT_LE(240, known);
	numamig_close(stream);
	end_child(pid);
	EXPECT_TRUE(wait_for(no_targets, NULL, 10));
	ASSERT_EQ(0, write_errno(SYSFS "sampler", "auto"));
}

/* The clock sampler names addresses in the buffer, and the right nodes. */
TEST_F(targets, clock_sampler_sees_the_truth)
{
	NEEDS(NEED_NODES);

	static struct numamig_sample s[4096];
	char *p = base_pages(4 * HUGE, 1);
	size_t i, all = 0, inside = 0;
	struct numamig *stream;
	double end;
	pid_t pid;
	int n;

	pid = reading_child(0, p, 4 * HUGE);
	ASSERT_EQ(0, numamig_open(&stream));
	ASSERT_EQ(0, numamig_stream(stream, 8192));
	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_DRY_RUN));
	end = seconds_now() + 3;
	while (seconds_now() < end && all < 1000) {
		n = numamig_read(stream, s, 4096, 500);
		ASSERT_GE(n, 0);
		for (i = 0; i < (size_t)n; i++) {
			if (s[i].pid != pid)
				continue;
			all++;
			EXPECT_EQ(0, s[i].cpu);
			EXPECT_EQ(0, s[i].node);
			EXPECT_EQ(0, s[i].flags & NUMAMIG_SAMPLE_SHARED);
			if (s[i].addr < (uintptr_t)p ||
			    s[i].addr >= (uintptr_t)p + 4 * HUGE)
				continue;
			inside++;
			EXPECT_EQ(1, s[i].home);
			EXPECT_EQ(0, s[i].flags & NUMAMIG_SAMPLE_WRITE);
		}
	}
	EXPECT_GE(all, 100);
	EXPECT_GE(inside * 100, all * 95);
	numamig_close(stream);
	end_child(pid);
}

/*
 * Timers: none without a target; with one, only on the CPU it runs on.  The
 * tracer names the function and the CPU of every timer that expires and every
 * work item that starts.
 */
static void trace_on(void)
{
	static const char *const events[] = {
		"timer/hrtimer_expire_entry", "timer/timer_expire_entry",
		"workqueue/workqueue_execute_start",
		"irq_vectors/irq_work_entry",
	};
	char path[128];
	unsigned int i;

	write_text(TRACING "tracing_on", "0");
	for (i = 0; i < ARRAY_SIZE(events); i++) {
		/* on already when the command line has trace_event= */
		snprintf(path, sizeof(path), TRACING "events/%s/enable",
			 events[i]);
		if (!read_number(path))
			write_text(path, "1");
	}
	close(open(TRACING "trace", O_WRONLY | O_TRUNC));
	write_text(TRACING "tracing_on", "1");
}

/* Count what is ours; a bit for every CPU on which a sampling timer expired. */
static unsigned int trace_off(unsigned long *timer_cpus)
{
	unsigned int ours = 0;
	char line[512], *q;
	FILE *f;
	int cpu;

	write_text(TRACING "tracing_on", "0");
	*timer_cpus = 0;
	f = fopen(TRACING "trace", "re");
	must(f, TRACING "trace");
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		if (strstr(line, "perf_swevent_hrtimer")) {
			q = strchr(line, '[');
			cpu = q ? atoi(q + 1) : 0;
			*timer_cpus |= 1ul << cpu;
			ours++;
		} else if (strstr(line, "numamig")) {
			ours++;
		}
	}
	fclose(f);
	return ours;
}

TEST_F(targets, idle_module_has_no_timer)
{
	NEEDS(NEED_CPUS | NEED_TRACING);

	unsigned long cpus;
	pid_t pid;

	/* another target came and went before */
	pid = spinning_child(1);
	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	usleep(300000);
	ASSERT_EQ(0, numamig_del(self->dev, pid));
	usleep(500000);
	trace_on();
	usleep(2000000);
	EXPECT_EQ(0, trace_off(&cpus));
	/* the same look does see one that is there */
	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	trace_on();
	usleep(1000000);
	EXPECT_LT(10, trace_off(&cpus));
	EXPECT_EQ(1ul << 1, cpus);
	end_child(pid);
}

TEST_F(targets, sleeping_target_has_no_timer)
{
	NEEDS(NEED_CPUS | NEED_TRACING);

	pid_t pid = sleeping_child(), busy = spinning_child(1);
	unsigned long cpus;

	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	usleep(300000);
	trace_on();
	usleep(1500000);
	trace_off(&cpus);
	EXPECT_EQ(0, cpus);
	end_child(pid);
	end_child(busy);
}

/* The last CPU of the machine is isolated (isolcpus=). */
TEST_F(targets, isolated_cpu_is_left_alone)
{
	NEEDS(NEED_ISOLATED | NEED_TRACING);

	char isolated[64] = "", *nl;
	unsigned long cpus;
	pid_t pid;
	FILE *f;
	int cpu;

	f = fopen("/sys/devices/system/cpu/isolated", "re");
	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(isolated, sizeof(isolated), f));
	fclose(f);
	nl = strchr(isolated, '\n');
	*nl = 0;
	cpu = atoi(isolated);
	pid = spinning_child(cpu);
	usleep(200000);
	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	trace_on();
	usleep(1500000);
	trace_off(&cpus);
	EXPECT_EQ(0, cpus);
	ASSERT_EQ(0, numamig_del(self->dev, pid));
	/* named, it is sampled */
	write_text(SYSFS "isolated_cpus", isolated);
	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	trace_on();
	usleep(1500000);
	trace_off(&cpus);
	EXPECT_EQ(1ul << cpu, cpus);
	ASSERT_EQ(0, numamig_del(self->dev, pid));
	write_text(SYSFS "isolated_cpus", "\n");
	end_child(pid);
}

/* A thread that moves to an isolated CPU while it is sampled. */
TEST_F(targets, wandering_onto_an_isolated_cpu)
{
	NEEDS(NEED_CPUS | NEED_ISOLATED | NEED_TRACING);

	cpu_set_t set;
	unsigned long cpus;
	char isolated[64] = "";
	pid_t pid;
	FILE *f;

	f = fopen("/sys/devices/system/cpu/isolated", "re");
	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(isolated, sizeof(isolated), f));
	fclose(f);
	pid = spinning_child(1);
	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	usleep(300000);
	CPU_ZERO(&set);
	CPU_SET(atoi(isolated), &set);
	ASSERT_EQ(0, sched_setaffinity(pid, sizeof(set), &set));
	usleep(300000);
	trace_on();
	usleep(1500000);
	trace_off(&cpus);
	EXPECT_EQ(0, cpus);
	end_child(pid);
}

static void may_run_on(pid_t pid, int cpu, int other)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CPU_SET(other, &set);
	must(!sched_setaffinity(pid, sizeof(set), &set), "sched_setaffinity");
}

/*
 * The thread goes to CPU 0 with CPU 2 and comes back with it.  It is told both:
 * for one that may run nowhere else the kernel picks any CPU, and on one that
 * is isolated it would not be sampled.
 */
TEST_F(targets, cpu_hotplug)
{
	NEEDS(NEED_CPUS | NEED_HOTPLUG);

	char *p = base_pages(HUGE, 0);
	pid_t pid = reading_child(2, p, HUGE);
	const char *online = "/sys/devices/system/cpu/cpu2/online";
	struct at_least a = { self->dev, pid, 30 };
	int i;

	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_DRY_RUN));
	EXPECT_TRUE(wait_for(has_samples, &a, 20));
	for (i = 0; i < 3; i++) {
		may_run_on(pid, 2, 0);
		write_text(online, "0");
		a.samples = samples_of(self->dev, pid) + 30;
		EXPECT_TRUE(wait_for(has_samples, &a, 20));
		write_text(online, "1");
		may_run_on(pid, 2, 2);
		a.samples = samples_of(self->dev, pid) + 30;
		EXPECT_TRUE(wait_for(has_samples, &a, 20));
	}
	end_child(pid);
}

/* Many short processes: nothing is left of any of them. */
TEST_F(targets, storm_of_children)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sh", "sh", "-c",
		       "i=0; while [ $i -lt 150 ]; do"
		       " (i=$((i*2)) & (:) &) ; i=$((i+1)); done; wait",
		       NULL);
		_exit(127);
	}
	ASSERT_EQ(0, numamig_add(self->dev, pid, NUMAMIG_TARGET_CHILDREN));
	waitpid(pid, NULL, 0);
	EXPECT_TRUE(wait_for(no_targets, NULL, 10));
}

/* Adding and removing at full speed while threads come and go. */
TEST_F(targets, add_and_remove)
{
	pid_t pid = fork();
	int i;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			pid_t c = fork();

			if (!c)
				_exit(0);
			waitpid(c, NULL, 0);
		}
	}
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, numamig_add(self->dev, pid,
					 NUMAMIG_TARGET_CHILDREN));
		usleep(5000);
		ASSERT_EQ(0, numamig_del(self->dev, pid));
	}
	EXPECT_EQ(0, counter("targets"));
	end_child(pid);
}

/* What was taken is accounted for, to the last sample. */
TEST_F(targets, samples_add_up)
{
	static const char *const ends[] = {
		"excluded", "outside", "refused_code", "refused_insn",
		"refused_addr", "refused_branch", "refused_fault",
		"refused_steps", "dropped", "drained",
	};
	static const char *const drained[] = {
		"stale", "local", "remote", "unknown",
	};
	uint64_t sum = 0, sum2 = 0;
	char name[64];
	unsigned int i;
	pid_t pid = spinning_child(0);

	/* a last target drains what is left in the rings */
	ASSERT_EQ(0, numamig_add(self->dev, pid, 0));
	usleep(500000);
	kill(pid, SIGSTOP);
	usleep(700000);
	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(name, sizeof(name), "samples/%s", ends[i]);
		sum += counter(name);
	}
	EXPECT_EQ(counter("samples/taken"), sum);
	for (i = 0; i < ARRAY_SIZE(drained); i++) {
		snprintf(name, sizeof(name), "samples/%s", drained[i]);
		sum2 += counter(name);
	}
	/* injected samples are counted by home, too */
	EXPECT_EQ(counter("samples/drained") + counter("samples/injected"),
		  sum2);
	end_child(pid);
}

TEST_HARNESS_MAIN
