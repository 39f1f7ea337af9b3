// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs.c - /sys/kernel/urpc
 *
 * One value per file; Documentation/ABI/testing/sysfs-kernel-urpc names them
 * all and a test compares the two.
 */
#include <linux/cpumask.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "internal.h"

static struct kobject *urpc_kobj;
struct kobject *urpc_channels_kobj;
unsigned int urpc_channel_stats = 1;

/* --- settings and counters ----------------------------------------------- */

struct urpc_attr {
	struct kobj_attribute attr;
	unsigned int *value;
	unsigned int min;
	unsigned int max;
	unsigned int counter;
};

#define to_urpc_attr(a)	container_of(a, struct urpc_attr, attr)

static ssize_t value_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(*to_urpc_attr(attr)->value));
}

static ssize_t value_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t len)
{
	struct urpc_attr *a = to_urpc_attr(attr);
	unsigned int v;
	int ret;

	ret = kstrtouint(buf, 0, &v);
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
			  urpc_counter_read(to_urpc_attr(attr)->counter));
}

#define URPC_VALUE(_name, _var, _min, _max)				\
	static struct urpc_attr urpc_attr_##_name = {			\
		.attr = __ATTR(_name, 0644, value_show, value_store),	\
		.value = &(_var),					\
		.min = _min,						\
		.max = _max,						\
	}

#define URPC_COUNT(_name, _counter)					\
	static struct urpc_attr urpc_attr_##_name = {			\
		.attr = __ATTR(_name, 0444, counter_show, NULL),	\
		.counter = _counter,					\
	}

URPC_VALUE(max_endpoints, urpc_quota_max[URPC_Q_ENDPOINT], 0, 1000000);
URPC_VALUE(max_channels, urpc_quota_max[URPC_Q_CHANNEL], 0, 1000000);
URPC_VALUE(barrier_rate, urpc_barrier_rate, 0, 1000000);
URPC_VALUE(channel_stats, urpc_channel_stats, 0, 1);
URPC_VALUE(driver_poll_us, urpc_driver_poll_us, 0, 100000);
URPC_COUNT(connects, URPC_C_CONNECTS);
URPC_COUNT(waits, URPC_C_WAITS);
URPC_COUNT(wakes, URPC_C_WAKES);
URPC_COUNT(barriers, URPC_C_BARRIERS);
URPC_COUNT(barrier_ipis, URPC_C_BARRIER_IPIS);
URPC_COUNT(barriers_limited, URPC_C_BARRIERS_LIMITED);
URPC_COUNT(pings, URPC_C_PINGS);

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n", NUMASHARE_VERSION);
}

static struct kobj_attribute version_attr = __ATTR_RO(version);

static ssize_t endpoints_show(struct kobject *kobj,
			      struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", urpc_endpoints_count());
}

static struct kobj_attribute endpoints_attr = __ATTR_RO(endpoints);

static ssize_t channels_open_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", urpc_channels_count());
}

static struct kobj_attribute channels_open_attr = __ATTR_RO(channels_open);

static ssize_t cpu_drivers_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%*pbl\n",
			  cpumask_pr_args(urpc_drivers_wanted()));
}

static ssize_t cpu_drivers_store(struct kobject *kobj,
				 struct kobj_attribute *attr, const char *buf,
				 size_t len)
{
	int ret = urpc_drivers_set(buf);

	return ret ? ret : len;
}

static struct kobj_attribute cpu_drivers_attr = __ATTR_RW(cpu_drivers);

static struct attribute *urpc_attrs[] = {
	&version_attr.attr,
	&endpoints_attr.attr,
	&channels_open_attr.attr,
	&cpu_drivers_attr.attr,
	&urpc_attr_max_endpoints.attr.attr,
	&urpc_attr_max_channels.attr.attr,
	&urpc_attr_barrier_rate.attr.attr,
	&urpc_attr_channel_stats.attr.attr,
	&urpc_attr_driver_poll_us.attr.attr,
	&urpc_attr_connects.attr.attr,
	&urpc_attr_waits.attr.attr,
	&urpc_attr_wakes.attr.attr,
	&urpc_attr_barriers.attr.attr,
	&urpc_attr_barrier_ipis.attr.attr,
	&urpc_attr_barriers_limited.attr.attr,
	&urpc_attr_pings.attr.attr,
	NULL
};

static const struct attribute_group urpc_group = {
	.attrs = urpc_attrs,
};

/* --- channels/ID/ -------------------------------------------------------- */

#define to_channel(k)	container_of(k, struct urpc_channel, kobj)

static ssize_t level_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%s\n", to_channel(kobj)->level == URPC_SHARED ?
			  "shared" : "guarded");
}

static struct kobj_attribute level_attr = __ATTR_RO(level);

static ssize_t slots_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%u\n", to_channel(kobj)->slots);
}

static struct kobj_attribute slots_attr = __ATTR_RO(slots);

static struct attribute *channel_attrs[] = {
	&level_attr.attr,
	&slots_attr.attr,
	NULL
};

static const struct attribute_group channel_group = {
	.attrs = channel_attrs,
};

