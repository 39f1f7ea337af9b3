// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue_fastforward.c - FastForward: a slot says itself whether it is used, the
 * receiver clears it, there are no indices at all; with PAUSE
 */
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "rig.h"

struct fastforward {
	struct message *slot;
	uint64_t mask;
	APART uint64_t tx;
	APART uint64_t rx;
};

#define QUEUE(x)	fastforward_##x
#define QUEUE_TYPE	struct fastforward

INLINE void fastforward_send(struct fastforward *q, const uint64_t *word)
{
	struct message *m = &q->slot[q->tx & q->mask];
	int i;

	while (__atomic_load_n(&m->word[WORDS], __ATOMIC_ACQUIRE))
		pause_once();
	for (i = 0; i < WORDS; i++)
		m->word[i] = word[i];
	__atomic_store_n(&m->word[WORDS], 1, __ATOMIC_RELEASE);
	q->tx++;
}

INLINE void fastforward_recv(struct fastforward *q, uint64_t *word)
{
	struct message *m = &q->slot[q->rx & q->mask];
	int i;

	while (!__atomic_load_n(&m->word[WORDS], __ATOMIC_ACQUIRE))
		pause_once();
	for (i = 0; i < WORDS; i++)
		word[i] = m->word[i];
	__atomic_store_n(&m->word[WORDS], 0, __ATOMIC_RELEASE);
	q->rx++;
}

#include "queue_loops.h"

static void fastforward_close(struct duo *d)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct fastforward *q = d->q[i];

		if (q)
			free(q->slot);
		free(q);
	}
}

static bool fastforward_open(struct duo *d, unsigned int slots,
			     const char **why)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct fastforward *q = aligned_alloc(128, sizeof(*q));

		d->q[i] = q;
		if (q) {
			*q = (struct fastforward) { .mask = slots - 1 };
			q->slot = aligned_alloc(4096, slots * 64ul + 4096);
		}
		if (!q || !q->slot) {
			*why = "no memory";
			return false;
		}
		memset(q->slot, 0, slots * 64ul);
	}
	return true;
}

const struct queue queue_fastforward = {
	.name = "fastforward",
	.backend = "memory",
	.open = fastforward_open,
	.close = fastforward_close,
	.pingpong = { fastforward_ping, fastforward_pong },
	.stream = { fastforward_produce, fastforward_consume },
};
