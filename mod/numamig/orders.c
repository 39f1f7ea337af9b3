// SPDX-License-Identifier: GPL-2.0-only
/*
 * orders.c - an order from issue to its one counted result
 *
 * An order is owned by exactly one party: the mover of its node, then perhaps
 * the helper's queue.  Whoever owns it ends it with nm_order_end(), once, and
 * with that drops its references on the target and on the mm.
 *
 * The mover of a node is a work item that runs on that node and takes one
 * order (at most 512 pages) at a time, so stopping waits for one chunk.
 */
#include <linux/bitmap.h>
#include <linux/hugetlb_inline.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

struct nm_mover {
	struct work_struct work;
	spinlock_t lock;		/* protects the queue */
	struct list_head queue;
	struct nm_mover_buf *buf;	/* the work's own */
};

static struct nm_mover *movers;		/* by dense node number */
static struct workqueue_struct *mover_wq;
static atomic64_t last_id;
static atomic_t pending;

/**
 * nm_order_new - an empty order
 * @t: target; a reference is taken
 * @s: address space of the pages; t->lock is held, which keeps it
 * @addr: page of bit 0
 * @node: destination
 *
 * Return: NULL without memory, or when too many orders are pending.
 */
struct nm_order *nm_order_new(struct nm_target *t, const struct nm_space *s,
			      u64 addr, int node)
{
	struct nm_order *o;

	if (atomic_read(&pending) >= NM_MAX_ORDERS)
		return NULL;
	o = kzalloc(sizeof(*o), GFP_KERNEL);
	if (!o)
		return NULL;
	kref_get(&t->ref);
	o->target = t;
	mmgrab(s->mm);
	o->mm = s->mm;
	o->tgid = s->tgid;
	o->start_time = s->start_time;
	o->addr = addr;
	o->node = node;
	o->id = atomic64_inc_return(&last_id);
	return o;
}

/* Hand an order to the mover of its node; it is not the caller's any more. */
void nm_order_issue(struct nm_order *o)
{
	struct nm_mover *m = &movers[nm_node_dense(o->node)];

	nm_count(NM_C_ISSUED);
	atomic_inc(&pending);
	atomic64_inc(&o->target->orders);
	trace_order(o->id, o->tgid, o->addr, bitmap_weight(o->mask, o->pages),
		    o->node, o->engine, o->reason);
	spin_lock(&m->lock);
	list_add_tail(&o->link, &m->queue);
	spin_unlock(&m->lock);
	queue_work_node(o->node, mover_wq, &m->work);
}

static void count_pages(struct nm_order *o)
{
	u64 failed = 0;
	unsigned int r;

	for (r = 0; r < NUMAMIG_PAGE_RESULTS; r++) {
		nm_count_n(NM_C_PAGE + r, o->result[r]);
		if (r == NUMAMIG_PAGE_BUSY || r == NUMAMIG_PAGE_WRITEBACK ||
		    r == NUMAMIG_PAGE_NOMEM || r == NUMAMIG_PAGE_FAILED)
			failed += o->result[r];
	}
	atomic64_add(failed, &o->target->pages_failed);
	if (o->engine == NM_ENGINE_HELPER) {
		nm_count_n(NM_C_MOVED_HELPER, o->result[NUMAMIG_PAGE_MOVED]);
		atomic64_add(o->result[NUMAMIG_PAGE_MOVED],
			     &o->target->pages_helper);
	} else {
		atomic64_add(o->result[NUMAMIG_PAGE_MOVED],
			     &o->target->pages_kernel);
	}
}

/**
 * nm_order_end - an issued order is over
 * @o: freed
 * @result: how it ended
 */
void nm_order_end(struct nm_order *o, enum numamig_order_result result)
{
	nm_count(NM_C_ORDER + result);
	count_pages(o);
	trace_migrate_end(o->id, o->engine, result,
			  o->result[NUMAMIG_PAGE_MOVED]);
	if (result != NUMAMIG_ORDER_MOVED && result != NUMAMIG_ORDER_SPLIT)
		trace_skip(o->id, o->tgid, o->addr, o->node, result);
	atomic_dec(&pending);
	mmdrop(o->mm);
	nm_target_put(o->target);
	kfree(o);
}

/* --- carrying one out ---------------------------------------------------- */

/* Is @vma at @addr still the file range that was sampled? */
static bool same_object(const struct nm_order *o,
			struct vm_area_struct *vma, u64 addr)
{
	u64 pgoff;

