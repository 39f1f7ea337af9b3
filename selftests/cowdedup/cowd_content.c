// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_content - content=on: equal pages of the images of a mount are held
 * once, and nothing else is
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define SEED	61
#define PAGES	64		/* of most images and guests */
#define ALIKE	4		/* pages of one hash that are kept */
#define TOGETHER 256		/* blocks that one page shows at most */
#define WORDS	(PAGE / 8)

FIXTURE(content)
{
	struct place p;
	struct guest a, b;
};

FIXTURE_SETUP(content)
{
	/* the harness ends a test without a flush */
	setvbuf(stdout, NULL, _IOLBF, 0);
	place_open_with(&self->p, "tmpfs", "images", "mode=755",
			",content=on");
	guest_open(&self->a, &self->p, "a", PAGES);
	guest_open(&self->b, &self->p, "b", PAGES);
}

FIXTURE_TEARDOWN(content)
{
	guest_close(&self->a);
	guest_close(&self->b);
	EXPECT_EQ(0, counter(&self->p, "masters_sharing"));
	EXPECT_TRUE(place_close(&self->p));
}

/* --- images and reads ---------------------------------------------------- */

static void fill_block(uint64_t *mem, uint64_t seed, uint64_t page)
{
	unsigned int w;

	for (w = 0; w < WORDS; w++)
		mem[w] = word_of(seed, page, w);
}

/* Add a block to an image; the file is there then. */
static void add_block(const struct place *p, const char *name, const void *mem)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->images, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	must(fd >= 0, path);
	must(write(fd, mem, PAGE) == PAGE, "write");
	close(fd);
}

/* Block I of it is page FIRST + I * STEP of what @seed makes. */
static void make_image(const struct place *p, const char *name, uint64_t seed,
		       long first, long step, unsigned int blocks)
{
	uint64_t mem[WORDS];
	unsigned int i;

	for (i = 0; i < blocks; i++) {
		fill_block(mem, seed, first + i * step);
		add_block(p, name, mem);
	}
}

/* Read @n blocks of an image into memory, in the way that is bound. */
static bool read_blocks(const struct place *p, const char *name, void *mem,
			unsigned int from, unsigned int n)
{
	int fd = image_open(p, name, O_RDONLY);
	ssize_t got;

	must(fd >= 0, name);
	got = pread(fd, mem, n * PAGE, from * PAGE);
	close(fd);
	return got == (ssize_t)(n * PAGE);
}

/* Is block I page FIRST + I * STEP? */
static bool holds(const char *mem, uint64_t seed, long first, long step,
		  unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!holds_image(mem + i * PAGE, seed,
				 (first + i * step) * PAGE, PAGE))
			return false;
	return true;
}

/* How many of @n pages have the same frame as the other's, in reverse? */
static unsigned int same_reversed(const char *a, const char *b, unsigned int n)
{
	unsigned int i, same = 0;

	for (i = 0; i < n; i++)
		same += frame_of(a + i * PAGE) &&
			frame_of(a + i * PAGE) ==
			frame_of(b + (n - 1 - i) * PAGE);
	return same;
}

/* "fw" is pages 0 to PAGES - 1, "bw" the same in reverse. */
static void make_both(const struct place *p)
{
	make_image(p, "fw", SEED, 0, 1, PAGES);
	make_image(p, "bw", SEED, PAGES - 1, -1, PAGES);
}

static bool read_both(const struct place *p, struct guest *a, struct guest *b)
{
	return read_blocks(p, "fw", a->ram, 0, PAGES) &&
	       read_blocks(p, "bw", b->ram, 0, PAGES) &&
	       holds(a->ram, SEED, 0, 1, PAGES) &&
	       holds(b->ram, SEED, PAGES - 1, -1, PAGES);
}

/* Memory is short until what @name counts is @left at most. */
static void squeeze_to(const struct place *p, const char *name, uint64_t left)
{
	int tries = 100;

	while (counter(p, name) > left && tries--) {
		must(!write_text("/proc/sys/vm/drop_caches", "2"), "squeeze");
		usleep(50000);
	}
}

static void punch(const struct guest *g, unsigned int from, unsigned int n)
{
	must(!fallocate(g->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			from * PAGE, n * PAGE), "punch");
}

/* --- what is held once --------------------------------------------------- */

