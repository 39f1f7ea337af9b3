// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_call - call and return, in one line and over the rings
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

#define END	0xe4d

FIXTURE(call)
{
	struct urpc_channel *c[2];
	pthread_t thread;
	int served;		/* errno that ended the callee */
	unsigned int slow;	/* it dawdles */
};

FIXTURE_VARIANT(call)
{
	struct urpc_channel_attr attr;
};

FIXTURE_VARIANT_ADD(call, guarded)
{
	.attr = { .slots = 16 },
};

FIXTURE_VARIANT_ADD(call, guarded_sleeping)
{
	.attr = { .slots = 16, .poll_ns = -1 },
};

FIXTURE_VARIANT_ADD(call, shared)
{
	.attr = { .slots = 16, .level = URPC_SHARED },
};

FIXTURE_VARIANT_ADD(call, shared_sleeping)
{
	.attr = { .slots = 16, .level = URPC_SHARED, .poll_ns = -1 },
};

FIXTURE_VARIANT_ADD(call, shared_rmw)
{
	.attr = { .slots = 16, .level = URPC_SHARED,
		  .poll_mode = URPC_POLL_RMW },
};

FIXTURE_SETUP(call)
{
	ASSERT_EQ(0, urpc_pair(&variant->attr, self->c));
	self->thread = 0;
	self->slow = 0;
}

FIXTURE_TEARDOWN(call)
{
	urpc_close(self->c[0]);
	if (self->thread)
		pthread_join(self->thread, NULL);
	urpc_close(self->c[1]);
}

/* Answers n with n + 1. */
static void *serve(void *arg)
{
	FIXTURE_DATA(call) *self = arg;
	uint64_t w[URPC_SLOT_WORDS], seed = 99;
	uint32_t tag;
	int ret;

	do {
		ret = urpc_call_next(self->c[1], &tag, w, BOUND_NS);
		if (self->slow)
			idle_for(next_random(&seed) % self->slow);
		if (!ret && !is_message(w, tag))
			ret = -EILSEQ;
		fill_message(w, tag + 1ull);
		if (!ret)
			ret = urpc_call_reply(self->c[1], tag + 1, w);
	} while (!ret && tag != END);
	self->served = ret;
	return NULL;
}

static void start_serving(FIXTURE_DATA(call) *self)
{
	must(!pthread_create(&self->thread, NULL, serve, self), "thread");
}

TEST_F(call, many)
{
	uint64_t w[URPC_SLOT_WORDS], r[URPC_SLOT_WORDS];
	uint32_t i, tag;

	start_serving(self);
	for (i = 1000000; i < 1005000; i++) {
		fill_message(w, i);
		ASSERT_EQ(0, urpc_call(self->c[0], i, w, &tag, r, BOUND_NS));
		ASSERT_EQ(i + 1, tag);
		ASSERT_TRUE(is_message(r, i + 1));
	}
	fill_message(w, END);
	EXPECT_EQ(0, urpc_call(self->c[0], END, w, NULL, w, -1));
	pthread_join(self->thread, NULL);
	self->thread = 0;
	EXPECT_EQ(0, self->served);
}

/* A reply that comes just when the caller goes to sleep wakes it. */
TEST_F(call, slow_callee)
{
	double end = seconds_now() + test_seconds(0.2);
	uint64_t w[URPC_SLOT_WORDS], seed = 7;
	uint32_t i = 5000, tag;

	self->slow = 300;
	start_serving(self);
	while (seconds_now() < end) {
		fill_message(w, ++i);
		idle_for(next_random(&seed) % 300);
		ASSERT_EQ(0, urpc_call(self->c[0], i, w, &tag, w, BOUND_NS));
		ASSERT_EQ(i + 1, tag);
		ASSERT_TRUE(is_message(w, i + 1));
	}
}

