// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_message - messages of a slot: order, fullness, laps, in place, batches
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

FIXTURE(message)
{
	struct urpc_channel *c[2];
};

FIXTURE_VARIANT(message)
{
	struct urpc_channel_attr attr;
};

FIXTURE_VARIANT_ADD(message, guarded)
{
	.attr = { .slots = 16, .level = URPC_GUARDED },
};

FIXTURE_VARIANT_ADD(message, shared)
{
	.attr = { .slots = 16, .level = URPC_SHARED },
};

FIXTURE_VARIANT_ADD(message, shared_marks)
{
	.attr = { .slots = 16, .level = URPC_SHARED,
		  .flags = URPC_ATTR_MARKS },
};

FIXTURE_VARIANT_ADD(message, shared_rmw)
{
	.attr = { .slots = 32, .level = URPC_SHARED,
		  .poll_mode = URPC_POLL_RMW },
};

FIXTURE_VARIANT_ADD(message, shared_prefetchw)
{
	.attr = { .slots = 32, .level = URPC_SHARED,
		  .poll_mode = URPC_POLL_PREFETCHW },
};

FIXTURE_SETUP(message)
{
	ASSERT_EQ(0, urpc_pair(&variant->attr, self->c));
	ASSERT_EQ(variant->attr.level, urpc_channel_level(self->c[0]));
	ASSERT_EQ(variant->attr.level, urpc_channel_level(self->c[1]));
}

FIXTURE_TEARDOWN(message)
{
	urpc_close(self->c[0]);
	urpc_close(self->c[1]);
}

TEST_F(message, empty_gives_nothing)
{
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t tag = 0;
	double t;

	EXPECT_EQ(-EAGAIN, urpc_try_recv(self->c[0], &tag, w));
	EXPECT_EQ(-EAGAIN, urpc_recv_timed(self->c[0], &tag, w, 0));
	t = seconds_now();
	EXPECT_EQ(-ETIMEDOUT, urpc_recv_timed(self->c[0], &tag, w, 30 * MS));
	t = seconds_now() - t;
	EXPECT_LE(0.03, t);
	EXPECT_GT(BOUND_NS / 1e9, t);
}

TEST_F(message, what_is_sent_comes)
{
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t tag = 0;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		fill_message(w, i);
		ASSERT_EQ(0, urpc_try_send(self->c[i % 2], ~i, w));
		memset(w, 0, sizeof(w));
		ASSERT_EQ(0, urpc_try_recv(self->c[!(i % 2)], &tag, w));
		ASSERT_EQ(~i, tag);
		ASSERT_TRUE(is_message(w, i));
	}
	fill_message(w, i);
	EXPECT_EQ(0, urpc_send(self->c[0], 1, w));
	EXPECT_EQ(0, urpc_recv(self->c[1], NULL, w));
}

TEST_F(message, full_ring_refuses_and_keeps_what_it_has)
{
	unsigned int slots = urpc_channel_slots(self->c[0]), i, lap;
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t tag = 0;

	ASSERT_EQ(variant->attr.slots, slots);
	for (lap = 0; lap < 5; lap++) {
		for (i = 0; i < slots; i++) {
			fill_message(w, i);
			ASSERT_EQ(0, urpc_try_send(self->c[0], i, w));
		}
		ASSERT_EQ(-EAGAIN, urpc_try_send(self->c[0], i, w));
		ASSERT_EQ(-ETIMEDOUT, urpc_send_timed(self->c[0], i, w, MS));
		ASSERT_EQ(slots, urpc_unacked(self->c[0]));
		for (i = 0; i < slots; i++) {
			ASSERT_EQ(0, urpc_try_recv(self->c[1], &tag, w));
			ASSERT_EQ(i, tag);
			ASSERT_TRUE(is_message(w, i));
		}
		ASSERT_EQ(-EAGAIN, urpc_try_recv(self->c[1], &tag, w));
	}
	EXPECT_EQ(0, urpc_unacked(self->c[0]));
}

