// SPDX-License-Identifier: LGPL-2.1-only
/*
 * endpoint.c - endpoints, and the channels that they make
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static const struct urpc_endpoint_attr no_endpoint_attr;
static const struct urpc_channel_attr no_channel_attr;

/* Names of the CPU drivers, which only the module has, are not given away. */
static int check_name(const char *name)
{
	size_t n = strlen(name);

	if (!n || n >= URPC_NAME_MAX || !strncmp(name, "cpu/", 4))
		return -EINVAL;
	return 0;
}

static int check_endpoint_attr(const struct urpc_endpoint_attr *a)
{
	unsigned int i;

	for (i = 0; i < sizeof(a->__reserved) / sizeof(a->__reserved[0]); i++)
		if (a->__reserved[i])
			return -EOPNOTSUPP;
	if (a->flags & ~URPC_ENDPOINT_CPU)
		return -EOPNOTSUPP;
	if (a->mode & ~0222u)
		return -EINVAL;
	if (a->name && check_name(a->name))
		return -EINVAL;
	return a->flags & URPC_ENDPOINT_CPU ? ul_cpu_check(a->cpu) : 0;
}

static int open_with(const struct urpc_backend_ops *ops,
		     const struct urpc_endpoint_attr *a,
		     struct urpc_endpoint **endpoint)
{
	struct urpc_endpoint *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return -ENOMEM;
	e->ops = ops;
	e->fd = -1;
	e->listener = -1;
	e->cpu = a->flags & URPC_ENDPOINT_CPU ? a->cpu : URPC_CPU_ANY;
	e->node = ul_cpu_node(e->cpu);
	e->mode = a->mode ? a->mode : 0200;
	e->uid = geteuid();
	e->gid = getegid();
	if (a->name)
		strcpy(e->name, a->name);
	ret = ops->endpoint_open(e);
	if (ret) {
		free(e);
		return ret;
	}
	ul_fork_add_endpoint(e);
	*endpoint = e;
	return 0;
}

int urpc_endpoint_create(struct urpc_endpoint **endpoint,
			 const struct urpc_endpoint_attr *attr)
{
	const struct urpc_endpoint_attr *a = attr ? attr : &no_endpoint_attr;
	const struct urpc_backend_ops *ops;
	int ret = check_endpoint_attr(a);

	if (!ret)
		ret = ul_backend_choose(&ops);
	return ret ? ret : open_with(ops, a, endpoint);
}

void urpc_endpoint_close(struct urpc_endpoint *endpoint)
{
	if (!endpoint)
		return;
	ul_fork_forget(&endpoint->link);
	/* in a child it was closed by fork.c */
	if (endpoint->fd >= 0)
		endpoint->ops->endpoint_close(endpoint);
	free(endpoint);
}

int urpc_endpoint_fd(const struct urpc_endpoint *endpoint)
{
	return endpoint->fd;
}

static int check_channel_attr(const struct urpc_channel_attr *a)
{
	unsigned int i;

	for (i = 0; i < sizeof(a->__reserved) / sizeof(a->__reserved[0]); i++)
		if (a->__reserved[i])
			return -EOPNOTSUPP;
	if (a->flags & ~(URPC_ATTR_EXACT | URPC_ATTR_MARKS | URPC_ATTR_PROBE))
		return -EOPNOTSUPP;
	if (a->level >= URPC_LEVELS || a->poll_mode >= URPC_POLL_MODES ||
	    a->wake_cost_ns < 0)
		return -EINVAL;
	return 0;
}

/* @attr with its defaults filled in. */
int ul_channel_attr(const struct urpc_channel_attr *attr,
		    struct urpc_channel_attr *full)
{
	*full = attr ? *attr : no_channel_attr;
	if (!full->slots)
		full->slots = URPC_SLOTS_DEFAULT;
	return check_channel_attr(full);
}

/* A channel that a back end has filled in goes to work, or away. */
static int finish(struct urpc_channel *c, int ret,
		  const struct urpc_channel_attr *a,
		  struct urpc_channel **channel)
{
	if (ret) {
		ul_channel_free(c);
		return ret;
	}
	ret = ul_channel_start(c, a);
	if (!ret)
		*channel = c;
	return ret;
}

static int connect_from(struct urpc_endpoint *e, const char *name,
			const struct urpc_channel_attr *a, int64_t timeout_ns,
			struct urpc_channel **channel)
{
	struct urpc_channel *c = ul_channel_alloc(e->ops);

	if (!c)
		return -ENOMEM;
	return finish(c, e->ops->connect(e, name, a, timeout_ns, c), a,
		      channel);
}

int urpc_connect(struct urpc_endpoint *endpoint, const char *name,
		 const struct urpc_channel_attr *attr, int64_t timeout_ns,
		 struct urpc_channel **channel)
{
	struct urpc_endpoint *e = endpoint;
	struct urpc_channel_attr a;
	int ret = ul_channel_attr(attr, &a);

