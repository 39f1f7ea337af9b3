// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc - what a peer may write in its region, and everything that reads it
 *
 * The input is a list of actions: the peer writes a word, or this side calls a
 * function.  The peer's region and all buffers end where their memory ends,
 * so AddressSanitizer sees what goes too far.  A call says only what it may
 * say, counts stay within the room, and positions never go back.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "../../tools/lib/urpc/internal.h"

void fuzz_report(void);

#define BUFFER	700

static unsigned long received, bulks, garbage, broken;

/* --- a back end that is not there ---------------------------------------- */

static bool peer_gone;

static int no_wait(struct urpc_channel *c, uint32_t flags, uint64_t pos,
		   int64_t timeout_ns)
{
	(void)c;
	(void)flags;
	(void)pos;
	(void)timeout_ns;
	return -ETIMEDOUT;
}

static void no_wake(struct urpc_channel *c, uint32_t flags, uint32_t sleep)
{
	(void)c;
	(void)flags;
	(void)sleep;
}

static void no_announce(struct urpc_channel *c)
{
	(void)c;
}

static bool look(struct urpc_channel *c)
{
	c->priv->gone = peer_gone;
	return peer_gone;
}

static void no_close(struct urpc_channel *c)
{
	(void)c;
}

static const struct urpc_backend_ops no_ops = {
	.name = "none",
	.wait = no_wait,
	.wake = no_wake,
	.announce = no_announce,
	.look = look,
	.close = no_close,
};

struct world {
	struct urpc_channel *c;
	uint64_t *peer;
	uint64_t words;
	uint8_t *buffer;
	uint64_t rx_pos;
	uint64_t tx_pos;
};

static void *region(size_t bytes)
{
	void *p = aligned_alloc(64, bytes);

	fuzz_check(p != NULL, "memory");
	return memset(p, 0, bytes);
}

static void begin(struct world *w, uint8_t how)
{
	const struct urpc_channel_attr attr = { .poll_ns = -1 };
	uint32_t slots = 16u << how % 3;
	size_t bytes = urpc_region_bytes(slots);
	struct urpc_setup s = {
		.own = region(bytes), .slots = slots, .side = how >> 2 & 1,
		/* positions of any age */
		.rx_pos = how & 8 ? UINT64_MAX - 20 : 0,
		.tx_pos = how & 16 ? UINT64_MAX - 30 : 0,
	};

	peer_gone = false;
	w->peer = region(bytes);
	w->words = bytes / 8;
	s.peer = w->peer;
	w->c = ul_channel_alloc(&no_ops);
	fuzz_check(w->c != NULL, "memory");
	ul_channel_setup(w->c, &s);
	((struct urpc_control *)s.peer)->ack = s.tx_pos;
	ul_channel_start(w->c, &attr);
	w->rx_pos = s.rx_pos;
	w->tx_pos = s.tx_pos;
	w->buffer = malloc(BUFFER);
}

static void finish(struct world *w)
{
	void *own = w->c->priv->own;

	urpc_close(w->c);
	free(own);
	free(w->peer);
	free(w->buffer);
}

/* --- actions ------------------------------------------------------------- */

/* A control word that says what @d says, often for the slot that is next. */
static void peer_publishes(struct world *w, const uint8_t *d)
{
	struct urpc_rx *rx = &w->c->rx;
	uint64_t pos = rx->pos + d[1] % 8, ctl;
	uint32_t len = d[2] * (d[3] & 1 ? 1u : 70000u);

	ctl = urpc_ctl(d[3], (enum urpc_kind)(d[0] >> 4 & 7), len);
	w->peer[(URPC_CONTROL_BYTES + (pos & rx->mask) * 64 + 56) / 8] =
		ctl | urpc_epoch(pos, rx->shift);
}

static void peer_writes(struct world *w, const uint8_t *d)
{
	uint64_t v = d[3];

	if (d[0] & 16)
		v = w->c->tx.pos - d[3];
	if (d[0] & 32)
		v = ~v;
	if (d[0] & 64)
		v |= (uint64_t)d[3] << 56;
	w->peer[(d[1] | d[2] << 8) % w->words] = v;
}

static void check_received(ssize_t ret, ssize_t room)
{
	fuzz_check(ret <= room, "no more than there is room for");
	fuzz_check(ret >= 0 || ret == -EAGAIN || ret == -ETIMEDOUT ||
		   ret == -EBADMSG || ret == -EMSGSIZE || ret == -EPIPE,
		   "an error of receiving");
	received += ret >= 0;
	garbage += ret == -EBADMSG;
}

static void check_sent(int ret, int room)
{
	fuzz_check(ret <= room, "no more than was given");
	fuzz_check(ret >= 0 || ret == -EAGAIN || ret == -ETIMEDOUT ||
		   ret == -EPROTO || ret == -EPIPE || ret == -EMSGSIZE,
		   "an error of sending");
	broken += ret == -EPROTO;
}

