// SPDX-License-Identifier: GPL-2.0-only
/*
 * dev.c - /dev/numamig: open files, rights, the table of ioctls
 */
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "internal.h"
#include "ioctl_arg.h"

/* Samples copied in at once by NUMAMIG_INJECT. */
#define INJECT_BATCH	128
#define INJECT_MAX	65536

union nm_arg {
	u32 size;
	struct numamig_info info;
	struct numamig_target_add target_add;
	struct numamig_target_del target_del;
	struct numamig_target_stat target_stat;
	struct numamig_target_list target_list;
	struct numamig_inject inject;
	struct numamig_move move;
	struct numamig_stream stream;
	struct numamig_helper helper;
	struct numamig_order_done order_done;
	struct numamig_stop stop;
};

/*
 * The three rights that sampling, reading addresses of and moving memory of
 * any process take.  Tested at every call: the file may have been passed on.
 */
int nm_check_rights(void)
{
	if (ns_capable(&init_user_ns, CAP_SYS_NICE) &&
	    (ns_capable(&init_user_ns, CAP_PERFMON) ||
	     ns_capable(&init_user_ns, CAP_SYS_ADMIN)) &&
	    ns_capable(&init_user_ns, CAP_SYS_PTRACE))
		return 0;
	return -EPERM;
}

static int nm_open(struct inode *inode, struct file *file)
{
	struct nm_file *f;
	int ret;

	ret = nm_check_rights();
	if (ret)
		return ret;
	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return -ENOMEM;
	mutex_init(&f->read_lock);
	init_waitqueue_head(&f->wait);
	file->private_data = f;
	return nonseekable_open(inode, file);
}

/* The last reference is gone: no ioctl, read or poll of it is under way. */
static int nm_release(struct inode *inode, struct file *file)
{
	struct nm_file *f = file->private_data;

	mutex_lock(&nm_lock);
	nm_targets_of_file(f);
	if (f->role == NM_ROLE_STREAM)
		nm_stream_stop(f);
	mutex_unlock(&nm_lock);
	if (f->role == NM_ROLE_HELPER)
		nm_helper_release(f);
	kfree(f);
	return 0;
}

static ssize_t nm_read(struct file *file, char __user *buf, size_t len,
		       loff_t *pos)
{
	struct nm_file *f = file->private_data;
	bool nonblock = file->f_flags & O_NONBLOCK;
	int ret;

	ret = nm_check_rights();
	if (ret)
		return ret;
	/* pairs with the release where the role is set */
	switch (smp_load_acquire(&f->role)) {
	case NM_ROLE_STREAM:
		return nm_stream_read(f, buf, len, nonblock);
	case NM_ROLE_HELPER:
		return nm_helper_read(f, buf, len, nonblock);
	default:
		return -EINVAL;
	}
}

static __poll_t nm_poll(struct file *file, poll_table *wait)
{
	struct nm_file *f = file->private_data;

	poll_wait(file, &f->wait, wait);
	/* pairs with the release where the role is set */
	switch (smp_load_acquire(&f->role)) {
	case NM_ROLE_STREAM:
		return nm_stream_poll(f);
	case NM_ROLE_HELPER:
		return nm_helper_poll(f);
	default:
		return EPOLLERR;
	}
}

/* --- the commands -------------------------------------------------------- */

static int cmd_info(struct nm_file *f, union nm_arg *arg)
{
	struct numamig_info *a = &arg->info;
	s32 pids[NM_MAX_TARGETS];
	unsigned int i;

	if (a->flags)
		return -EOPNOTSUPP;
	a->abi = NUMAMIG_ABI_VERSION;
	a->sampler = nm_sampler_current()->id;
	a->samplers = 0;
	for (i = 0; i < NUMAMIG_SAMPLERS; i++)
		if (!nm_sampler_by_id(i)->available())
			a->samplers |= 1u << i;
	a->nr_nodes = nm_node_of_dense(nm_nodes_count() - 1) + 1;
	a->targets = nm_target_list(pids);
	a->helper = nm_helper_present();
	a->period_ns = READ_ONCE(nm_period_ns);
	return 0;
}

static int cmd_target_add(struct nm_file *f, union nm_arg *arg)
{
	struct numamig_target_add *a = &arg->target_add;

	if (a->flags & ~(NUMAMIG_TARGET_CHILDREN | NUMAMIG_TARGET_DRY_RUN) ||
	    a->__reserved)
		return -EOPNOTSUPP;
	return nm_target_add(f, a);
}

