// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages.c - which pages are shared, and what that saves
 *
 * Every page of a guest that is bound and not private uses a master.  A master
 * with n users saves n - 1 pages; each of its users has (n - 1) / n of that.
 * Masters are told apart by image and page here; those that content=on has made
 * one save a page more, which is the mount's: nobody tells which they are.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "guests.h"

/* Documentation/admin-guide/mm/pagemap.rst of the kernel */
#define PM_PRESENT	(1ull << 63)
#define PM_SWAP		(1ull << 62)
#define PM_FILE		(1ull << 61)

/* Room for one more in an array whose size is a power of two, as it fills. */
void *grow(void *array, size_t nr, size_t size)
{
	if (nr & (nr - 1))
		return array;
	return realloc(array, (nr ? nr * 2 : 1) * size);
}

/* An anonymous page, in memory or swapped out: a master is not swapped. */
bool entry_is_private(uint64_t e)
{
	return (e & (PM_PRESENT | PM_SWAP)) && !(e & PM_FILE);
}

/* The page of the file behind the last that is mapped. */
uint64_t guest_end(const struct guest *g)
{
	uint64_t end = 0, e;
	size_t i;

	for (i = 0; i < g->nr_parts; i++) {
		e = g->part[i].first + g->part[i].pages;
		if (e > end)
			end = e;
	}
	return end;
}

static bool count_part(struct guest *g, const struct part *p, uint64_t page,
		       int pagemap, uint8_t *state)
{
	uint64_t e[4096], done = 0, i;
	ssize_t got;

	while (done < p->pages) {
		i = p->pages - done < 4096 ? p->pages - done : 4096;
		got = pread(pagemap, e, i * 8,
			    (off_t)(p->addr / page + done) * 8);
		if (got < 8)
			return false;
		for (i = 0; i < (uint64_t)got / 8; i++, done++) {
			uint8_t *s = &state[p->first + done];

			if (entry_is_private(e[i])) {
				g->private++;
				*s = PAGE_PRIVATE;
			} else if (*s == PAGE_UNMAPPED) {
				*s = PAGE_OF_FILE;
			}
		}
	}
	return true;
}

/* Into @state, a byte for each page of the file, what the process has there. */
bool count_private(struct guest *g, int pagemap, uint8_t *state)
{
	uint64_t page = sysconf(_SC_PAGESIZE);
	size_t i;

	for (i = 0; i < g->nr_parts; i++)
		if (!count_part(g, &g->part[i], page, pagemap, state))
			return false;
	return true;
}

static struct image_share *share_of_image(struct guest *g, uint64_t image)
{
	struct image_share *s;
	size_t i;

	for (i = 0; i < g->nr_images; i++)
		if (g->image[i].image == image)
			return &g->image[i];
	s = grow(g->image, g->nr_images, sizeof(*s));
	if (!s)
		return NULL;
	g->image = s;
	s += g->nr_images++;
	*s = (struct image_share){ .image = image };
	return s;
}

static bool add_shared(struct guest *g, uint64_t ram, uint64_t image,
		       uint64_t index)
{
	struct run *r = g->nr_runs ? &g->run[g->nr_runs - 1] : NULL;

	if (r && r->image == image && r->ram + r->pages == ram &&
	    r->index + r->pages == index) {
		r->pages++;
		return true;
	}
	r = grow(g->run, g->nr_runs, sizeof(*r));
	if (!r)
		return false;
	g->run = r;
	r[g->nr_runs++] = (struct run){ ram, image, index, 1 };
	return true;
}

/*
 * Pages of a guest that are bound.  Those that this process does not map, it
 * does not share.  False without memory.
 */
bool count_extent(struct guest *g, const uint8_t *state,
		  const struct cowdedup_extent *e)
{
	struct image_share *s = share_of_image(g, e->image);
	uint64_t i, page, end = guest_end(g);

	if (!s)
		return false;
	for (i = 0; i < e->pages; i++) {
		page = e->ram + i;
		if (page >= end || state[page] == PAGE_UNMAPPED)
			continue;
		if (state[page] == PAGE_PRIVATE) {
			s->broken++;
			g->broken++;
			continue;
		}
		s->shared++;
		g->shared++;
		if (!add_shared(g, page, e->image, e->index + i))
			return false;
	}
	return true;
}

