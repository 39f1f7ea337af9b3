// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs.c - /sys/kernel/numamig
 *
 * One value per file; Documentation/ABI/testing/sysfs-kernel-numamig names
 * them all and a test compares the two.
 */
#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "internal.h"

static struct kobject *nm_kobj;

/*
 * An attribute with the variable or counter it stands for.  container_of()
 * leads from the kobj_attribute to it.
 */
struct nm_attr {
	struct kobj_attribute attr;
	u32 *value;
	u32 min;
	u32 max;
	unsigned int counter;
};

#define to_nm_attr(a)	container_of(a, struct nm_attr, attr)

static ssize_t value_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(*to_nm_attr(attr)->value));
}

static ssize_t value_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t len)
{
	struct nm_attr *a = to_nm_attr(attr);
	u32 v;
	int ret;

	ret = kstrtou32(buf, 0, &v);
	if (ret)
		return ret;
	if (v < a->min || v > a->max)
		return -ERANGE;
	WRITE_ONCE(*a->value, v);
	return len;
}

static ssize_t counter_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  nm_counter_read(to_nm_attr(attr)->counter));
}

#define NM_VALUE(_name, _var, _min, _max)				\
	static struct nm_attr nm_attr_##_name = {			\
		.attr = __ATTR(_name, 0644, value_show, value_store),	\
		.value = &(_var),					\
		.min = _min,						\
		.max = _max,						\
	}

#define NM_COUNTER(_group, _name, _counter)				\
	static struct nm_attr nm_attr_##_group##_##_name = {		\
		.attr = __ATTR(_name, 0444, counter_show, NULL),	\
		.counter = _counter,					\
	}

/* --- policy/ ------------------------------------------------------------- */

NM_VALUE(local_share_low, nm_policy.local_share_low, 0, 100);
NM_VALUE(local_share_high, nm_policy.local_share_high, 0, 101);
NM_VALUE(min_samples, nm_policy.min_samples, 1, 1000);
NM_VALUE(block_samples, nm_policy.block_samples, 2, 10000);
NM_VALUE(block_spread, nm_policy.block_spread, 1, 64);
NM_VALUE(region_samples, nm_policy.region_samples, 2, 100000);
NM_VALUE(region_spread, nm_policy.region_spread, 1, 1024);
NM_VALUE(hysteresis, nm_policy.hysteresis, 100, 10000);
NM_VALUE(block_hysteresis, nm_policy.block_hysteresis, 100, 10000);
NM_VALUE(bounce_windows, nm_policy.bounce_windows, 1, 10000);
NM_VALUE(effect_percent, nm_policy.effect_percent, 0, 100);
NM_VALUE(backoff_ms, nm_policy.backoff_ms, 1, NM_BACKOFF_MAX_MS);
NM_VALUE(rate_mib, nm_policy.rate_mib, 1, 65536);
NM_VALUE(sampler_permille, nm_policy.sampler_permille, 1, 500);
NM_VALUE(period_ns, nm_policy.period_ns, 10000, 100000000);
NM_VALUE(window_ms, nm_window_ms, 10, 10000);
NM_VALUE(table_entries, nm_table_entries, 256, 1 << 22);

static ssize_t flag_show(bool flag, char *buf)
{
	return sysfs_emit(buf, "%d\n", flag);
}

static ssize_t cpuless_nodes_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return flag_show(READ_ONCE(nm_cpuless_nodes), buf);
}

static ssize_t cpuless_nodes_store(struct kobject *kobj,
				   struct kobj_attribute *attr,
				   const char *buf, size_t len)
{
	bool v;
	int ret = kstrtobool(buf, &v);

	if (ret)
		return ret;
	WRITE_ONCE(nm_cpuless_nodes, v);
	return len;
}

static struct kobj_attribute cpuless_nodes_attr = __ATTR_RW(cpuless_nodes);

static struct attribute *policy_attrs[] = {
	&nm_attr_local_share_low.attr.attr,
	&nm_attr_local_share_high.attr.attr,
	&nm_attr_min_samples.attr.attr,
	&nm_attr_block_samples.attr.attr,
	&nm_attr_block_spread.attr.attr,
	&nm_attr_region_samples.attr.attr,
	&nm_attr_region_spread.attr.attr,
	&nm_attr_hysteresis.attr.attr,
	&nm_attr_block_hysteresis.attr.attr,
	&nm_attr_bounce_windows.attr.attr,
	&nm_attr_effect_percent.attr.attr,
	&nm_attr_backoff_ms.attr.attr,
	&nm_attr_rate_mib.attr.attr,
	&nm_attr_sampler_permille.attr.attr,
	&nm_attr_period_ns.attr.attr,
	&nm_attr_window_ms.attr.attr,
	&nm_attr_table_entries.attr.attr,
	&cpuless_nodes_attr.attr,
	NULL
};

