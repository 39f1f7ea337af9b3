// SPDX-License-Identifier: GPL-2.0-only
/*
 * replicas.c - masters have copies on other nodes: mount -o replicas=on
 *
 * A replica is a master as any other, with a place of its own in the index of
 * its image, but its page is on a certain node, and was copied, not read.
 *
 * What a guest does with a page that is mapped is not seen here, but its reads
 * are.  The first one of a page for a node that is not the master's is bound to
 * the master and remembered there; the second one for the same node makes a
 * replica, as the kernel's NUMA balancing moves a page the second time that the
 * same node asks for it.  Guests that were there before keep the master.
 *
 * A replica is made of memory that is free on its node, and nothing goes for
 * it.  When memory is short, replicas lose their pages before masters do, and
 * a guest that misses one gets the master bound instead (cowd_replica_leave());
 * the node begins anew then.
 */
#include <linux/bitops.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "internal.h"

static unsigned int far_bit(int nid)
{
	return (unsigned int)nid % BITS_PER_LONG;
}

/* What it shows can be bound: it has the content, and no broken memory. */
static bool is_good(struct page *page)
{
	if (PageHWPoison(page))
		return false;
	return PageUptodate(page) || cowd_content_given_back(page);
}

/* Is it of use there?  A guest may have needed it when that node was full. */
static bool is_near(const struct cowd_master *replica, struct page *page)
{
	return page_to_nid(page) == replica->home.nid;
}

/* It gets what @page has.  Is it good then? */
static bool fill(struct cowd_master *replica, struct page *page)
{
	struct page *copy;
	bool mine, good;

	copy = cowd_master_begin(replica, false, &mine);
	if (!copy)
		return false;
	if (mine) {
		copy_highpage(copy, page);
		cowd_master_end(replica, copy, true);
		cowd_count(replica->image->mount, COWD_C_REPLICAS_MADE);
	} else {
		folio_wait_locked(page_folio(copy));
	}
	if (PageHWPoison(copy))
		cowd_master_retire(replica, copy);
	good = is_good(copy) && is_near(replica, copy);
	put_page(copy);
	return good;
}

/* Is there content, so that it need not be made? */
static bool is_there(const struct cowd_master *replica)
{
	struct page *page = cowd_master_page(replica);
	bool good;

	if (!page)
		return false;
	good = PageUptodate(page) && !PageHWPoison(page) &&
	       is_near(replica, page);
	put_page(page);
	return good;
}

/*
 * The replica of @m, whose page is @page, for a read, with a reference; NULL if
 * there is none yet, or no room.
 */
static struct cowd_master *replica_get(struct cowd_master *m, struct page *page,
				       int nid)
{
	struct cowd_home home = { .group = m->home.group, .nid = nid };
	struct cowd_master *replica;

	replica = cowd_master_find(m->image, home, m->index);
	if (replica && is_there(replica))
		return replica;
	if (!test_and_set_bit(far_bit(nid), &m->far))
		goto none;
	if (!replica)
		replica = cowd_master_get(m->image, home, m->index);
	if (replica && fill(replica, page))
		return replica;
none:
	if (replica)
		cowd_master_forget(replica);
	return NULL;
}

/* What is to be bound for @nid: @m, or with its reference another one. */
static struct cowd_master *nearer(struct cowd_master *m, int nid)
{
	struct cowd_master *replica = NULL;
	struct page *page;

	page = cowd_is_replica(m) ? NULL : cowd_master_page(m);
	if (!page)
		return m;
	if (page_to_nid(page) != nid && PageUptodate(page) &&
	    !PageHWPoison(page))
		replica = replica_get(m, page, nid);
	put_page(page);
	if (!replica)
		return m;
	cowd_master_put(m);
	return replica;
}

/**
 * cowd_replicas_use - take replicas instead of masters on other nodes
 * @b: masters of one image, with content, and the node that reads
 * @n: how many
 */
void cowd_replicas_use(struct cowd_batch *b, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		b->master[i] = nearer(b->master[i], b->nid);
}

/**
 * cowd_replica_leave - a page shows the master again
 * @ram: guest's memory
 * @pgoff: page
 * @m: a replica without a page, which was bound there; held, and its image in
 *	use
 *
 * Called by a fault.  The lock is tried: who holds it may have faulted in here.
 *
 * Return: is it so?
 */
bool cowd_replica_leave(struct cowd_ram *ram, pgoff_t pgoff,
			struct cowd_master *m)
{
	struct cowd_home home = { m->home.group, NUMA_NO_NODE };
	struct cowd_master *master;
	bool same;

	master = cowd_master_get(m->image, home, m->index);
	if (!master)
		return false;
	if (!mutex_trylock(&ram->lock)) {
		cowd_master_put(master);
		return false;
	}
	same = cowd_table_load(ram, pgoff) == m && !READ_ONCE(m->page);
	if (same) {
		clear_bit(far_bit(m->home.nid), &master->far);
		cowd_rebind(ram, pgoff, master);
		cowd_count(m->image->mount, COWD_C_REPLICAS_LEFT);
	}
	mutex_unlock(&ram->lock);
	if (!same)
		cowd_master_put(master);
	return same;
}
