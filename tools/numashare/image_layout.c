// SPDX-License-Identifier: GPL-2.0-only
/*
 * image_layout.c - partitions and file systems of a raw image
 *
 * A guest reads whole blocks of its file systems, so these have to lie on whole
 * pages of the image.  The largest partition decides; others are only noted.
 */
#include <blkid/blkid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"

#define SECTOR	512ull

/* A partition, or all of an image that has none. */
struct area {
	char what[32];
	uint64_t start, bytes;
	char type[64];		/* file system, empty if none is known */
	uint32_t block;		/* its blocks, 0 if that is not known */
	struct finding verdict;
};

/* --- blocks of file systems ----------------------------------------------- */

static uint32_t le(const unsigned char *p, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

/*
 * libblkid's BLOCK_SIZE is the least that can be read of these, not the unit of
 * files, and older versions have no FSBLOCKSIZE.
 */
static uint32_t block_of_superblock(const struct image *img,
				    const struct area *a)
{
	unsigned char sb[512];
	uint32_t n;

	if (pread(img->fd, sb, sizeof(sb), a->start) != sizeof(sb))
		return 0;
	if (!strcmp(a->type, "xfs"))
		return (uint32_t)sb[4] << 24 | sb[5] << 16 | sb[6] << 8 | sb[7];
	if (!strcmp(a->type, "ntfs") || !strcmp(a->type, "vfat")) {
		/* sectors a cluster; ntfs: above 128 a negative power of two */
		n = sb[13] > 128 ? 1u << ((256 - sb[13]) & 31) : sb[13];
		return le(sb + 11, 2) * n;
	}
	return 0;
}

static uint32_t value_of(blkid_probe pr, const char *name)
{
	const char *text;

	return blkid_probe_lookup_value(pr, name, &text, NULL) ? 0 :
	       strtoul(text, NULL, 10);
}

static void probe_area(const struct image *img, struct area *a)
{
	blkid_probe pr = blkid_new_probe();
	const char *type;

	if (!pr)
		return;
	blkid_probe_enable_superblocks(pr, 1);
	if (!blkid_probe_set_device(pr, img->fd, a->start, a->bytes) &&
	    !blkid_do_safeprobe(pr) &&
	    !blkid_probe_lookup_value(pr, "TYPE", &type, NULL)) {
		snprintf(a->type, sizeof(a->type), "%s", type);
		a->block = block_of_superblock(img, a);
		if (!a->block)
			a->block = value_of(pr, "FSBLOCKSIZE");
		if (!a->block)
			a->block = value_of(pr, "BLOCK_SIZE");
	}
	blkid_free_probe(pr);
}

/* --- verdicts ------------------------------------------------------------- */

static void say(struct area *a, enum result result, const char *text,
		const char *advice)
{
	a->verdict.result = result;
	snprintf(a->verdict.text, sizeof(a->verdict.text), "%s", text);
	snprintf(a->verdict.advice, sizeof(a->verdict.advice), "%s", advice);
}

static const struct {
	const char *type;
	enum result result;
	const char *text, *advice;
} special[] = {
	{ "", UNKNOWN, "no file system that is known here", "" },
	{ "swap", NOTE, "swap space, which guests do not share", "" },
	{ "crypto_LUKS", BAD,
	  "encrypted: a guest does not keep what it reads, but the plain text",
	  "let the host encrypt the file system below the image instead" },
	{ "squashfs", BAD,
	  "compressed: a guest does not keep what it reads, but what it unpacks",
	  "unpack it into a file system with blocks of 4096 bytes" },
	{ "LVM2_member", UNKNOWN,
	  "volumes of LVM, in which nothing is looked for", "" },
	{ "linux_raid_member", UNKNOWN,
	  "a part of a RAID, in which nothing is looked for", "" },
};

static bool judge_special(struct area *a)
{
	size_t i;

	for (i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
		if (strcmp(a->type, special[i].type))
			continue;
		say(a, special[i].result, special[i].text, special[i].advice);
		return true;
	}
	return false;
}

static void judge(struct area *a)
{
	char text[256];

	if (a->start % UNIT) {
		snprintf(text, sizeof(text), "starts at byte %llu, which is "
			 "not a multiple of %u", (unsigned long long)a->start,
			 UNIT);
		say(a, BAD, text, "make the partition anew at a multiple of "
		    "1 MiB, as current tools do");
		return;
	}
	if (judge_special(a))
		return;
	if (!a->block) {
		snprintf(text, sizeof(text), "%s, of unknown block size",
			 a->type);
		say(a, UNKNOWN, text, "");
		return;
	}
	snprintf(text, sizeof(text), "%s with blocks of %u bytes", a->type,
		 a->block);
	if (a->block % UNIT)
		say(a, BAD, text,
		    strncmp(a->type, "ext", 3) ?
		    "make the file system anew with blocks of 4096 bytes" :
		    "make the file system anew with mke2fs -b 4096");
	else
		say(a, GOOD, text, "");
}

/* --- partitions ----------------------------------------------------------- */

static void add_finding(struct image *img, const struct area *a, bool decides)
{
	const struct finding *v = &a->verdict;
	enum result result = v->result;

	if (result == BAD && !decides)
		result = NOTE;
	found(img, result, a->what, v->advice, "%s%s", v->text,
	      v->result == BAD && !decides ?
	      "; it is not the largest partition" : "");
}

static void check_areas(struct image *img, struct area *a, int nr)
{
	int i, largest = 0;

	for (i = 0; i < nr; i++) {
		probe_area(img, &a[i]);
		judge(&a[i]);
		if (a[i].bytes > a[largest].bytes)
			largest = i;
	}
	for (i = 0; i < nr; i++)
		add_finding(img, &a[i], i == largest);
}

static void check_table(struct image *img, blkid_partlist list,
			unsigned int sector)
{
	int i, n = blkid_partlist_numof_partitions(list), nr = 0;
	struct area *a = calloc(n, sizeof(*a));

	for (i = 0; a && i < n; i++) {
		blkid_partition p = blkid_partlist_get_partition(list, i);

		/* it contains others, which are in the list */
		if (!p || blkid_partition_is_extended(p))
			continue;
		snprintf(a[nr].what, sizeof(a[nr].what), "partition %d",
			 blkid_partition_get_partno(p));
		a[nr].start = blkid_partition_get_start(p) * SECTOR;
		a[nr++].bytes = blkid_partition_get_size(p) * SECTOR;
	}
	found(img, sector == SECTOR ? GOOD : NOTE, "partition table",
	      sector == SECTOR ? "" :
	      "give the guest's disk logical_block_size=4096",
	      "%s, for sectors of %u bytes, %d partitions",
	      blkid_parttable_get_type(blkid_partlist_get_table(list)), sector,
	      nr);
	if (nr)
		check_areas(img, a, nr);
	free(a);
}

/* Does a table for sectors of that size make sense? */
static bool try_table(struct image *img, unsigned int sector)
{
	blkid_probe pr = blkid_new_probe();
	blkid_partlist list = NULL;
	bool any;

	if (!pr)
		return false;
	blkid_probe_enable_partitions(pr, 1);
	if (!blkid_probe_set_device(pr, img->fd, 0, img->bytes) &&
	    !blkid_probe_set_sectorsize(pr, sector))
		list = blkid_probe_get_partitions(pr);
	any = list && blkid_partlist_numof_partitions(list) > 0;
	if (any)
		check_table(img, list, sector);
	blkid_free_probe(pr);
	return any;
}

/* A table for sectors of 4 KiB has, at its first sector, a protective one. */
static bool has_gpt_at(const struct image *img, unsigned int sector)
{
	char magic[8];

	return pread(img->fd, magic, 8, sector) == 8 &&
	       !memcmp(magic, "EFI PART", 8);
}

void check_layout(struct image *img)
{
	struct area whole = { .what = "contents", .bytes = img->bytes };
	unsigned int sector = SECTOR;

	if (!has_gpt_at(img, SECTOR) && has_gpt_at(img, 4096))
		sector = 4096;
	if (!try_table(img, sector))
		check_areas(img, &whole, 1);
}
