// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_replicas - masters have copies on the nodes that read them; on a machine
 * of two nodes
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define PAGES	300		/* more than are bound together */
#define SEED	61
#define GUESTS	6

FIXTURE(replicas)
{
	struct place p;
	struct guest g[GUESTS];
	unsigned int guests;
	int image;
};

/* What is read from here on is for that node. */
static void go_to(int node)
{
	must(!numa_run_on_node(node), "numa_run_on_node");
}

static void __attribute__((constructor)) look(void)
{
	needs(numa_available() >= 0 && numa_max_node() > 0,
	      "this machine has one node");
}

FIXTURE_SETUP(replicas)
{
	place_open_with(&self->p, "tmpfs", "images", "mode=755",
			",replicas=on");
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	go_to(0);
}

FIXTURE_TEARDOWN(replicas)
{
	while (self->guests--) {
		unlink(self->g[self->guests].path);
		guest_close(&self->g[self->guests]);
	}
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
	numa_run_on_node(-1);
}

/* One guest more, that has not read yet. */
static struct guest *guest_new(FIXTURE_DATA(replicas) *self)
{
	struct guest *g = &self->g[self->guests];
	char name[16];

	snprintf(name, sizeof(name), "guest%u", self->guests++);
	guest_open(g, &self->p, name, PAGES);
	return g;
}

static void read_all(FIXTURE_DATA(replicas) *self, struct guest *g)
{
	must(pread(self->image, g->ram, PAGES * PAGE, 0) == PAGES * PAGE,
	     "pread");
}

/* One that reads all of the image for a node. */
static struct guest *guest_on(FIXTURE_DATA(replicas) *self, int node)
{
	struct guest *g = guest_new(self);

	go_to(node);
	read_all(self, g);
	return g;
}

/* How many of its pages lie there?  It looks at each first. */
static unsigned int pages_on(const struct guest *g, int node)
{
	static void *addr[PAGES];
	static int status[PAGES];
	unsigned int i, n = 0;

	for (i = 0; i < g->pages; i++) {
		addr[i] = g->ram + i * PAGE;
		*(volatile char *)addr[i];
	}
	must(!move_pages(0, g->pages, addr, NULL, status, 0), "move_pages");
	for (i = 0; i < g->pages; i++)
		n += status[i] == node;
	return n;
}

static bool is_right(const struct guest *g)
{
	return holds_image(g->ram, SEED, 0, PAGES * PAGE);
}

/* --- they are made ------------------------------------------------------- */

