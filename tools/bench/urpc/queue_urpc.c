// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue_urpc.c - liburpc, at either level: single messages, batches, calls, and
 * a channel whose sides never poll
 */
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "rig.h"
#include "urpc.h"

/* d->q[0] and [1] are the two ends of one channel. */
#define QUEUE_OUT(d, side)	((d)->q[side])
#define QUEUE_IN(d, side)	((d)->q[side])

static void urpc_close_both(struct duo *d)
{
	urpc_close(d->q[0]);
	urpc_close(d->q[1]);
}

static bool open_as(struct duo *d, const struct urpc_channel_attr *attr,
		    const char **why)
{
	struct urpc_channel *c[2];
	int ret = urpc_pair(attr, c);

	if (ret) {
		*why = strerror(-ret);
		return false;
	}
	d->q[0] = c[0];
	d->q[1] = c[1];
	return true;
}

/* Long enough that no side sleeps while the other one works. */
#define POLL_NS		50000000

static bool guarded_open(struct duo *d, unsigned int slots, const char **why)
{
	const struct urpc_channel_attr attr = {
		.slots = slots, .poll_ns = POLL_NS,
	};

	return open_as(d, &attr, why);
}

/*
 * As URPC_ATTR_PROBE does for endpoints with a CPU: the way to poll that is
 * best between the two, of a slot of the ring or of the call line.
 */
static enum urpc_poll_mode best_poll_mode(bool call)
{
	struct urpc_calibration c;

	if (urpc_calibrate((unsigned int)rig_cpu[0], (unsigned int)rig_cpu[1],
			   &c))
		return URPC_POLL_LOAD;
	return call ? c.one_line_best : c.best;
}

static bool shared_open(struct duo *d, unsigned int slots, const char **why)
{
	const struct urpc_channel_attr attr = {
		.slots = slots, .poll_ns = POLL_NS, .level = URPC_SHARED,
		.flags = URPC_ATTR_EXACT, .poll_mode = best_poll_mode(false),
	};

	return open_as(d, &attr, why);
}

static bool marks_open(struct duo *d, unsigned int slots, const char **why)
{
	const struct urpc_channel_attr attr = {
		.slots = slots, .poll_ns = POLL_NS, .level = URPC_SHARED,
		.flags = URPC_ATTR_EXACT | URPC_ATTR_MARKS,
	};

	return open_as(d, &attr, why);
}

static bool call_open(struct duo *d, unsigned int slots, const char **why)
{
	const struct urpc_channel_attr attr = {
		.slots = slots, .poll_ns = POLL_NS, .level = URPC_SHARED,
		.flags = URPC_ATTR_EXACT, .poll_mode = best_poll_mode(true),
	};

	return open_as(d, &attr, why);
}

static bool guarded_block_open(struct duo *d, unsigned int slots,
			       const char **why)
{
	const struct urpc_channel_attr attr = { .slots = slots, .poll_ns = -1 };

	return open_as(d, &attr, why);
}

static bool shared_block_open(struct duo *d, unsigned int slots,
			      const char **why)
{
	const struct urpc_channel_attr attr = {
		.slots = slots, .poll_ns = -1, .level = URPC_SHARED,
		.flags = URPC_ATTR_EXACT,
	};

	return open_as(d, &attr, why);
}

/* --- single messages ----------------------------------------------------- */

#define QUEUE(x)	single_##x
#define QUEUE_TYPE	struct urpc_channel

INLINE void single_send(struct urpc_channel *c, const uint64_t *word)
{
	if (urpc_send(c, 0, word))
		abort();
}

INLINE void single_recv(struct urpc_channel *c, uint64_t *word)
{
	if (urpc_recv(c, NULL, word))
		abort();
}

#include "queue_loops.h"
#undef QUEUE
#undef QUEUE_TYPE

/* The same, but that the sender does not look whether its peer sleeps. */
#define QUEUE(x)	no_look_##x
#define QUEUE_TYPE	struct urpc_channel

INLINE void no_look_send(struct urpc_channel *c, const uint64_t *word)
{
	struct urpc_slot *s = NULL;

	if (urpc_slot_timed(c, &s, -1))
		abort();
	__urpc_fill(s, word);
	urpc_tx_publish(&c->tx, urpc_ctl(0, URPC_KIND_MESSAGE, 0));
}

