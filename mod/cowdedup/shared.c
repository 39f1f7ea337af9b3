// SPDX-License-Identifier: GPL-2.0-only
/*
 * shared.c - guests' memory that is mapped shared: mount -o mode=shared
 *
 * What a guest writes lies in a file of shmem, one for each file of ram/, that
 * no path leads to.  The mapping is of that file, so that its pages are
 * swapped, charged and huge as those of any; .fault and .page_mkwrite come here
 * first.
 *
 * A page that is bound shows its master, read-only, for .page_mkwrite makes all
 * of the mapping ask before it is written to.  With the first write the shmem
 * file gets the content, and the binding goes (break_page()): from the look at
 * the binding to the unmapping of the master the page of the shmem file is
 * locked, so that nobody writes to it while somebody still reads the master.
 * What the shmem file has under a page that is bound is seen by nobody.
 *
 * A huge page of the shmem file must not be mapped over a page that is bound.
 * A bind says first that a region, which is what one entry of a page table's
 * second level maps, is small from now on; whoever is about to map a huge page
 * has it locked, and has looked after that.  So when the bind has taken its
 * part of the huge page away, for which it needs that lock, and has unmapped
 * it, no huge page is mapped in the region and none will be: then it says that
 * the region is settled, and pages may be mapped there by cowd_insert(), which
 * must not meet one.  Regions stay small as long as the file is there.
 *
 * Huge pages come in one more way, by khugepaged and MADV_COLLAPSE, which ask
 * nobody.  VM_DONTEXPAND keeps these away; it also makes mlock(2) do nothing.
 *
 * The operations of the shmem file are ours, too: a hole that MADV_REMOVE makes
 * is made by ram.c, and remap_file_pages(2) finds nothing to map.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "cowdedup_compat.h"
#include "internal.h"
#include "trace.h"

/* The same for all of its files; set when the first is made, and mapped. */
static const struct file_operations *shmem_fops;
const struct vm_operations_struct *cowd_shmem_ops;

/* All that have a file of shmem. */
static LIST_HEAD(shared_rams);
static DEFINE_MUTEX(shared_lock);

/* --- its own pages ------------------------------------------------------- */

static void drop_own(struct cowd_ram *ram, loff_t from, loff_t end)
{
	if (from < end)
		shmem_truncate_range(file_inode(ram->shm), from, end - 1);
}

/**
 * cowd_shared_drop - a guest's own pages go
 * @ram: guest's memory, cowd_ram.lock held
 * @from: first byte
 * @end: the one behind the last; parts of pages become zero
 *
 * Who has one of them locked, to map it, is waited for.  Nothing is unmapped
 * where there is none.
 */
void cowd_shared_drop(struct cowd_ram *ram, loff_t from, loff_t end)
{
	lockdep_assert_held(&ram->lock);
	drop_own(ram, from, end);
}

/* Pages of the guest's own that are bound are of no use: the memory goes. */
static void trim(struct cowd_ram *ram, pgoff_t first, pgoff_t end)
{
	pgoff_t at, next;

	lockdep_assert_held(&ram->lock);
	for (at = cowd_table_next(ram, first); at < end;
	     at = cowd_table_next(ram, next)) {
		for (next = at + 1; next < end; next++)
			if (!cowd_table_load(ram, next))
				break;
		drop_own(ram, (loff_t)at << PAGE_SHIFT,
			 (loff_t)next << PAGE_SHIFT);
	}
}

/* Is it a page of the shmem file still?  Its lock is held. */
static bool is_own(const struct cowd_ram *ram, struct page *page)
{
	return page_folio(page)->mapping == ram->mapping;
}

static void put_locked(struct page *page)
{
	unlock_page(page);
	put_page(page);
}

/* --- the first write to a page that is bound ----------------------------- */

/*
 * @page of the shmem file, locked, gets what @master, which is bound there,
 * has.  Nobody can change it meanwhile: binds and holes need cowd_ram.lock, and
 * swap the lock of the page.
 */
static bool break_page(struct cowd_ram *ram, pgoff_t pgoff, struct page *page,
		       struct page *master)
{
	const struct cowd_master *m;

	lockdep_assert_held(&ram->lock);
	m = cowd_table_load(ram, pgoff);
	if (!m || READ_ONCE(m->page) != master || !is_own(ram, page))
		return false;
	copy_highpage(page, master);
	set_page_dirty(page);
	cowd_table_touch(ram, pgoff, 1);
	cowd_unbind_broken(ram, pgoff);
	return true;
}

