// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue_lamport.c - Lamport's queue as it is written today: each side keeps a
 * copy of the other's index and looks at the real one only when it must; PAUSE
 */
#include <stdlib.h>

#include "queue.h"
#include "rig.h"

struct lamport {
	struct message *slot;
	uint64_t mask;
	APART uint64_t head;
	APART uint64_t tail;
	APART struct { uint64_t pos, seen; } tx;
	APART struct { uint64_t pos, seen; } rx;
};

#define QUEUE(x)	lamport_##x
#define QUEUE_TYPE	struct lamport

INLINE void lamport_send(struct lamport *q, const uint64_t *word)
{
	uint64_t pos = q->tx.pos;
	struct message *m = &q->slot[pos & q->mask];
	int i;

	while (pos - q->tx.seen > q->mask) {
		q->tx.seen = __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE);
		if (pos - q->tx.seen > q->mask)
			pause_once();
	}
	for (i = 0; i < WORDS; i++)
		m->word[i] = word[i];
	q->tx.pos = pos + 1;
	__atomic_store_n(&q->head, pos + 1, __ATOMIC_RELEASE);
}

INLINE void lamport_recv(struct lamport *q, uint64_t *word)
{
	uint64_t pos = q->rx.pos;
	const struct message *m = &q->slot[pos & q->mask];
	int i;

	while (pos == q->rx.seen) {
		q->rx.seen = __atomic_load_n(&q->head, __ATOMIC_ACQUIRE);
		if (pos == q->rx.seen)
			pause_once();
	}
	for (i = 0; i < WORDS; i++)
		word[i] = m->word[i];
	q->rx.pos = pos + 1;
	__atomic_store_n(&q->tail, pos + 1, __ATOMIC_RELEASE);
}

#include "queue_loops.h"

static void lamport_close(struct duo *d)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct lamport *q = d->q[i];

		if (q)
			free(q->slot);
		free(q);
	}
}

static bool lamport_open(struct duo *d, unsigned int slots, const char **why)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct lamport *q = aligned_alloc(128, sizeof(*q));

		d->q[i] = q;
		if (q) {
			*q = (struct lamport) { .mask = slots - 1 };
			q->slot = aligned_alloc(4096, slots * 64ul + 4096);
		}
		if (!q || !q->slot) {
			*why = "no memory";
			return false;
		}
	}
	return true;
}

const struct queue queue_lamport = {
	.name = "lamport",
	.backend = "memory",
	.open = lamport_open,
	.close = lamport_close,
	.pingpong = { lamport_ping, lamport_pong },
	.stream = { lamport_produce, lamport_consume },
};
