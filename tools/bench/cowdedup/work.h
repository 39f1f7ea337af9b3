/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * work.h - instructions that guests take, with their monitors and the kernel
 */
#ifndef WORK_H
#define WORK_H

#include "guest.h"

/**
 * struct work - instructions of a guest
 * @gross: as QEMU counts
 * @net: without those of strings, a byte each: copies and clearing of pages
 */
struct work {
	double gross;
	double net;
};

/**
 * struct work_side - what the module had done when some guests began
 * @stage: of the mount
 * @arm: of the guests
 * @copied: pages that it had copied, from the image too
 */
struct work_side {
	const struct stage *stage;
	enum arm arm;
	double copied;
};

void work_begin(struct work_side *w, const struct stage *s, enum arm arm);
/* The mean of @n guests, which have done their steps. */
void work_end(struct work *w, const struct work_side *side,
	      const struct guest *g, const struct guest_plan *p,
	      unsigned int n);

#endif /* WORK_H */
