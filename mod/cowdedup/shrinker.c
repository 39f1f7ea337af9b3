// SPDX-License-Identifier: GPL-2.0-only
/*
 * shrinker.c - the kernel asks for masters when memory is short
 *
 * Who calls: reclaim of the machine or of a memory cgroup, in any task that
 * allocates, in kswapd, and by drop_caches.  What is tried, never waited for:
 * cowd_mount.lock, and in shared mode cowd_ram.lock of a guest that is
 * unmapped; that unmapping takes i_mmap_rwsem of its memory as the core does to
 * unmap pages of files.  Without __GFP_FS nothing is done: who allocates may be
 * filling a master.
 *
 * A cgroup's reclaim asks only the shrinkers whose bits are set in that
 * cgroup's map, for each node; list_lru sets them, for the cgroup that pays for
 * an object.  Masters are in no such list, so one small object for each node is
 * put there for as long as the mount lives, paid for by who pays for masters.
 * It also tells who that is now: when the cgroup is removed, the kernel moves
 * what is in its lists, and what it has paid for, to its parent.
 */
#include <linux/list_lru.h>
#include <linux/memcontrol.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>

#include "cowdedup_compat.h"
#include "internal.h"

/* Masters looked at together; the VFS has as many for its objects. */
#define COWD_SCAN	1024

/**
 * struct cowd_payer - an object that the mounter pays for
 * @lru: in cowd_shrinker.payers
 * @next: in cowd_shrinker.all
 */
struct cowd_payer {
	struct list_head lru;
	struct cowd_payer *next;
};

/**
 * struct cowd_shrinker - of a mount
 * @mount: which
 * @shrinker: as the kernel knows it
 * @payers: who pays, by node
 * @all: the objects there
 * @ready: they are there
 */
struct cowd_shrinker {
	struct cowd_mount *mount;
	struct shrinker *shrinker;
	struct list_lru payers;
	struct cowd_payer *all;
	bool ready;
};

/* kmem_cache_alloc_lru() wants a cache. */
static struct kmem_cache *payer_cache;

/* --- what the kernel calls ----------------------------------------------- */

/*
 * Does who pays for masters ask?  In the machine's reclaim each cgroup is
 * asked, so this is true for one of them.  A node that came after the mount has
 * no object: there it is the root's.
 */
static bool payer_asks(struct cowd_shrinker *s, struct shrink_control *sc)
{
	if (list_lru_shrink_count(&s->payers, sc))
		return true;
	return (!sc->memcg || !parent_mem_cgroup(sc->memcg)) &&
	       !list_lru_count_node(&s->payers, sc->nid);
}

/* Never SHRINK_EMPTY: that would clear the bit. */
static unsigned long count_masters(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	struct cowd_shrinker *s = cowd_shrinker_private(shrinker);

	/* pairs with cowd_shrinker_add() */
	if (!smp_load_acquire(&s->ready) || !payer_asks(s, sc))
		return 0;
	/* asked for each node */
	return DIV_ROUND_UP(cowd_reclaim_count(s->mount), num_online_nodes());
}

/*
 * Give them a moment: a cgroup's reclaim that finds nothing tries a few times,
 * in less time than they need for a guest, and then has somebody killed.
 */
static void somebody_else_does(void)
{
	if (!current_is_kswapd())
		schedule_timeout_killable(1);
}

static unsigned long scan_masters(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	struct cowd_shrinker *s = cowd_shrinker_private(shrinker);
	long freed;

	if (!(sc->gfp_mask & __GFP_FS))
		return SHRINK_STOP;
	freed = cowd_reclaim(s->mount, sc->nr_to_scan, sc->nid, true);
	if (freed < 0) {
		somebody_else_does();
		return SHRINK_STOP;
	}
	/* They are no slab objects: nobody else says that pages are free. */
	mm_account_reclaimed_pages(freed);
	return freed;
}

/* --- who pays ------------------------------------------------------------ */

static int payer_add(struct cowd_shrinker *s, struct cowd_payer *p)
{
	if (!p)
		return -ENOMEM;
	INIT_LIST_HEAD(&p->lru);
	p->next = s->all;
	s->all = p;
	list_lru_add_obj(&s->payers, &p->lru);
	return 0;
}

/*
 * The first one comes with lists for the cgroup and all above it, for all
 * nodes, but on any node.
 */
static int payers_add(struct cowd_shrinker *s)
{
	struct mem_cgroup *old = set_active_memcg(s->mount->memcg);
	int nid, ret;

	ret = payer_add(s, kmem_cache_alloc_lru(payer_cache, &s->payers,
						GFP_KERNEL_ACCOUNT));
	for_each_node_state(nid, N_MEMORY) {
		if (ret)
			break;
		ret = payer_add(s, kmem_cache_alloc_node(payer_cache,
							 GFP_KERNEL_ACCOUNT,
							 nid));
	}
	set_active_memcg(old);
	return ret;
}

static void payers_free(struct cowd_shrinker *s)
{
	struct cowd_payer *p;

	while ((p = s->all)) {
		s->all = p->next;
		list_lru_del_obj(&s->payers, &p->lru);
		kmem_cache_free(payer_cache, p);
	}
}

/* --- with the mount ------------------------------------------------------ */

/**
 * cowd_shrinker_remove - the kernel does not ask for masters any more
 * @mnt: mount, whose shrinker may be there in part or not at all
 *
 * Waits for those who ask now; no lock is held that they wait for.
 */
void cowd_shrinker_remove(struct cowd_mount *mnt)
{
	struct cowd_shrinker *s = mnt->shrinker;

	if (!s)
		return;
	cowd_shrinker_free(s->shrinker);
	payers_free(s);
	/* does nothing if there is no list */
	list_lru_destroy(&s->payers);
	kfree(s);
	mnt->shrinker = NULL;
}

/**
 * cowd_shrinker_add - let the kernel ask for masters of a mount
 * @mnt: mount; its options are known, and nobody can have masters yet
 *
 * Return: 0 or -ENOMEM; then cowd_shrinker_remove() has to be called, too.
 */
int cowd_shrinker_add(struct cowd_mount *mnt)
{
	struct cowd_shrinker *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int ret;

	if (!s)
		return -ENOMEM;
	s->mount = mnt;
	mnt->shrinker = s;
	s->shrinker = cowd_shrinker_alloc(count_masters, scan_masters,
					  COWD_SCAN, s, mnt->sb->s_id);
	if (!s->shrinker)
		return -ENOMEM;
	ret = list_lru_init_memcg(&s->payers, s->shrinker);
	if (ret)
		return ret;
	/* First: who finds a bit of one that is not registered clears it. */
	cowd_shrinker_register(s->shrinker);
	ret = payers_add(s);
	if (ret)
		return ret;
	/* who sees it sees the lists */
	smp_store_release(&s->ready, true);
	return 0;
}

int cowd_shrinker_init(void)
{
	payer_cache = kmem_cache_create("cowdedup_payer",
					sizeof(struct cowd_payer), 0,
					SLAB_ACCOUNT, NULL);
	return payer_cache ? 0 : -ENOMEM;
}

void cowd_shrinker_exit(void)
{
	kmem_cache_destroy(payer_cache);
}
