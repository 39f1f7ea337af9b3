// SPDX-License-Identifier: LGPL-2.1-only
/*
 * bulk.c - messages of several slots
 *
 * The first slot's control word has the length and the tag; what follows is
 * marked as such.  A sender that gives up in the middle just sends its next
 * message: a reader that misses a slot knows then.  A reader that ran out of
 * time keeps what it has and goes on with the next call.
 */
#include <string.h>

#include "internal.h"

static uint32_t slots_of(size_t bytes)
{
	return bytes ? (uint32_t)((bytes + URPC_SLOT_BYTES - 1) /
				  URPC_SLOT_BYTES) : 1;
}

/* --- sending ------------------------------------------------------------- */

/* All of it, or nothing. */
static int room_for_all(struct urpc_channel *c, uint32_t slots)
{
	int ret;

	if (slots > c->priv->slots)
		return -EMSGSIZE;
	if (c->tx.limit - c->tx.pos >= slots)
		return 0;
	/* says why there is none at all */
	ret = __urpc_room(c);
	if (!ret)
		ret = ul_room(c, slots);
	return ret > 0 ? 0 : ret ? ret : -EAGAIN;
}

/* As much of it as fits in a slot. */
static size_t fill(struct urpc_slot *s, const uint8_t *data, size_t left)
{
	if (left >= URPC_SLOT_BYTES) {
		memcpy(s->word, data, URPC_SLOT_BYTES);
		return URPC_SLOT_BYTES;
	}
	/* what lies behind a short one is nobody's business */
	memset(s->word, 0, URPC_SLOT_BYTES);
	if (left)
		memcpy(s->word, data, left);
	return left;
}

/* @slots of a message of @bytes were sent; all of them, or it is none. */
static void count_sent(struct urpc_channel *c, size_t bytes, uint32_t slots)
{
	bool all = slots == slots_of(bytes);

	ul_count_up(&c->priv->tx.more, all ? slots - 1 : slots);
	ul_count_up(&c->priv->tx.less, slots * URPC_SLOT_BYTES -
		    (all ? bytes : 0));
}

static int send_slots(struct urpc_channel *c, uint32_t tag,
		      const uint8_t *data, size_t bytes, int64_t timeout_ns,
		      uint32_t *sent)
{
	int64_t deadline = ul_deadline_of(timeout_ns);
	enum urpc_kind kind = URPC_KIND_BULK;
	struct urpc_slot *s;
	size_t left = bytes;
	int ret;

	do {
		ret = urpc_try_slot(c, &s);
		if (ret == -EAGAIN && timeout_ns)
			ret = urpc_slot_timed(c, &s,
					      ul_timeout_left(deadline));
		if (ret)
			return ret;
		left -= fill(s, data ? data + (bytes - left) : data, left);
		__urpc_publish(c, urpc_ctl(tag, kind, kind == URPC_KIND_BULK ?
					   (uint32_t)bytes : 0));
		kind = URPC_KIND_MORE;
		++*sent;
	} while (left);
	return 0;
}

int urpc_send_bulk(struct urpc_channel *channel, uint32_t tag,
		   const void *data, size_t bytes, int64_t timeout_ns)
{
	uint32_t sent = 0;
	int ret = 0;

	if (bytes > URPC_BULK_MAX)
		return -EMSGSIZE;
	if (!timeout_ns)
		ret = room_for_all(channel, slots_of(bytes));
	if (ret)
		return ret;
	ret = send_slots(channel, tag, data, bytes, timeout_ns, &sent);
	count_sent(channel, bytes, sent);
	return ret;
}

/* --- receiving ----------------------------------------------------------- */

ssize_t urpc_next_bytes(struct urpc_channel *channel)
{
	__u64 ctl;

	if (!urpc_rx_full(&channel->rx, &ctl))
		return __urpc_nothing(channel);
	switch (ul_kind_of(ctl)) {
	case URPC_KIND_BULK:
		return urpc_ctl_len(ctl);
	case URPC_KIND_MESSAGE:
	case URPC_KIND_CALL:
		return URPC_SLOT_BYTES;
	default:
		return __urpc_odd(channel, ctl);
	}
}