static const struct attribute_group policy_group = {
	.name = "policy",
	.attrs = policy_attrs,
};

/* --- samples/, orders/, pages/ ------------------------------------------- */

#define SAMPLES(_name, _counter)	NM_COUNTER(samples, _name, _counter)
#define REFUSED(_name, _why)						\
	NM_COUNTER(samples, refused_##_name, NM_C_REFUSED + (_why) - 1)

SAMPLES(taken, NM_C_TAKEN);
SAMPLES(excluded, NM_C_EXCLUDED);
SAMPLES(outside, NM_C_OUTSIDE);
REFUSED(code, NM_REFUSE_CODE);
REFUSED(insn, NM_REFUSE_INSN);
REFUSED(addr, NM_REFUSE_ADDR);
REFUSED(branch, NM_REFUSE_BRANCH);
REFUSED(fault, NM_REFUSE_FAULT);
REFUSED(steps, NM_REFUSE_STEPS);
SAMPLES(dropped, NM_C_DROPPED);
SAMPLES(drained, NM_C_DRAINED);
SAMPLES(stale, NM_C_STALE);
SAMPLES(local, NM_C_LOCAL);
SAMPLES(remote, NM_C_REMOTE);
SAMPLES(unknown, NM_C_UNKNOWN);
SAMPLES(injected, NM_C_INJECTED);
SAMPLES(throttled, NM_C_THROTTLED);
SAMPLES(stream_dropped, NM_C_STREAM_DROPPED);

static struct attribute *samples_attrs[] = {
	&nm_attr_samples_taken.attr.attr,
	&nm_attr_samples_excluded.attr.attr,
	&nm_attr_samples_outside.attr.attr,
	&nm_attr_samples_refused_code.attr.attr,
	&nm_attr_samples_refused_insn.attr.attr,
	&nm_attr_samples_refused_addr.attr.attr,
	&nm_attr_samples_refused_branch.attr.attr,
	&nm_attr_samples_refused_fault.attr.attr,
	&nm_attr_samples_refused_steps.attr.attr,
	&nm_attr_samples_dropped.attr.attr,
	&nm_attr_samples_drained.attr.attr,
	&nm_attr_samples_stale.attr.attr,
	&nm_attr_samples_local.attr.attr,
	&nm_attr_samples_remote.attr.attr,
	&nm_attr_samples_unknown.attr.attr,
	&nm_attr_samples_injected.attr.attr,
	&nm_attr_samples_throttled.attr.attr,
	&nm_attr_samples_stream_dropped.attr.attr,
	NULL
};

static const struct attribute_group samples_group = {
	.name = "samples",
	.attrs = samples_attrs,
};

#define ORDERS(_name, _result)						\
	NM_COUNTER(orders, _name, NM_C_ORDER + NUMAMIG_ORDER_##_result)

NM_COUNTER(orders, issued, NM_C_ISSUED);
NM_COUNTER(orders, postponed, NM_C_POSTPONED);
ORDERS(moved, MOVED);
ORDERS(nothing, NOTHING);
ORDERS(refused, REFUSED);
ORDERS(gone, GONE);
ORDERS(stale, STALE);
ORDERS(cpuset, CPUSET);
ORDERS(mempolicy, MEMPOLICY);
ORDERS(nomem, NOMEM);
ORDERS(no_helper, NO_HELPER);
ORDERS(helper_error, HELPER_ERROR);
ORDERS(split, SPLIT);
ORDERS(dry_run, DRY_RUN);
ORDERS(cancelled, CANCELLED);

static ssize_t pending_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%u\n", nm_orders_pending());
}

static struct kobj_attribute pending_attr = __ATTR_RO(pending);

static struct attribute *orders_attrs[] = {
	&nm_attr_orders_issued.attr.attr,
	&nm_attr_orders_postponed.attr.attr,
	&nm_attr_orders_moved.attr.attr,
	&nm_attr_orders_nothing.attr.attr,
	&nm_attr_orders_refused.attr.attr,
	&nm_attr_orders_gone.attr.attr,
	&nm_attr_orders_stale.attr.attr,
	&nm_attr_orders_cpuset.attr.attr,
	&nm_attr_orders_mempolicy.attr.attr,
	&nm_attr_orders_nomem.attr.attr,
	&nm_attr_orders_no_helper.attr.attr,
	&nm_attr_orders_helper_error.attr.attr,
	&nm_attr_orders_split.attr.attr,
	&nm_attr_orders_dry_run.attr.attr,
	&nm_attr_orders_cancelled.attr.attr,
	&pending_attr.attr,
	NULL
};

static const struct attribute_group orders_group = {
	.name = "orders",
	.attrs = orders_attrs,
};

#define PAGES(_name, _result)						\
	NM_COUNTER(pages, _name, NM_C_PAGE + NUMAMIG_PAGE_##_result)

PAGES(moved, MOVED);
PAGES(local, LOCAL);
PAGES(absent, ABSENT);
PAGES(shared, SHARED);
PAGES(large, LARGE);
PAGES(kind, KIND);
PAGES(busy, BUSY);
PAGES(writeback, WRITEBACK);
PAGES(nomem, NOMEM);
PAGES(failed, FAILED);
NM_COUNTER(pages, moved_by_helper, NM_C_MOVED_HELPER);

static struct attribute *pages_attrs[] = {
	&nm_attr_pages_moved.attr.attr,
	&nm_attr_pages_moved_by_helper.attr.attr,
	&nm_attr_pages_local.attr.attr,
	&nm_attr_pages_absent.attr.attr,
	&nm_attr_pages_shared.attr.attr,
	&nm_attr_pages_large.attr.attr,
	&nm_attr_pages_kind.attr.attr,
	&nm_attr_pages_busy.attr.attr,
	&nm_attr_pages_writeback.attr.attr,
	&nm_attr_pages_nomem.attr.attr,
	&nm_attr_pages_failed.attr.attr,
	NULL
};

static const struct attribute_group pages_group = {
	.name = "pages",
	.attrs = pages_attrs,
};

/* --- the folder itself --------------------------------------------------- */

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n", THIS_MODULE->version);
}

static struct kobj_attribute version_attr = __ATTR_RO(version);

static ssize_t sampler_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n", nm_sampler_current()->name);
}

