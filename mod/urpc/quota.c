// SPDX-License-Identifier: GPL-2.0-only
/*
 * quota.c - how many endpoints and channels a user may have
 *
 * Memory is charged to the memory cgroup of whoever asks for it; this limits
 * what a cgroup does not, names and files in sysfs, also where there is none.
 */
#include <linux/cred.h>
#include <linux/slab.h>

#include "internal.h"

unsigned int urpc_quota_max[URPC_QUOTAS] = {
	[URPC_Q_ENDPOINT] = 1024,
	[URPC_Q_CHANNEL] = 16384,
};

static LIST_HEAD(users);

static struct urpc_user *quota_user(kuid_t uid)
{
	struct urpc_user *u;

	lockdep_assert_held(&urpc_lock);
	list_for_each_entry(u, &users, link)
		if (uid_eq(u->uid, uid))
			return u;
	return NULL;
}

static bool has_nothing(const struct urpc_user *u)
{
	unsigned int i;

	for (i = 0; i < URPC_QUOTAS; i++)
		if (u->count[i])
			return false;
	return true;
}

/**
 * urpc_quota_take - count one object more for the calling user
 * @what: its kind
 *
 * Return: the user to give to urpc_quota_give(), -EDQUOT or -ENOMEM.
 */
struct urpc_user *urpc_quota_take(enum urpc_kind_of_object what)
{
	struct urpc_user *u, *ret;

	mutex_lock(&urpc_lock);
	u = quota_user(current_euid());
	if (!u) {
		u = kzalloc(sizeof(*u), GFP_KERNEL_ACCOUNT);
		if (!u) {
			mutex_unlock(&urpc_lock);
			return ERR_PTR(-ENOMEM);
		}
		u->uid = current_euid();
		list_add(&u->link, &users);
	}
	ret = ERR_PTR(-EDQUOT);
	if (u->count[what] < READ_ONCE(urpc_quota_max[what])) {
		u->count[what]++;
		ret = u;
	} else if (has_nothing(u)) {
		list_del(&u->link);
		kfree(u);
	}
	mutex_unlock(&urpc_lock);
	return ret;
}

/* @u may be NULL: the kernel's own objects are not counted. */
void urpc_quota_give(struct urpc_user *u, enum urpc_kind_of_object what)
{
	if (!u)
		return;
	mutex_lock(&urpc_lock);
	u->count[what]--;
	if (has_nothing(u)) {
		list_del(&u->link);
		kfree(u);
	}
	mutex_unlock(&urpc_lock);
}

/* Fill in what URPC_INFO says of the calling user. */
void urpc_quota_read(struct urpc_info *info)
{
	struct urpc_user *u;

	mutex_lock(&urpc_lock);
	u = quota_user(current_euid());
	info->endpoints = u ? u->count[URPC_Q_ENDPOINT] : 0;
	info->channels = u ? u->count[URPC_Q_CHANNEL] : 0;
	mutex_unlock(&urpc_lock);
	info->endpoints_max = READ_ONCE(urpc_quota_max[URPC_Q_ENDPOINT]);
	info->channels_max = READ_ONCE(urpc_quota_max[URPC_Q_CHANNEL]);
}
