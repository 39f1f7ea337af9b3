// SPDX-License-Identifier: GPL-2.0-only
/*
 * counters.c - what a mount counts, one set per CPU
 */
#include <linux/cpumask.h>

#include "internal.h"

/**
 * cowd_counter_read - a sum over CPUs that go on counting
 * @mnt: mount
 * @c: enum cowd_why or enum cowd_counter
 *
 * Return: the sum; it is exact once they are quiet.
 */
u64 cowd_counter_read(const struct cowd_mount *mnt, unsigned int c)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(mnt->count, cpu)->count[c]);
	return sum;
}
