/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * memfd.h - what the files of the back end without the module share
 *
 * memfd_region.c	the memory: made, sealed, checked, mapped
 * memfd_connect.c	endpoints, and how two sides find each other
 * memfd_wait.c		sleep and wake by futex
 * memfd_socket.c	the socket of a channel: is the peer alive, poll(2)
 * memfd_pass.c		a side moves to another process
 */
#ifndef LIBURPC_MEMFD_H
#define LIBURPC_MEMFD_H

#include "internal.h"

#define MEMFD_MAGIC	0x75727063u	/* "urpc" */
#define MEMFD_VERSION	1u

/* urpc_control.rx_sleep: the peer is in poll(2): write to its socket. */
#define MEMFD_SLEEP_POLL	(1u << 30)

/**
 * struct memfd_parts - a channel whose regions are mapped
 * @setup: for ul_channel_setup()
 * @own_fd: file of the own region
 * @peer_fd: of the peer's
 * @peer_node: where the peer receives, -1 if unknown
 * @bounded: no barrier can be had
 */
struct memfd_parts {
	struct urpc_setup setup;
	int own_fd;
	int peer_fd;
	int peer_node;
	bool bounded;
};

/*
 * urpc_control.state of this back end is written by its own side, for the
 * peer: it has closed.  A peer that sleeps may have looked at the socket just
 * before.
 */
#define MEMFD_STATE_CLOSED	(1u << 31)

static inline bool ul_memfd_closed(const struct urpc_channel *c)
{
	return urpc_load_acquire(&ul_peer(c)->state) & MEMFD_STATE_CLOSED;
}

/* --- memfd.c ------------------------------------------------------------- */

void ul_memfd_assemble(struct urpc_channel *c, const struct memfd_parts *m)
	URPC_HIDDEN;

/* --- memfd_region.c ------------------------------------------------------ */

int ul_region_make(uint32_t slots, int node, void **region) URPC_HIDDEN;
int ul_region_seal(int fd, uint32_t level) URPC_HIDDEN;
int ul_region_map(int fd, uint32_t slots, bool writable, void **region)
	URPC_HIDDEN;
int ul_region_replace(int fd, uint32_t slots, void *region) URPC_HIDDEN;
void ul_region_unmap(void *region, uint32_t slots) URPC_HIDDEN;

/* --- memfd_connect.c ----------------------------------------------------- */

int ul_memfd_endpoint_open(struct urpc_endpoint *e) URPC_HIDDEN;
void ul_memfd_endpoint_close(struct urpc_endpoint *e) URPC_HIDDEN;
void ul_memfd_endpoint_in_child(struct urpc_endpoint *e) URPC_HIDDEN;
int ul_memfd_connect(struct urpc_endpoint *e, const char *name,
		  const struct urpc_channel_attr *attr, int64_t timeout_ns,
		  struct urpc_channel *c) URPC_HIDDEN;
int ul_memfd_accept(struct urpc_endpoint *e,
		    const struct urpc_channel_attr *attr,
		    int64_t timeout_ns, struct urpc_channel *c) URPC_HIDDEN;

/* --- memfd_wait.c -------------------------------------------------------- */

int ul_memfd_register(void) URPC_HIDDEN;
bool ul_memfd_barrier(void) URPC_HIDDEN;
int64_t ul_memfd_slice(void) URPC_HIDDEN;
int ul_memfd_wait(struct urpc_channel *c, uint32_t flags, uint64_t pos,
	       int64_t timeout_ns) URPC_HIDDEN;
void ul_memfd_announce(struct urpc_channel *c) URPC_HIDDEN;
void ul_memfd_wake(struct urpc_channel *c, uint32_t flags, uint32_t sleep)
	URPC_HIDDEN;
void ul_memfd_wake_all(struct urpc_control *own) URPC_HIDDEN;
void ul_memfd_futex_wake(const uint32_t *word) URPC_HIDDEN;

/* --- memfd_socket.c ------------------------------------------------------ */

bool ul_memfd_look(struct urpc_channel *c) URPC_HIDDEN;
int ul_memfd_poll_fd(struct urpc_channel *c) URPC_HIDDEN;
int ul_memfd_poll_prepare(struct urpc_channel *c) URPC_HIDDEN;
void ul_memfd_poke(struct urpc_channel *c) URPC_HIDDEN;
int ul_memfd_send_region(int sock, int fd) URPC_HIDDEN;

/* --- memfd_pass.c -------------------------------------------------------- */

int ul_memfd_pass(struct urpc_channel *c, int sock, struct urpc_pass_message *m)
	URPC_HIDDEN;
int ul_memfd_take(struct urpc_channel *c, const struct urpc_pass_message *m,
	       int *fds, unsigned int nr) URPC_HIDDEN;

#endif /* LIBURPC_MEMFD_H */
