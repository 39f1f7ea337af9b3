// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_bulk - messages of several slots
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

#define SLOTS	16
#define RING	(SLOTS * URPC_SLOT_BYTES)

FIXTURE(bulk)
{
	struct urpc_channel *c[2];
	uint8_t out[40000];
	uint8_t in[40000];
};

FIXTURE_VARIANT(bulk)
{
	uint32_t level;
	uint32_t flags;
};

FIXTURE_VARIANT_ADD(bulk, guarded)
{
	.level = URPC_GUARDED,
};

FIXTURE_VARIANT_ADD(bulk, shared_marks)
{
	.level = URPC_SHARED,
	.flags = URPC_ATTR_MARKS,
};

FIXTURE_SETUP(bulk)
{
	struct urpc_channel_attr attr = {
		.slots = SLOTS,
		.level = variant->level,
		.flags = variant->flags,
	};
	unsigned int i;

	ASSERT_EQ(0, urpc_pair(&attr, self->c));
	for (i = 0; i < sizeof(self->out); i++)
		self->out[i] = (uint8_t)(i * 7 + i / 251);
	memset(self->in, 0xee, sizeof(self->in));
}

FIXTURE_TEARDOWN(bulk)
{
	urpc_close(self->c[0]);
	urpc_close(self->c[1]);
}

TEST_F(bulk, every_size_up_to_the_ring)
{
	uint32_t tag;
	size_t n;

	for (n = 0; n <= RING; n++) {
		ASSERT_EQ(0, urpc_send_bulk(self->c[0], (uint32_t)n,
					    self->out, n, 0));
		ASSERT_EQ(n, urpc_next_bytes(self->c[1]));
		ASSERT_EQ(n, urpc_recv_bulk(self->c[1], &tag, self->in, n,
					    0));
		ASSERT_EQ(n, tag);
		ASSERT_EQ(0, memcmp(self->out, self->in, n));
		ASSERT_EQ(0xee, self->in[n]);
		memset(self->in, 0xee, n);
		/* acknowledge what is left of it */
		ASSERT_EQ(-ETIMEDOUT, urpc_recv_bulk(self->c[1], &tag,
						     self->in, 100, 1));
	}
	EXPECT_EQ(-EMSGSIZE, urpc_send_bulk(self->c[0], 0, self->out, RING + 1,
					    0));
	EXPECT_EQ(-EMSGSIZE, urpc_send_bulk(self->c[0], 0, self->out,
					    URPC_BULK_MAX + 1, -1));
	EXPECT_EQ(-EAGAIN, urpc_next_bytes(self->c[1]));
}

TEST_F(bulk, all_or_nothing)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	unsigned int i;

	for (i = 0; i < SLOTS - 3; i++)
		ASSERT_EQ(0, urpc_try_send(self->c[0], i, w));
	EXPECT_EQ(-EAGAIN, urpc_send_bulk(self->c[0], 0, self->out,
					  4 * URPC_SLOT_BYTES, 0));
	EXPECT_EQ(0, urpc_send_bulk(self->c[0], 9, self->out,
				    3 * URPC_SLOT_BYTES, 0));
	for (i = 0; i < SLOTS - 3; i++)
		ASSERT_EQ(0, urpc_try_recv(self->c[1], NULL, w));
	EXPECT_EQ(3 * URPC_SLOT_BYTES,
		  urpc_recv_bulk(self->c[1], NULL, self->in,
				 sizeof(self->in), -1));
	EXPECT_EQ(-EAGAIN, urpc_try_recv(self->c[1], NULL, w));
}

static void *send_large(void *arg)
{
	FIXTURE_DATA(bulk) *self = arg;
	size_t n;

	for (n = 1; n < sizeof(self->out); n += 1237)
		if (urpc_send_bulk(self->c[0], (uint32_t)n, self->out, n,
				   BOUND_NS))
			return self;
	return NULL;
}

