// SPDX-License-Identifier: GPL-2.0-only
/*
 * dev.c - /dev/cowdedup: its table of ioctls
 *
 * Anybody may open it: each command works on files that the caller has open,
 * and whoever may open those may do with them what is done here.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/cowdedup.h>

#include "internal.h"
#include "ioctl_arg.h"

#define COWD_EXTENTS_MAX	65536u
#define COWD_PIECES_MAX		1024u
/* Extents that are collected under the lock at a time, and pages looked at. */
#define COWD_EXTENTS_STEP	64u
#define COWD_PAGES_STEP		65536u

union cowd_arg {
	u32 size;
	struct cowdedup_info info;
	struct cowdedup_extents extents;
	struct cowdedup_bind bind;
	struct cowdedup_unshare unshare;
};

static int cmd_info(union cowd_arg *arg)
{
	struct cowdedup_info *a = &arg->info;

	if (a->flags)
		return -EOPNOTSUPP;
	a->abi = COWDEDUP_ABI_VERSION;
	a->page_size = PAGE_SIZE;
	return 0;
}

/* --- what is bound ------------------------------------------------------- */

/* Is @pgoff, bound to @m, the next page of @e? */
static bool continues(const struct cowdedup_extent *e, pgoff_t pgoff,
		      const struct cowd_master *m, u64 image)
{
	return e->ram + e->pages == pgoff && e->index + e->pages == m->index &&
	       e->image == image && e->pages < U32_MAX;
}

/* Up to @room extents from *@next on; *@next is where to go on. */
static unsigned int collect_extents(struct cowd_ram *ram, u64 *next,
				    struct cowdedup_extent *e,
				    unsigned int room)
{
	unsigned int n = 0, looked = 0;
	pgoff_t at;

	lockdep_assert_held(&ram->lock);
	for (at = cowd_table_next(ram, *next); at != ULONG_MAX;
	     at = cowd_table_next(ram, at + 1)) {
		const struct cowd_master *m = cowd_table_load(ram, at);
		u64 image = d_inode(m->image->path.dentry)->i_ino;

		if (n && looked++ < COWD_PAGES_STEP &&
		    continues(&e[n - 1], at, m, image)) {
			e[n - 1].pages++;
			continue;
		}
		if (n == room || looked > COWD_PAGES_STEP)
			break;
		e[n++] = (struct cowdedup_extent){
			.ram = at, .index = m->index, .image = image,
			.pages = 1,
		};
	}
	*next = at;
	return n;
}

