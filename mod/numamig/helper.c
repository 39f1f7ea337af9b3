// SPDX-License-Identifier: GPL-2.0-only
/*
 * helper.c - orders that a user-space helper carries out with move_pages(2)
 *
 * Large folios, shmem, file and hugetlb pages cannot be moved with what is
 * exported; the system call can.  An order waits in @queued until the helper
 * reads it, and in @held until the helper reports it.  When the helper closes
 * its file, everything in both ends as no_helper.
 */
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"
#include "trace.h"

/* How long stopping waits for calls that the helper has under way. */
#define QUIESCE_TIMEOUT	(5 * HZ)

static struct {
	spinlock_t lock;		/* protects what follows */
	struct nm_file *owner;
	struct list_head queued;
	struct list_head held;
	wait_queue_head_t quiet;	/* held became empty */
} helper = {
	.lock = __SPIN_LOCK_UNLOCKED(helper.lock),
	.queued = LIST_HEAD_INIT(helper.queued),
	.held = LIST_HEAD_INIT(helper.held),
	.quiet = __WAIT_QUEUE_HEAD_INITIALIZER(helper.quiet),
};

bool nm_helper_present(void)
{
	return READ_ONCE(helper.owner);
}

/* End every order on @list, which nobody else sees any more. */
static void end_all(struct list_head *list, enum numamig_order_result result)
{
	struct nm_order *o, *next;

	list_for_each_entry_safe(o, next, list, link) {
		list_del(&o->link);
		nm_order_end(o, result);
	}
}

int nm_helper_claim(struct nm_file *f)
{
	int ret = 0;

	lockdep_assert_held(&nm_lock);
	if (task_active_pid_ns(current) != &init_pid_ns)
		return -EINVAL;
	if (f->role != NM_ROLE_NONE)
		return -EBUSY;
	spin_lock(&helper.lock);
	if (helper.owner)
		ret = -EBUSY;
	else
		helper.owner = f;
	spin_unlock(&helper.lock);
	if (!ret)
		f->role = NM_ROLE_HELPER;
	return ret;
}

void nm_helper_release(struct nm_file *f)
{
	LIST_HEAD(orphans);

	spin_lock(&helper.lock);
	helper.owner = NULL;
	list_splice_init(&helper.queued, &orphans);
	list_splice_init(&helper.held, &orphans);
	spin_unlock(&helper.lock);
	wake_up(&helper.quiet);
	end_all(&orphans, NUMAMIG_ORDER_NO_HELPER);
}

/*
 * Queue an order of a target that is still there; false when there is no helper
 * or no such target, the order stays ours.  A target is marked as dead before
 * nm_helper_cancel() looks for its orders, so none is queued behind its back.
 */
static bool enqueue(struct nm_order *o, bool first)
{
	struct nm_file *owner = NULL;

	spin_lock(&helper.lock);
	if (!READ_ONCE(o->target->dead))
		owner = helper.owner;
	if (owner) {
		if (first)
			list_add(&o->link, &helper.queued);
		else
			list_add_tail(&o->link, &helper.queued);
		/* under the lock: the file cannot be released meanwhile */
		wake_up(&owner->wait);
	}
	spin_unlock(&helper.lock);
	return owner;
}

/* Give an order to the helper, or end it. */
void nm_helper_queue(struct nm_order *o)
{
	if (enqueue(o, false))
		return;
	nm_order_end(o, READ_ONCE(o->target->dead) ?
			NUMAMIG_ORDER_CANCELLED : NUMAMIG_ORDER_NO_HELPER);
}

/* A target goes: what the helper has not taken yet is cancelled. */
void nm_helper_cancel(struct nm_target *t)
{
	struct nm_order *o, *next;
	LIST_HEAD(gone);

	spin_lock(&helper.lock);
	list_for_each_entry_safe(o, next, &helper.queued, link)
		if (o->target == t)
			list_move_tail(&o->link, &gone);
	spin_unlock(&helper.lock);
	end_all(&gone, NUMAMIG_ORDER_CANCELLED);
}

static bool nothing_held(void)
{
	bool empty;

	spin_lock(&helper.lock);
	empty = list_empty(&helper.held);
	spin_unlock(&helper.lock);
	return empty;
}

/*
 * Wait until the helper has reported what it holds.  A helper that does not
 * within the time loses its orders; its report will find none.
 */
void nm_helper_quiesce(void)
{
	LIST_HEAD(lost);

	if (wait_event_timeout(helper.quiet, nothing_held(), QUIESCE_TIMEOUT))
		return;
	spin_lock(&helper.lock);
	list_splice_init(&helper.held, &lost);
	spin_unlock(&helper.lock);
	end_all(&lost, NUMAMIG_ORDER_CANCELLED);
}

static struct nm_order *take_queued(struct numamig_order *rec)
{
	struct nm_order *o;
	unsigned int i;

