// SPDX-License-Identifier: GPL-2.0-only
/*
 * numamig_fail_device - every entry point of /dev/numamig, with each of its
 * allocations failing in turn
 *
 * A failure must end in a plain errno and in nothing else: no target, no order
 * and no role is left, and the same call works right after.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fault.h"
#include "nm_test.h"

#define DEVICE		"/dev/numamig"
#define MOVE_PAGES	64
#define SAMPLES		64

/* What the calls work on; each call uses the part that it needs. */
static struct {
	int fd;			/* the file under test */
	int aux;		/* another one */
	pid_t family;		/* a process with threads and children */
	pid_t member;		/* one of its children */
	char *pages;
	char buf[8192];
	struct numamig_order order;
	struct numamig_sample sample[SAMPLES];
	union {
		struct numamig_info info;
		struct numamig_target_add add;
		struct numamig_target_del del;
		struct numamig_target_stat stat;
		struct numamig_target_list list;
		struct numamig_inject inject;
		struct numamig_move move;
		struct numamig_stream stream;
		struct numamig_helper helper;
		struct numamig_order_done done;
		struct numamig_stop stop;
	} arg;
	int32_t pids[64];
} x = { .fd = -1, .aux = -1 };

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long ask(unsigned long cmd, size_t size)
{
	*(__u32 *)&x.arg = size;
	return result(ioctl(x.fd, cmd, &x.arg));
}

static int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	must(fd >= 0, DEVICE);
	return fd;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Without a target and an order, or what there is still. */
static const char *idle(void)
{
	if (counter("targets"))
		return "a target is left";
	if (counter("orders/pending"))
		return "an order is left";
	return NULL;
}

static const char *done_with(long ret)
{
	const char *left;

	(void)ret;
	close_fd(&x.fd);
	close_fd(&x.aux);
	left = idle();
	if (!left)
		write_text(SYSFS "sampler", "auto");
	return left;
}

static void fresh_file(void *ctx)
{
	(void)ctx;
	memset(&x.arg, 0, sizeof(x.arg));
	x.fd = open_device();
}

/* --- files ---------------------------------------------------------------- */

static long call_open(void *ctx)
{
	(void)ctx;
	x.fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	return result(x.fd);
}

static const char *settle_close(void *ctx, long ret)
{
	(void)ctx;
	return done_with(ret);
}

static long do_add(pid_t pid)
{
	memset(&x.arg, 0, sizeof(x.arg));
	x.arg.add.pid = pid;
	x.arg.add.flags = NUMAMIG_TARGET_CHILDREN;
	return ask(NUMAMIG_TARGET_ADD, sizeof(x.arg.add));
}

static void with_target(void *ctx)
{
	fresh_file(ctx);
	must(!do_add(x.family), "add");
	memset(&x.arg, 0, sizeof(x.arg));
}

/* No samples come but those that are handed in. */
static void with_stream(void *ctx)
{
	fresh_file(ctx);
	write_text(SYSFS "sampler", "inject");
	x.arg.stream.entries = 1024;
	must(!ask(NUMAMIG_STREAM, sizeof(x.arg.stream)), "stream");
	must(!do_add(getpid()), "add");
}

/* The file is released whatever close() says. */
static long call_close(void *ctx)
{
	int fd = x.fd;

	(void)ctx;
	x.fd = -1;
	return result(close(fd));
}

/* --- targets -------------------------------------------------------------- */

static long call_info(void *ctx)
{
	(void)ctx;
	return ask(NUMAMIG_INFO, sizeof(x.arg.info));
}

static void prepare_add(void *ctx)
{
	fresh_file(ctx);
	x.arg.add.pid = x.family;
	x.arg.add.flags = NUMAMIG_TARGET_CHILDREN;
}

static long call_add(void *ctx)
{
	(void)ctx;
	return ask(NUMAMIG_TARGET_ADD, sizeof(x.arg.add));
}

/* A command that fails changes nothing; and it works the next time. */
static const char *settle_add(void *ctx, long ret)
{
	(void)ctx;
	if (counter("targets") != (ret >= 0))
		return ret < 0 ? "failed, and there is a target" :
				 "no target";
	if (ret < 0 && do_add(x.family))
		return "cannot be added afterwards";
	return done_with(ret);
}

