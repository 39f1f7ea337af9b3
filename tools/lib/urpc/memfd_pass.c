// SPDX-License-Identifier: LGPL-2.1-only
/*
 * memfd_pass.c - a side moves to another process
 *
 * At the shared level the new process maps the files.  At the guarded level
 * nobody can map the old region writable any more, so the new process makes a
 * new one, a copy to the last byte, and sends it to the peer, who puts it in
 * the place of the old one.  Until it does, it reads in the old one what is in
 * the new one, too; both are at the same positions.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memfd.h"

enum { SOCKET, OWN, PEER };

int ul_memfd_pass(struct urpc_channel *c, int sock,
		  struct urpc_pass_message *m)
{
	const struct urpc_private *p = c->priv;
	const int fds[URPC_PASS_FDS] = {
		[SOCKET] = p->fd,
		[OWN] = p->memfd.own_fd,
		[PEER] = p->memfd.peer_fd,
	};

	m->peer_node = p->memfd.peer_node;
	m->bounded = p->memfd.bounded;
	return ul_fds_send(sock, m, sizeof(*m), fds, URPC_PASS_FDS, 0);
}

/* A new region with what is in the old one, but for who sleeps and who woke. */
static int copy_region(const struct urpc_pass_message *m, const void *old,
		       void **own)
{
	struct urpc_control *control;
	int fd;

	fd = ul_region_make(m->slots, m->peer_node, own);
	if (fd < 0)
		return fd;
	memcpy(*own, old, urpc_region_bytes(m->slots));
	control = *own;
	control->rx_sleep = 0;
	control->tx_sleep = 0;
	/* a peer that slept on the old words looks again */
	control->wake_rx++;
	control->wake_tx++;
	return fd;
}

static int renew(const struct urpc_pass_message *m, int sock, int *own_fd,
		 void **own)
{
	struct urpc_control *was;
	void *old;
	int fd, ret;

	ret = ul_region_map(*own_fd, m->slots, false, &old);
	if (ret)
		return ret;
	fd = copy_region(m, old, own);
	ret = fd < 0 ? fd : ul_region_seal(fd, m->level);
	if (!ret)
		ret = ul_memfd_send_region(sock, fd);
	if (ret) {
		if (fd >= 0) {
			ul_region_unmap(*own, m->slots);
			close(fd);
		}
		ul_region_unmap(old, m->slots);
		return ret;
	}
	/* who sleeps on the old words shall look at the socket */
	was = old;
	ul_memfd_futex_wake(&was->wake_rx);
	ul_memfd_futex_wake(&was->wake_tx);
	ul_region_unmap(old, m->slots);
	close(*own_fd);
	*own_fd = fd;
	return 0;
}

int ul_memfd_take(struct urpc_channel *c, const struct urpc_pass_message *m,
		  int *fds, unsigned int nr)
{
	struct memfd_parts parts = {
		.setup = {
			.slots = m->slots,
			.level = m->level,
			.side = m->side,
			.cpu = m->cpu,
			.peer_cpu = m->peer_cpu,
		},
		.peer_node = m->peer_node,
		.bounded = ul_memfd_register() || m->bounded,
	};
	struct urpc_setup *s = &parts.setup;
	bool shared = m->level == URPC_SHARED;
	int ret;

	if (nr != URPC_PASS_FDS)
		return -EPROTO;
	s->fd = fds[SOCKET];
	ret = ul_region_map(fds[PEER], m->slots, shared, &s->peer);
	if (ret)
		return ret;
	ret = shared ? ul_region_map(fds[OWN], m->slots, true, &s->own) :
		       renew(m, s->fd, &fds[OWN], &s->own);
	if (ret) {
		ul_region_unmap(s->peer, m->slots);
		return ret;
	}
	s->tx_pos = ((struct urpc_control *)s->own)->tx_pos;
	s->rx_pos = ((struct urpc_control *)s->own)->cursor;
	parts.own_fd = fds[OWN];
	parts.peer_fd = fds[PEER];
	ul_memfd_assemble(c, &parts);
	return 0;
}
