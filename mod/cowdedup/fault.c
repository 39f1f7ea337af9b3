// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault.c - a guest touches its memory
 *
 * A page that is bound shows its master, another one zeros; the first write
 * makes the core copy it into an anonymous page.  That is for memory that is
 * mapped privately; shared.c does the same for the other and uses what is here.
 * See bind.c for how a bind and those who look into the table exclude each
 * other.
 *
 * .fault may run without the mmap_lock, under the lock of the VMA alone.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/pagemap.h>
#include <linux/userfaultfd_k.h>

#include "cowdedup_compat.h"
#include "internal.h"

/* --- mapping many at once ------------------------------------------------ */

/* The page that @m shows, with a reference, if it can be mapped as it is. */
static struct page *ready_page(const struct cowd_master *m)
{
	struct page *page = cowd_master_page(m);

	if (!page)
		return NULL;
	/* The core would look into a mapping that broken ones do not have. */
	if (PageUptodate(page) && !PageHWPoison(page))
		return page;
	put_page(page);
	return NULL;
}

/* The pages bound from @first on, up to the first that is not. */
static unsigned int bound_run(const struct cowd_ram *ram, pgoff_t first,
			      pgoff_t end, struct page **pages)
{
	struct cowd_master **slot, *m;
	unsigned int n, room;

	lockdep_assert_held(&ram->insert);
	room = min_t(pgoff_t, end - first, COWD_INSERT);
	slot = cowd_table_slots(ram, first, &room);
	if (!slot)
		return 0;
	for (n = 0; n < room; n++) {
		/* pairs with cowd_table_replace(): its content is there */
		m = smp_load_acquire(&slot[n]);
		pages[n] = m ? ready_page(m) : NULL;
		if (!pages[n])
			break;
	}
	return n;
}

/*
 * Where something is mapped already, that stays; so @want is mapped, and
 * *@mapped set, only if it was put there here.
 */
static unsigned int insert_run(struct vm_area_struct *vma, pgoff_t first,
			       struct page **pages, unsigned int n,
			       pgoff_t want, bool *mapped)
{
	unsigned long addr = vma->vm_start +
			     ((first - vma->vm_pgoff) << PAGE_SHIFT);
	unsigned long left;
	unsigned int done = 0, all = 0, end;
	int ret;

	while (done < n) {
		left = n - done;
		ret = cowd_insert_pages(vma, addr + done * PAGE_SIZE,
					pages + done, &left);
		end = n - left;
		if (want - first >= done && want - first < end)
			*mapped = true;
		all += end - done;
		done = end;
		if (ret != -EBUSY)
			break;
		done++;
	}
	cowd_count_n(cowd_mount_of(cowd_ram_of_vma(vma)->inode->i_sb),
		     COWD_C_PAGES_INSERTED, all);
	return done;
}

/**
 * cowd_insert - map what is bound
 * @ram: guest's memory
 * @vma: a mapping of it; it and its mm are locked as for a fault
 * @first: first page
 * @end: the one behind the last; those outside of @vma are left out
 * @want: a page that shall be mapped then, or ULONG_MAX
 *
 * Return: is @want mapped?
 */
bool cowd_insert(struct cowd_ram *ram, struct vm_area_struct *vma,
		 pgoff_t first, pgoff_t end, pgoff_t want)
{
	struct page *pages[COWD_INSERT];
	unsigned int n, done, i;
	bool mapped = false;

	if (!READ_ONCE(cowd_inserting) || (vma->vm_flags & VM_LOCKED) ||
	    userfaultfd_armed(vma) || check_stable_address_space(vma->vm_mm))
		return false;
	first = max(first, vma->vm_pgoff);
	end = min3(end, vma->vm_pgoff + vma_pages(vma), READ_ONCE(ram->nr));
	down_read(&ram->insert);
	while (first < end) {
		n = bound_run(ram, first, end, pages);
		cowd_table_touch(ram, first, n);
		done = n ? insert_run(vma, first, pages, n, want, &mapped) : 0;
		for (i = 0; i < n; i++)
			put_page(pages[i]);
		/* Without memory for page tables it is no use to go on. */
		if (done < n)
			break;
		first += max(n, 1u);
	}
	up_read(&ram->insert);
	return mapped;
}

