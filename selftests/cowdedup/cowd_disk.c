// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_disk.c - see cowd_disk.h
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cowd_disk.h"
#include "cowd_test.h"

void disk_open(struct disk *d, unsigned int mib)
{
	char cmd[256];
	int fd;

	strcpy(d->file, "/tmp/cowdedup-disk.XXXXXX");
	fd = mkstemp(d->file);
	must(fd >= 0 && !ftruncate(fd, (off_t)mib << 20), d->file);
	close(fd);
	must(!system("modprobe -a loop ext4"), "a kernel with loop and ext4");
	snprintf(cmd, sizeof(cmd), "mke2fs -q -F -t ext4 -b 4096 -m 0 %s",
		 d->file);
	must(!system(cmd), cmd);
	snprintf(cmd, sizeof(cmd), "losetup -f --show %s", d->file);
	run_for_line(cmd, d->dev, sizeof(d->dev));
}

bool disk_close(struct disk *d)
{
	char cmd[256];

	/* a device that is in use would go away later, and say nothing now */
	snprintf(cmd, sizeof(cmd), "losetup -d %s && ! losetup %s 2>/dev/null",
		 d->dev, d->dev);
	unlink(d->file);
	return !system(cmd);
}
