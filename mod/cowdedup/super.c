// SPDX-License-Identifier: GPL-2.0-only
/*
 * super.c - mount -t cowdedup -o images=FOLDER none MOUNTPOINT
 *
 * A mount is a trust group: nothing is shared across mounts, each has its own
 * masters.  Mounting needs CAP_SYS_ADMIN in the initial user namespace.
 */
#include <linux/cred.h>
#include <linux/fs_context.h>
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include <linux/cowdedup.h>

#include "cowdedup_compat.h"
#include "internal.h"

/* --- the mount object ---------------------------------------------------- */

/* Everybody is gone: files, inodes, and readers of sysfs. */
static void mount_free(struct cowd_mount *mnt)
{
	if (!mnt)
		return;
	WARN_ON_ONCE(atomic_long_read(&mnt->masters) ||
		     atomic_long_read(&mnt->alike) ||
		     atomic_long_read(&mnt->bound) ||
		     atomic_long_read(&mnt->ram_files));
	/*
	 * A private clone is a mount of the kernel's.  This also waits for
	 * those who walk paths by RCU: they look into @mnt, at its cred and at
	 * the dentry, which the clone keeps until then.
	 */
	if (mnt->images.mnt) {
		dput(mnt->images.dentry);
		kern_unmount(mnt->images.mnt);
	}
	cowd_content_free(mnt->content);
	mem_cgroup_put(mnt->memcg);
	put_cred(mnt->cred);
	kfree(mnt->options.images);
	/* frees it when nobody reads its attributes any more */
	kobject_put(&mnt->kobj);
}

static struct cowd_mount *mount_new(void)
{
	struct cowd_mount *mnt = kzalloc(sizeof(*mnt), GFP_KERNEL);

	if (!mnt)
		return NULL;
	mnt->count = alloc_percpu(struct cowd_percpu);
	if (!mnt->count) {
		kfree(mnt);
		return NULL;
	}
	mutex_init(&mnt->lock);
	INIT_LIST_HEAD(&mnt->list);
	INIT_LIST_HEAD(&mnt->rams);
	cowd_options_init(&mnt->options);
	mnt->cred = get_current_cred();
	mnt->memcg = get_mem_cgroup_from_mm(current->mm);
	cowd_mount_kobj_init(mnt);
	return mnt;
}

/*
 * The folder, in a mount of its own: what is mounted over it or unmounted
 * elsewhere does not matter here.
 */
static int find_images(struct cowd_mount *mnt, struct fs_context *fc)
{
	struct vfsmount *private;
	struct path path;
	int ret;

	ret = kern_path(mnt->options.images, LOOKUP_FOLLOW | LOOKUP_DIRECTORY,
			&path);
	if (ret)
		return ret;
	ret = -EINVAL;
	if (is_idmapped_mnt(path.mnt) ||
	    path.dentry->d_sb->s_type == &cowd_fs_type) {
		errorf(fc, "cowdedup: images= is an idmapped mount or cowdedup");
		goto out;
	}
	ret = -EOPNOTSUPP;
	if (mnt->options.strict && !cowd_fs_can_share(path.dentry->d_sb)) {
		errorf(fc, "cowdedup: files of %s are not shared, but copied",
		       path.dentry->d_sb->s_type->name);
		goto out;
	}
	private = clone_private_mount(&path);
	ret = PTR_ERR_OR_ZERO(private);
	if (ret)
		goto out;
	mnt->images.mnt = private;
	mnt->images.dentry = dget(path.dentry);
out:
	path_put(&path);
	return ret;
}

/* --- the super block ----------------------------------------------------- */

static void evict_inode(struct inode *inode)
{
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (!S_ISREG(inode->i_mode) || !inode->i_private)
		return;
	if (inode->i_fop->read_iter)
		cowd_image_put(inode->i_private);
	else
		cowd_ram_free(inode->i_private);
}

static const struct super_operations super_ops = {
	.statfs = simple_statfs,
	.drop_inode = inode_just_drop,
	.evict_inode = evict_inode,
	.show_options = cowd_show_options,
};

static struct dentry *add_dir(struct super_block *sb, const char *name,
			      struct inode *inode)
{
	struct dentry *dentry;

	if (!inode)
		return NULL;
	dentry = d_alloc_name(sb->s_root, name);
	if (!dentry) {
		iput(inode);
		return NULL;
	}
	inc_nlink(d_inode(sb->s_root));
	cowd_keep_name(dentry, inode);
	/* Its name keeps it until the file system goes. */
	dput(dentry);
	return dentry;
}

