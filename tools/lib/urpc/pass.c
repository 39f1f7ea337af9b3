// SPDX-License-Identifier: LGPL-2.1-only
/*
 * pass.c - hand a side of a channel to another process
 *
 * The positions go in the control page of the side, the rest and the
 * descriptors over an AF_UNIX socket.
 */
#include <string.h>
#include <sys/socket.h>

#include "internal.h"

#define PASS_MAGIC	0x75727032u

static struct urpc_pass_message describe(const struct urpc_channel *c)
{
	const struct urpc_private *p = c->priv;

	return (struct urpc_pass_message) {
		.magic = PASS_MAGIC,
		.module = p->ops == &urpc_module_ops,
		.level = p->level,
		.slots = p->slots,
		.side = p->side,
		.cpu = p->cpu,
		.peer_cpu = p->peer_cpu,
		.rx_sleep = p->rx.sleep,
		.tx_sleep = p->tx.sleep,
		.pid = p->who.pid,
		.uid = p->who.uid,
		.gid = p->who.gid,
		.who_known = p->who_known,
	};
}

int urpc_channel_pass(struct urpc_channel *channel, int socket)
{
	struct urpc_private *p = channel->priv;
	struct urpc_pass_message m = describe(channel);
	int ret;

	if (p->forked)
		return -EBADF;
	if (p->call.open || p->rx.bulk_bytes)
		return -EBUSY;
	ul_channel_settle(channel);
	urpc_store(&ul_own(channel)->cursor, channel->rx.pos);
	urpc_store(&ul_own(channel)->tx_pos, channel->tx.pos);
	ret = p->ops->pass(channel, socket, &m);
	if (ret)
		return ret;
	p->passed = true;
	urpc_close(channel);
	return 0;
}

/* Whoever passes a channel is trusted with it, but not with our addresses. */
static int check(const struct urpc_pass_message *m, ssize_t n)
{
	if (!n)
		return -EPIPE;
	if (n < 0)
		return (int)n;
	if (n != sizeof(*m) || m->magic != PASS_MAGIC ||
	    m->level >= URPC_LEVELS || m->side > 1 ||
	    !urpc_slots_valid(m->slots))
		return -EPROTO;
	return 0;
}

static int take(const struct urpc_pass_message *m, int *fds, unsigned int nr,
		struct urpc_channel **channel)
{
	struct urpc_channel *c;
	int ret;

	c = ul_channel_alloc(m->module ? &urpc_module_ops : &urpc_memfd_ops);
	if (!c)
		return -ENOMEM;
	ret = c->priv->ops->take(c, m, fds, nr);
	if (ret) {
		ul_channel_free(c);
		return ret;
	}
	c->priv->rx.sleep = m->rx_sleep;
	c->priv->tx.sleep = m->tx_sleep;
	c->priv->who.pid = m->pid;
	c->priv->who.uid = m->uid;
	c->priv->who.gid = m->gid;
	c->priv->who_known = m->who_known;
	ul_stats_resume(c);
	*channel = c;
	return 0;
}

int urpc_channel_take(int socket, const struct urpc_channel_attr *attr,
		      struct urpc_channel **channel)
{
	struct urpc_channel_attr a;
	struct urpc_pass_message m;
	unsigned int nr = URPC_PASS_FDS;
	int fds[URPC_PASS_FDS], ret;

	ret = ul_channel_attr(attr, &a);
	if (ret)
		return ret;
	ret = check(&m, ul_fds_recv(socket, &m, sizeof(m), fds, &nr,
				    MSG_WAITALL));
	if (!ret)
		ret = take(&m, fds, nr, channel);
	if (ret) {
		ul_fds_close(fds, nr);
		return ret;
	}
	return ul_channel_start(*channel, &a);
}
