// SPDX-License-Identifier: GPL-2.0-only
/*
 * sampler.c - perf events, the overflow handler and the rings behind it
 *
 * Events belong to threads, not to CPUs: perf arms the timer of a thread's
 * clock event when the thread is scheduled in and cancels it when it is
 * scheduled out, so a CPU on which no target runs sees no timer at all, and
 * CPU hotplug needs no care.  New threads (and, on request, children) inherit
 * the event inside clone(), before they run.
 *
 * The handler runs in hardirq, for hardware events in NMI context.  It takes
 * no lock and allocates nothing: it resolves the address, looks the page up
 * without a reference (walk.c) and puts the result in the ring of its CPU,
 * which the worker drains.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/irq_work.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/clock.h>
#include <linux/sched/isolation.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "internal.h"

/*
 * A handler that took longer was interrupted by the hypervisor, not by its own
 * work; the governor must not slow sampling down for that.
 */
#define PLAUSIBLE_NS		50000

/* How perf marks an event that it throttles; core.c keeps the name. */
#define THROTTLED		(~0ull)

/* When a thread that wandered onto an excluded CPU is asked again. */
#define EXCLUDED_PERIOD_NS	(10 * NSEC_PER_SEC)

static const struct nm_sampler *const samplers[NUMAMIG_SAMPLERS] = {
	[NUMAMIG_SAMPLER_CLOCK] = &nm_sampler_clock,
	[NUMAMIG_SAMPLER_FAULT] = &nm_sampler_fault,
	[NUMAMIG_SAMPLER_INJECT] = &nm_sampler_inject,
};

static const struct nm_sampler *current_sampler;

/* Rings exist from the first target on, for CPUs that were ever online. */
static DEFINE_PER_CPU(struct nm_ring *, nm_ring);
static bool rings_wanted;
static enum cpuhp_state hotplug_state;

/* CPUs that are not to be disturbed, and those excepted from that by name. */
static struct cpumask excluded_cpus;
static struct cpumask isolated_allowed;

u32 nm_period_ns;

static void kick_worker(struct irq_work *work)
{
	nm_worker_kick();
}

static DEFINE_IRQ_WORK(kick_work, kick_worker);

/* --- the handler --------------------------------------------------------- */

/* Look the page up while its address space is current: exact and cheap. */
static void find_page(struct nm_raw *raw)
{
	struct nm_page_info info;

	nm_walk_one(current->mm, raw->addr, &info);
	if (info.kind == NM_PK_ABSENT || info.kind == NM_PK_OTHER)
		return;
	raw->flags |= NM_RAW_KNOWN;
	raw->home = info.nid;
	if (info.kind == NM_PK_LARGE_ANON || info.kind == NM_PK_LARGE_FILE)
		raw->flags |= NM_RAW_LARGE;
	if (info.mapping) {
		raw->mapping = info.mapping;
		raw->pgoff = info.pgoff;
	} else {
		raw->flags |= NM_RAW_ANON;
	}
}

static void put_raw(const struct nm_raw *raw)
{
	struct nm_ring *ring = this_cpu_read(nm_ring);

	if (!ring || !nm_ring_put(ring, raw)) {
		nm_count(NM_C_DROPPED);
		return;
	}
	if (nm_ring_used(ring) == NM_RING_SLOTS / 2)
		irq_work_queue(&kick_work);
}

static void take_sample(struct nm_target *t, struct perf_sample_data *data,
			struct pt_regs *regs)
{
	const struct nm_sampler *s = READ_ONCE(current_sampler);
	struct nm_raw raw = {
		.mm = (unsigned long)current->mm,
		.tgid = current->tgid,
		.target = t->id,
		.cpu = smp_processor_id(),
		.home = NUMA_NO_NODE,
		.sampler = s->id,
	};
	enum nm_refusal why;

