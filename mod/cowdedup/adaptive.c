// SPDX-License-Identifier: GPL-2.0-only
/*
 * adaptive.c - adaptive=on: of what kind a read is, and what it takes
 *
 * cost.h decides.  What is measured ends when the read returns: the faults by
 * which a guest then gets what was bound, but not mapped, are no part of it.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>

#include "internal.h"

/* May a page table have any of @pages at @addr?  Only a guess is lost. */
static bool is_used(const struct cowd_mount *mnt, unsigned long addr,
		    unsigned int pages)
{
	const struct cowd_ram *ram;
	struct vm_area_struct *vma;
	unsigned long nr, first;
	bool used = false;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	if (!vma || !cowd_is_ram(vma))
		goto out;
	ram = cowd_ram_of_vma(vma);
	if (ram->inode->i_sb != mnt->sb)
		goto out;
	/* The table stays as long as the mapping; it covers the file. */
	nr = READ_ONCE(ram->nr);
	first = linear_page_index(vma, addr);
	if (first < nr)
		used = cowd_table_is_touched(ram, first,
					     min_t(unsigned long, pages,
						   nr - first));
out:
	mmap_read_unlock(current->mm);
	return used;
}

/* It grows when the reader sleeps, and when others run instead. */
static unsigned long switches(void)
{
	return current->nvcsw + current->nivcsw;
}

/**
 * cowd_adaptive_begin - shall a read be bound or copied?
 * @w: to measure it
 * @mnt: mount of the image
 * @addr: where to, in the reader's memory
 * @pages: whole pages
 *
 * Return: the way that it goes.
 */
enum cowd_way cowd_adaptive_begin(struct cowd_stopwatch *w,
				  struct cowd_mount *mnt, unsigned long addr,
				  unsigned int pages)
{
	bool used = is_used(mnt, addr, pages);

	w->cost = &mnt->costs.kind[cowd_cost_kind(pages, used)];
	w->way = cowd_cost_choose(w->cost);
	w->switches = switches();
	w->start = sched_clock();
	return w->way;
}

/**
 * cowd_adaptive_end - it was done
 * @w: as it was begun
 * @bytes: that were bound or copied
 *
 * Who was not running meanwhile has waited for a disk or for others, or is on
 * another CPU with another clock: that is not remembered.
 */
void cowd_adaptive_end(const struct cowd_stopwatch *w, size_t bytes)
{
	u64 ns = sched_clock() - w->start;

	if (switches() == w->switches)
		cowd_cost_learn(w->cost, w->way, ns, bytes >> PAGE_SHIFT);
}
