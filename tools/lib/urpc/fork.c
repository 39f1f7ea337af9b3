// SPDX-License-Identifier: LGPL-2.1-only
/*
 * fork.c - what a child does not inherit
 *
 * Ring mappings are not copied by fork(), and a child must not hold the
 * descriptors either: the peer would never learn that the parent died.  So all
 * channels and endpoints are in a list, and a child closes them first of all.
 * What is left of a channel there is dead: every call on it fails with -EBADF.
 *
 * exec() closes everything by close-on-exec.  A child that is made without
 * the handlers of pthread_atfork() (vfork(), posix_spawn(), clone()) must exec
 * or end.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct urpc_link *channels;
static struct urpc_link *endpoints;

/* What the rings of a dead channel lead to: nothing, and no room. */
static struct urpc_slot dead_slot;
static struct urpc_control dead_control;

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void bury(struct urpc_channel *c)
{
	c->tx.slot = &dead_slot;
	c->tx.own = &dead_control;
	c->tx.peer = &dead_control;
	c->tx.mask = 0;
	c->tx.limit = c->tx.pos;
	c->rx.slot = &dead_slot;
	c->rx.own = &dead_control;
	c->rx.peer = &dead_control;
	/* the empty slot of a first lap */
	c->rx.mask = 0;
	c->rx.shift = 63;
	c->rx_polls = 0;
	c->rx_gone = 1;
	c->rx_marks = 0;
	c->tx_marks = 0;
	c->priv->call.line = NULL;
	c->priv->forked = true;
}

static void in_child(void)
{
	struct urpc_link *l;

	for (l = channels; l; l = l->next) {
		struct urpc_private *p = (struct urpc_private *)
			((char *)l - offsetof(struct urpc_private, link));

		p->ops->in_child(p->self);
		bury(p->self);
	}
	for (l = endpoints; l; l = l->next) {
		struct urpc_endpoint *e = (struct urpc_endpoint *)
			((char *)l - offsetof(struct urpc_endpoint, link));

		e->ops->endpoint_in_child(e);
		e->fd = -1;
		e->listener = -1;
	}
	pthread_mutex_unlock(&lock);
}

static void register_handlers(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

static void add(struct urpc_link **list, struct urpc_link *l)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_handlers);
	pthread_mutex_lock(&lock);
	l->next = *list;
	l->prev = list;
	if (l->next)
		l->next->prev = &l->next;
	*list = l;
	pthread_mutex_unlock(&lock);
}

void ul_fork_add_channel(struct urpc_channel *c)
{
	add(&channels, &c->priv->link);
}

void ul_fork_add_endpoint(struct urpc_endpoint *e)
{
	add(&endpoints, &e->link);
}

/* Take it out of its list; it may never have been in one. */
void ul_fork_forget(struct urpc_link *l)
{
	pthread_mutex_lock(&lock);
	if (l->prev) {
		*l->prev = l->next;
		if (l->next)
			l->next->prev = l->prev;
		l->prev = NULL;
	}
	pthread_mutex_unlock(&lock);
}