static int copy_extents(struct cowd_ram *ram, struct cowdedup_extents *a)
{
	struct cowdedup_extent __user *to = u64_to_user_ptr(a->extents);
	struct cowdedup_extent *e;
	u32 left = a->count;
	int ret = 0;

	e = kmalloc_array(COWD_EXTENTS_STEP, sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	while (left && a->next != U64_MAX && !ret) {
		u32 n;

		mutex_lock(&ram->lock);
		n = collect_extents(ram, &a->next, e,
				    min(left, COWD_EXTENTS_STEP));
		mutex_unlock(&ram->lock);
		if (copy_to_user(to, e, n * sizeof(*e)))
			ret = -EFAULT;
		to += n;
		left -= n;
		cond_resched();
	}
	a->count -= left;
	kfree(e);
	return ret;
}

static int cmd_extents(union cowd_arg *arg)
{
	struct cowdedup_extents *a = &arg->extents;
	struct cowd_ram *ram;
	struct file *file;
	int ret = -EINVAL;

	if (a->flags)
		return -EOPNOTSUPP;
	if (!a->count || a->count > COWD_EXTENTS_MAX)
		return -EINVAL;
	file = fget(a->ram_fd);
	if (!file)
		return -EBADF;
	ram = cowd_ram_get(file);
	if (ram) {
		ret = copy_extents(ram, a);
		cowd_ram_put(ram);
	}
	fput(file);
	return ret;
}

/* --- explicit binding ---------------------------------------------------- */

static bool is_whole(const struct cowdedup_piece *p)
{
	return PAGE_ALIGNED(p->addr) && PAGE_ALIGNED(p->offset) &&
	       PAGE_ALIGNED(p->length) && p->length;
}

/* 0, also when not all of it could be bound; that is seen in @done. */
static int bind_pieces(struct file *image, struct cowdedup_bind *a)
{
	struct cowdedup_piece __user *from = u64_to_user_ptr(a->pieces);
	struct cowdedup_piece p;
	u64 done;
	u32 i;

	for (i = 0; i < a->count; i++) {
		if (fatal_signal_pending(current))
			return 0;
		if (copy_from_user(&p, from + i, sizeof(p)))
			return -EFAULT;
		if (!is_whole(&p))
			return -EINVAL;
		done = cowd_read_bind(image, p.addr, p.offset, p.length);
		a->bytes += done;
		if (done < p.length)
			break;
		cond_resched();
	}
	return 0;
}

static int cmd_bind(union cowd_arg *arg)
{
	struct cowdedup_bind *a = &arg->bind;
	struct file *image;
	int ret = -EINVAL;

	if (a->flags)
		return -EOPNOTSUPP;
	if (!a->count || a->count > COWD_PIECES_MAX)
		return -EINVAL;
	a->bytes = 0;
	image = fget(a->image_fd);
	if (!image)
		return -EBADF;
	if (cowd_is_image(image) && image->f_mode & FMODE_READ)
		ret = bind_pieces(image, a);
	fput(image);
	return ret;
}

/* --- taking it back ------------------------------------------------------ */

static int cmd_unshare(union cowd_arg *arg)
{
	struct cowdedup_unshare *a = &arg->unshare;
	struct cowd_ram *ram;
	struct file *file;
	int ret = -EINVAL;

	if (a->flags)
		return -EOPNOTSUPP;
	if (!a->pages)
		return -EINVAL;
	file = fget(a->ram_fd);
	if (!file)
		return -EBADF;
	ram = cowd_ram_get(file);
	if (ram) {
		ret = -EBADF;
		if (file->f_mode & FMODE_WRITE)
			ret = cowd_unshare(ram, a);
		cowd_ram_put(ram);
	}
	fput(file);
	return ret;
}

/* --- the device ---------------------------------------------------------- */

/**
 * struct cowd_op - one ioctl
 * @cmd: its number
 * @size: of its structure now
 * @min_size: of its first version
 * @run: the command; the structure goes back to the caller, with an error, too,
 *	if @partly
 * @partly: what was done before an error counts
 */
struct cowd_op {
	unsigned int cmd;
	u16 size;
	u16 min_size;
	int (*run)(union cowd_arg *arg);
	bool partly;
};

#define COWD_OP(_cmd, _run, _struct, _last, _partly)			\
	[_IOC_NR(_cmd) - COWDEDUP_CMD_INFO] = {				\
		.cmd = _cmd,						\
		.size = sizeof(_struct),				\
		.min_size = offsetofend(_struct, _last),		\
		.run = _run,						\
		.partly = _partly,					\
	}

static const struct cowd_op ops[] = {
	COWD_OP(COWDEDUP_INFO, cmd_info, struct cowdedup_info, page_size,
		false),
	COWD_OP(COWDEDUP_EXTENTS, cmd_extents, struct cowdedup_extents,
		extents, false),
	COWD_OP(COWDEDUP_BIND, cmd_bind, struct cowdedup_bind, bytes, true),
	COWD_OP(COWDEDUP_UNSHARE, cmd_unshare, struct cowdedup_unshare, pages,
		false),
};

static const struct cowd_op *find_op(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd) - COWDEDUP_CMD_INFO;

	if (_IOC_TYPE(cmd) != COWDEDUP_TYPE || nr >= ARRAY_SIZE(ops))
		return NULL;
	return ops[nr].cmd == cmd ? &ops[nr] : NULL;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	const struct cowd_op *op = find_op(cmd);
	void __user *ubuf = (void __user *)uarg;
	union cowd_arg arg;
	u32 size;
	int ret;

	if (!op)
		return -ENOTTY;
	ret = ioctl_arg_from_user(&arg, op->size, op->min_size, ubuf, &size);
	if (ret)
		return ret;
	arg.size = size;
	ret = op->run(&arg);
	if ((!ret || op->partly) &&
	    copy_to_user(ubuf, &arg, min_t(u32, size, op->size)))
		ret = -EFAULT;
	return ret;
}

static const struct file_operations dev_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice cowd_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "cowdedup",
	.fops = &dev_fops,
	.mode = 0666,
};

int cowd_dev_init(void)
{
	return misc_register(&cowd_misc);
}

void cowd_dev_exit(void)
{
	misc_deregister(&cowd_misc);
}
