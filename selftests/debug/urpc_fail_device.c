// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_fail_device - every entry point of /dev/urpc and of channels, with each
 * of its allocations failing in turn
 *
 * A failure must end in a plain errno and in nothing else: no endpoint, no
 * channel, no descriptor and no sleep word is left.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fault.h"
#include "module_test.h"

#define NAME	"fail"
#define SLOTS	64u

/* What the calls work on; each call uses the part that it needs. */
static struct {
	int fd;			/* the file under test */
	int listener;
	int connector;		/* an endpoint that connects to it */
	int peer;		/* what the other thread got, or -errno */
	struct chan a;
	struct chan b;
	void *map;
	union {
		struct urpc_info info;
		struct urpc_endpoint_create create;
		struct urpc_connect connect;
		struct urpc_accept accept;
		struct urpc_channel_info channel;
		struct urpc_wait wait;
		struct urpc_wake wake;
		struct urpc_ping ping;
	} arg;
	sem_t go;
	sem_t done;
} x;

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long ask(int fd, unsigned long cmd, size_t size)
{
	*(__u32 *)&x.arg = size;
	return result(ioctl(fd, cmd, &x.arg));
}

static unsigned int files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	must(dir, "/proc/self/fd");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static unsigned int files_before, endpoints_before;

/* Nothing is left; a channel goes a moment after its files. */
static const char *idle(void)
{
	int tries;

	for (tries = 0; tries < 200; tries++) {
		if (!read_number(SYSFS "channels_open"))
			break;
		usleep(10000);
	}
	if (tries == 200)
		return "a channel is left";
	if (read_number(SYSFS "endpoints") != endpoints_before)
		return "an endpoint is left, or gone";
	if (files() != files_before)
		return "a descriptor is left";
	return NULL;
}

static void clear(void *ctx)
{
	(void)ctx;
	memset(&x.arg, 0, sizeof(x.arg));
}

static const char *settle_idle(void *ctx, long ret)
{
	(void)ctx;
	(void)ret;
	return idle();
}

static const char *settle_file(void *ctx, long ret)
{
	if (x.fd >= 0)
		close(x.fd);
	x.fd = -1;
	return settle_idle(ctx, ret);
}

/* --- endpoints ------------------------------------------------------------ */

static long call_open(void *ctx)
{
	(void)ctx;
	x.fd = open("/dev/urpc", O_RDWR | O_CLOEXEC);
	return result(x.fd);
}

static void fresh_file(void *ctx)
{
	clear(ctx);
	must(call_open(ctx) >= 0, "/dev/urpc");
}

static long call_info(void *ctx)
{
	(void)ctx;
	return ask(x.fd, URPC_INFO, sizeof(x.arg.info));
}

static long call_create(void *ctx)
{
	(void)ctx;
	x.arg.create.cpu = 0;
	x.arg.create.mode = 0200;
	strcpy(x.arg.create.name, "other");
	return ask(x.fd, URPC_ENDPOINT_CREATE, sizeof(x.arg.create));
}

static const char *settle_create(void *ctx, long ret)
{
	if (ret < 0 && call_create(ctx))
		return "it fails for good";
	return settle_file(ctx, ret);
}

static void with_endpoint(void *ctx)
{
	fresh_file(ctx);
	must(!call_create(ctx), "an endpoint");
}

static long call_close(void *ctx)
{
	int fd = x.fd;

	(void)ctx;
	x.fd = -1;
	return result(close(fd));
}

/* --- connect and accept --------------------------------------------------- */

/* The other side, in a thread whose allocations do not fail. */
static bool other_accepts;

static void *other_side(void *arg)
{
	for (;;) {
		while (sem_wait(&x.go))
			;
		x.peer = other_accepts ? do_accept(x.listener, URPC_SHARED) :
			 do_connect(x.connector, NAME, SLOTS, URPC_SHARED);
		sem_post(&x.done);
	}
	return arg;
}

static void end_other_side(void)
{
	while (sem_wait(&x.done))
		;
	if (x.peer >= 0)
		close(x.peer);
}

static void prepare_connect(void *ctx)
{
	clear(ctx);
	other_accepts = true;
	sem_post(&x.go);
}

