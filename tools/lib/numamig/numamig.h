/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * numamig.h - library for /dev/numamig
 *
 * Functions return 0 (or a count) on success and a negative errno on failure;
 * errno itself is not set.  A handle may be used by one thread at a time.
 */
#ifndef NUMAMIG_H
#define NUMAMIG_H

#include <linux/numamig.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct numamig;

/**
 * numamig_open - open /dev/numamig
 * @handle: out
 *
 * Return: 0; -ENOENT when the module is not loaded; -EPERM without the
 * rights (CAP_SYS_NICE, CAP_PERFMON, CAP_SYS_PTRACE).
 */
int numamig_open(struct numamig **handle);

/**
 * numamig_close - close the device
 * @handle: may be NULL
 *
 * Targets that this handle added are no longer sampled.
 */
void numamig_close(struct numamig *handle);

/** numamig_fd - the file descriptor, for poll(2) */
int numamig_fd(const struct numamig *handle);

int numamig_get_info(struct numamig *handle, struct numamig_info *info);

/**
 * numamig_add - start sampling a process
 * @handle: device; the target lives as long as it is open
 * @pid: process
 * @flags: NUMAMIG_TARGET_*
 */
int numamig_add(struct numamig *handle, pid_t pid, uint32_t flags);
int numamig_del(struct numamig *handle, pid_t pid);
int numamig_get_stat(struct numamig *handle, pid_t pid,
		     struct numamig_target_stat *stat);

/**
 * numamig_list - process ids of all targets
 * @handle: device
 * @pids: room for @room
 * @room: may be 0
 *
 * Return: how many targets there are, possibly more than @room.
 */
int numamig_list(struct numamig *handle, int32_t *pids, unsigned int room);

/**
 * numamig_inject - hand in samples
 * @handle: device
 * @samples: samples
 * @count: how many, 1 to 65536
 *
 * Return: how many were accepted (fewer than @count: the next one is bad), or
 * a negative errno when the first one is bad.
 */
int numamig_inject(struct numamig *handle,
		   const struct numamig_sample *samples, unsigned int count);

/**
 * numamig_move - move private anonymous base pages now
 * @handle: device
 * @pid: process
 * @addr: page aligned
 * @len: page aligned
 * @node: destination
 * @pages: out: counts by enum numamig_page_result; may be NULL
 */
int numamig_move(struct numamig *handle, pid_t pid, uint64_t addr,
		 uint64_t len, int node, uint64_t pages[16]);

/** numamig_stream - make this handle a stream of samples for read(2) */
int numamig_stream(struct numamig *handle, uint32_t entries);

/**
 * numamig_read - read samples from a stream
 * @handle: a stream
 * @samples: room for @count
 * @count: at least 1
 * @timeout_ms: -1 waits for ever
 *
 * Return: how many samples, 0 after the time-out, or a negative errno.
 */
int numamig_read(struct numamig *handle, struct numamig_sample *samples,
		 unsigned int count, int timeout_ms);

/**
 * struct numamig_helper_stat - what a helper did
 * @orders: orders carried out
 * @pages: base pages, by enum numamig_page_result
 */
struct numamig_helper_stat {
	uint64_t orders;
	uint64_t pages[NUMAMIG_PAGE_RESULTS];
};

/** numamig_helper - make this handle the helper; -EBUSY when there is one */
int numamig_helper(struct numamig *handle);

/**
 * numamig_helper_step - wait for orders and carry them out with move_pages(2)
 * @handle: the helper
 * @timeout_ms: -1 waits for ever
 * @stat: added to; may be NULL
 *
 * Return: how many orders were carried out, 0 after the time-out, or a
 * negative errno.
 */
int numamig_helper_step(struct numamig *handle, int timeout_ms,
			struct numamig_helper_stat *stat);

/** numamig_stop_all - stop all sampling and all orders, of everybody */
int numamig_stop_all(struct numamig *handle);

/** numamig_page_result_name - as in sysfs; "?" for an unknown number */
const char *numamig_page_result_name(unsigned int result);

#ifdef __cplusplus
}
#endif

#endif /* NUMAMIG_H */