TEST_F(content, equal_blocks_of_two_images)
{
	int fw, bw;

	make_both(&self->p);
	fw = image_open(&self->p, "fw", O_RDONLY);
	bw = image_open(&self->p, "bw", O_RDONLY);
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	EXPECT_EQ(PAGES, same_reversed(self->a.ram, self->b.ram, PAGES));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_merged"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_sharing"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "masters_made"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "pages_sharing"));
	EXPECT_EQ(2 * PAGES * PAGE, counter(&self->p, "bytes_hashed"));
	EXPECT_EQ(0, counter(&self->p, "hash_collisions"));
	EXPECT_EQ(0, counter(&self->p, "copied_error"));
	/* what is there is not looked for again */
	ASSERT_TRUE(read_both(&self->p, &self->b, &self->a));
	EXPECT_EQ(2 * PAGES * PAGE, counter(&self->p, "bytes_hashed"));
	EXPECT_EQ(PAGES, same_reversed(self->a.ram, self->b.ram, PAGES));
	close(fw);
	close(bw);
}

TEST_F(content, different_blocks_are_not)
{
	uint64_t mem[WORDS];
	unsigned int i;

	make_image(&self->p, "one", SEED, 0, 1, PAGES / 2);
	make_image(&self->p, "other", SEED + 1, 0, 1, PAGES / 2);
	/* and those that differ in the last bit, the first, or one between */
	fill_block(mem, SEED, 0);
	mem[WORDS - 1] ^= 1ull << 63;
	add_block(&self->p, "near", mem);
	fill_block(mem, SEED, 0);
	mem[0] ^= 1;
	add_block(&self->p, "near", mem);
	fill_block(mem, SEED, 0);
	mem[WORDS / 2] ^= 1 << 20;
	add_block(&self->p, "near", mem);
	ASSERT_TRUE(read_blocks(&self->p, "one", self->a.ram, 0, PAGES / 2));
	ASSERT_TRUE(read_blocks(&self->p, "other",
				self->a.ram + PAGES / 2 * PAGE, 0, PAGES / 2));
	ASSERT_TRUE(read_blocks(&self->p, "near", self->b.ram, 0, 3));
	EXPECT_TRUE(holds(self->a.ram, SEED, 0, 1, PAGES / 2));
	EXPECT_TRUE(holds(self->a.ram + PAGES / 2 * PAGE, SEED + 1, 0, 1,
			  PAGES / 2));
	EXPECT_EQ(0, memcmp(self->b.ram + 2 * PAGE, mem, PAGE));
	for (i = 0; i < 3; i++)
		EXPECT_NE(0, memcmp(self->b.ram + i * PAGE, self->a.ram, PAGE));
	EXPECT_EQ(0, counter(&self->p, "masters_merged"));
	EXPECT_EQ(PAGES + 3, counter(&self->p, "masters"));
}

TEST_F(content, equal_blocks_of_one_image)
{
	unsigned int i;

	make_image(&self->p, "twice", SEED, 0, 1, PAGES / 2);
	make_image(&self->p, "twice", SEED, 0, 1, PAGES / 2);
	ASSERT_TRUE(read_blocks(&self->p, "twice", self->a.ram, 0, PAGES));
	EXPECT_TRUE(holds(self->a.ram, SEED, 0, 1, PAGES / 2));
	EXPECT_TRUE(holds(self->a.ram + PAGES / 2 * PAGE, SEED, 0, 1,
			  PAGES / 2));
	for (i = 0; i < PAGES / 2; i++)
		EXPECT_EQ(frame_of(self->a.ram + i * PAGE),
			  frame_of(self->a.ram + (PAGES / 2 + i) * PAGE));
	EXPECT_EQ(PAGES / 2, counter(&self->p, "masters"));
}

