// SPDX-License-Identifier: LGPL-2.1-only
/*
 * batch.c - many messages at once, the streaming path
 *
 * A reader that rides right behind the writer takes each line from it while
 * the next one is being written: every message then costs a miss on both
 * sides.  So a streaming reader looks at one slot a group ahead, and touches
 * nothing in between until that one is full; then the writer has left all of
 * them.  When the group does not fill up, the next slot alone will do.
 */
#include <string.h>

#include "internal.h"

#if defined(__x86_64__) && !defined(URPC_TSAN)
#include <immintrin.h>
#define HAVE_AVX_VARIANT	1
#endif

/* To be measured: lines that the writer asks for in advance ... */
#define WRITE_AHEAD	8
/* ... and looks at the end of the group before one message will do. */
#define PATIENCE	16

#define COPY_NAME(x)	plain_##x
#define COPY_TARGET
#include "batch_copy.h"

#ifdef HAVE_AVX_VARIANT
#define COPY_AVX
#define COPY_NAME(x)	avx_##x
#define COPY_TARGET	__attribute__((target("avx")))
#include "batch_copy.h"
#endif

static void put_run(struct urpc_tx *tx, const struct urpc_message *m,
		    unsigned int n)
{
#ifdef HAVE_AVX_VARIANT
	if (__builtin_cpu_supports("avx")) {
		avx_put_run(tx, m, n);
		return;
	}
#endif
	plain_put_run(tx, m, n);
}

static unsigned int get_run(const struct urpc_rx *rx, struct urpc_message *m,
			    unsigned int n)
{
#ifdef HAVE_AVX_VARIANT
	if (__builtin_cpu_supports("avx"))
		return avx_get_run(rx, m, n);
#endif
	return plain_get_run(rx, m, n);
}

/* --- sending ------------------------------------------------------------- */

/* What this side knows of is enough, or it asks; with marks, for a part. */
static unsigned int room_for(struct urpc_channel *c, unsigned int count)
{
	struct urpc_tx *tx = &c->tx;
	unsigned int n = count < c->priv->slots ? count : c->priv->slots;
	uint64_t room = tx->limit - tx->pos;

	if (room < count && !c->tx_marks)
		ul_room(c, 1);
	for (; room < count && c->tx_marks && n; n /= 2)
		if (ul_room(c, n))
			break;
	room = tx->limit - tx->pos;
	return room < count ? (unsigned int)room : count;
}

/*
 * The peer is woken, if it sleeps, when all are there.  The test runs ahead of
 * the stores as it does for a single message.
 */
int urpc_try_send_batch(struct urpc_channel *channel,
			const struct urpc_message *messages,
			unsigned int count)
{
	struct urpc_tx *tx = &channel->tx;
	int ret;

	if (!count)
		return 0;
	if (!urpc_tx_has_room(tx)) {
		ret = __urpc_room(channel);
		if (ret)
			return ret;
	}
	count = room_for(channel, count);
	put_run(tx, messages, count);
	if (urpc_tx_peer_sleeps(tx))
		__urpc_wake_receiver(channel);
	return (int)count;
}

int urpc_send_batch(struct urpc_channel *channel,
		    const struct urpc_message *messages, unsigned int count,
		    int64_t timeout_ns)
{
	int64_t deadline = ul_deadline_of(timeout_ns);
	unsigned int sent = 0;
	int ret = 0;

	while (sent < count) {
		ret = urpc_try_send_batch(channel, messages + sent,
					  count - sent);
		if (ret == -EAGAIN && timeout_ns) {
			ret = __urpc_wait_room(channel,
					       ul_timeout_left(deadline));
			if (!ret)
				continue;
		}
		if (ret < 0)
			break;
		sent += (unsigned int)ret;
	}
	return sent ? (int)sent : ret;
}

/* --- receiving ----------------------------------------------------------- */

/* Is a whole group there?  While messages stream, it may be in a moment. */
static bool has_group(struct urpc_channel *c)
{
	const struct urpc_receiver *r = &c->priv->rx;
	const struct urpc_rx *rx = &c->rx;
	uint64_t pos = rx->pos + r->group - 1;
	unsigned int n = r->streaming ? PATIENCE : 0;
	const __u64 *last = &rx->slot[pos & rx->mask].ctl;

	for (;;) {
		if (!((urpc_load_acquire(last) ^ urpc_epoch(pos, rx->shift)) &
		      URPC_CTL_EPOCH))
			return true;
		if (!n--)
			return false;
		urpc_pause();
	}
}

/* Lines of the next group, once its writer has left them. */
static void fetch_group(struct urpc_channel *c)
{
	const struct urpc_rx *rx = &c->rx;
	uint32_t group = c->priv->rx.group, i;
	uint64_t pos = rx->pos + group - 1;

	if ((urpc_load(&rx->slot[pos & rx->mask].ctl) ^
	     urpc_epoch(pos, rx->shift)) & URPC_CTL_EPOCH)
		return;
	for (i = 0; i < group - 1; i++)
		__builtin_prefetch(&rx->slot[(rx->pos + i) & rx->mask], 0);
}

static void give_back(struct urpc_channel *c, unsigned int n)
{
	uint64_t pos = c->rx.pos;
	unsigned int i;

	for (i = 0; c->rx_marks && i < n; i++, pos++) {
		struct urpc_slot *s = (struct urpc_slot *)
			(uintptr_t)&c->rx.slot[pos & c->rx.mask];

		urpc_store_release(&s->ctl, urpc_epoch(pos, c->rx.shift) |
				   urpc_ctl(0, URPC_KIND_TAKEN, 0));
	}
	c->rx.pos += n;
	if (c->rx.pos - c->rx.acked < c->rx.ack_every)
		return;
	urpc_rx_ack(&c->rx);
	__urpc_acked(c);
}

/* What comes next when it is no plain message. */
static int why_not(struct urpc_channel *c)
{
	__u64 ctl;

	if (!urpc_rx_full(&c->rx, &ctl))
		return __urpc_nothing(c);
	return __urpc_is_odd(ctl) ? __urpc_odd(c, ctl) : -EAGAIN;
}

int urpc_try_recv_batch(struct urpc_channel *channel,
			struct urpc_message *messages, unsigned int count)
{
	struct urpc_receiver *r = &channel->priv->rx;
	unsigned int got = 0, want, n;

	while (got < count) {
		want = 1;
		if (count - got >= r->group) {
			r->streaming = has_group(channel);
			if (r->streaming)
				want = r->group;
		}
		n = get_run(&channel->rx, messages + got, want);
		if (n)
			give_back(channel, n);
		got += n;
		if (n < want)
			break;
		if (r->streaming)
			fetch_group(channel);
	}
	return got || !count ? (int)got : why_not(channel);
}

int urpc_recv_batch(struct urpc_channel *channel,
		    struct urpc_message *messages, unsigned int count,
		    int64_t timeout_ns)
{
	const struct urpc_slot *s;
	int ret = urpc_peek_timed(channel, &s, NULL, timeout_ns);

	if (ret || !count)
		return ret;
	return urpc_try_recv_batch(channel, messages, count);
}
