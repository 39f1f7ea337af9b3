/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rig.h - two threads on two CPUs, and a clock for what goes between them
 */
#ifndef RIG_H
#define RIG_H

#include <stdbool.h>
#include <stdint.h>

/* The two CPUs, chosen once: the first two that this process may run on. */
extern int rig_cpu[2];

/* Why there is no rig: "" when there is one. */
const char *rig_begin(void);

/**
 * rig_run - run a function on each CPU, both at once
 * @side: the functions; what they return is up to them
 * @arg: given to both
 * @result: of each
 */
void rig_run(uint64_t (*const side[2])(void *arg), void *arg,
	     uint64_t result[2]);

/* Threads run before all others where that is allowed; not in between. */
void rig_realtime(bool on);

/* A thread of low rank that never sleeps on each CPU, or none. */
void rig_busy(bool on);

/* Ticks a nanosecond of the clock below. */
double rig_ticks_per_ns(void);

/* x86: the time stamp counter, in order with what is before it. */
static inline uint64_t rig_ticks(void)
{
#ifdef __x86_64__
	unsigned int aux;

	return __builtin_ia32_rdtscp(&aux);
#else
	uint64_t t;

	__asm__ __volatile__("isb; mrs %0, cntvct_el0" : "=r" (t) : : "memory");
	return t;
#endif
}

#endif /* RIG_H */
