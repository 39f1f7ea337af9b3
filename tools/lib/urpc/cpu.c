// SPDX-License-Identifier: LGPL-2.1-only
/*
 * cpu.c - is there such a CPU, and on which node
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

#define CPU_DIR	"/sys/devices/system/cpu/cpu%u"

/* 0, -EINVAL when there is none, -EHOSTDOWN when it is offline. */
int ul_cpu_check(uint32_t cpu)
{
	char path[64];
	FILE *f;
	int c;

	if (cpu == URPC_CPU_ANY)
		return 0;
	snprintf(path, sizeof(path), CPU_DIR, cpu);
	if (access(path, F_OK))
		return -EINVAL;
	/* a CPU that cannot be taken offline has no such file */
	snprintf(path, sizeof(path), CPU_DIR "/online", cpu);
	f = fopen(path, "re");
	if (!f)
		return 0;
	c = fgetc(f);
	fclose(f);
	return c == '0' ? -EHOSTDOWN : 0;
}

static int node_in_sysfs(uint32_t cpu)
{
	struct dirent *d;
	char path[64];
	int node = -1;
	DIR *dir;

	snprintf(path, sizeof(path), CPU_DIR, cpu);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		if (sscanf(d->d_name, "node%d", &node) == 1)
			break;
	if (dir)
		closedir(dir);
	return node;
}

/* The node of a CPU, or of the caller; -1 if unknown. */
int ul_cpu_node(uint32_t cpu)
{
	unsigned int node;

	if (cpu != URPC_CPU_ANY)
		return node_in_sysfs(cpu);
	return getcpu(NULL, &node) ? -1 : (int)node;
}