/* A child of a target is sampled already, also when memory is scarce. */
static long call_add_child(void *ctx)
{
	long ret;

	(void)ctx;
	x.arg.add.pid = x.member;
	ret = ask(NUMAMIG_TARGET_ADD, sizeof(x.arg.add));
	return ret == -EEXIST ? 0 : ret ? ret : -EPROTO;
}

static long call_del(void *ctx)
{
	(void)ctx;
	x.arg.del.pid = x.family;
	return ask(NUMAMIG_TARGET_DEL, sizeof(x.arg.del));
}

static const char *settle_del(void *ctx, long ret)
{
	(void)ctx;
	if (counter("targets") != (ret < 0))
		return ret < 0 ? "failed, and deleted it" : "not deleted";
	return done_with(ret);
}

static long call_stat(void *ctx)
{
	(void)ctx;
	x.arg.stat.pid = x.family;
	return ask(NUMAMIG_TARGET_STAT, sizeof(x.arg.stat));
}

static long call_list(void *ctx)
{
	(void)ctx;
	x.arg.list.count = 64;
	x.arg.list.pids = (uintptr_t)x.pids;
	return ask(NUMAMIG_TARGET_LIST, sizeof(x.arg.list));
}

static const char *settle_list(void *ctx, long ret)
{
	(void)ctx;
	if (ret >= 0 && (x.arg.list.count != 1 || x.pids[0] != x.family))
		return "a wrong list";
	return done_with(ret);
}

static long call_stop(void *ctx)
{
	(void)ctx;
	return ask(NUMAMIG_STOP, sizeof(x.arg.stop));
}

/* What was stopped stays stopped, so a second call makes up for a failure. */
static const char *settle_stop(void *ctx, long ret)
{
	(void)ctx;
	if (ret < 0 && call_stop(ctx))
		return "cannot be stopped afterwards";
	if (counter("targets"))
		return "not stopped";
	return done_with(ret);
}

/* --- samples -------------------------------------------------------------- */

static void fill_samples(const char *p, size_t bytes, int node)
{
	unsigned int i;

	memset(x.sample, 0, sizeof(x.sample));
	for (i = 0; i < SAMPLES; i++) {
		x.sample[i].addr = (uintptr_t)p + bytes / SAMPLES * i;
		x.sample[i].pid = getpid();
		x.sample[i].node = node;
	}
}

/* A target whose address space is not known yet. */
static void prepare_inject(void *ctx)
{
	fresh_file(ctx);
	must(!do_add(getpid()), "add");
	fill_samples(x.pages, MOVE_PAGES * PAGE, 0);
	memset(&x.arg, 0, sizeof(x.arg));
}

static long call_inject(void *ctx)
{
	(void)ctx;
	x.arg.inject.count = SAMPLES;
	x.arg.inject.samples = (uintptr_t)x.sample;
	return ask(NUMAMIG_INJECT, sizeof(x.arg.inject));
}

static const char *settle_inject(void *ctx, long ret)
{
	(void)ctx;
	if (ret >= 0 && x.arg.inject.accepted != SAMPLES)
		return "not all were accepted";
	if (ret == -ENOMEM && x.arg.inject.accepted)
		return "failed, and accepted some";
	return done_with(ret);
}

static long call_stream(void *ctx)
{
	(void)ctx;
	x.arg.stream.entries = 4096;
	return ask(NUMAMIG_STREAM, sizeof(x.arg.stream));
}

static const char *settle_stream(void *ctx, long ret)
{
	(void)ctx;
	if (ret < 0 && call_stream(ctx))
		return "cannot become a stream afterwards";
	return done_with(ret);
}

static void with_samples(void *ctx)
{
	with_stream(ctx);
	fill_samples(x.pages, MOVE_PAGES * PAGE, 0);
	memset(&x.arg, 0, sizeof(x.arg));
	must(!call_inject(ctx), "inject");
}

