// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest_figures.c - what 'numashare vms' makes of /proc and of what is bound
 *
 * Lines of maps and mountinfo as kernels write them; a real pagemap, of a
 * mapping with pages of each kind; and saved memory, beside a count by hand.
 */
#include "kselftest_harness.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "../../tools/numashare/guests.h"
#include "../../tools/numashare/image.h"
#include "../../tools/numashare/numashare.h"

#define P	4096ul

/* --- lines ---------------------------------------------------------------- */

TEST(line_of_maps)
{
	struct map_line m;

	ASSERT_TRUE(parse_map("7f0000001000-7f0000005000 rw-p 00002000 00:2d "
			      "1234                       /run/a/ram/vm 1\n",
			      &m));
	EXPECT_EQ(0x7f0000001000, m.start);
	EXPECT_EQ(0x7f0000005000, m.end);
	EXPECT_EQ(0x2000, m.offset);
	EXPECT_EQ(0, m.major);
	EXPECT_EQ(0x2d, m.minor);
	EXPECT_EQ(1234, m.inode);
	EXPECT_TRUE(m.write);
	EXPECT_FALSE(m.deleted);
	EXPECT_STREQ("/run/a/ram/vm 1", m.path);
}

TEST(line_of_maps_deleted)
{
	struct map_line m;

	ASSERT_TRUE(parse_map("1000-2000 r--p 00000000 fd:01 7 /a/ram/x\\012y "
			      "(deleted)\n", &m));
	EXPECT_TRUE(m.deleted);
	EXPECT_FALSE(m.write);
	EXPECT_EQ(0xfd, m.major);
	EXPECT_STREQ("/a/ram/x\ny", m.path);
}

TEST(line_of_maps_without_file)
{
	struct map_line m;

	ASSERT_TRUE(parse_map("1000-2000 rw-p 00000000 00:00 0 \n", &m));
	EXPECT_EQ(0, m.inode);
	EXPECT_STREQ("", m.path);
	ASSERT_TRUE(parse_map("1000-2000 rw-p 00000000 00:00 0  [heap]\n", &m));
	EXPECT_STREQ("[heap]", m.path);
	EXPECT_FALSE(parse_map("", &m));
	EXPECT_FALSE(parse_map("2000-1000 rw-p 00000000 00:00 0 \n", &m));
	EXPECT_FALSE(parse_map("VmFlags: rd wr mr mw me ac\n", &m));
}

TEST(own_maps)
{
	char mine[4096], line[8192];
	FILE *f = fopen("/proc/self/maps", "r");
	bool seen = false, exe = false;
	struct map_line m;
	ssize_t len;

	len = readlink("/proc/self/exe", mine, sizeof(mine) - 1);
	ASSERT_GT(len, 0);
	mine[len] = 0;
	ASSERT_NE(NULL, f);
	while (fgets(line, sizeof(line), f)) {
		ASSERT_TRUE(parse_map(line, &m));
		seen |= m.start <= (uintptr_t)&m && m.end > (uintptr_t)&m;
		exe |= !strcmp(m.path, mine);
	}
	fclose(f);
	EXPECT_TRUE(seen);
	EXPECT_TRUE(exe);
}

TEST(line_of_mountinfo)
{
	struct mount_line m;

	ASSERT_TRUE(parse_mount("36 35 0:45 / /run/cowdedup/a\\040b rw,nosuid "
				"shared:1 master:2 - cowdedup none "
				"rw,images=/srv/i\n", &m));
	EXPECT_EQ(0, m.major);
	EXPECT_EQ(45, m.minor);
	EXPECT_STREQ("/", m.root);
	EXPECT_STREQ("/run/cowdedup/a b", m.point);
	EXPECT_STREQ("cowdedup", m.type);
	EXPECT_STREQ("rw,images=/srv/i", m.options);
	ASSERT_TRUE(parse_mount("1 0 8:1 /x / rw - ext4 /dev/a rw\n", &m));
	EXPECT_STREQ("/x", m.root);
	EXPECT_STREQ("ext4", m.type);
	EXPECT_FALSE(parse_mount("", &m));
	EXPECT_FALSE(parse_mount("1 0 8:1 /x / rw\n", &m));
	EXPECT_FALSE(parse_mount("1 0 8:1 /x / rw - ext4\n", &m));
}

