/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fault.h - what the kernel's fault injection may fail
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

/*
 * Let every allocation be failed, whatever its flags and its size, and say
 * nothing about each.  False, with the reason on standard output, when the
 * kernel cannot.
 */
bool fault_setup(void);

/*
 * Only what is allocated, or copied from or to user space, on behalf of the
 * kernel's function @name, or of the module @name.  The kernel looks for it on
 * the stack each time, so everything is slow meanwhile.  False when there is
 * no such name, or no CONFIG_FAULT_INJECTION_STACKTRACE_FILTER.
 */
bool fault_only_function(const char *name);
bool fault_only_module(const char *name);
void fault_anywhere(void);

/* From now on @percent of the allocations fail, whoever makes them. */
bool fault_begin(unsigned int percent);
/* No more.  Returns how many failed. */
unsigned int fault_end(void);

#endif /* FAULT_H */