static void receive_bulk(struct world *w, const uint8_t *d)
{
	size_t size = (d[1] | d[2] << 8) % (BUFFER + 1);
	uint8_t *exact = malloc(size);
	ssize_t ret;

	/* what is under way goes on in the same buffer */
	if (w->c->priv->rx.bulk_bytes) {
		ret = urpc_recv_bulk(w->c, NULL, w->buffer, BUFFER, d[3] & 1);
		check_received(ret, BUFFER);
	} else if (d[3] & 2) {
		ret = urpc_recv_bulk(w->c, NULL, w->buffer, BUFFER, 0);
		check_received(ret, BUFFER);
	} else {
		ret = urpc_recv_bulk(w->c, NULL, exact, size, 0);
		check_received(ret, (ssize_t)size);
		/* the buffer goes, so what is under way is given up */
		if (ret == -EAGAIN)
			while (w->c->priv->rx.bulk_bytes &&
			       !urpc_skip(w->c))
				;
		w->c->priv->rx.bulk_bytes = 0;
		w->c->priv->rx.bulk_got = 0;
	}
	bulks += ret > URPC_SLOT_BYTES;
	free(exact);
}

static void receive_batch(struct world *w, const uint8_t *d)
{
	unsigned int room = d[1] % 40;
	struct urpc_message *m = malloc(room * sizeof(*m));

	check_received(urpc_try_recv_batch(w->c, m, room), room);
	free(m);
}

static void send_batch(struct world *w, const uint8_t *d)
{
	unsigned int n = d[1] % 80;
	struct urpc_message *m = calloc(n ? n : 1, sizeof(*m));

	check_sent(urpc_send_batch(w->c, m, n, d[2] & 1), (int)n);
	free(m);
}

static void call(struct world *w, const uint8_t *d)
{
	uint64_t word[URPC_SLOT_WORDS] = { 0 };
	int ret;

	if (!w->c->priv->side)
		ret = d[1] & 1 ? urpc_call(w->c, d[2], word, NULL, word, 0) :
				 urpc_call_finish(w->c, NULL, word, 0);
	else
		ret = d[1] & 1 && urpc_tx_has_room(&w->c->tx) ?
		      urpc_call_reply(w->c, d[2], word) :
		      urpc_call_next(w->c, NULL, word, 0);
	if (ret != -EBUSY && ret != -EINVAL && ret != -EPROTO)
		check_received(ret, 0);
}

static void act(struct world *w, const uint8_t *d)
{
	uint64_t word[URPC_SLOT_WORDS] = { 0 };
	const struct urpc_slot *s;
	struct urpc_stats stats;

	switch (d[0] % 16) {
	case 0 ... 3:
		peer_publishes(w, d);
		break;
	case 4:
	case 5:
		peer_writes(w, d);
		break;
	case 6:
		check_received(urpc_try_recv(w->c, NULL, word), 0);
		break;
	case 7:
		check_received(urpc_recv_timed(w->c, NULL, word, 1), 0);
		break;
	case 8:
		receive_bulk(w, d);
		break;
	case 9:
		receive_batch(w, d);
		break;
	case 10:
		if (!urpc_try_peek(w->c, &s, NULL))
			urpc_done(w->c);
		break;
	case 11:
		check_received(urpc_next_bytes(w->c), URPC_BULK_MAX);
		check_received(urpc_skip(w->c), 0);
		break;
	case 12:
		check_sent(urpc_try_send(w->c, 0, word), 0);
		break;
	case 13:
		send_batch(w, d);
		break;
	case 14:
		check_sent(urpc_send_bulk(w->c, 0, w->buffer, d[1] * 2u,
					  d[2] & 1), 0);
		break;
	case 15:
		call(w, d);
		urpc_get_stats(w->c, &stats);
		peer_gone |= d[1] == 255;
		break;
	}
}

static void check_world(struct world *w)
{
	const struct urpc_channel *c = w->c;

	fuzz_check(c->rx.pos - w->rx_pos <= 1000, "the reader goes forward");
	fuzz_check(c->tx.pos - w->tx_pos <= c->priv->slots,
		   "the writer goes forward, up to a ring");
	fuzz_check(c->tx.limit - c->tx.pos <= c->priv->slots,
		   "room for at most a ring");
	fuzz_check(c->rx.pos - c->rx.acked <= c->rx.ack_every,
		   "acknowledged every quarter");
	fuzz_check(urpc_unacked(c) <= c->priv->slots, "what is not acked");
	fuzz_check(c->priv->rx.bulk_got <= c->priv->rx.bulk_bytes,
		   "no more than the message");
	w->rx_pos = c->rx.pos;
	w->tx_pos = c->tx.pos;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w;
	size_t k;

	if (!size)
		return 0;
	begin(&w, data[0]);
	memset(w.buffer, 0, BUFFER);
	for (k = 1; k + 4 <= size; k += 4) {
		act(&w, data + k);
		check_world(&w);
	}
	finish(&w);
	return 0;
}

/* Words that people look at: acknowledgement, sleep words, control words. */
size_t fuzz_shape(uint8_t *data, size_t size, uint64_t (*random)(void))
{
	static const uint16_t looked_at[] = { 0, 16, 16, 32, 48, 49 };
	size_t k;

	for (k = 1; k + 4 <= size; k += 4) {
		uint16_t at = looked_at[random() % 6];

		if ((data[k] & 15) != 4)
			continue;
		data[k + 1] = (uint8_t)at;
		data[k + 2] = (uint8_t)(at >> 8);
	}
	return size;
}

void fuzz_report(void)
{
	printf("# received %lu, %lu of several slots; garbage %lu, "
	       "broken rings %lu\n", received, bulks, garbage, broken);
}