	if (!current->mm)
		why = NM_REFUSE_CODE;
	else
		why = s->resolve(data, regs, &raw);
	if (why != NM_OK) {
		nm_count(NM_C_REFUSED + why - 1);
		return;
	}
	if (raw.addr >= TASK_SIZE_MAX) {
		nm_count(NM_C_OUTSIDE);
		return;
	}
	find_page(&raw);
	put_raw(&raw);
}

/*
 * The clock's timer reads its period after every expiry, on this CPU, so the
 * governor's word reaches inherited events as well, which perf_event_period()
 * on the parent would not.
 */
static void account_clock(struct perf_event *event, struct nm_target_cpu *tc)
{
	u64 period = event->hw.sample_period;

	if (period < EXCLUDED_PERIOD_NS)
		tc->cpu_ns += period;
	event->hw.sample_period = READ_ONCE(nm_period_ns);
}

static void overflow(struct perf_event *event, struct perf_sample_data *data,
		     struct pt_regs *regs)
{
	struct nm_target *t = event->overflow_handler_context;
	struct nm_target_cpu *tc;
	u64 start = sched_clock();

	nm_count(NM_C_TAKEN);
	if (event->hw.interrupts == THROTTLED)
		nm_count(NM_C_THROTTLED);
	if (unlikely(cpumask_test_cpu(smp_processor_id(), &excluded_cpus))) {
		nm_count(NM_C_EXCLUDED);
		event->hw.sample_period = EXCLUDED_PERIOD_NS;
		return;
	}
	take_sample(t, data, regs);
	tc = this_cpu_ptr(t->cpu);
	if (READ_ONCE(current_sampler)->clocked)
		account_clock(event, tc);
	tc->spent_ns += min_t(u64, sched_clock() - start, PLAUSIBLE_NS);
}

/**
 * nm_sampler_event - a sampling event of the current sampler
 * @t: whose samples they are
 * @cpu: only there, or -1
 * @task: the thread
 */
struct perf_event *nm_sampler_event(struct nm_target *t, int cpu,
				    struct task_struct *task)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.sample_type = PERF_SAMPLE_ADDR,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.exclude_idle = 1,
		.inherit = 1,
		.inherit_thread = !(t->flags & NUMAMIG_TARGET_CHILDREN),
	};

	lockdep_assert_held(&nm_lock);
	current_sampler->attr(&attr);
	return perf_event_create_kernel_counter(&attr, cpu, task, overflow, t);
}

/* --- which sampler ------------------------------------------------------- */

const struct nm_sampler *nm_sampler_by_id(unsigned int id)
{
	return id < NUMAMIG_SAMPLERS ? samplers[id] : NULL;
}

const struct nm_sampler *nm_sampler_current(void)
{
	return READ_ONCE(current_sampler);
}

/**
 * nm_sampler_select - use another sampler
 * @name: as in sysfs, or "auto"
 *
 * Return: 0, -EINVAL for an unknown name, -EBUSY while there are targets, or
 * why the sampler does not work here.
 */
int nm_sampler_select(const char *name)
{
	unsigned int i;
	int ret = -EINVAL;

	mutex_lock(&nm_lock);
	for (i = 0; i < NUMAMIG_SAMPLERS; i++) {
		if (!sysfs_streq(name, "auto") &&
		    !sysfs_streq(name, samplers[i]->name))
			continue;
		ret = samplers[i]->available();
		if (ret && sysfs_streq(name, "auto"))
			continue;
		if (!ret && !list_empty(&nm_targets))
			ret = -EBUSY;
		if (!ret)
			WRITE_ONCE(current_sampler, samplers[i]);
		break;
	}
	mutex_unlock(&nm_lock);
	return ret;
}

/* --- excluded CPUs ------------------------------------------------------- */

const struct cpumask *nm_excluded_cpus(void)
{
	return &excluded_cpus;
}

const struct cpumask *nm_isolated_allowed(void)
{
	return &isolated_allowed;
}