	if (!o->shared)
		return true;
	if (!vma->vm_file ||
	    (u64)(unsigned long)vma->vm_file->f_mapping != o->mapping)
		return false;
	/* the index of a hugetlb page counts huge pages on some kernels */
	if (is_vm_hugetlb_page(vma))
		return true;
	pgoff = ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
	return pgoff == o->pgoff + ((addr - o->addr) >> PAGE_SHIFT);
}

/*
 * What was found out about an order: which of its pages which engine takes,
 * and why not the others.
 */
struct survey {
	struct nm_scan scan;
	bool stale;
	bool mempolicy;
};

/* The kernel engine on one VMA of the range, after a look at its pages. */
static void do_vma(struct nm_mover *m, struct nm_order *o,
		   struct task_struct *task, struct vm_area_struct *vma,
		   struct survey *sv, unsigned int first, unsigned int last)
{
	u64 addr = o->addr + ((u64)first << PAGE_SHIFT);
	bool anon = vma_is_anonymous(vma);

	if (!same_object(o, vma, addr)) {
		sv->stale = true;
		return;
	}
	if (!nm_mempolicy_allows(task, vma, addr, o->node)) {
		sv->mempolicy = true;
		return;
	}
	nm_scan_range(&sv->scan, first, last, anon);
	if (anon)
		nm_move_pages(m->buf, vma, o->addr, last, sv->scan.kernel,
			      o->node, o->result);
	bitmap_zero(sv->scan.kernel, NM_CHUNK);
}

/* Walk the VMAs that the range of the order touches. */
static void do_range(struct nm_mover *m, struct nm_order *o,
		     struct task_struct *task, struct survey *sv)
{
	unsigned int i = find_first_bit(o->mask, o->pages), last;
	u64 end = o->addr + ((u64)o->pages << PAGE_SHIFT), addr;
	struct vm_area_struct *vma;

	while (i < o->pages) {
		addr = o->addr + ((u64)i << PAGE_SHIFT);
		vma = find_vma(o->mm, addr);
		if (!vma || vma->vm_start >= end) {
			o->result[NUMAMIG_PAGE_ABSENT] +=
				bitmap_weight(o->mask, o->pages) -
				bitmap_weight(o->mask, i);
			return;
		}
		if (vma->vm_start > addr) {
			i = (vma->vm_start - o->addr) >> PAGE_SHIFT;
			i = find_next_bit(o->mask, o->pages, i);
			continue;
		}
		last = (min_t(u64, vma->vm_end, end) - o->addr) >> PAGE_SHIFT;
		do_vma(m, o, task, vma, sv, i, last);
		i = find_next_bit(o->mask, o->pages, last);
	}
}

/* A second order for the pages that only move_pages(2) can move. */
static bool pass_to_helper(struct nm_order *o, const struct survey *sv)
{
	struct nm_order *h;

	h = kzalloc(sizeof(*h), GFP_KERNEL);
	if (!h)
		return false;
	kref_get(&o->target->ref);
	mmgrab(o->mm);
	h->target = o->target;
	h->mm = o->mm;
	h->tgid = o->tgid;
	h->start_time = o->start_time;
	h->addr = o->addr;
	h->node = o->node;
	h->reason = o->reason;
	h->engine = NM_ENGINE_HELPER;
	h->shared = o->shared;
	h->pages = o->pages;
	h->id = atomic64_inc_return(&last_id);
	bitmap_copy(h->mask, sv->scan.helper, NM_CHUNK);
	nm_count(NM_C_ISSUED);
	atomic_inc(&pending);
	atomic64_inc(&h->target->orders);
	trace_order(h->id, h->tgid, h->addr, bitmap_weight(h->mask, h->pages),
		    h->node, h->engine, h->reason);
	nm_helper_queue(h);
	return true;
}

static enum numamig_order_result conclude(struct nm_order *o,
					  const struct survey *sv)
{
	bool helper = !bitmap_empty(sv->scan.helper, NM_CHUNK);
	const u64 *r = o->result;

	if (helper && !pass_to_helper(o, sv))
		helper = false;
	if (r[NUMAMIG_PAGE_MOVED])
		return NUMAMIG_ORDER_MOVED;
	if (helper)
		return NUMAMIG_ORDER_SPLIT;
	if (sv->stale)
		return NUMAMIG_ORDER_STALE;
	if (sv->mempolicy)
		return NUMAMIG_ORDER_MEMPOLICY;
	if (r[NUMAMIG_PAGE_NOMEM])
		return NUMAMIG_ORDER_NOMEM;
	if (r[NUMAMIG_PAGE_BUSY] || r[NUMAMIG_PAGE_WRITEBACK] ||
	    r[NUMAMIG_PAGE_FAILED] || r[NUMAMIG_PAGE_SHARED])
		return NUMAMIG_ORDER_REFUSED;
	return NUMAMIG_ORDER_NOTHING;
}