TEST_F(call, runs_out_of_time)
{
	uint64_t w[URPC_SLOT_WORDS], r[URPC_SLOT_WORDS];
	uint32_t tag;

	fill_message(w, 40);
	EXPECT_EQ(-ETIMEDOUT, urpc_call(self->c[0], 40, w, &tag, r, MS));
	EXPECT_EQ(-EBUSY, urpc_call_start(self->c[0], 41, w));
	EXPECT_EQ(-EAGAIN, urpc_call_finish(self->c[0], &tag, r, 0));
	ASSERT_EQ(0, urpc_call_next(self->c[1], &tag, r, -1));
	EXPECT_EQ(40, tag);
	EXPECT_TRUE(is_message(r, 40));
	EXPECT_EQ(-EBUSY, urpc_call_next(self->c[1], &tag, r, 0));
	fill_message(w, 50);
	ASSERT_EQ(0, urpc_call_reply(self->c[1], 50, w));
	EXPECT_EQ(-EINVAL, urpc_call_reply(self->c[1], 50, w));
	EXPECT_EQ(0, urpc_call_finish(self->c[0], &tag, r, -1));
	EXPECT_EQ(50, tag);
	EXPECT_TRUE(is_message(r, 50));
	EXPECT_EQ(-EINVAL, urpc_call_finish(self->c[0], &tag, r, -1));
	EXPECT_EQ(-EAGAIN, urpc_call_next(self->c[1], &tag, r, 0));
	EXPECT_EQ(-ETIMEDOUT, urpc_call_next(self->c[1], &tag, r, MS));
}

TEST_F(call, only_from_the_side_that_connected)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };

	EXPECT_EQ(0, urpc_channel_side(self->c[0]));
	EXPECT_EQ(1, urpc_channel_side(self->c[1]));
	EXPECT_EQ(-EINVAL, urpc_call(self->c[1], 0, w, NULL, w, -1));
	EXPECT_EQ(-EINVAL, urpc_call_next(self->c[0], NULL, w, -1));
	EXPECT_EQ(-EINVAL, urpc_call_reply(self->c[0], 0, w));
	EXPECT_EQ(-EINVAL, urpc_call_finish(self->c[1], NULL, w, -1));
}

TEST_F(call, peer_is_gone)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };

	ASSERT_EQ(0, urpc_call_start(self->c[0], 0, w));
	urpc_close(self->c[1]);
	self->c[1] = NULL;
	EXPECT_EQ(-EPIPE, urpc_call_finish(self->c[0], NULL, w, BOUND_NS));
}

/* Messages go beside calls in one line, and in turn with them over a ring. */
TEST_F(call, among_messages)
{
	bool one_line = variant->attr.level == URPC_SHARED;
	uint64_t w[URPC_SLOT_WORDS], r[URPC_SLOT_WORDS];
	uint32_t tag;

	fill_message(w, 1);
	ASSERT_EQ(0, urpc_try_send(self->c[0], 1, w));
	ASSERT_EQ(0, urpc_call_start(self->c[0], 2, w));
	EXPECT_EQ(one_line ? 0 : -EMSGSIZE,
		  urpc_call_next(self->c[1], &tag, r, -1));
	if (one_line)
		EXPECT_EQ(2, tag);
	ASSERT_EQ(0, urpc_try_recv(self->c[1], &tag, r));
	EXPECT_EQ(1, tag);
	if (!one_line) {
		EXPECT_EQ(-EMSGSIZE, urpc_try_recv(self->c[1], &tag, r));
		ASSERT_EQ(0, urpc_call_next(self->c[1], &tag, r, -1));
		EXPECT_EQ(2, tag);
	}
	ASSERT_EQ(0, urpc_try_send(self->c[1], 3, w));
	ASSERT_EQ(0, urpc_call_reply(self->c[1], 4, w));
	EXPECT_EQ(one_line ? 0 : -EMSGSIZE,
		  urpc_call_finish(self->c[0], &tag, r, -1));
	ASSERT_EQ(0, urpc_try_recv(self->c[0], &tag, r));
	EXPECT_EQ(3, tag);
	if (!one_line) {
		EXPECT_EQ(-EMSGSIZE, urpc_try_recv(self->c[0], &tag, r));
		ASSERT_EQ(0, urpc_call_finish(self->c[0], &tag, r, -1));
		EXPECT_EQ(4, tag);
	}
}

TEST_HARNESS_MAIN