TEST(a_file_like_ram)
{
	struct map_line m = { .write = true, .inode = 1 };

	strcpy(m.path, "/run/cowdedup/a/ram/vm1");
	EXPECT_TRUE(looks_like_ram(&m));
	m.write = false;
	EXPECT_FALSE(looks_like_ram(&m));
	m.write = true;
	m.inode = 0;
	EXPECT_FALSE(looks_like_ram(&m));
	m.inode = 1;
	strcpy(m.path, "/run/cowdedup/a/ram/");
	EXPECT_FALSE(looks_like_ram(&m));
	strcpy(m.path, "/dev/shm/program/vm1");
	EXPECT_FALSE(looks_like_ram(&m));
	strcpy(m.path, "memfd:/ram/x");
	EXPECT_FALSE(looks_like_ram(&m));
}

/* --- pages ---------------------------------------------------------------- */

TEST(entries_of_pagemap)
{
	EXPECT_FALSE(entry_is_private(0));
	EXPECT_TRUE(entry_is_private(1ull << 63));
	EXPECT_TRUE(entry_is_private(1ull << 62));
	/* a page of a file, and one that is being moved */
	EXPECT_FALSE(entry_is_private(5ull << 61));
	EXPECT_FALSE(entry_is_private(3ull << 61));
}

/* 16 pages of a file: 0 to 3 written, 4 to 7 read, the others not touched. */
TEST(private_pages)
{
	struct part part = { .first = 2, .pages = 16 };
	struct guest g = { .part = &part, .nr_parts = 1 };
	int pagemap = open("/proc/self/pagemap", O_RDONLY), fd, i;
	uint8_t state[20] = { 0 };
	volatile char *mem;

	ASSERT_GE(pagemap, 0);
	fd = memfd_create("guest", 0);
	ASSERT_EQ(0, ftruncate(fd, 18 * P));
	mem = mmap(NULL, 16 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		   2 * P);
	ASSERT_NE(MAP_FAILED, (void *)mem);
	for (i = 0; i < 4; i++)
		mem[i * P] = 1;
	for (i = 4; i < 8; i++)
		(void)mem[i * P];
	part.addr = (uintptr_t)mem;
	ASSERT_EQ(18, guest_end(&g));
	ASSERT_TRUE(count_private(&g, pagemap, state));
	EXPECT_EQ(4, g.private);
	EXPECT_EQ(PAGE_UNMAPPED, state[1]);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(i < 4 ? PAGE_PRIVATE : PAGE_OF_FILE, state[i + 2]);
	EXPECT_EQ(PAGE_UNMAPPED, state[18]);
	close(pagemap);
}

/* Pages 10 to 19 of an image at 0 to 9 of the memory, of which 8 are mapped. */
TEST(extents)
{
	uint8_t state[8] = {
		PAGE_OF_FILE, PAGE_OF_FILE, PAGE_PRIVATE, PAGE_OF_FILE,
		PAGE_UNMAPPED, PAGE_OF_FILE, PAGE_OF_FILE, PAGE_PRIVATE,
	};
	struct part part = { .pages = 8 };
	struct guest g = { .part = &part, .nr_parts = 1 };
	struct cowdedup_extent e = {
		.ram = 0, .index = 10, .image = 77, .pages = 10,
	};

	ASSERT_TRUE(count_extent(&g, state, &e));
	EXPECT_EQ(5, g.shared);
	EXPECT_EQ(2, g.broken);
	ASSERT_EQ(1, g.nr_images);
	EXPECT_EQ(77, g.image[0].image);
	EXPECT_EQ(5, g.image[0].shared);
	EXPECT_EQ(2, g.image[0].broken);
	ASSERT_EQ(3, g.nr_runs);
	EXPECT_EQ(0, g.run[0].ram);
	EXPECT_EQ(10, g.run[0].index);
	EXPECT_EQ(2, g.run[0].pages);
	EXPECT_EQ(3, g.run[1].ram);
	EXPECT_EQ(1, g.run[1].pages);
	EXPECT_EQ(15, g.run[2].index);
	EXPECT_EQ(2, g.run[2].pages);
	free(g.run);
	free(g.image);
}

/* Next to each other in memory, but not in the image. */
TEST(extents_apart)
{
	uint8_t state[4] = {
		PAGE_OF_FILE, PAGE_OF_FILE, PAGE_OF_FILE, PAGE_OF_FILE,
	};
	struct part part = { .pages = 4 };
	struct guest g = { .part = &part, .nr_parts = 1 };
	struct cowdedup_extent e[3] = {
		{ .ram = 0, .index = 10, .image = 77, .pages = 2 },
		{ .ram = 2, .index = 20, .image = 77, .pages = 1 },
		{ .ram = 3, .index = 21, .image = 78, .pages = 1 },
	};
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_TRUE(count_extent(&g, state, &e[i]));
	ASSERT_EQ(3, g.nr_runs);
	EXPECT_EQ(20, g.run[1].index);
	EXPECT_EQ(78, g.run[2].image);
	EXPECT_EQ(4, g.shared);
	EXPECT_EQ(2, g.nr_images);
	free(g.run);
	free(g.image);
}