/* With the mm alive (mm_users held) and a task of it. */
static enum numamig_order_result do_order(struct nm_mover *m,
					  struct nm_order *o,
					  struct task_struct *task)
{
	struct survey sv = {
		.scan = {
			.mm = o->mm,
			.addr = o->addr,
			.pages = o->pages,
			.mask = o->mask,
			.node = o->node,
			.procs = READ_ONCE(o->target->nr_procs),
			.result = o->result,
		},
	};

	if (!nm_cpuset_allows(task, o->node))
		return NUMAMIG_ORDER_CPUSET;
	if (!nm_node_has_room(o->node, o->pages))
		return NUMAMIG_ORDER_NOMEM;
	mmap_read_lock(o->mm);
	do_range(m, o, task, &sv);
	mmap_read_unlock(o->mm);
	return conclude(o, &sv);
}

static enum numamig_order_result carry_out(struct nm_mover *m,
					   struct nm_order *o)
{
	enum numamig_order_result result = NUMAMIG_ORDER_GONE;
	struct task_struct *task;
	struct pid *pid;

	if (READ_ONCE(o->target->dead))
		return NUMAMIG_ORDER_CANCELLED;
	if (READ_ONCE(nm_dry_run) ||
	    (o->target->flags & NUMAMIG_TARGET_DRY_RUN))
		return NUMAMIG_ORDER_DRY_RUN;
	pid = find_get_pid(o->tgid);
	task = get_pid_task(pid, PIDTYPE_TGID);
	put_pid(pid);
	if (!task)
		return NUMAMIG_ORDER_GONE;
	if (mmget_not_zero(o->mm)) {
		trace_migrate_begin(o->id, o->engine,
				    bitmap_weight(o->mask, o->pages));
		result = do_order(m, o, task);
		/* the last user's exit work is not ours to do here */
		mmput_async(o->mm);
	}
	put_task_struct(task);
	return result;
}

static struct nm_order *take_order(struct nm_mover *m)
{
	struct nm_order *o;

	spin_lock(&m->lock);
	o = list_first_entry_or_null(&m->queue, struct nm_order, link);
	if (o)
		list_del(&o->link);
	spin_unlock(&m->lock);
	return o;
}

static void mover_work(struct work_struct *work)
{
	struct nm_mover *m = container_of(work, struct nm_mover, work);
	struct nm_order *o;

	for (o = take_order(m); o; o = take_order(m)) {
		if (!m->buf)
			m->buf = nm_mover_buf_alloc(o->node);
		if (m->buf)
			nm_order_end(o, carry_out(m, o));
		else
			nm_order_end(o, NUMAMIG_ORDER_NOMEM);
		cond_resched();
	}
}

/* --- all of them --------------------------------------------------------- */

unsigned int nm_orders_pending(void)
{
	return atomic_read(&pending);
}

/* Wait until the movers have dealt with every order queued so far. */
void nm_orders_flush(void)
{
	flush_workqueue(mover_wq);
}

int nm_orders_init(void)
{
	unsigned int i, nr = nm_nodes_count();

	movers = kcalloc(nr, sizeof(*movers), GFP_KERNEL);
	if (!movers)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		INIT_WORK(&movers[i].work, mover_work);
		spin_lock_init(&movers[i].lock);
		INIT_LIST_HEAD(&movers[i].queue);
	}
	mover_wq = alloc_workqueue("numamig_move",
				   WQ_UNBOUND | WQ_HIGHPRI, 0);
	if (!mover_wq) {
		kfree(movers);
		return -ENOMEM;
	}
	return 0;
}

/* No file is open and so no target is left; orders in flight end here. */
void nm_orders_exit(void)
{
	unsigned int i;

	destroy_workqueue(mover_wq);
	for (i = 0; i < nm_nodes_count(); i++)
		nm_mover_buf_free(movers[i].buf);
	kfree(movers);
}