static ssize_t sampler_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t len)
{
	int ret = nm_sampler_select(buf);

	return ret ? ret : len;
}

static struct kobj_attribute sampler_attr = __ATTR_RW(sampler);

static ssize_t period_now_ns_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(nm_period_ns));
}

static struct kobj_attribute period_now_ns_attr = __ATTR_RO(period_now_ns);

static ssize_t dry_run_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return flag_show(READ_ONCE(nm_dry_run), buf);
}

static ssize_t dry_run_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t len)
{
	bool v;
	int ret = kstrtobool(buf, &v);

	if (ret)
		return ret;
	WRITE_ONCE(nm_dry_run, v);
	return len;
}

static struct kobj_attribute dry_run_attr = __ATTR_RW(dry_run);

static ssize_t isolated_cpus_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%*pbl\n",
			  cpumask_pr_args(nm_isolated_allowed()));
}

static ssize_t isolated_cpus_store(struct kobject *kobj,
				   struct kobj_attribute *attr,
				   const char *buf, size_t len)
{
	int ret = nm_isolated_allow(buf);

	return ret ? ret : len;
}

static struct kobj_attribute isolated_cpus_attr = __ATTR_RW(isolated_cpus);

static ssize_t helper_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return flag_show(nm_helper_present(), buf);
}

static struct kobj_attribute helper_attr = __ATTR_RO(helper);

static ssize_t targets_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	s32 pids[NM_MAX_TARGETS];
	unsigned int n;

	mutex_lock(&nm_lock);
	n = nm_target_list(pids);
	mutex_unlock(&nm_lock);
	return sysfs_emit(buf, "%u\n", n);
}

static struct kobj_attribute targets_attr = __ATTR_RO(targets);

static struct attribute *root_attrs[] = {
	&version_attr.attr,
	&sampler_attr.attr,
	&period_now_ns_attr.attr,
	&dry_run_attr.attr,
	&isolated_cpus_attr.attr,
	&helper_attr.attr,
	&targets_attr.attr,
	NULL
};

static const struct attribute_group root_group = {
	.attrs = root_attrs,
};

static const struct attribute_group *nm_groups[] = {
	&root_group,
	&policy_group,
	&samples_group,
	&orders_group,
	&pages_group,
	NULL
};

int nm_sysfs_init(void)
{
	int ret;

	nm_kobj = kobject_create_and_add("numamig", kernel_kobj);
	if (!nm_kobj)
		return -ENOMEM;
	ret = sysfs_create_groups(nm_kobj, nm_groups);
	if (ret)
		kobject_put(nm_kobj);
	return ret;
}

void nm_sysfs_exit(void)
{
	sysfs_remove_groups(nm_kobj, nm_groups);
	kobject_put(nm_kobj);
}
