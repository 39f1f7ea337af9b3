// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_soak - many messages in every way, none lost, doubled or out of order
 *
 *   urpc_soak [MESSAGES [SEED]]
 *
 * Two processes.  One sends in all the ways there are, the other receives
 * likewise; both pause now and then, for as long as it takes to fall asleep or
 * much longer, and are moved between CPUs.  Every 65536 messages the receiver
 * says how far it is.  make soak: 10^9 messages.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "urpc_test.h"

#define REPORT		65536
#define BULK_MAX	3000

static uint64_t messages = 2000000;
static uint64_t seed = 1;

/* Seldom; mostly short, once in a while long enough for anything. */
static void pause_at_random(uint64_t *state)
{
	uint64_t r = next_random(state);
	int cpus[64];

	if (r % 512)
		return;
	r >>= 16;
	switch (r % 64) {
	case 0:
		usleep((r >> 8) % 3000);
		break;
	case 1:
		move_thread(0, cpus[(r >> 8) % usable_cpus(cpus, 64)]);
		break;
	default:
		idle_for((r >> 8) % 300);
		break;
	}
}

/* The bytes of bulk message @n, and how many. */
static size_t bulk_of(uint8_t *data, uint64_t n)
{
	size_t size = 8 + (n * 2654435761u >> 7) % (BULK_MAX - 8), i;

	memcpy(data, &n, sizeof(n));
	for (i = 8; i < size; i++)
		data[i] = (uint8_t)(n + i);
	return size;
}

/* --- the sender ---------------------------------------------------------- */

static int send_one(struct urpc_channel *c, uint64_t n, uint64_t how)
{
	uint64_t w[URPC_SLOT_WORDS];
	struct urpc_slot *s;
	uint8_t data[BULK_MAX];
	unsigned int i;
	int ret;

	switch (how) {
	case 0:
		return urpc_send_bulk(c, (uint32_t)n, data, bulk_of(data, n),
				      BOUND_NS);
	case 1:
		ret = urpc_slot_timed(c, &s, BOUND_NS);
		if (ret)
			return ret;
		fill_message(w, n);
		for (i = 0; i < URPC_SLOT_WORDS; i++)
			s->word[i] = w[i];
		urpc_publish(c, (uint32_t)n);
		return 0;
	default:
		fill_message(w, n);
		return urpc_send_timed(c, (uint32_t)n, w, BOUND_NS);
	}
}

static int send_many(struct urpc_channel *c, uint64_t n, unsigned int count)
{
	struct urpc_message m[64];
	unsigned int i;
	int ret;

	for (i = 0; i < count; i++) {
		fill_message(m[i].word, n + i);
		m[i].tag = (uint32_t)(n + i);
	}
	ret = urpc_send_batch(c, m, count, BOUND_NS);
	return ret == (int)count ? 0 : ret < 0 ? ret : -ETIMEDOUT;
}

/* What the receiver says must be what it can know, and in time. */
static int take_reports(struct urpc_channel *c, uint64_t sent, uint64_t *seen)
{
	uint64_t w[URPC_SLOT_WORDS];
	int ret;

	while (!(ret = urpc_try_recv(c, NULL, w))) {
		*seen += REPORT;
		if (w[0] != *seen || w[0] > sent)
			return -EILSEQ;
	}
	return ret == -EAGAIN ? 0 : ret;
}

static int sender(struct urpc_channel *c, void *arg)
{
	uint64_t state = seed * 7919 + 1, n = 0, seen = 0, r, k;
	uint64_t w[URPC_SLOT_WORDS];
	int ret = 0;

	(void)arg;
	while (!ret && n < messages) {
		r = next_random(&state);
		k = 1;
		if (r & 64)
			k = 1 + (r >> 8) % 64;
		if (k > messages - n)
			k = messages - n;
		ret = k > 1 ? send_many(c, n, (unsigned int)k) :
			      send_one(c, n, r >> 16 & 31);
		n += k;
		if (!ret)
			ret = take_reports(c, n, &seen);
		pause_at_random(&state);
	}
	if (ret)
		fprintf(stderr, "# sending message %llu: %s\n",
			(unsigned long long)n, strerror(-ret));
	/* the receiver has the last word */
	while (!ret)
		ret = urpc_recv_timed(c, NULL, w, BOUND_NS);
	return ret != -EPIPE;
}

