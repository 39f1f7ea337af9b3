// SPDX-License-Identifier: GPL-2.0-only
/*
 * attach.c - one sampling event for every thread of a target
 *
 * Threads that are there get an event each; threads and children that come
 * later inherit one from whoever clones them.  A thread cloned by one that had
 * no event yet is missed, so after a pass the threads are listed again until
 * none is without.
 *
 * Which threads have an event is read off the events: perf may swap the event
 * contexts of two tasks that inherited the same events, so the task for which
 * an event was created is not necessarily the one that it counts.
 */
#include <linux/perf_event.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "internal.h"

/* Passes before the rest is left to the next resync. */
#define MAX_PASSES	8

struct nm_event {
	struct list_head link;
	struct perf_event *event;
};

struct task_list {
	struct task_struct **task;
	unsigned int nr;
	unsigned int max;
};

/* The task that an event counts, for comparison; NULL when it has exited. */
static struct task_struct *event_task(struct perf_event *event)
{
	struct perf_event_context *ctx = READ_ONCE(event->ctx);
	struct task_struct *task = ctx ? READ_ONCE(ctx->task) : NULL;

	/* perf marks the context of an exited task with an error pointer */
	return IS_ERR(task) ? NULL : task;
}

/* Mark the tasks that have an event, inherited or own, in @covered. */
static int find_covered(struct nm_target *t, struct xarray *covered)
{
	struct perf_event *child;
	struct task_struct *task;
	struct nm_event *e;
	int ret = 0;

	list_for_each_entry(e, &t->events, link) {
		task = event_task(e->event);
		if (task)
			ret = xa_err(xa_store(covered, (unsigned long)task,
					      xa_mk_value(1), GFP_KERNEL));
		mutex_lock(&e->event->child_mutex);
		list_for_each_entry(child, &e->event->child_list, child_list) {
			task = event_task(child);
			if (task && !ret)
				ret = xa_err(xa_store(covered,
						      (unsigned long)task,
						      xa_mk_value(1),
						      GFP_KERNEL));
		}
		mutex_unlock(&e->event->child_mutex);
		if (ret)
			break;
	}
	return ret;
}

/* Is @leader, a thread group leader, a descendant of the target's? */
static bool descends(struct task_struct *leader, struct task_struct *from)
{
	struct task_struct *p = leader;
	unsigned int depth;

	for (depth = 0; depth < 1024 && p->pid > 1; depth++) {
		if (p == from)
			return true;
		p = rcu_dereference(p->real_parent)->group_leader;
	}
	return false;
}

static void add_threads(struct task_list *l, struct task_struct *leader)
{
	struct task_struct *p;

	for_each_thread(leader, p) {
		if (p->flags & PF_EXITING)
			continue;
		if (l->nr < l->max)
			l->task[l->nr] = get_task_struct(p);
		l->nr++;
	}
}

/* List what is alive of a target; more than there is room for is counted. */
static void list_tasks(struct nm_target *t, struct task_list *l)
{
	struct task_struct *leader, *p;

	l->nr = 0;
	rcu_read_lock();
	leader = pid_task(t->pid, PIDTYPE_TGID);
	if (leader) {
		add_threads(l, leader);
		if (t->flags & NUMAMIG_TARGET_CHILDREN) {
			for_each_process(p)
				if (p != leader && descends(p, leader))
					add_threads(l, p);
		}
	}
	rcu_read_unlock();
}

static void put_tasks(struct task_list *l)
{
	unsigned int i;

	for (i = 0; i < min(l->nr, l->max); i++)
		put_task_struct(l->task[i]);
	l->nr = 0;
}

/* List them all, growing the list until they fit. */
static int list_all_tasks(struct nm_target *t, struct task_list *l)
{
	for (;;) {
		list_tasks(t, l);
		if (l->nr <= l->max)
			return 0;
		put_tasks(l);
		kvfree(l->task);
		l->task = NULL;
		if (l->max >= NM_MAX_THREADS) {
			l->max = 0;
			return -E2BIG;
		}
		l->max = l->max ? 2 * l->max : 64;
		l->task = kvcalloc(l->max, sizeof(*l->task), GFP_KERNEL);
		if (!l->task) {
			l->max = 0;
			return -ENOMEM;
		}
	}
}

static int add_event(struct nm_target *t, int cpu, struct task_struct *task)
{
	struct nm_event *e = kzalloc(sizeof(*e), GFP_KERNEL);
	int ret;

	if (!e)
		return -ENOMEM;
	e->event = nm_sampler_event(t, cpu, task);
	if (IS_ERR(e->event)) {
		ret = PTR_ERR(e->event);
		kfree(e);
		return ret;
	}
	list_add_tail(&e->link, &t->events);
	return 0;
}

/*
 * A thread that may run on an excluded CPU gets an event for each of its other
 * CPUs instead of one for all: on the excluded ones no timer is ever armed.
 */
static int attach_task(struct nm_target *t, struct task_struct *task)
{
	const struct cpumask *excluded = nm_excluded_cpus();
	int cpu, ret = 0;

	if (!cpumask_intersects(&task->cpus_mask, excluded))
		return add_event(t, -1, task);
	for_each_cpu(cpu, &task->cpus_mask) {
		if (!cpu_possible(cpu) || cpumask_test_cpu(cpu, excluded))
			continue;
		ret = add_event(t, cpu, task);
		if (ret)
			break;
	}
	return ret;
}

