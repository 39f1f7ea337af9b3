// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel.c - channels: two sides, a file each
 *
 * A side lives as long as its file, and mappings hold the file.  When it is
 * closed the peer is told and woken; what was delivered before stays readable,
 * for the channel and both regions go with the second side.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

LIST_HEAD(urpc_channels);
static unsigned int nr_channels;
static u64 last_id;

unsigned int urpc_channels_count(void)
{
	return READ_ONCE(nr_channels);
}

static void side_init(struct urpc_channel *ch, unsigned int i)
{
	struct urpc_side *s = &ch->side[i];

	s->ch = ch;
	s->cpu = URPC_CPU_ANY;
	INIT_LIST_HEAD(&s->driver_link);
	urpc_wait_init(s);
}

/**
 * urpc_channel_new - a channel without regions, not yet known to anybody
 * @level: enum urpc_level
 * @slots: of each ring
 *
 * Return: NULL without memory.  kobject_put() frees it with what it has.
 */
struct urpc_channel *urpc_channel_new(u32 level, u32 slots)
{
	struct urpc_channel *ch = kzalloc(sizeof(*ch), GFP_KERNEL_ACCOUNT);

	if (!ch)
		return NULL;
	kobject_init(&ch->kobj, &urpc_channel_ktype);
	INIT_LIST_HEAD(&ch->link);
	ch->level = level;
	ch->slots = slots;
	side_init(ch, 0);
	side_init(ch, 1);
	return ch;
}

/* The last reference is gone: no file, no mapping, nobody in sysfs. */
static void channel_release(struct kobject *kobj)
{
	struct urpc_channel *ch = container_of(kobj, struct urpc_channel,
					       kobj);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		urpc_region_free(ch->side[i].tx);
		urpc_quota_give(ch->side[i].user, URPC_Q_CHANNEL);
		put_pid(ch->side[i].pid);
	}
	kfree(ch);
}

struct kobj_type urpc_channel_ktype = {
	.release = channel_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = urpc_channel_groups,
};

static void write_state(struct urpc_side *s)
{
	WRITE_ONCE(urpc_region_control(s->tx)->state, s->state);
}

/**
 * urpc_channel_publish - both sides are complete: give it a name
 * @ch: the channel, with a reference for each side
 *
 * A channel works without its folder in sysfs, so a failure there is none.
 */
void urpc_channel_publish(struct urpc_channel *ch)
{
	unsigned int i;

	mutex_lock(&urpc_lock);
	ch->id = ++last_id;
	for (i = 0; i < 2; i++) {
		ch->side[i].state =
			urpc_cpu_state(ch->side[i].cpu,
				       URPC_STATE_CPU_OFFLINE) |
			urpc_cpu_state(ch->side[!i].cpu,
				       URPC_STATE_PEER_OFFLINE);
		write_state(&ch->side[i]);
	}
	list_add_tail(&ch->link, &urpc_channels);
	nr_channels++;
	mutex_unlock(&urpc_lock);
	urpc_count(URPC_C_CONNECTS);
	trace_connect(ch);
	if (READ_ONCE(urpc_channel_stats) &&
	    kobject_add(&ch->kobj, urpc_channels_kobj, "%llu", ch->id))
		pr_warn_ratelimited("no sysfs folder for channel %llu\n",
				    ch->id);
}

/* Change what a side is told about itself and its peer. */
void urpc_side_set_state(struct urpc_side *s, u32 set, u32 clear)
{
	lockdep_assert_held(&urpc_lock);
	WRITE_ONCE(s->state, (s->state | set) & ~clear);
	write_state(s);
}

/* Whoever waits on @s looks again, whatever for. */
void urpc_side_wake_all(struct urpc_side *s)
{
	if (s->driver)
		urpc_driver_wake(s->driver);
	wake_up_interruptible_poll(&s->message, EPOLLIN | EPOLLHUP);
	wake_up_interruptible_poll(&s->room, EPOLLOUT | EPOLLHUP);
}

/**
 * urpc_side_close - this side is used no more
 * @s: side; its reference on the channel goes
 *
 * Nobody maps its regions through it, waits or polls on it any more: all of
 * them held the file, or the driver has let go of it.
 */
void urpc_side_close(struct urpc_side *s)
{
	struct urpc_side *peer = urpc_side_peer(s);
	struct urpc_channel *ch = s->ch;
	bool last;

	trace_close(s);
	urpc_wait_stop(s);
	mutex_lock(&urpc_lock);
	last = s->state & URPC_STATE_PEER_GONE;
	urpc_side_set_state(peer, URPC_STATE_PEER_GONE, 0);
	if (last) {
		list_del(&ch->link);
		nr_channels--;
	} else {
		/* under the lock: the peer cannot close meanwhile */
		urpc_side_wake_all(peer);
	}
	mutex_unlock(&urpc_lock);
	/* waits for whoever reads an attribute */
	if (last && ch->kobj.state_in_sysfs)
		kobject_del(&ch->kobj);
	kobject_put(&ch->kobj);
}

/* --- the file ------------------------------------------------------------ */

/**
 * urpc_side_file - the file of a side
 * @s: side; its reference on the channel goes over to the file
 *
 * Return: the file or an error pointer; then the reference stays.
 */
struct file *urpc_side_file(struct urpc_side *s)
{
	return anon_inode_getfile("[urpc]", &urpc_channel_fops, s,
				  O_RDWR | O_CLOEXEC);
}
