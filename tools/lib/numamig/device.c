// SPDX-License-Identifier: LGPL-2.1-only
/*
 * device.c - the ioctls of /dev/numamig, one function each
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"
#include "numamig.h"

#define DEVICE "/dev/numamig"

int numamig_open(struct numamig **handle)
{
	struct numamig *h = malloc(sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	h->fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (h->fd < 0) {
		err = errno;
		free(h);
		/* the node without the module: udev keeps static nodes */
		return err == ENXIO || err == ENODEV ? -ENOENT : -err;
	}
	*handle = h;
	return 0;
}

void numamig_close(struct numamig *handle)
{
	if (!handle)
		return;
	close(handle->fd);
	free(handle);
}

int numamig_fd(const struct numamig *handle)
{
	return handle->fd;
}

int numamig_ioctl(struct numamig *handle, unsigned long cmd, void *arg)
{
	int ret;

	do {
		ret = ioctl(handle->fd, cmd, arg);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* 1 when there is something to read, 0 after the time-out. */
int numamig_wait(struct numamig *handle, int timeout_ms)
{
	struct pollfd p = { .fd = handle->fd, .events = POLLIN };
	int ret = poll(&p, 1, timeout_ms);

	if (ret < 0)
		return -errno;
	if (ret && (p.revents & POLLERR))
		return -EINVAL;
	return ret;
}

int numamig_get_info(struct numamig *handle, struct numamig_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return numamig_ioctl(handle, NUMAMIG_INFO, info);
}

int numamig_add(struct numamig *handle, pid_t pid, uint32_t flags)
{
	struct numamig_target_add a = {
		.size = sizeof(a),
		.flags = flags,
		.pid = pid,
	};

	return numamig_ioctl(handle, NUMAMIG_TARGET_ADD, &a);
}

int numamig_del(struct numamig *handle, pid_t pid)
{
	struct numamig_target_del a = { .size = sizeof(a), .pid = pid };

	return numamig_ioctl(handle, NUMAMIG_TARGET_DEL, &a);
}

int numamig_get_stat(struct numamig *handle, pid_t pid,
		     struct numamig_target_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->size = sizeof(*stat);
	stat->pid = pid;
	return numamig_ioctl(handle, NUMAMIG_TARGET_STAT, stat);
}

int numamig_list(struct numamig *handle, int32_t *pids, unsigned int room)
{
	struct numamig_target_list a = {
		.size = sizeof(a),
		.count = room,
		.pids = (uintptr_t)pids,
	};
	int ret = numamig_ioctl(handle, NUMAMIG_TARGET_LIST, &a);

	return ret ? ret : (int)a.count;
}

int numamig_inject(struct numamig *handle,
		   const struct numamig_sample *samples, unsigned int count)
{
	struct numamig_inject a = {
		.size = sizeof(a),
		.count = count,
		.samples = (uintptr_t)samples,
	};
	int ret = numamig_ioctl(handle, NUMAMIG_INJECT, &a);

	return ret && !a.accepted ? ret : (int)a.accepted;
}

int numamig_move(struct numamig *handle, pid_t pid, uint64_t addr,
		 uint64_t len, int node, uint64_t pages[16])
{
	struct numamig_move a = {
		.size = sizeof(a),
		.pid = pid,
		.node = node,
		.addr = addr,
		.len = len,
	};
	int ret = numamig_ioctl(handle, NUMAMIG_MOVE, &a);
	unsigned int r;

	for (r = 0; pages && r < 16; r++)
		pages[r] = a.pages[r];
	return ret;
}

int numamig_stream(struct numamig *handle, uint32_t entries)
{
	struct numamig_stream a = { .size = sizeof(a), .entries = entries };

	return numamig_ioctl(handle, NUMAMIG_STREAM, &a);
}

int numamig_read(struct numamig *handle, struct numamig_sample *samples,
		 unsigned int count, int timeout_ms)
{
	ssize_t n;
	int ret = numamig_wait(handle, timeout_ms);

	if (ret <= 0)
		return ret;
	n = read(handle->fd, samples, count * sizeof(*samples));
	return n < 0 ? -errno : (int)(n / sizeof(*samples));
}

int numamig_stop_all(struct numamig *handle)
{
	struct numamig_stop a = { .size = sizeof(a) };

	return numamig_ioctl(handle, NUMAMIG_STOP, &a);
}

const char *numamig_page_result_name(unsigned int result)
{
	static const char *const names[NUMAMIG_PAGE_RESULTS] = {
		[NUMAMIG_PAGE_MOVED] = "moved",
		[NUMAMIG_PAGE_LOCAL] = "local",
		[NUMAMIG_PAGE_ABSENT] = "absent",
		[NUMAMIG_PAGE_SHARED] = "shared",
		[NUMAMIG_PAGE_LARGE] = "large",
		[NUMAMIG_PAGE_KIND] = "kind",
		[NUMAMIG_PAGE_BUSY] = "busy",
		[NUMAMIG_PAGE_WRITEBACK] = "writeback",
		[NUMAMIG_PAGE_NOMEM] = "nomem",
		[NUMAMIG_PAGE_FAILED] = "failed",
	};

	return result < NUMAMIG_PAGE_RESULTS ? names[result] : "?";
}