static int make_root(struct super_block *sb)
{
	struct inode *root = new_inode(sb);

	if (!root)
		return -ENOMEM;
	root->i_ino = get_next_ino();
	inode_init_owner(cowd_nop_idmap, root, NULL, S_IFDIR | 0555);
	cowd_inode_init_times(root);
	root->i_op = &simple_dir_inode_operations;
	root->i_fop = &simple_dir_operations;
	set_nlink(root, 2);
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static int fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct cowd_mount *mnt = cowd_mount_of(sb);
	int ret;

	mnt->sb = sb;
	sb->s_maxbytes = COWD_MAX_BYTES;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = COWDEDUP_SUPER_MAGIC;
	sb->s_time_gran = 1;
	sb->s_op = &super_ops;
	set_default_d_op(sb, &cowd_dentry_ops);
	sb->s_flags |= SB_NOSUID | SB_NOEXEC | SB_NODEV;
	sb->s_iflags |= SB_I_NOEXEC | SB_I_NODEV;
	sb->s_stack_depth = mnt->images.dentry->d_sb->s_stack_depth + 1;
	if (sb->s_stack_depth > FILESYSTEM_MAX_STACK_DEPTH)
		return -EINVAL;
	ret = make_root(sb);
	if (ret)
		return ret;
	mnt->images_dir = add_dir(sb, "images", cowd_images_dir(sb));
	if (!mnt->images_dir ||
	    !add_dir(sb, "ram", cowd_ram_root(sb)))
		return -ENOMEM;
	ret = cowd_shrinker_add(mnt);
	if (ret)
		return ret;
	return cowd_mount_kobj_add(mnt);
}

static void kill_super(struct super_block *sb)
{
	struct cowd_mount *mnt = cowd_mount_of(sb);

	/* No attribute is shown any more when this returns. */
	if (mnt && mnt->kobj.state_in_sysfs)
		kobject_del(&mnt->kobj);
	if (mnt)
		cowd_shrinker_remove(mnt);
	kill_litter_super(sb);
	mount_free(mnt);
}

/* --- the context of mount(2) --------------------------------------------- */

static int parse_option(struct fs_context *fc, struct fs_parameter *param)
{
	struct cowd_mount *mnt = fc->s_fs_info;

	return cowd_parse_option(fc, param, &mnt->options);
}

static int get_tree(struct fs_context *fc)
{
	struct cowd_mount *mnt = fc->s_fs_info;
	int ret;

	if (!mnt->options.images)
		return invalf(fc, "cowdedup: images=FOLDER is missing");
	if (mnt->options.content) {
		mnt->content = cowd_content_new();
		if (!mnt->content)
			return -ENOMEM;
	}
	ret = find_images(mnt, fc);
	if (ret)
		return ret;
	return get_tree_nodev(fc, fill_super);
}

/* The super block has not taken it. */
static void free_context(struct fs_context *fc)
{
	mount_free(fc->s_fs_info);
}

/* mount -o remount with the options that it has changes nothing. */
static int reconfigure(struct fs_context *fc)
{
	const struct cowd_mount *mnt = cowd_mount_of(fc->root->d_sb);
	const struct cowd_mount *wanted = fc->s_fs_info;

	if (!cowd_options_equal(&mnt->options, &wanted->options))
		return invalf(fc, "cowdedup: options cannot be changed");
	return 0;
}

static const struct fs_context_operations context_ops = {
	.parse_param = parse_option,
	.get_tree = get_tree,
	.reconfigure = reconfigure,
	.free = free_context,
};

static int init_context(struct fs_context *fc)
{
	struct cowd_mount *mnt = mount_new(), *now;

	if (!mnt)
		return -ENOMEM;
	fc->s_fs_info = mnt;
	fc->ops = &context_ops;
	if (fc->purpose != FS_CONTEXT_FOR_RECONFIGURE)
		return 0;
	now = cowd_mount_of(fc->root->d_sb);
	return cowd_options_copy(&mnt->options, &now->options);
}

struct file_system_type cowd_fs_type = {
	.owner = THIS_MODULE,
	.name = "cowdedup",
	.init_fs_context = init_context,
	.parameters = cowd_parameters,
	.kill_sb = kill_super,
};
MODULE_ALIAS_FS("cowdedup");
