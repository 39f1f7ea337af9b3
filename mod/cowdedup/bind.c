// SPDX-License-Identifier: GPL-2.0-only
/*
 * bind.c - pages of a guest's memory become pages of an image
 *
 * A bind replaces what is in the table, waits for everybody who may have looked
 * before that and not mapped yet, and unmaps: whoever faults then finds the new
 * page.  Those who look are of two kinds.  Some return a page from .fault with
 * its lock held, and compare once more under the lock; the bind looks whether
 * that lock is held and waits for it.  Others map pages themselves, and hold
 * cowd_ram.insert from looking to mapping; the bind takes it for writing.
 * Both say before they look that they will map (cowd_table_touch()): where
 * nobody did there is nothing to unmap.
 *
 * Unmapping discards the guest's own copies of those pages, as reading into
 * them would overwrite them.  That must hit nobody who did not ask for it: so
 * there is one mapping only, and it belongs to the reader.  In shared mode all
 * who map the memory see what is read, and the guest's own pages, which are the
 * shmem file's, are taken from there; see shared.c.
 */
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/userfaultfd_k.h>

#include "cowdedup_compat.h"
#include "internal.h"
#include "trace.h"

/* May a read into this mapping bind?  mmap_lock is held for reading. */
static enum cowd_why vma_refuses(const struct cowd_mount *mnt,
				 struct vm_area_struct *vma)
{
	const struct cowd_ram *ram;

	if (!vma || !cowd_is_ram(vma))
		return COWD_ELSEWHERE;
	ram = cowd_ram_of_vma(vma);
	if (ram->inode->i_sb != mnt->sb)
		return COWD_ELSEWHERE;
	/* A copy would fault: it says so, then. */
	if (!(vma->vm_flags & VM_WRITE) ||
	    !arch_vma_access_permitted(vma, true, false, false))
		return COWD_VMA;
	if (userfaultfd_armed(vma))
		return COWD_USERFAULTFD;
	/* The flag goes when somebody begins to track writes. */
	if (IS_ENABLED(CONFIG_MEM_SOFT_DIRTY) &&
	    !(vma->vm_flags & VM_SOFTDIRTY))
		return COWD_SOFT_DIRTY;
	if (vma->vm_flags & VM_LOCKED)
		return COWD_LOCKED;
	/* a first look, without the lock; see ram_refuses() */
	if (!ram->shm && READ_ONCE(ram->mappings) != 1)
		return COWD_MAPPINGS;
	return READ_ONCE(ram->keep_private) ? COWD_STOPPED : COWD_BOUND;
}

/*
 * Does somebody hold a page that the guest has written, of which we hold a
 * reference?  A device or io_uring by a pin, a pipe by a mere reference: they
 * must see what is read.  References of the page tables, the swap cache and, of
 * a page that is on no list, of whoever has it in hand are none of those.
 */
static bool is_held(struct page *page)
{
	struct folio *folio = page_folio(page);
	int known = 1;

	if (folio_maybe_dma_pinned(folio))
		return true;
	/* We may hold such a page several times: KSM's are many in one. */
	if (folio_test_large(folio) || folio_test_ksm(folio))
		return false;
	known += cowd_page_mapcount(page) + folio_test_swapcache(folio);
	known += !folio_test_lru(folio);
	/* shmem's file has one */
	known += !folio_test_anon(folio);
	return folio_ref_count(folio) > known;
}

/*
 * The same for a huge page of shmem, of which we hold @ours: a part of it would
 * be zeroed under whoever holds it.
 */
static bool is_huge_held(struct folio *folio, int ours)
{
	int known = ours + folio_nr_pages(folio) + !folio_test_lru(folio);

	return folio_maybe_dma_pinned(folio) ||
	       folio_ref_count(folio) > known + cowd_folio_mapcount(folio);
}

/**
 * struct cowd_look - at the pages that a bind would replace
 * @page: they, with a reference each, or NULL
 * @n: how many
 * @huge: one of shmem that was looked at last
 * @held: somebody holds that
 */
