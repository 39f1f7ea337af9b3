/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * numamig.h - sampling of memory accesses and migration between NUMA nodes
 */
#ifndef _UAPI_LINUX_NUMAMIG_H
#define _UAPI_LINUX_NUMAMIG_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define NUMAMIG_TYPE	0xB7

/**
 * DOC: General ioctl format
 *
 * /dev/numamig takes ioctls whose argument is a structure that begins with
 * __u32 size, set by the caller to the size of the structure as it was
 * compiled.  A newer kernel accepts an older, shorter structure; an older
 * kernel accepts a newer, longer one when what it does not know is zero.
 *
 * Every command fails with:
 *
 *  - ENOTTY: the command is not known.
 *  - EINVAL: @size is smaller than the first version of the structure.
 *  - E2BIG: @size is larger than known and the tail is not zero, or larger
 *    than a page.
 *  - EOPNOTSUPP: a flag is not known, or a reserved field is not zero.
 *  - EFAULT: the structure cannot be read, or its answer not written; a
 *    command without out fields writes nothing.
 *  - EINTR: a signal came while the call waited for another to end.
 *  - ENOMEM: there is no memory.
 *  - EPERM: the caller lacks CAP_SYS_NICE, CAP_PERFMON or CAP_SYS_PTRACE in
 *    the initial user namespace, at this call (not only at open).
 *
 * A command that fails changes nothing, but for NUMAMIG_INJECT and
 * NUMAMIG_MOVE, which say how far they came.  Process ids are those of the
 * caller's pid namespace where they go in, and of the initial one where they
 * come out.
 *
 * A target belongs to the file that added it and goes when that file is
 * closed, when the process and (with NUMAMIG_TARGET_CHILDREN) its descendants
 * are gone, at NUMAMIG_TARGET_DEL or at NUMAMIG_STOP.
 */
enum {
	NUMAMIG_CMD_INFO = 0x40,
	NUMAMIG_CMD_TARGET_ADD,
	NUMAMIG_CMD_TARGET_DEL,
	NUMAMIG_CMD_TARGET_STAT,
	NUMAMIG_CMD_TARGET_LIST,
	NUMAMIG_CMD_INJECT,
	NUMAMIG_CMD_MOVE,
	NUMAMIG_CMD_STREAM,
	NUMAMIG_CMD_HELPER,
	NUMAMIG_CMD_ORDER_DONE,
	NUMAMIG_CMD_STOP,
};

/* The version of this interface, in struct numamig_info. */
#define NUMAMIG_ABI_VERSION	1

/**
 * enum numamig_sampler - where samples come from
 * @NUMAMIG_SAMPLER_CLOCK: a CPU-time clock and the forward evaluator; works
 *	everywhere, sees accesses, not cache misses
 * @NUMAMIG_SAMPLER_FAULT: page faults, with their exact addresses
 * @NUMAMIG_SAMPLER_INJECT: only NUMAMIG_INJECT
 * @NUMAMIG_SAMPLERS: the number of samplers known
 */
enum numamig_sampler {
	NUMAMIG_SAMPLER_CLOCK,
	NUMAMIG_SAMPLER_FAULT,
	NUMAMIG_SAMPLER_INJECT,
	NUMAMIG_SAMPLERS
};

/**
 * struct numamig_info - ioctl(NUMAMIG_INFO)
 * @size: sizeof(struct numamig_info)
 * @flags: must be 0
 * @abi: out: NUMAMIG_ABI_VERSION of the module
 * @sampler: out: the sampler in use, enum numamig_sampler
 * @samplers: out: a bit for each sampler that works here
 * @nr_nodes: out: highest node number plus one
 * @targets: out: targets at the moment
 * @helper: out: 1 when a helper is connected
 * @period_ns: out: sampling period in force, nanoseconds of CPU time
 */
struct numamig_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 sampler;
	__u32 samplers;
	__u32 nr_nodes;
	__u32 targets;
	__u32 helper;
	__aligned_u64 period_ns;
};

#define NUMAMIG_INFO _IO(NUMAMIG_TYPE, NUMAMIG_CMD_INFO)

/* Sample the descendants too: those alive now and those to come. */
#define NUMAMIG_TARGET_CHILDREN	(1u << 0)
/* Count what would be ordered, move nothing. */
#define NUMAMIG_TARGET_DRY_RUN	(1u << 1)

/**
 * struct numamig_target_add - ioctl(NUMAMIG_TARGET_ADD)
 * @size: sizeof(struct numamig_target_add)
 * @flags: NUMAMIG_TARGET_CHILDREN, NUMAMIG_TARGET_DRY_RUN
 * @pid: the process (any of its threads names it)
 * @__reserved: must be 0
 * @start_time: out: when the process started, nanoseconds since boot; with
 *	the pid it names the process for good
 *
 * Starts sampling every thread of the process.  Fails with ESRCH when there
 * is no such process or it is exiting, EINVAL for a kernel thread, EEXIST
 * when it is sampled already, ENOSPC when there are 64 targets, EACCES while
 * the kernel is locked down against perf.
 */
