// SPDX-License-Identifier: GPL-2.0-only
/*
 * image.c - numashare image: disk images that guests shall share
 */
#include <getopt.h>
#include <string.h>

#include "image.h"
#include "numashare.h"

static int check_one(const char *path, struct json_object *list)
{
	struct image img;
	int ret = image_open(&img, path);

	if (ret) {
		complain("%s: %s", path, strerror(-ret));
		return FAILED;
	}
	image_check(&img);
	ret = image_shares(&img) ? OK : FAILED;
	if (list)
		json_object_array_add(list, image_json(&img));
	else
		image_print(&img);
	image_close(&img);
	return ret;
}

static int check(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct json_object *o = NULL, *list = NULL;
	int c, ret = OK;

	while ((c = getopt_long(argc, argv, "j", opts, NULL)) != -1) {
		if (c != 'j')
			return usage_error(&cmd_image, "unknown option");
		if (!o) {
			o = json_object_new_object();
			list = json_object_new_array();
			json_object_object_add(o, "images", list);
		}
	}
	if (optind == argc) {
		json_object_put(o);
		return usage_error(&cmd_image, "check which file?");
	}
	for (; optind < argc; optind++)
		if (check_one(argv[optind], list))
			ret = FAILED;
	if (o)
		json_print(stdout, o);
	return ret;
}

static int run(int argc, char **argv)
{
	if (argc < 2)
		return usage_error(&cmd_image, "check or import?");
	if (!strcmp(argv[1], "check"))
		return check(argc - 1, argv + 1);
	if (!strcmp(argv[1], "import"))
		return image_import(argc - 1, argv + 1);
	return usage_error(&cmd_image, "what is '%s'?", argv[1]);
}

const struct subcommand cmd_image = {
	.name = "image",
	.run = run,
	.summary = "Say whether a disk image can be shared, or make one that can",
	.usage = "check [--json] FILE... | import [OPTION]... FILE NAME|PATH",
	.help =
"check   looks at the format, the file system of the host, who has the file open\n"
"        for writing, the partitions and the blocks of their file systems.  The\n"
"        exit status is 0 if all of the FILEs can be shared.\n"
"import  makes a raw copy of FILE, which is reflinked, copied with its holes, or\n"
"        converted by qemu-img, and checks it.  NAME is a name in the folder of\n"
"        images of the mounted cowdedup; with a slash it is a PATH.\n\n"
"  -j, --json      the result as JSON\n"
"  -q, --quiet     import: no progress\n"
"  -r, --replace   import: in place of an image of that name; guests that use\n"
"                  the old one keep it\n",
};
