// SPDX-License-Identifier: GPL-2.0-only
/*
 * master.c - the one copy of each page of an image
 *
 * A master is a page of the module's own, never one of the page cache: a page
 * of the image's file would be torn out of guests when that file is truncated,
 * would change under them, and may be part of a large folio that the kernel
 * maps as a whole.
 *
 * It is found by its number in the image; with content=on, those of equal
 * content show one page (content.c).  Its page comes and goes: whoever
 * needs it and finds none puts one there, locked and without content, and reads
 * it (fill.c), while others wait for the lock; reclaim.c takes it away.  It is
 * paid for by the memory cgroup of whoever mounted, and when that one has no
 * more, nobody is killed for it: the read is copied.
 *
 * Nor does a guest lose its pages for another's: what is allocated here is
 * without __GFP_FS, for the cgroup's reclaim, which it may start, would run our
 * own shrinker, and that takes what is bound.  Only masters that nobody has
 * bound make room for new ones.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "internal.h"

#define NO_RETRY	(__GFP_NORETRY | __GFP_NOWARN)

/* --- the object ---------------------------------------------------------- */

/**
 * cowd_master_find - the master of a page, if there is one
 * @img: image, in use
 * @home: whose
 * @index: page of the image
 *
 * Return: with a reference, with or without content; or NULL.
 */
struct cowd_master *cowd_master_find(struct cowd_image *img,
				     struct cowd_home home, pgoff_t index)
{
	struct cowd_master *m;

	rcu_read_lock();
	m = xa_load(&img->masters, cowd_key(home, index));
	if (m && !refcount_inc_not_zero(&m->ref))
		m = NULL;
	rcu_read_unlock();
	return m;
}

/* With a reference for the index and one for the caller. */
static struct cowd_master *master_new(struct cowd_image *img,
				      struct cowd_home home, pgoff_t index)
{
	struct cowd_master *m;

	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT | NO_RETRY);
	if (!m)
		return NULL;
	refcount_set(&m->ref, 2);
	m->home = home;
	m->image = img;
	m->index = index;
	return m;
}

/* Whatever is there by now is a replica, if @m is. */
static void mark(const struct cowd_master *m)
{
	if (cowd_is_replica(m))
		xa_set_mark(&m->image->masters, cowd_key(m->home, m->index),
			    COWD_REPLICA);
}

/* Make a master, or find the one that somebody else has made meanwhile. */
static struct cowd_master *master_add(struct cowd_image *img,
				      struct cowd_home home, pgoff_t index)
{
	struct cowd_master *m = NULL, *new, *old;

	new = master_new(img, home, index);
	if (!new)
		return NULL;
	do {
		old = xa_cmpxchg(&img->masters, cowd_key(home, index), NULL,
				 new, GFP_KERNEL | NO_RETRY);
		if (!old) {
			mark(new);
			return new;
		}
		if (xa_is_err(old))
			break;
		/* Somebody was faster; theirs may be gone again. */
		m = cowd_master_find(img, home, index);
	} while (!m);
	kfree(new);
	return m;
}

/**
 * cowd_master_get - the master of a page, with or without content
 * @img: image, in use
 * @home: whose
 * @index: page of the image
 *
 * Return: with a reference; NULL without memory.
 */
struct cowd_master *cowd_master_get(struct cowd_image *img,
				    struct cowd_home home, pgoff_t index)
{
	struct cowd_master *m = cowd_master_find(img, home, index);
	struct cowd_payment old;

	if (m)
		return m;
	old = cowd_payment_begin(img->mount);
	m = master_add(img, home, index);
	/* as page_new() */
	if (!m && cowd_reclaim(img->mount, 512, NUMA_NO_NODE, false) > 0)
		m = master_add(img, home, index);
	cowd_payment_end(old);
	return m;
}

static void page_comes(const struct cowd_master *m)
{
	struct cowd_mount *mnt = m->image->mount;

	atomic_long_inc(&mnt->masters);
	if (cowd_is_replica(m))
		atomic_long_inc(&mnt->replicas);
	cowd_count(mnt, COWD_C_MASTERS_FILLED);
}

