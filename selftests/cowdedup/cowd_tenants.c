// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_tenants - two mounts over one folder: neither shares with the other, nor
 * can it tell what the other has read
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define PAGES	256
#define SEED	43

FIXTURE(tenants)
{
	struct place p[2];	/* the second is over the first one's images */
	struct guest g[2];
	int image[2];
};

static void second_mount(struct place *p, const struct place *first)
{
	char options[128];
	struct stat st;

	*p = *first;
	snprintf(p->mnt, sizeof(p->mnt), "%s/second", first->dir);
	snprintf(options, sizeof(options), "images=%s", first->images);
	must(!mkdir(p->mnt, 0755) &&
	     !mount("none", p->mnt, "cowdedup", 0, options), "cowdedup");
	must(!stat(p->mnt, &st), "stat");
	snprintf(p->sysfs, sizeof(p->sysfs), SYSFS "mounts/%u:%u/",
		 major(st.st_dev), minor(st.st_dev));
}

FIXTURE_SETUP(tenants)
{
	int i;

	place_open(&self->p[0]);
	second_mount(&self->p[1], &self->p[0]);
	image_create(&self->p[0], "base", SEED, PAGES * PAGE);
	for (i = 0; i < 2; i++) {
		self->image[i] = image_open(&self->p[i], "base", O_RDONLY);
		ASSERT_GE(self->image[i], 0);
		guest_open(&self->g[i], &self->p[i], "g", PAGES);
	}
}

FIXTURE_TEARDOWN(tenants)
{
	int i;

	for (i = 0; i < 2; i++) {
		guest_close(&self->g[i]);
		close(self->image[i]);
		EXPECT_TRUE(place_adds_up(&self->p[i]));
	}
	EXPECT_EQ(0, counter(&self->p[1], "masters"));
	EXPECT_EQ(0, umount(self->p[1].mnt));
	EXPECT_EQ(0, rmdir(self->p[1].mnt));
	EXPECT_TRUE(place_close(&self->p[0]));
}

/* Everything that a mount counts, in one text. */
static void all_counters(const struct place *p, char *text, size_t size)
{
	char cmd[160];
	size_t got;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "cd %s && grep -H . *", p->sysfs);
	f = popen(cmd, "r");
	must(f, cmd);
	got = fread(text, 1, size - 1, f);
	text[got] = '\0';
	must(!pclose(f) && got > 500, cmd);
}

static void reads_all(FIXTURE_DATA(tenants) *self, int i)
{
	must(pread(self->image[i], self->g[i].ram, PAGES * PAGE, 0) ==
	     PAGES * PAGE, "pread");
}

/*
 * What the first has read, the second fills anew: its masters are made by its
 * own first read, all of them, as if the first were not there.
 */
TEST_F(tenants, a_first_read_fills)
{
	static char before[4096], after[4096];
	unsigned int i, same = 0;

	all_counters(&self->p[1], before, sizeof(before));
	reads_all(self, 0);
	all_counters(&self->p[1], after, sizeof(after));
	EXPECT_STREQ(before, after);
	all_counters(&self->p[0], before, sizeof(before));
	reads_all(self, 1);
	all_counters(&self->p[0], after, sizeof(after));
	EXPECT_STREQ(before, after);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(PAGES, counter(&self->p[i], "masters_made"));
		EXPECT_EQ(PAGES, counter(&self->p[i], "masters"));
		EXPECT_EQ(PAGES, counter(&self->p[i], "pages_sharing"));
		EXPECT_TRUE(holds_image(self->g[i].ram, SEED, 0,
					PAGES * PAGE));
	}
	for (i = 0; i < PAGES; i++)
		same += frame_of(self->g[0].ram + i * PAGE) ==
			frame_of(self->g[1].ram + i * PAGE);
	EXPECT_EQ(0, same);
}

/* What one writes, is short of, or ends with is nothing to the other. */
TEST_F(tenants, nothing_of_the_other)
{
	static char before[4096], after[4096];

	reads_all(self, 0);
	reads_all(self, 1);
	all_counters(&self->p[1], before, sizeof(before));
	memset(self->g[0].ram, 7, PAGES / 2 * PAGE);
	reads_all(self, 0);
	EXPECT_EQ(PAGES / 2, counter(&self->p[0], "pages_broken"));
	guest_close(&self->g[0]);
	all_counters(&self->p[1], after, sizeof(after));
	EXPECT_STREQ(before, after);
	EXPECT_TRUE(holds_image(self->g[1].ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(0, counter(&self->p[0], "pages_sharing"));
	guest_open(&self->g[0], &self->p[0], "g", PAGES);
}

/* Memory of one is no place for what is read from the other's images. */
TEST_F(tenants, reads_across_are_copied)
{
	char *ram = self->g[0].ram;

	ASSERT_EQ(PAGES * PAGE, pread(self->image[1], ram, PAGES * PAGE, 0));
	EXPECT_TRUE(holds_image(ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES * PAGE, counter(&self->p[1], "copied_elsewhere"));
	EXPECT_EQ(0, counter(&self->p[1], "masters_made"));
	EXPECT_EQ(0, counter(&self->p[0], "masters_made"));
	EXPECT_EQ(0, counter(&self->p[0], "pages_bound"));
	EXPECT_EQ(0, counter(&self->p[0], "bytes_read"));
}

TEST_HARNESS_MAIN
