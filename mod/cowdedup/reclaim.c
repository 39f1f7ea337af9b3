// SPDX-License-Identifier: GPL-2.0-only
/*
 * reclaim.c - pages of masters are given back when memory is short, or broken
 *
 * First go masters that no guest has bound.  Then the pages of bound ones that
 * no page table has: of replicas, where the next fault shows the master, and
 * then of others, where it reads the image again.  When there is neither,
 * the memory of one guest is unmapped, so that what it uses shows itself by its
 * faults and the rest can go the next time.
 *
 * Nothing here waits for a lock that somebody may hold who waits for memory:
 * cowd_mount.lock is tried, and under it nobody allocates.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "internal.h"

/* --- when memory is short ------------------------------------------------ */

/**
 * cowd_reclaim_count - how many masters could be given back?
 * @mnt: mount
 *
 * Return: those that a guest uses, too: one cannot tell, and the answer is a
 * hint.  So those that show one page: each has to be looked at.
 */
unsigned long cowd_reclaim_count(struct cowd_mount *mnt)
{
	return atomic_long_read(&mnt->masters) + atomic_long_read(&mnt->alike);
}

/*
 * Take a master that only the index has, or else the page of one that nobody
 * but masters have: no page table, nobody who is about to map it, nobody who
 * fills it.  Under the lock of the index the master is alive if it is there.
 * Is a page freed?
 */
static bool take(struct cowd_image *img, unsigned long index,
		 struct cowd_master *m, int nid,
		 enum cowd_take what, unsigned long *left)
{
	bool taken = false, gone = false;
	struct page *page = NULL;

	xa_lock(&img->masters);
	if (xa_load(&img->masters, index) != m)
		goto out;
	page = cowd_master_page(m);
	if (page)
		--*left;
	if (page && nid != NUMA_NO_NODE && page_to_nid(page) != nid)
		goto out;
	if (refcount_dec_if_one(&m->ref)) {
		__xa_erase(&img->masters, index);
		gone = true;
	} else if (page && what != COWD_TAKE_UNBOUND) {
		taken = cowd_master_clear(m, page, true);
	}
out:
	xa_unlock(&img->masters);
	if (gone)
		taken = cowd_master_free(m);
	if (page)
		put_page(page);
	return taken;
}

/* Regions of a guest in shared mode, 2 GiB. */
#define COWD_UNMAP	1024

/* Masters that have lost their page do not count, but are not endless. */
#define COWD_LOOK	65536

/* Look at *@left masters from *@scan on, or up to the last one. */
static unsigned long reclaim_from(struct cowd_image *img, unsigned long *scan,
				  unsigned long *left, int nid,
				  enum cowd_take what)
{
	xa_mark_t which = what == COWD_TAKE_REPLICAS ? COWD_REPLICA :
						       XA_PRESENT;
	unsigned long taken = 0, looked = 0, index = *scan;
	struct cowd_master *m;

	for (m = xa_find(&img->masters, &index, ULONG_MAX, which); m;
	     m = xa_find_after(&img->masters, &index, ULONG_MAX, which)) {
		if (!*left || looked++ == COWD_LOOK) {
			*scan = index;
			*left = 0;
			return taken;
		}
		taken += take(img, index, m, nid, what, left);
	}
	*scan = 0;
	return taken;
}

static unsigned long reclaim_image(struct cowd_image *img, unsigned long nr,
				   int nid, enum cowd_take what)
{
	unsigned long *scan = &img->scan[what], taken;

	lockdep_assert_held(&img->mount->lock);
	taken = reclaim_from(img, scan, &nr, nid, what);
	/* round once, or nodes that take turns see the same part each time */
	if (nr)
		taken += reclaim_from(img, scan, &nr, nid, what);
	return taken;
}

/* What the guest has written stays; of shmem it has to be mapped anew. */
static void unmap(struct cowd_ram *ram)
{
	unmap_mapping_range(ram->mapping, 0, 0, 0);
}

/*
 * In shared mode regions are spared in which nothing is bound.  Not all at
 * once: binds and first writes of the guest wait meanwhile.  Was that the last
 * part of it?
 */
