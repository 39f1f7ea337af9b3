// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue_kernel.c - what the kernel has for the same job: pipe, socket pair,
 * eventfd and futex, the last two beside a slot in shared memory
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "queue.h"
#include "rig.h"

/* One message is under way at a time. */
#define QUEUE_NO_STREAM

/* --- pipe and socket pair ------------------------------------------------ */

struct pair {
	int fd[2];
};

#define QUEUE(x)	pair_##x
#define QUEUE_TYPE	struct pair

INLINE void pair_send(struct pair *q, const uint64_t *word)
{
	if (write(q->fd[1], word, WORDS * 8) != WORDS * 8)
		abort();
}

INLINE void pair_recv(struct pair *q, uint64_t *word)
{
	if (read(q->fd[0], word, WORDS * 8) != WORDS * 8)
		abort();
}

#include "queue_loops.h"
#undef QUEUE
#undef QUEUE_TYPE

static void pair_close(struct duo *d)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct pair *q = d->q[i];

		if (!q)
			continue;
		close(q->fd[0]);
		close(q->fd[1]);
		free(q);
	}
}

static bool pair_open(struct duo *d, int (*make)(int fd[2]), const char **why)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct pair *q = malloc(sizeof(*q));

		if (!q || make(q->fd)) {
			free(q);
			*why = strerror(errno);
			return false;
		}
		d->q[i] = q;
	}
	return true;
}

static bool pipe_open(struct duo *d, unsigned int slots, const char **why)
{
	(void)slots;
	return pair_open(d, pipe, why);
}

static int socketpair_make(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
}

static bool socketpair_open(struct duo *d, unsigned int slots,
			    const char **why)
{
	(void)slots;
	return pair_open(d, socketpair_make, why);
}

const struct queue queue_pipe = {
	.name = "pipe",
	.backend = "kernel",
	.blocks = true,
	.open = pipe_open,
	.close = pair_close,
	.pingpong = { pair_ping, pair_pong },
};

const struct queue queue_socketpair = {
	.name = "socketpair",
	.backend = "kernel",
	.blocks = true,
	.open = socketpair_open,
	.close = pair_close,
	.pingpong = { pair_ping, pair_pong },
};

/* --- eventfd beside memory ----------------------------------------------- */

struct event {
	struct message slot;
	int fd;
};

#define QUEUE(x)	eventfd_##x
#define QUEUE_TYPE	struct event

/* One message is under way at a time: the other direction says it was read. */
INLINE void eventfd_send(struct event *q, const uint64_t *word)
{
	const uint64_t one = 1;

	memcpy(q->slot.word, word, WORDS * 8);
	if (write(q->fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

INLINE void eventfd_recv(struct event *q, uint64_t *word)
{
	uint64_t n;

	if (read(q->fd, &n, sizeof(n)) != sizeof(n))
		abort();
	memcpy(word, q->slot.word, WORDS * 8);
}

#include "queue_loops.h"
#undef QUEUE
#undef QUEUE_TYPE

static void event_close(struct duo *d)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct event *q = d->q[i];

		if (q && q->fd >= 0)
			close(q->fd);
		free(q);
	}
}

static bool event_open(struct duo *d, unsigned int slots, const char **why)
{
	int i;

	(void)slots;
	for (i = 0; i < 2; i++) {
		struct event *q = aligned_alloc(128, 128);

		d->q[i] = q;
		if (!q)
			return false;
		q->fd = eventfd(0, EFD_CLOEXEC);
		if (q->fd < 0) {
			*why = strerror(errno);
			return false;
		}
	}
	return true;
}

const struct queue queue_eventfd = {
	.name = "eventfd",
	.backend = "kernel",
	.blocks = true,
	.open = event_open,
	.close = event_close,
	.pingpong = { eventfd_ping, eventfd_pong },
};

/* --- futex --------------------------------------------------------------- */

struct futex {
	struct message slot;
	APART uint32_t full;
};

#define QUEUE(x)	futex_##x
#define QUEUE_TYPE	struct futex

static long futex(uint32_t *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL,
		       NULL, 0);
}

INLINE void futex_send(struct futex *q, const uint64_t *word)
{
	memcpy(q->slot.word, word, WORDS * 8);
	__atomic_store_n(&q->full, 1, __ATOMIC_RELEASE);
	futex(&q->full, FUTEX_WAKE, 1);
}

INLINE void futex_recv(struct futex *q, uint64_t *word)
{
	while (!__atomic_load_n(&q->full, __ATOMIC_ACQUIRE))
		futex(&q->full, FUTEX_WAIT, 0);
	memcpy(word, q->slot.word, WORDS * 8);
	__atomic_store_n(&q->full, 0, __ATOMIC_RELEASE);
}

#include "queue_loops.h"

static void futex_close(struct duo *d)
{
	free(d->q[0]);
	free(d->q[1]);
}

static bool futex_open(struct duo *d, unsigned int slots, const char **why)
{
	int i;

	(void)slots;
	for (i = 0; i < 2; i++) {
		d->q[i] = aligned_alloc(128, sizeof(struct futex));
		if (!d->q[i]) {
			*why = "no memory";
			return false;
		}
		memset(d->q[i], 0, sizeof(struct futex));
	}
	return true;
}

const struct queue queue_futex = {
	.name = "futex",
	.backend = "kernel",
	.blocks = true,
	.open = futex_open,
	.close = futex_close,
	.pingpong = { futex_ping, futex_pong },
};
