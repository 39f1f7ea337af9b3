// SPDX-License-Identifier: LGPL-2.1-only
/*
 * memfd.c - the back end without the module
 *
 * Rings in memory files, rendezvous by a socket, sleeping by futex.  What it
 * cannot do: CPU drivers, states of CPUs, an account of barriers.
 */
#include <unistd.h>

#include "memfd.h"

void ul_memfd_assemble(struct urpc_channel *c, const struct memfd_parts *m)
{
	struct memfd_side *side = &c->priv->memfd;

	ul_channel_setup(c, &m->setup);
	pthread_mutex_init(&side->lock, NULL);
	side->own_fd = m->own_fd;
	side->peer_fd = m->peer_fd;
	side->peer_node = m->peer_node;
	side->bounded = m->bounded;
	side->slice_ns = ul_memfd_slice();
	side->epoll = -1;
	side->event = -1;
	side->timer = -1;
}

static int probe(void)
{
	return 0;
}

static unsigned int state(struct urpc_channel *c)
{
	return ul_memfd_look(c) ? URPC_STATE_PEER_GONE : 0;
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* All but the memory, which a child does not have. */
static void in_child(struct urpc_channel *c)
{
	const struct memfd_side *m = &c->priv->memfd;

	close_if(c->priv->fd);
	close_if(m->own_fd);
	close_if(m->peer_fd);
	close_if(m->epoll);
	close_if(m->event);
	close_if(m->timer);
}

static void close_side(struct urpc_channel *c)
{
	struct urpc_private *p = c->priv;

	/* first the end, then the call to look at it */
	if (!p->passed)
		urpc_store_release(&ul_own(c)->state, MEMFD_STATE_CLOSED);
	in_child(c);
	if (!p->passed)
		ul_memfd_wake_all(p->own);
	ul_region_unmap(p->own, p->slots);
	ul_region_unmap(p->peer, p->slots);
	pthread_mutex_destroy(&p->memfd.lock);
}

const struct urpc_backend_ops urpc_memfd_ops = {
	.name = "memfd",
	.probe = probe,
	.endpoint_open = ul_memfd_endpoint_open,
	.endpoint_close = ul_memfd_endpoint_close,
	.endpoint_in_child = ul_memfd_endpoint_in_child,
	.connect = ul_memfd_connect,
	.accept = ul_memfd_accept,
	.wait = ul_memfd_wait,
	.announce = ul_memfd_announce,
	.wake = ul_memfd_wake,
	.look = ul_memfd_look,
	.state = state,
	.poll_fd = ul_memfd_poll_fd,
	.poll_prepare = ul_memfd_poll_prepare,
	.pass = ul_memfd_pass,
	.take = ul_memfd_take,
	.in_child = in_child,
	.close = close_side,
};
