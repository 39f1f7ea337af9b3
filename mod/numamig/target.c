// SPDX-License-Identifier: GPL-2.0-only
/*
 * target.c - the processes that an administrator asked to have sampled
 *
 * A target is on nm_targets while it is sampled.  Taking it off detaches its
 * events first, so no handler sees it any more; marks it dead, so no order of
 * it starts any more; and drops the list's reference.  Who may hold one still:
 *
 *  1) the mover, carrying out or about to cancel an order of it;
 *  2) the helper's queue, with orders that the helper has under way.
 *
 * Both end on their own, and module exit waits for the first (the second needs
 * an open file, which keeps the module).
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* guards the list of targets, the streams and the helper */
DEFINE_MUTEX(nm_lock);
LIST_HEAD(nm_targets);

static DEFINE_XARRAY_ALLOC1(target_ids);

static void target_free(struct kref *ref)
{
	struct nm_target *t = container_of(ref, struct nm_target, ref);

	nm_space_drop_all(t);
	kvfree(t->hot.buckets);
	free_percpu(t->cpu);
	put_pid(t->pid);
	kfree(t);
}

void nm_target_put(struct nm_target *t)
{
	kref_put(&t->ref, target_free);
}

/* For samples: the id dies with the target, so a stale sample finds none. */
struct nm_target *nm_target_by_id(u32 id)
{
	lockdep_assert_held(&nm_lock);
	return xa_load(&target_ids, id);
}

static struct nm_target *target_by_tgid(pid_t tgid)
{
	struct nm_target *t;

	lockdep_assert_held(&nm_lock);
	list_for_each_entry(t, &nm_targets, link)
		if (t->tgid == tgid)
			return t;
	return NULL;
}

static bool has_space(struct nm_target *t, struct mm_struct *mm)
{
	bool found;

	mutex_lock(&t->lock);
	found = xa_load(&t->by_mm, (unsigned long)mm);
	mutex_unlock(&t->lock);
	return found;
}

/**
 * nm_target_of - the target that a process belongs to
 * @leader: its thread group leader, held
 *
 * Return: the target that it is, or whose samples it has been in, or whose
 * event it carries; NULL if none; -ENOMEM when that cannot be found out.
 */
struct nm_target *nm_target_of(struct task_struct *leader)
{
	struct nm_target *t = target_by_tgid(leader->tgid);
	int ret;

	if (t)
		return t;
	list_for_each_entry(t, &nm_targets, link)
		if (leader->mm && has_space(t, leader->mm))
			return t;
	list_for_each_entry(t, &nm_targets, link) {
		ret = nm_attached(t, leader);
		if (ret)
			return ret < 0 ? ERR_PTR(ret) : t;
	}
	return NULL;
}

static struct nm_target *target_alloc(struct task_struct *leader, u32 flags)
{
	u32 entries = READ_ONCE(nm_table_entries);
	unsigned int nodes = nm_nodes_count();
	struct nm_target *t;
	void *mem;

	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return NULL;
	t->cpu = alloc_percpu(struct nm_target_cpu);
	mem = kvzalloc(nm_hot_size(entries, nodes), GFP_KERNEL);
	if (!t->cpu || !mem) {
		free_percpu(t->cpu);
		kvfree(mem);
		kfree(t);
		return NULL;
	}
	kref_init(&t->ref);
	mutex_init(&t->lock);
	INIT_LIST_HEAD(&t->events);
	xa_init_flags(&t->spaces, XA_FLAGS_ALLOC1);
	xa_init(&t->by_mm);
	nm_hot_init(&t->hot, mem, entries, nodes);
	nm_gate_init(&t->gate);
	t->flags = flags;
	t->pid = get_task_pid(leader, PIDTYPE_TGID);
	t->tgid = leader->tgid;
	t->start_time = leader->start_boottime;
	t->window = 1;
	t->window_start = ktime_to_ms(ktime_get());
	nm_bucket_init(&nm_policy, &t->bucket, t->window_start);
	nm_hot_age(&t->hot, t->window_start);
	t->next_reap = jiffies + HZ;
	t->next_resync = jiffies + HZ;
	return t;
}

static unsigned int nr_targets(void)
{
	struct nm_target *t;
	unsigned int n = 0;

	list_for_each_entry(t, &nm_targets, link)
		n++;
	return n;
}

/* The leader of the thread group that @nr names, if it can be a target. */
static struct task_struct *find_leader(pid_t nr)
{
	struct task_struct *task, *leader = NULL;
	int ret = -ESRCH;

	rcu_read_lock();
	task = pid_task(find_vpid(nr), PIDTYPE_PID);
	if (task) {
		leader = task->group_leader;
		if (leader->flags & PF_KTHREAD)
			ret = -EINVAL;
		else if (!leader->exit_state)
			ret = 0;
		if (!ret)
			get_task_struct(leader);
	}
	rcu_read_unlock();
	return ret ? ERR_PTR(ret) : leader;
}

static int target_start(struct nm_target *t)
{
	int ret;

	ret = nm_sampler_start();
	if (ret)
		return ret;
	ret = xa_alloc(&target_ids, &t->id, t, xa_limit_32b, GFP_KERNEL);
	if (ret)
		return ret;
	ret = nm_attach(t);
	if (!ret && nm_target_ended(t))
		ret = -ESRCH;
	if (ret) {
		nm_detach(t);
		xa_erase(&target_ids, t->id);
		return ret;
	}
	list_add_tail(&t->link, &nm_targets);
	nm_worker_start();
	return 0;
}

