// SPDX-License-Identifier: GPL-2.0-only
/*
 * region.c - the memory that one side of a channel writes
 *
 * Ordinary pages on the receiver's node, charged to whoever asked for them,
 * inserted into the page table at mmap().  The mappings are such that
 *
 *  - a read-only one can never become writable (no VM_MAYWRITE, and VM_SHARED,
 *    so that not even a debugger's forced write makes a private copy);
 *  - none is inherited by a child, grows, is split, or is dumped, and no page
 *    of it can be pinned (VM_IO, which also keeps MADV_DOFORK away);
 *  - it is known which address spaces can write the region, for the sleeper's
 *    barrier: they are listed from mmap() to the close of the last VMA.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "internal.h"
#include "urpc_compat.h"

/**
 * struct urpc_mapping - a writable mapping of a region
 * @link: in urpc_region.mappings
 * @region: the region; the VMA's file keeps it
 * @mm: whose; valid as long as the VMA is there, which closes before its mm
 *	goes
 * @vmas: a VMA that mremap() moves is two for a moment
 */
struct urpc_mapping {
	struct list_head link;
	struct urpc_region *region;
	struct mm_struct *mm;
	refcount_t vmas;
};

/**
 * urpc_region_new - memory for one side
 * @slots: of its ring, valid
 * @node: of the side that will read it
 *
 * Return: NULL without memory.
 */
struct urpc_region *urpc_region_new(u32 slots, int node)
{
	unsigned int nr = urpc_region_bytes(slots) >> PAGE_SHIFT, i;
	struct urpc_region *r;

	r = kzalloc_node(struct_size(r, pages, nr), GFP_KERNEL_ACCOUNT, node);
	if (!r)
		return NULL;
	r->slots = slots;
	spin_lock_init(&r->lock);
	INIT_LIST_HEAD(&r->mappings);
	for (i = 0; i < nr; i++) {
		r->pages[i] = alloc_pages_node(node, GFP_KERNEL_ACCOUNT |
					       __GFP_ZERO | __GFP_NOWARN, 0);
		if (!r->pages[i])
			break;
		r->nr++;
	}
	if (r->nr == nr)
		return r;
	urpc_region_free(r);
	return NULL;
}

/* No mapping is left: the VMAs held files, and those held the channel. */
void urpc_region_free(struct urpc_region *r)
{
	unsigned int i;

	if (!r)
		return;
	WARN_ON_ONCE(!list_empty(&r->mappings));
	vunmap(r->kva);
	for (i = 0; i < r->nr; i++)
		__free_page(r->pages[i]);
	kfree(r);
}

/* Lay the pages side by side for the ring code of a CPU driver. */
int urpc_region_map_kernel(struct urpc_region *r)
{
	r->kva = vmap(r->pages, r->nr, VM_MAP, PAGE_KERNEL);
	return r->kva ? 0 : -ENOMEM;
}

struct urpc_control *urpc_region_control(const struct urpc_region *r)
{
	return page_address(r->pages[0]);
}

/* Any @pos names a slot of the ring. */
const struct urpc_slot *urpc_region_slot(const struct urpc_region *r, u64 pos)
{
	const unsigned int per_page = PAGE_SIZE / sizeof(struct urpc_slot);
	u32 i = pos & (r->slots - 1);
	const struct urpc_slot *s = page_address(r->pages[1 + i / per_page]);

	return &s[i % per_page];
}

/* --- mappings ------------------------------------------------------------ */

static void mapping_open(struct vm_area_struct *vma)
{
	struct urpc_mapping *m = vma->vm_private_data;

	if (m)
		refcount_inc(&m->vmas);
}

static void mapping_close(struct vm_area_struct *vma)
{
	struct urpc_mapping *m = vma->vm_private_data;

	if (!m || !refcount_dec_and_test(&m->vmas))
		return;
	spin_lock(&m->region->lock);
	list_del(&m->link);
	spin_unlock(&m->region->lock);
	kfree(m);
}

static int mapping_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	return -EINVAL;
}

static const struct vm_operations_struct urpc_vm_ops = {
	.open = mapping_open,
	.close = mapping_close,
	.may_split = mapping_may_split,
};

/* Remember that current's address space can write @r. */
static struct urpc_mapping *mapping_new(struct urpc_region *r,
					struct mm_struct *mm)
{
	struct urpc_mapping *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return NULL;
	m->region = r;
	m->mm = mm;
	refcount_set(&m->vmas, 1);
	spin_lock(&r->lock);
	list_add(&m->link, &r->mappings);
	spin_unlock(&r->lock);
	return m;
}

/**
 * urpc_region_mmap - map all of a region
 * @r: region
 * @vma: as mmap() made it
 * @writable: the caller may write it, and has to be able to
 *
 * Return: 0 or a negative errno; then mmap() undoes what is there.
 */
int urpc_region_mmap(struct urpc_region *r, struct vm_area_struct *vma,
		     bool writable)
{
	struct urpc_mapping *m = NULL;
	unsigned long nr = r->nr;
	vm_flags_t clear = VM_MAYEXEC;
	int ret;

	if (vma_pages(vma) != r->nr)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED) || (vma->vm_flags & VM_EXEC))
		return -EACCES;
	if (!writable) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		clear |= VM_MAYWRITE;
	} else {
		m = mapping_new(r, vma->vm_mm);
		if (!m)
			return -ENOMEM;
	}
	vm_flags_mod(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP,
		     clear);
	ret = vm_insert_pages(vma, vma->vm_start, r->pages, &nr);
	if (ret) {
		vma->vm_private_data = m;
		mapping_close(vma);
		vma->vm_private_data = NULL;
		return ret;
	}
	vma->vm_private_data = m;
	vma->vm_ops = &urpc_vm_ops;
	return 0;
}

/**
 * urpc_region_writers - CPUs that may run somebody who can write a region
 * @r: region
 * @cpus: they are added here
 *
 * The caller has made its sleep word visible (full barrier) before.  A CPU that
 * takes up such an address space later passes a full barrier when it enters
 * itself in mm_cpumask(), and sees the word; one that has left has passed one
 * on leaving.
 */
void urpc_region_writers(struct urpc_region *r, struct cpumask *cpus)
{
	struct urpc_mapping *m;

	spin_lock(&r->lock);
	list_for_each_entry(m, &r->mappings, link)
		cpumask_or(cpus, cpus, mm_cpumask(m->mm));
	spin_unlock(&r->lock);
}