	if (!ret && (!*name || strlen(name) >= URPC_NAME_MAX ||
		     !urpc_slots_valid(a.slots)))
		ret = -EINVAL;
	if (!ret && !e)
		ret = urpc_endpoint_create(&e, NULL);
	if (ret)
		return ret;
	ret = e->fd < 0 ? -EBADF :
	      connect_from(e, name, &a, timeout_ns, channel);
	if (!endpoint)
		urpc_endpoint_close(e);
	return ret;
}

int urpc_accept(struct urpc_endpoint *endpoint,
		const struct urpc_channel_attr *attr, int64_t timeout_ns,
		struct urpc_channel **channel)
{
	struct urpc_channel_attr a;
	struct urpc_channel *c;
	int ret = ul_channel_attr(attr, &a);

	if (!ret && !*endpoint->name)
		ret = -EINVAL;
	if (!ret && endpoint->fd < 0)
		ret = -EBADF;
	if (ret)
		return ret;
	c = ul_channel_alloc(endpoint->ops);
	if (!c)
		return -ENOMEM;
	return finish(c, endpoint->ops->accept(endpoint, &a, timeout_ns, c),
		      &a, channel);
}

/* --- both ends in one process -------------------------------------------- */

struct acceptor {
	struct urpc_endpoint *e;
	const struct urpc_channel_attr *attr;
	struct urpc_channel *c;
	bool stop;	/* the other end is done: now or never */
	int ret;
};

#define ACCEPT_SLICE_NS	(20 * 1000000)

/* Somebody else may find the name first, and is turned away. */
static void *accept_own(void *arg)
{
	struct acceptor *a = arg;
	bool last;

	do {
		last = urpc_load_acquire(&a->stop);
		a->ret = urpc_accept(a->e, a->attr, ACCEPT_SLICE_NS, &a->c);
		if (!a->ret && a->c->priv->who_known &&
		    a->c->priv->who.pid != getpid()) {
			urpc_close(a->c);
			a->ret = -ETIMEDOUT;
		}
	} while (a->ret == -ETIMEDOUT && !last);
	/* nobody accepts any more: the other end is told */
	urpc_endpoint_close(a->e);
	return NULL;
}

/* Signals are the program's, not this thread's. */
static int start_acceptor(struct acceptor *a, pthread_t *thread)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(thread, NULL, accept_own, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

/* Endpoint @e accepts in another thread, which closes it. */
static int pair_over(struct urpc_endpoint *e, struct urpc_endpoint *from,
		     const struct urpc_channel_attr *attr,
		     struct urpc_channel *channels[2])
{
	struct acceptor a = { .e = e, .attr = attr };
	char name[URPC_NAME_MAX];
	pthread_t thread;
	int ret;

	strcpy(name, e->name);
	ret = start_acceptor(&a, &thread);
	if (ret) {
		urpc_endpoint_close(e);
		return ret;
	}
	ret = connect_from(from, name, attr, -1, &channels[0]);
	urpc_store_release(&a.stop, true);
	pthread_join(thread, NULL);
	if (ret && !a.ret)
		urpc_close(a.c);
	if (!ret && a.ret)
		urpc_close(channels[0]);
	channels[1] = a.c;
	/* the time-out of this end says nothing when the other one failed */
	return a.ret && !(ret && a.ret == -ETIMEDOUT) ? a.ret : ret;
}

static int pair_endpoint(const struct urpc_backend_ops *ops,
			 struct urpc_endpoint **e)
{
	static uint32_t last;
	struct urpc_endpoint_attr attr = { .mode = 0200 };
	char name[URPC_NAME_MAX];

	snprintf(name, sizeof(name), "pair/%d/%u/%llx", getpid(),
		 __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED),
		 (unsigned long long)ul_now());
	attr.name = name;
	return open_with(ops, &attr, e);
}

int ul_channel_pair(const struct urpc_backend_ops *ops,
		    const struct urpc_channel_attr *attr,
		    struct urpc_channel *channels[2])
{
	struct urpc_endpoint *from, *to;
	struct urpc_channel_attr full;
	int ret = ul_channel_attr(attr, &full);

	if (!ret && !urpc_slots_valid(full.slots))
		ret = -EINVAL;
	if (ret)
		return ret;
	/* now, and not in both threads at once */
	if (!full.poll_ns && !full.wake_cost_ns)
		full.wake_cost_ns = ul_wake_cost_of(ops);
	ret = open_with(ops, &no_endpoint_attr, &from);
	if (ret)
		return ret;
	ret = pair_endpoint(ops, &to);
	if (!ret)
		ret = pair_over(to, from, &full, channels);
	urpc_endpoint_close(from);
	return ret;
}

int urpc_pair(const struct urpc_channel_attr *attr,
	      struct urpc_channel *channels[2])
{
	const struct urpc_backend_ops *ops;
	int ret = ul_backend_choose(&ops);

	return ret ? ret : ul_channel_pair(ops, attr, channels);
}
