// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_sleep - sleeping and waking while everything happens at the wrong moment
 *
 * Each side does nothing for a random time around what it takes to fall
 * asleep, so that messages and acknowledgements come just then, and threads
 * are moved between CPUs meanwhile.  A wake-up that is lost is not made good:
 * without the module sleeps are not cut in slices here (URPC_SLICE_MS), so
 * BOUND_NS ends the wait and the test.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

/* More PAUSEs than it takes to fall asleep. */
#define LONGEST		300

/* On a slow machine, too, so many. */
#define AT_LEAST	300

struct side {
	struct urpc_channel *c;
	double end;
	uint64_t seed;
	pid_t tid;
	uint64_t n;
	int ret;
	bool wrong;
};

static void dawdle(struct side *s)
{
	uint64_t r = next_random(&s->seed);

	/* in turns: full speed, and any pause */
	if (r & 7)
		idle_for((r >> 8) % LONGEST);
}

static void *send_some(void *arg)
{
	struct side *s = arg;
	uint64_t w[URPC_SLOT_WORDS];
	bool last = false;

	urpc_store(&s->tid, (pid_t)syscall(SYS_gettid));
	while (!s->ret && !last) {
		last = s->n >= AT_LEAST && seconds_now() > s->end;
		fill_message(w, s->n);
		s->ret = urpc_send_timed(s->c, last, w, BOUND_NS);
		s->n++;
		dawdle(s);
	}
	return NULL;
}

static void *recv_some(void *arg)
{
	struct side *s = arg;
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t last = 0;

	urpc_store(&s->tid, (pid_t)syscall(SYS_gettid));
	while (!s->ret && !last && !s->wrong) {
		s->ret = urpc_recv_timed(s->c, &last, w, BOUND_NS);
		s->wrong = !s->ret && !is_message(w, s->n);
		s->n++;
		dawdle(s);
	}
	return NULL;
}

/* Move the threads about until their time is over. */
static void move_about(struct side *const *s, unsigned int nr, double end)
{
	uint64_t seed = 4242;
	unsigned int n, i;
	int cpus[64];

	n = usable_cpus(cpus, 64);
	for (i = 0; seconds_now() < end; i++) {
		pid_t tid = urpc_load(&s[i % nr]->tid);

		if (tid)
			move_thread(tid, cpus[next_random(&seed) % n]);
		usleep(next_random(&seed) % 500);
	}
}

FIXTURE(sleep)
{
	struct side from, to;
};

FIXTURE_VARIANT(sleep)
{
	struct urpc_channel_attr attr;
};

FIXTURE_VARIANT_ADD(sleep, guarded_always)
{
	.attr = { .slots = 16, .poll_ns = -1 },
};

FIXTURE_VARIANT_ADD(sleep, guarded_adaptive)
{
	.attr = { .slots = 16 },
};

FIXTURE_VARIANT_ADD(sleep, guarded_briefly)
{
	.attr = { .slots = 16, .poll_ns = 500 },
};

FIXTURE_VARIANT_ADD(sleep, shared_always)
{
	.attr = { .slots = 16, .level = URPC_SHARED, .poll_ns = -1 },
};

FIXTURE_VARIANT_ADD(sleep, marks_always)
{
	.attr = { .slots = 16, .level = URPC_SHARED, .poll_ns = -1,
		  .flags = URPC_ATTR_MARKS },
};

FIXTURE_SETUP(sleep)
{
	double end = seconds_now() + test_seconds(0.2);

	setenv("URPC_SLICE_MS", "60000", 1);
	self->from = (struct side){ .end = end, .seed = 11 };
	self->to = (struct side){ .end = end, .seed = 12 };
}

FIXTURE_TEARDOWN(sleep)
{
}

TEST_F(sleep, threads)
{
	struct side *const both[] = { &self->from, &self->to };
	struct urpc_channel *c[2];
	struct urpc_stats s;
	pthread_t t[2];

	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	self->from.c = c[0];
	self->to.c = c[1];
	must(!pthread_create(&t[0], NULL, send_some, &self->from), "thread");
	must(!pthread_create(&t[1], NULL, recv_some, &self->to), "thread");
	move_about(both, 2, self->from.end);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	EXPECT_EQ(0, self->from.ret);
	EXPECT_EQ(0, self->to.ret);
	EXPECT_FALSE(self->to.wrong);
	EXPECT_EQ(self->from.n, self->to.n);
	/* or it was no test of sleeping */
	ASSERT_EQ(0, urpc_get_stats(c[1], &s));
	if (variant->attr.poll_ns < 0)
		EXPECT_LT(3, s.sleeps);
	urpc_close(c[0]);
	urpc_close(c[1]);
}

