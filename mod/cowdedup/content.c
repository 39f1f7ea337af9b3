// SPDX-License-Identifier: GPL-2.0-only
/*
 * content.c - equal pages of images are held once (content=on)
 *
 * A master that has been read is looked for in the mount's index by the hash of
 * its content.  If a master of the same trust group shows an equal page, this
 * one shows it, too, and the page that was read for it is given back.
 *
 * An entry stands for a page, from when its content is right until no master
 * shows it, and lists the masters that do.  Invariants, all under
 * cowd_content.lock:
 *
 * - page_private() of a page is its entry if it has one: then the masters in
 *   the list, and no others, show it and hold a reference each.  So there are
 *   @nr of these at least, and the entry is gone before the page can be.
 * - A page has an entry only if it is up to date, and a master that is in the
 *   list of one shows its page and no other.
 * - Only a master's first page, locked and not up to date, is exchanged for
 *   another.  It never becomes up to date, so nobody maps it; those who wait
 *   for its lock see that it was given back (cowd_content_given_back()).
 * - Apart from that a master loses its page as without an index: when nobody
 *   else has a reference, not even a page table, or under the page's lock with
 *   an unmapping behind it.  All in the list lose it together, or one of them
 *   when it is freed, for then nobody can look at that master any more.
 * - An entry in a tree has room for one master more.
 *
 * So one who has a page's lock, or has frozen it, can compare pages as if each
 * belonged to one master: whichever shows it, its content is that master's.
 *
 * Contents decide, never the hash.  Whoever may write images can make pages
 * whose hashes are equal, without knowing the seed, so no more than COWD_ALIKE
 * of those are compared or kept.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/xxhash.h>

#include "internal.h"

#define COWD_ROOTS	4093	/* trees: 32 KiB a mount */
#define COWD_ALIKE	4	/* different pages of one hash */
#define COWD_TOGETHER	256	/* masters of a page: all are let go at once */

/* page_private() of a page that was given back: no entry is there. */
#define GIVEN_BACK	1ul

/**
 * struct cowd_content - the index of a mount
 * @lock: protects all of it; taken within the lock of an image's masters, and
 *	nothing is taken within it
 * @seed: of the hash
 * @root: entries that have room, by key
 */
struct cowd_content {
	spinlock_t lock;		/* see above */
	u64 seed;
	struct rb_root root[COWD_ROOTS];
};

struct content_key {
	u64 hash;
	struct cowd_home home;
};

/**
 * struct cowd_entry - a page and who shows it
 * @node: in its tree, or empty if there is no room for more
 * @key: what it is found by
 * @nr: how many masters
 * @page: whose private this is
 * @masters: struct cowd_master.same
 */
struct cowd_entry {
	struct rb_node node;
	struct content_key key;
	unsigned int nr;
	struct page *page;
	struct hlist_head masters;
};

/* --- a mount's index ------------------------------------------------------ */

/**
 * cowd_content_new - an empty index, with a seed of its own
 *
 * Return: NULL without memory.
 */
struct cowd_content *cowd_content_new(void)
{
	struct cowd_content *c = kvzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);

	if (!c)
		return NULL;
	spin_lock_init(&c->lock);
	c->seed = get_random_u64();
	return c;
}

/* There is no master any more.  @c may be NULL. */
void cowd_content_free(struct cowd_content *c)
{
	unsigned int i;

	for (i = 0; c && i < COWD_ROOTS; i++)
		WARN_ON_ONCE(!RB_EMPTY_ROOT(&c->root[i]));
	kvfree(c);
}

/* --- entries -------------------------------------------------------------- */

/* Groups have seeds of their own, too: none finds its way to another's. */
static void key_of_page(struct content_key *key, const struct cowd_content *c,
			const struct cowd_master *m, struct page *page)
{
	void *mem = kmap_local_page(page);

	key->hash = xxh64(mem, PAGE_SIZE, c->seed + m->home.group);
	key->home = m->home;
	kunmap_local(mem);
}

static struct rb_root *root_of(struct cowd_content *c,
			       const struct content_key *key)
{
	return &c->root[key->hash % COWD_ROOTS];
}

static int key_compare(const struct content_key *a, const struct content_key *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->home.group != b->home.group)
		return a->home.group < b->home.group ? -1 : 1;
	return a->home.nid - b->home.nid;
}

static int node_compare(const void *key, const struct rb_node *node)
{
	return key_compare(key, &rb_entry(node, struct cowd_entry, node)->key);
}

