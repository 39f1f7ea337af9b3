// SPDX-License-Identifier: GPL-2.0-only
/*
 * walk.c - what a user address maps to, without a lock or a reference
 *
 * The kernel's walkers and page-table getters are not exported, and in the
 * overflow handler no lock may be taken anyway.  So this reads the page table
 * as get_user_pages_fast() does: with interrupts off a table that is being
 * freed stays until this CPU has answered the TLB shootdown or passed a
 * quiescent state, so every entry that is followed leads to a table or to
 * nothing.  The answer is a hint: it may be stale by the time it is used, and
 * whoever acts on it checks again under the proper locks.  No reference is
 * taken, and only fields of struct page that can be read at any time are read.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/page-flags.h>

#include "internal.h"
#include "numamig_compat.h"

/* The small mapcount of a page: entries that map it as a base page. */
static int small_mapcount(const struct page *page)
{
	return atomic_read(&page->_mapcount) + 1;
}

static void describe(struct page *page, struct nm_page_info *info)
{
	struct folio *folio = page_folio(page);
	unsigned long mapping = (unsigned long)READ_ONCE(folio->mapping);
	bool large = folio_test_large(folio);

	info->page = page;
	info->nid = page_to_nid(page);
	if (!mapping || is_zone_device_page(page) ||
	    PageReserved(page) || nm_mapping_is_ksm(mapping)) {
		info->kind = NM_PK_OTHER;
		return;
	}
	info->mapcount = small_mapcount(page);
	if (large)
		info->mapcount += folio_entire_mapcount(folio);
	if (nm_mapping_is_anon(mapping)) {
		info->kind = large ? NM_PK_LARGE_ANON : NM_PK_ANON;
		return;
	}
	if (nm_mapping_is_movable_ops(mapping)) {
		info->kind = NM_PK_OTHER;
		return;
	}
	info->kind = large ? NM_PK_LARGE_FILE : NM_PK_FILE;
	info->mapping = mapping;
	info->pgoff = folio->index + (page - folio_page(folio, 0));
}

/* An entry of an upper level that maps memory itself. */
static void describe_huge(unsigned long pfn, unsigned long addr,
			  unsigned int shift, struct nm_page_info *info)
{
	pfn += (addr & ((1ul << shift) - 1)) >> PAGE_SHIFT;
	info->pmd = true;
	info->shift = shift;
	if (!pfn_valid(pfn)) {
		info->kind = NM_PK_OTHER;
		return;
	}
	describe(pfn_to_page(pfn), info);
}

static void walk_pte(pmd_t pmd, unsigned long addr, struct nm_page_info *info)
{
	pte_t pte = READ_ONCE(*pte_offset_kernel(&pmd, addr));

	if (!pte_present(pte))
		return;
	if (pte_special(pte)) {
		/* the zero page, or memory without a struct page */
		if (!is_zero_pfn(pte_pfn(pte)))
			info->kind = NM_PK_OTHER;
		return;
	}
	/* not special: it has a struct page, as for vm_normal_page() */
	describe(pfn_to_page(pte_pfn(pte)), info);
}

/*
 * Find the middle entry for @addr.  False when there is none, or when an upper
 * entry maps memory itself; then @info is complete.
 */
static bool find_pmd(struct mm_struct *mm, unsigned long addr, pmd_t *pmd,
		     struct nm_page_info *info)
{
	pgd_t pgd = READ_ONCE(*pgd_offset(mm, addr));
	p4d_t p4d;
	pud_t pud;

	if (pgd_none(pgd))
		return false;
	p4d = READ_ONCE(*p4d_offset(&pgd, addr));
	if (p4d_none(p4d) || !p4d_present(p4d))
		return false;
	pud = READ_ONCE(*pud_offset(&p4d, addr));
	if (pud_none(pud) || !pud_present(pud))
		return false;
	if (pud_leaf(pud)) {
		describe_huge(pud_pfn(pud), addr, PUD_SHIFT, info);
		return false;
	}
	*pmd = READ_ONCE(*pmd_offset(&pud, addr));
	return !pmd_none(*pmd) && pmd_present(*pmd);
}

/**
 * nm_walk_next - look up the page at a user address, near the last one
 * @w: walk; see nm_walk_start()
 * @addr: user address
 * @info: out
 *
 * The table that the last look-up ended in is used again for addresses that it
 * covers.  It may only be used while interrupts stay off.
 */
void nm_walk_next(struct nm_walk *w, unsigned long addr,
		  struct nm_page_info *info)
{
	info->page = NULL;
	info->kind = NM_PK_ABSENT;
	info->pmd = false;
	info->shift = PAGE_SHIFT;
	info->nid = NUMA_NO_NODE;
	info->mapping = 0;
	if (!w->have_pmd || (addr & PMD_MASK) != w->pmd_addr) {
		w->have_pmd = find_pmd(w->mm, addr, &w->pmd, info);
		if (!w->have_pmd)
			return;
		w->pmd_addr = addr & PMD_MASK;
	}
	if (pmd_leaf(w->pmd))
		describe_huge(pmd_pfn(w->pmd), addr, PMD_SHIFT, info);
	else
		walk_pte(w->pmd, addr, info);
}

/**
 * nm_walk_start - begin a walk
 * @w: out
 * @mm: an address space that is alive: current's, or held by mm_users
 *
 * Any context with interrupts off, NMI included.
 */
void nm_walk_start(struct nm_walk *w, struct mm_struct *mm)
{
	w->mm = mm;
	w->have_pmd = false;
}

/**
 * nm_walk_one - look up one user address
 * @mm: as for nm_walk_start()
 * @addr: user address
 * @info: out
 *
 * Any context.
 */
void nm_walk_one(struct mm_struct *mm, unsigned long addr,
		 struct nm_page_info *info)
{
	unsigned long flags;
	struct nm_walk w;

	local_irq_save(flags);
	nm_walk_start(&w, mm);
	nm_walk_next(&w, addr, info);
	local_irq_restore(flags);
}