struct cowd_look {
	struct page **page;
	unsigned int n;
	struct folio *huge;
	bool held;
};

/* A huge page is looked at once for all of it that is there. */
static bool look_held(struct cowd_look *l, unsigned int i)
{
	struct folio *folio = page_folio(l->page[i]);
	unsigned int end;

	if (!folio_test_large(folio) || folio_test_anon(folio))
		return is_held(l->page[i]);
	if (folio == l->huge)
		return l->held;
	for (end = i; end < l->n; end++)
		if (!l->page[end] || page_folio(l->page[end]) != folio)
			break;
	l->huge = folio;
	l->held = is_huge_held(folio, end - i);
	return l->held;
}

/* May the page there, of the guest's own, be replaced? */
static enum cowd_why page_refuses(struct cowd_ram *ram, pgoff_t pgoff,
				  struct cowd_look *l, unsigned int i)
{
	lockdep_assert_held(&ram->lock);
	if (look_held(l, i))
		return COWD_PINNED;
	/* In shared mode the binding is gone when it was broken. */
	if (!ram->shm && (!ram->bound || !cowd_table_load(ram, pgoff)))
		return COWD_BOUND;
	if (cowd_table_age(ram, pgoff) < READ_ONCE(cowd_guard_ms))
		return COWD_GUARD;
	return COWD_BOUND;
}

/*
 * What is mapped at @addr and behind it, with a reference each; NULL where
 * nothing is.  What is not mapped now is held by nobody: pages that are pinned
 * are not swapped out and not migrated.
 */
static void look_mapped(const struct cowd_ram *ram, pgoff_t first,
			unsigned long addr, struct cowd_look *l)
{
	unsigned int i = 0, end = 0, n = l->n;
	struct page **page = l->page;
	int got;

	while (i < n) {
		if (end <= i)
			for (end = i; end < n; end++)
				if (!cowd_table_is_touched(ram, first + end, 1))
					break;
		got = end <= i ? 0 :
		      get_user_pages_fast_only(addr + i * PAGE_SIZE, end - i,
					       0, page + i);
		if (got > 0)
			i += got;
		else
			page[i++] = NULL;
	}
}

/* The same in shared mode: what the shmem file has, mapped by whomever. */
static void look_own(const struct cowd_ram *ram, pgoff_t first,
		     struct cowd_look *l)
{
	unsigned int i;

	for (i = 0; i < l->n; i++)
		l->page[i] = cowd_table_is_touched(ram, first + i, 1) ?
			     find_get_page(ram->mapping, first + i) : NULL;
}

/* Is it the guest's own, which it would see? */
static bool look_is_own(const struct cowd_ram *ram, pgoff_t pgoff,
			struct page *page)
{
	if (!page)
		return false;
	return ram->shm ? !cowd_table_load(ram, pgoff) : PageAnon(page);
}

/*
 * The first of @n pages, and those behind it with which it is the same: *@n is
 * how many.  May they be replaced?
 */
static enum cowd_why first_refuse(struct cowd_ram *ram, pgoff_t first,
				  unsigned long addr, struct page **page,
				  unsigned int *n)
{
	struct cowd_look l = { .page = page, .n = *n };
	enum cowd_why why = COWD_BOUND, next;
	unsigned int i, broken = 0;

	if (!cowd_table_is_touched(ram, first, *n))
		return COWD_BOUND;
	if (ram->shm)
		look_own(ram, first, &l);
	else
		look_mapped(ram, first, addr, &l);
	for (i = 0; i < *n; i++) {
		bool own = look_is_own(ram, first + i, page[i]);

		next = own ? page_refuses(ram, first + i, &l, i) : COWD_BOUND;
		if (i && next != why)
			break;
		why = next;
		broken += !why && own && ram->bound &&
			  cowd_table_load(ram, first + i);
	}
	*n = i;
	for (i = 0; i < l.n; i++)
		if (page[i])
			put_page(page[i]);
	cowd_count_n(cowd_mount_of(ram->inode->i_sb), COWD_C_PAGES_BROKEN,
		     broken);
	return why;
}

