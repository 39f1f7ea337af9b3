// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - urpc: message channels between CPUs, one cache line a message
 */

/**
 * DOC: Overview
 *
 * urpc gives two programs, on two CPUs, a pair of rings in memory that they
 * share, after Barrelfish's URPC.  A message is one cache line; its writer
 * fills the line and writes the control word last, its reader looks at that
 * word.  The kernel sets a channel up, lets a side sleep and wakes it; no
 * message passes through it.
 *
 * - dev.c: /dev/urpc and the table of ioctls.
 * - endpoint.c, connect.c: names, and how two endpoints become a channel.
 * - channel.c, region.c: the two sides, their memory, who maps it how.
 * - wait.c: sleep and wake, without a fence in the sender.
 * - driver.c: CPU drivers, kernel threads that answer messages.
 * - cpu.c: what becomes of endpoints whose CPU goes offline.
 *
 * Invariants:
 *
 * - At the guarded level a region can be written by its own side only, and no
 *   mapping of it can ever become writable for the peer.
 * - What user space can write is read once, and no value of it can make the
 *   kernel read or write outside of the region, wait without end or hold a
 *   lock.
 * - A side that sleeps is woken by the first message, whatever CPU its sender
 *   runs on: the sleeper interrupts every CPU that may run a writer of that
 *   region after it has set its sleep word, then looks again.
 * - Everything lives by references on files; rmmod is refused while a file is
 *   open or a mapping is there.
 */
#include <linux/module.h>

#include "internal.h"

DEFINE_MUTEX(urpc_lock);	/* see internal.h */

/*
 * No file is open: no endpoint and no channel of user space.  After sysfs and
 * CPU hotplug nobody can start a CPU driver; then those that run are stopped.
 */
static void __exit urpc_exit(void)
{
	urpc_dev_exit();
	urpc_sysfs_close();
	urpc_cpu_exit();
	urpc_drivers_exit();
	urpc_sysfs_exit();
}

static int __init urpc_init(void)
{
	int ret;

	urpc_drivers_init();
	ret = urpc_sysfs_init();
	if (ret)
		return ret;
	ret = urpc_cpu_init();
	if (ret)
		goto err_sysfs;
	ret = urpc_dev_init();
	if (ret)
		goto err_cpu;
	return 0;
err_cpu:
	urpc_sysfs_close();
	urpc_cpu_exit();
	urpc_drivers_exit();
err_sysfs:
	urpc_sysfs_exit();
	return ret;
}

module_init(urpc_init);
module_exit(urpc_exit);

MODULE_AUTHOR("numashare developers");
MODULE_DESCRIPTION("Message channels between CPUs");
MODULE_VERSION(NUMASHARE_VERSION);
MODULE_LICENSE("GPL");