/* One pass.  Returns how many threads got an event, or an error. */
static int attach_pass(struct nm_target *t, struct task_list *l)
{
	struct xarray covered;
	int ret, added = 0;
	unsigned int i;

	ret = list_all_tasks(t, l);
	if (ret)
		return ret;
	xa_init(&covered);
	ret = find_covered(t, &covered);
	for (i = 0; i < l->nr && !ret; i++) {
		if (xa_load(&covered, (unsigned long)l->task[i]))
			continue;
		ret = attach_task(t, l->task[i]);
		if (ret == -ESRCH)
			ret = 0;
		else if (!ret)
			added++;
	}
	xa_destroy(&covered);
	put_tasks(l);
	return ret ? ret : added;
}

/**
 * nm_count_processes - bring t->nr_procs up to date
 * @t: target
 *
 * A page that more processes map than the target has is shared with others.
 * Descendants that init has adopted are not found by walking down from the
 * target; those of them that were sampled count as well.
 */
void nm_count_processes(struct nm_target *t)
{
	struct task_struct *leader, *p;
	unsigned int nr = 0;

	lockdep_assert_held(&nm_lock);
	rcu_read_lock();
	leader = pid_task(t->pid, PIDTYPE_TGID);
	if (leader && (t->flags & NUMAMIG_TARGET_CHILDREN)) {
		for_each_process(p)
			nr += p == leader || descends(p, leader);
	}
	rcu_read_unlock();
	WRITE_ONCE(t->nr_procs, max3(nr, READ_ONCE(t->nr_spaces), 1u));
}

/* Events whose thread has exited and left no heirs count nothing any more. */
static void drop_dead_events(struct nm_target *t)
{
	struct nm_event *e, *next;
	bool heirs;

	list_for_each_entry_safe(e, next, &t->events, link) {
		if (event_task(e->event))
			continue;
		mutex_lock(&e->event->child_mutex);
		heirs = !list_empty(&e->event->child_list);
		mutex_unlock(&e->event->child_mutex);
		if (heirs)
			continue;
		perf_event_release_kernel(e->event);
		list_del(&e->link);
		kfree(e);
	}
}

/**
 * nm_attach - give every thread of a target an event, now and at each resync
 * @t: target
 *
 * Return: 0 or a negative errno; what has been attached stays.
 */
int nm_attach(struct nm_target *t)
{
	struct task_list l = {};
	unsigned int pass;
	int ret = 0;

	lockdep_assert_held(&nm_lock);
	if (nm_sampler_current()->event) {
		drop_dead_events(t);
		for (pass = 0; pass < MAX_PASSES; pass++) {
			ret = attach_pass(t, &l);
			if (ret <= 0)
				break;
		}
	}
	nm_count_processes(t);
	kvfree(l.task);
	return min(ret, 0);
}

/**
 * nm_detach - release all events of a target
 * @t: target
 *
 * When this returns no handler of it runs or will: releasing an event waits
 * for its timer, and synchronize_rcu() for a page-fault event being delivered.
 */
void nm_detach(struct nm_target *t)
{
	struct nm_event *e, *next;

	lockdep_assert_held(&nm_lock);
	list_for_each_entry_safe(e, next, &t->events, link) {
		perf_event_release_kernel(e->event);
		list_del(&e->link);
		kfree(e);
	}
	synchronize_rcu();
}

/* Without events: is @leader a descendant that the target asked for? */
static bool follows(struct nm_target *t, struct task_struct *leader)
{
	struct task_struct *from;
	bool found = false;

	rcu_read_lock();
	from = pid_task(t->pid, PIDTYPE_TGID);
	if (from && (t->flags & NUMAMIG_TARGET_CHILDREN))
		found = descends(leader, from);
	rcu_read_unlock();
	return found;
}

/**
 * nm_attached - does some event count a process?
 * @t: target whose events are meant
 * @leader: the process's thread group leader, held
 *
 * Return: 1 when one counts a thread of it, 0 when none does, -ENOMEM when
 * that cannot be found out.
 */
int nm_attached(struct nm_target *t, struct task_struct *leader)
{
	struct task_struct *p;
	struct xarray covered;
	int ret;

	lockdep_assert_held(&nm_lock);
	if (!nm_sampler_current()->event)
		return follows(t, leader);
	xa_init(&covered);
	ret = find_covered(t, &covered);
	if (!ret) {
		rcu_read_lock();
		for_each_thread(leader, p)
			if (xa_load(&covered, (unsigned long)p))
				ret = 1;
		rcu_read_unlock();
	}
	xa_destroy(&covered);
	return ret;
}

/**
 * nm_target_ended - is nothing of the target alive any more?
 * @t: target
 *
 * Its process is gone, and so is everything that inherited an event.
 */
bool nm_target_ended(struct nm_target *t)
{
	struct task_struct *leader;
	struct xarray covered;
	bool ended;

	lockdep_assert_held(&nm_lock);
	rcu_read_lock();
	leader = pid_task(t->pid, PIDTYPE_TGID);
	ended = !leader ||
		(leader->exit_state && thread_group_empty(leader));
	rcu_read_unlock();
	if (!ended || !nm_sampler_current()->event)
		return ended;
	xa_init(&covered);
	ended = !find_covered(t, &covered) && xa_empty(&covered);
	xa_destroy(&covered);
	return ended;
}