/* The caller could not be told: there is no target then. */
static void undo_target_add(struct nm_file *f, union nm_arg *arg)
{
	mutex_lock(&nm_lock);
	nm_target_withdraw(f, arg->target_add.pid);
	mutex_unlock(&nm_lock);
}

static int cmd_target_del(struct nm_file *f, union nm_arg *arg)
{
	struct numamig_target_del *a = &arg->target_del;

	if (a->flags || a->__reserved)
		return -EOPNOTSUPP;
	return nm_target_del(a->pid);
}

static int cmd_target_stat(struct nm_file *f, union nm_arg *arg)
{
	if (arg->target_stat.flags)
		return -EOPNOTSUPP;
	return nm_target_stat(&arg->target_stat);
}

static int cmd_target_list(struct nm_file *f, union nm_arg *arg)
{
	struct numamig_target_list *a = &arg->target_list;
	s32 pids[NM_MAX_TARGETS];
	unsigned int n;

	if (a->flags || a->__reserved)
		return -EOPNOTSUPP;
	mutex_lock(&nm_lock);
	n = nm_target_list(pids);
	mutex_unlock(&nm_lock);
	if (copy_to_user(u64_to_user_ptr(a->pids), pids,
			 min(n, a->count) * sizeof(pids[0])))
		return -EFAULT;
	a->count = n;
	return 0;
}

static int inject_batch(struct numamig_inject *a,
			const struct numamig_sample *s, u32 n)
{
	int ret = 0;
	u32 i;

	mutex_lock(&nm_lock);
	for (i = 0; i < n && !ret; i++) {
		ret = nm_inject(&s[i]);
		if (!ret)
			a->accepted++;
	}
	mutex_unlock(&nm_lock);
	return ret;
}

static int cmd_inject(struct nm_file *f, union nm_arg *arg)
{
	struct numamig_inject *a = &arg->inject;
	struct numamig_sample *s;
	int ret = 0;
	u32 n;

	if (a->flags)
		return -EOPNOTSUPP;
	if (!a->count || a->count > INJECT_MAX)
		return -EINVAL;
	s = kmalloc_array(INJECT_BATCH, sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;
	a->accepted = 0;
	while (a->accepted < a->count && !ret) {
		n = min_t(u32, a->count - a->accepted, INJECT_BATCH);
		if (copy_from_user(s, (struct numamig_sample __user *)
				   u64_to_user_ptr(a->samples) + a->accepted,
				   n * sizeof(*s)))
			ret = -EFAULT;
		else
			ret = inject_batch(a, s, n);
		cond_resched();
	}
	kfree(s);
	return ret;
}

static int cmd_move(struct nm_file *f, union nm_arg *arg)
{
	if (arg->move.flags)
		return -EOPNOTSUPP;
	return nm_move_now(&arg->move);
}

static int cmd_stream(struct nm_file *f, union nm_arg *arg)
{
	struct numamig_stream *a = &arg->stream;

	if (a->flags || a->__reserved)
		return -EOPNOTSUPP;
	return nm_stream_start(f, a->entries);
}

static int cmd_helper(struct nm_file *f, union nm_arg *arg)
{
	if (arg->helper.flags)
		return -EOPNOTSUPP;
	return nm_helper_claim(f);
}

static int cmd_order_done(struct nm_file *f, union nm_arg *arg)
{
	struct numamig_order_done *a = &arg->order_done;

	if (a->flags || a->__reserved)
		return -EOPNOTSUPP;
	return nm_helper_done(f, a);
}

static int cmd_stop(struct nm_file *f, union nm_arg *arg)
{
	if (arg->stop.flags)
		return -EOPNOTSUPP;
	nm_targets_stop();
	return 0;
}

/**
 * struct nm_op - one ioctl
 * @cmd: its number
 * @size: of its structure now
 * @min_size: of its first version
 * @how: NM_OP_* bits
 * @run: the command
 * @undo: take it back, for its answer could not be written; may be NULL
 */
struct nm_op {
	unsigned int cmd;
	u16 size;
	u16 min_size;
	u16 how;
	int (*run)(struct nm_file *f, union nm_arg *arg);
	void (*undo)(struct nm_file *f, union nm_arg *arg);
};

#define NM_OP_LOCKED	BIT(0)	/* run under nm_lock */
#define NM_OP_ANSWERS	BIT(1)	/* the structure has fields to hand out */
#define NM_OP_ALWAYS	BIT(2)	/* hand them out after an error too */

#define NM_OP(_cmd, _run, _struct, _last, _how, ...)			\
	[_IOC_NR(_cmd) - NUMAMIG_CMD_INFO] = {				\
		.cmd = _cmd,						\
		.size = sizeof(_struct) +				\
			BUILD_BUG_ON_ZERO(sizeof(union nm_arg) <	\
					  sizeof(_struct)),		\
		.min_size = offsetofend(_struct, _last),		\
		.how = _how,						\
		.run = _run,						\
		__VA_ARGS__						\
	}

static const struct nm_op ops[] = {
	NM_OP(NUMAMIG_INFO, cmd_info, struct numamig_info, period_ns,
	      NM_OP_LOCKED | NM_OP_ANSWERS),
	NM_OP(NUMAMIG_TARGET_ADD, cmd_target_add, struct numamig_target_add,
	      start_time, NM_OP_LOCKED | NM_OP_ANSWERS,
	      .undo = undo_target_add),
	NM_OP(NUMAMIG_TARGET_DEL, cmd_target_del, struct numamig_target_del,
	      __reserved, NM_OP_LOCKED),
	NM_OP(NUMAMIG_TARGET_STAT, cmd_target_stat,
	      struct numamig_target_stat, active,
	      NM_OP_LOCKED | NM_OP_ANSWERS),
	NM_OP(NUMAMIG_TARGET_LIST, cmd_target_list,
	      struct numamig_target_list, pids, NM_OP_ANSWERS),
	NM_OP(NUMAMIG_INJECT, cmd_inject, struct numamig_inject, samples,
	      NM_OP_ANSWERS | NM_OP_ALWAYS),
	NM_OP(NUMAMIG_MOVE, cmd_move, struct numamig_move, pages,
	      NM_OP_ANSWERS | NM_OP_ALWAYS),
	NM_OP(NUMAMIG_STREAM, cmd_stream, struct numamig_stream, __reserved,
	      NM_OP_LOCKED),
	NM_OP(NUMAMIG_HELPER, cmd_helper, struct numamig_helper, flags,
	      NM_OP_LOCKED),
	NM_OP(NUMAMIG_ORDER_DONE, cmd_order_done, struct numamig_order_done,
	      pages, 0),
	NM_OP(NUMAMIG_STOP, cmd_stop, struct numamig_stop, flags, 0),
};

static const struct nm_op *find_op(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);

	if (_IOC_TYPE(cmd) != NUMAMIG_TYPE || nr < NUMAMIG_CMD_INFO ||
	    nr - NUMAMIG_CMD_INFO >= ARRAY_SIZE(ops))
		return NULL;
	if (ops[nr - NUMAMIG_CMD_INFO].cmd != cmd)
		return NULL;
	return &ops[nr - NUMAMIG_CMD_INFO];
}

