// SPDX-License-Identifier: GPL-2.0-only
/*
 * numamig_scarce - a third of what numamig allocates fails, in its worker and
 * its movers too, while it samples and moves
 *
 * It may do less; it must not lose count, an order or a page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "nm_test.h"

#define PERCENT	30
#define BYTES	(8 * HUGE)
#define SECONDS	10
#define ORDERS	50
#define TESTS	8

static const char *const results[] = {
	"moved", "nothing", "refused", "gone", "stale", "cpuset", "mempolicy",
	"nomem", "no_helper", "helper_error", "split", "dry_run", "cancelled",
};

static struct numamig *dev, *helper;
static bool quit;
static int number, bad;

static void result(const char *name, bool ok)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++number, name);
	fflush(stdout);
	bad += !ok;
}

static void skip(const char *name)
{
	printf("ok %d %s # SKIP needs the stack filter\n", ++number, name);
}

static void *serve(void *arg)
{
	while (!__atomic_load_n(&quit, __ATOMIC_ACQUIRE))
		numamig_helper_step(helper, 50, NULL);
	return arg;
}

/* Memory that the processes below share: for the helper. */
static char *shared_pages(void)
{
	char *p;

	touch_on(0);
	p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(p != MAP_FAILED, "mmap");
	fill(p, BYTES, 2);
	touch_on(-1);
	return p;
}

/* A child of a target is sampled already: it must not be added again. */
static int added_twice(void)
{
	pid_t child = sleeping_child();
	int i, twice = 0;

	while (numamig_add(dev, getpid(), NUMAMIG_TARGET_CHILDREN) == -ENOMEM)
		;
	for (i = 0; i < 300; i++)
		twice += !numamig_add(dev, child, 0);
	numamig_stop_all(dev);
	end_child(child);
	return twice;
}

/* Sampled processes come and go, as do targets. */
static void sample(char *private, char *shared)
{
	double end = seconds_now() + SECONDS;
	int cpu = first_cpu_of(1);
	pid_t one, two;

	while (seconds_now() < end) {
		one = reading_child(cpu, private, BYTES);
		two = reading_child(cpu, shared, BYTES);
		numamig_add(dev, one, 0);
		numamig_add(dev, two, NUMAMIG_TARGET_CHILDREN);
		numamig_add(dev, getpid(), 0);
		usleep(2000000);
		end_child(one);
		numamig_del(dev, getpid());
		end_child(two);
	}
}

/* Say that node @node uses [p, p + BYTES). */
static void inject(const char *p, int node)
{
	static struct numamig_sample s[512];
	unsigned int i;

	for (i = 0; i < 512; i++) {
		s[i].addr = (uintptr_t)p + BYTES / 512 * i;
		s[i].pid = getpid();
		s[i].node = node;
	}
	numamig_inject(dev, s, 512);
}

/* Have everything ordered to one node and the other, by injected samples. */
static void order(const char *private, const char *shared)
{
	double end = seconds_now() + 3 * SECONDS;
	uint64_t issued = counter("orders/issued");
	int node = 1;

	while (seconds_now() < end &&
	       counter("orders/issued") < issued + ORDERS) {
		numamig_add(dev, getpid(), 0);
		inject(private, node);
		inject(shared, node);
		usleep(500000);
		node = !node;
	}
	printf("# %llu orders issued\n",
	       (unsigned long long)(counter("orders/issued") - issued));
	result("orders are issued", counter("orders/issued") > issued);
}

static bool nothing_pending(void *arg)
{
	(void)arg;
	return !counter("orders/pending") && !counter("targets");
}

static bool all_counted(void)
{
	uint64_t sum = 0;
	char path[64];
	unsigned int i;

	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		snprintf(path, sizeof(path), "orders/%s", results[i]);
		sum += counter(path);
	}
	return counter("orders/issued") == sum;
}

static void start_helper(pthread_t *thread)
{
	must(!numamig_open(&dev) && !numamig_open(&helper), "open");
	must(!numamig_helper(helper), "helper");
	must(!pthread_create(thread, NULL, serve, NULL), "thread");
}

static void stop_helper(pthread_t thread)
{
	__atomic_store_n(&quit, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	numamig_close(helper);
	numamig_close(dev);
}

static void use(char *private, char *shared)
{
	unsigned int failed;

	must(fault_begin(PERCENT), "fault injection");
	result("nothing is sampled twice", !added_twice());
	sample(private, shared);
	numamig_stop_all(dev);
	write_text(SYSFS "sampler", "inject");
	order(private, shared);
	failed = fault_end();
	fault_anywhere();
	printf("# %u allocations failed\n", failed);
	result("allocations failed", failed > 0);
}

int main(void)
{
	char *private, *shared;
	pthread_t thread;

	printf("TAP version 13\n1..%d\n", TESTS);
	write_text("/proc/sys/kernel/numa_balancing", "0");
	if (!fault_setup() || !fault_only_module("numamig")) {
		while (number < TESTS)
			skip("scarce");
		return 0;
	}
	private = base_pages(BYTES, 0);
	shared = shared_pages();
	start_helper(&thread);
	use(private, shared);
	stop_helper(thread);
	result("it is idle again", wait_for(nothing_pending, NULL, 10));
	write_text(SYSFS "sampler", "auto");
	result("every order is counted once", all_counted());
	result("private pages are whole", check(private, BYTES, 1) < 0);
	result("shared pages are whole", check(shared, BYTES, 2) < 0);
	result("samples were taken", counter("samples/drained") > 0);
	return bad > 0;
}
