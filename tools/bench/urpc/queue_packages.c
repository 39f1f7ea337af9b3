// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue_packages.c - ck_ring of Concurrency Kit and rte_ring of DPDK, single
 * producer and consumer, with a PAUSE between two tries
 *
 * Only their headers are needed; tools/setup/peers fetches them.
 */
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "rig.h"

/* --- Concurrency Kit ----------------------------------------------------- */
#ifdef HAVE_CK
#include <ck_ring.h>

struct ck {
	ck_ring_t ring;
	struct message *slot;
};

CK_RING_PROTOTYPE(message, message)

#define QUEUE(x)	ck_##x
#define QUEUE_TYPE	struct ck

INLINE void ck_send(struct ck *q, const uint64_t *word)
{
	struct message m;

	memcpy(m.word, word, WORDS * 8);
	while (!CK_RING_ENQUEUE_SPSC(message, &q->ring, q->slot, &m))
		pause_once();
}

INLINE void ck_recv(struct ck *q, uint64_t *word)
{
	struct message m;

	while (!CK_RING_DEQUEUE_SPSC(message, &q->ring, q->slot, &m))
		pause_once();
	memcpy(word, m.word, WORDS * 8);
}

#include "queue_loops.h"
#undef QUEUE
#undef QUEUE_TYPE

static void ck_close(struct duo *d)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct ck *q = d->q[i];

		if (q)
			free(q->slot);
		free(q);
	}
}

static bool ck_open(struct duo *d, unsigned int slots, const char **why)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct ck *q = aligned_alloc(128, (sizeof(*q) + 127) & ~127ul);

		d->q[i] = q;
		if (q)
			q->slot = aligned_alloc(4096, slots * 64ul + 4096);
		if (!q || !q->slot) {
			*why = "no memory";
			return false;
		}
		ck_ring_init(&q->ring, slots);
	}
	return true;
}

const struct queue queue_ck = {
	.name = "ck_ring",
	.backend = "memory",
	.packaged = true,
	.open = ck_open,
	.close = ck_close,
	.pingpong = { ck_ping, ck_pong },
	.stream = { ck_produce, ck_consume },
};
#else
const struct queue queue_ck = { .name = "ck_ring", .packaged = true };
#endif

/* --- DPDK ---------------------------------------------------------------- */
#ifdef HAVE_RTE
#include <rte_config.h>
#include <rte_ring_elem.h>

#define QUEUE(x)	rte_##x
#define QUEUE_TYPE	struct rte_ring

INLINE void rte_send(struct rte_ring *q, const uint64_t *word)
{
	struct message m;

	memcpy(m.word, word, WORDS * 8);
	while (rte_ring_sp_enqueue_elem(q, &m, sizeof(m)))
		pause_once();
}

INLINE void rte_recv(struct rte_ring *q, uint64_t *word)
{
	struct message m;

	while (rte_ring_sc_dequeue_elem(q, &m, sizeof(m)))
		pause_once();
	memcpy(word, m.word, WORDS * 8);
}

#include "queue_loops.h"

static void rte_close(struct duo *d)
{
	free(d->q[0]);
	free(d->q[1]);
}

/* What rte_ring_init() does, for a ring that holds exactly @slots. */
static bool rte_open(struct duo *d, unsigned int slots, const char **why)
{
	int i;

	for (i = 0; i < 2; i++) {
		size_t bytes = sizeof(struct rte_ring) + 2ul * slots * 64;
		struct rte_ring *q = aligned_alloc(128, (bytes + 127) & ~127ul);

		d->q[i] = q;
		if (!q) {
			*why = "no memory";
			return false;
		}
		memset(q, 0, bytes);
		q->prod.sync_type = RTE_RING_SYNC_ST;
		q->cons.sync_type = RTE_RING_SYNC_ST;
		q->size = 2 * slots;
		q->mask = q->size - 1;
		q->capacity = slots;
	}
	return true;
}

const struct queue queue_rte = {
	.name = "rte_ring",
	.backend = "memory",
	.packaged = true,
	.open = rte_open,
	.close = rte_close,
	.pingpong = { rte_ping, rte_pong },
	.stream = { rte_produce, rte_consume },
};
#else
const struct queue queue_rte = { .name = "rte_ring", .packaged = true };
#endif

/* queue_boost.cc has it where the headers are. */
#ifdef NO_BOOST
const struct queue queue_boost = {
	.name = "boost_spsc_queue",
	.packaged = true,
};
#endif
