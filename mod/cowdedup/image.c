// SPDX-License-Identifier: GPL-2.0-only
/*
 * image.c - a file that guests read, and whether it can be shared
 *
 * While an image is in use, by an open file or by pages that are bound, the
 * file below is open and nobody can open it for writing (ETXTBSY), so that what
 * was read once stays right.  Where that cannot be had, reads are copied.
 */
#include <linux/cred.h>
#include <linux/fadvise.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "internal.h"

/* File systems whose files change by way of their inodes only. */
static const char *const local_fs[] = {
	"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "erofs", "squashfs",
};

static struct cowd_image *image_new(struct cowd_mount *mnt,
				    const struct path *path)
{
	struct cowd_image *img = kzalloc(sizeof(*img), GFP_KERNEL_ACCOUNT);

	if (!img)
		return NULL;
	kref_init(&img->ref);
	img->mount = mnt;
	img->path = *path;
	path_get(&img->path);
	mutex_init(&img->lock);
	refcount_set(&img->users, 0);
	img->why = COWD_IMAGE;
	xa_init_flags(&img->masters, XA_FLAGS_ACCOUNT);
	return img;
}

static struct cowd_image *image_find(struct cowd_mount *mnt,
				     const struct path *path)
{
	struct cowd_image *img;

	lockdep_assert_held(&mnt->lock);
	list_for_each_entry(img, &mnt->list, link)
		if (d_inode(img->path.dentry) == d_inode(path->dentry))
			return img;
	return NULL;
}

static void image_free(struct cowd_image *img)
{
	xa_destroy(&img->masters);
	path_put(&img->path);
	mutex_destroy(&img->lock);
	kfree(img);
}

/**
 * cowd_image_get - the image of a file
 * @mnt: mount
 * @path: the file below
 *
 * There is one for a file, whatever the name, and also when guests have pages
 * of it bound after all who had it open have closed it.
 *
 * Return: the image, with a reference for the caller; NULL without memory.
 */
struct cowd_image *cowd_image_get(struct cowd_mount *mnt,
				  const struct path *path)
{
	struct cowd_image *new = image_new(mnt, path), *img;

	if (!new)
		return NULL;
	mutex_lock(&mnt->lock);
	img = image_find(mnt, path);
	if (img)
		kref_get(&img->ref);
	else
		list_add(&new->link, &mnt->list);
	mutex_unlock(&mnt->lock);
	if (!img)
		return new;
	image_free(new);
	return img;
}

/* Who looks for it holds the lock: it is found with a reference, or not. */
static void image_release(struct kref *ref)
{
	struct cowd_image *img = container_of(ref, struct cowd_image, ref);

	list_del(&img->link);
	mutex_unlock(&img->mount->lock);
	image_free(img);
}

/* An inode goes, or the last user. */
void cowd_image_put(struct cowd_image *img)
{
	kref_put_mutex(&img->ref, image_release, &img->mount->lock);
}

/**
 * cowd_image_read_below - read from the file below
 * @img: image, in use
 * @lower: the file below, as the reader has it open
 * @to: where to
 * @pos: from where; it advances
 *
 * Whoever reads was allowed to open the image; the file below was opened as
 * whoever mounted, so it is read as them.
 *
 * Return: bytes, 0 at the end, or a negative errno.
 */
ssize_t cowd_image_read_below(struct cowd_image *img, struct file *lower,
			      struct iov_iter *to, loff_t *pos)
{
	const struct cred *old = override_creds(img->mount->cred);
	ssize_t ret;

	ret = vfs_iter_read(lower, to, pos, 0);
	revert_creds(old);
	return ret;
}

/* Do files there change by way of their inodes only? */
bool cowd_fs_can_share(const struct super_block *sb)
{
	unsigned int i;

	if (sb->s_stack_depth)
		return false;
	for (i = 0; i < ARRAY_SIZE(local_fs); i++)
		if (!strcmp(sb->s_type->name, local_fs[i]))
			return true;
	return false;
}

static bool can_be_frozen(struct file *lower)
{
	struct inode *inode = file_inode(lower);

	return S_ISREG(inode->i_mode) && !IS_DAX(inode) &&
	       cowd_fs_can_share(inode->i_sb);
}

/* Somebody may have the file open for writing now, and not the next time. */
static void try_to_share(struct cowd_image *img)
{
	lockdep_assert_held(&img->lock);
	if (img->denied || !can_be_frozen(img->lower))
		return;
	if (deny_write_access(img->lower))
		return;
	img->denied = true;
	WRITE_ONCE(img->why, COWD_BOUND);
}

static struct file *open_below(struct cowd_image *img)
{
	return dentry_open(&img->path, O_RDONLY | O_LARGEFILE,
			   img->mount->cred);
}

/* What is read ahead for masters would stay in the page cache, too. */
static void image_begin(struct cowd_image *img, struct file *lower)
{
	lockdep_assert_held(&img->lock);
	vfs_fadvise(lower, 0, 0, POSIX_FADV_RANDOM);
	img->lower = lower;
	kref_get(&img->ref);
	refcount_set(&img->users, 1);
}

/*
 * Nobody has a file of it open, so nobody reads it, and nothing of it is bound.
 * The shrinker takes masters under their index's lock.
 */
static void image_end(struct cowd_image *img)
{
	lockdep_assert_held(&img->lock);
	cowd_masters_drop(img);
	WRITE_ONCE(img->why, COWD_IMAGE);
	if (img->denied)
		allow_write_access(img->lower);
	img->denied = false;
	fput(img->lower);
	img->lower = NULL;
}

/**
 * cowd_image_use - one user more
 * @img: image
 *
 * Return: the file below, opened for this user, or why it cannot be; ETXTBSY if
 * somebody may change it and the mount is strict.
 */
struct file *cowd_image_use(struct cowd_image *img)
{
	struct file *lower, *once;
	bool refuse;

	/* These may wait for others, so not under the lock. */
	lower = open_below(img);
	if (IS_ERR(lower))
		return lower;
	once = open_below(img);
	if (IS_ERR(once)) {
		fput(lower);
		return once;
	}
	mutex_lock(&img->lock);
	if (!refcount_inc_not_zero(&img->users)) {
		image_begin(img, once);
		once = NULL;
	}
	try_to_share(img);
	refuse = img->mount->options.strict && !img->denied;
	mutex_unlock(&img->lock);
	if (once)
		fput(once);
	if (!refuse)
		return lower;
	fput(lower);
	cowd_image_unuse(img);
	return ERR_PTR(-ETXTBSY);
}

/* One user less. */
void cowd_image_unuse(struct cowd_image *img)
{
	if (!refcount_dec_and_mutex_lock(&img->users, &img->lock))
		return;
	image_end(img);
	mutex_unlock(&img->lock);
	cowd_image_put(img);
}