/**
 * nm_target_add - NUMAMIG_TARGET_ADD
 * @owner: file whose closing ends it
 * @arg: the argument; the start time is filled in
 */
int nm_target_add(struct nm_file *owner, struct numamig_target_add *arg)
{
	struct task_struct *leader;
	struct nm_target *t;
	int ret;

	lockdep_assert_held(&nm_lock);
	leader = find_leader(arg->pid);
	if (IS_ERR(leader))
		return PTR_ERR(leader);
	t = nm_target_of(leader);
	ret = IS_ERR(t) ? PTR_ERR(t) : -EEXIST;
	if (t)
		goto out_task;
	ret = -ENOSPC;
	if (nr_targets() >= NM_MAX_TARGETS)
		goto out_task;
	ret = -ENOMEM;
	t = target_alloc(leader, arg->flags);
	if (!t)
		goto out_task;
	t->owner = owner;
	ret = target_start(t);
	if (ret)
		nm_target_put(t);
	else
		arg->start_time = t->start_time;
out_task:
	put_task_struct(leader);
	return ret;
}

/* Stop sampling @t and cancel what it has queued. */
void nm_target_remove(struct nm_target *t)
{
	lockdep_assert_held(&nm_lock);
	list_del(&t->link);
	xa_erase(&target_ids, t->id);
	nm_detach(t);
	WRITE_ONCE(t->dead, true);
	nm_helper_cancel(t);
	nm_target_put(t);
}

/* The thread group that @nr names in the caller's pid namespace, 0 if none. */
static pid_t tgid_of(pid_t nr)
{
	struct task_struct *task;
	pid_t tgid = 0;

	rcu_read_lock();
	task = pid_task(find_vpid(nr), PIDTYPE_PID);
	if (task)
		tgid = task->tgid;
	rcu_read_unlock();
	return tgid;
}

int nm_target_del(pid_t pid)
{
	struct nm_target *t;

	lockdep_assert_held(&nm_lock);
	t = target_by_tgid(tgid_of(pid));
	if (!t)
		return -ENOENT;
	nm_target_remove(t);
	return 0;
}

/* Remove the target that @nr names if @owner added it. */
void nm_target_withdraw(struct nm_file *owner, pid_t nr)
{
	struct nm_target *t;

	lockdep_assert_held(&nm_lock);
	t = target_by_tgid(tgid_of(nr));
	if (t && t->owner == owner)
		nm_target_remove(t);
}

void nm_targets_of_file(struct nm_file *owner)
{
	struct nm_target *t, *next;

	lockdep_assert_held(&nm_lock);
	list_for_each_entry_safe(t, next, &nm_targets, link)
		if (t->owner == owner)
			nm_target_remove(t);
}

/**
 * nm_targets_stop - NUMAMIG_STOP
 *
 * When it returns nothing is sampled, no page is being moved and no order is
 * left.
 */
void nm_targets_stop(void)
{
	struct nm_target *t, *next;

	mutex_lock(&nm_lock);
	list_for_each_entry_safe(t, next, &nm_targets, link)
		nm_target_remove(t);
	mutex_unlock(&nm_lock);
	nm_orders_flush();
	nm_helper_quiesce();
}

int nm_target_stat(struct numamig_target_stat *arg)
{
	struct nm_target *t;
	int cpu;

	lockdep_assert_held(&nm_lock);
	t = target_by_tgid(tgid_of(arg->pid));
	if (!t)
		return -ENOENT;
	arg->cpu_ns = 0;
	arg->sampler_ns = 0;
	for_each_possible_cpu(cpu) {
		arg->cpu_ns += READ_ONCE(per_cpu_ptr(t->cpu, cpu)->cpu_ns);
		arg->sampler_ns += READ_ONCE(per_cpu_ptr(t->cpu,
							 cpu)->spent_ns);
	}
	mutex_lock(&t->lock);
	arg->share_permille = t->gate.share;
	arg->active = t->gate.acting;
	arg->samples = t->samples;
	arg->local = t->local;
	arg->remote = t->remote;
	arg->unknown = t->unknown;
	arg->sampler_ns += t->drain_ns;
	arg->entries = t->hot.used;
	arg->evicted = t->hot.evicted;
	mutex_unlock(&t->lock);
	arg->orders = atomic64_read(&t->orders);
	arg->pages_kernel = atomic64_read(&t->pages_kernel);
	arg->pages_helper = atomic64_read(&t->pages_helper);
	arg->pages_failed = atomic64_read(&t->pages_failed);
	arg->processes = t->nr_procs;
	return 0;
}

/**
 * nm_target_list - the process ids of all targets
 * @pids: room for NM_MAX_TARGETS
 *
 * Return: how many there are.
 */
unsigned int nm_target_list(s32 *pids)
{
	struct nm_target *t;
	unsigned int n = 0;

	lockdep_assert_held(&nm_lock);
	list_for_each_entry(t, &nm_targets, link)
		pids[n++] = t->tgid;
	return n;
}
