// SPDX-License-Identifier: LGPL-2.1-only
/*
 * memfd_connect.c - endpoints without the module, and how sides find each other
 *
 * An endpoint with a name is a listening socket in the abstract namespace.
 * Three messages make a channel:
 *
 *	connecting side			accepting side
 *	HELLO: level, slots, node ->
 *				<-	WELCOME: level, node, its region
 *	REGION: its region	->
 *
 * Each side makes its own region, on the node of the other, and checks what it
 * gets.  The accepting side goes through this with several connections at
 * once, so that one which does not talk does not keep the others waiting.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "memfd.h"

#define PREFIX		"urpc/"
#define NO_NODE		(-1)

enum { HELLO = 1, WELCOME, REGION };

/**
 * struct greeting - each of the three messages
 * @magic: MEMFD_MAGIC
 * @version: MEMFD_VERSION
 * @what: HELLO, WELCOME or REGION
 * @error: WELCOME: an errno, when it is none
 * @level: wanted, agreed
 * @slots: of each ring
 * @flags: URPC_CONNECT_EXACT
 * @node: where the sender of this receives
 * @cpu: on which CPU
 * @registered: it gets the barriers of others
 */
struct greeting {
	uint32_t magic;
	uint32_t version;
	uint32_t what;
	uint32_t error;
	uint32_t level;
	uint32_t slots;
	uint32_t flags;
	int32_t node;
	uint32_t cpu;
	uint32_t registered;
};

/**
 * struct memfd_pending - a connection under way to an endpoint
 * @sock: its socket
 * @cred: who it is
 * @hello: what it said, once it did
 * @own: own region, then
 * @own_fd: its file
 * @level: what was agreed, then
 * @registered: this process gets barriers
 */
struct memfd_pending {
	int sock;
	struct ucred cred;
	struct greeting hello;
	void *own;
	int own_fd;
	uint32_t level;
	bool registered;
};

static socklen_t address_of(const char *name, struct sockaddr_un *a)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	/* the first byte stays zero: no file */
	strcpy(a->sun_path + 1, PREFIX);
	strcat(a->sun_path + 1, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   strlen(a->sun_path + 1));
}

static int peer_cred(int sock, struct ucred *cred)
{
	socklen_t n = sizeof(*cred);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, cred, &n) ? -errno :
								     0;
}

static int new_socket(void)
{
	const int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int fd = socket(AF_UNIX, type, 0);

	/* cppcheck-suppress resourceLeak - the caller's */
	return fd < 0 ? -errno : fd;
}

static struct greeting greet(uint32_t what, const struct urpc_endpoint *e)
{
	return (struct greeting) {
		.magic = MEMFD_MAGIC,
		.version = MEMFD_VERSION,
		.what = what,
		.node = e->node,
		.cpu = e->cpu,
	};
}

/* One message of the right kind with @nr descriptors, or one with an error. */
static int receive(int sock, struct greeting *g, uint32_t what, int *fd,
		   unsigned int nr)
{
	unsigned int got = nr;
	int fds[1] = { -1 };
	ssize_t n;

	if (nr)
		*fd = -1;
	n = ul_fds_recv(sock, g, sizeof(*g), fds, &got, MSG_DONTWAIT);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n == sizeof(*g) && g->magic == MEMFD_MAGIC &&
	    g->version == MEMFD_VERSION && g->what == what &&
	    got == (g->error ? 0 : nr)) {
		if (got)
			*fd = fds[0];
		return 0;
	}
	ul_fds_close(fds, got);
	return n <= 0 ? -ECONNREFUSED : -EPROTO;
}

/* --- the endpoint -------------------------------------------------------- */

static int watch(int epoll, int fd, void *what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int listen_as(struct urpc_endpoint *e)
{
	struct sockaddr_un a;
	socklen_t n = address_of(e->name, &a);

	e->listener = new_socket();
	if (e->listener < 0)
		return e->listener;
	if (bind(e->listener, (struct sockaddr *)&a, n) ||
	    listen(e->listener, URPC_PENDING_MAX))
		return -errno;
	return watch(e->fd, e->listener, NULL);
}

int ul_memfd_endpoint_open(struct urpc_endpoint *e)
{
	int ret = 0;

	e->fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->fd < 0)
		return -errno;
	if (*e->name)
		ret = listen_as(e);
	if (ret)
		ul_memfd_endpoint_close(e);
	return ret;
}