struct numamig_target_add {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__u32 __reserved;
	__aligned_u64 start_time;
};

#define NUMAMIG_TARGET_ADD _IO(NUMAMIG_TYPE, NUMAMIG_CMD_TARGET_ADD)

/**
 * struct numamig_target_del - ioctl(NUMAMIG_TARGET_DEL)
 * @size: sizeof(struct numamig_target_del)
 * @flags: must be 0
 * @pid: the process that was added, by whichever file
 * @__reserved: must be 0
 *
 * Stops sampling it; orders in flight end as cancelled.  Fails with ENOENT
 * when it is no target.
 */
struct numamig_target_del {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__u32 __reserved;
};

#define NUMAMIG_TARGET_DEL _IO(NUMAMIG_TYPE, NUMAMIG_CMD_TARGET_DEL)

/**
 * struct numamig_target_stat - ioctl(NUMAMIG_TARGET_STAT)
 * @size: sizeof(struct numamig_target_stat)
 * @flags: must be 0
 * @pid: a target
 * @share_permille: out: local share of the last window that had enough
 *	samples, 0 to 1000, or -1 before the first
 * @samples: out: samples with an address
 * @local: out: of these, page on the node of the accessing CPU
 * @remote: out: page on another node
 * @unknown: out: no page was mapped there at that time
 * @cpu_ns: out: CPU time that was sampled, nanoseconds (clock sampler only)
 * @sampler_ns: out: time the samples took, in and after the interrupt
 * @orders: out: orders issued
 * @pages_kernel: out: pages moved by the kernel engine
 * @pages_helper: out: pages moved by the helper
 * @pages_failed: out: pages that were ordered and could not be moved
 * @entries: out: entries in the hot-page table
 * @evicted: out: entries thrown out of it while still warm
 * @processes: out: processes of the target that are alive
 * @active: out: 1 when the policy acts, 0 when the local share is high
 *	enough or it backs off
 *
 * The end of the structure may grow.  Fails with ENOENT when @pid is no
 * target.
 */
struct numamig_target_stat {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__s32 share_permille;
	__aligned_u64 samples;
	__aligned_u64 local;
	__aligned_u64 remote;
	__aligned_u64 unknown;
	__aligned_u64 cpu_ns;
	__aligned_u64 sampler_ns;
	__aligned_u64 orders;
	__aligned_u64 pages_kernel;
	__aligned_u64 pages_helper;
	__aligned_u64 pages_failed;
	__aligned_u64 entries;
	__aligned_u64 evicted;
	__u32 processes;
	__u32 active;
};

#define NUMAMIG_TARGET_STAT _IO(NUMAMIG_TYPE, NUMAMIG_CMD_TARGET_STAT)

/**
 * struct numamig_target_list - ioctl(NUMAMIG_TARGET_LIST)
 * @size: sizeof(struct numamig_target_list)
 * @flags: must be 0
 * @count: in: room at @pids; out: how many targets there are
 * @__reserved: must be 0
 * @pids: user pointer to __s32[@count], filled as far as there is room
 */
struct numamig_target_list {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 __reserved;
	__aligned_u64 pids;
};

#define NUMAMIG_TARGET_LIST _IO(NUMAMIG_TYPE, NUMAMIG_CMD_TARGET_LIST)

/* struct numamig_sample.flags */
#define NUMAMIG_SAMPLE_WRITE	(1u << 0)	/* it was a store */
#define NUMAMIG_SAMPLE_SHARED	(1u << 1)	/* page of a file or shmem */
#define NUMAMIG_SAMPLE_LARGE	(1u << 2)	/* part of a large folio */

/**
 * struct numamig_sample - one sampled access
 * @addr: user virtual address
 * @time_ns: CLOCK_MONOTONIC when the sample was taken out of its ring, up to
 *	one policy window after the access; 0 when injected
 * @pid: process id (thread group)
 * @cpu: the CPU that made the access; ignored when injected
 * @node: the node of that CPU
 * @home: the node of the page, -1 when none was mapped; ignored when injected
 * @flags: NUMAMIG_SAMPLE_*
 * @sampler: enum numamig_sampler; ignored when injected
 * @__reserved: 0
 *
 * Read from a file after NUMAMIG_STREAM, and handed in with NUMAMIG_INJECT:
 * what was recorded can be played back.
 */
struct numamig_sample {
	__aligned_u64 addr;
	__aligned_u64 time_ns;
	__s32 pid;
	__u32 cpu;
	__s32 node;
	__s32 home;
	__u32 flags;
	__u16 sampler;
	__u16 __reserved;
};

