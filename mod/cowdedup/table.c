// SPDX-License-Identifier: GPL-2.0-only
/*
 * table.c - what is bound where in a guest's memory
 *
 * An array of leaves, each a page, made when the first page in it is bound.
 * Readers hold cowd_ram.insert, or compare only; so a leaf stays until nobody
 * maps the file any more.
 */
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

#define LEAF	(PAGE_SIZE / (sizeof(void *) + sizeof(u16)))
#define TABLE_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)

/**
 * struct cowd_leaf - what is bound in LEAF pages that follow each other
 * @master: to what, or NULL
 * @when: when it was, see cowd_table_age()
 */
struct cowd_leaf {
	struct cowd_master *master[LEAF];
	u16 when[LEAF];
};

static unsigned long regions(unsigned long leaves)
{
	return DIV_ROUND_UP(leaves * LEAF, COWD_REGION);
}

/* A larger copy of @old, which may be NULL; it is not freed. */
static unsigned long *grown(const unsigned long *old, unsigned long old_nr,
			    unsigned long nr)
{
	unsigned long *new = kvcalloc(BITS_TO_LONGS(nr), sizeof(long),
				      TABLE_GFP);

	if (new && old)
		memcpy(new, old, BITS_TO_LONGS(old_nr) * sizeof(long));
	return new;
}

/* A table of @leaves, with what is in that of @ram. */
static bool table_grow(struct cowd_table *t, const struct cowd_table *old,
		       unsigned long leaves)
{
	unsigned long had = old->leaves;

	t->leaves = leaves;
	t->leaf = kvcalloc(leaves, sizeof(*t->leaf), TABLE_GFP);
	t->touched = grown(old->touched, had * LEAF, leaves * LEAF);
	t->small = grown(old->small, regions(had), regions(leaves));
	t->settled = grown(old->settled, regions(had), regions(leaves));
	if (!t->leaf || !t->touched || !t->small || !t->settled)
		return false;
	if (had)
		memcpy(t->leaf, old->leaf, had * sizeof(*t->leaf));
	return true;
}

static void table_free(struct cowd_table *t)
{
	kvfree(t->settled);
	kvfree(t->small);
	kvfree(t->touched);
	kvfree(t->leaf);
	*t = (struct cowd_table){};
}

/**
 * cowd_table_resize - make the table fit a file of @nr pages
 * @ram: guest's memory, cowd_ram.lock held; nobody maps it if it grows
 * @nr: pages
 *
 * A table that is too large does no harm.
 *
 * Return: 0 or -ENOMEM.
 */
int cowd_table_resize(struct cowd_ram *ram, unsigned long nr)
{
	unsigned long leaves = DIV_ROUND_UP(nr, LEAF);
	struct cowd_table new = {};

	BUILD_BUG_ON(sizeof(struct cowd_leaf) > PAGE_SIZE);
	lockdep_assert_held(&ram->lock);
	if (leaves <= ram->table.leaves)
		return 0;
	if (WARN_ON_ONCE(ram->mappings))
		return -EBUSY;
	if (!table_grow(&new, &ram->table, leaves)) {
		table_free(&new);
		return -ENOMEM;
	}
	/* Holes look into the table of a file that nobody maps, too. */
	down_write(&ram->insert);
	swap(new, ram->table);
	up_write(&ram->insert);
	table_free(&new);
	return 0;
}

/**
 * cowd_table_prepare - make the leaves for some pages
 * @ram: guest's memory, cowd_ram.lock held
 * @first: first page
 * @n: pages, within the file, not 0
 *
 * Return: 0 or -ENOMEM.
 */
int cowd_table_prepare(struct cowd_ram *ram, pgoff_t first, unsigned int n)
{
	unsigned long i, last = (first + n - 1) / LEAF;
	struct cowd_leaf *leaf;

	lockdep_assert_held(&ram->lock);
	for (i = first / LEAF; i <= last; i++) {
		if (ram->table.leaf[i])
			continue;
		leaf = (void *)get_zeroed_page(TABLE_GFP);
		if (!leaf)
			return -ENOMEM;
		/* its zeros before the leaf, for cowd_table_load() */
		smp_store_release(&ram->table.leaf[i], leaf);
	}
	return 0;
}

/**
 * cowd_table_load - what is bound to a page
 * @ram: guest's memory; cowd_ram.insert or cowd_ram.lock is held, else the
 *	answer may be compared and nothing else
 * @pgoff: page, in a file that is mapped
 *
 * Return: the master or NULL.
 */
struct cowd_master *cowd_table_load(const struct cowd_ram *ram, pgoff_t pgoff)
{
	unsigned long i = pgoff / LEAF;
	struct cowd_leaf *leaf;

