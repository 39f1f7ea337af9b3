// SPDX-License-Identifier: GPL-2.0-only
/*
 * dev.c - /dev/urpc and the files of channels: their tables of ioctls
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "ioctl_arg.h"

union urpc_arg {
	u32 size;
	struct urpc_info info;
	struct urpc_endpoint_create endpoint;
	struct urpc_connect connect;
	struct urpc_accept accept;
	struct urpc_ping ping;
	struct urpc_channel_info channel;
	struct urpc_wait wait;
	struct urpc_wake wake;
};

/**
 * struct urpc_op - one ioctl
 * @cmd: its number
 * @size: of its structure now
 * @min_size: of its first version
 * @answers: the structure goes back to the caller
 * @run: the command; a file that it makes is installed once the caller knows
 *	its descriptor
 */
struct urpc_op {
	unsigned int cmd;
	u16 size;
	u16 min_size;
	bool answers;
	int (*run)(struct file *file, union urpc_arg *arg,
		   struct urpc_new_file *made);
};

#define URPC_OP(_cmd, _run, _struct, _last, _answers)			\
	[_IOC_NR(_cmd) - URPC_CMD_INFO] = {				\
		.cmd = _cmd,						\
		.size = sizeof(_struct) +				\
			BUILD_BUG_ON_ZERO(sizeof(union urpc_arg) <	\
					  sizeof(_struct)),		\
		.min_size = offsetofend(_struct, _last),		\
		.answers = _answers,					\
		.run = _run,						\
	}

static const struct urpc_op *find_op(const struct urpc_op *ops,
				     unsigned int nr_ops, unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);

	if (_IOC_TYPE(cmd) != URPC_TYPE || nr < URPC_CMD_INFO ||
	    nr - URPC_CMD_INFO >= nr_ops)
		return NULL;
	if (ops[nr - URPC_CMD_INFO].cmd != cmd)
		return NULL;
	return &ops[nr - URPC_CMD_INFO];
}

/* Nobody could use, or close, a descriptor that nobody was told of. */
static void install(const struct urpc_new_file *made, bool told)
{
	if (!made->file)
		return;
	if (told) {
		fd_install(made->fd, made->file);
		return;
	}
	put_unused_fd(made->fd);
	fput(made->file);
}

static long run_op(struct file *file, const struct urpc_op *op,
		   void __user *ubuf)
{
	struct urpc_new_file made = {};
	union urpc_arg arg;
	u32 size;
	int ret;

	if (!op)
		return -ENOTTY;
	ret = ioctl_arg_from_user(&arg, op->size, op->min_size, ubuf, &size);
	if (ret)
		return ret;
	arg.size = size;
	ret = op->run(file, &arg, &made);
	if (!ret && op->answers &&
	    copy_to_user(ubuf, &arg, min_t(u32, size, op->size)))
		ret = -EFAULT;
	install(&made, !ret);
	return ret;
}

static int cmd_info(struct file *file, union urpc_arg *arg,
		    struct urpc_new_file *made)
{
	struct urpc_info *a = &arg->info;

	if (a->flags)
		return -EOPNOTSUPP;
	a->abi = URPC_ABI_VERSION;
	a->slots_max = URPC_SLOTS_MAX;
	urpc_quota_read(a);
	return 0;
}

/* --- /dev/urpc ----------------------------------------------------------- */

/* Set once. */
static struct urpc_endpoint *endpoint_of(struct file *file)
{
	/* pairs with the cmpxchg() in cmd_endpoint_create() */
	return smp_load_acquire((struct urpc_endpoint **)&file->private_data);
}

static int cmd_endpoint_create(struct file *file, union urpc_arg *arg,
			       struct urpc_new_file *made)
{
	struct urpc_endpoint *e;

	if (arg->endpoint.flags)
		return -EOPNOTSUPP;
	if (endpoint_of(file))
		return -EBUSY;
	e = urpc_endpoint_new(&arg->endpoint);
	if (IS_ERR(e))
		return PTR_ERR(e);
	/* complete before it is seen; another thread may have been faster */
	if (cmpxchg(&file->private_data, NULL, e)) {
		urpc_endpoint_close(e);
		return -EBUSY;
	}
	return 0;
}

static int cmd_connect(struct file *file, union urpc_arg *arg,
		       struct urpc_new_file *made)
{
	struct urpc_endpoint *e = endpoint_of(file);

	if (arg->connect.flags & ~URPC_CONNECT_EXACT ||
	    arg->connect.__reserved)
		return -EOPNOTSUPP;
	return e ? urpc_connect(e, &arg->connect, made) : -EINVAL;
}

static int cmd_accept(struct file *file, union urpc_arg *arg,
		      struct urpc_new_file *made)
{
	struct urpc_endpoint *e = endpoint_of(file);

	if (arg->accept.flags)
		return -EOPNOTSUPP;
	return e ? urpc_accept(e, &arg->accept, made) : -EINVAL;
}

static int cmd_ping(struct file *file, union urpc_arg *arg,
		    struct urpc_new_file *made)
{
	if (arg->ping.flags || arg->ping.__reserved)
		return -EOPNOTSUPP;
	return urpc_driver_ping(&arg->ping);
}