static int child_sends(struct urpc_channel *c, void *arg)
{
	struct side *s = arg;

	s->c = c;
	send_some(s);
	return s->ret != 0;
}

TEST_F(sleep, processes)
{
	struct side *const mine[] = { &self->to };
	struct side *const both[] = { &self->to, &self->from };
	pthread_t t;
	pid_t pid;

	pid = spawn_peer(&variant->attr, child_sends, &self->from,
			 &self->to.c);
	self->from.tid = pid;
	must(!pthread_create(&t, NULL, recv_some, &self->to), "thread");
	move_about(pid ? both : mine, 2, self->from.end);
	pthread_join(t, NULL);
	EXPECT_EQ(0, end_of(pid));
	EXPECT_EQ(0, self->to.ret);
	EXPECT_FALSE(self->to.wrong);
	EXPECT_LE(AT_LEAST, self->to.n);
	urpc_close(self->to.c);
}

/* Both directions, a thread each: four sleepers on one channel. */
TEST_F(sleep, both_ways)
{
	struct side s[4] = {
		{ .seed = 21 }, { .seed = 22 }, { .seed = 23 }, { .seed = 24 },
	};
	struct side *const all[] = { &s[0], &s[1], &s[2], &s[3] };
	struct urpc_channel *c[2];
	pthread_t t[4];
	unsigned int i;

	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	for (i = 0; i < 4; i++) {
		s[i].c = c[i / 2 ^ (i & 1)];
		s[i].end = self->from.end;
		must(!pthread_create(&t[i], NULL, i & 1 ? recv_some :
							  send_some, &s[i]),
		     "thread");
	}
	move_about(all, 4, self->from.end);
	for (i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ(0, s[i].ret);
		EXPECT_FALSE(s[i].wrong);
	}
	EXPECT_EQ(s[0].n, s[1].n);
	EXPECT_EQ(s[2].n, s[3].n);
	urpc_close(c[0]);
	urpc_close(c[1]);
}

/* --- nothing comes after ------------------------------------------------- */

/*
 * A wake-up that is lost is made good by the next message, when there is one.
 * Here the next one waits for the answer to the last, which comes from a
 * thread that sleeps whenever it can; and the delays are fine and short, for
 * the moment in which a store may be overtaken is.  Without the barrier this
 * finds a lost wake-up in some thousand rounds.
 */
#define FINE	2000

static void fine_delay(uint64_t *seed)
{
	unsigned int n = next_random(seed) % FINE;

	while (n--)
		__asm__ __volatile__("" ::: "memory");
}

static void pin_to(unsigned int which)
{
	int cpus[2];
	unsigned int n = usable_cpus(cpus, 2);

	move_thread(0, cpus[which % n]);
}

static void *echo(void *arg)
{
	struct side *s = arg;
	uint64_t w[URPC_SLOT_WORDS];

	pin_to(1);
	do {
		s->ret = urpc_recv(s->c, NULL, w);
		if (!s->ret)
			s->ret = urpc_send(s->c, 0, w);
	} while (!s->ret);
	return NULL;
}

/* Look for a message, without sleeping, up to BOUND_NS. */
static int spin_recv(struct urpc_channel *c, uint64_t *w)
{
	double end = seconds_now() + BOUND_NS / 1e9;
	unsigned int n = 0;
	int ret;

	do {
		ret = urpc_try_recv(c, NULL, w);
		urpc_pause();
	} while (ret == -EAGAIN && (++n % 4096 || seconds_now() < end));
	return ret;
}

TEST_F(sleep, one_at_a_time)
{
	uint64_t w[URPC_SLOT_WORDS], n = 0, seed = 31;
	double end = seconds_now() + test_seconds(0.5);
	struct urpc_channel *c[2];
	pthread_t t;

	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	self->to.c = c[1];
	must(!pthread_create(&t, NULL, echo, &self->to), "thread");
	pin_to(0);
	for (; n % 64 || n < AT_LEAST || seconds_now() < end; n++) {
		fill_message(w, n);
		fine_delay(&seed);
		ASSERT_EQ(0, urpc_try_send(c[0], 0, w));
		ASSERT_EQ(0, spin_recv(c[0], w));
		ASSERT_TRUE(is_message(w, n));
	}
	urpc_close(c[0]);
	pthread_join(t, NULL);
	EXPECT_EQ(-EPIPE, self->to.ret);
	urpc_close(c[1]);
}