/* Room comes back when a quarter of the ring was taken, with marks at once. */
TEST_F(message, room_comes_back)
{
	unsigned int slots = variant->attr.slots, i;
	unsigned int after = variant->attr.flags & URPC_ATTR_MARKS ? 1 :
							     slots / 4;
	uint64_t w[URPC_SLOT_WORDS] = { 0 };

	for (i = 0; i < slots; i++)
		ASSERT_EQ(0, urpc_try_send(self->c[0], i, w));
	for (i = 0; i < after; i++) {
		ASSERT_EQ(-EAGAIN, urpc_try_send(self->c[0], 0, w));
		ASSERT_EQ(0, urpc_try_recv(self->c[1], NULL, w));
	}
	for (i = 0; i < after; i++)
		ASSERT_EQ(0, urpc_try_send(self->c[0], 0, w));
	EXPECT_EQ(-EAGAIN, urpc_try_send(self->c[0], 0, w));
}

TEST_F(message, in_place)
{
	unsigned int slots = variant->attr.slots, i;
	const struct urpc_slot *got = NULL;
	struct urpc_slot *s = NULL;
	uint32_t tag = 0;

	for (i = 0; i < slots; i++) {
		ASSERT_EQ(0, urpc_try_slot(self->c[0], &s));
		s->word[0] = i;
		s->word[6] = ~i;
		urpc_publish(self->c[0], i);
	}
	EXPECT_EQ(-EAGAIN, urpc_try_slot(self->c[0], &s));
	EXPECT_EQ(-ETIMEDOUT, urpc_slot_timed(self->c[0], &s, MS));
	for (i = 0; i < slots; i++) {
		ASSERT_EQ(0, urpc_try_peek(self->c[1], &got, &tag));
		/* it stays there until it is done with */
		ASSERT_EQ(0, urpc_peek_timed(self->c[1], &got, &tag, -1));
		EXPECT_EQ(i, tag);
		EXPECT_EQ(i, got->word[0]);
		EXPECT_EQ(~i, got->word[6]);
		urpc_done(self->c[1]);
	}
	EXPECT_EQ(-EAGAIN, urpc_try_peek(self->c[1], &got, NULL));
}

TEST_F(message, batch)
{
	unsigned int slots = variant->attr.slots, i, lap;
	struct urpc_message m[64], got[64];
	uint64_t n = 0, sent = 0;

	for (lap = 0; lap < 20; lap++) {
		unsigned int size = 1 + lap * 7 % 64, most;

		most = size < slots ? size : slots;
		for (i = 0; i < size; i++) {
			fill_message(m[i].word, sent + i);
			m[i].tag = (uint32_t)(sent + i);
		}
		ASSERT_EQ(most, urpc_try_send_batch(self->c[0], m, size));
		sent += most;
		while (n < sent) {
			int k = urpc_try_recv_batch(self->c[1], got,
						    1 + lap % 17);

			ASSERT_LT(0, k);
			for (i = 0; i < (unsigned int)k; i++, n++) {
				ASSERT_EQ((uint32_t)n, got[i].tag);
				ASSERT_TRUE(is_message(got[i].word, n));
			}
		}
		/* acknowledges what is left of it before it sleeps */
		ASSERT_EQ(-ETIMEDOUT, urpc_recv_batch(self->c[1], got, 64, 1));
	}
	EXPECT_EQ(0, urpc_try_send_batch(self->c[0], m, 0));
	EXPECT_EQ(0, urpc_try_recv_batch(self->c[1], got, 0));
}

/* What did not fit in time is not counted, and what was sent is there. */
TEST_F(message, batch_runs_out_of_time)
{
	unsigned int slots = variant->attr.slots;
	struct urpc_message m[64];

	memset(m, 0, sizeof(m));
	ASSERT_EQ(slots, urpc_send_batch(self->c[0], m, 64, 5 * MS));
	EXPECT_EQ(-ETIMEDOUT, urpc_send_batch(self->c[0], m, 1, MS));
	EXPECT_EQ(-EAGAIN, urpc_send_batch(self->c[0], m, 1, 0));
	EXPECT_EQ(slots, urpc_recv_batch(self->c[1], m, 64, -1));
	EXPECT_EQ(-ETIMEDOUT, urpc_recv_batch(self->c[1], m, 64, MS));
	EXPECT_EQ(-EAGAIN, urpc_recv_batch(self->c[1], m, 64, 0));
}