static long call_connect(void *ctx)
{
	(void)ctx;
	x.arg.connect.level = URPC_SHARED;
	x.arg.connect.slots = SLOTS;
	x.arg.connect.timeout_ns = -1;
	strcpy(x.arg.connect.name, NAME);
	return ask(x.connector, URPC_CONNECT, sizeof(x.arg.connect));
}

/* Did the other side take our request before it was given up? */
static bool was_taken(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec++;
	if (sem_timedwait(&x.done, &t))
		return false;
	sem_post(&x.done);
	return true;
}

static const char *settle_connect(void *ctx, long ret)
{
	int fd;

	if (ret >= 0) {
		close(x.arg.connect.fd);
	} else if (!was_taken()) {
		/* it waits, still: for somebody else */
		fd = do_connect(x.connector, NAME, SLOTS, URPC_GUARDED);
		must(fd >= 0, "connect");
		close(fd);
	}
	end_other_side();
	return settle_idle(ctx, ret);
}

static void prepare_accept(void *ctx)
{
	struct pollfd p = { .fd = x.listener, .events = POLLIN };

	clear(ctx);
	other_accepts = false;
	sem_post(&x.go);
	must(poll(&p, 1, 10000) == 1, "poll");
}

static long call_accept(void *ctx)
{
	(void)ctx;
	x.arg.accept.level = URPC_SHARED;
	return ask(x.listener, URPC_ACCEPT, sizeof(x.arg.accept));
}

static const char *settle_accept(void *ctx, long ret)
{
	if (ret >= 0)
		close(x.arg.accept.fd);
	/* one that was not taken is there for the next call */
	clear(ctx);
	if (ret < 0 && !call_accept(ctx))
		close(x.arg.accept.fd);
	end_other_side();
	return settle_idle(ctx, ret);
}

/* --- a channel ------------------------------------------------------------ */

static void with_channel(void *ctx)
{
	clear(ctx);
	must(chan_pair(&x.a, &x.b, 0, 1, SLOTS, URPC_GUARDED), "a channel");
}

static const char *settle_channel(void *ctx, long ret)
{
	static const uint64_t word[URPC_SLOT_WORDS] = { 42 };
	uint64_t got[URPC_SLOT_WORDS];
	uint32_t tag;
	bool works = !chan_send(&x.a, 1, word, 0) &&
		     !chan_recv(&x.b, &tag, got, 0, SECOND) && got[0] == 42;
	bool awake = !urpc_load(&x.b.tx.own->rx_sleep) &&
		     !urpc_load(&x.b.tx.own->tx_sleep);

	chan_close(&x.a);
	chan_close(&x.b);
	if (!works)
		return "the channel does not work any more";
	return awake ? settle_idle(ctx, ret) : "a sleep word is left";
}

static long call_channel(void *ctx)
{
	(void)ctx;
	return ask(x.b.fd, URPC_CHANNEL, sizeof(x.arg.channel));
}

static long call_mmap(void *ctx)
{
	(void)ctx;
	x.map = mmap(NULL, x.b.info.region_bytes, PROT_READ, MAP_SHARED,
		     x.b.fd, URPC_MMAP_RX);
	return x.map == MAP_FAILED ? -errno : 0;
}

static const char *settle_mmap(void *ctx, long ret)
{
	if (ret >= 0)
		munmap(x.map, x.b.info.region_bytes);
	return settle_channel(ctx, ret);
}

/* Nothing comes: it sleeps, and the time is up. */
static long call_wait(void *ctx)
{
	long ret;

	(void)ctx;
	x.arg.wait.timeout_ns = 1000000;
	ret = ask(x.b.fd, URPC_WAIT, sizeof(x.arg.wait));
	return ret == -ETIMEDOUT ? 0 : ret;
}

static long call_wake(void *ctx)
{
	(void)ctx;
	return ask(x.b.fd, URPC_WAKE, sizeof(x.arg.wake));
}

static long call_poll(void *ctx)
{
	struct pollfd p = { .fd = x.b.fd, .events = POLLOUT };

	(void)ctx;
	return result(poll(&p, 1, 0));
}

static long call_close_channel(void *ctx)
{
	int fd = x.b.fd;

	(void)ctx;
	x.b.fd = -1;
	return result(close(fd));
}

