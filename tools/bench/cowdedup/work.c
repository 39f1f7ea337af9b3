// SPDX-License-Identifier: GPL-2.0-only
/*
 * work.c - see work.h
 *
 * Which pages are copied and cleared is known: anonymous memory is cleared, and
 * what is read into it copied.  In a file of ram/ a page that the guest writes
 * to is a copy, and what is bound none, but for those that masters are filled
 * by.
 */
#include "pages.h"
#include "work.h"

/* What the module has copied, in pages. */
static double copied(const struct work_side *w)
{
	double bound = stage_counter(w->stage, "pages_bound");

	return (double)stage_counter(w->stage, "bytes_read") / PAGE - bound +
	       stage_counter(w->stage, "masters_made");
}

void work_begin(struct work_side *w, const struct stage *s, enum arm arm)
{
	*w = (struct work_side){ .stage = s, .arm = arm };
	if (arm_is_cowdedup(arm))
		w->copied = copied(w);
}

/* Pages of the guest's memory in a state, or in any. */
static double pages_in(const struct guest *g, uint32_t state, bool any)
{
	size_t i, n = 0;

	for (i = 0; i < GUEST_PAGES; i++)
		n += g->log->page[i].state == state ||
		     (any && g->log->page[i].state != STATE_NONE);
	return n;
}

static double pages_read(const struct guest_plan *p)
{
	double bytes = 0;
	uint32_t i;

	for (i = 0; i < p->n; i++)
		if (p->step[i].what == VCPU_STEP_READ)
			bytes += p->step[i].bytes;
	return bytes / PAGE;
}

void work_end(struct work *w, const struct work_side *side,
	      const struct guest *g, const struct guest_plan *p, unsigned int n)
{
	double copies = 0, clears = 0, spent = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		spent += g[i].log->spent;
		if (arm_is_cowdedup(side->arm)) {
			copies += pages_in(&g[i], STATE_PRIVATE, false);
			continue;
		}
		clears += pages_in(&g[i], STATE_PRIVATE, true);
		/* KSM's guests read by O_DIRECT, and pmem's have it mapped */
		if (side->arm == ARM_PLAIN)
			copies += pages_read(&p[i]);
	}
	if (arm_is_cowdedup(side->arm))
		copies += copied(side) - side->copied;
	w->gross = spent / n;
	w->net = (spent - copies * pages_copy_alone() -
		  clears * pages_clear_alone()) / n;
}
