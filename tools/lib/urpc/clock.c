// SPDX-License-Identifier: LGPL-2.1-only
/*
 * clock.c - time-outs, and how many looks fit in a time
 *
 * Whoever polls counts looks instead of reading a clock between them: a look
 * is a load that hits the cache and a PAUSE, and PAUSE takes what it takes on
 * this CPU, 25 ticks or 150.
 */
#include "internal.h"

#define LOOKS	256
#define TRIES	5

static uint32_t looks_per_ms;

int64_t ul_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * URPC_NS + t.tv_nsec;
}

/* INT64_MAX for one without end. */
int64_t ul_deadline_of(int64_t timeout_ns)
{
	int64_t now;

	if (timeout_ns < 0)
		return INT64_MAX;
	now = ul_now();
	return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

/* Negative without end, 0 when it is past. */
int64_t ul_time_left(int64_t deadline)
{
	int64_t left;

	if (deadline == INT64_MAX)
		return -1;
	left = deadline - ul_now();
	return left > 0 ? left : 0;
}

/* To be handed on as a time-out: never 0, which would not wait at all. */
int64_t ul_timeout_left(int64_t deadline)
{
	int64_t left = ul_time_left(deadline);

	return left ? left : 1;
}

/* For poll(2): rounded up, or the last millisecond would be spun through. */
int ul_poll_timeout(int64_t timeout_ns)
{
	int64_t ms;

	if (timeout_ns < 0)
		return -1;
	ms = timeout_ns / 1000000 + !!(timeout_ns % 1000000);
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* The fastest of a few tries: the others were interrupted. */
static uint32_t measure_looks(void)
{
	static uint64_t word;
	int64_t best = INT64_MAX, t;
	unsigned int i, n;

	for (i = 0; i < TRIES; i++) {
		t = ul_now();
		for (n = 0; n < LOOKS; n++) {
			(void)urpc_load_acquire(&word);
			urpc_pause();
		}
		t = ul_now() - t;
		if (t > 0 && t < best)
			best = t;
	}
	n = (uint32_t)(LOOKS * 1000000ll / best);
	return n ? n : 1;
}

/* How many looks take @ns. */
uint32_t ul_polls_in(int64_t ns)
{
	uint32_t rate = urpc_load(&looks_per_ms);
	uint64_t n;

	if (!rate) {
		rate = measure_looks();
		urpc_store(&looks_per_ms, rate);
	}
	if (ns > URPC_NS)
		ns = URPC_NS;
	n = (uint64_t)ns * rate / 1000000;
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}
