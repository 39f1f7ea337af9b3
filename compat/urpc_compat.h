/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * urpc_compat.h - kernel differences that urpc meets
 *
 * The modules are written for the newest kernel; here older ones are made to
 * look like it.  HAVE_* comes from features.h, which probe.sh makes from the
 * headers the module is built against.
 */
#ifndef URPC_COMPAT_H
#define URPC_COMPAT_H

#include <linux/mm.h>

#include "features.h"

#ifndef HAVE_VM_FLAGS_SET
/* 6.3: vma->vm_flags became read-only, with functions to change it. */
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set,
				vm_flags_t clear)
{
	vma->vm_flags |= set;
	vma->vm_flags &= ~clear;
}
#endif

#endif /* URPC_COMPAT_H */