static bool unmap_bound(struct cowd_ram *ram)
{
	unsigned int left = COWD_UNMAP;
	pgoff_t at, next;

	if (!mutex_trylock(&ram->lock))
		return false;
	for (at = cowd_table_next(ram, ram->scan); at != ULONG_MAX && left--;
	     at = cowd_table_next(ram, next)) {
		next = round_up(at + 1, COWD_REGION);
		unmap_mapping_range(ram->mapping, (loff_t)at << PAGE_SHIFT,
				    (loff_t)(next - at) << PAGE_SHIFT, 0);
	}
	ram->scan = at == ULONG_MAX ? 0 : at;
	mutex_unlock(&ram->lock);
	return at == ULONG_MAX;
}

static bool unmap_ram(struct cowd_ram *ram)
{
	if (ram->shm)
		return unmap_bound(ram);
	unmap(ram);
	return true;
}

/*
 * A guest each time, in turn, and not too often: it has to fault all in.  But
 * when all masters have been looked at in vain, somebody is about to be killed:
 * a cgroup's reclaim gives up within milliseconds.  Then the next one at once,
 * if it has had its time.
 */
static void unmap_one(struct cowd_mount *mnt)
{
	struct cowd_ram *ram;
	bool all;

	lockdep_assert_held(&mnt->lock);
	ram = list_first_entry_or_null(&mnt->rams, struct cowd_ram, link);
	if (!ram)
		return;
	all = mnt->in_vain >= cowd_reclaim_count(mnt);
	if (time_before(jiffies, (all ? ram->aged : mnt->aged) + HZ / 4))
		return;
	mnt->in_vain = 0;
	mnt->aged = jiffies;
	list_move_tail(&ram->link, &mnt->rams);
	if (unmap_ram(ram))
		ram->aged = mnt->aged;
	cowd_count(mnt, COWD_C_RAM_AGED);
}

static unsigned long reclaim_images(struct cowd_mount *mnt, unsigned long nr,
				    int nid, enum cowd_take what)
{
	struct cowd_image *img;
	unsigned long taken = 0;

	list_for_each_entry(img, &mnt->list, link)
		taken += reclaim_image(img, nr, nid, what);
	return taken;
}

/**
 * cowd_reclaim - give masters back
 * @mnt: mount
 * @nr: how many to look at
 * @nid: on which node, or NUMA_NO_NODE
 * @hard: when all are bound, take those that are not mapped, not only replicas,
 *	and when there are none of those, unmap a guest
 *
 * Called by the shrinker, and when there is none for a new master: then not
 * hard, for one guest would take from another what it needs again.
 *
 * Return: how many pages were freed; -EBUSY if somebody else is at it.
 */
long cowd_reclaim(struct cowd_mount *mnt, unsigned long nr, int nid, bool hard)
{
	unsigned long taken;

	if (!mutex_trylock(&mnt->lock))
		return -EBUSY;
	taken = reclaim_images(mnt, nr, nid, COWD_TAKE_UNBOUND);
	hard &= mnt->options.reclaim;
	if (!taken && mnt->options.reclaim && atomic_long_read(&mnt->replicas))
		taken = reclaim_images(mnt, nr, nid, COWD_TAKE_REPLICAS);
	if (!taken && hard)
		taken = reclaim_images(mnt, nr, nid, COWD_TAKE_BOUND);
	if (hard)
		mnt->in_vain = taken ? 0 : mnt->in_vain + nr;
	if (!taken && hard)
		unmap_one(mnt);
	mutex_unlock(&mnt->lock);
	cowd_count_n(mnt, COWD_C_MASTERS_RECLAIMED, taken);
	return taken;
}

/* --- when memory is broken ----------------------------------------------- */

/**
 * cowd_master_retire - a master's page lies in broken memory
 * @m: master that the caller holds
 * @page: its page, which the caller holds, too
 *
 * It is unmapped from all guests and never used again, nor by the kernel: the
 * page allocator keeps such pages out.  The next who needs it reads the image.
 * That goes for all masters that show it.
 */
void cowd_master_retire(struct cowd_master *m, struct page *page)
{
	struct cowd_mount *mnt = m->image->mount;
	struct cowd_ram *ram;

	cowd_count(mnt, COWD_C_MASTERS_RETIRED);
	/* A fault that returns it has its lock; it is unmapped then. */
	lock_page(page);
	cowd_master_clear(m, page, false);
	unlock_page(page);
	mutex_lock(&mnt->lock);
	list_for_each_entry(ram, &mnt->rams, link)
		unmap(ram);
	mutex_unlock(&mnt->lock);
}
