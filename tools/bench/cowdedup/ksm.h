/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ksm.h - the kernel's scanner for equal pages
 */
#ifndef KSM_H
#define KSM_H

#include <stdbool.h>
#include <stdint.h>

/* NULL, or why it is not there. */
const char *ksm_missing(void);
void ksm_start(unsigned int pages_to_scan, unsigned int sleep_ms);
void ksm_stop(void);

/**
 * struct ksm_work - what it has done so far
 * @scans: full passes
 * @ns: CPU time of its thread; under --icount instructions
 * @sharing: pages that it has saved
 */
struct ksm_work {
	uint64_t scans;
	uint64_t ns;
	uint64_t sharing;
};

void ksm_read(struct ksm_work *w);

#endif /* KSM_H */
