// SPDX-License-Identifier: GPL-2.0-only
/*
 * endpoint.c - endpoints, their names, and who may connect
 *
 * A name belongs to the IPC namespace of its owner.  A module cannot hold such
 * a namespace, so the name carries its number; a number can come again after
 * the namespace is gone, and then only an endpoint whose file outlived its
 * namespace can be met there, under the rules of its mode.
 */
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "internal.h"

static LIST_HEAD(names);
static unsigned int nr_endpoints;

unsigned int urpc_endpoints_count(void)
{
	return READ_ONCE(nr_endpoints);
}

static unsigned int current_ipc_ns(void)
{
	return current->nsproxy->ipc_ns->ns.inum;
}

/* Terminated, and not one of the kernel's own. */
bool urpc_name_valid(const char *name)
{
	return strnlen(name, URPC_NAME_MAX) < URPC_NAME_MAX;
}

static bool name_reserved(const char *name)
{
	return !strncmp(name, "cpu/", 4);
}

static struct urpc_endpoint *find_name(const char *name, unsigned int ns)
{
	struct urpc_endpoint *e;

	lockdep_assert_held(&urpc_lock);
	list_for_each_entry(e, &names, link)
		if (e->ipc_ns == ns && !strcmp(e->name, name))
			return e;
	return NULL;
}

static int check_arg(const struct urpc_endpoint_create *a)
{
	if (!urpc_name_valid(a->name) || name_reserved(a->name) ||
	    (a->mode & ~0222))
		return -EINVAL;
	if (a->cpu == URPC_CPU_ANY)
		return 0;
	if (a->cpu >= nr_cpu_ids || !cpu_possible(a->cpu))
		return -EINVAL;
	return cpu_online(a->cpu) ? 0 : -EHOSTDOWN;
}

static int take_name(struct urpc_endpoint *e)
{
	int ret = 0;

	mutex_lock(&urpc_lock);
	if (*e->name && find_name(e->name, e->ipc_ns))
		ret = -EADDRINUSE;
	if (!ret) {
		nr_endpoints++;
		if (*e->name)
			list_add(&e->link, &names);
	}
	mutex_unlock(&urpc_lock);
	return ret;
}

static void endpoint_fill(struct urpc_endpoint *e,
			  const struct urpc_endpoint_create *arg)
{
	kref_init(&e->ref);
	INIT_LIST_HEAD(&e->link);
	mutex_init(&e->lock);
	INIT_LIST_HEAD(&e->backlog);
	init_waitqueue_head(&e->wait);
	strscpy(e->name, arg->name, sizeof(e->name));
	e->ipc_ns = current_ipc_ns();
	e->uid = current_euid();
	e->gid = current_egid();
	e->mode = arg->mode;
	e->cpu = arg->cpu;
	e->node = arg->cpu == URPC_CPU_ANY ? numa_mem_id() :
					     cpu_to_mem(arg->cpu);
}

/**
 * urpc_endpoint_new - URPC_ENDPOINT_CREATE
 * @arg: the argument, flags checked
 *
 * Return: the endpoint, for its file, or an error pointer.
 */
struct urpc_endpoint *urpc_endpoint_new(struct urpc_endpoint_create *arg)
{
	struct urpc_endpoint *e;
	struct urpc_user *user;
	int ret = check_arg(arg);

	if (ret)
		return ERR_PTR(ret);
	user = urpc_quota_take(URPC_Q_ENDPOINT);
	if (IS_ERR(user))
		return ERR_CAST(user);
	e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	ret = -ENOMEM;
	if (!e)
		goto err_quota;
	e->user = user;
	endpoint_fill(e, arg);
	ret = take_name(e);
	if (ret)
		goto err_free;
	return e;
err_free:
	kfree(e);
err_quota:
	urpc_quota_give(user, URPC_Q_ENDPOINT);
	return ERR_PTR(ret);
}

static void endpoint_free(struct kref *ref)
{
	struct urpc_endpoint *e = container_of(ref, struct urpc_endpoint, ref);

	urpc_quota_give(e->user, URPC_Q_ENDPOINT);
	kfree(e);
}

void urpc_endpoint_put(struct urpc_endpoint *e)
{
	kref_put(&e->ref, endpoint_free);
}

/**
 * urpc_endpoint_close - its file is closed
 * @e: endpoint
 *
 * Nobody finds it any more; those who had found it, and hold a reference, see
 * it closed under its lock; those in its backlog are refused.
 */
void urpc_endpoint_close(struct urpc_endpoint *e)
{
	mutex_lock(&urpc_lock);
	list_del_init(&e->link);
	nr_endpoints--;
	mutex_unlock(&urpc_lock);
	urpc_refuse_all(e);
	urpc_endpoint_put(e);
}

/**
 * urpc_endpoint_find - the endpoint of a name, for the caller
 * @name: terminated
 *
 * Return: with a reference, or NULL.
 */
struct urpc_endpoint *urpc_endpoint_find(const char *name)
{
	struct urpc_endpoint *e = NULL;

	mutex_lock(&urpc_lock);
	if (*name)
		e = find_name(name, current_ipc_ns());
	if (e)
		kref_get(&e->ref);
	mutex_unlock(&urpc_lock);
	return e;
}

/* May the caller connect? */
int urpc_endpoint_permits(const struct urpc_endpoint *e)
{
	umode_t bit = 0002;

	if (uid_eq(e->uid, current_euid()))
		bit = 0200;
	else if (gid_eq(e->gid, current_egid()) || in_egroup_p(e->gid))
		bit = 0020;
	if (e->mode & bit)
		return 0;
	return ns_capable(&init_user_ns, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
}