TEST_F(message, statistics)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	struct urpc_stats s[2];
	unsigned int i, k, depth = 0;

	for (i = 0; i < 200; i++) {
		for (k = 0; k < 5; k++)
			ASSERT_EQ(0, urpc_send(self->c[0], 0, w));
		for (k = 0; k < 5; k++)
			ASSERT_EQ(0, urpc_recv(self->c[1], NULL, w));
	}
	EXPECT_EQ(-ETIMEDOUT, urpc_recv_timed(self->c[1], NULL, w, MS));
	ASSERT_EQ(0, urpc_get_stats(self->c[0], &s[0]));
	ASSERT_EQ(0, urpc_get_stats(self->c[1], &s[1]));
	EXPECT_EQ(1000, s[0].sent);
	EXPECT_EQ(56000, s[0].bytes_sent);
	EXPECT_EQ(0, s[0].received);
	EXPECT_EQ(1000, s[1].received);
	EXPECT_EQ(56000, s[1].bytes_received);
	EXPECT_EQ(0, s[1].sent);
	EXPECT_LE(1, s[1].sleeps);
	EXPECT_LE(1, s[1].polls);
	for (i = 0; i < 8; i++)
		depth += s[1].depth[i];
	/* one look every 64 messages at the most */
	EXPECT_LE(8, depth);
	EXPECT_GE(16, depth);
	/* in the control page before it slept, as sysfs shows it */
	EXPECT_EQ(1000, urpc_load(&self->c[1]->rx.own->stats.received));
}

/* --- laps of every ring size, two threads -------------------------------- */

struct stream {
	struct urpc_channel *c;
	uint64_t count;
	unsigned int batch;
	uint64_t bad;		/* 1 + the first one that was not right */
	int ret;
};

static void *stream_out(void *arg)
{
	struct stream *s = arg;
	struct urpc_message m[64];
	uint64_t n = 0;
	unsigned int i, k;
	int ret;

	while (n < s->count) {
		k = s->count - n < s->batch ? (unsigned int)(s->count - n) :
					      s->batch;
		for (i = 0; i < k; i++) {
			fill_message(m[i].word, n + i);
			m[i].tag = (uint32_t)(n + i);
		}
		ret = s->batch == 1 ?
		      urpc_send_timed(s->c, m[0].tag, m[0].word, BOUND_NS) :
		      urpc_send_batch(s->c, m, k, BOUND_NS);
		if (ret < 0 || (s->batch > 1 && ret != (int)k)) {
			s->ret = ret;
			break;
		}
		n += k;
	}
	return NULL;
}

static void *stream_in(void *arg)
{
	struct stream *s = arg;
	struct urpc_message m[64];
	uint64_t n = 0;
	int i, ret;

	while (n < s->count && !s->bad) {
		ret = s->batch == 1 ?
		      urpc_recv_timed(s->c, &m[0].tag, m[0].word, BOUND_NS) :
		      urpc_recv_batch(s->c, m, s->batch, BOUND_NS);
		if (ret < 0) {
			s->ret = ret;
			break;
		}
		for (i = 0; i < (s->batch == 1 ? 1 : ret); i++, n++)
			if (m[i].tag != (uint32_t)n ||
			    !is_message(m[i].word, n))
				s->bad = n + 1;
	}
	return NULL;
}