/* As cowd_bind(). */
static enum cowd_why ram_refuses(struct cowd_ram *ram,
				 struct vm_area_struct *vma,
				 unsigned long addr, struct cowd_batch *b,
				 unsigned int *n)
{
	pgoff_t pgoff = linear_page_index(vma, addr);

	lockdep_assert_held(&ram->lock);
	if (!ram->shm && ram->mappings != 1)
		return COWD_MAPPINGS;
	if (ram->keep_private)
		return COWD_STOPPED;
	/* Another file may be mapped there by now. */
	if (ram->group != b->home.group)
		return COWD_VMA;
	if (*n > (vma->vm_end - addr) >> PAGE_SHIFT || pgoff + *n > ram->nr)
		return COWD_VMA;
	if (cowd_table_prepare(ram, pgoff, *n))
		return COWD_MEMORY;
	return first_refuse(ram, pgoff, addr, b->page, n);
}

/* Where the memory shall lie, or else where the reader runs. */
static int node_of(const struct vm_area_struct *vma)
{
	int nid = cowd_policy_node(vma);

	if (nid == NUMA_NO_NODE)
		nid = numa_mem_id();
	/* one whose memory is for what can be moved has none for masters */
	return node_state(nid, N_NORMAL_MEMORY) ? nid : NUMA_NO_NODE;
}

/**
 * cowd_destination - can a read there be bound?
 * @mnt: mount of the image
 * @addr: address in the reader's memory, at a page's start
 * @b: batch that masters for it will be in; it gets whose they will be
 * @pages: how many of the same mapping follow
 *
 * A first look, before masters are made for it; cowd_bind() looks again.
 *
 * Return: COWD_BOUND or why not.
 */
enum cowd_why cowd_destination(struct cowd_mount *mnt, unsigned long addr,
			       struct cowd_batch *b, unsigned long *pages)
{
	const struct cowd_ram *ram;
	struct vm_area_struct *vma;
	enum cowd_why why;

	if (!READ_ONCE(cowd_enabled))
		return COWD_STOPPED;
	/* A kernel thread reads for somebody else. */
	if (!current->mm)
		return COWD_ELSEWHERE;
	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	why = vma_refuses(mnt, vma);
	if (!why) {
		ram = cowd_ram_of_vma(vma);
		b->home.group = ram->group;
		b->home.nid = NUMA_NO_NODE;
		b->nid = mnt->options.replicas ? node_of(vma) : NUMA_NO_NODE;
		*pages = (vma->vm_end - addr) >> PAGE_SHIFT;
	}
	mmap_read_unlock(current->mm);
	return why;
}

static void wait_for_fault(struct page *page)
{
	lock_page(page);
	unlock_page(page);
}

/* A fault that returns it holds it, so it has its page still. */
static void wait_for_master(const struct cowd_master *m)
{
	struct page *page = READ_ONCE(m->page);

	if (!page || !PageLocked(page))
		return;
	page = cowd_master_page(m);
	if (!page)
		return;
	wait_for_fault(page);
	put_page(page);
}

static void wait_for_zero(struct page *page)
{
	if (PageLocked(page))
		wait_for_fault(page);
}

/*
 * Wait for those who found one of @old, or nothing, at their offset from @first
 * on, and have not mapped it yet.  The barrier orders the table's change before
 * the look at the locks; the other side takes the lock, then looks at the
 * table.
 */
static void settle(struct cowd_ram *ram, pgoff_t first,
		   struct cowd_master **old, unsigned int n)
{
	unsigned int zeros = 0, i;