static long call_read(void *ctx)
{
	(void)ctx;
	return result(read(x.fd, x.buf, sizeof(x.buf)));
}

/* What a failed read did not hand over is there for the next one. */
static const char *settle_read_stream(void *ctx, long ret)
{
	long all = SAMPLES * sizeof(x.sample[0]);

	if (ret < 0)
		ret = call_read(ctx);
	if (ret != all)
		return "samples are lost";
	return done_with(ret);
}

static long call_poll(void *ctx)
{
	struct pollfd p = { .fd = x.fd, .events = POLLIN };
	long ret = poll(&p, 1, 0);

	(void)ctx;
	return ret < 0 ? -errno : p.revents & POLLIN ? 1 : -EPROTO;
}

/* --- orders --------------------------------------------------------------- */

/* What a file's range is ordered for is handed to the helper. */
static char *shared_pages(size_t bytes)
{
	char *p;

	touch_on(0);
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(p != MAP_FAILED, "mmap");
	fill(p, bytes, 1);
	touch_on(-1);
	return p;
}

static bool readable(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && p.revents & POLLIN;
}

/* The file under test is the helper and has one order or more to read. */
static void with_order(void *ctx)
{
	int i;

	fresh_file(ctx);
	write_text(SYSFS "sampler", "inject");
	must(!ask(NUMAMIG_HELPER, sizeof(x.arg.helper)), "helper");
	x.aux = x.fd;
	x.fd = open_device();
	must(!do_add(getpid()), "add");
	x.pages = shared_pages(HUGE);
	fill_samples(x.pages, HUGE, 1);
	for (i = 0; i < 8; i++) {
		memset(&x.arg, 0, sizeof(x.arg));
		must(!call_inject(ctx), "inject");
	}
	must(wait_for(readable, &x.aux, 20), "no order for the helper");
	/* no more of them while the call is under test */
	memset(&x.arg, 0, sizeof(x.arg));
	i = x.fd;
	x.fd = x.aux;
	x.aux = i;
}

static const char *done_with_order(long ret)
{
	munmap(x.pages, HUGE);
	x.pages = NULL;
	return done_with(ret);
}

static long call_read_order(void *ctx)
{
	(void)ctx;
	return result(read(x.fd, &x.order, sizeof(x.order)));
}

static const char *settle_read_order(void *ctx, long ret)
{
	if (ret < 0 && call_read_order(ctx) != sizeof(x.order))
		return "the order is lost";
	if (x.order.pid != getpid())
		return "a wrong order";
	return done_with_order(ret);
}

static void with_held_order(void *ctx)
{
	with_order(ctx);
	must(call_read_order(ctx) == sizeof(x.order), "read an order");
}

static long call_order_done(void *ctx)
{
	(void)ctx;
	memset(&x.arg, 0, sizeof(x.arg));
	x.arg.done.id = x.order.id;
	return ask(NUMAMIG_ORDER_DONE, sizeof(x.arg.done));
}

static const char *settle_order_done(void *ctx, long ret)
{
	if (ret < 0 && call_order_done(ctx))
		return "the order is not held any more";
	return done_with_order(ret);
}

static long call_helper(void *ctx)
{
	(void)ctx;
	return ask(NUMAMIG_HELPER, sizeof(x.arg.helper));
}

static const char *settle_helper(void *ctx, long ret)
{
	(void)ctx;
	if (counter("helper") != (ret >= 0))
		return ret < 0 ? "failed, and is the helper" : "no helper";
	return done_with(ret);
}

static const char *settle_with_order(void *ctx, long ret)
{
	(void)ctx;
	return done_with_order(ret);
}

/* --- moving --------------------------------------------------------------- */