TEST_F(replicas, the_second_read_makes_them)
{
	struct guest *g;
	unsigned int i;

	EXPECT_EQ(PAGES, pages_on(guest_on(self, 0), 0));
	EXPECT_EQ(PAGES, pages_on(guest_on(self, 1), 0));
	EXPECT_EQ(0, counter(&self->p, "replicas_made"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	g = guest_on(self, 1);
	EXPECT_EQ(PAGES, pages_on(g, 1));
	EXPECT_EQ(PAGES, counter(&self->p, "replicas_made"));
	EXPECT_EQ(PAGES, counter(&self->p, "replicas"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "masters"));
	/* from then on they are there, and so are the masters */
	EXPECT_EQ(PAGES, pages_on(guest_on(self, 1), 1));
	EXPECT_EQ(PAGES, pages_on(guest_on(self, 0), 0));
	EXPECT_EQ(PAGES, counter(&self->p, "replicas_made"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "masters_made"));
	EXPECT_EQ(5 * PAGES, counter(&self->p, "pages_sharing"));
	/* who writes to one writes to a page of its own */
	memset(g->ram + 5 * PAGE, 7, 3 * PAGE);
	EXPECT_TRUE(holds_byte(g->ram + 5 * PAGE, 7, 3 * PAGE));
	EXPECT_TRUE(holds_image(g->ram, SEED, 0, 5 * PAGE));
	for (i = 0; i < self->guests; i++)
		EXPECT_TRUE(&self->g[i] == g || is_right(&self->g[i]));
}

TEST_F(replicas, a_policy_says_where)
{
	struct guest *g;
	int i;

	guest_on(self, 0);
	for (i = 0; i < 2; i++) {
		unsigned long nodes = 1 << 1;

		g = guest_new(self);
		ASSERT_EQ(0, mbind(g->ram, PAGES * PAGE, MPOL_BIND, &nodes,
				   8 * sizeof(nodes), 0));
		read_all(self, g);
	}
	EXPECT_EQ(PAGES, pages_on(g, 1));
	EXPECT_EQ(PAGES, counter(&self->p, "replicas"));
	EXPECT_TRUE(is_right(g));
}

TEST_F(replicas, not_without_the_option)
{
	struct place p;
	struct guest g;
	int image, i;

	place_open(&p);
	image_create(&p, "base", SEED, PAGES * PAGE);
	image = image_open(&p, "base", O_RDONLY);
	guest_open(&g, &p, "g", PAGES);
	for (i = 0; i < 6; i++) {
		go_to(i > 0);
		EXPECT_EQ(PAGES * PAGE, pread(image, g.ram, PAGES * PAGE, 0));
		EXPECT_EQ(PAGES, pages_on(&g, 0));
	}
	EXPECT_EQ(0, counter(&p, "replicas_made"));
	EXPECT_EQ(PAGES, counter(&p, "masters"));
	unlink(g.path);
	guest_close(&g);
	close(image);
	EXPECT_TRUE(place_close(&p));
}

/* No memory for more: the masters do. */
TEST_F(replicas, not_beyond_the_limit)
{
	char path[160], limit[32];

	snprintf(path, sizeof(path), "%smax_masters", self->p.sysfs);
	snprintf(limit, sizeof(limit), "%d", PAGES + PAGES / 2);
	ASSERT_EQ(0, write_text(path, limit));
	guest_on(self, 0);
	guest_on(self, 1);
	EXPECT_EQ(PAGES / 2, pages_on(guest_on(self, 1), 1));
	EXPECT_EQ(PAGES / 2, counter(&self->p, "replicas"));
	EXPECT_EQ(0, counter(&self->p, "copied_memory"));
	EXPECT_EQ(0, counter(&self->p, "masters_reclaimed"));
	EXPECT_TRUE(is_right(&self->g[2]));
}

/* Equal pages of images are held once for each node. */
TEST_F(replicas, with_content)
{
	struct place p;
	struct guest g;
	int fd[2], i;

	place_open_with(&p, "tmpfs", "images", "mode=755",
			",replicas=on,content=on");
	image_create(&p, "one", SEED, PAGES * PAGE);
	image_create(&p, "two", SEED, PAGES * PAGE);
	fd[0] = image_open(&p, "one", O_RDONLY);
	fd[1] = image_open(&p, "two", O_RDONLY);
	guest_open(&g, &p, "g", PAGES);
	for (i = 0; i < 6; i++) {
		go_to(i >= 2);
		EXPECT_EQ(PAGES * PAGE, pread(fd[i % 2], g.ram, PAGES * PAGE,
					      0));
		EXPECT_TRUE(is_right(&g));
	}
	EXPECT_EQ(PAGES, pages_on(&g, 1));
	EXPECT_EQ(2 * PAGES, counter(&p, "masters"));
	EXPECT_EQ(PAGES, counter(&p, "replicas"));
	EXPECT_EQ(2 * PAGES, counter(&p, "masters_sharing"));
	unlink(g.path);
	guest_close(&g);
	close(fd[0]);
	close(fd[1]);
	EXPECT_TRUE(place_close(&p));
}

/* --- they go ------------------------------------------------------------- */

/*
 * The page that the guest has written to does not ask for its master; in shared
 * memory it is not bound any more.
 */
TEST_F(replicas, a_page_that_lost_its_own_shows_the_master)
{
	uint64_t bound = 3 * PAGES - shared_mode();
	struct guest *g;

	guest_on(self, 0);
	guest_on(self, 1);
	g = guest_on(self, 1);
	ASSERT_EQ(PAGES, pages_on(g, 1));
	memset(g->ram, 7, PAGE);
	squeeze(&self->p);
	EXPECT_EQ(0, counter(&self->p, "replicas"));
	EXPECT_EQ(bound, counter(&self->p, "pages_sharing"));
	/* who is the first to look has it on its node */
	go_to(0);
	EXPECT_TRUE(is_right(&self->g[0]));
	go_to(1);
	EXPECT_TRUE(holds_byte(g->ram, 7, PAGE));
	EXPECT_TRUE(holds_image(g->ram + PAGE, SEED, PAGE,
				(PAGES - 1) * PAGE));
	EXPECT_GE(pages_on(g, 0), PAGES - 1);
	EXPECT_EQ(PAGES - 1, counter(&self->p, "replicas_left"));
	EXPECT_EQ(PAGES, counter(&self->p, "replicas_made"));
	EXPECT_EQ(0, counter(&self->p, "replicas"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(bound, counter(&self->p, "pages_sharing"));
	/* they come again as they came first */
	guest_on(self, 1);
	EXPECT_LE(counter(&self->p, "replicas"), 1);
	EXPECT_EQ(PAGES, pages_on(guest_on(self, 1), 1));
	EXPECT_EQ(PAGES, counter(&self->p, "replicas"));
}

/*
 * At the limit of masters, a guest reads another image, and all of it is bound:
 * others have gone for that.
 */
static struct guest *another_image(FIXTURE_DATA(replicas) *self)
{
	struct guest *g = guest_new(self);
	char path[160], limit[32];
	int image;

	snprintf(path, sizeof(path), "%smax_masters", self->p.sysfs);
	snprintf(limit, sizeof(limit), "%lu", counter(&self->p, "masters"));
	must(!write_text(path, limit), "max_masters");
	image_create(&self->p, "more", SEED + 1, PAGES * PAGE);
	image = image_open(&self->p, "more", O_RDONLY);
	go_to(0);
	must(pread(image, g->ram, PAGES * PAGE, 0) == PAGES * PAGE, "pread");
	must(!counter(&self->p, "copied_memory"), "all of it bound");
	must(!write_text(path, "0"), "max_masters");
	close(image);
	return g;
}

/* Those that nobody maps go, and masters that nobody maps do not. */
TEST_F(replicas, they_make_room)
{
	struct guest *g;
	int i;

	guest_on(self, 0);
	guest_on(self, 1);
	guest_on(self, 1);
	ASSERT_EQ(PAGES, counter(&self->p, "replicas"));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, madvise(self->g[i].ram, PAGES * PAGE,
				     MADV_DONTNEED));
	g = another_image(self);
	EXPECT_EQ(0, counter(&self->p, "replicas"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_reclaimed"));
	EXPECT_TRUE(holds_image(g->ram, SEED + 1, 0, PAGES * PAGE));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(is_right(&self->g[i]));
	EXPECT_EQ(PAGES, counter(&self->p, "replicas_left"));
	EXPECT_EQ(0, counter(&self->p, "faults_again"));
}

/* What is left of a master is a replica, and that is enough. */
TEST_F(replicas, without_the_master)
{
	uint64_t made;
	int i;

	guest_on(self, 0);
	guest_on(self, 1);
	guest_on(self, 1);
	/* the masters are nobody's now, so they go for others */
	for (i = 0; i < 2; i++)
		read_all(self, &self->g[i]);
	EXPECT_EQ(PAGES, pages_on(&self->g[0], 1));
	another_image(self);
	ASSERT_EQ(PAGES, counter(&self->p, "replicas"));
	ASSERT_EQ(2 * PAGES, counter(&self->p, "masters"));
	made = counter(&self->p, "masters_made");
	EXPECT_EQ(PAGES, pages_on(guest_on(self, 1), 1));
	EXPECT_EQ(made, counter(&self->p, "masters_made"));
	/* on the other node it is read anew */
	EXPECT_EQ(PAGES, pages_on(guest_on(self, 0), 0));
	EXPECT_EQ(made + PAGES, counter(&self->p, "masters_made"));
	EXPECT_TRUE(is_right(&self->g[0]));
	EXPECT_TRUE(is_right(&self->g[4]));
	EXPECT_TRUE(is_right(&self->g[5]));
}

/* Broken memory under a replica: it is copied anew, when it is read again. */
TEST_F(replicas, broken_memory)
{
	struct guest *g;

	/* the page is lost to the machine until it is booted anew */
	if (getenv("NUMASHARE_GENTLE"))
		SKIP(return, "it takes pages from the machine");
	guest_on(self, 0);
	guest_on(self, 1);
	g = guest_on(self, 1);
	ASSERT_EQ(PAGES, pages_on(g, 1));
	/* madvise() says that it does not know such a page */
	madvise(g->ram + 3 * PAGE, PAGE, MADV_HWPOISON);
	ASSERT_EQ(PAGES * PAGE, pread(self->image, g->ram, PAGES * PAGE, 0));
	EXPECT_EQ(1, counter(&self->p, "masters_retired"));
	EXPECT_EQ(PAGES - 1, pages_on(g, 1));
	EXPECT_TRUE(is_right(g));
	ASSERT_EQ(PAGES * PAGE, pread(self->image, g->ram, PAGES * PAGE, 0));
	EXPECT_EQ(PAGES, pages_on(g, 1));
	EXPECT_EQ(PAGES + 1, counter(&self->p, "replicas_made"));
	EXPECT_TRUE(is_right(g));
	EXPECT_TRUE(is_right(&self->g[0]));
	EXPECT_TRUE(is_right(&self->g[1]));
}

TEST_HARNESS_MAIN
