/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pure.h - lets the files that need no kernel build in user space too
 *
 * operand*.c, hot.c, policy.c and ring.h are compiled into the module and,
 * unchanged, into the tests and benchmarks, where they run under the
 * sanitizers and fuzzers.  They include this header and nothing of the kernel;
 * tools/include/pure_user.h has user space's side of it.
 */
#ifndef NUMAMIG_PURE_H
#define NUMAMIG_PURE_H

#ifdef __KERNEL__

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>

#else
#include "pure_user.h"
#endif /* __KERNEL__ */

#endif /* NUMAMIG_PURE_H */