/* Wait for a slot, whatever is in it. */
static int next_slot(struct urpc_channel *c, __u64 *ctl, int64_t timeout_ns)
{
	int ret;

	if (urpc_rx_full(&c->rx, ctl))
		return 0;
	if (!timeout_ns)
		return __urpc_nothing(c);
	if (__urpc_poll_message(c, ctl))
		return 0;
	ret = __urpc_wait_message(c, timeout_ns);
	if (!ret)
		urpc_rx_full(&c->rx, ctl);
	return ret;
}

/* Copy what is in the slot; it was taken. */
static void take_part(struct urpc_channel *c, __u64 ctl, uint8_t *data)
{
	struct urpc_receiver *r = &c->priv->rx;
	uint32_t n = r->bulk_bytes - r->bulk_got;

	if (n > URPC_SLOT_BYTES)
		n = URPC_SLOT_BYTES;
	if (n)
		memcpy(data + r->bulk_got, urpc_rx_slot(&c->rx)->word, n);
	r->bulk_got += n;
	__urpc_taken(c, ctl);
}

/* The first slot says how long it is, once; 0 when there is more to come. */
static ssize_t begin(struct urpc_channel *c, __u64 ctl, void *data,
		     size_t size)
{
	struct urpc_receiver *r = &c->priv->rx;
	uint32_t bytes = URPC_SLOT_BYTES;

	if (ul_kind_of(ctl) == URPC_KIND_BULK)
		bytes = urpc_ctl_len(ctl);
	else if (ul_kind_of(ctl) != URPC_KIND_MESSAGE)
		return __urpc_odd(c, ctl);
	if (bytes > size)
		return -EMSGSIZE;
	r->bulk_tag = urpc_ctl_tag(ctl);
	r->bulk_bytes = bytes;
	r->bulk_got = 0;
	take_part(c, ctl, data);
	return 0;
}

/* What there is of it counts for nothing. */
static void give_up(struct urpc_receiver *r)
{
	if (!r->bulk_bytes)
		return;
	ul_count_up(&r->more, slots_of(r->bulk_got));
	ul_count_up(&r->less, r->bulk_got);
	r->bulk_bytes = 0;
	r->bulk_got = 0;
}

/* The next slot of a message whose first one was taken. */
static ssize_t go_on(struct urpc_channel *c, __u64 ctl, void *data,
		     size_t size)
{
	struct urpc_receiver *r = &c->priv->rx;

	if (ul_kind_of(ctl) != URPC_KIND_MORE) {
		/* the peer gave it up; this is the next message */
		give_up(r);
		return -EBADMSG;
	}
	/* not the buffer that the message was begun with */
	if (r->bulk_bytes > size)
		return -EMSGSIZE;
	take_part(c, ctl, data);
	return 0;
}

static ssize_t end(struct urpc_receiver *r, uint32_t *tag)
{
	uint32_t bytes = r->bulk_bytes, slots = slots_of(bytes);

	ul_count_up(&r->more, slots - 1);
	ul_count_up(&r->less, slots * URPC_SLOT_BYTES - bytes);
	if (tag)
		*tag = r->bulk_tag;
	r->bulk_bytes = 0;
	r->bulk_got = 0;
	return bytes;
}

ssize_t urpc_recv_bulk(struct urpc_channel *channel, uint32_t *tag,
		       void *data, size_t size, int64_t timeout_ns)
{
	struct urpc_receiver *r = &channel->priv->rx;
	int64_t deadline = ul_deadline_of(timeout_ns);
	__u64 ctl;
	ssize_t ret;

	do {
		ret = next_slot(channel, &ctl, timeout_ns > 0 ?
				ul_timeout_left(deadline) : timeout_ns);
		if (ret)
			return ret;
		ret = r->bulk_bytes ? go_on(channel, ctl, data, size) :
				      begin(channel, ctl, data, size);
		if (ret)
			return ret;
	} while (r->bulk_got < r->bulk_bytes);
	return end(r, tag);
}

int urpc_skip(struct urpc_channel *channel)
{
	__u64 ctl;

	if (!urpc_rx_full(&channel->rx, &ctl))
		return __urpc_nothing(channel);
	give_up(&channel->priv->rx);
	ul_drop(channel, ctl);
	return 0;
}