static const struct urpc_op device_ops[] = {
	URPC_OP(URPC_INFO, cmd_info, struct urpc_info, channels_max, true),
	URPC_OP(URPC_ENDPOINT_CREATE, cmd_endpoint_create,
		struct urpc_endpoint_create, name, false),
	URPC_OP(URPC_CONNECT, cmd_connect, struct urpc_connect, name, true),
	URPC_OP(URPC_ACCEPT, cmd_accept, struct urpc_accept, gid, true),
	URPC_OP(URPC_PING, cmd_ping, struct urpc_ping, ns, true),
};

static int device_open(struct inode *inode, struct file *file)
{
	/* misc_open() left the device here */
	file->private_data = NULL;
	return nonseekable_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	if (file->private_data)
		urpc_endpoint_close(file->private_data);
	return 0;
}

static long device_ioctl(struct file *file, unsigned int cmd,
			 unsigned long arg)
{
	return run_op(file, find_op(device_ops, ARRAY_SIZE(device_ops), cmd),
		      (void __user *)arg);
}

static __poll_t device_poll(struct file *file, poll_table *pt)
{
	struct urpc_endpoint *e = endpoint_of(file);

	if (!e)
		return EPOLLERR;
	poll_wait(file, &e->wait, pt);
	return READ_ONCE(e->pending) ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_operations urpc_device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = device_poll,
	.llseek = noop_llseek,
};

/* Limits and modes of endpoints say who may do what; opening needs no right. */
static struct miscdevice urpc_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "urpc",
	.fops = &urpc_device_fops,
	.mode = 0600,
};

/* --- a channel ----------------------------------------------------------- */

static int cmd_channel(struct file *file, union urpc_arg *arg,
		       struct urpc_new_file *made)
{
	struct urpc_channel_info *a = &arg->channel;
	struct urpc_side *s = file->private_data;

	if (a->flags)
		return -EOPNOTSUPP;
	a->level = s->ch->level;
	a->slots = s->ch->slots;
	a->side = urpc_side_index(s);
	a->state = READ_ONCE(s->state);
	a->region_bytes = urpc_region_bytes(s->ch->slots);
	a->id = s->ch->id;
	a->cpu = s->cpu;
	a->peer_cpu = urpc_side_peer(s)->cpu;
	return 0;
}

static int cmd_wait(struct file *file, union urpc_arg *arg,
		    struct urpc_new_file *made)
{
	struct urpc_side *s = file->private_data;
	u32 flags = arg->wait.flags;

	if (flags & ~(URPC_WAIT_ROOM | URPC_WAIT_CAUSAL | URPC_WAIT_CALL))
		return -EOPNOTSUPP;
	if ((flags & URPC_WAIT_CALL) &&
	    ((flags & URPC_WAIT_ROOM) || s->ch->level != URPC_SHARED))
		return -EINVAL;
	return urpc_wait_for(s, &arg->wait);
}

static int cmd_wake(struct file *file, union urpc_arg *arg,
		    struct urpc_new_file *made)
{
	if (arg->wake.flags & ~URPC_WAKE_ROOM)
		return -EOPNOTSUPP;
	urpc_wake_peer(file->private_data, arg->wake.flags & URPC_WAKE_ROOM);
	return 0;
}

static const struct urpc_op channel_ops[] = {
	URPC_OP(URPC_INFO, cmd_info, struct urpc_info, channels_max, true),
	URPC_OP(URPC_CHANNEL, cmd_channel, struct urpc_channel_info, peer_cpu,
		true),
	URPC_OP(URPC_WAIT, cmd_wait, struct urpc_wait, timeout_ns, false),
	URPC_OP(URPC_WAKE, cmd_wake, struct urpc_wake, flags, false),
};

static long channel_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return run_op(file, find_op(channel_ops, ARRAY_SIZE(channel_ops), cmd),
		      (void __user *)arg);
}

/* The last reference is gone: no call, no poll and no mapping of it. */
static int channel_file_release(struct inode *inode, struct file *file)
{
	urpc_side_close(file->private_data);
	return 0;
}

static int channel_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct urpc_side *s = file->private_data;
	bool shared = s->ch->level == URPC_SHARED;

	switch ((u64)vma->vm_pgoff << PAGE_SHIFT) {
	case URPC_MMAP_TX:
		return urpc_region_mmap(s->tx, vma, true);
	case URPC_MMAP_RX:
		return urpc_region_mmap(urpc_side_peer(s)->tx, vma, shared);
	default:
		return -EINVAL;
	}
}

static __poll_t channel_poll(struct file *file, poll_table *pt)
{
	return urpc_side_poll(file, file->private_data, pt);
}

const struct file_operations urpc_channel_fops = {
	.owner = THIS_MODULE,
	.release = channel_file_release,
	.unlocked_ioctl = channel_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = channel_mmap,
	.poll = channel_poll,
	.llseek = noop_llseek,
};

int urpc_dev_init(void)
{
	return misc_register(&urpc_misc);
}

void urpc_dev_exit(void)
{
	misc_deregister(&urpc_misc);
}