	lockdep_assert_held(&ram->lock);
	smp_mb();	/* see above; pairs with is_current() */
	for (i = 0; i < n; i++)
		if (old[i])
			wait_for_master(old[i]);
		else
			zeros |= 1u << ((first + i) % COWD_ZEROS);
	for (i = 0; i < COWD_ZEROS && !ram->shm; i++)
		if (zeros & 1u << i)
			wait_for_zero(ram->zero[i]);
	down_write(&ram->insert);
	up_write(&ram->insert);
}

/* Nobody has them from the table any more. */
static void let_go(struct cowd_mount *mnt, struct cowd_master **old,
		   unsigned int n)
{
	unsigned int i, gone = 0;

	for (i = 0; i < n; i++) {
		struct cowd_image *img;

		if (!old[i])
			continue;
		img = old[i]->image;
		cowd_master_put(old[i]);
		cowd_image_unuse(img);
		gone++;
	}
	atomic_long_sub(gone, &mnt->bound);
	cowd_count_n(mnt, COWD_C_PAGES_UNBOUND, gone);
}

/* Who shows a page of the shmem file has its lock, for which this waits. */
static void replace_mapped(struct cowd_ram *ram, pgoff_t first, unsigned int n)
{
	loff_t from = (loff_t)first << PAGE_SHIFT;
	loff_t bytes = (loff_t)n << PAGE_SHIFT;

	if (ram->shm)
		cowd_shared_drop(ram, from, from + bytes);
	unmap_mapping_range(ram->mapping, from, bytes, 1);
}

/* The batch's masters go into the table; what was there comes back in it. */
static void bind(struct cowd_ram *ram, pgoff_t first, struct cowd_batch *b,
		 unsigned int n)
{
	struct cowd_mount *mnt = cowd_mount_of(ram->inode->i_sb);
	bool mapped;

	trace_bind(ram, first, b->master[0], n);
	/* The reader has the image open, so it is in use. */
	refcount_add(n, &b->master[0]->image->users);
	atomic_long_add(n, &mnt->bound);
	cowd_count_n(mnt, COWD_C_PAGES_BOUND, n);
	cowd_table_make_small(ram, first, n);
	mapped = cowd_table_untouch(ram, first, n);
	cowd_table_replace(ram, first, b->master, n);
	settle(ram, first, b->master, n);
	if (mapped || cowd_table_is_touched(ram, first, n))
		replace_mapped(ram, first, n);
	cowd_table_settle(ram, first, n);
}

/**
 * cowd_bind - make pages of the reader's memory pages of an image
 * @mnt: mount of the image
 * @addr: their address
 * @b: masters of one image; when it succeeds their references are taken
 * @n: how many; and how many of them, from the first one on, the answer is for
 *
 * mmap_lock is held for reading throughout: the reader's process does not fork,
 * map or unmap meanwhile.  Another one that maps the file needs cowd_ram.lock.
 *
 * Return: COWD_BOUND, or why none is bound.
 */
enum cowd_why cowd_bind(struct cowd_mount *mnt, unsigned long addr,
			struct cowd_batch *b, unsigned int *n)
{
	struct vm_area_struct *vma;
	struct cowd_ram *ram;
	enum cowd_why why;
	pgoff_t first;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	why = vma_refuses(mnt, vma);
	if (why)
		goto out;
	ram = cowd_ram_of_vma(vma);
	first = linear_page_index(vma, addr);
	mutex_lock(&ram->lock);
	why = ram_refuses(ram, vma, addr, b, n);
	if (!why)
		bind(ram, first, b, *n);
	mutex_unlock(&ram->lock);
	/* From here on as any fault: somebody may bind anew meanwhile. */
	if (!why && *n >= COWD_INSERT_MIN)
		cowd_insert(ram, vma, first, first + *n, ULONG_MAX);
out:
	mmap_read_unlock(current->mm);
	if (!why)
		let_go(mnt, b->master, *n);
	return why;
}

/**
 * cowd_rebind - another master with the same content
 * @ram: guest's memory, cowd_ram.lock held
 * @pgoff: page that is bound
 * @m: master of the same image, whose reference is taken
 */
