/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ring.h - as much of io_uring as the tests need: one request at a time
 */
#ifndef RING_H
#define RING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct ring {
	int fd;
	struct io_uring_params params;
	char *rings;
	size_t size;
	struct io_uring_sqe *sqes;
};

static inline bool ring_open(struct ring *r)
{
	size_t sq, cq;

	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 1, &r->params);
	if (r->fd < 0)
		return false;
	sq = r->params.sq_off.array + r->params.sq_entries * 4;
	cq = r->params.cq_off.cqes +
	     r->params.cq_entries * sizeof(struct io_uring_cqe);
	r->size = sq > cq ? sq : cq;
	r->rings = mmap(NULL, r->size, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, sizeof(*r->sqes), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, r->fd, IORING_OFF_SQES);
	return r->rings != MAP_FAILED && r->sqes != MAP_FAILED;
}

static inline unsigned int *ring_word(struct ring *r, unsigned int off)
{
	return (unsigned int *)(r->rings + off);
}

/* Do one request and wait: what it gave, or -errno. */
static inline int ring_do(struct ring *r, const struct io_uring_sqe *sqe)
{
	unsigned int *tail = ring_word(r, r->params.sq_off.tail);
	unsigned int *head = ring_word(r, r->params.cq_off.head);
	struct io_uring_cqe *cqe;
	unsigned int mask;

	r->sqes[0] = *sqe;
	*ring_word(r, r->params.sq_off.array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -1;
	mask = *ring_word(r, r->params.cq_off.ring_mask);
	cqe = (struct io_uring_cqe *)(r->rings + r->params.cq_off.cqes) +
	      (*head & mask);
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return cqe->res;
}

/* Register, and so pin, one buffer. */
static inline bool ring_register(struct ring *r, void *mem, size_t len)
{
	struct iovec v = { mem, len };

	return !syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS,
			&v, 1);
}

static inline void ring_close(struct ring *r)
{
	munmap(r->rings, r->size);
	munmap(r->sqes, sizeof(*r->sqes));
	close(r->fd);
}

#endif /* RING_H */