INLINE void no_look_recv(struct urpc_channel *c, uint64_t *word)
{
	single_recv(c, word);
}

#include "queue_loops.h"
#undef QUEUE
#undef QUEUE_TYPE

/* --- batches ------------------------------------------------------------- */

#define BATCH	16

static uint64_t batch_produce(void *arg)
{
	struct duo *d = arg;
	struct urpc_message m[BATCH];
	uint64_t n, i;

	memset(m, 0, sizeof(m));
	for (n = 0; n < d->count; n += BATCH) {
		for (i = 0; i < BATCH; i++)
			fill(m[i].word, n + i);
		if (urpc_send_batch(d->q[0], m, BATCH, -1) != BATCH)
			abort();
	}
	d->errors[0] = 0;
	return 0;
}

static uint64_t batch_consume(void *arg)
{
	struct duo *d = arg;
	struct urpc_message m[BATCH];
	uint64_t n = 0, t = 0, bad = 0;
	int got, i;

	while (n < d->count) {
		got = urpc_recv_batch(d->q[1], m, BATCH, -1);
		if (got < 0)
			abort();
		for (i = 0; i < got; i++)
			bad += !is_message(m[i].word, n + (uint64_t)i);
		if (!t && n >= d->count / 4)
			t = rig_ticks();
		n += (uint64_t)got;
	}
	t = rig_ticks() - t;
	d->errors[1] = bad;
	return t;
}

/* --- calls --------------------------------------------------------------- */

static uint64_t call_caller(void *arg)
{
	struct duo *d = arg;
	uint64_t word[WORDS], t = 0, n, bad = 0;

	for (n = 0; n < d->count; n++) {
		if (n == d->count / 2)
			t = rig_ticks();
		fill(word, n);
		if (urpc_call(d->q[0], 0, word, NULL, word, -1))
			abort();
		bad += !is_message(word, n);
	}
	t = rig_ticks() - t;
	d->errors[0] = bad;
	return t;
}

static uint64_t call_server(void *arg)
{
	struct duo *d = arg;
	uint64_t word[WORDS], n, bad = 0;

	for (n = 0; n < d->count; n++) {
		if (urpc_call_next(d->q[1], NULL, word, -1))
			abort();
		bad += !is_message(word, n);
		if (urpc_call_reply(d->q[1], 0, word))
			abort();
	}
	d->errors[1] = bad;
	return 0;
}

/* --- what there is ------------------------------------------------------- */

#define OURS(_open)							\
	.backend = "memfd", .open = _open, .close = urpc_close_both

const struct queue queue_guarded = {
	.name = "guarded",
	.pingpong = { single_ping, single_pong },
	.stream = { single_produce, single_consume },
	OURS(guarded_open),
};

const struct queue queue_guarded_no_look = {
	.name = "guarded",
	.pingpong = { no_look_ping, no_look_pong },
	.stream = { no_look_produce, no_look_consume },
	OURS(guarded_open),
};

const struct queue queue_shared = {
	.name = "shared",
	.pingpong = { single_ping, single_pong },
	.stream = { single_produce, single_consume },
	OURS(shared_open),
};

const struct queue queue_shared_marks = {
	.name = "shared",
	.pingpong = { single_ping, single_pong },
	.stream = { single_produce, single_consume },
	OURS(marks_open),
};

const struct queue queue_guarded_batch = {
	.name = "guarded",
	.stream = { batch_produce, batch_consume },
	OURS(guarded_open),
};

const struct queue queue_shared_batch = {
	.name = "shared",
	.stream = { batch_produce, batch_consume },
	OURS(shared_open),
};

const struct queue queue_guarded_call = {
	.name = "guarded",
	.pingpong = { call_caller, call_server },
	OURS(guarded_open),
};

const struct queue queue_shared_call = {
	.name = "shared",
	.pingpong = { call_caller, call_server },
	OURS(call_open),
};

const struct queue queue_guarded_block = {
	.name = "guarded",
	.blocks = true,
	.pingpong = { single_ping, single_pong },
	OURS(guarded_block_open),
};

const struct queue queue_shared_block = {
	.name = "shared",
	.blocks = true,
	.pingpong = { call_caller, call_server },
	OURS(shared_block_open),
};
