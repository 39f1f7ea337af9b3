// SPDX-License-Identifier: GPL-2.0-only
/*
 * worker.c - from drained samples to orders, window by window
 *
 * One work item does it all: it drains the rings, counts samples in the tables
 * of their targets, and when a target's window is over asks the policy and
 * issues orders.  It runs while there is a target and never otherwise: a
 * loaded module without targets has no timer.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/clock.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "internal.h"
#include "trace.h"

/* Orders that one target gets in one window, at most. */
#define MAX_ADVICE		512
/* What an interrupt costs around the handler, which cannot see it. */
#define INTERRUPT_COST_NS	600
/* More than this for a drained sample, or a round, was preemption. */
#define PLAUSIBLE_SAMPLE_NS	10000
#define PLAUSIBLE_ROUND_NS	200000
#define RESYNC_INTERVAL		(2 * HZ)
/* Orders under construction are found by block; a power of two. */
#define ORDER_BUCKETS		64

struct workqueue_struct *nm_wq;
struct nm_policy nm_policy;
u32 nm_window_ms = 200;
u32 nm_table_entries = 32768;
bool nm_dry_run;
bool nm_cpuless_nodes;

static void worker(struct work_struct *work);
static DECLARE_DELAYED_WORK(worker_work, worker);

/* The worker's own; it is one work item, so there is one user. */
static struct nm_advice advice[MAX_ADVICE];

/* The governor's view of the last round. */
static struct {
	u64 cpu_ns;
	u64 spent_ns;
	u64 taken;
	u64 drain_ns;
} governed;

void nm_worker_kick(void)
{
	mod_delayed_work(nm_wq, &worker_work, 0);
}

/* Milliseconds until the window of some target is over. */
static u64 until_window_end(void)
{
	u64 window_ms = READ_ONCE(nm_window_ms), left = window_ms, passed;
	u64 now_ms = ktime_to_ms(ktime_get());
	struct nm_target *t;

	list_for_each_entry(t, &nm_targets, link) {
		/* only the worker and whoever adds the target write it */
		passed = now_ms - READ_ONCE(t->window_start);
		left = min(left, passed < window_ms ? window_ms - passed : 0);
	}
	return left;
}

/* There is a target: a full ring may wake the worker earlier. */
void nm_worker_start(void)
{
	lockdep_assert_held(&nm_lock);
	queue_delayed_work(nm_wq, &worker_work,
			   msecs_to_jiffies(until_window_end()));
}

/* --- samples ------------------------------------------------------------- */

static void export_sample(const struct nm_raw *raw, s16 node, s16 home)
{
	struct numamig_sample rec = {
		.addr = raw->addr,
		.time_ns = ktime_get_ns(),
		.pid = raw->tgid,
		.cpu = raw->cpu,
		.node = node,
		.home = home,
		.flags = (raw->flags & NM_RAW_WRITE ?
			  NUMAMIG_SAMPLE_WRITE : 0) |
			 (raw->mapping ? NUMAMIG_SAMPLE_SHARED : 0) |
			 (raw->flags & NM_RAW_LARGE ?
			  NUMAMIG_SAMPLE_LARGE : 0),
		.sampler = raw->sampler,
	};

	trace_sample(&rec);
	nm_stream_push(&rec);
}

/* Count a sample in the table; t->lock is held. */
static void count_sample(struct nm_target *t, const struct nm_space *s,
			 const struct nm_raw *raw, int node)
{
	struct nm_hot_sample hs = {
		.obj = raw->mapping ? raw->mapping : s->id,
		.index = raw->mapping ? raw->pgoff : raw->addr >> PAGE_SHIFT,
		.addr = raw->addr,
		.space = s->id,
		.node = nm_node_dense(node),
		.home = nm_node_dense(raw->home),
		.write = raw->flags & NM_RAW_WRITE,
		.shared = raw->mapping,
		.large = raw->flags & NM_RAW_LARGE,
	};
	struct nm_hot_entry *page, *block;

	nm_hot_count(&t->hot, &hs, &page, &block);
	if (hs.home < 0) {
		t->unknown++;
		nm_count(NM_C_UNKNOWN);
		return;
	}
	nm_gate_sample(&t->gate, page, block, hs.node, hs.home, t->window);
	if (hs.home == hs.node) {
		t->local++;
		nm_count(NM_C_LOCAL);
	} else {
		t->remote++;
		nm_count(NM_C_REMOTE);
	}
}

/*
 * A page that was not mapped when the sample was taken (a fault) may be by
 * now; an address in a mapped file has to be keyed by its file.
 */