TEST_F(bulk, larger_than_the_ring)
{
	struct urpc_stats s;
	uint64_t bytes = 0, messages = 0;
	pthread_t t;
	uint32_t tag;
	void *failed;
	size_t n;

	must(!pthread_create(&t, NULL, send_large, self), "thread");
	for (n = 1; n < sizeof(self->out); n += 1237) {
		ASSERT_EQ(n, urpc_recv_bulk(self->c[1], &tag, self->in,
					    sizeof(self->in), BOUND_NS));
		ASSERT_EQ(n, tag);
		ASSERT_EQ(0, memcmp(self->out, self->in, n));
		bytes += n;
		messages++;
	}
	pthread_join(t, &failed);
	EXPECT_TRUE(!failed);
	ASSERT_EQ(0, urpc_get_stats(self->c[1], &s));
	EXPECT_EQ(messages, s.received);
	EXPECT_EQ(bytes, s.bytes_received);
	ASSERT_EQ(0, urpc_get_stats(self->c[0], &s));
	EXPECT_EQ(messages, s.sent);
	EXPECT_EQ(bytes, s.bytes_sent);
}

TEST_F(bulk, too_large_for_the_buffer_is_kept)
{
	uint64_t w[URPC_SLOT_WORDS];
	struct urpc_message m[4];

	ASSERT_EQ(0, urpc_send_bulk(self->c[0], 0, self->out, 300, 0));
	EXPECT_EQ(-EMSGSIZE, urpc_recv_bulk(self->c[1], NULL, self->in, 299,
					    -1));
	EXPECT_EQ(0xee, self->in[0]);
	EXPECT_EQ(-EMSGSIZE, urpc_try_recv(self->c[1], NULL, w));
	EXPECT_EQ(-EMSGSIZE, urpc_recv(self->c[1], NULL, w));
	EXPECT_EQ(-EMSGSIZE, urpc_try_recv_batch(self->c[1], m, 4));
	EXPECT_EQ(-EMSGSIZE, urpc_recv_batch(self->c[1], m, 4, -1));
	EXPECT_EQ(300, urpc_next_bytes(self->c[1]));
	EXPECT_EQ(300, urpc_recv_bulk(self->c[1], NULL, self->in, 300, -1));
	EXPECT_EQ(0, memcmp(self->out, self->in, 300));
	EXPECT_EQ(0xee, self->in[300]);
}

/* One that nobody wants is dropped, with all its slots. */
TEST_F(bulk, skipped)
{
	uint64_t w[URPC_SLOT_WORDS];
	struct urpc_stats s;
	uint32_t tag = 0;

	EXPECT_EQ(-EAGAIN, urpc_skip(self->c[1]));
	ASSERT_EQ(0, urpc_send_bulk(self->c[0], 0, self->out, 100, 0));
	fill_message(w, 8);
	ASSERT_EQ(0, urpc_try_send(self->c[0], 8, w));
	ASSERT_EQ(0, urpc_try_send(self->c[0], 9, w));
	EXPECT_EQ(-EMSGSIZE, urpc_try_recv(self->c[1], NULL, w));
	EXPECT_EQ(0, urpc_skip(self->c[1]));
	EXPECT_EQ(-EBADMSG, urpc_try_recv(self->c[1], &tag, w));
	EXPECT_EQ(0, urpc_skip(self->c[1]));
	EXPECT_EQ(0, urpc_try_recv(self->c[1], &tag, w));
	EXPECT_EQ(9, tag);
	ASSERT_EQ(0, urpc_get_stats(self->c[1], &s));
	EXPECT_EQ(1, s.received);
	EXPECT_EQ(56, s.bytes_received);
}