static bool node_less(struct rb_node *a, const struct rb_node *b)
{
	return node_compare(&rb_entry(a, struct cowd_entry, node)->key, b) < 0;
}

/* Charged to the mounter; at its limit a page has no entry. */
static struct cowd_entry *entry_new(struct cowd_mount *mnt,
				    const struct content_key *key,
				    struct page *page)
{
	struct cowd_payment old = cowd_payment_begin(mnt);
	struct cowd_entry *e;

	e = kmalloc(sizeof(*e), GFP_KERNEL_ACCOUNT | __GFP_NORETRY |
				__GFP_NOWARN);
	cowd_payment_end(old);
	if (e)
		*e = (struct cowd_entry){ .key = *key, .page = page };
	return e;
}

static struct cowd_entry *entry_of(const struct page *page)
{
	unsigned long private = page_private(page);

	return private == GIVEN_BACK ? NULL : (struct cowd_entry *)private;
}

static void entry_hide(struct cowd_content *c, struct cowd_entry *e)
{
	if (RB_EMPTY_NODE(&e->node))
		return;
	rb_erase(&e->node, root_of(c, &e->key));
	RB_CLEAR_NODE(&e->node);
}

static void entry_add(struct cowd_content *c, struct cowd_entry *e,
		      struct cowd_master *m)
{
	lockdep_assert_held(&c->lock);
	hlist_add_head(&m->same, &e->masters);
	if (++e->nr == COWD_TOGETHER)
		entry_hide(c, e);
}

/* The last thing that happens to @m here: it may be freed then. */
static void master_let_go(struct cowd_master *m)
{
	hlist_del_init(&m->same);
	/* after the list; pairs with cowd_master_free() */
	smp_store_release(&m->page, NULL);
}

static void entry_free(struct cowd_content *c, struct cowd_entry *e)
{
	lockdep_assert_held(&c->lock);
	entry_hide(c, e);
	set_page_private(e->page, 0);
	kfree(e);
}

/* --- a master has been read ----------------------------------------------- */

static bool is_among(const struct page *page, struct page **tried,
		     unsigned int n)
{
	while (n--)
		if (tried[n] == page)
			return true;
	return false;
}

/*
 * A page of the same key that is not among the @n that were tried, with a
 * reference.  If there is none *@fresh becomes the entry of @m's page, so that
 * of two who come with equal pages one finds the other's.
 */
static struct page *find_or_add(struct cowd_content *c,
				const struct content_key *key,
				struct page **tried, unsigned int n,
				struct cowd_master *m,
				struct cowd_entry **fresh)
{
	struct page *page = NULL;
	struct cowd_entry *e;
	struct rb_node *node;

	spin_lock(&c->lock);
	rb_for_each(node, key, root_of(c, key), node_compare) {
		e = rb_entry(node, struct cowd_entry, node);
		if (is_among(e->page, tried, n))
			continue;
		page = e->page;
		get_page(page);
		break;
	}
	e = *fresh;
	if (!page && e) {
		rb_add(&e->node, root_of(c, key), node_less);
		SetPageUptodate(e->page);
		set_page_private(e->page, (unsigned long)e);
		entry_add(c, e, m);
		*fresh = NULL;
	}
	spin_unlock(&c->lock);
	return page;
}

/* Memory that is broken is better not looked at. */
static bool is_equal(struct cowd_mount *mnt, struct page *a, struct page *b)
{
	void *mem_a, *mem_b;
	bool equal;

	if (PageHWPoison(a) || PageHWPoison(b))
		return false;
	mem_a = kmap_local_page(a);
	mem_b = kmap_local_page(b);
	equal = !memcmp(mem_a, mem_b, PAGE_SIZE);
	kunmap_local(mem_b);
	kunmap_local(mem_a);
	if (!equal)
		cowd_count(mnt, COWD_C_HASH_COLLISIONS);
	return equal;
}

/*
 * @m shows @other instead of @page, if that one is still there.  The caller has
 * a reference on each, so neither can be another page by now.
 */
static bool join(struct cowd_content *c, struct cowd_master *m,
		 struct page *page, struct page *other)
{
	struct cowd_entry *e;