/* Those who show the same page are all replicas, of one node, or none is. */
static void page_gone(const struct cowd_master *m)
{
	struct cowd_mount *mnt = m->image->mount;

	atomic_long_dec(&mnt->masters);
	if (cowd_is_replica(m))
		atomic_long_dec(&mnt->replicas);
	cowd_count(mnt, COWD_C_MASTERS_FREED);
}

/*
 * One that nobody else can look at, or whose page was not read, has none any
 * more.  Is the page gone?
 */
static bool master_leave(struct cowd_master *m, struct page *page)
{
	bool last = true;

	if (m->image->mount->content) {
		if (!cowd_content_leave(m, page, &last))
			return false;
	} else {
		WRITE_ONCE(m->page, NULL);
	}
	if (last)
		page_gone(m);
	put_page(page);
	return last;
}

/*
 * The page may still be in use by those who hold it themselves, or by other
 * masters.  Is it gone?
 */
bool cowd_master_free(struct cowd_master *m)
{
	/* pairs with master_let_go() */
	struct page *page = smp_load_acquire(&m->page);
	bool gone = page && master_leave(m, page);

	kfree_rcu(m, rcu);
	return gone;
}

/**
 * cowd_master_put - let a master go
 * @m: master; its image is in use
 */
void cowd_master_put(struct cowd_master *m)
{
	if (refcount_dec_and_test(&m->ref))
		cowd_master_free(m);
}

/**
 * cowd_master_forget - let a master go, and if nobody else has it, for good
 * @m: master; its image is in use
 */
void cowd_master_forget(struct cowd_master *m)
{
	unsigned long key = cowd_key(m->home, m->index);
	struct xarray *masters = &m->image->masters;
	bool found, gone = false;

	xa_lock(masters);
	/* The index's reference is taken away under its lock. */
	found = xa_load(masters, key) == m;
	if (found) {
		refcount_dec(&m->ref);
		gone = refcount_dec_if_one(&m->ref);
	}
	if (gone)
		__xa_erase(masters, key);
	xa_unlock(masters);
	if (gone)
		cowd_master_free(m);
	else if (!found)
		cowd_master_put(m);
}

/**
 * cowd_masters_drop - the image forgets all its masters
 * @img: image that nobody uses any more: no open file and no binding, so
 *	nobody holds any of them
 */
void cowd_masters_drop(struct cowd_image *img)
{
	struct cowd_master *m;
	unsigned long index;

	xa_for_each(&img->masters, index, m) {
		/* The shrinker may have been faster. */
		m = xa_erase(&img->masters, index);
		if (!m)
			continue;
		WARN_ON_ONCE(refcount_read(&m->ref) != 1);
		cowd_master_put(m);
		cond_resched();
	}
}

/* --- its page ------------------------------------------------------------ */

/**
 * cowd_master_page - the page of a master
 * @m: master that the caller holds, or whose binding it looks at under
 *	cowd_ram.insert
 *
 * Return: the page with a reference, which keeps it where it is; NULL if there
 * is none now.  It may be without content still: then it is not up to date.
 */
struct page *cowd_master_page(const struct cowd_master *m)
{
	struct page *page;

	for (;;) {
		page = READ_ONCE(m->page);
		if (!page)
			return NULL;
		/* Who takes it away freezes it, then says so here. */
		if (!get_page_unless_zero(page)) {
			cpu_relax();
			continue;
		}
		if (likely(page == READ_ONCE(m->page)))
			return page;
		put_page(page);
	}
}

static bool may_have_more(struct cowd_mount *mnt)
{
	unsigned long max = READ_ONCE(mnt->max_masters);

	return !max || atomic_long_read(&mnt->masters) < max;
}

/*
 * Nothing goes for a replica that no guest needs, and on another node it is of
 * no use.
 */