/* Read-only; nothing if something is mapped there already. */
static void map_one(struct vm_fault *vmf, struct page *page)
{
	unsigned long left = 1;

	cowd_insert_pages(vmf->vma, vmf->address & PAGE_MASK, &page, &left);
}

/*
 * A huge page in a small region, that cannot be split now: a page of it is
 * mapped, by the rules of fault_own().
 */
static void show_part(struct cowd_ram *ram, struct vm_fault *vmf)
{
	struct page *page = find_lock_page(ram->mapping, vmf->pgoff);

	if (!page)
		return;
	cowd_table_touch(ram, vmf->pgoff, 1);
	smp_mb();	/* pairs with settle() */
	if (folio_test_large(page_folio(page)) && PageUptodate(page) &&
	    !PageHWPoison(page) && vmf->pgoff < READ_ONCE(ram->nr) &&
	    !cowd_table_load(ram, vmf->pgoff))
		map_one(vmf, page);
	put_locked(page);
}

/* The huge page that is to be mapped, locked, must not: the region is small. */
static vm_fault_t show_small(struct cowd_ram *ram, struct vm_fault *vmf)
{
	struct folio *folio = page_folio(vmf->page);
	pgoff_t first = folio->index, end = folio_next_index(folio);

	put_locked(vmf->page);
	vmf->page = NULL;
	/* Whoever has made the region small has settled it after that. */
	mutex_lock(&ram->lock);
	trim(ram, first, min(end, ram->nr));
	mutex_unlock(&ram->lock);
	show_part(ram, vmf);
	return VM_FAULT_NOPAGE;
}

static bool must_be_small(const struct cowd_ram *ram, struct page *page)
{
	struct folio *folio = page_folio(page);

	return folio_test_large(folio) &&
	       cowd_table_is_small(ram, folio->index);
}

/*
 * The page of shmem that it makes is charged and placed as any of the VMA's.
 * It is returned as by .fault.
 */
static vm_fault_t break_bound(struct cowd_ram *ram, struct vm_fault *vmf,
			      struct page *master)
{
	vm_fault_t ret;
	bool done;

	vmf->page = NULL;
	ret = cowd_shmem_ops->fault(vmf);
	if (!(ret & VM_FAULT_LOCKED))
		return ret;
	/* cowd_ram.lock comes before it */
	unlock_page(vmf->page);
	mutex_lock(&ram->lock);
	lock_page(vmf->page);
	done = break_page(ram, vmf->pgoff, vmf->page, master);
	mutex_unlock(&ram->lock);
	if (done && must_be_small(ram, vmf->page))
		return show_small(ram, vmf);
	if (done)
		return ret;
	put_locked(vmf->page);
	vmf->page = NULL;
	return VM_FAULT_NOPAGE;
}

/**
 * cowd_shared_break - a page gets memory of its own, if it is bound
 * @ram: guest's memory
 * @pgoff: page
 *
 * For pages that nobody maps; whoever asks pays for it.
 *
 * Return: 0, -EAGAIN if somebody else has changed it, or a negative errno.
 */
int cowd_shared_break(struct cowd_ram *ram, pgoff_t pgoff)
{
	struct page *page, *master;
	struct cowd_master *m;
	int ret;

	master = cowd_look_up(ram, pgoff, &m);
	if (!master)
		return m ? cowd_refill_bound(m) ?: -EAGAIN : 0;
	page = shmem_read_mapping_page(ram->mapping, pgoff);
	if (IS_ERR(page)) {
		put_page(master);
		return PTR_ERR(page);
	}
	mutex_lock(&ram->lock);
	lock_page(page);
	ret = break_page(ram, pgoff, page, master) ? 0 : -EAGAIN;
	put_locked(page);
	mutex_unlock(&ram->lock);
	put_page(master);
	return ret;
}

/* --- faults -------------------------------------------------------------- */

/* Not bound: what the shmem file has, unless it has been bound meanwhile. */
static vm_fault_t fault_own(struct cowd_ram *ram, struct vm_fault *vmf)
{
	vm_fault_t ret = cowd_shmem_ops->fault(vmf);
	struct folio *folio;

	if (!(ret & VM_FAULT_LOCKED))
		return ret;
	folio = page_folio(vmf->page);
	cowd_table_touch(ram, folio->index, folio_nr_pages(folio));
	/* pairs with settle(): the lock, and the touch, before the look */
	smp_mb();
	if (vmf->pgoff >= READ_ONCE(ram->nr) ||
	    cowd_table_load(ram, vmf->pgoff)) {
		put_locked(vmf->page);
		vmf->page = NULL;
		return VM_FAULT_NOPAGE;
	}
	if (must_be_small(ram, vmf->page))
		return show_small(ram, vmf);
	return ret;
}