static int run_op(const struct nm_op *op, struct nm_file *f,
		  union nm_arg *arg)
{
	int ret;

	if (!(op->how & NM_OP_LOCKED))
		return op->run(f, arg);
	if (mutex_lock_interruptible(&nm_lock))
		return -ERESTARTSYS;
	ret = op->run(f, arg);
	mutex_unlock(&nm_lock);
	return ret;
}

/* Write the answer of @op, which returned @ret. */
static int answer(const struct nm_op *op, struct nm_file *f,
		  void __user *ubuf, union nm_arg *arg, int ret)
{
	if (!(op->how & NM_OP_ANSWERS) ||
	    (ret && !(op->how & NM_OP_ALWAYS)))
		return ret;
	if (!copy_to_user(ubuf, arg, min_t(u32, arg->size, op->size)))
		return ret;
	if (!ret && op->undo)
		op->undo(f, arg);
	return -EFAULT;
}

static long nm_ioctl(struct file *file, unsigned int cmd, unsigned long uarg)
{
	const struct nm_op *op = find_op(cmd);
	void __user *ubuf = (void __user *)uarg;
	union nm_arg arg = {};
	u32 size;
	int ret;

	if (!op)
		return -ENOTTY;
	ret = nm_check_rights();
	if (ret)
		return ret;
	ret = ioctl_arg_from_user(&arg, op->size, op->min_size, ubuf, &size);
	if (ret)
		return ret;
	arg.size = size;
	ret = run_op(op, file->private_data, &arg);
	return answer(op, file->private_data, ubuf, &arg, ret);
}

static const struct file_operations nm_fops = {
	.owner = THIS_MODULE,
	.open = nm_open,
	.release = nm_release,
	.read = nm_read,
	.poll = nm_poll,
	.unlocked_ioctl = nm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice nm_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "numamig",
	.fops = &nm_fops,
	.mode = 0600,
};

int nm_dev_init(void)
{
	return misc_register(&nm_misc);
}

void nm_dev_exit(void)
{
	misc_deregister(&nm_misc);
}