static void find_page_now(const struct nm_space *s, struct nm_raw *raw)
{
	struct nm_page_info info;

	if (!mmget_not_zero(s->mm))
		return;
	nm_walk_one(s->mm, raw->addr, &info);
	mmput_async(s->mm);
	if (info.kind == NM_PK_ABSENT || info.kind == NM_PK_OTHER)
		return;
	raw->home = info.nid;
	raw->mapping = info.mapping;
	raw->pgoff = info.pgoff;
	if (info.kind == NM_PK_LARGE_ANON || info.kind == NM_PK_LARGE_FILE)
		raw->flags |= NM_RAW_LARGE;
}

/* Count a sample; t->lock is held.  Fails when its process is gone. */
static int ingest(struct nm_target *t, struct nm_raw *raw, int node)
{
	struct nm_space *s = t->last_space;

	lockdep_assert_held(&t->lock);
	if (!s || (u64)(unsigned long)s->mm != raw->mm) {
		s = nm_space_get(t, raw->mm, raw->tgid);
		if (IS_ERR(s))
			return PTR_ERR(s);
		t->last_space = s;
	}
	if (!(raw->flags & NM_RAW_KNOWN))
		find_page_now(s, raw);
	t->samples++;
	t->fresh++;
	count_sample(t, s, raw, node);
	return 0;
}

/*
 * The target of the last sample, locked: most samples of a round belong to one
 * or a few targets.
 */
static struct nm_target *draining;

static void switch_target(struct nm_target *t)
{
	if (draining == t)
		return;
	if (draining)
		mutex_unlock(&draining->lock);
	draining = t;
	if (t)
		mutex_lock(&t->lock);
}

static bool take_raw(struct nm_raw *raw)
{
	int node = cpu_to_node(raw->cpu);
	struct nm_target *t = draining;

	if (!t || t->id != raw->target) {
		t = nm_target_by_id(raw->target);
		switch_target(t);
	}
	if (!t || ingest(t, raw, node)) {
		nm_count(NM_C_STALE);
		return true;
	}
	if (nm_stream_wanted() || trace_sample_enabled())
		export_sample(raw, node, raw->home);
	return true;
}

/* --- samples from user space --------------------------------------------- */

static int check_injected(const struct numamig_sample *in)
{
	if (in->flags & ~(NUMAMIG_SAMPLE_WRITE | NUMAMIG_SAMPLE_SHARED |
			  NUMAMIG_SAMPLE_LARGE) || in->__reserved)
		return -EOPNOTSUPP;
	if (in->addr >= TASK_SIZE || !nm_node_valid(in->node))
		return -EINVAL;
	if (!node_state(in->node, N_CPU) && !READ_ONCE(nm_cpuless_nodes))
		return -EINVAL;
	return 0;
}

static int inject_into(struct nm_target *t, struct task_struct *task,
		       const struct numamig_sample *in)
{
	struct nm_raw raw = {
		.addr = in->addr,
		.tgid = task->tgid,
		.home = NUMA_NO_NODE,
		.flags = in->flags & NUMAMIG_SAMPLE_WRITE ? NM_RAW_WRITE : 0,
		.sampler = NUMAMIG_SAMPLER_INJECT,
		.cpu = cpumask_first(cpumask_of_node(in->node)),
	};
	struct mm_struct *mm = get_task_mm(task);
	int ret;

	if (!mm)
		return -ESRCH;
	raw.mm = (unsigned long)mm;
	mutex_lock(&t->lock);
	ret = ingest(t, &raw, in->node);
	mutex_unlock(&t->lock);
	mmput(mm);
	if (ret)
		return ret;
	nm_count(NM_C_INJECTED);
	export_sample(&raw, in->node, raw.home);
	return 0;
}

/**
 * nm_inject - count one sample that came from user space
 * @in: the sample, copied
 *
 * Return: 0 or the errno of NUMAMIG_INJECT.
 */