/**
 * struct numamig_inject - ioctl(NUMAMIG_INJECT)
 * @size: sizeof(struct numamig_inject)
 * @flags: must be 0
 * @count: how many samples, 1 to 65536
 * @accepted: out: how many were taken; those before a bad one are taken
 * @samples: user pointer to struct numamig_sample[@count]
 *
 * Hands in samples for targets: recorded traces, Arm SPE decoded in user
 * space, tests with a known truth.  Works with every sampler.  Fails with
 * EINVAL at the first sample whose node does not exist or has no CPUs (see
 * policy/cpuless_nodes) or whose address is no user address, ESRCH when its
 * process does not belong to a target; @accepted is valid then too.
 */
struct numamig_inject {
	__u32 size;
	__u32 flags;
	__u32 count;
	__u32 accepted;
	__aligned_u64 samples;
};

#define NUMAMIG_INJECT _IO(NUMAMIG_TYPE, NUMAMIG_CMD_INJECT)

/**
 * enum numamig_page_result - what became of a page
 * @NUMAMIG_PAGE_MOVED: it is on the destination now
 * @NUMAMIG_PAGE_LOCAL: it was there already
 * @NUMAMIG_PAGE_ABSENT: nothing mapped there (hole, zero page, swapped out)
 * @NUMAMIG_PAGE_SHARED: mapped by processes that are not in the target
 * @NUMAMIG_PAGE_LARGE: part of a large folio, left to the helper
 * @NUMAMIG_PAGE_KIND: not private anonymous memory, left to the helper
 * @NUMAMIG_PAGE_BUSY: locked, pinned or isolated by somebody else
 * @NUMAMIG_PAGE_WRITEBACK: being written to swap
 * @NUMAMIG_PAGE_NOMEM: the destination is below its high watermark
 * @NUMAMIG_PAGE_FAILED: anything else
 * @NUMAMIG_PAGE_RESULTS: how many results there are
 */
enum numamig_page_result {
	NUMAMIG_PAGE_MOVED,
	NUMAMIG_PAGE_LOCAL,
	NUMAMIG_PAGE_ABSENT,
	NUMAMIG_PAGE_SHARED,
	NUMAMIG_PAGE_LARGE,
	NUMAMIG_PAGE_KIND,
	NUMAMIG_PAGE_BUSY,
	NUMAMIG_PAGE_WRITEBACK,
	NUMAMIG_PAGE_NOMEM,
	NUMAMIG_PAGE_FAILED,
	NUMAMIG_PAGE_RESULTS
};

/**
 * struct numamig_move - ioctl(NUMAMIG_MOVE)
 * @size: sizeof(struct numamig_move)
 * @flags: must be 0
 * @pid: the process; it need not be a target
 * @node: destination
 * @addr: start, page aligned
 * @len: bytes, page aligned, at most 1 TiB
 * @pages: out: how many pages had which enum numamig_page_result
 *
 * Moves private anonymous base pages now, in the caller's context, by the
 * kernel engine alone: what the policy does, without the policy.  The
 * process's cpuset and memory policies are honoured.  Fails with ESRCH when
 * there is no such process, EINVAL when the range is not one or the node does
 * not exist, ENODEV when the node has no memory, EACCES when the cpuset of
 * the process does not allow the node, EINTR when killed half way (pages that
 * were moved stay moved).  A memory policy that forbids a page counts it as
 * NUMAMIG_PAGE_FAILED.
 */
struct numamig_move {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__s32 node;
	__aligned_u64 addr;
	__aligned_u64 len;
	__aligned_u64 pages[16];
};

#define NUMAMIG_MOVE _IO(NUMAMIG_TYPE, NUMAMIG_CMD_MOVE)

/**
 * struct numamig_stream - ioctl(NUMAMIG_STREAM)
 * @size: sizeof(struct numamig_stream)
 * @flags: must be 0
 * @entries: samples to buffer, 1 to 1048576, rounded up to a power of two
 * @__reserved: must be 0
 *
 * From now on read(2) on this file returns struct numamig_sample records of
 * all targets, as many whole ones as fit; poll(2) says when there are some.
 * When the buffer is full the newest samples are dropped and counted in
 * samples/stream_dropped.  Fails with EBUSY when the file is a stream or a
 * helper already.
 */
struct numamig_stream {
	__u32 size;
	__u32 flags;
	__u32 entries;
	__u32 __reserved;
};

#define NUMAMIG_STREAM _IO(NUMAMIG_TYPE, NUMAMIG_CMD_STREAM)

/**
 * struct numamig_helper - ioctl(NUMAMIG_HELPER)
 * @size: sizeof(struct numamig_helper)
 * @flags: must be 0
 *
 * Makes this file the helper: read(2) returns struct numamig_order records to
 * be carried out with move_pages(2) and reported with NUMAMIG_ORDER_DONE.
 * There is one helper at a time (EBUSY), it must be in the initial pid
 * namespace (EINVAL).  Orders that it holds when it closes the file end as
 * no_helper.
 */
