/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * urpc_test.h - what the tests of urpc share
 *
 * All of them run on either back end (URPC_BACKEND), but for urpc_memfd.
 */
#ifndef URPC_TEST_H
#define URPC_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "urpc.h"

/* Longer than anything takes on a loaded machine. */
#define BOUND_NS	(20 * 1000000000ll)
#define MS		1000000ll

/*
 * Under ThreadSanitizer both ends in one process share a mapping, so a side
 * cannot move there: a region would have to be in two places.
 */
#ifdef __SANITIZE_THREAD__
#define UNDER_TSAN	1
#else
#define UNDER_TSAN	0
#endif

/* Die loudly: a test cannot go on without this. */
void must(bool ok, const char *what);

/* A name that nobody else has. */
const char *new_name(void);
double seconds_now(void);
/* xorshift64*; @state is not 0 */
uint64_t next_random(uint64_t *state);
/* Do nothing for about so many PAUSEs. */
void idle_for(unsigned int pauses);
/* How long a test that takes its time does: URPC_TEST_SECONDS. */
double test_seconds(double usually);

/* A message whose every word depends on @n. */
void fill_message(uint64_t *word, uint64_t n);
bool is_message(const uint64_t *word, uint64_t n);

/* An endpoint with a name. */
struct urpc_endpoint *listener(const char *name);

/*
 * Fork a child that connects, runs @work and ends with what it returns; the
 * parent's end of the channel is in @c.
 */
typedef int (*child_work)(struct urpc_channel *c, void *arg);
pid_t spawn_peer(const struct urpc_channel_attr *attr, child_work work,
		 void *arg, struct urpc_channel **c);
/* Its status as waitpid() has it, within BOUND_NS. */
int end_of(pid_t pid);

/* CPUs that this process may use. */
unsigned int usable_cpus(int *cpus, unsigned int room);
void move_thread(pid_t tid, int cpu);

/* Open descriptors of a process, but for the standard ones. */
unsigned int open_fds(pid_t pid);

#endif /* URPC_TEST_H */
