// SPDX-License-Identifier: GPL-2.0-only
/*
 * unshare.c - a guest gets pages of its own for those that are bound
 *
 * For each page a write fault is made in the process that maps it, which copies
 * the master, and the binding goes.  cowd_ram.lock is held from the fault to
 * that: a read that came between would discard the copy, and be lost with the
 * binding.  In shared mode the fault itself does both.
 */
#include <linux/capability.h>
#include <linux/gfp.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include <linux/cowdedup.h>

#include "cowdedup_compat.h"
#include "internal.h"

#define COWD_STEP	32u
#define COWD_TABLES	2	/* page tables for so many, at most */
#define COWD_ROOM	(COWD_STEP + COWD_TABLES)

static struct mm_struct *mm_of(pid_t nr)
{
	struct mm_struct *mm = NULL;
	struct task_struct *task;
	struct pid *pid;

	pid = find_get_pid(nr);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (task) {
		mm = get_task_mm(task);
		put_task_struct(task);
	}
	return mm;
}

/* The mapping of @ram, or one of several in shared mode. */
static struct vm_area_struct *vma_of(struct mm_struct *mm,
				     const struct cowd_ram *ram)
{
	VMA_ITERATOR(vmi, mm, 0);
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	for_each_vma(vmi, vma)
		if (cowd_is_ram(vma) && cowd_ram_of_vma(vma) == ram)
			return vma;
	return NULL;
}

/* Pages bound at @at and behind it, in @vma, at most COWD_STEP. */
static unsigned int run_at(const struct cowd_ram *ram,
			   struct vm_area_struct *vma, pgoff_t at, u64 max)
{
	pgoff_t end = vma->vm_pgoff + vma_pages(vma);
	unsigned int n = 1;

	if (at < vma->vm_pgoff || at >= end)
		return 0;
	while (n < COWD_STEP && n < max && at + n < end &&
	       cowd_table_load(ram, at + n))
		n++;
	return n;
}

/*
 * Are there @n pages for the process, in its cgroup and in the machine?  A
 * write fault that finds none has somebody killed, most likely the guest; so
 * they are taken in a way that fails, and let go.  What others take in between
 * is theirs.
 */
static bool is_room(struct mm_struct *mm, struct page **pages, unsigned int n)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(mm), *old;
	unsigned int got, i;

	old = set_active_memcg(memcg);
	for (got = 0; got < n; got++) {
		pages[got] = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_ACCOUNT |
					__GFP_NORETRY | __GFP_NOWARN);
		if (!pages[got])
			break;
	}
	set_active_memcg(old);
	for (i = 0; i < got; i++)
		__free_page(pages[i]);
	mem_cgroup_put(memcg);
	return got == n;
}

/* Write faults for @n pages from @at on: how many, or why none. */
static long make_own(struct mm_struct *mm, struct vm_area_struct *vma,
		     pgoff_t at, unsigned int n, unsigned int gup)
{
	unsigned long addr = vma->vm_start +
			     ((at - vma->vm_pgoff) << PAGE_SHIFT);
	struct page *pages[COWD_ROOM];
	long got, i;

	if (!is_room(mm, pages, n + COWD_TABLES))
		return -ENOMEM;
	got = cowd_get_pages_remote(mm, addr, n, FOLL_WRITE | gup, pages);
	for (i = 0; i < got; i++)
		put_page(pages[i]);
	return got ?: -ENOMEM;
}

/* Make them the process's own, then drop the bindings. */
static int take_run(struct mm_struct *mm, struct vm_area_struct *vma,
		    struct cowd_ram *ram, pgoff_t at, unsigned int n)
{
	long got;

	lockdep_assert_held(&ram->lock);
	got = make_own(mm, vma, at, n, FOLL_FORCE);
	if (got > 0)
		cowd_unbind(ram, at, at + got, false);
	return got == n ? 0 : got < 0 ? got : -ENOMEM;
}

/* The same in shared mode, how many; cowd_ram.lock is for the faults. */
static long break_run(struct mm_struct *mm, struct vm_area_struct *vma,
		      struct cowd_ram *ram, pgoff_t at, unsigned int n)
{
	long got = make_own(mm, vma, at, n, 0);

	/* that mapping cannot be written */
	if (got == -EFAULT)
		return cowd_shared_break(ram, at) ?: 1;
	return got;
}

static long break_step(struct mm_struct *mm, struct cowd_ram *ram, u64 *next,
		       u64 max)
{
	struct vm_area_struct *vma = vma_of(mm, ram);
	unsigned int n = 0;
	long ret;

	if (!vma)
		return -ENXIO;
	mutex_lock(&ram->lock);
	WRITE_ONCE(ram->keep_private, true);
	*next = cowd_table_next(ram, *next);
	if (*next != ULONG_MAX)
		n = run_at(ram, vma, *next, max);
	mutex_unlock(&ram->lock);
	if (*next == ULONG_MAX)
		return 0;
	if (n)
		ret = break_run(mm, vma, ram, *next, n);
	else
		ret = cowd_shared_break(ram, *next) ?: 1;
	/* somebody else has changed it: look again */
	if (ret < 0)
		return ret == -EAGAIN ? 0 : ret;
	mutex_lock(&ram->lock);
	*next = cowd_table_next(ram, *next + ret);
	mutex_unlock(&ram->lock);
	return ret;
}

/* One step, from a->next on; how many pages it was. */
static long unshare_step(struct mm_struct *mm, struct cowd_ram *ram, u64 *next,
			 u64 max)
{
	struct vm_area_struct *vma;
	unsigned int n;
	int ret;

	lockdep_assert_held(&ram->lock);
	if (ram->mappings > 1)
		return -EBUSY;
	vma = vma_of(mm, ram);
	if (!vma)
		return -ENXIO;
	WRITE_ONCE(ram->keep_private, true);
	*next = cowd_table_next(ram, *next);
	if (*next == ULONG_MAX)
		return 0;
	n = run_at(ram, vma, *next, max);
	if (n) {
		ret = take_run(mm, vma, ram, *next, n);
		if (ret)
			return ret;
	} else {
		/* it is bound where nobody maps it any more */
		n = 1;
		cowd_unbind(ram, *next, *next + 1, true);
	}
	*next = cowd_table_next(ram, *next + n);
	return n;
}

static int unshare_steps(struct mm_struct *mm, struct cowd_ram *ram,
			 struct cowdedup_unshare *a)
{
	u64 done = 0, next = a->next;
	long ret = 0;

	while (done < a->pages && next != ULONG_MAX) {
		if (signal_pending(current))
			return done ? 0 : -EINTR;
		mmap_read_lock(mm);
		if (ram->shm) {
			ret = break_step(mm, ram, &next, a->pages - done);
		} else {
			mutex_lock(&ram->lock);
			ret = unshare_step(mm, ram, &next, a->pages - done);
			mutex_unlock(&ram->lock);
		}
		mmap_read_unlock(mm);
		if (ret < 0)
			return ret;
		done += ret;
		cond_resched();
	}
	a->pages = done;
	a->next = next;
	return 0;
}

/**
 * cowd_unshare - give a guest pages of its own
 * @ram: its memory
 * @a: see the uapi
 *
 * Return: 0 or a negative errno.
 */
int cowd_unshare(struct cowd_ram *ram, struct cowdedup_unshare *a)
{
	struct mm_struct *mm = mm_of(a->pid);
	int ret;

	if (!mm)
		return -ESRCH;
	ret = -EPERM;
	if (mm == current->mm || capable(CAP_SYS_PTRACE))
		ret = unshare_steps(mm, ram, a);
	mmput(mm);
	return ret;
}
