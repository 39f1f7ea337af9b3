// SPDX-License-Identifier: GPL-2.0-only
/*
 * topology.c - numashare topology: nodes, CPUs, memory, distances
 */
#include <getopt.h>
#include <hwloc.h>
#include <numa.h>
#include <stdlib.h>

#include "numashare.h"

static void node_cpus(hwloc_obj_t node, char *buf, size_t len)
{
	buf[0] = 0;
	hwloc_bitmap_list_snprintf(buf, len, node->cpuset);
}

static struct json_object *distances_from(int from, int max)
{
	struct json_object *a = json_object_new_object();
	char key[16];
	int to;

	for (to = 0; to <= max; to++) {
		if (!numa_bitmask_isbitset(numa_nodes_ptr, to))
			continue;
		snprintf(key, sizeof(key), "%d", to);
		json_object_object_add(a, key,
				       json_u64(numa_distance(from, to)));
	}
	return a;
}

static struct json_object *topology_json(hwloc_topology_t topo, int max)
{
	struct json_object *o = json_object_new_object();
	struct json_object *nodes = json_object_new_array(), *n;
	hwloc_obj_t node = NULL;
	long long free_bytes;
	char cpus[256];

	while ((node = hwloc_get_next_obj_by_type(topo, HWLOC_OBJ_NUMANODE,
						  node))) {
		n = json_object_new_object();
		node_cpus(node, cpus, sizeof(cpus));
		json_object_object_add(n, "node", json_u64(node->os_index));
		json_object_object_add(n, "cpus",
				       json_object_new_string(cpus));
		json_object_object_add(n, "memory_bytes",
			json_u64(node->attr->numanode.local_memory));
		numa_node_size64(node->os_index, &free_bytes);
		json_object_object_add(n, "free_bytes", json_u64(free_bytes));
		json_object_object_add(n, "distance",
				       distances_from(node->os_index, max));
		json_object_array_add(nodes, n);
	}
	json_object_object_add(o, "packages",
		json_u64(hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_PACKAGE)));
	json_object_object_add(o, "cores",
		json_u64(hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_CORE)));
	json_object_object_add(o, "cpus",
		json_u64(hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_PU)));
	json_object_object_add(o, "l3_caches",
		json_u64(hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_L3CACHE)));
	json_object_object_add(o, "nodes", nodes);
	return o;
}

static void topology_text(hwloc_topology_t topo, int max)
{
	char cpus[256], total[32], avail[32];
	long long free_bytes;
	hwloc_obj_t node = NULL;
	int from, to;

	printf("%d packages, %d cores, %d CPUs, %d L3 caches\n\n",
	       hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_PACKAGE),
	       hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_CORE),
	       hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_PU),
	       hwloc_get_nbobjs_by_type(topo, HWLOC_OBJ_L3CACHE));
	printf("%4s  %-24s %10s %10s\n", "NODE", "CPUS", "MEMORY", "FREE");
	while ((node = hwloc_get_next_obj_by_type(topo, HWLOC_OBJ_NUMANODE,
						  node))) {
		node_cpus(node, cpus, sizeof(cpus));
		numa_node_size64(node->os_index, &free_bytes);
		printf("%4u  %-24s %10s %10s\n", node->os_index,
		       *cpus ? cpus : "(none)",
		       bytes_text(node->attr->numanode.local_memory, total,
				  sizeof(total)),
		       bytes_text(free_bytes, avail, sizeof(avail)));
	}
	printf("\nDistances\n    ");
	for (to = 0; to <= max; to++)
		if (numa_bitmask_isbitset(numa_nodes_ptr, to))
			printf(" %4d", to);
	printf("\n");
	for (from = 0; from <= max; from++) {
		if (!numa_bitmask_isbitset(numa_nodes_ptr, from))
			continue;
		printf("%4d", from);
		for (to = 0; to <= max; to++)
			if (numa_bitmask_isbitset(numa_nodes_ptr, to))
				printf(" %4d", numa_distance(from, to));
		printf("\n");
	}
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	hwloc_topology_t topo;
	bool json = false;
	int c, max;

	while ((c = getopt_long(argc, argv, "j", opts, NULL)) != -1) {
		if (c != 'j')
			return usage_error(&cmd_topology, "unknown option");
		json = true;
	}
	if (numa_available() < 0) {
		complain("this kernel has no NUMA support");
		return FAILED;
	}
	max = numa_max_node();
	if (hwloc_topology_init(&topo) || hwloc_topology_load(topo)) {
		complain("hwloc cannot read the topology");
		return FAILED;
	}
	if (json)
		json_print(stdout, topology_json(topo, max));
	else
		topology_text(topo, max);
	hwloc_topology_destroy(topo);
	return OK;
}

const struct subcommand cmd_topology = {
	.name = "topology",
	.run = run,
	.summary = "Show NUMA nodes, their CPUs, memory and distances",
	.usage = "[--json]",
	.help =
"  --json   the same, as JSON\n",
};
