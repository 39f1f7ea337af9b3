// SPDX-License-Identifier: GPL-2.0-only
/*
 * images.c - images/: the regular files of a folder, read-only
 *
 * Names are looked up below each time, beneath the folder and through no
 * symbolic link; nothing of it is cached here.  Whoever opens an image must be
 * allowed to by the owner, mode and labels of the file below; the file is then
 * opened as whoever mounted.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/stat.h>

#include "cowdedup_compat.h"
#include "internal.h"

#define LOOKUP_BELOW	(LOOKUP_BENEATH | LOOKUP_NO_SYMLINKS | LOOKUP_NO_XDEV)

static int below(struct cowd_mount *mnt, const char *name, struct path *path)
{
	const struct cred *old = override_creds(mnt->cred);
	int ret;

	ret = vfs_path_lookup(mnt->images.dentry, mnt->images.mnt, name,
			      LOOKUP_BELOW, path);
	revert_creds(old);
	return ret;
}

static bool is_in_images(const struct dentry *dentry)
{
	return READ_ONCE(dentry->d_parent) ==
	       cowd_mount_of(dentry->d_sb)->images_dir;
}

/* --- images/NAME --------------------------------------------------------- */

static struct inode *lower_of(const struct inode *inode)
{
	const struct cowd_image *img = inode->i_private;

	return d_inode(img->path.dentry);
}

static int image_permission(struct cowd_idmap *idmap, struct inode *inode,
			    int mask)
{
	if (mask & (MAY_WRITE | MAY_APPEND))
		return -EROFS;
	return inode_permission(cowd_nop_idmap, lower_of(inode), mask);
}

/*
 * What the file below is, but read-only and ours.  The caller has asked the
 * security module.
 */
static int image_getattr(struct cowd_idmap *idmap, const struct path *path,
			 struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct cowd_image *img = inode->i_private;
	int ret;

	ret = vfs_getattr_nosec(&img->path, stat, mask,
				flags & AT_STATX_SYNC_TYPE);
	if (ret)
		return ret;
	stat->dev = inode->i_sb->s_dev;
	stat->ino = inode->i_ino;
	stat->mode &= ~0222;
	stat->blksize = PAGE_SIZE;
	return 0;
}

static int image_setattr(struct cowd_idmap *idmap, struct dentry *dentry,
			 struct iattr *attr)
{
	return -EROFS;
}

static const struct inode_operations image_iops = {
	.permission = image_permission,
	.getattr = image_getattr,
	.setattr = image_setattr,
};

static int image_open(struct inode *inode, struct file *file)
{
	struct file *lower = cowd_image_use(inode->i_private);

	if (IS_ERR(lower))
		return PTR_ERR(lower);
	file->private_data = lower;
	file->f_mode |= FMODE_CAN_ODIRECT;
	return 0;
}

static int image_release(struct inode *inode, struct file *file)
{
	fput(file->private_data);
	cowd_image_unuse(inode->i_private);
	return 0;
}

/* An image that cannot be shared may grow. */
static loff_t image_llseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence,
				 i_size_read(lower_of(file_inode(file))));
}

static const struct file_operations image_fops = {
	.owner = THIS_MODULE,
	.open = image_open,
	.release = image_release,
	.llseek = image_llseek,
	.read_iter = cowd_read_iter,
	.splice_read = cowd_splice_read,
};

/* Is it an open file of images/ ? */
bool cowd_is_image(const struct file *file)
{
	return file->f_op == &image_fops;
}

/* Several inodes may have one image: by several names, or one after another. */
static struct inode *image_inode(struct super_block *sb,
				 const struct path *path)
{
	struct inode *inode = new_inode(sb), *lower = d_inode(path->dentry);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_ino = lower->i_ino;
	inode->i_mode = lower->i_mode & ~0222;
	inode->i_uid = lower->i_uid;
	inode->i_gid = lower->i_gid;
	i_size_write(inode, i_size_read(lower));
	cowd_inode_init_times(inode);
	inode->i_op = &image_iops;
	inode->i_fop = &image_fops;
	inode->i_private = cowd_image_get(cowd_mount_of(sb), path);
	if (inode->i_private)
		return inode;
	iput(inode);
	return ERR_PTR(-ENOMEM);
}

/* --- images/ ------------------------------------------------------------- */

static struct dentry *dir_lookup(struct inode *dir, struct dentry *dentry,
				 unsigned int flags)
{
	struct inode *inode = NULL;
	struct path path;
	int ret;

	ret = below(cowd_mount_of(dir->i_sb), dentry->d_name.name, &path);
	if (ret && ret != -ENOENT)
		return ERR_PTR(ret);
	if (!ret) {
		if (d_is_reg(path.dentry))
			inode = image_inode(dir->i_sb, &path);
		path_put(&path);
	}
	return d_splice_alias(inode, dentry);
}