	if (i >= ram->table.leaves)
		return NULL;
	/* pairs with cowd_table_prepare() */
	leaf = smp_load_acquire(&ram->table.leaf[i]);
	if (!leaf)
		return NULL;
	/* pairs with cowd_table_swap(): the master's content is there */
	return smp_load_acquire(&leaf->master[pgoff % LEAF]);
}

/**
 * cowd_table_swap - bind another master, or none
 * @ram: guest's memory, cowd_ram.lock held
 * @pgoff: page whose leaf is there
 * @m: new master or NULL
 *
 * Return: what was bound before; others may be using it until the
 * caller has waited for them, see bind.c.
 */
struct cowd_master *cowd_table_swap(struct cowd_ram *ram, pgoff_t pgoff,
				    struct cowd_master *m)
{
	struct cowd_master **slot, *old;

	lockdep_assert_held(&ram->lock);
	slot = &ram->table.leaf[pgoff / LEAF]->master[pgoff % LEAF];
	old = *slot;
	/* its content before the master, for cowd_table_load() */
	smp_store_release(slot, m);
	ram->bound += !!m - !!old;
	return old;
}

/* Sixteenths of a second; they come round after an hour.  Never 0. */
static u16 stamp_now(void)
{
	return (u16)(get_jiffies_64() / (HZ / 16)) ?: 1;
}

/**
 * cowd_table_replace - bind other masters to pages that follow each other
 * @ram: guest's memory, cowd_ram.lock held
 * @first: first page; their leaves are there
 * @m: masters, and then what was bound before; see cowd_table_swap()
 * @n: pages
 */
void cowd_table_replace(struct cowd_ram *ram, pgoff_t first,
			struct cowd_master **m, unsigned int n)
{
	unsigned int at = first % LEAF, olds = 0, i = 0;
	struct cowd_leaf **leaf = &ram->table.leaf[first / LEAF];
	u16 now = stamp_now();

	lockdep_assert_held(&ram->lock);
	for (i = 0; i < n; i++, at++) {
		struct cowd_master *old;

		if (at == LEAF) {
			leaf++;
			at = 0;
		}
		old = (*leaf)->master[at];
		/* its content before the master, as cowd_table_swap() */
		smp_store_release(&(*leaf)->master[at], m[i]);
		(*leaf)->when[at] = now;
		olds += !!old;
		m[i] = old;
	}
	ram->bound += n - olds;
}

/**
 * cowd_table_slots - what is bound to pages that follow each other
 * @ram: guest's memory, cowd_ram.insert held
 * @first: first page
 * @n: how many; and how many there are slots for, at least one
 *
 * Return: masters or NULLs, to be read by smp_load_acquire(); NULL if nothing
 * is bound.
 */
struct cowd_master **cowd_table_slots(const struct cowd_ram *ram,
				      pgoff_t first, unsigned int *n)
{
	struct cowd_leaf *leaf;

	*n = min_t(unsigned int, *n, LEAF - first % LEAF);
	if (first / LEAF >= ram->table.leaves)
		return NULL;
	/* pairs with cowd_table_prepare() */
	leaf = smp_load_acquire(&ram->table.leaf[first / LEAF]);
	return leaf ? &leaf->master[first % LEAF] : NULL;
}

/**
 * cowd_table_next - the next page that is bound
 * @ram: guest's memory, cowd_ram.lock held
 * @pgoff: where to begin
 *
 * Return: the page; ULONG_MAX if there is none.
 */
pgoff_t cowd_table_next(const struct cowd_ram *ram, pgoff_t pgoff)
{
	unsigned long i;

	lockdep_assert_held(&ram->lock);
	for (i = pgoff / LEAF; i < ram->table.leaves; pgoff = ++i * LEAF) {
		if (!ram->table.leaf[i])
			continue;
		for (; pgoff < (i + 1) * LEAF; pgoff++)
			if (ram->table.leaf[i]->master[pgoff - i * LEAF])
				return pgoff;
	}
	return ULONG_MAX;
}

/* Nobody maps the file, and nothing is bound. */
void cowd_table_free_leaves(struct cowd_ram *ram)
{
	unsigned long i;

	WARN_ON_ONCE(ram->bound || ram->mappings);
	for (i = 0; i < ram->table.leaves; i++) {
		free_page((unsigned long)ram->table.leaf[i]);
		ram->table.leaf[i] = NULL;
	}
	if (ram->table.leaves)
		bitmap_zero(ram->table.touched, ram->table.leaves * LEAF);
}

/* And nobody will. */
void cowd_table_free(struct cowd_ram *ram)
{
	cowd_table_free_leaves(ram);
	table_free(&ram->table);
}

/* --- which pages may be mapped ------------------------------------------- */