/* One page stands for so many blocks, and the next for more. */
TEST_F(content, a_page_shows_so_many_blocks)
{
	static const char zeros[PAGE];
	unsigned int n = 2 * TOGETHER + 88, i, frames = 1;
	struct place p;
	struct guest g;

	place_open_with(&p, "tmpfs", "images", "mode=755",
			",content=on,reclaim=off");
	for (i = 0; i < n; i++)
		add_block(&p, "zeros", zeros);
	guest_open(&g, &p, "g", n);
	ASSERT_TRUE(read_blocks(&p, "zeros", g.ram, 0, n));
	EXPECT_TRUE(holds_byte(g.ram, 0, n * PAGE));
	EXPECT_EQ(3, counter(&p, "masters"));
	EXPECT_EQ(n - 3, counter(&p, "masters_sharing"));
	for (i = 1; i < n; i++)
		frames += frame_of(g.ram + i * PAGE) !=
			  frame_of(g.ram + (i - 1) * PAGE);
	EXPECT_EQ(3, frames);
	EXPECT_EQ(0, counter(&p, "hash_collisions"));
	/* blocks go one by one, and their page with the last of them */
	punch(&g, 0, TOGETHER + 10);
	squeeze_to(&p, "masters_sharing", n - TOGETHER - 10 - 2);
	EXPECT_EQ(2, counter(&p, "masters"));
	EXPECT_EQ(n - TOGETHER - 10 - 2, counter(&p, "masters_sharing"));
	EXPECT_EQ(1, counter(&p, "masters_reclaimed"));
	EXPECT_TRUE(holds_byte(g.ram, 0, n * PAGE));
	guest_close(&g);
	EXPECT_TRUE(place_close(&p));
}

/* --- hashes that collide ------------------------------------------------- */

/*
 * XXH64 takes a page as 128 rows of four words.  In each of four columns it
 * does acc = rotl(acc + word * P2, 31) * P1.  Add 2^32 / P2 to a word: if bit
 * 32 of that sum was 0 only this bit changes, it is rotated to be the highest,
 * P1 is odd, so acc differs by 2^63; and 2^63 added to the word below makes it
 * equal again.  Whether the bit was 0 depends on the seed, which nobody knows:
 * half of such changes collide, with the page and with each other.
 */
#define P2	0xc2b2ae3d27d4eb4full
#define CHANGES	48

static uint64_t inverse(uint64_t odd)
{
	uint64_t x = odd;
	int i;

	for (i = 0; i < 6; i++)
		x *= 2 - odd * x;
	return x;
}

static void change_block(uint64_t *mem, unsigned int change)
{
	/* from the first word of the page to the last */
	unsigned int word = change * 63 / (CHANGES - 1) * 8 + change % 4;

	fill_block(mem, SEED, 0);
	mem[word] += inverse(P2) << 32;
	mem[word + 4] += 1ull << 63;
}

/* Which of them, from @from on, are right? */
static bool holds_changes(const char *mem, unsigned int from)
{
	uint64_t want[WORDS];
	unsigned int i;

	for (i = from; i < CHANGES; i++) {
		change_block(want, i);
		if (memcmp(mem + i * PAGE, want, PAGE))
			return false;
	}
	return true;
}

/*
 * The page comes first.  Of K pages that collide with it the first is compared
 * with one, the second with two, and from the third on each with all the four
 * that are kept.  From how often that was, K is known; and those three that
 * were kept, and all that do not collide, find themselves in another image.
 */
TEST_F(content, colliding_hashes_are_told_apart)
{
	uint64_t mem[WORDS], collisions, kept = ALIKE - 1, k;
	unsigned int i;

	make_image(&self->p, "page", SEED, 0, 1, 1);
	for (i = 0; i < CHANGES; i++) {
		change_block(mem, i);
		add_block(&self->p, "changed", mem);
		add_block(&self->p, "again", mem);
	}
	ASSERT_TRUE(read_blocks(&self->p, "page", self->a.ram, 0, 1));
	ASSERT_TRUE(read_blocks(&self->p, "changed", self->b.ram, 0, CHANGES));
	collisions = counter(&self->p, "hash_collisions");
	k = (collisions + 6) / 4;
	printf("# %lu of %d collide\n", k, CHANGES);
	/* less than one in a million times it is outside of this */
	ASSERT_GE(k, CHANGES / 8);
	ASSERT_LE(k, CHANGES * 7 / 8);
	EXPECT_EQ(4 * k - 6, collisions);
	EXPECT_TRUE(holds(self->a.ram, SEED, 0, 1, 1));
	EXPECT_TRUE(holds_changes(self->b.ram, 0));
	EXPECT_EQ(0, counter(&self->p, "masters_merged"));
	EXPECT_EQ(CHANGES + 1, counter(&self->p, "masters"));
	ASSERT_TRUE(read_blocks(&self->p, "again", self->a.ram + PAGE, 0,
				CHANGES));
	EXPECT_TRUE(holds_changes(self->a.ram + PAGE, 0));
	EXPECT_EQ(CHANGES - k + kept, counter(&self->p, "masters_merged"));
	EXPECT_EQ(1 + CHANGES + k - kept, counter(&self->p, "masters"));
}