static void prepare_move(void *ctx)
{
	fresh_file(ctx);
	touch_on(0);
	x.pages = mmap(NULL, MOVE_PAGES * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(x.pages != MAP_FAILED, "mmap");
	fill(x.pages, MOVE_PAGES * PAGE, 1);
	touch_on(-1);
	x.arg.move.pid = getpid();
	x.arg.move.node = 1;
	x.arg.move.addr = (uintptr_t)x.pages;
	x.arg.move.len = MOVE_PAGES * PAGE;
}

static long call_move(void *ctx)
{
	(void)ctx;
	return ask(NUMAMIG_MOVE, sizeof(x.arg.move));
}

static const char *settle_move(void *ctx, long ret)
{
	size_t moved = pages_on(0, x.pages, MOVE_PAGES * PAGE, 1);
	long bad = check(x.pages, MOVE_PAGES * PAGE, 1);
	__u64 sum = 0;
	int i;

	(void)ctx;
	for (i = 0; i < NUMAMIG_PAGE_RESULTS; i++)
		sum += x.arg.move.pages[i];
	munmap(x.pages, MOVE_PAGES * PAGE);
	if (bad >= 0)
		return "a page's contents are wrong";
	if (ret >= 0 && (sum != MOVE_PAGES ||
			 x.arg.move.pages[NUMAMIG_PAGE_MOVED] != moved))
		return "the pages do not add up";
	return done_with(ret);
}

/* --- all of them ---------------------------------------------------------- */

static const struct fail_nth_call calls[] = {
	{ "open", NULL, call_open, settle_close },
	{ "close", fresh_file, call_close, settle_close },
	{ "close with a target", with_target, call_close, settle_close },
	{ "close of a stream", with_samples, call_close, settle_close },
	{ "close of a helper", with_held_order, call_close,
	  settle_with_order },
	{ "INFO", fresh_file, call_info, settle_close },
	{ "TARGET_ADD", prepare_add, call_add, settle_add },
	{ "TARGET_ADD of a child", with_target, call_add_child, settle_close },
	{ "TARGET_DEL", with_target, call_del, settle_del },
	{ "TARGET_STAT", with_target, call_stat, settle_close },
	{ "TARGET_LIST", with_target, call_list, settle_list },
	{ "INJECT", prepare_inject, call_inject, settle_inject },
	{ "MOVE", prepare_move, call_move, settle_move },
	{ "STREAM", fresh_file, call_stream, settle_stream },
	{ "HELPER", fresh_file, call_helper, settle_helper },
	{ "ORDER_DONE", with_held_order, call_order_done, settle_order_done },
	{ "STOP", with_target, call_stop, settle_stop },
	{ "read of a stream", with_samples, call_read, settle_read_stream },
	{ "read of a helper", with_order, call_read_order,
	  settle_read_order },
	{ "poll of a stream", with_samples, call_poll, settle_close },
	{ "poll of a helper", with_order, call_poll, settle_with_order },
};

static void *sleep_on_all_cpus(void *arg)
{
	cpu_set_t all;
	int cpu;

	CPU_ZERO(&all);
	for (cpu = 0; cpu < 4; cpu++)
		CPU_SET(cpu, &all);
	sched_setaffinity(0, sizeof(all), &all);
	for (;;)
		pause();
	return arg;
}

/* Three threads, of which two may run on an isolated CPU, and two children. */
static void make_family(void)
{
	pthread_t thread;
	int tell[2], i;

	must(!pipe(tell), "pipe");
	x.family = fork();
	must(x.family >= 0, "fork");
	if (x.family) {
		must(read(tell[0], &x.member, sizeof(x.member)) ==
		     sizeof(x.member), "the family's pid");
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < 2; i++) {
		pthread_create(&thread, NULL, sleep_on_all_cpus, NULL);
		x.member = sleeping_child();
	}
	must(write(tell[1], &x.member, sizeof(x.member)) > 0, "pipe");
	for (;;)
		pause();
}

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	unsigned int i;

	printf("TAP version 13\n1..%zu\n", COUNT(calls));
	if (!fault_setup())
		return 1;
	write_text("/proc/sys/kernel/numa_balancing", "0");
	make_family();
	x.pages = base_pages(HUGE, 0);
	mlockall(MCL_CURRENT);
	usleep(200000);
	for (i = 0; i < COUNT(calls); i++) {
		fail_nth_test(&calls[i], NULL);
		done_with(0);
	}
	end_child(x.family);
	return fail_nth_bad() > 0;
}
