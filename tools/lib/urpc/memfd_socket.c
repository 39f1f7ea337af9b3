// SPDX-License-Identifier: LGPL-2.1-only
/*
 * memfd_socket.c - the socket of a channel
 *
 * It stays open as long as the channel: its end is the peer's end, however it
 * came.  Two kinds of messages go over it: a byte for a peer that is in
 * poll(2), and a new region when the peer's side has moved to another process.
 *
 * poll(2) has a set of three: the socket, an event of our own for what was
 * there before, and a timer for where there are no barriers.  Whichever is
 * readable stays so until the next urpc_poll_prepare().
 */
#define _GNU_SOURCE
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "memfd.h"

/* Messages read at a time: a peer that floods is served later. */
#define READ_MAX	64

struct new_region {
	uint32_t magic;
	uint32_t __reserved;
};

static const char poke = 1;

/* A region to replace the peer's; one that is not what it should be is gone. */
static void take_region(struct urpc_channel *c, int fd)
{
	struct urpc_private *p = c->priv;

	if (p->level != URPC_GUARDED ||
	    ul_region_replace(fd, p->slots, p->peer)) {
		close(fd);
		return;
	}
	close(p->memfd.peer_fd);
	p->memfd.peer_fd = fd;
}

/* True when a byte for poll(2) was among what came. */
static bool read_socket(struct urpc_channel *c)
{
	struct new_region m;
	unsigned int i, nr;
	bool poked = false;
	int fds[1];
	ssize_t n;

	for (i = 0; i < READ_MAX; i++) {
		nr = 1;
		n = ul_fds_recv(c->priv->fd, &m, sizeof(m), fds, &nr,
				MSG_DONTWAIT);
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			urpc_store_release(&c->priv->gone, true);
			break;
		}
		if (n == sizeof(m) && m.magic == MEMFD_MAGIC && nr == 1)
			take_region(c, fds[0]);
		else
			ul_fds_close(fds, nr);
		poked |= n == sizeof(poke);
	}
	return poked;
}

static void signal_event(const struct urpc_channel *c)
{
	uint64_t one = 1;

	/* it cannot be full: it is read before it was written 2^64 times */
	if (c->priv->memfd.event >= 0 &&
	    write(c->priv->memfd.event, &one, sizeof(one)) < 0)
		return;
}

/* Is the peer gone?  A system call, until it is known. */
bool ul_memfd_look(struct urpc_channel *c)
{
	struct memfd_side *m = &c->priv->memfd;

	if (ul_memfd_closed(c))
		urpc_store_release(&c->priv->gone, true);
	if (ul_is_gone(c) || pthread_mutex_trylock(&m->lock))
		return ul_is_gone(c);
	/* the byte was for the thread that polls: pass it on */
	if (read_socket(c))
		signal_event(c);
	pthread_mutex_unlock(&m->lock);
	return ul_is_gone(c);
}

/* Wake a peer that is in poll(2).  A full socket is readable already. */
void ul_memfd_poke(struct urpc_channel *c)
{
	send(c->priv->fd, &poke, sizeof(poke), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Over the socket @sock: here is the region of this side from now on. */
int ul_memfd_send_region(int sock, int fd)
{
	const struct new_region m = { .magic = MEMFD_MAGIC };
	struct pollfd p = { .fd = sock, .events = POLLOUT };

	poll(&p, 1, 1000);
	return ul_fds_send(sock, &m, sizeof(m), &fd, 1, MSG_DONTWAIT);
}

/* --- poll(2) ------------------------------------------------------------- */

static int watch(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };

	return fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static void close_if(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int make_set(struct urpc_channel *c)
{
	struct memfd_side *m = &c->priv->memfd;
	int ret;

	m->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	ret = m->epoll < 0 ? -errno : watch(m->epoll, m->event);
	if (!ret)
		ret = watch(m->epoll, m->timer);
	if (!ret)
		ret = watch(m->epoll, c->priv->fd);
	if (ret) {
		close_if(&m->event);
		close_if(&m->timer);
		close_if(&m->epoll);
	}
	return ret;
}

int ul_memfd_poll_fd(struct urpc_channel *c)
{
	struct memfd_side *m = &c->priv->memfd;
	int ret = 0;

	pthread_mutex_lock(&m->lock);
	if (m->epoll < 0)
		ret = make_set(c);
	pthread_mutex_unlock(&m->lock);
	return ret ? ret : m->epoll;
}

/* What an earlier message made readable is so no longer. */
static void calm(struct urpc_channel *c)
{
	struct memfd_side *m = &c->priv->memfd;
	uint64_t n;

	pthread_mutex_lock(&m->lock);
	read_socket(c);
	while (read(m->event, &n, sizeof(n)) > 0 ||
	       read(m->timer, &n, sizeof(n)) > 0)
		;
	pthread_mutex_unlock(&m->lock);
}

/* Without barriers: readable in two milliseconds, whatever happens. */
static void look_again_soon(const struct memfd_side *m)
{
	const struct itimerspec t = { .it_value.tv_nsec = 2000000 };

	timerfd_settime(m->timer, 0, &t, NULL);
}

int ul_memfd_poll_prepare(struct urpc_channel *c)
{
	struct urpc_private *p = c->priv;
	uint32_t *word = &ul_own(c)->rx_sleep;
	__u64 ctl;
	int fd = ul_memfd_poll_fd(c);

	if (fd < 0)
		return fd;
	urpc_store(&ul_own(c)->cursor, c->rx.pos);
	calm(c);
	p->rx.sleep = ul_next_sleep(p->rx.sleep);
	urpc_store_release(word, p->rx.sleep | MEMFD_SLEEP_POLL);
	if (!ul_memfd_barrier() || urpc_load(&p->memfd.bounded))
		look_again_soon(&p->memfd);
	if (urpc_rx_full(&c->rx, &ctl)) {
		urpc_store(word, 0u);
		signal_event(c);
		return 1;
	}
	if (!ul_is_gone(c))
		return 0;
	c->rx_gone = 1;
	return urpc_rx_full(&c->rx, &ctl) ? 1 : -EPIPE;
}