/* --- channels/ID/sideN/ -------------------------------------------------- */

/* What an attribute of a side shows. */
enum side_value {
	V_CPU, V_PID, V_NODE, V_WAITS, V_BARRIERS,
	V_STATS		/* + index of a word of struct urpc_stats */
};

struct side_attr {
	struct kobj_attribute attr;
	unsigned int side;
	unsigned int value;
};

static long long side_value(const struct urpc_side *s, unsigned int value)
{
	const u64 *stats = (const u64 *)&urpc_region_control(s->tx)->stats;

	switch (value) {
	case V_CPU:
		return (int)s->cpu;
	case V_PID:
		return pid_nr(s->pid);
	case V_NODE:
		/* where it receives: its peer's pages */
		return page_to_nid(urpc_side_peer(s)->tx->pages[0]);
	case V_WAITS:
		return atomic64_read(&s->waits);
	case V_BARRIERS:
		return atomic64_read(&s->barriers);
	default:
		return READ_ONCE(stats[value - V_STATS]);
	}
}

static ssize_t side_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct side_attr *a = container_of(attr, struct side_attr, attr);
	struct urpc_channel *ch = to_channel(kobj);

	return sysfs_emit(buf, "%lld\n",
			  side_value(&ch->side[a->side], a->value));
}

#define SIDE_ATTR(_side, _name, _value)					\
	{ .attr = __ATTR(_name, 0444, side_show, NULL), .side = _side,	\
	  .value = _value }

#define STAT(_member)	(V_STATS + offsetof(struct urpc_stats, _member) / 8)

#define SIDE_ATTRS(_side)						\
	{								\
		SIDE_ATTR(_side, cpu, V_CPU),				\
		SIDE_ATTR(_side, pid, V_PID),				\
		SIDE_ATTR(_side, node, V_NODE),				\
		SIDE_ATTR(_side, waits, V_WAITS),			\
		SIDE_ATTR(_side, barriers, V_BARRIERS),			\
		SIDE_ATTR(_side, sent, STAT(sent)),			\
		SIDE_ATTR(_side, received, STAT(received)),		\
		SIDE_ATTR(_side, bytes_sent, STAT(bytes_sent)),		\
		SIDE_ATTR(_side, bytes_received, STAT(bytes_received)),	\
		SIDE_ATTR(_side, polls, STAT(polls)),			\
		SIDE_ATTR(_side, sleeps, STAT(sleeps)),			\
		SIDE_ATTR(_side, wakes, STAT(wakes)),			\
		SIDE_ATTR(_side, spurious, STAT(spurious)),		\
		SIDE_ATTR(_side, depth_0, STAT(depth[0])),		\
		SIDE_ATTR(_side, depth_1, STAT(depth[1])),		\
		SIDE_ATTR(_side, depth_2, STAT(depth[2])),		\
		SIDE_ATTR(_side, depth_4, STAT(depth[3])),		\
		SIDE_ATTR(_side, depth_8, STAT(depth[4])),		\
		SIDE_ATTR(_side, depth_16, STAT(depth[5])),		\
		SIDE_ATTR(_side, depth_32, STAT(depth[6])),		\
		SIDE_ATTR(_side, depth_64, STAT(depth[7])),		\
	}

static struct side_attr side0_attr[] = SIDE_ATTRS(0);
static struct side_attr side1_attr[] = SIDE_ATTRS(1);

/* The pointers to them, filled in once. */
static struct attribute *side0_attrs[ARRAY_SIZE(side0_attr) + 1];
static struct attribute *side1_attrs[ARRAY_SIZE(side1_attr) + 1];

static const struct attribute_group side0_group = {
	.name = "side0",
	.attrs = side0_attrs,
};

static const struct attribute_group side1_group = {
	.name = "side1",
	.attrs = side1_attrs,
};

const struct attribute_group *urpc_channel_groups[] = {
	&channel_group, &side0_group, &side1_group, NULL
};

static void list_side_attrs(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(side0_attr); i++) {
		side0_attrs[i] = &side0_attr[i].attr.attr;
		side1_attrs[i] = &side1_attr[i].attr.attr;
	}
}

int urpc_sysfs_init(void)
{
	int ret;

	list_side_attrs();
	urpc_kobj = kobject_create_and_add("urpc", kernel_kobj);
	if (!urpc_kobj)
		return -ENOMEM;
	ret = sysfs_create_group(urpc_kobj, &urpc_group);
	if (ret)
		goto err_kobj;
	ret = -ENOMEM;
	urpc_channels_kobj = kobject_create_and_add("channels", urpc_kobj);
	if (!urpc_channels_kobj)
		goto err_kobj;
	return 0;
err_kobj:
	kobject_put(urpc_kobj);
	return ret;
}

/* Nobody sets anything any more when this returns. */
void urpc_sysfs_close(void)
{
	sysfs_remove_group(urpc_kobj, &urpc_group);
}

/* No channel is left. */
void urpc_sysfs_exit(void)
{
	kobject_put(urpc_channels_kobj);
	kobject_put(urpc_kobj);
}