static vm_fault_t shared_fault(struct vm_fault *vmf)
{
	struct cowd_ram *ram = cowd_ram_of_vma(vmf->vma);
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	struct cowd_master *m;
	struct page *master;
	vm_fault_t ret;

	if (vmf->pgoff >= READ_ONCE(ram->nr))
		return VM_FAULT_SIGBUS;
	if (!write && cowd_table_is_settled(ram, vmf->pgoff) &&
	    cowd_insert_around(ram, vmf))
		return VM_FAULT_NOPAGE;
	master = cowd_look_up(ram, vmf->pgoff, &m);
	if (!master)
		return m ? cowd_show_again(vmf, m) : fault_own(ram, vmf);
	if (!write)
		return cowd_show(ram, vmf, master, true);
	ret = break_bound(ram, vmf, master);
	put_page(master);
	return ret;
}

/*
 * A master is mapped, and is written to.  It is not enough to unmap it and wait
 * for .fault: others may read it without pause.  So the binding goes here,
 * where the lock that the fault has cannot be let go.
 */
static vm_fault_t break_mapped(struct cowd_ram *ram, struct vm_fault *vmf)
{
	const unsigned int flags = vmf->flags;
	struct page *master = vmf->page;
	vm_fault_t ret;

	vmf->flags &= ~FAULT_FLAG_ALLOW_RETRY;
	ret = break_bound(ram, vmf, master);
	if (ret & VM_FAULT_LOCKED) {
		put_locked(vmf->page);
		ret = 0;
	}
	vmf->flags = flags;
	vmf->page = master;
	return ret & VM_FAULT_ERROR ?: VM_FAULT_NOPAGE;
}

/*
 * A page that is mapped read-only is written to: a master, a page that has gone
 * from the file meanwhile, or one of it.
 *
 * Between .fault and here the page was not locked.  A huge one that .fault has
 * returned must not be mapped if the region has become small; one that is
 * mapped already, in part, by show_small(), is written to as it is.
 */
static vm_fault_t shared_mkwrite(struct vm_fault *vmf)
{
	struct cowd_ram *ram = cowd_ram_of_vma(vmf->vma);
	bool mapped = vmf->pte;

	if (!is_own(ram, vmf->page)) {
		/* the copy would read it */
		if (PageHWPoison(vmf->page))
			return VM_FAULT_HWPOISON;
		return break_mapped(ram, vmf);
	}
	lock_page(vmf->page);
	if (is_own(ram, vmf->page) &&
	    (mapped || !must_be_small(ram, vmf->page)))
		return VM_FAULT_LOCKED;
	unlock_page(vmf->page);
	return VM_FAULT_NOPAGE;
}

/* --- mappings ------------------------------------------------------------ */

#ifdef CONFIG_NUMA
static int shared_set_policy(struct vm_area_struct *vma, struct mempolicy *new)
{
	return cowd_shmem_ops->set_policy(vma, new);
}
#endif

/* A mapping keeps the file of ram/, and with it the mount: it has another. */
static void shared_open(struct vm_area_struct *vma)
{
	get_file(vma->vm_private_data);
	cowd_vm_ops.open(vma);
}

static void shared_close(struct vm_area_struct *vma)
{
	cowd_vm_ops.close(vma);
	fput(vma->vm_private_data);
}

const struct vm_operations_struct cowd_shared_vm_ops = {
	.open = shared_open,
	.close = shared_close,
	.fault = shared_fault,
	.map_pages = cowd_map_pages,
	.page_mkwrite = shared_mkwrite,
#ifdef CONFIG_NUMA
	.set_policy = shared_set_policy,
	.get_policy = cowd_get_policy,
#endif
};

/**
 * cowd_shared_mmap - map a guest's memory
 * @file: of ram/
 * @vma: new
 *
 * Return: 0 or a negative errno.
 */
int cowd_shared_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct cowd_ram *ram = file_inode(file)->i_private;
	const struct vm_operations_struct *ops;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	ops = cowd_shmem_vm_ops(shmem_fops, ram->shm, vma);
	if (!ops || !ops->fault)
		return -EINVAL;
	WRITE_ONCE(cowd_shmem_ops, ops);
	/* The core drops the reference that this takes. */
	vma_set_file(vma, ram->shm);
	vma->vm_ops = &cowd_shared_vm_ops;
	vma->vm_private_data = get_file(file);
	vm_flags_set(vma, VM_DONTEXPAND);
	return 0;
}

