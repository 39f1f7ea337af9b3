// SPDX-License-Identifier: LGPL-2.1-only
/*
 * module.c - the back end with the module: the ioctls of /dev/urpc
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define DEVICE	"/dev/urpc"

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	/* the node without the module: udev keeps static nodes */
	return errno == ENXIO || errno == ENODEV ? -ENOENT : -errno;
}

static int probe(void)
{
	struct urpc_info info = { .size = sizeof(info) };
	int fd = open_device(), ret;

	if (fd < 0)
		return fd;
	ret = call(fd, URPC_INFO, &info);
	close(fd);
	return ret ? ret : info.abi == URPC_ABI_VERSION ? 0 : -EPROTO;
}

/* --- endpoints ----------------------------------------------------------- */

static int endpoint_open(struct urpc_endpoint *e)
{
	struct urpc_endpoint_create a = {
		.size = sizeof(a),
		.cpu = e->cpu,
		.mode = e->mode,
	};
	int ret;

	e->fd = open_device();
	if (e->fd < 0)
		return e->fd;
	memcpy(a.name, e->name, sizeof(a.name));
	ret = call(e->fd, URPC_ENDPOINT_CREATE, &a);
	if (ret)
		close(e->fd);
	return ret;
}

static void endpoint_close(struct urpc_endpoint *e)
{
	close(e->fd);
}

/* --- channels ------------------------------------------------------------ */

static int map(int fd, const struct urpc_channel_info *info,
	       struct urpc_setup *s)
{
	int peer = info->level == URPC_SHARED ? PROT_READ | PROT_WRITE :
						PROT_READ;

	s->own = mmap(NULL, info->region_bytes, PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, URPC_MMAP_TX);
	if (s->own == MAP_FAILED)
		return -errno;
	s->peer = mmap(NULL, info->region_bytes, peer, MAP_SHARED, fd,
		       URPC_MMAP_RX);
	if (s->peer != MAP_FAILED)
		return 0;
	munmap(s->own, info->region_bytes);
	return -errno;
}

/* Map channel @fd; @moved: another process used it before. */
static int set_up(struct urpc_channel *c, int fd, bool moved)
{
	struct urpc_channel_info info = { .size = sizeof(info) };
	struct urpc_setup s = { .fd = fd };
	int ret = call(fd, URPC_CHANNEL, &info);

	if (!ret && (!urpc_slots_valid(info.slots) ||
		     info.region_bytes != urpc_region_bytes(info.slots)))
		ret = -EPROTO;
	if (!ret)
		ret = map(fd, &info, &s);
	if (ret)
		return ret;
	s.slots = info.slots;
	s.level = info.level;
	s.side = info.side;
	s.cpu = info.cpu;
	s.peer_cpu = info.peer_cpu;
	if (moved) {
		s.tx_pos = ((struct urpc_control *)s.own)->tx_pos;
		s.rx_pos = ((struct urpc_control *)s.own)->cursor;
	}
	ul_channel_setup(c, &s);
	return 0;
}

static int set_up_new(struct urpc_channel *c, int fd)
{
	int ret = set_up(c, fd, false);

	if (ret)
		close(fd);
	return ret;
}

static int connect_to(struct urpc_endpoint *e, const char *name,
		      const struct urpc_channel_attr *attr, int64_t timeout_ns,
		      struct urpc_channel *c)
{
	struct urpc_connect a = {
		.size = sizeof(a),
		.flags = attr->flags & URPC_ATTR_EXACT ? URPC_CONNECT_EXACT : 0,
		.level = attr->level,
		.slots = attr->slots,
	};
	int64_t deadline = ul_deadline_of(timeout_ns);
	int ret;

	strcpy(a.name, name);
	do {
		a.timeout_ns = ul_time_left(deadline);
		ret = call(e->fd, URPC_CONNECT, &a);
	} while (ret == -EINTR);
	return ret ? ret : set_up_new(c, a.fd);
}