	spin_lock(&helper.lock);
	o = list_first_entry_or_null(&helper.queued, struct nm_order, link);
	if (o) {
		/* once it is held it can end at any time: copy it first */
		memset(rec, 0, sizeof(*rec));
		rec->id = o->id;
		rec->addr = o->addr;
		rec->start_time = o->start_time;
		rec->pid = o->tgid;
		rec->node = o->node;
		rec->flags = o->shared ? NUMAMIG_ORDER_ALL : 0;
		rec->pages = o->pages;
		for (i = 0; i < NM_CHUNK; i++)
			if (test_bit(i, o->mask))
				rec->mask[i / 64] |= 1ull << (i % 64);
		trace_migrate_begin(o->id, o->engine,
				    bitmap_weight(o->mask, o->pages));
		list_move_tail(&o->link, &helper.held);
	}
	spin_unlock(&helper.lock);
	return o;
}

static struct nm_order *find_held(u64 id)
{
	struct nm_order *o;

	lockdep_assert_held(&helper.lock);
	list_for_each_entry(o, &helper.held, link)
		if (o->id == id)
			return o;
	return NULL;
}

static struct nm_order *take_held(u64 id)
{
	struct nm_order *o;

	spin_lock(&helper.lock);
	o = find_held(id);
	if (o)
		list_del(&o->link);
	spin_unlock(&helper.lock);
	return o;
}

static void wake_when_nothing_held(void)
{
	if (nothing_held())
		wake_up(&helper.quiet);
}

/* The helper could not be told of it: next time, unless it is ended by then. */
static void untake(u64 id)
{
	struct nm_order *o = take_held(id);

	if (o && !enqueue(o, true))
		nm_order_end(o, NUMAMIG_ORDER_CANCELLED);
	wake_when_nothing_held();
}

static bool nothing_queued(void)
{
	return list_empty_careful(&helper.queued);
}

/* As many orders as there are and fit; 0: another reader was faster. */
static ssize_t hand_over(char __user *buf, size_t len)
{
	struct numamig_order rec;
	size_t done = 0;

	while (len - done >= sizeof(rec) && take_queued(&rec)) {
		if (copy_to_user(buf + done, &rec, sizeof(rec))) {
			untake(rec.id);
			return done ? done : -EFAULT;
		}
		done += sizeof(rec);
	}
	return done;
}

ssize_t nm_helper_read(struct nm_file *f, char __user *buf, size_t len,
		       bool nonblock)
{
	ssize_t done;
	int ret;

	if (len < sizeof(struct numamig_order))
		return -EINVAL;
	for (;;) {
		done = hand_over(buf, len);
		if (done)
			return done;
		if (nonblock)
			return -EAGAIN;
		ret = wait_event_interruptible(f->wait, !nothing_queued());
		if (ret)
			return ret;
	}
}

__poll_t nm_helper_poll(struct nm_file *f)
{
	return nothing_queued() ? 0 : EPOLLIN | EPOLLRDNORM;
}

static enum numamig_order_result helper_result(const struct nm_order *o,
					       u32 error)
{
	const u64 *r = o->result;

	if (r[NUMAMIG_PAGE_MOVED])
		return NUMAMIG_ORDER_MOVED;
	if (error == ESRCH)
		return NUMAMIG_ORDER_GONE;
	if (error)
		return NUMAMIG_ORDER_HELPER_ERROR;
	if (r[NUMAMIG_PAGE_NOMEM])
		return NUMAMIG_ORDER_NOMEM;
	if (r[NUMAMIG_PAGE_BUSY] || r[NUMAMIG_PAGE_FAILED] ||
	    r[NUMAMIG_PAGE_SHARED] || r[NUMAMIG_PAGE_KIND])
		return NUMAMIG_ORDER_REFUSED;
	return NUMAMIG_ORDER_NOTHING;
}

/*
 * The helper's word is only counted, never acted on; still, counts that no
 * order can have are refused, so that the sums stay meaningful.
 */
static bool plausible(const struct numamig_order_done *arg)
{
	u64 sum = 0;
	unsigned int r;

	for (r = 0; r < ARRAY_SIZE(arg->pages); r++) {
		if (arg->pages[r] > 1u << 18)
			return false;
		if (r >= NUMAMIG_PAGE_RESULTS && arg->pages[r])
			return false;
		sum += arg->pages[r];
	}
	/* 512 pages of 1 GiB at most */
	return sum <= (u64)NM_CHUNK << 18 && arg->error < MAX_ERRNO;
}

int nm_helper_done(struct nm_file *f, const struct numamig_order_done *arg)
{
	struct nm_order *o;

	if (f->role != NM_ROLE_HELPER)
		return -EPERM;
	if (!plausible(arg))
		return -EINVAL;
	o = take_held(arg->id);
	if (!o)
		return -ENOENT;
	memcpy(o->result, arg->pages, sizeof(o->result));
	nm_order_end(o, helper_result(o, arg->error));
	wake_when_nothing_held();
	return 0;
}
