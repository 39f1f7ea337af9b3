// SPDX-License-Identifier: LGPL-2.1-only
/*
 * fds.c - send and receive file descriptors over AF_UNIX
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "internal.h"

#define FDS_MAX	4

union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(FDS_MAX * sizeof(int))];
};

int ul_fds_send(int sock, const void *data, size_t bytes, const int *fds,
		unsigned int nr, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)data, bytes };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h;
	union control u;
	ssize_t n;

	memset(&u, 0, sizeof(u));
	if (nr) {
		msg.msg_control = &u;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(h), fds, nr * sizeof(int));
	}
	do {
		n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == bytes ? 0 : -EMSGSIZE;
}

void ul_fds_close(int *fds, unsigned int nr)
{
	while (nr)
		close(fds[--nr]);
}

/* Keep the first @room descriptors; what came besides is closed. */
static unsigned int take_fds(struct msghdr *msg, int *fds, unsigned int room)
{
	unsigned int kept = 0, nr, i;
	struct cmsghdr *h;
	int fd;

	for (h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		nr = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < nr; i++) {
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int),
			       sizeof(fd));
			if (kept < room)
				fds[kept++] = fd;
			else
				close(fd);
		}
	}
	return kept;
}

/**
 * ul_fds_recv - receive one message and the descriptors with it
 * @sock: AF_UNIX
 * @data: out
 * @bytes: room there
 * @fds: out
 * @nr: in: room there; out: how many came
 * @flags: of recvmsg(2)
 *
 * Return: bytes; more than @bytes for a message that was longer; 0 at the end.
 */
ssize_t ul_fds_recv(int sock, void *data, size_t bytes, int *fds,
		    unsigned int *nr, int flags)
{
	struct iovec iov = { data, bytes };
	union control u;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &u,
		.msg_controllen = sizeof(u),
	};
	ssize_t n;

	do {
		n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC | MSG_TRUNC);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		*nr = 0;
		return -errno;
	}
	*nr = take_fds(&msg, fds, *nr);
	return n;
}
