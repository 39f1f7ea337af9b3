// SPDX-License-Identifier: GPL-2.0-only
/*
 * cpu.c - CPUs that come and go
 *
 * An endpoint's CPU is a matter of placement, so a channel goes on working when
 * it goes offline; both sides are told, and whoever waits looks again.  Only a
 * CPU driver ends with its CPU.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>

#include "internal.h"

static struct cpumask online;	/* under urpc_lock; leads cpu_online_mask */
static enum cpuhp_state hotplug_state;

/* @flag when @cpu is a CPU and offline, else 0. */
u32 urpc_cpu_state(u32 cpu, u32 flag)
{
	lockdep_assert_held(&urpc_lock);
	if (cpu == URPC_CPU_ANY || cpumask_test_cpu(cpu, &online))
		return 0;
	return flag;
}

static void tell(struct urpc_side *s, unsigned int cpu, bool on)
{
	u32 flags = 0;

	if (s->cpu == cpu)
		flags |= URPC_STATE_CPU_OFFLINE;
	if (urpc_side_peer(s)->cpu == cpu)
		flags |= URPC_STATE_PEER_OFFLINE;
	if (!flags)
		return;
	urpc_side_set_state(s, on ? 0 : flags, on ? flags : 0);
	urpc_side_wake_all(s);
}

static void tell_all(unsigned int cpu, bool on)
{
	struct urpc_channel *ch;

	mutex_lock(&urpc_lock);
	if (on)
		cpumask_set_cpu(cpu, &online);
	else
		cpumask_clear_cpu(cpu, &online);
	list_for_each_entry(ch, &urpc_channels, link) {
		tell(&ch->side[0], cpu, on);
		tell(&ch->side[1], cpu, on);
	}
	mutex_unlock(&urpc_lock);
}

static int cpu_up_cb(unsigned int cpu)
{
	tell_all(cpu, true);
	urpc_driver_cpu(cpu, true);
	return 0;
}

static int cpu_down_cb(unsigned int cpu)
{
	urpc_driver_cpu(cpu, false);
	tell_all(cpu, false);
	return 0;
}

int urpc_cpu_init(void)
{
	int ret;

	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "urpc:online", cpu_up_cb,
				cpu_down_cb);
	if (ret < 0)
		return ret;
	hotplug_state = ret;
	return 0;
}

void urpc_cpu_exit(void)
{
	cpuhp_remove_state_nocalls(hotplug_state);
}
