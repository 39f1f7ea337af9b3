// SPDX-License-Identifier: LGPL-2.1-only
/*
 * stats.c - what a side counts, written into its control page
 *
 * Every URPC_STATS_EVERY messages, before a sleep and at the end; a message by
 * itself counts nothing but its position.
 */
#include <string.h>

#include "internal.h"

#define put(to, v)	urpc_store(to, v)

/* Slots and their bytes, less what was no message and what was not filled. */
static void put_traffic(__u64 *messages, __u64 *bytes, uint64_t pos,
			uint64_t more, uint64_t less)
{
	put(messages, pos - more);
	put(bytes, pos * URPC_SLOT_BYTES - less);
}

/* What both threads count is added up by either. */
static void put_counters(struct urpc_channel *c, struct urpc_stats *s)
{
	const struct urpc_counters *tx = &c->priv->tx.count;
	const struct urpc_counters *rx = &c->priv->rx.count;

	put(&s->polls, urpc_load(&tx->polls) +
	    urpc_load(&rx->polls));
	put(&s->sleeps, urpc_load(&tx->sleeps) +
	    urpc_load(&rx->sleeps));
	put(&s->wakes, urpc_load(&tx->wakes) +
	    urpc_load(&rx->wakes));
	put(&s->spurious, urpc_load(&tx->spurious) +
	    urpc_load(&rx->spurious));
}

void ul_stats_of_sender(struct urpc_channel *c)
{
	struct urpc_stats *s = &ul_own(c)->stats;
	const struct urpc_sender *t = &c->priv->tx;

	put_traffic(&s->sent, &s->bytes_sent,
		    c->tx.pos, t->more, t->less);
	put_counters(c, s);
	c->priv->tx.written = c->tx.pos;
}

void ul_stats_of_receiver(struct urpc_channel *c)
{
	struct urpc_stats *s = &ul_own(c)->stats;
	struct urpc_receiver *r = &c->priv->rx;
	unsigned int i;

	/* 32 bits that wrap, which the inline functions count in */
	ul_count_up(&r->count.polls, (uint32_t)(c->rx_idle - r->idle));
	r->idle = c->rx_idle;
	put_traffic(&s->received, &s->bytes_received,
		    c->rx.pos, r->more, r->less);
	for (i = 0; i < 8; i++)
		put(&s->depth[i], r->depth[i]);
	put_counters(c, s);
}

/* A side that came from another process goes on where that one stopped. */
void ul_stats_resume(struct urpc_channel *c)
{
	const struct urpc_stats *s = &ul_own(c)->stats;
	struct urpc_private *p = c->priv;
	unsigned int i;

	p->tx.more = c->tx.pos - s->sent;
	p->tx.less = c->tx.pos * URPC_SLOT_BYTES - s->bytes_sent;
	p->rx.more = c->rx.pos - s->received;
	p->rx.less = c->rx.pos * URPC_SLOT_BYTES - s->bytes_received;
	p->rx.count = (struct urpc_counters) {
		s->polls, s->sleeps, s->wakes, s->spurious
	};
	for (i = 0; i < 8; i++)
		p->rx.depth[i] = s->depth[i];
}

static bool is_full_at(const struct urpc_rx *rx, uint64_t pos)
{
	__u64 ctl = urpc_load(&rx->slot[pos & rx->mask].ctl);

	return !((ctl ^ urpc_epoch(pos, rx->shift)) & URPC_CTL_EPOCH);
}

/*
 * How many messages wait, by powers of two.  Looking costs the writer the line
 * of the first empty slot, so it is done now and then.
 */
void ul_stats_depth(struct urpc_channel *c)
{
	struct urpc_receiver *r = &c->priv->rx;
	unsigned int i;

	c->rx_report = c->rx.pos + URPC_STATS_EVERY;
	for (i = 0; i < 7; i++) {
		uint64_t ahead = (1ull << i) - 1;

		if (ahead > c->rx.mask || !is_full_at(&c->rx,
						      c->rx.pos + ahead))
			break;
	}
	r->depth[i]++;
}

/*
 * As of the last time that each thread wrote it down, but for the positions,
 * which may be a message old.
 */
#ifdef __has_attribute
#if __has_attribute(no_sanitize_thread)
__attribute__((no_sanitize_thread))
#endif
#endif
int urpc_get_stats(struct urpc_channel *channel, struct urpc_stats *stats)
{
	const struct urpc_private *p = channel->priv;
	unsigned int i;

	if (p->forked)
		return -EBADF;
	memset(stats, 0, sizeof(*stats));
	put_traffic(&stats->sent, &stats->bytes_sent,
		    channel->tx.pos, p->tx.more, p->tx.less);
	put_traffic(&stats->received,
		    &stats->bytes_received, channel->rx.pos,
		    p->rx.more, p->rx.less);
	put_counters(channel, stats);
	stats->polls += (uint32_t)(channel->rx_idle - p->rx.idle);
	for (i = 0; i < 8; i++)
		stats->depth[i] = p->rx.depth[i];
	return 0;
}