struct numamig_helper {
	__u32 size;
	__u32 flags;
};

#define NUMAMIG_HELPER _IO(NUMAMIG_TYPE, NUMAMIG_CMD_HELPER)

/* struct numamig_order.flags */
/* Pages are mapped by several processes of the target: MPOL_MF_MOVE_ALL. */
#define NUMAMIG_ORDER_ALL	(1u << 0)

#define NUMAMIG_ORDER_PAGES	512

/**
 * struct numamig_order - one order for the helper
 * @id: to be repeated in NUMAMIG_ORDER_DONE
 * @addr: user virtual address of the page of bit 0, page aligned
 * @start_time: start of the process, nanoseconds since boot, so that a reused
 *	pid is noticed
 * @pid: process in which the pages are mapped
 * @node: destination
 * @flags: NUMAMIG_ORDER_*
 * @pages: how many pages bits of @mask stand for, at most 512
 * @mask: the pages to move; of a large folio only the first page is named
 */
struct numamig_order {
	__aligned_u64 id;
	__aligned_u64 addr;
	__aligned_u64 start_time;
	__s32 pid;
	__s32 node;
	__u32 flags;
	__u32 pages;
	__aligned_u64 mask[NUMAMIG_ORDER_PAGES / 64];
};

/**
 * struct numamig_order_done - ioctl(NUMAMIG_ORDER_DONE)
 * @size: sizeof(struct numamig_order_done)
 * @flags: must be 0
 * @id: the order
 * @error: 0, or the errno (positive) of the call that failed as a whole
 * @__reserved: must be 0
 * @pages: how many base pages had which enum numamig_page_result
 *
 * Fails with ENOENT when the helper holds no such order, EPERM (as well) when
 * the file is not the helper.
 */
struct numamig_order_done {
	__u32 size;
	__u32 flags;
	__aligned_u64 id;
	__u32 error;
	__u32 __reserved;
	__aligned_u64 pages[16];
};

#define NUMAMIG_ORDER_DONE _IO(NUMAMIG_TYPE, NUMAMIG_CMD_ORDER_DONE)

/**
 * struct numamig_stop - ioctl(NUMAMIG_STOP)
 * @size: sizeof(struct numamig_stop)
 * @flags: must be 0
 *
 * The kill switch: removes every target of every file, cancels every order
 * and returns when nothing is sampled or moved any more.
 */
struct numamig_stop {
	__u32 size;
	__u32 flags;
};

#define NUMAMIG_STOP _IO(NUMAMIG_TYPE, NUMAMIG_CMD_STOP)

/**
 * enum numamig_order_result - how an order ended; each ends in exactly one
 * @NUMAMIG_ORDER_MOVED: at least one page was moved
 * @NUMAMIG_ORDER_NOTHING: no page needed moving
 * @NUMAMIG_ORDER_REFUSED: pages needed moving and none could be
 * @NUMAMIG_ORDER_GONE: the process or its memory is gone
 * @NUMAMIG_ORDER_STALE: the address maps something else by now
 * @NUMAMIG_ORDER_CPUSET: the cpuset of the process forbids the node
 * @NUMAMIG_ORDER_MEMPOLICY: a memory policy of the process forbids the node
 * @NUMAMIG_ORDER_NOMEM: the destination is below its high watermark
 * @NUMAMIG_ORDER_NO_HELPER: it needed the helper and there is none
 * @NUMAMIG_ORDER_HELPER_ERROR: the helper reported an error
 * @NUMAMIG_ORDER_SPLIT: replaced by an order for the helper
 * @NUMAMIG_ORDER_DRY_RUN: only advised
 * @NUMAMIG_ORDER_CANCELLED: the target was removed or all was stopped
 * @NUMAMIG_ORDER_RESULTS: how many results there are
 */
enum numamig_order_result {
	NUMAMIG_ORDER_MOVED,
	NUMAMIG_ORDER_NOTHING,
	NUMAMIG_ORDER_REFUSED,
	NUMAMIG_ORDER_GONE,
	NUMAMIG_ORDER_STALE,
	NUMAMIG_ORDER_CPUSET,
	NUMAMIG_ORDER_MEMPOLICY,
	NUMAMIG_ORDER_NOMEM,
	NUMAMIG_ORDER_NO_HELPER,
	NUMAMIG_ORDER_HELPER_ERROR,
	NUMAMIG_ORDER_SPLIT,
	NUMAMIG_ORDER_DRY_RUN,
	NUMAMIG_ORDER_CANCELLED,
	NUMAMIG_ORDER_RESULTS
};

#endif /* _UAPI_LINUX_NUMAMIG_H */