/* Isolated CPUs can change at run time, with cpuset partitions. */
void nm_excluded_update(void)
{
	int cpu;

	lockdep_assert_held(&nm_lock);
	for_each_possible_cpu(cpu) {
		if (cpu_is_isolated(cpu) &&
		    !cpumask_test_cpu(cpu, &isolated_allowed))
			cpumask_set_cpu(cpu, &excluded_cpus);
		else
			cpumask_clear_cpu(cpu, &excluded_cpus);
	}
}

/* Sample on the isolated CPUs of @list as well; an empty list: on none. */
int nm_isolated_allow(const char *list)
{
	cpumask_var_t mask;
	int ret;

	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	ret = cpulist_parse(list, mask);
	if (!ret && !cpumask_subset(mask, cpu_possible_mask))
		ret = -EINVAL;
	if (!ret) {
		mutex_lock(&nm_lock);
		cpumask_copy(&isolated_allowed, mask);
		nm_excluded_update();
		mutex_unlock(&nm_lock);
	}
	free_cpumask_var(mask);
	return ret;
}

/* --- rings --------------------------------------------------------------- */

static int ring_alloc(unsigned int cpu)
{
	struct nm_ring *r;

	if (per_cpu(nm_ring, cpu))
		return 0;
	r = vzalloc_node(nm_ring_size(NM_RING_SLOTS), cpu_to_node(cpu));
	if (!r)
		return -ENOMEM;
	nm_ring_init(r, NM_RING_SLOTS);
	/* the handler of that CPU may look at once */
	smp_store_release(&per_cpu(nm_ring, cpu), r);
	return 0;
}

/* Called on the control CPU before @cpu comes up: its ring is there first. */
static int cpu_prepare(unsigned int cpu)
{
	return READ_ONCE(rings_wanted) ? ring_alloc(cpu) : 0;
}

/**
 * nm_sampler_start - a first target is about to be added
 *
 * Return: 0, -ENOMEM, or -EACCES while perf is locked down.
 */
int nm_sampler_start(void)
{
	int cpu, ret = 0;

	lockdep_assert_held(&nm_lock);
	if (security_locked_down(LOCKDOWN_PERF))
		return -EACCES;
	nm_excluded_update();
	if (rings_wanted)
		return 0;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		ret = ring_alloc(cpu);
		if (ret)
			break;
	}
	if (!ret)
		WRITE_ONCE(rings_wanted, true);
	cpus_read_unlock();
	return ret;
}

/**
 * nm_sampler_drain - empty the rings
 * @take: called for each sample; it returns false to stop
 *
 * Return: whether all were empty in the end.
 */
bool nm_sampler_drain(bool (*take)(struct nm_raw *raw))
{
	struct nm_ring *r;
	struct nm_raw raw;
	int cpu;

	lockdep_assert_held(&nm_lock);
	for_each_possible_cpu(cpu) {
		/* pairs with the release in ring_alloc() */
		r = smp_load_acquire(&per_cpu(nm_ring, cpu));
		while (r && nm_ring_get(r, &raw)) {
			nm_count(NM_C_DRAINED);
			if (!take(&raw))
				return false;
		}
	}
	return true;
}

int nm_sampler_init(void)
{
	int ret;

	nm_period_ns = nm_policy.period_ns;
	ret = nm_sampler_select("auto");
	if (ret)
		return ret;
	ret = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN,
					"numamig:prepare", cpu_prepare, NULL);
	if (ret < 0)
		return ret;
	hotplug_state = ret;
	return 0;
}

/*
 * There are no targets and so no events: no handler runs or will.  What the
 * last one kicked is waited for.
 */
void nm_sampler_stop(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
	irq_work_sync(&kick_work);
}

/* The worker is gone as well: nobody looks at the rings. */
void nm_sampler_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		vfree(per_cpu(nm_ring, cpu));
}
