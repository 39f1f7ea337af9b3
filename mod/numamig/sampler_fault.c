// SPDX-License-Identifier: GPL-2.0-only
/*
 * sampler_fault.c - page faults: exact addresses, one sample a fault
 *
 * Sees first touches, and with kernel.numa_balancing=1 its hint faults.  The
 * event comes before the fault is served, so the page is usually not mapped
 * yet and its home unknown; such samples count accesses and show no home.
 */
#include <linux/perf_event.h>

#include "internal.h"

static int fault_available(void)
{
	return 0;
}

static void fault_attr(struct perf_event_attr *attr)
{
	attr->type = PERF_TYPE_SOFTWARE;
	attr->config = PERF_COUNT_SW_PAGE_FAULTS;
	attr->sample_period = 1;
}

static enum nm_refusal fault_resolve(struct perf_sample_data *data,
				     struct pt_regs *regs, struct nm_raw *raw)
{
	raw->addr = data->addr;
	return NM_OK;
}

const struct nm_sampler nm_sampler_fault = {
	.name = "fault",
	.id = NUMAMIG_SAMPLER_FAULT,
	.event = true,
	.available = fault_available,
	.attr = fault_attr,
	.resolve = fault_resolve,
};