/* --- who is apart -------------------------------------------------------- */

TEST_F(content, off_merges_nothing)
{
	struct guest a, b;
	struct place p;

	place_open_with(&p, "tmpfs", "images", "mode=755", ",content=off");
	guest_open(&a, &p, "a", PAGES);
	guest_open(&b, &p, "b", PAGES);
	make_both(&p);
	ASSERT_TRUE(read_both(&p, &a, &b));
	EXPECT_EQ(0, same_reversed(a.ram, b.ram, PAGES));
	EXPECT_EQ(2 * PAGES, counter(&p, "masters"));
	EXPECT_EQ(0, counter(&p, "masters_merged"));
	EXPECT_EQ(0, counter(&p, "masters_sharing"));
	EXPECT_EQ(0, counter(&p, "bytes_hashed"));
	guest_close(&a);
	guest_close(&b);
	EXPECT_TRUE(place_close(&p));
}

TEST_F(content, another_mount_is_apart)
{
	uint64_t hashed, made;
	struct guest a, b;
	struct place p;

	make_both(&self->p);
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	hashed = counter(&self->p, "bytes_hashed");
	made = counter(&self->p, "masters_made");
	place_open_with(&p, "tmpfs", "images", "mode=755", ",content=on");
	guest_open(&a, &p, "a", PAGES);
	guest_open(&b, &p, "b", PAGES);
	make_both(&p);
	ASSERT_TRUE(read_both(&p, &a, &b));
	EXPECT_EQ(PAGES, counter(&p, "masters"));
	EXPECT_EQ(PAGES, counter(&p, "masters_merged"));
	EXPECT_EQ(PAGES, same_reversed(a.ram, b.ram, PAGES));
	EXPECT_EQ(0, same_reversed(a.ram, self->b.ram, PAGES));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_merged"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_sharing"));
	EXPECT_EQ(hashed, counter(&self->p, "bytes_hashed"));
	EXPECT_EQ(made, counter(&self->p, "masters_made"));
	guest_close(&a);
	guest_close(&b);
	EXPECT_TRUE(place_close(&p));
}

static void make_group(const struct place *p, const char *name, bool make)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/ram/%s", p->mnt, name);
	must(!(make ? mkdir(path, 0755) : rmdir(path)), path);
}

TEST_F(content, folders_are_apart_with_group_dir)
{
	struct guest a, b, a2;
	struct place p;

	place_open_with(&p, "tmpfs", "images", "mode=755",
			",content=on,group=dir");
	make_group(&p, "x", true);
	make_group(&p, "y", true);
	guest_open(&a, &p, "x/a", PAGES);
	guest_open(&a2, &p, "x/a2", PAGES);
	guest_open(&b, &p, "y/b", PAGES);
	make_both(&p);
	ASSERT_TRUE(read_both(&p, &a, &b));
	EXPECT_EQ(0, counter(&p, "masters_merged"));
	EXPECT_EQ(2 * PAGES, counter(&p, "masters"));
	EXPECT_EQ(0, same_reversed(a.ram, b.ram, PAGES));
	/* and within one they are not */
	ASSERT_TRUE(read_both(&p, &a, &a2));
	EXPECT_EQ(PAGES, counter(&p, "masters_merged"));
	EXPECT_EQ(2 * PAGES, counter(&p, "masters"));
	EXPECT_EQ(PAGES, same_reversed(a.ram, a2.ram, PAGES));
	EXPECT_EQ(0, same_reversed(a.ram, b.ram, PAGES));
	guest_close(&a);
	guest_close(&a2);
	guest_close(&b);
	make_group(&p, "x", false);
	make_group(&p, "y", false);
	EXPECT_TRUE(place_close(&p));
}

TEST_F(content, is_shown_and_does_not_change)
{
	char cmd[200];

	snprintf(cmd, sizeof(cmd),
		 "grep -q ' %s cowdedup .*,content=on ' /proc/mounts",
		 self->p.mnt);
	EXPECT_EQ(0, system(cmd));
	EXPECT_EQ(0, mount("none", self->p.mnt, "cowdedup", MS_REMOUNT,
			   "content=on"));
	EXPECT_EQ(-1, mount("none", self->p.mnt, "cowdedup", MS_REMOUNT,
			    "content=off"));
	EXPECT_EQ(EINVAL, errno);
}