/**
 * cowd_table_touch - pages are about to be put into a page table
 * @ram: guest's memory
 * @pgoff: first page, in a file that is mapped
 * @n: pages
 *
 * Called before the last look into the table that decides what is mapped: under
 * cowd_ram.insert, or under the lock of the page that is returned.  So whoever
 * binds and has waited for those (see bind.c) sees it.  A page table gets pages
 * of the file in no other way; fork(2) copies what is there.  In shared mode
 * the shmem file gets pages in no other way, either.
 */
void cowd_table_touch(struct cowd_ram *ram, pgoff_t pgoff, unsigned int n)
{
	unsigned long end = min(pgoff + n, ram->table.leaves * LEAF), at;

	for (at = find_next_zero_bit(ram->table.touched, end, pgoff); at < end;
	     at = find_next_zero_bit(ram->table.touched, end, at + 1))
		set_bit(at, ram->table.touched);
}

/* Is any of them? */
bool cowd_table_is_touched(const struct cowd_ram *ram, pgoff_t pgoff,
			   unsigned int n)
{
	return find_next_bit(ram->table.touched, pgoff + n, pgoff) < pgoff + n;
}

/**
 * cowd_table_untouch - they will not be in a page table
 * @ram: guest's memory, cowd_ram.lock held
 * @pgoff: first page
 * @n: pages
 *
 * Return: was any of them touched?  Then the caller has to unmap them.
 */
bool cowd_table_untouch(struct cowd_ram *ram, pgoff_t pgoff, unsigned int n)
{
	unsigned long end = pgoff + n, at;
	bool any = false;

	lockdep_assert_held(&ram->lock);
	for (at = find_next_bit(ram->table.touched, end, pgoff); at < end;
	     at = find_next_bit(ram->table.touched, end, at + 1)) {
		clear_bit(at, ram->table.touched);
		any = true;
	}
	return any;
}

/* --- where pages are small ----------------------------------------------- */

static void set_regions(unsigned long *map, pgoff_t first, unsigned int n)
{
	unsigned long i;

	for (i = first / COWD_REGION; i <= (first + n - 1) / COWD_REGION; i++)
		if (!test_bit(i, map))
			set_bit(i, map);
}

/**
 * cowd_table_make_small - there shall be no huge page in some regions
 * @ram: guest's memory, cowd_ram.lock held
 * @first: first page
 * @n: pages, not 0
 *
 * Before the lock is let go cowd_table_settle() says that there is none.  See
 * shared.c.
 */
void cowd_table_make_small(struct cowd_ram *ram, pgoff_t first, unsigned int n)
{
	lockdep_assert_held(&ram->lock);
	set_regions(ram->table.small, first, n);
}

/* As said there: none is mapped. */
void cowd_table_settle(struct cowd_ram *ram, pgoff_t first, unsigned int n)
{
	lockdep_assert_held(&ram->lock);
	/* after the unmapping, before anything is inserted there */
	smp_mb__before_atomic();
	set_regions(ram->table.settled, first, n);
}

bool cowd_table_is_small(const struct cowd_ram *ram, pgoff_t pgoff)
{
	return test_bit(pgoff / COWD_REGION, ram->table.small);
}

bool cowd_table_is_settled(const struct cowd_ram *ram, pgoff_t pgoff)
{
	bool settled = test_bit(pgoff / COWD_REGION, ram->table.settled);

	/* pairs with cowd_table_settle(): what is unmapped is seen so */
	smp_rmb();
	return settled;
}

/* --- when a page was bound ----------------------------------------------- */

/**
 * cowd_table_age - how long is it bound?
 * @ram: guest's memory, cowd_ram.lock held
 * @pgoff: a page that is bound, or that was, until it was broken
 *
 * Return: milliseconds, to a sixteenth of a second, less any hours; UINT_MAX if
 * it never was.
 */
unsigned int cowd_table_age(const struct cowd_ram *ram, pgoff_t pgoff)
{
	const struct cowd_leaf *leaf = ram->table.leaf[pgoff / LEAF];
	u16 age;

	if (!leaf || !leaf->when[pgoff % LEAF])
		return UINT_MAX;
	age = stamp_now() - leaf->when[pgoff % LEAF];
	return age * 1000 / 16;
}

/**
 * cowd_table_unstamp - a page is not bound any more, and was not broken
 * @ram: guest's memory, cowd_ram.lock held
 * @pgoff: page whose leaf is there
 */
void cowd_table_unstamp(struct cowd_ram *ram, pgoff_t pgoff)
{
	lockdep_assert_held(&ram->lock);
	ram->table.leaf[pgoff / LEAF]->when[pgoff % LEAF] = 0;
}
