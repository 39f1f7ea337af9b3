// SPDX-License-Identifier: GPL-2.0-only
/*
 * scan.c - sort the pages of a chunk by what can be done with them
 *
 * migrate_vma_setup() takes every page of a range, splits huge pages and moves
 * pages that other processes map.  So the range is looked at first: base pages
 * of private anonymous memory that only this process maps go to the kernel
 * engine, large folios and file pages to the helper, and what is there
 * already, absent, or shared with processes outside the target stays.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>

#include "internal.h"

/* Pages looked at in one stretch with interrupts off. */
#define STRETCH	64

static bool shared_outside(const struct nm_scan *s,
			   const struct nm_page_info *info)
{
	if (info->kind == NM_PK_ANON || info->kind == NM_PK_LARGE_ANON)
		return info->mapcount > 1;
	return info->mapcount > s->procs;
}

static void mark_helper(struct nm_scan *s, unsigned int i, unsigned int unit)
{
	__set_bit(i, s->helper);
	s->helper_pages += unit;
}

/*
 * Count and mark one page.  Returns how many pages to go on by: a folio that
 * one upper-level entry maps is one unit.
 */
static unsigned int sort_page(struct nm_scan *s, unsigned int i,
			      const struct nm_page_info *info, bool kernel_ok)
{
	unsigned long addr = s->addr + ((unsigned long)i << PAGE_SHIFT);
	unsigned int unit = 1, left;

	if (info->pmd) {
		left = ((1ul << info->shift) -
			(addr & ((1ul << info->shift) - 1))) >> PAGE_SHIFT;
		unit = min(left, s->pages - i);
	}
	switch (info->kind) {
	case NM_PK_ABSENT:
		s->result[NUMAMIG_PAGE_ABSENT] += unit;
		return unit;
	case NM_PK_OTHER:
		s->result[NUMAMIG_PAGE_KIND] += unit;
		return unit;
	}
	if (info->nid == s->node)
		s->result[NUMAMIG_PAGE_LOCAL] += unit;
	else if (shared_outside(s, info))
		s->result[NUMAMIG_PAGE_SHARED] += unit;
	else if (info->kind == NM_PK_ANON && kernel_ok)
		__set_bit(i, s->kernel);
	else
		mark_helper(s, i, unit);
	return unit;
}

/**
 * nm_scan_range - sort the pages of @s from bit @first up to bit @last
 * @s: where the pages are and what is wanted of them; adds to its bitmaps and
 *	results
 * @first: first page
 * @last: one past the last
 * @kernel_ok: the kernel engine may take base pages of this range
 *
 * The mm is held by mm_users.  Interrupts are on.
 */
void nm_scan_range(struct nm_scan *s, unsigned int first, unsigned int last,
		   bool kernel_ok)
{
	struct nm_page_info info;
	unsigned int i = first, stop;
	unsigned long flags;
	struct nm_walk w;

	while (i < last) {
		stop = min(i + STRETCH, last);
		local_irq_save(flags);
		nm_walk_start(&w, s->mm);
		while (i < stop) {
			if (!test_bit(i, s->mask)) {
				i++;
				continue;
			}
			nm_walk_next(&w, s->addr +
				     ((unsigned long)i << PAGE_SHIFT), &info);
			i += sort_page(s, i, &info, kernel_ok);
		}
		local_irq_restore(flags);
	}
}