/* A batch ends before a bulk message. */
TEST_F(bulk, between_plain_messages)
{
	struct urpc_message m[16];
	uint64_t w[URPC_SLOT_WORDS];

	memset(m, 0, sizeof(m));
	fill_message(w, 7);
	ASSERT_EQ(3, urpc_try_send_batch(self->c[0], m, 3));
	ASSERT_EQ(0, urpc_send_bulk(self->c[0], 5, self->out, 100, 0));
	ASSERT_EQ(0, urpc_try_send(self->c[0], 6, w));
	EXPECT_EQ(3, urpc_try_recv_batch(self->c[1], m, 16));
	EXPECT_EQ(100, urpc_recv_bulk(self->c[1], NULL, self->in, 1000, 0));
	EXPECT_EQ(0, memcmp(self->out, self->in, 100));
	/* a plain message is one of 56 bytes */
	EXPECT_EQ(-EMSGSIZE, urpc_recv_bulk(self->c[1], NULL, self->in, 55,
					    0));
	EXPECT_EQ(56, urpc_recv_bulk(self->c[1], NULL, self->in, 56, 0));
	EXPECT_EQ(0, memcmp(w, self->in, 56));
}

/* Half of it is there: the call goes on where the last one stopped. */
TEST_F(bulk, receiver_runs_out_of_time)
{
	pthread_t t;
	void *failed;
	unsigned int tries = 0;
	size_t n;
	ssize_t ret;

	must(!pthread_create(&t, NULL, send_large, self), "thread");
	for (n = 1; n < sizeof(self->out); n += 1237) {
		double end = seconds_now() + BOUND_NS / 1e9;

		do {
			ret = urpc_recv_bulk(self->c[1], NULL, self->in,
					     sizeof(self->in), tries % 3);
			tries++;
		} while ((ret == -EAGAIN || ret == -ETIMEDOUT) &&
			 seconds_now() < end);
		ASSERT_EQ(n, ret);
		ASSERT_EQ(0, memcmp(self->out, self->in, n));
	}
	pthread_join(t, &failed);
	EXPECT_TRUE(!failed);
}

/* The peer drops what it got, and the next message is whole. */
TEST_F(bulk, sender_runs_out_of_time)
{
	uint64_t w[URPC_SLOT_WORDS];
	struct urpc_stats s[2];
	ssize_t ret;
	uint32_t tag;

	fill_message(w, 3);
	ASSERT_EQ(-ETIMEDOUT, urpc_send_bulk(self->c[0], 0, self->out,
					     2 * RING, MS));
	ret = urpc_recv_bulk(self->c[1], &tag, self->in, sizeof(self->in), MS);
	ASSERT_EQ(-ETIMEDOUT, ret);
	ASSERT_EQ(0, urpc_try_send(self->c[0], 77, w));
	EXPECT_EQ(-EBADMSG, urpc_recv_bulk(self->c[1], &tag, self->in,
					   sizeof(self->in), -1));
	EXPECT_EQ(0, urpc_try_recv(self->c[1], &tag, w));
	EXPECT_EQ(77, tag);
	EXPECT_TRUE(is_message(w, 3));
	ASSERT_EQ(0, urpc_get_stats(self->c[0], &s[0]));
	ASSERT_EQ(0, urpc_get_stats(self->c[1], &s[1]));
	EXPECT_EQ(1, s[0].sent);
	EXPECT_EQ(1, s[1].received);
	EXPECT_EQ(56, s[0].bytes_sent);
	EXPECT_EQ(56, s[1].bytes_received);
}

/* Somebody else's call drops it slot by slot, and says so. */
TEST_F(bulk, rest_of_one_that_was_given_up)
{
	uint64_t w[URPC_SLOT_WORDS];
	unsigned int i;

	ASSERT_EQ(-ETIMEDOUT, urpc_send_bulk(self->c[0], 0, self->out,
					     2 * RING, MS));
	/* takes all sixteen slots */
	ASSERT_EQ(-EAGAIN, urpc_recv_bulk(self->c[1], NULL, self->in,
					  sizeof(self->in), 0));
	for (i = 0; i < 5; i++) {
		struct urpc_slot *s;

		ASSERT_EQ(0, urpc_try_slot(self->c[0], &s));
		__urpc_publish(self->c[0], urpc_ctl(0, URPC_KIND_MORE, 0));
	}
	for (i = 0; i < 5; i++)
		ASSERT_EQ(-EBADMSG, urpc_try_recv(self->c[1], NULL, w));
	EXPECT_EQ(-EAGAIN, urpc_try_recv(self->c[1], NULL, w));
}

TEST_HARNESS_MAIN
