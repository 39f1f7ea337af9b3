// SPDX-License-Identifier: GPL-2.0-only
/*
 * nodes.c - NUMA nodes: dense numbers for the table, and room on a node
 *
 * Node numbers may have gaps (a machine can have nodes 0 and 8); the table
 * counts per node, so it uses the rank among the possible nodes.
 */
#include <linux/mm.h>
#include <linux/mmzone.h>

#include "internal.h"

static s16 dense_of_node[MAX_NUMNODES];
static s16 node_of_dense[MAX_NUMNODES];
static unsigned int nr_dense;

int nm_nodes_init(void)
{
	int nid;

	memset(dense_of_node, 0xff, sizeof(dense_of_node));
	for_each_node(nid) {
		dense_of_node[nid] = nr_dense;
		node_of_dense[nr_dense++] = nid;
	}
	return 0;
}

unsigned int nm_nodes_count(void)
{
	return nr_dense;
}

/* The rank of node @nid, -1 when it is not a possible node. */
int nm_node_dense(int nid)
{
	if (nid < 0 || nid >= MAX_NUMNODES)
		return -1;
	return dense_of_node[nid];
}

int nm_node_of_dense(unsigned int dense)
{
	return dense < nr_dense ? node_of_dense[dense] : NUMA_NO_NODE;
}

bool nm_node_valid(int nid)
{
	return nid >= 0 && nid < MAX_NUMNODES && node_online(nid);
}

/*
 * Would @pages more leave node @nid above its high watermarks?  Movable memory
 * comes from any zone, so the zones are added up.
 */
bool nm_node_has_room(int nid, unsigned long pages)
{
	unsigned long free = 0, high = 0;
	struct pglist_data *pgdat;
	int z;

	if (!node_state(nid, N_MEMORY))
		return false;
	pgdat = NODE_DATA(nid);
	for (z = 0; z < MAX_NR_ZONES; z++) {
		struct zone *zone = &pgdat->node_zones[z];

		if (!populated_zone(zone) || zone_idx(zone) == ZONE_DEVICE)
			continue;
		free += zone_page_state(zone, NR_FREE_PAGES);
		high += high_wmark_pages(zone);
	}
	return free > high + pages;
}