int nm_inject(const struct numamig_sample *in)
{
	struct task_struct *task;
	struct nm_target *t;
	struct pid *pid;
	int ret;

	lockdep_assert_held(&nm_lock);
	ret = check_injected(in);
	if (ret)
		return ret;
	pid = find_get_pid(in->pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return -ESRCH;
	t = nm_target_of(task->group_leader);
	if (IS_ERR(t))
		ret = PTR_ERR(t);
	else
		ret = t ? inject_into(t, task, in) : -ESRCH;
	put_task_struct(task);
	nm_stream_wake();
	return ret;
}

/* --- orders -------------------------------------------------------------- */

/* Orders of one window of one target, while they are being put together. */
struct batch {
	struct nm_target *t;
	struct list_head bucket[ORDER_BUCKETS];
};

/*
 * The order that pages of this block go into.  Pages of one block and one
 * destination share an order; a block of a file need not be aligned in the
 * address space, pages are grouped by address.
 */
static struct nm_order *batch_order(struct batch *b, const struct nm_space *s,
				    const struct nm_hot_entry *e, u64 addr,
				    int node)
{
	u64 base = addr & ~((u64)PAGE_SIZE * NM_CHUNK - 1);
	struct list_head *bucket;
	struct nm_order *o;

	bucket = &b->bucket[hash_64(base ^ s->id, 6)];
	list_for_each_entry(o, bucket, link)
		if (o->addr == base && o->mm == s->mm && o->node == node &&
		    o->shared == !!(e->flags & NM_HOT_SHARED) &&
		    (!o->shared || o->mapping == e->obj))
			return o;
	o = nm_order_new(b->t, s, base, node);
	if (!o)
		return NULL;
	o->pages = NM_CHUNK;
	o->reason = NM_REASON_PAGE;
	o->shared = e->flags & NM_HOT_SHARED;
	if (o->shared) {
		o->mapping = e->obj;
		/* where in the file bit 0 would be; may wrap, is compared so */
		o->pgoff = e->index - ((addr - base) >> PAGE_SHIFT);
	}
	list_add(&o->link, bucket);
	return o;
}

static bool order_page(struct batch *b, const struct nm_space *s,
		       const struct nm_hot_entry *e, int node)
{
	u64 addr = e->addr & PAGE_MASK;
	struct nm_order *o = batch_order(b, s, e, addr, node);

	if (!o)
		return false;
	__set_bit((addr - o->addr) >> PAGE_SHIFT, o->mask);
	return true;
}

static bool order_block(struct batch *b, const struct nm_space *s,
			const struct nm_hot_entry *e, int node,
			enum nm_reason reason)
{
	u64 addr = (e->addr & PAGE_MASK) - ((u64)e->sub << PAGE_SHIFT);
	unsigned int skip = 0;
	struct nm_order *o;

	/* the mapping may begin within the block of the file */
	if ((e->addr & PAGE_MASK) < (u64)e->sub << PAGE_SHIFT) {
		skip = e->sub - (e->addr >> PAGE_SHIFT);
		addr = 0;
	}
	o = nm_order_new(b->t, s, addr, node);
	if (!o)
		return false;
	o->pages = NM_CHUNK - skip;
	o->reason = reason;
	o->shared = e->flags & NM_HOT_SHARED;
	if (o->shared) {
		o->mapping = e->obj;
		o->pgoff = (e->index << NM_BLOCK_ORDER) + skip;
	}
	bitmap_fill(o->mask, o->pages);
	list_add(&o->link, &b->bucket[0]);
	return true;
}

static void issue_batch(struct batch *b)
{
	struct nm_order *o, *next;
	unsigned int i;

	for (i = 0; i < ORDER_BUCKETS; i++) {
		list_for_each_entry_safe(o, next, &b->bucket[i], link) {
			list_del(&o->link);
			nm_order_issue(o);
		}
	}
}

/* May orders go to this node at all? */
static bool node_wanted(int node)
{
	return node_state(node, N_MEMORY) &&
	       (node_state(node, N_CPU) || READ_ONCE(nm_cpuless_nodes));
}

static void order_advice(struct nm_target *t, unsigned int nr)
{
	struct nm_hot_entry *e;
	struct nm_space *s;
	struct batch b = { .t = t };
	unsigned int i;
	int node;
	bool ok;

	if (!nr)
		return;
	for (i = 0; i < ORDER_BUCKETS; i++)
		INIT_LIST_HEAD(&b.bucket[i]);
	/* who shares a page is judged by how many there are now */
	nm_count_processes(t);
	for (i = 0; i < nr; i++) {
		e = nm_hot_slot(&t->hot, advice[i].entry);
		node = nm_node_of_dense(advice[i].node);
		s = nm_space_by_id(t, e->space);
		if (!s || !node_wanted(node))
			continue;
		if (e->order)
			ok = order_block(&b, s, e, node,
					 advice[i].by_region ?
					 NM_REASON_REGION : NM_REASON_BLOCK);
		else
			ok = order_page(&b, s, e, node);
		if (!ok)
			nm_count(NM_C_POSTPONED);
	}
	issue_batch(&b);
}

static void close_window(struct nm_target *t, const struct nm_policy *p,
			 u64 now_ms)
{
	unsigned int nr = 0;

	nm_bucket_fill(p, &t->bucket, now_ms);
	if (nm_gate_window(p, &t->gate, now_ms)) {
		nr = nm_policy_advise(p, &t->hot, t->window, advice,
				      MAX_ADVICE, &t->bucket.tokens);
		order_advice(t, nr);
	}
	nm_hot_window(&t->hot);
	nm_hot_age(&t->hot, now_ms);
	t->window++;
	t->window_start = now_ms;
}

/* --- the round ----------------------------------------------------------- */

/* Add up what sampling cost and what it sampled, over all targets. */
static void add_costs(struct nm_target *t, u64 *cpu_ns, u64 *spent_ns)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct nm_target_cpu *tc = per_cpu_ptr(t->cpu, cpu);

		*cpu_ns += READ_ONCE(tc->cpu_ns);
		*spent_ns += READ_ONCE(tc->spent_ns);
	}
}

