// SPDX-License-Identifier: GPL-2.0-only
/*
 * needs.c - what a test needs of the machine
 */
#include <cpuid.h>
#include <numa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "needs.h"
#include "nm_test.h"

#define TRACING	"/sys/kernel/tracing/"
#define CPU	"/sys/devices/system/cpu/"

static bool file_has(const char *path, const char *text)
{
	char line[512] = "";
	FILE *f = fopen(path, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, text);
	if (f)
		fclose(f);
	return found;
}

/* Is @path there, with a number other than @n? */
static bool number_other_than(const char *path, uint64_t n)
{
	return !access(path, R_OK) && read_number(path) != n;
}

/* The machine belongs to somebody: no test that its other users would feel. */
static bool gentle(void)
{
	return getenv("NUMASHARE_GENTLE");
}

/* Code that is patched while it runs can lose an instruction there. */
static bool emulated(void)
{
	unsigned int a, name[4] = { 0 };

	__cpuid(0x40000000, a, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", 12);
}

static const char *no_nodes(void)
{
	int node;

	if (numa_available() < 0)
		return "no NUMA";
	for (node = 0; node < 2; node++)
		if (numa_node_size64(node, NULL) <= 0 || first_cpu_of(node) < 0)
			return "nodes 0 and 1 with CPUs and memory are needed";
	return NULL;
}

static const char *no_cpus(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) < 4 ? "four CPUs are needed" :
						   NULL;
}

static const char *no_hotplug(void)
{
	if (access(CPU "cpu2/online", W_OK))
		return "CPU 2 cannot be taken offline";
	return gentle() ? "takes a CPU offline: not without --rough" : NULL;
}

static const char *no_isolated(void)
{
	char line[8] = "";
	FILE *f = fopen(CPU "isolated", "re");

	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	return line[0] < '0' ? "no isolated CPU: boot with isolcpus=" : NULL;
}

static const char *no_full_node(void)
{
	return gentle() ? "fills a node's memory: not without --rough" : NULL;
}

static const char *no_hugetlb(void)
{
	if (access("/proc/sys/vm/nr_hugepages", W_OK))
		return "no hugetlb pages in this kernel";
	if (number_other_than("/proc/sys/vm/nr_hugepages", 0))
		return "somebody has reserved hugetlb pages";
	return NULL;
}

static const char *no_ksm(void)
{
	if (access("/sys/kernel/mm/ksm/run", W_OK))
		return "no KSM in this kernel";
	if (number_other_than("/sys/kernel/mm/ksm/run", 0))
		return "somebody uses KSM";
	return NULL;
}

static const char *no_cpusets(void)
{
	if (!file_has("/sys/fs/cgroup/cgroup.controllers", "cpuset"))
		return "no cpusets in a version 2 hierarchy at /sys/fs/cgroup";
	return NULL;
}

static const char *no_tracing(void)
{
	if (access(TRACING "tracing_on", W_OK))
		return "no tracefs at " TRACING;
	if (emulated() && number_other_than(TRACING "events/timer/"
					    "hrtimer_expire_entry/enable", 1))
		return "in an emulator events have to be on from boot: trace_event=";
	return NULL;
}

static const char *no_thp(void)
{
	if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK))
		return "no transparent huge pages in this kernel";
	if (file_has("/sys/kernel/mm/transparent_hugepage/enabled", "[never]"))
		return "transparent huge pages are switched off";
	return NULL;
}

const char *lacks(unsigned int needs)
{
	static const char *(*const ask[])(void) = {
		no_nodes, no_cpus, no_hotplug, no_isolated, no_full_node,
		no_hugetlb, no_ksm, no_cpusets, no_tracing, no_thp,
	};
	const char *why = NULL;
	unsigned int i;

	for (i = 0; i < sizeof(ask) / sizeof(ask[0]) && !why; i++)
		if (needs & 1u << i)
			why = ask[i]();
	return why;
}