/* --- the receiver -------------------------------------------------------- */

static int recv_bulk(struct urpc_channel *c, uint64_t n)
{
	uint8_t data[BULK_MAX], want[BULK_MAX];
	ssize_t ret;
	uint32_t tag;

	ret = urpc_recv_bulk(c, &tag, data, sizeof(data), BOUND_NS);
	if (ret < 0)
		return (int)ret;
	if (tag != (uint32_t)n || ret != (ssize_t)bulk_of(want, n) ||
	    memcmp(data, want, (size_t)ret))
		return -EILSEQ;
	return 1;
}

static int recv_in_place(struct urpc_channel *c, uint64_t n)
{
	const struct urpc_slot *s;
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t tag;
	int ret = urpc_peek_timed(c, &s, &tag, BOUND_NS);

	if (ret)
		return ret;
	memcpy(w, s->word, sizeof(w));
	urpc_done(c);
	return tag == (uint32_t)n && is_message(w, n) ? 1 : -EILSEQ;
}

static int recv_many(struct urpc_channel *c, uint64_t n, unsigned int count)
{
	struct urpc_message m[64];
	int i, ret = urpc_recv_batch(c, m, count, BOUND_NS);

	for (i = 0; i < ret; i++)
		if (m[i].tag != (uint32_t)(n + i) ||
		    !is_message(m[i].word, n + i))
			return -EILSEQ;
	return ret;
}

/* How many came, in one of the ways. */
static int receive(struct urpc_channel *c, uint64_t n, uint64_t r)
{
	int ret = r & 7 ? recv_many(c, n, 1 + (r >> 8) % 64) :
			  recv_in_place(c, n);

	return ret == -EMSGSIZE ? recv_bulk(c, n) : ret;
}

static int run(void)
{
	/* shorter than most pauses, or there would be no sleep */
	const struct urpc_channel_attr attr = { .slots = 64, .poll_ns = 1000 };
	uint64_t state = seed * 104729 + 1, n = 0, said = 0, w[7] = { 0 };
	double began = seconds_now(), shown = began;
	struct urpc_channel *c;
	struct urpc_stats s;
	pid_t pid;
	int ret = 0;

	pid = spawn_peer(&attr, sender, NULL, &c);
	while (ret >= 0 && n < messages) {
		ret = receive(c, n, next_random(&state));
		if (ret > 0)
			n += (uint64_t)ret;
		while (ret >= 0 && n - said >= REPORT) {
			said += REPORT;
			w[0] = said;
			ret = urpc_send_timed(c, 0, w, BOUND_NS);
		}
		pause_at_random(&state);
		if (isatty(2) && seconds_now() > shown + 1) {
			shown = seconds_now();
			fprintf(stderr, "\r%llu of %llu ",
				(unsigned long long)n,
				(unsigned long long)messages);
		}
	}
	urpc_get_stats(c, &s);
	printf("# %.1f s, seed %llu; receiver: sleeps %llu, wakes %llu, spurious %llu\n",
	       seconds_now() - began, (unsigned long long)seed, s.sleeps,
	       s.wakes, s.spurious);
	if (ret < 0)
		printf("# Expected message %llu, got: %s\n",
		       (unsigned long long)n, strerror(-ret));
	if (ret >= 0 && s.sleeps < messages / 100000) {
		printf("# Expected more sleeps in so many messages\n");
		ret = -EILSEQ;
	}
	if (ret >= 0 && s.received != messages) {
		printf("# Expected %llu to be counted, got %llu\n",
		       (unsigned long long)messages, s.received);
		ret = -EILSEQ;
	}
	urpc_close(c);
	if (end_of(pid)) {
		printf("# Expected the sender to be content\n");
		ret = -EILSEQ;
	}
	return ret < 0;
}

int main(int argc, char **argv)
{
	int bad;

	if (argc > 1)
		messages = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		seed = strtoull(argv[2], NULL, 0);
	/* a wake-up that is lost ends the run */
	setenv("URPC_SLICE_MS", "60000", 1);
	printf("TAP version 13\n1..1\n");
	fflush(stdout);
	bad = run();
	printf("%s 1 %llu messages over %s\n", bad ? "not ok" : "ok",
	       (unsigned long long)messages, urpc_backend());
	return bad;
}