static void drop(struct urpc_endpoint *e, struct memfd_pending *p)
{
	unsigned int i;

	for (i = 0; i < URPC_PENDING_MAX; i++)
		if (e->pending[i] == p)
			e->pending[i] = NULL;
	if (p->own)
		ul_region_unmap(p->own, p->hello.slots);
	if (p->own_fd >= 0)
		close(p->own_fd);
	if (p->sock >= 0) {
		/* a child may hold the socket for a moment longer */
		epoll_ctl(e->fd, EPOLL_CTL_DEL, p->sock, NULL);
		close(p->sock);
	}
	free(p);
}

/* After fork: the descriptors only, the set is the parent's, too. */
void ul_memfd_endpoint_in_child(struct urpc_endpoint *e)
{
	unsigned int i;

	for (i = 0; i < URPC_PENDING_MAX; i++) {
		if (!e->pending[i])
			continue;
		close(e->pending[i]->sock);
		if (e->pending[i]->own_fd >= 0)
			close(e->pending[i]->own_fd);
	}
	if (e->listener >= 0)
		close(e->listener);
	close(e->fd);
}

void ul_memfd_endpoint_close(struct urpc_endpoint *e)
{
	unsigned int i;

	for (i = 0; i < URPC_PENDING_MAX; i++)
		if (e->pending[i])
			drop(e, e->pending[i]);
	if (e->listener >= 0)
		close(e->listener);
	close(e->fd);
}

/* --- accept -------------------------------------------------------------- */

static int add_pending(struct urpc_endpoint *e, int sock)
{
	struct memfd_pending *p = calloc(1, sizeof(*p));
	unsigned int i;
	int ret;

	if (!p)
		return -ENOMEM;
	p->sock = sock;
	p->own_fd = -1;
	for (i = 0; i < URPC_PENDING_MAX && e->pending[i]; i++)
		;
	/* all of them silent: whoever came first had long enough */
	if (i == URPC_PENDING_MAX) {
		drop(e, e->pending[0]);
		memmove(&e->pending[0], &e->pending[1],
			sizeof(e->pending) - sizeof(e->pending[0]));
		i = URPC_PENDING_MAX - 1;
	}
	e->pending[i] = p;
	ret = peer_cred(sock, &p->cred);
	if (!ret)
		ret = watch(e->fd, sock, p);
	if (ret) {
		p->sock = -1;
		drop(e, p);
	}
	return ret;
}

/* Somebody who changed his mind is no failure; no descriptors are one. */
static int take_connection(struct urpc_endpoint *e)
{
	int sock = accept4(e->listener, NULL, NULL,
			   SOCK_CLOEXEC | SOCK_NONBLOCK), ret;

	if (sock < 0)
		return errno == EMFILE || errno == ENFILE ||
		       errno == ENOMEM || errno == ENOBUFS ? -errno : 0;
	ret = add_pending(e, sock);
	if (ret)
		close(sock);
	return ret;
}

static bool may_connect(const struct urpc_endpoint *e, const struct ucred *who)
{
	if (who->uid == e->uid)
		return e->mode & 0200;
	if (who->gid == e->gid)
		return e->mode & 0020;
	return e->mode & 0002;
}

static uint32_t agree(uint32_t wanted, uint32_t allowed, bool same)
{
	uint32_t level = wanted < allowed ? wanted : allowed;

	return same ? level : URPC_GUARDED;
}

/* An errno for the connecting side, or 0: the own region is made. */
static int consider(struct urpc_endpoint *e, struct memfd_pending *p,
		    const struct urpc_channel_attr *attr)
{
	const struct greeting *h = &p->hello;
	int ret;

	if (!may_connect(e, &p->cred))
		return -EACCES;
	if (!urpc_slots_valid(h->slots) || h->level >= URPC_LEVELS)
		return -EINVAL;
	p->level = agree(h->level, attr->level,
			 p->cred.uid == e->uid && p->cred.gid == e->gid);
	if (h->flags & URPC_CONNECT_EXACT && p->level != h->level)
		return -EPERM;
	p->registered = !ul_memfd_register();
	ret = ul_region_make(h->slots, h->node, &p->own);
	if (ret < 0)
		return ret;
	p->own_fd = ret;
	return ul_region_seal(p->own_fd, p->level);
}