/* --- what is saved -------------------------------------------------------- */

static struct run *one_run(uint64_t image, uint64_t index, uint64_t pages)
{
	struct run *r = malloc(sizeof(*r));

	*r = (struct run){ 0, image, index, pages };
	return r;
}

/*
 * Two mounts.  In the first, guest 0 has pages 0 to 99 of image 5, guest 1 has
 * 50 to 149, guest 2 has 60 to 69 twice in its memory.  In the second guest 3
 * has the same pages of an image of the same number: another master.  There, 7
 * pages of images are shown by masters of others.
 */
TEST(saved)
{
	struct share_mount mount[2] = { { 0 }, { .alike = 7 } };
	struct image_share image[4] = {
		{ .image = 5 }, { .image = 5 }, { .image = 5 }, { .image = 5 },
	};
	struct guest guest[4] = { 0 };
	struct run twice[2] = { { 0, 5, 60, 10 }, { 90, 5, 60, 10 } };
	struct guests all = {
		.page = P, .mount = mount, .nr_mounts = 2, .guest = guest,
		.nr = 4,
	};
	uint64_t sum = 0;
	int i;

	for (i = 0; i < 4; i++) {
		guest[i].image = &image[i];
		guest[i].nr_images = 1;
		guest[i].nr_runs = 1;
	}
	guest[0].run = one_run(5, 0, 100);
	guest[1].run = one_run(5, 50, 100);
	guest[2].run = twice;
	guest[2].nr_runs = 2;
	guest[3].run = one_run(5, 0, 100);
	guest[3].mount = 1;
	ASSERT_TRUE(count_saved(&all));
	/* 40 pages have two users, 10 have four */
	EXPECT_EQ((40 + 30) * P, mount[0].saved);
	EXPECT_EQ(7 * P, mount[1].saved);
	EXPECT_EQ((uint64_t)(20 * P + 7.5 * P), guest[0].saved);
	EXPECT_EQ((uint64_t)(20 * P + 7.5 * P), guest[1].saved);
	EXPECT_EQ(15 * P, guest[2].saved);
	EXPECT_EQ(0, guest[3].saved);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(guest[i].saved, image[i].saved);
		sum += guest[i].saved;
	}
	EXPECT_EQ(mount[0].saved, sum);
	free(guest[0].run);
	free(guest[1].run);
	free(guest[3].run);
}

/* Behind a hole of 16 TiB. */
TEST(saved_far_away)
{
	struct share_mount mount = { 0 };
	struct image_share image[2] = { { .image = 5 }, { .image = 5 } };
	struct guest guest[2] = { 0 };
	struct guests all = {
		.page = P, .mount = &mount, .nr_mounts = 1, .guest = guest,
		.nr = 2,
	};
	int i;

	for (i = 0; i < 2; i++) {
		guest[i].image = &image[i];
		guest[i].nr_images = 1;
		guest[i].run = one_run(5, 1ull << 32, 3);
		guest[i].nr_runs = 1;
	}
	ASSERT_TRUE(count_saved(&all));
	EXPECT_EQ(3 * P, mount.saved);
	free(guest[0].run);
	free(guest[1].run);
}

TEST(memory_needed)
{
	EXPECT_EQ(0, bytes_needed(0, P));
	EXPECT_EQ(2 * P, bytes_needed(1, P));
	EXPECT_EQ((512 + 1 + 1) * P, bytes_needed(512, P));
}

/* This process may have some, and no more than the machine. */
TEST(room)
{
	struct room r;

	/* where its cgroup is not seen, what the machine has is known */
	room_of(getpid(), &r);
	EXPECT_GT(r.bytes, 0);
	EXPECT_LT(r.bytes, (uint64_t)sysconf(_SC_PHYS_PAGES) * P);
	EXPECT_NE('\0', r.limit[0]);
}

/* --- Prometheus ----------------------------------------------------------- */

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);
	const char *at = text;

	while ((at = strstr(at, line))) {
		if ((at == text || at[-1] == '\n') && at[n] == '\n')
			return true;
		at += n;
	}
	printf("# no line '%s'\n", line);
	return false;
}