/* --- writes, and memory that is short ------------------------------------ */

TEST_F(content, a_write_breaks_only_the_writers)
{
	uint64_t frame;

	make_both(&self->p);
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	/* block 0 of one is the last of the other */
	frame = frame_of(self->b.ram + (PAGES - 1) * PAGE);
	memset(self->a.ram, 7, PAGE);
	EXPECT_TRUE(holds_byte(self->a.ram, 7, PAGE));
	EXPECT_TRUE(holds(self->a.ram + PAGE, SEED, 1, 1, PAGES - 1));
	EXPECT_TRUE(holds(self->b.ram, SEED, PAGES - 1, -1, PAGES));
	EXPECT_EQ(frame, frame_of(self->b.ram + (PAGES - 1) * PAGE));
	EXPECT_EQ(PAGES - 1, same_reversed(self->a.ram, self->b.ram, PAGES));
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	EXPECT_EQ(PAGES, same_reversed(self->a.ram, self->b.ram, PAGES));
}

/* An image goes, and what another one shows of it stays. */
TEST_F(content, an_image_goes)
{
	make_both(&self->p);
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	punch(&self->a, 0, PAGES);
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(0, counter(&self->p, "masters_sharing"));
	EXPECT_TRUE(holds(self->b.ram, SEED, PAGES - 1, -1, PAGES));
	/* and is found when the first comes back */
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	EXPECT_EQ(PAGES, same_reversed(self->a.ram, self->b.ram, PAGES));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	punch(&self->b, 0, PAGES);
	punch(&self->a, 0, PAGES);
	EXPECT_EQ(0, counter(&self->p, "masters"));
}

/* Nobody has bound those of one image, which is open: no page is won. */
TEST_F(content, idle_blocks_of_a_page_in_use)
{
	struct guest a, b;
	struct place p;
	int fd;

	place_open_with(&p, "tmpfs", "images", "mode=755",
			",content=on,reclaim=off");
	guest_open(&a, &p, "a", PAGES);
	guest_open(&b, &p, "b", PAGES);
	make_both(&p);
	fd = image_open(&p, "bw", O_RDONLY);
	ASSERT_TRUE(read_both(&p, &a, &b));
	punch(&b, 0, PAGES);
	EXPECT_EQ(PAGES, counter(&p, "masters_sharing"));
	squeeze_to(&p, "masters_sharing", 0);
	EXPECT_EQ(0, counter(&p, "masters_sharing"));
	EXPECT_EQ(PAGES, counter(&p, "masters"));
	EXPECT_EQ(0, counter(&p, "masters_reclaimed"));
	EXPECT_TRUE(holds(a.ram, SEED, 0, 1, PAGES));
	close(fd);
	guest_close(&a);
	guest_close(&b);
	EXPECT_TRUE(place_close(&p));
}

