/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * cowdedup.h - the user space interface of cowdedup
 *
 * It is a file system, see Documentation/admin-guide/cowdedup.md; what paths
 * cannot say goes through /dev/cowdedup.
 */
#ifndef _UAPI_LINUX_COWDEDUP_H
#define _UAPI_LINUX_COWDEDUP_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* f_type of statfs(2) on a cowdedup mount: "cowd" */
#define COWDEDUP_SUPER_MAGIC	0x636f7764

#define COWDEDUP_TYPE	0xB8

/**
 * DOC: General ioctl format
 *
 * Every argument is a structure that begins with __u32 size, set by the caller
 * to the size of the structure as it was compiled.  A newer kernel accepts a
 * shorter structure; an older kernel accepts a longer one when what it does
 * not know is zero.
 *
 * Every command on /dev/cowdedup fails with:
 *
 *  - ENOTTY: the command is not known.
 *  - EINVAL: @size is smaller than the first version of the structure.
 *  - E2BIG: @size is larger than known and the tail is not zero, or larger
 *    than a page.
 *  - EOPNOTSUPP: a flag is not known, or a reserved field is not zero.
 *  - EFAULT: a structure or an array cannot be read or written.
 *  - EBADF: a descriptor is not open.
 */
enum {
	COWDEDUP_CMD_INFO = 0x80,
	COWDEDUP_CMD_EXTENTS,
	COWDEDUP_CMD_BIND,
	COWDEDUP_CMD_UNSHARE,
};

/* The version of this interface, in struct cowdedup_info. */
#define COWDEDUP_ABI_VERSION	1

/**
 * struct cowdedup_info - ioctl(COWDEDUP_INFO)
 * @size: sizeof(struct cowdedup_info)
 * @flags: must be 0
 * @abi: output: COWDEDUP_ABI_VERSION of the module
 * @page_size: output: bytes; what is shared is a multiple of it
 */
struct cowdedup_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 page_size;
};

#define COWDEDUP_INFO _IO(COWDEDUP_TYPE, COWDEDUP_CMD_INFO)

/**
 * struct cowdedup_extent - pages of a ram file and the image they come from
 * @ram: first page, in pages of the ram file
 * @index: the page of the image that is bound there
 * @image: st_ino of the image in images/
 * @pages: how many, of both
 * @reserved: 0
 *
 * A guest that has written to such a page has a copy of its own, and what is
 * said here is then what it would see without it.  Which pages those are is
 * seen in /proc/PID/pagemap: bit 61 says that the page is not anonymous.
 */
struct cowdedup_extent {
	__u64 ram;
	__u64 index;
	__u64 image;
	__u32 pages;
	__u32 reserved;
};

/**
 * struct cowdedup_extents - ioctl(COWDEDUP_EXTENTS): what is bound in a file
 * @size: sizeof(struct cowdedup_extents)
 * @flags: must be 0
 * @ram_fd: an open file of ram/
 * @count: input: room in @extents, in elements, at most 65536; output: how many
 *	were written
 * @next: input: page to begin at; output: page to go on at, or -1 when there
 *	are no more
 * @extents: struct cowdedup_extent[]
 *
 * What is bound meanwhile may be missing; each extent was true when it was
 * written.
 *
 * Errors: EINVAL: @ram_fd is not a file of ram/, or @count is 0 or too large.
 */
struct cowdedup_extents {
	__u32 size;
	__u32 flags;
	__s32 ram_fd;
	__u32 count;
	__u64 next;
	__aligned_u64 extents;
};

#define COWDEDUP_EXTENTS _IO(COWDEDUP_TYPE, COWDEDUP_CMD_EXTENTS)

/**
 * struct cowdedup_piece - a part of an image and where it goes
 * @addr: address in memory of the caller that is mapped from a file of ram/
 * @offset: position in the image
 * @length: bytes; all three are multiples of the page size
 */
struct cowdedup_piece {
	__u64 addr;
	__u64 offset;
	__u64 length;
};

/**
 * struct cowdedup_bind - ioctl(COWDEDUP_BIND): bind, and never copy
 * @size: sizeof(struct cowdedup_bind)
 * @flags: must be 0
 * @image_fd: an open file of images/ of the same mount
 * @count: elements in @pieces, at most 1024
 * @pieces: struct cowdedup_piece[]
 * @bytes: output: how many bytes were bound, counted through @pieces in order
 *
 * For a monitor that knows what it wants.  A read(2) of the image does the
 * same, and copies what cannot be bound.  When the command ends early the rest
 * has to be read(2); @bytes says from where.  The same counters count.
 *
 * Errors: EINVAL: @image_fd is not a file of images/, @count is 0 or too
 * large, or a piece is not of whole pages.  What was bound before a wrong piece
 * stays bound and @bytes says how much.
 */
struct cowdedup_bind {
	__u32 size;
	__u32 flags;
	__s32 image_fd;
	__u32 count;
	__aligned_u64 pieces;
	__u64 bytes;
};

#define COWDEDUP_BIND _IO(COWDEDUP_TYPE, COWDEDUP_CMD_BIND)

/**
 * struct cowdedup_unshare - ioctl(COWDEDUP_UNSHARE): a guest gets copies
 * @size: sizeof(struct cowdedup_unshare)
 * @flags: must be 0
 * @ram_fd: a file of ram/ that is open for writing
 * @pid: the process that maps it, in the caller's namespace
 * @next: input: page to begin at; output: page to go on at, or -1 when nothing
 *	is bound any more
 * @pages: input: how many bound pages to deal with, at least 1; output: how
 *	many were
 *
 * From the first of these on nothing is bound in the file any more: reads into
 * it are copied (copied_stopped) until its last mapping is gone.  Each page
 * that is bound becomes one of the process's own, with the same content, unless
 * the guest has written to it before.  Call it again while @next is not -1.
 *
 * Errors: EINVAL: @ram_fd is not a file of ram/, or @pages is 0; EBADF: it is
 * not open for writing; EPERM: the process is another one, and the caller has
 * no CAP_SYS_PTRACE; ESRCH: there is no such process, or it is going;
 * ENXIO: it does not map the file; EBUSY: the file is mapped more than once;
 * ENOMEM: there is no memory for a copy, in the process's memory cgroup or in
 * the machine, and nobody is killed for it; EINTR: a signal.  What was done
 * before an error stays done; @pages and @next are not written then.
 */
struct cowdedup_unshare {
	__u32 size;
	__u32 flags;
	__s32 ram_fd;
	__s32 pid;
	__u64 next;
	__u64 pages;
};

#define COWDEDUP_UNSHARE _IO(COWDEDUP_TYPE, COWDEDUP_CMD_UNSHARE)

#endif /* _UAPI_LINUX_COWDEDUP_H */