/**
 * cowd_insert_around - map what is bound around a read fault
 * @ram: guest's memory
 * @vmf: fault
 *
 * Return: is the page of the fault mapped?
 */
bool cowd_insert_around(struct cowd_ram *ram, struct vm_fault *vmf)
{
	pgoff_t first = round_down(vmf->pgoff, COWD_AROUND);

	return cowd_insert(ram, vmf->vma, first, first + COWD_AROUND,
			   vmf->pgoff);
}

/* --- one page ------------------------------------------------------------ */

/**
 * cowd_look_up - what is bound to a page
 * @ram: guest's memory
 * @pgoff: page
 * @m: without a page of it, the master, or NULL if none is bound; it is held
 *	and its image in use: for cowd_show_again() or cowd_refill_bound()
 *
 * Return: its page, with a reference, or NULL.
 */
struct page *cowd_look_up(struct cowd_ram *ram, pgoff_t pgoff,
			  struct cowd_master **m)
{
	struct page *page = NULL;

	down_read(&ram->insert);
	*m = cowd_table_load(ram, pgoff);
	if (*m)
		page = ready_page(*m);
	if (*m && !page) {
		/* The binding has one of each. */
		refcount_inc(&(*m)->ref);
		refcount_inc(&(*m)->image->users);
	}
	up_read(&ram->insert);
	return page;
}

/*
 * Is it still so?  The lock of the page is held: a bind that comes now waits
 * for it, so that the page is mapped when the bind unmaps.
 *
 * Pages are compared, for as long as @page is held only a master whose content
 * it has can show it.  A master could be gone, and another one be where it was.
 */
static bool is_current(struct cowd_ram *ram, pgoff_t pgoff,
		       const struct page *page, bool bound)
{
	const struct cowd_master *m;
	bool same;

	cowd_table_touch(ram, pgoff, 1);
	/*
	 * Order the lock, and the page's being touched, before the look, as
	 * bind() does the opposite.
	 */
	smp_mb();
	/* masters are freed by RCU */
	rcu_read_lock();
	m = cowd_table_load(ram, pgoff);
	same = bound ? m && READ_ONCE(m->page) == page : !m;
	rcu_read_unlock();
	return same && pgoff < READ_ONCE(ram->nr);
}

/**
 * cowd_show - return a page from .fault
 * @ram: guest's memory
 * @vmf: fault
 * @page: a master's, or of zeros, with a reference that is taken
 * @bound: which of them
 *
 * Return: as .fault.
 */
vm_fault_t cowd_show(struct cowd_ram *ram, struct vm_fault *vmf,
		     struct page *page, bool bound)
{
	struct cowd_mount *mnt = cowd_mount_of(ram->inode->i_sb);
	vm_fault_t ret = VM_FAULT_NOPAGE;

	lock_page(page);
	/* else whoever has changed that, or broken it, is taken by the next */
	if (is_current(ram, vmf->pgoff, page, bound) && !PageHWPoison(page)) {
		cowd_count(mnt, bound ? COWD_C_FAULTS_BOUND :
					COWD_C_FAULTS_ZERO);
		vmf->page = page;
		return VM_FAULT_LOCKED;
	}
	/* There is no other for zeros. */
	if (!bound && PageHWPoison(page))
		ret = VM_FAULT_HWPOISON;
	unlock_page(page);
	put_page(page);
	return ret;
}

static vm_fault_t lost(struct cowd_mount *mnt, int error)
{
	if (!error || error == -EINTR)
		return VM_FAULT_NOPAGE;
	if (error == -ENOMEM)
		return VM_FAULT_OOM;
	cowd_count(mnt, COWD_C_FAULTS_LOST);
	return VM_FAULT_SIGBUS;
}

static void let_go(struct cowd_master *m)
{
	struct cowd_image *img = m->image;

	cowd_master_put(m);
	cowd_image_unuse(img);
}

/**
 * cowd_refill_bound - read the page of a master again, and let it go
 * @m: as cowd_look_up() gave it
 *
 * Return: as cowd_master_refill().
 */
int cowd_refill_bound(struct cowd_master *m)
{
	int ret = cowd_master_refill(m);

	let_go(m);
	return ret;
}

/*
 * Who has the lock may be another fault that does the same, or a bind: so wait
 * for them, without the lock that the fault holds.  When that does not help, or
 * must not be done, for they have that lock, too, @m gets its page back.
 */
