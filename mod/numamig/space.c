// SPDX-License-Identifier: GPL-2.0-only
/*
 * space.c - the address spaces that a target's samples come from
 *
 * A sample carries the mm only as a number.  The first one of an mm looks the
 * process up and grabs the mm (mm_count: the structure, not its pages), so
 * that from then on the number cannot mean another process.  An mm whose last
 * user is gone is dropped by the next reap; its entries in the table cool and
 * are evicted, or are dropped when the policy meets them.
 */
#include <linux/pid_namespace.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "internal.h"

/* More than this many processes at once are not told apart any more. */
#define MAX_SPACES	4096

/* A thread of group @tgid that uses @mm; the leader may have exited. */
static struct task_struct *task_with_mm(pid_t tgid, u64 mm)
{
	struct task_struct *leader, *p, *found = NULL;

	rcu_read_lock();
	leader = pid_task(find_pid_ns(tgid, &init_pid_ns), PIDTYPE_TGID);
	if (leader) {
		for_each_thread(leader, p) {
			if ((u64)(unsigned long)READ_ONCE(p->mm) == mm) {
				found = get_task_struct(p);
				break;
			}
		}
	}
	rcu_read_unlock();
	return found;
}

static struct nm_space *space_new(struct nm_target *t, struct mm_struct *mm,
				  struct task_struct *task)
{
	struct nm_space *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int ret;

	if (!s)
		return ERR_PTR(-ENOMEM);
	ret = xa_alloc(&t->spaces, &s->id, s, XA_LIMIT(1, MAX_SPACES),
		       GFP_KERNEL);
	if (ret)
		goto err_free;
	ret = xa_err(xa_store(&t->by_mm, (unsigned long)mm, s, GFP_KERNEL));
	if (ret)
		goto err_erase;
	mmgrab(mm);
	t->nr_spaces++;
	s->mm = mm;
	s->tgid = task->tgid;
	s->start_time = task->group_leader->start_boottime;
	return s;
err_erase:
	xa_erase(&t->spaces, s->id);
err_free:
	kfree(s);
	/* too many processes: this one's samples are nobody's */
	return ERR_PTR(ret == -EBUSY ? -ESRCH : ret);
}

/**
 * nm_space_get - the address space that a sample names
 * @t: its target; t->lock is held
 * @mm: from the sample, compared and not followed
 * @tgid: from the sample
 *
 * Return: -ESRCH when the process is gone or uses another mm by now, -ENOMEM.
 */
struct nm_space *nm_space_get(struct nm_target *t, u64 mm, pid_t tgid)
{
	struct task_struct *task;
	struct nm_space *s;
	struct mm_struct *m;

	lockdep_assert_held(&t->lock);
	s = xa_load(&t->by_mm, mm);
	if (s)
		return s;
	task = task_with_mm(tgid, mm);
	if (!task)
		return ERR_PTR(-ESRCH);
	s = ERR_PTR(-ESRCH);
	m = get_task_mm(task);
	if (m) {
		if ((u64)(unsigned long)m == mm)
			s = space_new(t, m, task);
		mmput_async(m);
	}
	put_task_struct(task);
	return s;
}

struct nm_space *nm_space_by_id(struct nm_target *t, u32 id)
{
	lockdep_assert_held(&t->lock);
	return xa_load(&t->spaces, id);
}

static void space_drop(struct nm_target *t, struct nm_space *s)
{
	xa_erase(&t->by_mm, (unsigned long)s->mm);
	xa_erase(&t->spaces, s->id);
	t->nr_spaces--;
	if (t->last_space == s)
		t->last_space = NULL;
	mmdrop(s->mm);
	kfree(s);
}

/* Forget address spaces that no process uses any more. */
void nm_space_reap(struct nm_target *t)
{
	struct nm_space *s;
	unsigned long id;

	lockdep_assert_held(&t->lock);
	xa_for_each(&t->spaces, id, s)
		if (!atomic_read(&s->mm->mm_users))
			space_drop(t, s);
}

void nm_space_drop_all(struct nm_target *t)
{
	struct nm_space *s;
	unsigned long id;

	xa_for_each(&t->spaces, id, s)
		space_drop(t, s);
}