static int welcome(struct urpc_endpoint *e, struct memfd_pending *p,
		   const struct urpc_channel_attr *attr)
{
	struct greeting g = greet(WELCOME, e);
	int ret = consider(e, p, attr);

	g.error = (uint32_t)-ret;
	g.level = p->level;
	g.slots = p->hello.slots;
	g.registered = p->registered;
	if (ret) {
		ul_fds_send(p->sock, &g, sizeof(g), NULL, 0, MSG_DONTWAIT);
		return ret;
	}
	return ul_fds_send(p->sock, &g, sizeof(g), &p->own_fd, 1,
			   MSG_DONTWAIT);
}

static void know_peer(struct urpc_channel *c, const struct ucred *cred)
{
	c->priv->who.pid = cred->pid;
	c->priv->who.uid = cred->uid;
	c->priv->who.gid = cred->gid;
	c->priv->who_known = true;
}

/* The peer's region came, or something else did. */
static int last_step(struct urpc_endpoint *e, struct memfd_pending *p,
		     struct urpc_channel *c)
{
	struct memfd_parts m = {
		.setup = {
			.fd = p->sock,
			.own = p->own,
			.slots = p->hello.slots,
			.level = p->level,
			.side = 1,
			.cpu = e->cpu,
			.peer_cpu = p->hello.cpu,
		},
		.own_fd = p->own_fd,
		.peer_node = p->hello.node,
		.bounded = !p->registered || !p->hello.registered,
	};
	struct greeting g;
	int ret;

	ret = receive(p->sock, &g, REGION, &m.peer_fd, 1);
	if (ret)
		return ret;
	ret = g.error ? -EPROTO :
	      ul_region_map(m.peer_fd, m.setup.slots,
			    m.setup.level == URPC_SHARED, &m.setup.peer);
	if (ret) {
		if (m.peer_fd >= 0)
			close(m.peer_fd);
		return ret;
	}
	epoll_ctl(e->fd, EPOLL_CTL_DEL, p->sock, NULL);
	ul_memfd_assemble(c, &m);
	know_peer(c, &p->cred);
	p->own = NULL;
	p->own_fd = -1;
	p->sock = -1;
	drop(e, p);
	return 1;
}

/* 1: @c is complete.  A connection that fails is no failure of accept(). */
static int step(struct urpc_endpoint *e, struct memfd_pending *p,
		const struct urpc_channel_attr *attr, struct urpc_channel *c)
{
	int ret;

	if (p->own) {
		ret = last_step(e, p, c);
	} else {
		ret = receive(p->sock, &p->hello, HELLO, NULL, 0);
		if (!ret)
			ret = welcome(e, p, attr);
	}
	if (ret < 0 && ret != -EAGAIN)
		drop(e, p);
	return ret;
}

/* Something came: @p has it, or it is a new connection. */
static int serve(struct urpc_endpoint *e, struct memfd_pending *p,
		 const struct urpc_channel_attr *attr, struct urpc_channel *c)
{
	int ret;

	if (!p)
		return take_connection(e);
	ret = step(e, p, attr, c);
	return ret > 0 ? ret : 0;
}

int ul_memfd_accept(struct urpc_endpoint *e,
		    const struct urpc_channel_attr *attr, int64_t timeout_ns,
		    struct urpc_channel *c)
{
	int64_t deadline = ul_deadline_of(timeout_ns);
	/* without waiting, no crowd of callers keeps us here for ever */
	unsigned int n, events = 4 * URPC_PENDING_MAX;
	struct epoll_event ev;
	int ret;

	for (n = 0; timeout_ns || n < events; n++) {
		ret = epoll_wait(e->fd, &ev, 1,
				 ul_poll_timeout(ul_time_left(deadline)));
		if (ret < 0 && errno != EINTR)
			return -errno;
		if (ret > 0) {
			ret = serve(e, ev.data.ptr, attr, c);
			if (ret)
				return ret > 0 ? 0 : ret;
		} else if (!ul_time_left(deadline)) {
			break;
		}
	}
	return timeout_ns ? -ETIMEDOUT : -EAGAIN;
}

/* --- connect ------------------------------------------------------------- */

/* The connected socket, or a negative errno. */
static int call(const char *name)
{
	struct sockaddr_un a;
	socklen_t n = address_of(name, &a);
	int fd = new_socket(), err;

	if (fd < 0 || !connect(fd, (struct sockaddr *)&a, n))
		return fd;
	err = errno;
	close(fd);
	return err == ECONNREFUSED ? -ENOENT : -err;
}