/* Keep the cost of sampling under its share by moving the period. */
static void govern(const struct nm_policy *p)
{
	u64 cpu_ns = 0, spent_ns = governed.drain_ns, taken, fresh_cpu, cost;
	struct nm_target *t;

	list_for_each_entry(t, &nm_targets, link)
		add_costs(t, &cpu_ns, &spent_ns);
	taken = nm_counter_read(NM_C_TAKEN);
	spent_ns += taken * INTERRUPT_COST_NS;
	fresh_cpu = cpu_ns - governed.cpu_ns;
	cost = spent_ns - governed.spent_ns;
	/* targets that went took their sums along: start anew */
	if (cpu_ns < governed.cpu_ns || spent_ns < governed.spent_ns)
		fresh_cpu = 0;
	else if (fresh_cpu < 20 * NSEC_PER_MSEC)
		return;
	governed.cpu_ns = cpu_ns;
	governed.spent_ns = spent_ns;
	governed.taken = taken;
	if (fresh_cpu)
		WRITE_ONCE(nm_period_ns,
			   nm_policy_period(p, nm_period_ns, fresh_cpu, cost));
}

static void tick_target(struct nm_target *t, const struct nm_policy *p)
{
	u64 now_ms = ktime_to_ms(ktime_get());

	if (time_after_eq(jiffies, t->next_resync)) {
		nm_attach(t);
		t->next_resync = jiffies + RESYNC_INTERVAL;
	}
	mutex_lock(&t->lock);
	if (now_ms - t->window_start >= READ_ONCE(nm_window_ms))
		close_window(t, p, now_ms);
	if (time_after_eq(jiffies, t->next_reap)) {
		nm_space_reap(t);
		t->next_reap = jiffies + HZ;
	}
	mutex_unlock(&t->lock);
}

static void tick_all(const struct nm_policy *p)
{
	struct nm_target *t, *next;

	list_for_each_entry_safe(t, next, &nm_targets, link) {
		tick_target(t, p);
		if (nm_target_ended(t))
			nm_target_remove(t);
	}
}

/* Drain the rings; returns how many samples there were. */
static u64 drain(void)
{
	struct nm_target *t;
	u64 all = 0;

	list_for_each_entry(t, &nm_targets, link)
		t->fresh = 0;
	nm_sampler_drain(take_raw);
	switch_target(NULL);
	nm_stream_wake();
	list_for_each_entry(t, &nm_targets, link)
		all += t->fresh;
	return all;
}

/* Charge the time of a round to the targets, by their samples. */
static void charge(u64 spent, u64 all)
{
	struct nm_target *t;

	governed.drain_ns += spent;
	if (!all)
		return;
	list_for_each_entry(t, &nm_targets, link) {
		mutex_lock(&t->lock);
		t->drain_ns += div64_u64(spent * t->fresh, all);
		mutex_unlock(&t->lock);
	}
}

static void worker(struct work_struct *work)
{
	struct nm_policy p = nm_policy;
	u64 start, spent, all;

	mutex_lock(&nm_lock);
	start = sched_clock();
	all = drain();
	tick_all(&p);
	spent = sched_clock() - start;
	charge(min(spent, all * PLAUSIBLE_SAMPLE_NS + PLAUSIBLE_ROUND_NS),
	       all);
	govern(&p);
	if (!list_empty(&nm_targets))
		nm_worker_start();
	mutex_unlock(&nm_lock);
}

int nm_worker_init(void)
{
	nm_policy = nm_policy_defaults;
	/* freezable: nothing moves while the system goes to sleep */
	nm_wq = alloc_workqueue("numamig", WQ_UNBOUND | WQ_FREEZABLE, 1);
	return nm_wq ? 0 : -ENOMEM;
}

void nm_worker_exit(void)
{
	cancel_delayed_work_sync(&worker_work);
	destroy_workqueue(nm_wq);
}
