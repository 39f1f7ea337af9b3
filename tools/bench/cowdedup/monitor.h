/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * monitor.h - the virtual machine monitor of a guest: its process
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "guest.h"

/* Guest-physical addresses. */
#define MONITOR_IMAGE	0x40000000u	/* the image, when it is memory */
#define MONITOR_WORK	0x60000000u	/* what it copies to have it */

/* Go through the plan; ends the process when it fails. */
void monitor_run(const struct guest_plan *p, struct guest_log *log);

#endif /* MONITOR_H */
