/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctl_arg.h - the structure of an ioctl, from user space, for every module
 */
#ifndef NUMASHARE_IOCTL_ARG_H
#define NUMASHARE_IOCTL_ARG_H

#include <linux/mm.h>
#include <linux/uaccess.h>

/**
 * ioctl_arg_from_user() - copy the structure of an ioctl, once
 * @arg: where to; what user space does not give is zero
 * @size: of the structure now
 * @min_size: of its first version
 * @ubuf: the structure in user space; its first member is its size, a __u32
 * @given: the size that user space gave
 *
 * More than a page is refused unseen, as sched_setattr() does: the tail of a
 * size that reaches past the end of user space would be EFAULT instead.
 *
 * Return: 0, -EFAULT, -EINVAL when it is shorter than the first version,
 * -E2BIG when it is longer than known and the tail is not zero.
 */
static inline int ioctl_arg_from_user(void *arg, u32 size, u32 min_size,
				      const void __user *ubuf, u32 *given)
{
	if (get_user(*given, (const u32 __user *)ubuf))
		return -EFAULT;
	if (*given < min_size)
		return -EINVAL;
	if (*given > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(arg, size, ubuf, *given);
}

#endif
