// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_poll - poll(2) and epoll on channels
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

FIXTURE(poll)
{
	struct urpc_channel *c[2];
	int fd;
};

FIXTURE_VARIANT(poll)
{
	struct urpc_channel_attr attr;
};

FIXTURE_VARIANT_ADD(poll, guarded)
{
	.attr = { .slots = 16 },
};

FIXTURE_VARIANT_ADD(poll, shared)
{
	.attr = { .slots = 16, .level = URPC_SHARED },
};

FIXTURE_SETUP(poll)
{
	ASSERT_EQ(0, urpc_pair(&variant->attr, self->c));
	self->fd = urpc_channel_fd(self->c[1]);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(self->fd, urpc_channel_fd(self->c[1]));
}

FIXTURE_TEARDOWN(poll)
{
	urpc_close(self->c[0]);
	urpc_close(self->c[1]);
}

static int readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms);
}

TEST_F(poll, level_triggered)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };

	EXPECT_EQ(0, urpc_poll_prepare(self->c[1]));
	EXPECT_EQ(0, readable(self->fd, 20));
	ASSERT_EQ(0, urpc_send(self->c[0], 0, w));
	ASSERT_EQ(0, urpc_send(self->c[0], 0, w));
	EXPECT_EQ(1, readable(self->fd, 10000));
	/* it stays so */
	EXPECT_EQ(1, readable(self->fd, 0));
	EXPECT_EQ(1, urpc_poll_prepare(self->c[1]));
	EXPECT_EQ(1, readable(self->fd, 10000));
	/* one of two */
	ASSERT_EQ(0, urpc_try_recv(self->c[1], NULL, w));
	EXPECT_EQ(1, urpc_poll_prepare(self->c[1]));
	EXPECT_EQ(1, readable(self->fd, 10000));
	ASSERT_EQ(0, urpc_try_recv(self->c[1], NULL, w));
	EXPECT_EQ(0, urpc_poll_prepare(self->c[1]));
	EXPECT_EQ(0, readable(self->fd, 20));
}

/* What was sent before anybody asked is there when somebody does. */
TEST_F(poll, sent_before)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };

	ASSERT_EQ(0, urpc_send(self->c[0], 0, w));
	EXPECT_EQ(1, urpc_poll_prepare(self->c[1]));
	EXPECT_EQ(1, readable(self->fd, 10000));
}

TEST_F(poll, peer_goes)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };

	ASSERT_EQ(0, urpc_send(self->c[0], 0, w));
	EXPECT_EQ(1, urpc_poll_prepare(self->c[1]));
	ASSERT_EQ(0, urpc_try_recv(self->c[1], NULL, w));
	EXPECT_EQ(0, urpc_poll_prepare(self->c[1]));
	EXPECT_EQ(0, readable(self->fd, 0));
	urpc_close(self->c[0]);
	self->c[0] = NULL;
	EXPECT_EQ(1, readable(self->fd, 10000));
	EXPECT_EQ(-EPIPE, urpc_poll_prepare(self->c[1]));
	EXPECT_EQ(1, readable(self->fd, 10000));
}

#define MANY		6
#define EACH		3000

struct sender {
	struct urpc_channel *c;
	uint64_t seed;
};

static void *send_with_pauses(void *arg)
{
	struct sender *s = arg;
	uint64_t w[URPC_SLOT_WORDS];
	uint64_t i;

	for (i = 0; i < EACH; i++) {
		fill_message(w, i);
		if (urpc_send_timed(s->c, (uint32_t)i, w, BOUND_NS))
			break;
		idle_for(next_random(&s->seed) % 100);
	}
	return NULL;
}

/* One thread waits for several channels at once, and misses nothing. */
TEST_F(poll, epoll_of_many)
{
	struct urpc_channel *c[MANY][2];
	uint64_t next[MANY] = { 0 }, w[URPC_SLOT_WORDS], got = 0;
	int set = epoll_create1(EPOLL_CLOEXEC);
	struct sender s[MANY];
	struct epoll_event ev;
	pthread_t t[MANY];
	uint32_t tag;
	int i, ret;

	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, urpc_pair(&variant->attr, c[i]));
		ev = (struct epoll_event){ .events = EPOLLIN, .data.u32 = i };
		ASSERT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD,
				       urpc_channel_fd(c[i][1]), &ev));
		ASSERT_LE(0, urpc_poll_prepare(c[i][1]));
		s[i] = (struct sender){ c[i][0], 77 + i };
		must(!pthread_create(&t[i], NULL, send_with_pauses, &s[i]),
		     "thread");
	}
	while (got < MANY * EACH) {
		ASSERT_EQ(1, epoll_wait(set, &ev, 1, 20000));
		i = ev.data.u32;
		for (;;) {
			ret = urpc_try_recv(c[i][1], &tag, w);
			if (ret)
				break;
			ASSERT_EQ((uint32_t)next[i], tag);
			ASSERT_TRUE(is_message(w, next[i]));
			next[i]++;
			got++;
		}
		ASSERT_EQ(-EAGAIN, ret);
		ASSERT_LE(0, urpc_poll_prepare(c[i][1]));
	}
	for (i = 0; i < MANY; i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ(EACH, next[i]);
		urpc_close(c[i][0]);
		urpc_close(c[i][1]);
	}
	close(set);
}

/*
 * While one thread polls for messages, another sends, and its looks at
 * whether the peer is there must not eat what the first one waits for.
 */
static void *echo(void *arg)
{
	struct urpc_channel *c = arg;
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t tag;

	while (!urpc_recv_timed(c, &tag, w, BOUND_NS))
		if (urpc_send_timed(c, tag, w, BOUND_NS))
			break;
	return NULL;
}

static void *send_all(void *arg)
{
	struct sender s = { arg, 5 };

	send_with_pauses(&s);
	return NULL;
}

TEST_F(poll, beside_a_sender)
{
	uint64_t w[URPC_SLOT_WORDS];
	uint64_t n = 0;
	pthread_t t[2];
	uint32_t tag;
	int ret;

	must(!pthread_create(&t[0], NULL, echo, self->c[0]), "thread");
	must(!pthread_create(&t[1], NULL, send_all, self->c[1]), "thread");
	while (n < EACH) {
		ret = urpc_try_recv(self->c[1], &tag, w);
		if (!ret) {
			ASSERT_EQ((uint32_t)n, tag);
			ASSERT_TRUE(is_message(w, n));
			n++;
			continue;
		}
		ASSERT_EQ(-EAGAIN, ret);
		ret = urpc_poll_prepare(self->c[1]);
		ASSERT_LE(0, ret);
		/* now and then just once more, as event loops do */
		ASSERT_EQ(1, readable(self->fd, 20000));
	}
	pthread_join(t[1], NULL);
	urpc_close(self->c[1]);
	self->c[1] = NULL;
	pthread_join(t[0], NULL);
}

TEST_HARNESS_MAIN