static const char *settle_closed(void *ctx, long ret)
{
	chan_close(&x.a);
	munmap(x.b.own, x.b.info.region_bytes);
	munmap(x.b.peer, x.b.info.region_bytes);
	return settle_idle(ctx, ret);
}

/* --- CPU drivers ---------------------------------------------------------- */

static long call_drivers(void *ctx)
{
	static const char list[] = "0-1\n";

	(void)ctx;
	return result(pwrite(x.fd, list, sizeof(list) - 1, 0));
}

static void open_drivers(void *ctx)
{
	clear(ctx);
	x.fd = open(SYSFS "cpu_drivers", O_RDWR | O_CLOEXEC);
	must(x.fd >= 0, "cpu_drivers");
}

static const char *settle_drivers(void *ctx, long ret)
{
	must(pwrite(x.fd, "\n", 1, 0) == 1, "stop the drivers");
	return settle_file(ctx, ret);
}

static void with_drivers(void *ctx)
{
	fresh_file(ctx);
	must(!write_text(SYSFS "cpu_drivers", "0-1"), "start the drivers");
}

static long call_ping(void *ctx)
{
	(void)ctx;
	x.arg.ping.from = 0;
	x.arg.ping.to = 1;
	x.arg.ping.count = 3;
	return ask(x.fd, URPC_PING, sizeof(x.arg.ping));
}

static const char *settle_ping(void *ctx, long ret)
{
	must(!write_text(SYSFS "cpu_drivers", "\n"), "stop the drivers");
	return settle_file(ctx, ret);
}

static void with_driven_endpoint(void *ctx)
{
	with_endpoint(ctx);
	clear(ctx);
	must(!write_text(SYSFS "cpu_drivers", "0-1"), "start the drivers");
}

static long call_connect_driver(void *ctx)
{
	(void)ctx;
	x.arg.connect.slots = SLOTS;
	strcpy(x.arg.connect.name, "cpu/1");
	return ask(x.fd, URPC_CONNECT, sizeof(x.arg.connect));
}

static const char *settle_driver_channel(void *ctx, long ret)
{
	if (ret >= 0)
		close(x.arg.connect.fd);
	return settle_ping(ctx, ret);
}

/* --- all of them ---------------------------------------------------------- */

static const struct fail_nth_call calls[] = {
	{ "open", clear, call_open, settle_file },
	{ "INFO", fresh_file, call_info, settle_file },
	{ "ENDPOINT_CREATE", fresh_file, call_create, settle_create },
	{ "close of an endpoint", with_endpoint, call_close, settle_file },
	{ "CONNECT", prepare_connect, call_connect, settle_connect },
	{ "ACCEPT", prepare_accept, call_accept, settle_accept },
	{ "CHANNEL", with_channel, call_channel, settle_channel },
	{ "mmap", with_channel, call_mmap, settle_mmap },
	{ "WAIT", with_channel, call_wait, settle_channel },
	{ "WAKE", with_channel, call_wake, settle_channel },
	{ "poll", with_channel, call_poll, settle_channel },
	{ "close of a channel", with_channel, call_close_channel,
	  settle_closed },
	{ "cpu_drivers", open_drivers, call_drivers, settle_drivers },
	{ "PING", with_drivers, call_ping, settle_ping },
	{ "CONNECT to a driver", with_driven_endpoint, call_connect_driver,
	  settle_driver_channel },
};

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))

int main(void)
{
	pthread_t other;
	unsigned int i;

	printf("TAP version 13\n1..%zu\n", COUNT(calls));
	if (!fault_setup())
		return 1;
	x.fd = -1;
	x.listener = endpoint(NAME, 1);
	x.connector = endpoint("", 0);
	must(x.listener >= 0 && x.connector >= 0, "endpoints");
	must(!sem_init(&x.go, 0, 0) && !sem_init(&x.done, 0, 0) &&
	     !pthread_create(&other, NULL, other_side, NULL), "a thread");
	mlockall(MCL_CURRENT);
	/* arming opens a file of its own, which stays */
	fail_nth_arm(FAIL_NTH_MAX);
	fail_nth_disarm();
	endpoints_before = (unsigned int)read_number(SYSFS "endpoints");
	files_before = files();
	for (i = 0; i < COUNT(calls); i++)
		fail_nth_test(&calls[i], NULL);
	return fail_nth_bad() > 0;
}
