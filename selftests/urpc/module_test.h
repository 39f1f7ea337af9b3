/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * module_test.h - channels of urpc.ko by bare ioctls, for the module's tests
 */
#ifndef MODULE_TEST_H
#define MODULE_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "urpc_ring.h"

#define PAGE	4096ul
#define SYSFS	"/sys/kernel/urpc/"
#define SECOND	1000000000ll

/* One side of a channel, mapped. */
struct chan {
	int fd;
	struct urpc_channel_info info;
	void *own;		/* transmit region */
	void *peer;		/* the peer's */
	struct urpc_tx tx;
	struct urpc_rx rx;
};

/* Die loudly: a test cannot go on without this. */
void must(bool ok, const char *what);

/* 0 or the errno of an ioctl. */
int call(int fd, unsigned long cmd, void *arg);
uint64_t read_number(const char *path);
int write_text(const char *path, const char *text);
void pin_cpu(int cpu);

/* An endpoint on @cpu, or a negative errno; @name may be "". */
int endpoint(const char *name, uint32_t cpu);
/* The file of a channel or a negative errno. */
int do_connect(int ep, const char *name, uint32_t slots, uint32_t level);
int do_accept(int ep, uint32_t level);
/* Map a channel; false: something failed. */
bool chan_open(struct chan *c, int fd);
void chan_close(struct chan *c);
/* Two sides in this process, endpoints on @cpu0 and @cpu1. */
bool chan_pair(struct chan *a, struct chan *b, uint32_t cpu0, uint32_t cpu1,
	       uint32_t slots, uint32_t level);

/* 0 or a negative errno; they sleep in the kernel after @looks looks. */
int chan_send(struct chan *c, uint32_t tag, const uint64_t *word, int looks);
int chan_recv(struct chan *c, uint32_t *tag, uint64_t *word, int looks,
	      int64_t timeout_ns);

#endif /* MODULE_TEST_H */