static vm_fault_t leave_replica(struct vm_fault *vmf, struct cowd_master *m)
{
	struct cowd_ram *ram = cowd_ram_of_vma(vmf->vma);
	struct cowd_mount *mnt = m->image->mount;
	struct file *file;

	if (cowd_replica_leave(ram, vmf->pgoff, m)) {
		let_go(m);
		return VM_FAULT_NOPAGE;
	}
	if (!fault_flag_allow_retry_first(vmf->flags)) {
		cowd_count(mnt, COWD_C_FAULTS_AGAIN);
		return lost(mnt, cowd_refill_bound(m));
	}
	file = get_file(vmf->vma->vm_private_data);
	release_fault_lock(vmf);
	let_go(m);
	if (!mutex_lock_killable(&ram->lock))
		mutex_unlock(&ram->lock);
	fput(file);
	return VM_FAULT_RETRY;
}

/**
 * cowd_show_again - a fault meets a master without a page
 * @vmf: fault
 * @m: as cowd_look_up() gave it
 *
 * The first time the page is read without the lock that the fault holds, which
 * may be gone with the mapping then; the file keeps the mount.  When that does
 * not help it is done under the lock, and an error can be told.  A replica that
 * has no page any more is left for the master.
 *
 * Return: as .fault.
 */
vm_fault_t cowd_show_again(struct vm_fault *vmf, struct cowd_master *m)
{
	struct cowd_mount *mnt = m->image->mount;
	struct file *file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		let_go(m);
		return VM_FAULT_RETRY;
	}
	if (cowd_is_replica(m))
		return leave_replica(vmf, m);
	cowd_count(mnt, COWD_C_FAULTS_AGAIN);
	if (!fault_flag_allow_retry_first(vmf->flags))
		return lost(mnt, cowd_refill_bound(m));
	file = get_file(vmf->vma->vm_private_data);
	release_fault_lock(vmf);
	cowd_refill_bound(m);
	fput(file);
	return VM_FAULT_RETRY;
}

static vm_fault_t fault_one(struct cowd_ram *ram, struct vm_fault *vmf)
{
	struct cowd_master *m;
	struct page *page;

	page = cowd_look_up(ram, vmf->pgoff, &m);
	if (page)
		return cowd_show(ram, vmf, page, true);
	if (m)
		return cowd_show_again(vmf, m);
	page = cowd_ram_zero(ram, vmf->pgoff);
	get_page(page);
	return cowd_show(ram, vmf, page, false);
}

static vm_fault_t ram_fault(struct vm_fault *vmf)
{
	struct cowd_ram *ram = cowd_ram_of_vma(vmf->vma);

	if (vmf->pgoff >= READ_ONCE(ram->nr))
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & FAULT_FLAG_WRITE) && cowd_insert_around(ram, vmf))
		return VM_FAULT_NOPAGE;
	return fault_one(ram, vmf);
}

/*
 * Pages around a fault are mapped by .fault.  But without this operation newer
 * kernels do not call it under the lock of the VMA: they retry with mmap_lock.
 */
vm_fault_t cowd_map_pages(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	return 0;
}

/* --- mappings ------------------------------------------------------------ */

static void ram_open(struct vm_area_struct *vma)
{
	struct cowd_ram *ram = cowd_ram_of_vma(vma);

	mutex_lock(&ram->lock);
	ram->mappings++;
	mutex_unlock(&ram->lock);
}

/*
 * With its last mapping a guest's memory is gone, so what was bound is, too:
 * the next one who maps the file finds zeros; but in shared mode the file has
 * it.  The pages of this mapping are not mapped any more, and nobody can fault.
 */
static void ram_close(struct vm_area_struct *vma)
{
	struct cowd_ram *ram = cowd_ram_of_vma(vma);

	mutex_lock(&ram->lock);
	if (!--ram->mappings) {
		WRITE_ONCE(ram->keep_private, false);
		if (!ram->shm) {
			cowd_unbind(ram, 0, ULONG_MAX, true);
			cowd_table_free_leaves(ram);
		}
	}
	mutex_unlock(&ram->lock);
}

const struct vm_operations_struct cowd_vm_ops = {
	.open = ram_open,
	.close = ram_close,
	.fault = ram_fault,
	.map_pages = cowd_map_pages,
};