static bool stream_through(struct urpc_channel *from, struct urpc_channel *to,
			   uint64_t count, unsigned int out, unsigned int in)
{
	struct stream w = { .c = from, .count = count, .batch = out };
	struct stream r = { .c = to, .count = count, .batch = in };
	pthread_t a, b;

	must(!pthread_create(&a, NULL, stream_out, &w), "thread");
	must(!pthread_create(&b, NULL, stream_in, &r), "thread");
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	if (w.ret || r.ret || r.bad)
		printf("# batches of %u, %u: sender %d, receiver %d, "
		       "wrong at %lld\n", out, in, w.ret, r.ret,
		       (long long)r.bad - 1);
	return !w.ret && !r.ret && !r.bad;
}

TEST_F(message, both_directions_stream)
{
	struct stream s[4] = {
		{ .c = self->c[0], .count = 30000, .batch = 1 },
		{ .c = self->c[1], .count = 30000, .batch = 8 },
		{ .c = self->c[1], .count = 30000, .batch = 5 },
		{ .c = self->c[0], .count = 30000, .batch = 64 },
	};
	pthread_t t[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		must(!pthread_create(&t[i], NULL, i % 2 ? stream_in :
							  stream_out, &s[i]),
		     "thread");
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ(0, s[i].ret);
		EXPECT_EQ(0, s[i].bad);
	}
}

FIXTURE(sizes)
{
};

FIXTURE_VARIANT(sizes)
{
	uint32_t level;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(sizes, guarded)
{
	.level = URPC_GUARDED,
};

FIXTURE_VARIANT_ADD(sizes, shared_marks)
{
	.level = URPC_SHARED,
	.flags = URPC_ATTR_MARKS,
};

FIXTURE_SETUP(sizes)
{
}

FIXTURE_TEARDOWN(sizes)
{
}

TEST_F(sizes, many_laps)
{
	static const unsigned int batches[][2] = {
		{ 1, 1 }, { 1, 64 }, { 64, 1 }, { 64, 64 }, { 3, 7 },
	};
	uint32_t slots;
	unsigned int i;

	for (slots = URPC_SLOTS_MIN; slots <= URPC_SLOTS_MAX; slots *= 4) {
		struct urpc_channel_attr attr = {
			.slots = slots,
			.level = variant->level,
			.flags = variant->flags,
		};
		struct urpc_channel *c[2];

		ASSERT_EQ(0, urpc_pair(&attr, c));
		for (i = 0; i < 5; i++)
			EXPECT_TRUE(stream_through(c[i % 2], c[!(i % 2)],
						   slots * 3 + 1000,
						   batches[i][0],
						   batches[i][1]));
		urpc_close(c[0]);
		urpc_close(c[1]);
	}
}

/* The compiled half of urpc_epoch(): it turns with the lap, from 1. */
TEST(epoch)
{
	EXPECT_EQ(1, urpc_epoch(0, 4));
	EXPECT_EQ(1, urpc_epoch(15, 4));
	EXPECT_EQ(0, urpc_epoch(16, 4));
	EXPECT_EQ(1, urpc_epoch(32, 4));
	EXPECT_EQ(0, urpc_epoch(UINT64_MAX, 4));
}

/* What threads on different CPUs write is never in one line, nor in a pair. */
TEST(layout)
{
	EXPECT_EQ(64, sizeof(struct urpc_slot));
	EXPECT_EQ(64, sizeof(struct urpc_message));
	EXPECT_EQ(56, offsetof(struct urpc_slot, ctl));
	EXPECT_EQ(128, offsetof(struct urpc_control, rx_sleep));
	EXPECT_EQ(256, offsetof(struct urpc_control, wake_rx));
	EXPECT_EQ(384, offsetof(struct urpc_control, cursor));
	EXPECT_EQ(512, offsetof(struct urpc_control, rpc));
	EXPECT_EQ(640, offsetof(struct urpc_control, state));
	EXPECT_EQ(768, offsetof(struct urpc_control, stats));
	EXPECT_EQ(0, offsetof(struct urpc_channel, tx));
	EXPECT_EQ(128, offsetof(struct urpc_channel, rx));
	EXPECT_EQ(256, offsetof(struct urpc_channel, priv));
	EXPECT_GE(URPC_CONTROL_BYTES, sizeof(struct urpc_control));
}

TEST_HARNESS_MAIN