void cowd_rebind(struct cowd_ram *ram, pgoff_t pgoff, struct cowd_master *m)
{
	struct cowd_master *old = cowd_table_swap(ram, pgoff, m);

	settle(ram, pgoff, &old, 1);
	/* what the guest has written stays */
	unmap_mapping_range(ram->mapping, (loff_t)pgoff << PAGE_SHIFT,
			    PAGE_SIZE, 0);
	cowd_master_put(old);
}

/**
 * cowd_unbind - pages of a guest's memory are nothing's any more
 * @ram: guest's memory, cowd_ram.lock held
 * @first: first page
 * @end: the one behind the last
 * @cows: its own copies of them go, too
 */
void cowd_unbind(struct cowd_ram *ram, pgoff_t first, pgoff_t end, bool cows)
{
	struct cowd_mount *mnt = cowd_mount_of(ram->inode->i_sb);
	struct cowd_master *old[COWD_AROUND];
	pgoff_t at, begin;
	unsigned int n;

	lockdep_assert_held(&ram->lock);
	if (!ram->bound)
		return;
	trace_unbind(ram, first, ram->bound);
	at = cowd_table_next(ram, first);
	while (at < end) {
		begin = at;
		for (n = 0; n < COWD_AROUND && at < end; n++) {
			old[n] = cowd_table_swap(ram, at, NULL);
			cowd_table_unstamp(ram, at);
			first = at + 1;
			at = cowd_table_next(ram, first);
		}
		if (ram->mappings) {
			settle(ram, 0, old, n);
			unmap_mapping_range(ram->mapping,
					    (loff_t)begin << PAGE_SHIFT,
					    (loff_t)(first - begin)
					    << PAGE_SHIFT, cows);
		}
		let_go(mnt, old, n);
		cond_resched();
	}
}

/**
 * cowd_unbind_broken - a page that was bound has got memory of its own
 * @ram: guest's memory in shared mode, cowd_ram.lock held
 * @pgoff: page; what the shmem file has there is locked, with its content
 */
void cowd_unbind_broken(struct cowd_ram *ram, pgoff_t pgoff)
{
	struct cowd_mount *mnt = cowd_mount_of(ram->inode->i_sb);
	struct cowd_master *old;

	lockdep_assert_held(&ram->lock);
	trace_unbind(ram, pgoff, 1);
	old = cowd_table_swap(ram, pgoff, NULL);
	settle(ram, pgoff, &old, 1);
	unmap_mapping_range(ram->mapping, (loff_t)pgoff << PAGE_SHIFT,
			    PAGE_SIZE, 1);
	let_go(mnt, &old, 1);
	cowd_count(mnt, COWD_C_PAGES_BROKEN);
}

/**
 * cowd_cut_off - nothing is left behind the end of a guest's memory
 * @ram: guest's memory, cowd_ram.lock held; its size is the new one
 * @size: this, in bytes
 */
void cowd_cut_off(struct cowd_ram *ram, loff_t size)
{
	unsigned int i;

	lockdep_assert_held(&ram->lock);
	/* No huge page reaches over the end. */
	if (ram->nr % COWD_REGION)
		cowd_table_make_small(ram, ram->nr - 1, 1);
	cowd_unbind(ram, ram->nr, ULONG_MAX, true);
	/*
	 * Faults of unbound pages compare the size under these locks, or those
	 * of the shmem file's pages.
	 */
	smp_mb();	/* pairs with is_current() and fault_own() */
	for (i = 0; i < COWD_ZEROS && !ram->shm; i++)
		wait_for_zero(ram->zero[i]);
	if (ram->shm)
		cowd_shared_drop(ram, size, COWD_MAX_BYTES);
	unmap_mapping_range(ram->mapping, (loff_t)ram->nr << PAGE_SHIFT, 0, 1);
	if (ram->nr % COWD_REGION)
		cowd_table_settle(ram, ram->nr - 1, 1);
}