	spin_lock(&c->lock);
	e = entry_of(other);
	if (!e || RB_EMPTY_NODE(&e->node) || PageHWPoison(other)) {
		spin_unlock(&c->lock);
		return false;
	}
	get_page(other);
	entry_add(c, e, m);
	atomic_long_inc(&m->image->mount->alike);
	set_page_private(page, GIVEN_BACK);
	/* what was compared is there for whoever finds it by @m */
	smp_store_release(&m->page, other);
	spin_unlock(&c->lock);
	put_page(page);
	return true;
}

/**
 * cowd_content_merge - a master has been read: is there an equal page?
 * @m: master
 * @page: its page, which the caller has begun to fill, and locked; content is
 *	right
 *
 * Return: true if @m shows another page now, and @page is the caller's alone;
 * else @page is up to date if it is in the index.
 */
bool cowd_content_merge(struct cowd_master *m, struct page *page)
{
	struct cowd_mount *mnt = m->image->mount;
	struct page *tried[COWD_ALIKE];
	struct cowd_entry *fresh;
	struct content_key key;
	unsigned int n = 0;
	bool merged = false;

	if (PageHWPoison(page))
		return false;
	key_of_page(&key, mnt->content, m, page);
	cowd_count_n(mnt, COWD_C_BYTES_HASHED, PAGE_SIZE);
	fresh = entry_new(mnt, &key, page);
	while (n < COWD_ALIKE && !merged) {
		tried[n] = find_or_add(mnt->content, &key, tried, n, m, &fresh);
		if (!tried[n])
			break;
		merged = is_equal(mnt, page, tried[n]) &&
			 join(mnt->content, m, page, tried[n]);
		n++;
	}
	kfree(fresh);
	while (n--)
		put_page(tried[n]);
	return merged;
}

/* Who has waited for its lock: its content is right, and shown by another. */
bool cowd_content_given_back(const struct page *page)
{
	return READ_ONCE(page->private) == GIVEN_BACK;
}

/* --- a page goes ---------------------------------------------------------- */

/**
 * cowd_content_leave - one master does not show its page any more
 * @m: master that nobody can look at, or whose page was not read
 * @page: what it has, or had
 * @last: output: no master shows it now
 *
 * Return: did @m have it until now?  Then its reference is the caller's.
 */
bool cowd_content_leave(struct cowd_master *m, struct page *page, bool *last)
{
	struct cowd_mount *mnt = m->image->mount;
	struct cowd_content *c = mnt->content;
	struct cowd_entry *e;

	spin_lock(&c->lock);
	/* as long as it is so, @page is there */
	if (READ_ONCE(m->page) != page) {
		spin_unlock(&c->lock);
		return false;
	}
	e = entry_of(page);
	master_let_go(m);
	*last = !e || !--e->nr;
	if (e && *last)
		entry_free(c, e);
	if (!*last)
		atomic_long_dec(&mnt->alike);
	spin_unlock(&c->lock);
	return true;
}

/* All who show @page, as @m does, lose it; how many references were theirs? */
static unsigned int let_all_go(struct cowd_content *c, struct cowd_master *m,
			       struct page *page)
{
	struct cowd_entry *e = entry_of(page);
	struct hlist_node *next;
	unsigned int n;

	lockdep_assert_held(&c->lock);
	if (!e) {
		master_let_go(m);
		return 1;
	}
	n = e->nr;
	hlist_for_each_entry_safe(m, next, &e->masters, same)
		master_let_go(m);
	entry_free(c, e);
	return n;
}

/**
 * cowd_content_clear - no master shows a page any more
 * @m: master that the caller holds, or that cannot go meanwhile
 * @page: what it has, or had; the caller has a reference
 * @idle: only if nobody but them and the caller has one; else the caller has
 *	its lock
 *
 * Return: is it so?  Their references are gone then, and the caller's is left.
 */
bool cowd_content_clear(struct cowd_master *m, struct page *page, bool idle)
{
	struct cowd_mount *mnt = m->image->mount;
	struct cowd_content *c = mnt->content;
	const struct cowd_entry *e;
	unsigned int n;
	bool done = false;

	spin_lock(&c->lock);
	if (READ_ONCE(m->page) != page)
		goto out;
	e = entry_of(page);
	n = e ? e->nr : 1;
	if (idle && !page_ref_freeze(page, n + 1))
		goto out;
	let_all_go(c, m, page);
	if (idle)
		page_ref_unfreeze(page, 1);
	else
		page_ref_sub(page, n);
	atomic_long_sub(n - 1, &mnt->alike);
	done = true;
out:
	spin_unlock(&c->lock);
	return done;
}
