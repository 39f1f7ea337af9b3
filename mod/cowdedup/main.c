// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - cowdedup: guests share what they read from disk
 */

/**
 * DOC: Overview
 *
 * cowdedup is a file system.  images/ shows the files of a folder, ram/ takes
 * files that are the memory of guests.  When a virtual machine monitor reads
 * from an image into such memory, as it does for the guest's disk, whole pages
 * are not copied: the guest's page becomes the one copy of that page of the
 * image, which all guests of the mount have, until it writes to it.  It is
 * Disco's copy-on-write disk for unmodified guests and monitors: no scan; what
 * is shared is named by image and block, and with content=on, by content, too.
 *
 * - super.c, options.c: mounting; images.c: images/.
 * - ram.c, table.c: ram/, and what is bound there.
 * - image.c, master.c: an image in use and the copies of its pages; fill.c,
 *   reclaim.c: how these get their content and give their memory back;
 *   content.c: equal ones are held once; replicas.c: others have copies on
 *   other nodes; shrinker.c: who asks for memory.
 * - read.c, piece.h: a read, cut into what is bound and what is copied.
 * - bind.c, fault.c: how memory becomes the image's, and how it is mapped.
 * - dev.c: /dev/cowdedup; unshare.c: taking sharing back.
 *
 * Invariants:
 *
 * - While masters of an image exist, nobody can write the file below it.
 * - A master is written once, before anybody else can have it; what guests map
 *   is read-only, and the core copies it for whoever writes.
 * - When a read returns, no page table shows what was there before: see bind.c.
 * - A read binds for its own process only, in the only mapping of that memory.
 *   In all other cases it copies, and the reason is counted.
 * - bytes_read is pages_bound times the size of a page plus all that is copied;
 *   pages_sharing is pages_bound less pages_unbound; masters, which counts
 *   pages, is masters_made less masters_freed.
 * - Everything lives by open files and mappings, and those keep the mount and
 *   the module: unmounting and rmmod are refused while there are any.
 */
#include <linux/fs.h>
#include <linux/module.h>

#include "internal.h"

/*
 * There is no mount, so no file, mapping or image.  Masters and mounts that go
 * are freed by RCU in the kernel's own code.
 */
static void __exit cowd_exit(void)
{
	cowd_dev_exit();
	unregister_filesystem(&cowd_fs_type);
	cowd_shrinker_exit();
	cowd_sysfs_exit();
}

static int __init cowd_init(void)
{
	int ret;

	ret = cowd_sysfs_init();
	if (ret)
		return ret;
	ret = cowd_shrinker_init();
	if (ret)
		goto err_sysfs;
	ret = register_filesystem(&cowd_fs_type);
	if (ret)
		goto err_shrinker;
	ret = cowd_dev_init();
	if (ret)
		goto err_fs;
	return 0;
err_fs:
	unregister_filesystem(&cowd_fs_type);
err_shrinker:
	cowd_shrinker_exit();
err_sysfs:
	cowd_sysfs_exit();
	return ret;
}

module_init(cowd_init);
module_exit(cowd_exit);

MODULE_AUTHOR("numashare developers");
MODULE_DESCRIPTION("KVM guests share what they read from disk");
MODULE_VERSION(NUMASHARE_VERSION);
MODULE_LICENSE("GPL");
