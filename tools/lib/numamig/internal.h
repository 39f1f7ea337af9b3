/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * internal.h - the handle
 */
#ifndef LIBNUMAMIG_INTERNAL_H
#define LIBNUMAMIG_INTERNAL_H

struct numamig {
	int fd;
};

int numamig_ioctl(struct numamig *handle, unsigned long cmd, void *arg);
int numamig_wait(struct numamig *handle, int timeout_ms);

#endif /* LIBNUMAMIG_INTERNAL_H */