/* --- users of masters ----------------------------------------------------- */

#define CHUNK	4096

/* How many users each page of an image has; images can have large holes. */
struct users {
	int mount;
	uint64_t image;
	uint32_t **chunk;
	uint64_t chunks;
};

struct census {
	struct users *image;
	size_t nr;
};

static struct users *users_of(struct census *c, int mount, uint64_t image)
{
	struct users *u;
	size_t i;

	for (i = 0; i < c->nr; i++)
		if (c->image[i].mount == mount && c->image[i].image == image)
			return &c->image[i];
	u = grow(c->image, c->nr, sizeof(*u));
	if (!u)
		return NULL;
	c->image = u;
	u += c->nr++;
	*u = (struct users){ .mount = mount, .image = image };
	return u;
}

static uint32_t *count_at(struct users *u, uint64_t index)
{
	uint64_t at = index / CHUNK;
	uint32_t **chunk;

	if (at >= u->chunks) {
		chunk = realloc(u->chunk, (at + 1) * sizeof(*chunk));
		if (!chunk)
			return NULL;
		memset(chunk + u->chunks, 0,
		       (at + 1 - u->chunks) * sizeof(*chunk));
		u->chunk = chunk;
		u->chunks = at + 1;
	}
	if (!u->chunk[at])
		u->chunk[at] = calloc(CHUNK, sizeof(**u->chunk));
	return u->chunk[at] ? &u->chunk[at][index % CHUNK] : NULL;
}

static bool add_users(struct census *c, const struct guest *g)
{
	struct users *u;
	uint32_t *n;
	uint64_t i;
	size_t r;

	for (r = 0; r < g->nr_runs; r++) {
		u = users_of(c, g->mount, g->run[r].image);
		for (i = 0; u && i < g->run[r].pages; i++) {
			n = count_at(u, g->run[r].index + i);
			if (!n)
				return false;
			++*n;
		}
		if (!u)
			return false;
	}
	return true;
}

/* Its part of what its images' masters save; all were counted before. */
static void share_out(struct census *c, struct guest *g, uint64_t page)
{
	double saved[g->nr_images + 1], sum = 0;
	struct image_share *s;
	struct users *u;
	uint64_t i;
	size_t r;

	memset(saved, 0, sizeof(saved));
	for (r = 0; r < g->nr_runs; r++) {
		s = share_of_image(g, g->run[r].image);
		u = users_of(c, g->mount, g->run[r].image);
		for (i = 0; i < g->run[r].pages; i++) {
			double n = *count_at(u, g->run[r].index + i);

			saved[s - g->image] += (n - 1) / n;
		}
	}
	for (r = 0; r < g->nr_images; r++) {
		g->image[r].saved = saved[r] * page + 0.5;
		sum += saved[r];
	}
	g->saved = sum * page + 0.5;
}

static void sum_up(struct guests *all, const struct users *u)
{
	struct share_mount *m = &all->mount[u->mount];
	uint64_t at, i;

	for (at = 0; at < u->chunks; at++)
		for (i = 0; u->chunk[at] && i < CHUNK; i++)
			if (u->chunk[at][i] > 1)
				m->saved += (u->chunk[at][i] - 1) * all->page;
}

/* When all guests' pages are known.  False without memory. */
bool count_saved(struct guests *all)
{
	struct census c = { NULL, 0 };
	bool ok = true;
	uint64_t at;
	size_t i;

	for (i = 0; i < all->nr_mounts; i++)
		all->mount[i].saved = all->mount[i].alike * all->page;
	for (i = 0; i < all->nr && ok; i++)
		ok = add_users(&c, &all->guest[i]);
	for (i = 0; i < all->nr && ok; i++)
		share_out(&c, &all->guest[i], all->page);
	for (i = 0; i < c.nr; i++) {
		if (ok)
			sum_up(all, &c.image[i]);
		for (at = 0; at < c.image[i].chunks; at++)
			free(c.image[i].chunk[at]);
		free(c.image[i].chunk);
	}
	free(c.image);
	return ok;
}
