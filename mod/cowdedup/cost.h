/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cost.h - to bind or to copy: which one has been cheaper
 *
 * Reads are told apart by their size and by whether their memory has pages
 * already.  Of each kind there are two averages, nanoseconds a page bound and a
 * page copied; the cheaper way is gone, and the other one now and then, so that
 * both averages follow what the machine does.
 *
 * Readers change the averages without a lock: what two of them make of the same
 * number at the same time is lost for one of them, and nothing else is.
 *
 * No kernel is needed here: the same file is tested in user space.
 */
#ifndef COWDEDUP_COST_H
#define COWDEDUP_COST_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/types.h>
#else
#include <linux/types.h>
#include <stdbool.h>

typedef __u32 u32;
typedef __u64 u64;

#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#endif

#define COWD_COST_FIRST		8	/* choices that go both ways in turn */
#define COWD_COST_EXPLORE	64	/* then one in so many */
#define COWD_COST_WEIGHT	8	/* what a sample counts: an eighth */
#define COWD_COST_OUTLIER	4	/* times an average, and it is none */
#define COWD_COST_SHIFT		4	/* an average is in 1/16 ns */
#define COWD_COST_MAX		0x40000000u	/* of it: 67 ms */

enum cowd_way {
	COWD_WAY_BIND,
	COWD_WAY_COPY,
	COWD_WAYS
};

/* Sizes: 1 page, 2 to 7, 8 to 31, more; each for new and for used memory. */
#define COWD_COST_SIZES		4
#define COWD_COST_KINDS		(2 * COWD_COST_SIZES)

/* Pages copied at a time, the fewest that are many: trying costs memory. */
#define COWD_COST_COPY		32

/**
 * struct cowd_cost - of reads of one kind
 * @average: of a page, by enum cowd_way, in 1/16 ns; 0: not known
 * @turns: how often was chosen
 */
struct cowd_cost {
	u32 average[COWD_WAYS];
	u32 turns;
};

/**
 * struct cowd_costs - of all reads, by cowd_cost_kind(); all 0 to begin with
 * @kind: of each kind
 */
struct cowd_costs {
	struct cowd_cost kind[COWD_COST_KINDS];
};

/**
 * cowd_cost_kind - of which kind is a read?
 * @pages: pages of it
 * @used: its memory may have pages already
 */
static inline unsigned int cowd_cost_kind(u64 pages, bool used)
{
	unsigned int size = (pages >= 2) + (pages >= 8) +
			    (pages >= COWD_COST_COPY);

	return used ? COWD_COST_SIZES + size : size;
}

/* What is not known is not chosen for its cost, and a tie is bound. */
static inline enum cowd_way cowd_cost_cheaper(const struct cowd_cost *c)
{
	u32 bind = READ_ONCE(c->average[COWD_WAY_BIND]);
	u32 copy = READ_ONCE(c->average[COWD_WAY_COPY]);

	return copy && copy < bind ? COWD_WAY_COPY : COWD_WAY_BIND;
}

/**
 * cowd_cost_choose - which way shall a read go?
 * @c: costs of its kind
 */
static inline enum cowd_way cowd_cost_choose(struct cowd_cost *c)
{
	u32 turn = READ_ONCE(c->turns);
	enum cowd_way way = cowd_cost_cheaper(c);

	/* When it comes round the first ones are not the first any more. */
	WRITE_ONCE(c->turns, turn + 1 ? turn + 1 : COWD_COST_FIRST);
	if (turn < COWD_COST_FIRST)
		return turn % 2 ? COWD_WAY_COPY : COWD_WAY_BIND;
	if (turn % COWD_COST_EXPLORE)
		return way;
	return way == COWD_WAY_BIND ? COWD_WAY_COPY : COWD_WAY_BIND;
}

/**
 * cowd_cost_learn - a read has gone one way
 * @c: costs of its kind
 * @way: which
 * @ns: what it took
 * @pages: pages done; if there are none nothing is learnt
 *
 * An interrupt, or a machine that was away, makes a sample many times too long:
 * none counts for more than COWD_COST_OUTLIER averages, and an average of more
 * than so many samples was made of one.
 */
static inline void cowd_cost_learn(struct cowd_cost *c, enum cowd_way way,
				   u64 ns, u64 pages)
{
	u64 old = READ_ONCE(c->average[way]), now;

	if (!pages)
		return;
	if (ns > COWD_COST_MAX)
		ns = COWD_COST_MAX;
	now = (ns << COWD_COST_SHIFT) / pages;
	/* 0 is not known */
	now += !now;
	if (now > COWD_COST_MAX)
		now = COWD_COST_MAX;
	if (old && now > old * COWD_COST_OUTLIER)
		now = old * COWD_COST_OUTLIER;
	if (old > now * COWD_COST_OUTLIER)
		old = now * COWD_COST_OUTLIER;
	/* rounded up, so that it reaches what it follows */
	if (old && now > old)
		now = old + (now - old + COWD_COST_WEIGHT - 1) /
			    COWD_COST_WEIGHT;
	else if (old)
		now = old - (old - now + COWD_COST_WEIGHT - 1) /
			    COWD_COST_WEIGHT;
	WRITE_ONCE(c->average[way], now);
}

#endif /* COWDEDUP_COST_H */
