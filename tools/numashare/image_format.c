// SPDX-License-Identifier: GPL-2.0-only
/*
 * image_format.c - raw, or another format: by the magic numbers
 *
 * A raw image is whatever has none of them.
 */
#define _GNU_SOURCE
#include <string.h>

#include "image.h"

static const struct {
	const char *format;
	size_t at, len;
	const char *magic;
} formats[] = {
	{ "qcow2", 0, 4, "QFI\xfb" },
	{ "qed", 0, 4, "QED\0" },
	{ "vmdk", 0, 4, "KDMV" },
	{ "vmdk", 0, 4, "COWD" },
	{ "vmdk", 0, 21, "# Disk DescriptorFile" },
	{ "vdi", 64, 4, "\x7f\x10\xda\xbe" },
	{ "vhdx", 0, 8, "vhdxfile" },
	{ "vpc", 0, 8, "conectix" },
	{ "parallels", 0, 16, "WithoutFreeSpace" },
	{ "parallels", 0, 16, "WithouFreSpacExt" },
	{ "luks", 0, 6, "LUKS\xba\xbe" },
	{ "gzip", 0, 2, "\x1f\x8b" },
	{ "xz", 0, 6, "\xfd" "7zXZ\0" },
	{ "zstd", 0, 4, "\x28\xb5\x2f\xfd" },
	{ "bzip2", 0, 3, "BZh" },
};

static bool any_set(const unsigned char *p, size_t n)
{
	while (n--)
		if (*p++)
			return true;
	return false;
}

/*
 * Does it take contents from a file that its header names?  Who imports it as
 * root would read any file for whoever made the header.
 */
static bool names_files(const char *format, const unsigned char *h, size_t len)
{
	if (!strcmp(format, "qcow2") && len >= 80)
		/* a backing file; version 3: an external data file */
		return any_set(h + 8, 8) ||
		       (h[7] >= 3 && (h[79] & 4));
	if (!strcmp(format, "qed") && len >= 24)
		return h[16] & 1;
	if (!strcmp(format, "vmdk"))
		return h[0] == '#' ||
		       memmem(h, len, "parentFileNameHint", 18);
	/* a differencing disk */
	if (!strcmp(format, "vpc") && len >= 64)
		return h[63] == 4;
	return false;
}

/**
 * image_format - what is it, in qemu-img's words?
 * @head: the beginning of the file
 * @len: bytes of it, IMAGE_HEAD if there are so many
 * @tail: the last 512 bytes, or NULL
 * @refers: output: it names other files
 *
 * Return: the name.
 */
const char *image_format(const unsigned char *head, size_t len,
			 const unsigned char *tail, bool *refers)
{
	size_t i;

	*refers = false;
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (formats[i].at + formats[i].len > len ||
		    memcmp(head + formats[i].at, formats[i].magic,
			   formats[i].len))
			continue;
		*refers = names_files(formats[i].format, head, len);
		return formats[i].format;
	}
	/* these have their header at the end */
	if (tail && !memcmp(tail, "conectix", 8))
		return "vpc";
	if (tail && !memcmp(tail, "koly", 4))
		return "dmg";
	return "raw";
}