static int await(int sock, struct greeting *g, int *fd, int64_t deadline)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	int ret;

	do {
		ret = poll(&p, 1, ul_poll_timeout(ul_time_left(deadline)));
		if (ret < 0 && errno != EINTR)
			return -errno;
		ret = ret > 0 ? receive(sock, g, WELCOME, fd, 1) : -EAGAIN;
	} while (ret == -EAGAIN && ul_time_left(deadline));
	if (ret == -EAGAIN)
		return -ETIMEDOUT;
	/* errors of the other side come as such, but no nonsense does */
	if (!ret && g->error)
		ret = g->error < 4096 ? -(int)g->error : -EPROTO;
	return ret;
}

/* Take the peer's region, make and send the own one. */
static int exchange(struct urpc_endpoint *e, struct memfd_parts *m)
{
	struct greeting r = greet(REGION, e);
	struct urpc_setup *s = &m->setup;
	int ret;

	ret = ul_region_map(m->peer_fd, s->slots, s->level == URPC_SHARED,
			    &s->peer);
	if (ret)
		return ret;
	ret = ul_region_make(s->slots, m->peer_node, &s->own);
	if (ret < 0)
		goto unmap_peer;
	m->own_fd = ret;
	ret = ul_region_seal(m->own_fd, s->level);
	if (!ret)
		ret = ul_fds_send(s->fd, &r, sizeof(r), &m->own_fd, 1,
				  MSG_DONTWAIT);
	if (!ret)
		return 0;
	close(m->own_fd);
	ul_region_unmap(s->own, s->slots);
unmap_peer:
	ul_region_unmap(s->peer, s->slots);
	return ret;
}

/* What this side asks for, which is what it may have. */
static int ask(struct urpc_endpoint *e, const struct urpc_channel_attr *attr,
	       const struct ucred *cred, struct greeting *h)
{
	*h = greet(HELLO, e);
	h->slots = attr->slots;
	h->level = agree(attr->level, attr->level, cred->uid == geteuid() &&
						   cred->gid == getegid());
	if (attr->flags & URPC_ATTR_EXACT) {
		if (h->level != attr->level)
			return -EPERM;
		h->flags = URPC_CONNECT_EXACT;
	}
	h->registered = !ul_memfd_register();
	return 0;
}

static int take_answer(struct urpc_endpoint *e, const struct greeting *h,
		       const struct greeting *g, struct memfd_parts *m)
{
	if (g->level > h->level || g->slots != h->slots ||
	    (h->flags && g->level != h->level))
		return -EPROTO;
	m->setup.level = g->level;
	m->setup.cpu = e->cpu;
	m->setup.peer_cpu = g->cpu;
	m->peer_node = g->node;
	m->bounded = !h->registered || !g->registered;
	return exchange(e, m);
}

static int negotiate(struct urpc_endpoint *e, int sock,
		     const struct urpc_channel_attr *attr, int64_t deadline,
		     struct urpc_channel *c)
{
	struct memfd_parts m = { .setup.fd = sock, .setup.slots = attr->slots };
	struct greeting h, g = { 0 };
	struct ucred cred;
	int ret;

	ret = peer_cred(sock, &cred);
	if (!ret)
		ret = ask(e, attr, &cred, &h);
	if (!ret)
		ret = ul_fds_send(sock, &h, sizeof(h), NULL, 0, MSG_DONTWAIT);
	if (!ret)
		ret = await(sock, &g, &m.peer_fd, deadline);
	if (!ret) {
		ret = take_answer(e, &h, &g, &m);
		if (ret)
			close(m.peer_fd);
	}
	if (ret)
		return ret == -EPIPE || ret == -ECONNRESET ? -ECONNREFUSED :
							      ret;
	ul_memfd_assemble(c, &m);
	know_peer(c, &cred);
	return 0;
}

int ul_memfd_connect(struct urpc_endpoint *e, const char *name,
		     const struct urpc_channel_attr *attr, int64_t timeout_ns,
		     struct urpc_channel *c)
{
	int64_t deadline = ul_deadline_of(timeout_ns);
	int sock, ret;

	if (!strncmp(name, "cpu/", 4))
		return -EOPNOTSUPP;
	sock = call(name);
	if (sock < 0)
		return sock;
	ret = negotiate(e, sock, attr, deadline, c);
	if (ret)
		close(sock);
	return ret;
}
