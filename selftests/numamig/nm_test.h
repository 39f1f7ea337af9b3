/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nm_test.h - what the tests of numamig share
 */
#ifndef NM_TEST_H
#define NM_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "numamig.h"

#define PAGE	4096ul
#define HUGE	(2ul << 20)
#define SYSFS	"/sys/kernel/numamig/"

/* Die loudly: a test cannot go on without this. */
void must(bool ok, const char *what);

uint64_t read_number(const char *path);
void write_text(const char *path, const char *text);
/* Writing is expected to fail with @err. */
int write_errno(const char *path, const char *text);
uint64_t counter(const char *name);
/* The kernel's own balancing, where it has any, would move pages too. */
void balancing_off(void);

void pin_cpu(int cpu);
int first_cpu_of(int node);

/* @bytes of anonymous base pages on @node, not bound to it. */
void *base_pages(size_t bytes, int node);
/* Huge pages on @node; NULL when the kernel gave none. */
void *huge_pages(size_t bytes, int node);
/* Place what is touched next; -1 takes the policy back. */
void touch_on(int node);
/* Fill with words that depend on their place. */
void fill(void *p, size_t bytes, uint64_t seed);
/* The first word that is wrong, -1 if none. */
long check(const void *p, size_t bytes, uint64_t seed);

/* Node of one page, or a negative errno. */
int node_of(pid_t pid, const void *p);
size_t pages_on(pid_t pid, const void *p, size_t bytes, int node);

/* A child that sleeps until it is killed; it has the parent's memory. */
pid_t sleeping_child(void);
/* A child that spins on CPU @cpu. */
pid_t spinning_child(int cpu);
/* A child that reads @bytes at @p all over, on CPU @cpu. */
pid_t reading_child(int cpu, void *p, size_t bytes);
void end_child(pid_t pid);

/* Wait up to @seconds, longer on a slow kernel, until @cond(@arg). */
bool wait_for(bool (*cond)(void *arg), void *arg, double seconds);
double seconds_now(void);

/* What the harness gives a test; the debug kernel needs more than its 30 s. */
#ifdef TEST_TIMEOUT_DEFAULT
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300
#endif

#endif /* NM_TEST_H */
