// SPDX-License-Identifier: GPL-2.0-only
/*
 * options.c - what mount -o takes
 */
#include <linux/cred.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/kstrtox.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"

enum option {
	OPT_IMAGES, OPT_MODE, OPT_RECLAIM, OPT_STRICT, OPT_GROUP, OPT_UID,
	OPT_GID, OPT_ADAPTIVE, OPT_CONTENT, OPT_REPLICAS,
};

static const struct constant_table on_off[] = {
	{ "off", false },
	{ "on", true },
	{}
};

static const struct constant_table groups[] = {
	{ "mount", false },
	{ "dir", true },
	{}
};

const struct fs_parameter_spec cowd_parameters[] = {
	fsparam_string("images", OPT_IMAGES),
	fsparam_string("mode", OPT_MODE),
	fsparam_enum("reclaim", OPT_RECLAIM, on_off),
	fsparam_enum("strict", OPT_STRICT, on_off),
	fsparam_enum("group", OPT_GROUP, groups),
	fsparam_enum("adaptive", OPT_ADAPTIVE, on_off),
	fsparam_u32("uid", OPT_UID),
	fsparam_u32("gid", OPT_GID),
	fsparam_enum("content", OPT_CONTENT, on_off),
	fsparam_enum("replicas", OPT_REPLICAS, on_off),
	{}
};

void cowd_options_init(struct cowd_options *o)
{
	o->reclaim = true;
	o->uid = current_fsuid();
	o->gid = current_fsgid();
	o->mode = 0755;
}

/* For a remount, which then says what it wants to be different. */
int cowd_options_copy(struct cowd_options *to, const struct cowd_options *from)
{
	*to = *from;
	to->images = kstrdup(from->images, GFP_KERNEL);
	return to->images ? 0 : -ENOMEM;
}

bool cowd_options_equal(const struct cowd_options *a,
			const struct cowd_options *b)
{
	return !strcmp(a->images, b->images) && a->reclaim == b->reclaim &&
	       a->strict == b->strict && a->group_dir == b->group_dir &&
	       a->shared == b->shared && a->adaptive == b->adaptive &&
	       a->content == b->content && a->replicas == b->replicas &&
	       a->mode == b->mode &&
	       uid_eq(a->uid, b->uid) && gid_eq(a->gid, b->gid);
}

/* The way guests' memory is shared, or the permissions of ram/. */
static int parse_mode(struct fs_context *fc, struct cowd_options *o,
		      const char *text)
{
	u16 mode;

	if (!strcmp(text, "private") || !strcmp(text, "shared")) {
		o->shared = *text == 's';
		return 0;
	}
	if (kstrtou16(text, 8, &mode) || mode & ~07777)
		return invalf(fc,
			      "cowdedup: mode= is private, shared, or octal");
	o->mode = mode;
	return 0;
}

static int parse_owner(struct fs_context *fc, struct cowd_options *o,
		       enum option opt, u32 id)
{
	if (opt == OPT_UID)
		o->uid = make_kuid(current_user_ns(), id);
	else
		o->gid = make_kgid(current_user_ns(), id);
	if (!uid_valid(o->uid) || !gid_valid(o->gid))
		return invalf(fc, "cowdedup: there is no such user or group");
	return 0;
}

/**
 * cowd_parse_option - a mount option
 * @fc: context
 * @param: option
 * @o: where it goes
 *
 * Return: 0 or a negative errno.
 */
int cowd_parse_option(struct fs_context *fc, struct fs_parameter *param,
		      struct cowd_options *o)
{
	struct fs_parse_result result;
	int opt = fs_parse(fc, cowd_parameters, param, &result);

	switch (opt) {
	case OPT_IMAGES:
		kfree(o->images);
		o->images = param->string;
		param->string = NULL;
		return 0;
	case OPT_MODE:
		return parse_mode(fc, o, param->string);
	case OPT_RECLAIM:
		o->reclaim = result.uint_32;
		return 0;
	case OPT_STRICT:
		o->strict = result.uint_32;
		return 0;
	case OPT_GROUP:
		o->group_dir = result.uint_32;
		return 0;
	case OPT_ADAPTIVE:
		o->adaptive = result.uint_32;
		return 0;
	case OPT_CONTENT:
		o->content = result.uint_32;
		return 0;
	case OPT_UID:
	case OPT_GID:
		return parse_owner(fc, o, opt, result.uint_32);
	case OPT_REPLICAS:
		o->replicas = result.uint_32;
		return 0;
	default:
		return opt;
	}
}

/* Those that are not the default; the owner of ram/ is shown by stat(2). */
int cowd_show_options(struct seq_file *seq, struct dentry *root)
{
	const struct cowd_options *o = &cowd_mount_of(root->d_sb)->options;

	seq_show_option(seq, "images", o->images);
	if (o->shared)
		seq_puts(seq, ",mode=shared");
	if (!o->reclaim)
		seq_puts(seq, ",reclaim=off");
	if (o->strict)
		seq_puts(seq, ",strict=on");
	if (o->group_dir)
		seq_puts(seq, ",group=dir");
	if (o->adaptive)
		seq_puts(seq, ",adaptive=on");
	if (o->content)
		seq_puts(seq, ",content=on");
	if (o->replicas)
		seq_puts(seq, ",replicas=on");
	if (!uid_eq(o->uid, GLOBAL_ROOT_UID))
		seq_printf(seq, ",uid=%u",
			   from_kuid_munged(&init_user_ns, o->uid));
	if (!gid_eq(o->gid, GLOBAL_ROOT_GID))
		seq_printf(seq, ",gid=%u",
			   from_kgid_munged(&init_user_ns, o->gid));
	if (o->mode != 0755)
		seq_printf(seq, ",mode=%o", o->mode);
	return 0;
}