TEST_F(content, reclaimed_pages_are_read_and_found_again)
{
	make_both(&self->p);
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	memset(self->a.ram + 5 * PAGE, 9, PAGE);
	squeeze_to(&self->p, "masters", 0);
	ASSERT_EQ(0, counter(&self->p, "masters"));
	EXPECT_EQ(0, counter(&self->p, "masters_sharing"));
	/* pages, not blocks */
	EXPECT_EQ(PAGES, counter(&self->p, "masters_reclaimed"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(place_adds_up(&self->p));
	/* faults read them, of either image */
	EXPECT_TRUE(holds(self->b.ram, SEED, PAGES - 1, -1, PAGES));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_TRUE(holds(self->a.ram, SEED, 0, 1, 5));
	EXPECT_TRUE(holds_byte(self->a.ram + 5 * PAGE, 9, PAGE));
	EXPECT_TRUE(holds(self->a.ram + 6 * PAGE, SEED, 6, 1, PAGES - 6));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES - 1, counter(&self->p, "masters_sharing"));
	EXPECT_EQ(PAGES - 1, same_reversed(self->a.ram, self->b.ram, PAGES));
	EXPECT_EQ(0, counter(&self->p, "faults_lost"));
	EXPECT_GE(counter(&self->p, "faults_again"), 2 * PAGES - 1);
}

/* Pages are counted, not blocks; but a block is read before it is compared. */
TEST_F(content, max_masters_counts_pages)
{
	char path[160];

	snprintf(path, sizeof(path), "%smax_masters", self->p.sysfs);
	make_both(&self->p);
	ASSERT_EQ(0, write_text(path, "96"));
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_LE(PAGES / 2, counter(&self->p, "masters_sharing"));
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_sharing"));
}

/* --- who pays ------------------------------------------------------------ */

#define CGROUP	"/sys/fs/cgroup/"
#define OURS	CGROUP "cowdedup-content/"
#define MANY	4096

/* The mounter is in a cgroup of its own, and gone when it has mounted. */
static void mount_there(struct place *p, const char *options)
{
	struct place *shared = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	must(shared != MAP_FAILED, "mmap");
	write_text(CGROUP "cgroup.subtree_control", "+memory");
	must(!mkdir(OURS, 0755), OURS);
	pid = fork();
	if (!pid) {
		must(!write_text(OURS "cgroup.procs", "0"), "cgroup");
		place_open_with(shared, "tmpfs", "images", "mode=755",
				options);
		_exit(0);
	}
	must(!child_status(pid), "mounting");
	*p = *shared;
	munmap(shared, sizeof(*p));
}

/* The mounter's slabs for MANY masters. */
static uint64_t slabs_for(const char *options)
{
	uint64_t before, after;
	struct guest g;
	struct place p;
	int fd;

	mount_there(&p, options);
	make_image(&p, "base", SEED, 0, 1, MANY);
	guest_open(&g, &p, "g", MANY);
	fd = image_open(&p, "base", O_RDONLY);
	before = named_number(OURS "memory.stat", "slab_unreclaimable");
	must(read_blocks(&p, "base", g.ram, 0, MANY), "read");
	after = named_number(OURS "memory.stat", "slab_unreclaimable");
	must(counter(&p, "masters") == MANY, "masters");
	close(fd);
	guest_close(&g);
	must(place_close(&p), "place_close");
	must(!rmdir(OURS), "rmdir");
	return after - before;
}

TEST_F(content, the_mounter_pays_for_the_index)
{
	uint64_t off, on;

	off = slabs_for(",content=off");
	on = slabs_for(",content=on");
	printf("# %lu bytes a page, without an index %lu\n", on / MANY,
	       off / MANY);
	EXPECT_GE(on, off + MANY * 48);
}

/* Without memory for it a page is not in the index, and nobody is killed. */
TEST_F(content, at_the_mounters_limit)
{
	unsigned int n = MANY / 4;
	struct guest a, b;
	char limit[32];
	struct place p;

	mount_there(&p, ",content=on");
	make_image(&p, "fw", SEED, 0, 1, n);
	make_image(&p, "bw", SEED, n - 1, -1, n);
	guest_open(&a, &p, "a", n);
	guest_open(&b, &p, "b", n);
	snprintf(limit, sizeof(limit), "%lu",
		 read_number(OURS "memory.current") + n / 2 * PAGE);
	ASSERT_EQ(0, write_text(OURS "memory.max", limit));
	ASSERT_TRUE(read_blocks(&p, "fw", a.ram, 0, n));
	ASSERT_TRUE(read_blocks(&p, "bw", b.ram, 0, n));
	EXPECT_TRUE(holds(a.ram, SEED, 0, 1, n));
	EXPECT_TRUE(holds(b.ram, SEED, n - 1, -1, n));
	printf("# %lu masters, %lu sharing\n", counter(&p, "masters"),
	       counter(&p, "masters_sharing"));
	EXPECT_GT(counter(&p, "copied_memory"), 0);
	/* guests get back what they lose, and pages beyond the limit */
	squeeze_to(&p, "masters", 0);
	ASSERT_EQ(0, write_text(OURS "memory.max", "65536"));
	EXPECT_TRUE(holds(a.ram, SEED, 0, 1, n));
	EXPECT_TRUE(holds(b.ram, SEED, n - 1, -1, n));
	EXPECT_EQ(0, named_number(OURS "memory.events", "oom_kill"));
	EXPECT_EQ(0, counter(&p, "faults_lost"));
	guest_close(&a);
	guest_close(&b);
	EXPECT_TRUE(place_close(&p));
	EXPECT_EQ(0, rmdir(OURS));
}

/* --- broken memory ------------------------------------------------------- */

TEST_F(content, broken_memory_under_a_page_of_two)
{
	char *a = self->a.ram, *b = self->b.ram + (PAGES - 1 - 3) * PAGE;
	uint64_t frame;

	if (getenv("NUMASHARE_GENTLE"))
		SKIP(return, "it takes pages from the machine");
	make_both(&self->p);
	ASSERT_TRUE(read_both(&self->p, &self->a, &self->b));
	frame = frame_of(a + 3 * PAGE);
	ASSERT_EQ(frame, frame_of(b));
	/* madvise() says that it does not know such a page */
	madvise(a + 3 * PAGE, PAGE, MADV_HWPOISON);
	ASSERT_EQ(0, madvise(a, PAGES * PAGE, MADV_DONTNEED));
	/* one finds it, and it is gone from the other, too */
	EXPECT_TRUE(holds(a, SEED, 0, 1, PAGES));
	EXPECT_EQ(1, counter(&self->p, "masters_retired"));
	EXPECT_NE(frame, frame_of(b));
	EXPECT_TRUE(holds(self->b.ram, SEED, PAGES - 1, -1, PAGES));
	EXPECT_NE(frame, frame_of(b));
	EXPECT_EQ(frame_of(a + 3 * PAGE), frame_of(b));
	EXPECT_EQ(1, counter(&self->p, "masters_retired"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_sharing"));
	EXPECT_EQ(PAGES, same_reversed(a, self->b.ram, PAGES));
}

/* It is broken, nobody has noticed, and another block like it is read. */
TEST_F(content, broken_memory_is_not_shared)
{
	uint64_t frame;

	if (getenv("NUMASHARE_GENTLE"))
		SKIP(return, "it takes pages from the machine");
	make_both(&self->p);
	ASSERT_TRUE(read_blocks(&self->p, "fw", self->a.ram, 0, PAGES));
	ASSERT_TRUE(holds(self->a.ram, SEED, 0, 1, PAGES));
	frame = frame_of(self->a.ram);
	madvise(self->a.ram, PAGE, MADV_HWPOISON);
	ASSERT_TRUE(read_blocks(&self->p, "bw", self->b.ram, 0, PAGES));
	EXPECT_TRUE(holds(self->b.ram, SEED, PAGES - 1, -1, PAGES));
	EXPECT_NE(frame, frame_of(self->b.ram + (PAGES - 1) * PAGE));
	EXPECT_EQ(PAGES - 1, counter(&self->p, "masters_merged"));
	EXPECT_EQ(PAGES - 1, same_reversed(self->a.ram, self->b.ram, PAGES));
}

/* --- many at once -------------------------------------------------------- */

#define BLOCKS	512
#define GUESTS	4

/* Half of them read "fw", the others "bw". */
static void make_many(const struct place *p)
{
	make_image(p, "fw", SEED, 0, 1, BLOCKS);
	make_image(p, "bw", SEED, BLOCKS - 1, -1, BLOCKS);
}

static bool part_is_right(const struct guest *g, unsigned int i,
			  unsigned int from, unsigned int n)
{
	const char *mem = g->ram + from * PAGE;

	if (i % 2)
		return holds(mem, SEED, BLOCKS - 1 - from, -1, n);
	return holds(mem, SEED, from, 1, n);
}

static bool read_part(const struct place *p, struct guest *g, unsigned int i,
		      unsigned int from, unsigned int n)
{
	return read_blocks(p, i % 2 ? "bw" : "fw", g->ram + from * PAGE, from,
			   n) && part_is_right(g, i, from, n);
}

/*
 * It reads a part, looks whether that and some of what was read before is
 * right, writes to a page, and now and then gives the part back.
 */
static bool one_round(const struct place *p, struct guest *g, unsigned int i,
		      bool *clean)
{
	unsigned int from = rand() % BLOCKS, n = 1 + rand() % 100, at, k;

	if (n > BLOCKS - from)
		n = BLOCKS - from;
	if (!read_part(p, g, i, from, n))
		return false;
	memset(clean + from, true, n);
	g->ram[from * PAGE + rand() % PAGE] ^= 1;
	clean[from] = false;
	if (rand() % 8 == 0) {
		punch(g, from, n);
		memset(clean + from, false, n);
	}
	for (k = 0; k < 100; k++) {
		at = rand() % BLOCKS;
		if (clean[at] && !part_is_right(g, i, at, 1))
			return false;
	}
	return true;
}

/* A guest in a process of its own; it ends with 0 if all was right. */
static pid_t start(const struct place *p, unsigned int i, struct gate *g,
		   unsigned int seconds)
{
	bool clean[BLOCKS] = {};
	struct guest guest;
	unsigned int at;
	char name[16];
	time_t end;
	pid_t pid = fork();

	if (pid)
		return pid;
	snprintf(name, sizeof(name), "many%u", i);
	guest_open(&guest, p, name, BLOCKS);
	srand(i);
	gate_pass(g->to_parent);
	gate_wait(g->to_child);
	if (!seconds && !read_part(p, &guest, i, 0, BLOCKS))
		_exit(1);
	end = time(NULL) + seconds;
	while (time(NULL) < end)
		if (!one_round(p, &guest, i, clean))
			_exit(1);
	gate_pass(g->to_parent);
	gate_wait(g->to_child);
	for (at = 0; at < BLOCKS; at++)
		if (clean[at] && !part_is_right(&guest, i, at, 1))
			_exit(1);
	_exit(0);
}

static void start_all(const struct place *p, struct gate *g, pid_t *pid,
		      unsigned int seconds)
{
	unsigned int i;

	for (i = 0; i < GUESTS; i++) {
		gate_open(&g[i]);
		pid[i] = start(p, i, &g[i], seconds);
		gate_wait(g[i].to_parent);
	}
	for (i = 0; i < GUESTS; i++)
		gate_pass(g[i].to_child);
}

/* Of two who read equal blocks at the same time one finds the other's. */
TEST_F(content, readers_at_the_same_time)
{
	struct gate g[GUESTS];
	pid_t pid[GUESTS];
	unsigned int i;
	int fw, bw;

	make_many(&self->p);
	fw = image_open(&self->p, "fw", O_RDONLY);
	bw = image_open(&self->p, "bw", O_RDONLY);
	start_all(&self->p, g, pid, 0);
	for (i = 0; i < GUESTS; i++)
		gate_wait(g[i].to_parent);
	EXPECT_EQ(BLOCKS, counter(&self->p, "masters"));
	EXPECT_EQ(BLOCKS, counter(&self->p, "masters_sharing"));
	EXPECT_EQ(GUESTS * BLOCKS, counter(&self->p, "pages_sharing"));
	EXPECT_EQ(0, counter(&self->p, "copied_error"));
	for (i = 0; i < GUESTS; i++) {
		gate_pass(g[i].to_child);
		EXPECT_EQ(0, child_status(pid[i]));
	}
	close(fw);
	close(bw);
}

/* And they read, write and let go while memory is short. */
TEST_F(content, readers_while_memory_is_short)
{
	unsigned int seconds = 4, i;
	struct gate g[GUESTS];
	pid_t pid[GUESTS];
	time_t end;

	make_many(&self->p);
	start_all(&self->p, g, pid, seconds);
	end = time(NULL) + seconds;
	while (time(NULL) < end) {
		must(!write_text("/proc/sys/vm/drop_caches", "2"), "squeeze");
		usleep(20000);
	}
	for (i = 0; i < GUESTS; i++)
		gate_wait(g[i].to_parent);
	/* what they have bound is gone, too, and they look once more */
	squeeze_to(&self->p, "masters", 0);
	for (i = 0; i < GUESTS; i++)
		gate_pass(g[i].to_child);
	for (i = 0; i < GUESTS; i++)
		EXPECT_EQ(0, child_status(pid[i]));
	printf("# %lu made, %lu merged, %lu reclaimed, %lu faults again\n",
	       counter(&self->p, "masters_made"),
	       counter(&self->p, "masters_merged"),
	       counter(&self->p, "masters_reclaimed"),
	       counter(&self->p, "faults_again"));
	EXPECT_GT(counter(&self->p, "masters_merged"), BLOCKS);
	EXPECT_GT(counter(&self->p, "masters_reclaimed"), 0);
	EXPECT_GT(counter(&self->p, "faults_again"), 0);
	EXPECT_EQ(0, counter(&self->p, "faults_lost"));
	EXPECT_EQ(0, counter(&self->p, "hash_collisions"));
}

TEST_HARNESS_MAIN
