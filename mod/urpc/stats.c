// SPDX-License-Identifier: GPL-2.0-only
/*
 * stats.c - event counters, one set per CPU
 */
#include <linux/cpumask.h>

#include "internal.h"

DEFINE_PER_CPU(struct urpc_percpu, urpc_percpu);

/* A sum over CPUs that go on counting; exact once they are quiet. */
u64 urpc_counter_read(unsigned int c)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(urpc_percpu, cpu).count[c]);
	return sum;
}