TEST(prometheus)
{
	static struct guest guest[2] = {
		{ .pid = 7, .mount = 0, .inode = 3, .name = "vm\"\\\n1",
		  .pages = 100, .shared = 10, .private = 5, .broken = 2,
		  .saved = 4096 },
		{ .pid = 8, .mount = -1, .inode = 4, .name = "vm2",
		  .pages = 50 },
	};
	static struct share_mount mount = {
		.minor = 9, .sysfs = "/nowhere", .point = "/run/a",
		.saved = 8192,
	};
	struct guests all = {
		.loaded = true, .page = P, .mount = &mount, .nr_mounts = 1,
		.guest = guest, .nr = 2,
	};
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	prometheus_print(f, &all);
	fclose(f);
	EXPECT_TRUE(has_line(text, "numashare_cowdedup_up 1"));
	EXPECT_TRUE(has_line(text, "# TYPE numashare_cowdedup_guest_ram_bytes "
			     "gauge"));
	EXPECT_TRUE(has_line(text, "numashare_cowdedup_guest_ram_bytes{guest="
			     "\"vm\\\"\\\\\\n1\",mount=\"/run/a\",pid=\"7\","
			     "inode=\"3\"} 409600"));
	EXPECT_TRUE(has_line(text, "numashare_cowdedup_guest_broken_bytes{"
			     "guest=\"vm\\\"\\\\\\n1\",mount=\"/run/a\","
			     "pid=\"7\",inode=\"3\"} 8192"));
	EXPECT_TRUE(has_line(text, "numashare_cowdedup_guest_plain_file{guest="
			     "\"vm2\",mount=\"\",pid=\"8\",inode=\"4\"} 1"));
	EXPECT_TRUE(has_line(text, "numashare_cowdedup_saved_bytes{mount="
			     "\"/run/a\",device=\"0:9\"} 8192"));
	free(text);
}

TEST(prometheus_file)
{
	static struct share_mount none;
	struct guests all = { .page = P, .mount = &none };
	char dir[] = "/tmp/prometheus.XXXXXX", path[64], line[256];
	FILE *f;

	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.prom", dir);
	ASSERT_EQ(OK, prometheus_write(path, &all));
	ASSERT_EQ(OK, prometheus_write(path, &all));
	f = fopen(path, "r");
	ASSERT_NE(NULL, f);
	ASSERT_NE(NULL, fgets(line, sizeof(line), f));
	EXPECT_EQ(0, strncmp(line, "# HELP numashare_cowdedup_up ", 29));
	fclose(f);
	unlink(path);
	/* nothing else is left */
	EXPECT_EQ(0, rmdir(dir));
	EXPECT_EQ(FAILED, prometheus_write(path, &all));
}

/* --- formats -------------------------------------------------------------- */

static const char *format_of(const char *magic, size_t at, size_t len)
{
	static unsigned char head[4096];
	bool refers;

	memset(head, 0, sizeof(head));
	memcpy(head + at, magic, len);
	return image_format(head, sizeof(head), NULL, &refers);
}

TEST(formats)
{
	unsigned char tail[512] = "conectix", one[1] = "Q";
	bool refers;

	EXPECT_STREQ("raw", format_of("", 0, 0));
	EXPECT_STREQ("qcow2", format_of("QFI\xfb", 0, 4));
	EXPECT_STREQ("raw", format_of("QFI\xfb", 4, 4));
	EXPECT_STREQ("vdi", format_of("\x7f\x10\xda\xbe", 64, 4));
	EXPECT_STREQ("vhdx", format_of("vhdxfile", 0, 8));
	EXPECT_STREQ("vmdk", format_of("KDMV", 0, 4));
	EXPECT_STREQ("raw", image_format(one, 1, NULL, &refers));
	EXPECT_STREQ("vpc", image_format(one, 1, tail, &refers));
}

TEST(formats_that_name_files)
{
	unsigned char head[512] = "QFI\xfb\0\0\0\3";
	bool refers;

	image_format(head, sizeof(head), NULL, &refers);
	EXPECT_FALSE(refers);
	/* a backing file */
	head[15] = 0x80;
	image_format(head, sizeof(head), NULL, &refers);
	EXPECT_TRUE(refers);
	/* a data file, from version 3 on */
	head[15] = 0;
	head[79] = 4;
	image_format(head, sizeof(head), NULL, &refers);
	EXPECT_TRUE(refers);
	head[7] = 2;
	image_format(head, sizeof(head), NULL, &refers);
	EXPECT_FALSE(refers);
	strcpy((char *)head, "# Disk DescriptorFile");
	image_format(head, sizeof(head), NULL, &refers);
	EXPECT_TRUE(refers);
}

TEST_HARNESS_MAIN
