// SPDX-License-Identifier: GPL-2.0-only
/*
 * ram.c - ram/: files that are guests' memory
 *
 * They can be made, named, owned and labelled as anybody likes, given a size,
 * and mapped.  In private mode what a guest writes is in anonymous pages of its
 * process; the file holds nothing but what is bound to it, as long as somebody
 * maps it.  In shared mode it holds all, in a file of shmem; see shared.c.
 */
#include <linux/dcache.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "cowdedup_compat.h"
#include "internal.h"

/* --- the file ------------------------------------------------------------ */

static int ram_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct cowd_ram *ram = file_inode(file)->i_private;
	int ret;

	if (ram->shm) {
		ret = cowd_shared_mmap(file, vma);
		if (ret)
			return ret;
	} else {
		if (vma->vm_flags & (VM_SHARED | VM_MAYSHARE))
			return -EINVAL;
		vma->vm_ops = &cowd_vm_ops;
		vma->vm_private_data = file;
	}
	mutex_lock(&ram->lock);
	ram->mappings++;
	mutex_unlock(&ram->lock);
	return 0;
}

static pgoff_t pages_of(loff_t size)
{
	return DIV_ROUND_UP_ULL(size, PAGE_SIZE);
}

/*
 * The table does not change while somebody may look into it, so a file that is
 * mapped does not grow.
 */
static int resize(struct cowd_ram *ram, loff_t size)
{
	struct inode *inode = ram->inode;
	unsigned long nr = pages_of(size);
	int ret = 0;

	mutex_lock(&ram->lock);
	if (nr > ram->nr && ram->mappings)
		ret = -EBUSY;
	else
		ret = cowd_table_resize(ram, nr);
	if (!ret) {
		i_size_write(inode, size);
		WRITE_ONCE(ram->nr, nr);
		cowd_cut_off(ram, size);
	}
	mutex_unlock(&ram->lock);
	return ret;
}

/* A page of which a part becomes zero is not bound. */
static int break_part(struct cowd_ram *ram, loff_t pos)
{
	int ret = 0;

	if (ram->shm && offset_in_page(pos))
		do {
			ret = cowd_shared_break(ram, pos >> PAGE_SHIFT);
		} while (ret == -EAGAIN && !fatal_signal_pending(current));
	return ret;
}

static int ram_setattr(struct cowd_idmap *idmap, struct dentry *dentry,
		       struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int ret;

	ret = setattr_prepare(idmap, dentry, attr);
	if (ret)
		return ret;
	if (attr->ia_valid & ATTR_SIZE) {
		ret = break_part(inode->i_private, attr->ia_size);
		if (!ret)
			ret = resize(inode->i_private, attr->ia_size);
		if (ret)
			return ret;
	}
	setattr_copy(idmap, inode, attr);
	mark_inode_dirty(inode);
	return 0;
}

/**
 * cowd_ram_fallocate - change what a guest's memory occupies
 * @ram: guest's memory
 * @mode: as of fallocate(2)
 * @offset: first byte
 * @len: bytes
 *
 * A balloon gives pages back: what was bound there is not any more.
 *
 * Return: 0 or a negative errno; all but holes is not supported.
 */