/* The same with room: the writer sleeps until a quarter ring is taken. */
static void *fill_up(void *arg)
{
	struct side *s = arg;
	uint64_t w[URPC_SLOT_WORDS];

	pin_to(1);
	do {
		fill_message(w, s->n++);
		s->ret = urpc_send(s->c, 0, w);
	} while (!s->ret);
	return NULL;
}

/* Until the ring is full again: the writer falls asleep now. */
static bool is_full_again(struct urpc_channel *c)
{
	double end = seconds_now() + BOUND_NS / 1e9;
	uint64_t last = c->rx.pos + c->rx.mask;
	const __u64 *ctl = &c->rx.slot[last & c->rx.mask].ctl;
	unsigned int n = 0;

	while ((urpc_load_acquire(ctl) ^ urpc_epoch(last, c->rx.shift)) &
	       URPC_CTL_EPOCH) {
		urpc_pause();
		if (!(++n % 4096) && seconds_now() > end)
			return false;
	}
	return true;
}

TEST_F(sleep, room_for_a_quarter)
{
	uint64_t w[URPC_SLOT_WORDS], n = 0, seed = 32;
	double end = seconds_now() + test_seconds(0.5);
	struct urpc_channel *c[2];
	pthread_t t;

	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	self->from.c = c[1];
	must(!pthread_create(&t, NULL, fill_up, &self->from), "thread");
	pin_to(0);
	for (; n % 64 || n < AT_LEAST || seconds_now() < end; n++) {
		if (n % 4 == 0) {
			ASSERT_TRUE(is_full_again(c[0]));
			fine_delay(&seed);
		}
		ASSERT_EQ(0, urpc_try_recv(c[0], NULL, w));
		ASSERT_TRUE(is_message(w, n));
	}
	urpc_close(c[0]);
	pthread_join(t, NULL);
	EXPECT_EQ(-EPIPE, self->from.ret);
	urpc_close(c[1]);
}

/* --- calls --------------------------------------------------------------- */

/* Requests and replies, with sleep words set in advance. */
static void *call_some(void *arg)
{
	struct side *s = arg;
	uint64_t w[URPC_SLOT_WORDS];
	bool last = false;
	uint32_t tag;

	urpc_store(&s->tid, (pid_t)syscall(SYS_gettid));
	while (!s->ret && !last && !s->wrong) {
		last = s->n >= AT_LEAST && seconds_now() > s->end;
		fill_message(w, s->n);
		s->ret = urpc_call(s->c, last, w, &tag, w, BOUND_NS);
		s->wrong = !s->ret && !is_message(w, s->n + 1);
		s->n++;
		dawdle(s);
	}
	return NULL;
}

static void *serve_some(void *arg)
{
	struct side *s = arg;
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t last = 0;

	urpc_store(&s->tid, (pid_t)syscall(SYS_gettid));
	while (!s->ret && !last && !s->wrong) {
		s->ret = urpc_call_next(s->c, &last, w, BOUND_NS);
		s->wrong = !s->ret && !is_message(w, s->n);
		s->n++;
		dawdle(s);
		fill_message(w, s->n);
		if (!s->ret)
			s->ret = urpc_call_reply(s->c, 0, w);
	}
	return NULL;
}

TEST_F(sleep, calls)
{
	struct side *const both[] = { &self->from, &self->to };
	struct urpc_channel *c[2];
	pthread_t t[2];

	ASSERT_EQ(0, urpc_pair(&variant->attr, c));
	self->from.c = c[0];
	self->to.c = c[1];
	must(!pthread_create(&t[0], NULL, call_some, &self->from), "thread");
	must(!pthread_create(&t[1], NULL, serve_some, &self->to), "thread");
	move_about(both, 2, self->from.end);
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	EXPECT_EQ(0, self->from.ret);
	EXPECT_EQ(0, self->to.ret);
	EXPECT_FALSE(self->from.wrong);
	EXPECT_FALSE(self->to.wrong);
	urpc_close(c[0]);
	urpc_close(c[1]);
}

TEST_HARNESS_MAIN
