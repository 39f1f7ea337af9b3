/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cowd_disk.h - a small ext4 for images, where a test needs a file system with
 * blocks of its own below
 */
#ifndef COWD_DISK_H
#define COWD_DISK_H

#include <stdbool.h>

struct disk {
	char file[64];
	char dev[64];	/* a loop device, to be mounted as ext4 */
};

void disk_open(struct disk *d, unsigned int mib);
/* It is unmounted.  False if somebody has it still. */
bool disk_close(struct disk *d);

#endif /* COWD_DISK_H */