int cowd_ram_fallocate(struct cowd_ram *ram, int mode, loff_t offset,
		       loff_t len)
{
	loff_t end = min_t(loff_t, offset + len, COWD_MAX_BYTES);
	int ret;

	if (mode != (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	ret = break_part(ram, offset) ?: break_part(ram, end);
	if (ret)
		return ret;
	mutex_lock(&ram->lock);
	cowd_unbind(ram, DIV_ROUND_UP_ULL(offset, PAGE_SIZE),
		    end >> PAGE_SHIFT, false);
	if (ram->shm)
		cowd_shared_drop(ram, offset, end);
	mutex_unlock(&ram->lock);
	return 0;
}

static long ram_fallocate(struct file *file, int mode, loff_t offset,
			  loff_t len)
{
	return cowd_ram_fallocate(file_inode(file)->i_private, mode, offset,
				  len);
}

/* What is bound and what is its own is what it occupies: du(1) shows it. */
static int ram_getattr(struct cowd_idmap *idmap, const struct path *path,
		       struct kstat *stat, u32 mask, unsigned int flags)
{
	const struct cowd_ram *ram = d_inode(path->dentry)->i_private;
	int ret = simple_getattr(idmap, path, stat, mask, flags);

	stat->blocks = (u64)READ_ONCE(ram->bound) << (PAGE_SHIFT - 9);
	if (ram->shm)
		stat->blocks += file_inode(ram->shm)->i_blocks;
	return ret;
}

static const struct inode_operations ram_iops = {
	.setattr = ram_setattr,
	.getattr = ram_getattr,
};

static const struct file_operations ram_fops = {
	.owner = THIS_MODULE,
	.mmap = ram_mmap,
	.llseek = generic_file_llseek,
	.fallocate = ram_fallocate,
	.fsync = noop_fsync,
};

static const struct file_operations shared_fops = {
	.owner = THIS_MODULE,
	.mmap = ram_mmap,
	.get_unmapped_area = cowd_shared_area,
	.llseek = generic_file_llseek,
	.fallocate = ram_fallocate,
	.fsync = noop_fsync,
};

/**
 * cowd_ram_get - the memory of a guest behind an open file
 * @file: any file
 *
 * Return: NULL if it is not one of ram/, and not one that is mapped for it in
 * shared mode, which is what /proc/PID/map_files leads to.
 */
struct cowd_ram *cowd_ram_get(const struct file *file)
{
	struct inode *inode = file_inode(file);

	if (file->f_op != &ram_fops && file->f_op != &shared_fops)
		return cowd_shared_find(inode);
	/* both are there, for the file is */
	atomic_inc(&inode->i_sb->s_active);
	ihold(inode);
	return inode->i_private;
}

/* Let it go, and its mount. */
void cowd_ram_put(struct cowd_ram *ram)
{
	struct super_block *sb = ram->inode->i_sb;

	iput(ram->inode);
	deactivate_super(sb);
}

/* --- its inode ----------------------------------------------------------- */

static bool make_zeros(struct cowd_ram *ram)
{
	unsigned int i;

	for (i = 0; i < COWD_ZEROS; i++) {
		ram->zero[i] = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT |
					  __GFP_ZERO);
		if (!ram->zero[i])
			return false;
		SetPageUptodate(ram->zero[i]);
	}
	return true;
}

/* The inode goes: nobody maps it, and nothing is bound. */
void cowd_ram_free(struct cowd_ram *ram)
{
	struct cowd_mount *mnt;
	unsigned int i;

	if (!ram)
		return;
	mnt = cowd_mount_of(ram->inode->i_sb);
	atomic_long_dec(&mnt->ram_files);
	mutex_lock(&mnt->lock);
	list_del(&ram->link);
	mutex_unlock(&mnt->lock);
	mutex_lock(&ram->lock);
	cowd_unbind(ram, 0, ULONG_MAX, true);
	mutex_unlock(&ram->lock);
	cowd_table_free(ram);
	cowd_shared_remove(ram);
	for (i = 0; i < COWD_ZEROS; i++)
		if (ram->zero[i])
			put_page(ram->zero[i]);
	mutex_destroy(&ram->lock);
	kfree(ram);
}

/* Memory of its own, or pages to show where there is none. */
static bool make_pages(struct cowd_ram *ram, struct dentry *dentry)
{
	const struct cowd_mount *mnt = cowd_mount_of(ram->inode->i_sb);

	if (!mnt->options.shared)
		return make_zeros(ram);
	return !cowd_shared_create(ram, dentry);
}

static struct cowd_ram *ram_new(struct inode *inode, struct dentry *dentry)
{
	struct cowd_ram *ram = kzalloc(sizeof(*ram), GFP_KERNEL_ACCOUNT);
	struct cowd_mount *mnt = cowd_mount_of(inode->i_sb);

	if (!ram)
		return NULL;
	ram->inode = inode;
	ram->mapping = inode->i_mapping;
	mutex_init(&ram->lock);
	init_rwsem(&ram->insert);
	atomic_long_inc(&mnt->ram_files);
	mutex_lock(&mnt->lock);
	list_add(&ram->link, &mnt->rams);
	mutex_unlock(&mnt->lock);
	if (make_pages(ram, dentry))
		return ram;
	cowd_ram_free(ram);
	return NULL;
}

static struct inode *ram_inode(struct inode *dir, struct dentry *dentry,
			       umode_t mode)
{
	struct super_block *sb = dir->i_sb;
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode_init_owner(cowd_nop_idmap, inode, dir, S_IFREG | mode);
	cowd_inode_init_times(inode);
	inode->i_op = &ram_iops;
	inode->i_fop = cowd_mount_of(sb)->options.shared ? &shared_fops :
							   &ram_fops;
	inode->i_private = ram_new(inode, dentry);
	if (inode->i_private)
		return inode;
	iput(inode);
	return NULL;
}

/* --- folders ------------------------------------------------------------- */

static void name_it(struct inode *dir, struct dentry *dentry,
		    struct inode *inode)
{
	cowd_keep_name(dentry, inode);
	cowd_inode_init_times(dir);
}

static unsigned int group_of(const struct inode *dir)
{
	return (unsigned long)dir->i_private;
}

/* The group of a new folder in @dir: a new one in ram/ itself. */
static bool new_group(struct inode *dir, unsigned int *group)
{
	struct cowd_mount *mnt = cowd_mount_of(dir->i_sb);
	const long last = COWD_GROUPS - 1;
	long had;

	*group = group_of(dir);
	if (!mnt->options.group_dir || *group)
		return true;
	had = atomic_long_fetch_add_unless(&mnt->groups, 1, last);
	*group = had + 1;
	return had < last;
}

static struct inode *ram_dir(struct super_block *sb, struct inode *dir,
			     umode_t mode, unsigned int group);

static COWD_CREATE(dir_create)
{
	struct inode *inode = ram_inode(dir, dentry, mode);
	struct cowd_ram *ram;

	if (!inode)
		return -ENOMEM;
	ram = inode->i_private;
	ram->group = group_of(dir);
	name_it(dir, dentry, inode);
	return 0;
}

static cowd_mkdir_t dir_mkdir(struct cowd_idmap *idmap, struct inode *dir,
			      struct dentry *dentry, umode_t mode)
{
	struct inode *inode;
	unsigned int group;

	if (!new_group(dir, &group))
		return cowd_mkdir_result(-ENOSPC);
	inode = ram_dir(dir->i_sb, dir, mode, group);
	if (!inode)
		return cowd_mkdir_result(-ENOMEM);
	inc_nlink(dir);
	name_it(dir, dentry, inode);
	return cowd_mkdir_result(0);
}

/* Nothing changes its group. */
static int dir_rename(struct cowd_idmap *idmap, struct inode *old_dir,
		      struct dentry *old, struct inode *new_dir,
		      struct dentry *new, unsigned int flags)
{
	if (group_of(old_dir) != group_of(new_dir))
		return -EXDEV;
	return simple_rename(idmap, old_dir, old, new_dir, new, flags);
}

static const struct inode_operations dir_iops = {
	.create = dir_create,
	.lookup = simple_lookup,
	.unlink = simple_unlink,
	.mkdir = dir_mkdir,
	.rmdir = simple_rmdir,
	.rename = dir_rename,
	.setattr = simple_setattr,
	.getattr = simple_getattr,
};

static struct inode *ram_dir(struct super_block *sb, struct inode *dir,
			     umode_t mode, unsigned int group)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode_init_owner(cowd_nop_idmap, inode, dir, S_IFDIR | mode);
	cowd_inode_init_times(inode);
	inode->i_op = &dir_iops;
	inode->i_fop = &simple_dir_operations;
	inode->i_private = (void *)(unsigned long)group;
	set_nlink(inode, 2);
	return inode;
}

/**
 * cowd_ram_root - the inode of ram/
 * @sb: super block
 *
 * Return: NULL without memory.
 */
struct inode *cowd_ram_root(struct super_block *sb)
{
	const struct cowd_options *o = &cowd_mount_of(sb)->options;
	struct inode *inode = ram_dir(sb, NULL, o->mode, 0);

	if (!inode)
		return NULL;
	inode->i_uid = o->uid;
	inode->i_gid = o->gid;
	return inode;
}