/* So that huge pages fit.  Without a file it is for one that shmem makes. */
unsigned long cowd_shared_area(struct file *file, unsigned long addr,
			       unsigned long len, unsigned long pgoff,
			       unsigned long flags)
{
	return shmem_fops->get_unmapped_area(NULL, addr, len, pgoff, flags);
}

/* --- the file ------------------------------------------------------------ */

/* The mapping may go meanwhile, so this looks for the guest's memory. */
static long own_fallocate(struct file *file, int mode, loff_t offset,
			  loff_t len)
{
	struct cowd_ram *ram = cowd_shared_find(file_inode(file));
	int ret;

	if (!ram)
		return -EBADF;
	ret = cowd_ram_fallocate(ram, mode, offset, len);
	cowd_ram_put(ram);
	return ret;
}

static const struct file_operations own_fops = {
	.owner = THIS_MODULE,
	.fallocate = own_fallocate,
	.fsync = noop_fsync,
	.llseek = noop_llseek,
};

/*
 * Nobody else has the file yet.  It keeps the module as long as it is there.
 * So does who opens it anew, by /proc/PID/map_files.
 */
static void set_operations(struct file *shm)
{
	WRITE_ONCE(shmem_fops, shm->f_op);
	__module_get(THIS_MODULE);
	shm->f_op = &own_fops;
	file_inode(shm)->i_fop = &own_fops;
}

/* cowdedup:MAJOR:MINOR:NAME, of the mount and in its ram/. */
static char *name_of(const struct cowd_ram *ram, struct dentry *dentry)
{
	char *room = kmalloc(PATH_MAX, GFP_KERNEL), *path, *name = NULL;
	dev_t dev = ram->inode->i_sb->s_dev;

	if (!room)
		return NULL;
	path = dentry_path_raw(dentry, room, PATH_MAX);
	if (!IS_ERR(path) && strstarts(path, "/ram/"))
		name = kasprintf(GFP_KERNEL, "cowdedup:%u:%u:%s", MAJOR(dev),
				 MINOR(dev), path + strlen("/ram/"));
	kfree(room);
	return name;
}

/**
 * cowd_shared_create - the shmem file of a new file of ram/
 * @ram: guest's memory
 * @dentry: its name, for /proc/PID/maps
 *
 * It is as large as can be: what is a page of it, cowd_ram.nr says.
 *
 * Return: 0 or a negative errno.
 */
int cowd_shared_create(struct cowd_ram *ram, struct dentry *dentry)
{
	char *name = name_of(ram, dentry);
	struct file *shm;

	if (!name)
		return -ENOMEM;
	shm = cowd_shmem_file(name, COWD_MAX_BYTES);
	kfree(name);
	if (IS_ERR(shm))
		return PTR_ERR(shm);
	set_operations(shm);
	ram->shm = shm;
	ram->mapping = shm->f_mapping;
	mutex_lock(&shared_lock);
	list_add(&ram->shared, &shared_rams);
	mutex_unlock(&shared_lock);
	return 0;
}

/* The guest's memory goes; nobody maps it. */
void cowd_shared_remove(struct cowd_ram *ram)
{
	if (!ram->shm)
		return;
	mutex_lock(&shared_lock);
	list_del(&ram->shared);
	mutex_unlock(&shared_lock);
	fput(ram->shm);
}

/**
 * cowd_shared_find - whose file of shmem is it?
 * @inode: any inode
 *
 * Return: the guest's memory, for cowd_ram_put(); NULL if it is none's.
 */
struct cowd_ram *cowd_shared_find(const struct inode *inode)
{
	struct cowd_ram *ram, *found = NULL;
	struct super_block *sb = NULL;

	mutex_lock(&shared_lock);
	list_for_each_entry(ram, &shared_rams, shared) {
		if (file_inode(ram->shm) != inode)
			continue;
		/* When its file system is going it is, too, and when it is. */
		sb = ram->inode->i_sb;
		if (!atomic_inc_not_zero(&sb->s_active))
			sb = NULL;
		else if (igrab(ram->inode))
			found = ram;
		break;
	}
	mutex_unlock(&shared_lock);
	if (sb && !found)
		deactivate_super(sb);
	return found;
}
