// SPDX-License-Identifier: GPL-2.0-only
/*
 * module_test.c - see module_test.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "module_test.h"

void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("# cannot go on: %s: %s\n", what, strerror(errno));
	exit(1);
}

int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

uint64_t read_number(const char *path)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0, path);
	must(read(fd, buf, sizeof(buf) - 1) > 0, path);
	close(fd);
	return strtoull(buf, NULL, 10);
}

int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = errno;
	close(fd);
	return ret;
}

void pin_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

int endpoint(const char *name, uint32_t cpu)
{
	struct urpc_endpoint_create a = {
		.size = sizeof(a), .cpu = cpu, .mode = 0200,
	};
	int fd = open("/dev/urpc", O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	snprintf(a.name, sizeof(a.name), "%s", name);
	ret = call(fd, URPC_ENDPOINT_CREATE, &a);
	if (!ret)
		return fd;
	close(fd);
	return -ret;
}

int do_connect(int ep, const char *name, uint32_t slots, uint32_t level)
{
	struct urpc_connect a = {
		.size = sizeof(a), .slots = slots, .level = level,
		.timeout_ns = 20 * SECOND,
	};
	int ret;

	snprintf(a.name, sizeof(a.name), "%s", name);
	ret = call(ep, URPC_CONNECT, &a);
	return ret ? -ret : a.fd;
}

int do_accept(int ep, uint32_t level)
{
	struct urpc_accept a = {
		.size = sizeof(a), .level = level, .timeout_ns = 20 * SECOND,
	};
	int ret = call(ep, URPC_ACCEPT, &a);

	return ret ? -ret : a.fd;
}

bool chan_open(struct chan *c, int fd)
{
	int prot = PROT_READ;
	size_t len;

	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->info.size = sizeof(c->info);
	if (fd < 0 || call(fd, URPC_CHANNEL, &c->info))
		return false;
	len = c->info.region_bytes;
	if (c->info.level == URPC_SHARED)
		prot |= PROT_WRITE;
	c->own = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      URPC_MMAP_TX);
	c->peer = mmap(NULL, len, prot, MAP_SHARED, fd, URPC_MMAP_RX);
	if (c->own == MAP_FAILED || c->peer == MAP_FAILED)
		return false;
	urpc_tx_init(&c->tx, c->own, c->peer, c->info.slots, 0);
	urpc_rx_init(&c->rx, c->own, c->peer, c->info.slots, 0);
	return true;
}

void chan_close(struct chan *c)
{
	munmap(c->own, c->info.region_bytes);
	munmap(c->peer, c->info.region_bytes);
	close(c->fd);
}

struct accepting {
	int ep;
	uint32_t level;
	int fd;
};

static void *accept_thread(void *arg)
{
	struct accepting *a = arg;

	a->fd = do_accept(a->ep, a->level);
	return NULL;
}

bool chan_pair(struct chan *a, struct chan *b, uint32_t cpu0, uint32_t cpu1,
	       uint32_t slots, uint32_t level)
{
	static int serial;
	struct accepting acc = { .level = level };
	char name[64];
	pthread_t t;
	int ep, fd;

	snprintf(name, sizeof(name), "pair-%d-%d", getpid(), serial++);
	acc.ep = endpoint(name, cpu1);
	ep = endpoint("", cpu0);
	if (acc.ep < 0 || ep < 0)
		return false;
	pthread_create(&t, NULL, accept_thread, &acc);
	fd = do_connect(ep, name, slots, level);
	pthread_join(t, NULL);
	close(ep);
	close(acc.ep);
	return chan_open(a, fd) && chan_open(b, acc.fd);
}

static int wake(struct chan *c, uint32_t flags)
{
	struct urpc_wake a = { .size = sizeof(a), .flags = flags };

	return -call(c->fd, URPC_WAKE, &a);
}

static int wait_for(struct chan *c, uint32_t flags, uint64_t pos,
		    int64_t timeout_ns)
{
	struct urpc_wait a = {
		.size = sizeof(a), .flags = flags, .pos = pos,
		.timeout_ns = timeout_ns,
	};

	return -call(c->fd, URPC_WAIT, &a);
}

static bool peer_gone(const struct chan *c)
{
	return urpc_load(&c->tx.own->state) & URPC_STATE_PEER_GONE;
}

int chan_send(struct chan *c, uint32_t tag, const uint64_t *word, int looks)
{
	uint64_t ack;
	int room, ret;

	while (!urpc_tx_has_room(&c->tx)) {
		ack = urpc_load(&c->tx.peer->ack);
		room = urpc_tx_room(&c->tx);
		if (room < 0)
			return -EPROTO;
		if (room || looks-- > 0)
			continue;
		if (peer_gone(c))
			return -EPIPE;
		ret = wait_for(c, URPC_WAIT_ROOM, ack, -1);
		if (ret)
			return ret;
	}
	urpc_tx_put(&c->tx, urpc_ctl(tag, URPC_KIND_MESSAGE, 0),
		    (const __u64 *)word);
	return urpc_tx_must_wake(&c->tx) ? wake(c, 0) : 0;
}

int chan_recv(struct chan *c, uint32_t *tag, uint64_t *word, int looks,
	      int64_t timeout_ns)
{
	__u64 ctl;
	int ret;

	while (!urpc_rx_full(&c->rx, &ctl)) {
		if (looks-- > 0)
			continue;
		if (peer_gone(c) && !urpc_rx_full(&c->rx, &ctl))
			return -EPIPE;
		ret = wait_for(c, 0, c->rx.pos, timeout_ns);
		if (ret)
			return ret;
	}
	*tag = urpc_ctl_tag(ctl);
	if (urpc_rx_take(&c->rx, (__u64 *)word) && urpc_rx_must_wake(&c->rx))
		return wake(c, URPC_WAKE_ROOM);
	return 0;
}
