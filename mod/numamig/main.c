// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - numamig: find the hot pages of a process and bring them home
 */

/**
 * DOC: Overview
 *
 * numamig samples the memory accesses of the processes that an administrator
 * names, finds pages that are used from another NUMA node than the one they
 * lie on, and moves them, on an unpatched kernel and with exported symbols
 * only.  Data flows one way:
 *
 *	perf event -> per-CPU ring -> hot-page table -> policy -> orders ->
 *	engine -> counters
 *
 * - sampler*.c, operand*.c, attach.c: events on the threads of a target; the
 *   overflow handler computes the address of the next memory access.
 * - ring.h: from the handler (hardirq, NMI) to the worker.
 * - worker.c, hot.c, policy.c: counts by accessing node, and what to do.
 * - orders.c: an order from issue to its one result; per-node movers.
 * - scan.c, move.c: the kernel engine, for private anonymous base pages.
 * - helper.c: what only move_pages(2) can move goes to a user-space helper.
 * - placement.c: cpusets and memory policies are honoured.
 *
 * Invariants:
 *
 * - Without a target there is no event, no timer and no work item.
 * - A page is only moved while migrate_vma holds it locked and unmapped, so
 *   its contents can be neither lost nor torn.
 * - Every sample and every order is counted in exactly one outcome.
 * - A target belongs to an open file; the file pins the module.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "internal.h"

static int __init numamig_init(void)
{
	int ret;

	ret = nm_nodes_init();
	if (ret)
		return ret;
	ret = nm_worker_init();
	if (ret)
		return ret;
	ret = nm_orders_init();
	if (ret)
		goto err_worker;
	ret = nm_sampler_init();
	if (ret)
		goto err_orders;
	ret = nm_sysfs_init();
	if (ret)
		goto err_sampler;
	ret = nm_dev_init();
	if (ret)
		goto err_sysfs;
	return 0;

err_sysfs:
	nm_sysfs_exit();
err_sampler:
	nm_sampler_stop();
	nm_sampler_exit();
err_orders:
	nm_orders_exit();
err_worker:
	nm_worker_exit();
	return ret;
}

/*
 * No file is open, so there is no target, no event and no helper.  What may
 * still run is the worker's last round and movers that cancel what was left;
 * both are waited for, in the order in which one can feed the other.
 */
static void __exit numamig_exit(void)
{
	nm_dev_exit();
	nm_sysfs_exit();
	nm_sampler_stop();
	nm_worker_exit();
	nm_orders_exit();
	nm_sampler_exit();
}

module_init(numamig_init);
module_exit(numamig_exit);

MODULE_DESCRIPTION("NUMA hot-page sampling and migration for stock kernels");
MODULE_AUTHOR("The numashare developers");
MODULE_VERSION(NUMASHARE_VERSION);
MODULE_LICENSE("GPL");