static struct page *page_try(const struct cowd_master *m, bool must)
{
	const gfp_t gfp = GFP_HIGHUSER | __GFP_ACCOUNT | NO_RETRY;
	struct cowd_mount *mnt = m->image->mount;
	struct cowd_payment old;
	struct page *page;

	if (!may_have_more(mnt))
		return NULL;
	old = cowd_payment_begin(mnt);
	if (cowd_is_replica(m) && !must)
		page = alloc_pages_node(m->home.nid, (gfp & ~__GFP_RECLAIM) |
						     __GFP_THISNODE, 0);
	else
		page = alloc_page(gfp);
	cowd_payment_end(old);
	return page;
}

/*
 * When the mounter may have no more, masters that nobody uses make room; see
 * above why that is done here.  A page that a guest has lost and needs back is
 * not refused: nobody pays for it then.
 */
static struct page *page_new(const struct cowd_master *m, bool must)
{
	struct page *page = page_try(m, must);

	if (!page && (must || !cowd_is_replica(m)) &&
	    cowd_reclaim(m->image->mount, 512, NUMA_NO_NODE, false) > 0)
		page = page_try(m, must);
	if (!page && must)
		page = alloc_page(GFP_HIGHUSER);
	return page;
}

/**
 * cowd_master_begin - get the page of a master, or begin to fill it
 * @m: master that the caller holds
 * @must: a guest needs it
 * @mine: output: it is new; the caller fills it and calls cowd_master_end()
 *
 * Return: the page with a reference, locked if it is new; NULL if there is no
 * memory for one.
 */
struct page *cowd_master_begin(struct cowd_master *m, bool must, bool *mine)
{
	struct page *page, *new = NULL;

	*mine = false;
	while (!(page = cowd_master_page(m))) {
		if (!new)
			new = page_new(m, must);
		if (!new)
			return NULL;
		/* Nobody sees it yet. */
		lock_page(new);
		get_page(new);
		if (!cmpxchg(&m->page, NULL, new)) {
			page_comes(m);
			*mine = true;
			return new;
		}
		put_page(new);
		unlock_page(new);
	}
	if (new)
		put_page(new);
	return page;
}

/**
 * cowd_master_end - the page that cowd_master_begin() made is filled
 * @m: master
 * @page: its page; the caller still has a reference
 * @good: it has the content of the image; else the master has no page again,
 *	and who waits for it finds it not up to date
 *
 * With content=on the master may show another, equal page then.
 */
void cowd_master_end(struct cowd_master *m, struct page *page, bool good)
{
	struct cowd_mount *mnt = m->image->mount;

	if (!good) {
		master_leave(m, page);
	} else if (mnt->content && cowd_content_merge(m, page)) {
		page_gone(m);
		cowd_count(mnt, COWD_C_MASTERS_MERGED);
	} else {
		SetPageUptodate(page);
	}
	unlock_page(page);
}

static bool clear_one(struct cowd_master *m, struct page *page, bool idle)
{
	if (idle && !page_ref_freeze(page, 2))
		return false;
	/* The caller holds it, so it cannot be another's. */
	if (cmpxchg(&m->page, page, NULL) != page) {
		if (idle)
			page_ref_unfreeze(page, 2);
		return false;
	}
	if (idle)
		page_ref_unfreeze(page, 1);
	else
		put_page(page);
	return true;
}

/**
 * cowd_master_clear - a page is no master's any more
 * @m: master that cannot go meanwhile
 * @page: what it has, or had; the caller has a reference
 * @idle: only if nobody else has one; or else the caller has its lock
 *
 * While it is frozen nobody gets it, and when that ends nobody finds it.
 *
 * Return: is it so?  Who comes too late changes nothing.
 */
bool cowd_master_clear(struct cowd_master *m, struct page *page, bool idle)
{
	if (m->image->mount->content ?
	    !cowd_content_clear(m, page, idle) :
			   !clear_one(m, page, idle))
		return false;
	page_gone(m);
	return true;
}