static int dir_permission(struct cowd_idmap *idmap, struct inode *inode,
			  int mask)
{
	struct cowd_mount *mnt = cowd_mount_of(inode->i_sb);

	if (mask & (MAY_WRITE | MAY_APPEND))
		return -EROFS;
	return inode_permission(cowd_nop_idmap, d_inode(mnt->images.dentry),
				mask);
}

static int dir_getattr(struct cowd_idmap *idmap, const struct path *path,
		       struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	int ret;

	ret = vfs_getattr_nosec(&cowd_mount_of(inode->i_sb)->images, stat,
				mask, flags & AT_STATX_SYNC_TYPE);
	if (ret)
		return ret;
	stat->dev = inode->i_sb->s_dev;
	stat->ino = inode->i_ino;
	stat->mode &= ~0222;
	return 0;
}

static const struct inode_operations dir_iops = {
	.lookup = dir_lookup,
	.permission = dir_permission,
	.getattr = dir_getattr,
	.setattr = image_setattr,
};

static int dir_open(struct inode *inode, struct file *file)
{
	struct cowd_mount *mnt = cowd_mount_of(inode->i_sb);
	struct file *lower;

	lower = dentry_open(&mnt->images, O_RDONLY | O_DIRECTORY | O_LARGEFILE,
			    mnt->cred);
	if (IS_ERR(lower))
		return PTR_ERR(lower);
	file->private_data = lower;
	return 0;
}

static int dir_release(struct inode *inode, struct file *file)
{
	fput(file->private_data);
	return 0;
}

struct listing {
	struct dir_context ctx;
	struct dir_context *caller;
};

static bool list_file(struct dir_context *ctx, const char *name, int len,
		      loff_t pos, u64 ino, unsigned int type)
{
	struct listing *l = container_of(ctx, struct listing, ctx);

	if (type != DT_REG && type != DT_DIR && type != DT_UNKNOWN)
		return true;
	/* Of folders only the two dots. */
	if (type == DT_DIR && (name[0] != '.' || len > 2 ||
			       (len == 2 && name[1] != '.')))
		return true;
	l->caller->pos = pos;
	return dir_emit(l->caller, name, len, ino, type);
}

static int dir_iterate(struct file *file, struct dir_context *ctx)
{
	struct file *lower = file->private_data;
	struct listing l = {
		.ctx.actor = list_file,
		.caller = ctx,
	};
	const struct cred *old;
	int ret;

	lower->f_pos = ctx->pos;
	old = override_creds(cowd_mount_of(file_inode(file)->i_sb)->cred);
	ret = iterate_dir(lower, &l.ctx);
	revert_creds(old);
	ctx->pos = l.ctx.pos;
	return ret;
}

/* The position means something to the file system below. */
static loff_t dir_llseek(struct file *file, loff_t offset, int whence)
{
	loff_t pos = vfs_llseek(file->private_data, offset, whence);

	if (pos >= 0)
		file->f_pos = pos;
	return pos;
}

static const struct file_operations dir_fops = {
	.owner = THIS_MODULE,
	.open = dir_open,
	.release = dir_release,
	.llseek = dir_llseek,
	.read = generic_read_dir,
	.iterate_shared = dir_iterate,
};

/**
 * cowd_images_dir - the inode of images/
 * @sb: super block
 *
 * Return: NULL without memory.
 */
struct inode *cowd_images_dir(struct super_block *sb)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode->i_mode = S_IFDIR | 0555;
	cowd_inode_init_times(inode);
	set_nlink(inode, 2);
	inode->i_op = &dir_iops;
	inode->i_fop = &dir_fops;
	return inode;
}

/* --- names --------------------------------------------------------------- */

/* A name may mean another file now: replaced by rename, deleted, made anew. */
static COWD_D_REVALIDATE(name_is_current)
{
	struct path path;
	bool same;

	if (!is_in_images(dentry))
		return 1;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	if (d_really_is_negative(dentry))
		return 0;
	if (below(cowd_mount_of(dentry->d_sb), dentry->d_name.name, &path))
		return 0;
	same = d_inode(path.dentry) == lower_of(d_inode(dentry));
	path_put(&path);
	return same;
}

static int forget_name(const struct dentry *dentry)
{
	return is_in_images(dentry) || d_really_is_negative(dentry);
}

const struct dentry_operations cowd_dentry_ops = {
	.d_revalidate = name_is_current,
	.d_delete = forget_name,
};