static int accept_next(struct urpc_endpoint *e,
		       const struct urpc_channel_attr *attr,
		       int64_t timeout_ns, struct urpc_channel *c)
{
	int64_t deadline = ul_deadline_of(timeout_ns);
	struct urpc_accept a = { .size = sizeof(a), .level = attr->level };
	int ret;

	do {
		a.timeout_ns = ul_time_left(deadline);
		ret = call(e->fd, URPC_ACCEPT, &a);
	} while (ret == -EINTR);
	if (!ret)
		ret = set_up_new(c, a.fd);
	if (ret)
		return ret;
	c->priv->who.pid = a.pid;
	c->priv->who.uid = a.uid;
	c->priv->who.gid = a.gid;
	c->priv->who_known = true;
	return 0;
}

/* --- sleep and wake ------------------------------------------------------ */

static int wait_for(struct urpc_channel *c, uint32_t flags, uint64_t pos,
		    int64_t timeout_ns)
{
	struct urpc_wait a = {
		.size = sizeof(a),
		.flags = flags,
		.pos = pos,
		.timeout_ns = timeout_ns,
	};

	return call(c->priv->fd, URPC_WAIT, &a);
}

static void announce(struct urpc_channel *c)
{
	struct urpc_receiver *r = &c->priv->rx;

	r->sleep = ul_next_sleep(r->sleep);
	urpc_store_release(&ul_own(c)->rx_sleep, r->sleep);
}

static void wake(struct urpc_channel *c, uint32_t flags, uint32_t sleep)
{
	struct urpc_wake a = { .size = sizeof(a), .flags = flags };

	(void)sleep;
	call(c->priv->fd, URPC_WAKE, &a);
}

/* --- state --------------------------------------------------------------- */

/* The kernel writes it in the own control page. */
static unsigned int state(struct urpc_channel *c)
{
	return urpc_load_acquire(&ul_own(c)->state);
}

static bool look(struct urpc_channel *c)
{
	if (!ul_is_gone(c) && (state(c) & URPC_STATE_PEER_GONE))
		urpc_store_release(&c->priv->gone, true);
	return ul_is_gone(c);
}

static int poll_fd(struct urpc_channel *c)
{
	return c->priv->fd;
}

/* poll(2) looks at the slot that the cursor names. */
static int poll_prepare(struct urpc_channel *c)
{
	__u64 ctl;

	urpc_store_release(&ul_own(c)->cursor, c->rx.pos);
	if (urpc_rx_full(&c->rx, &ctl))
		return 1;
	if (!look(c))
		return 0;
	c->rx_gone = 1;
	return urpc_rx_full(&c->rx, &ctl) ? 1 : -EPIPE;
}

/* --- to another process -------------------------------------------------- */

static int pass(struct urpc_channel *c, int sock, struct urpc_pass_message *m)
{
	return ul_fds_send(sock, m, sizeof(*m), &c->priv->fd, 1, 0);
}

static int take(struct urpc_channel *c, const struct urpc_pass_message *m,
		int *fds, unsigned int nr)
{
	(void)m;
	return nr == 1 ? set_up(c, fds[0], true) : -EPROTO;
}

static void in_child(struct urpc_channel *c)
{
	close(c->priv->fd);
}

static void close_side(struct urpc_channel *c)
{
	struct urpc_private *p = c->priv;

	munmap(p->own, p->bytes);
	munmap(p->peer, p->bytes);
	close(p->fd);
}

const struct urpc_backend_ops urpc_module_ops = {
	.name = "module",
	.probe = probe,
	.endpoint_open = endpoint_open,
	.endpoint_close = endpoint_close,
	.endpoint_in_child = endpoint_close,
	.connect = connect_to,
	.accept = accept_next,
	.wait = wait_for,
	.announce = announce,
	.wake = wake,
	.look = look,
	.state = state,
	.poll_fd = poll_fd,
	.poll_prepare = poll_prepare,
	.pass = pass,
	.take = take,
	.in_child = in_child,
	.close = close_side,
};
