/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queue_loops.h - the loops that are measured, for one kind of queue
 *
 * Include it after defining QUEUE(x), which makes names, QUEUE_TYPE, and
 *
 *   static inline void QUEUE(send)(QUEUE_TYPE *q, const uint64_t *word);
 *   static inline void QUEUE(recv)(QUEUE_TYPE *q, uint64_t *word);
 *
 * which wait until there is room, or a message.  QUEUE_OUT(d, side) and
 * QUEUE_IN(d, side) say which of the two each side sends and receives on, where
 * it is not the usual one.
 */
#ifndef QUEUE_OUT
#define QUEUE_OUT(d, side)	((d)->q[side])
#define QUEUE_IN(d, side)	((d)->q[!(side)])
#endif

/* There and back; returns ticks of the second half of the rounds. */
static uint64_t QUEUE(ping)(void *arg)
{
	struct duo *d = (struct duo *)arg;
	QUEUE_TYPE *out = (QUEUE_TYPE *)QUEUE_OUT(d, 0);
	QUEUE_TYPE *in = (QUEUE_TYPE *)QUEUE_IN(d, 0);
	uint64_t word[WORDS + 1], t = 0, n, bad = 0;

	for (n = 0; n < d->count; n++) {
		if (n == d->count / 2)
			t = rig_ticks();
		fill(word, n);
		QUEUE(send)(out, word);
		QUEUE(recv)(in, word);
		bad += !is_message(word, n);
	}
	t = rig_ticks() - t;
	d->errors[0] = bad;
	return t;
}

static uint64_t QUEUE(pong)(void *arg)
{
	struct duo *d = (struct duo *)arg;
	QUEUE_TYPE *in = (QUEUE_TYPE *)QUEUE_IN(d, 1);
	QUEUE_TYPE *out = (QUEUE_TYPE *)QUEUE_OUT(d, 1);
	uint64_t word[WORDS + 1], n, bad = 0;

	for (n = 0; n < d->count; n++) {
		QUEUE(recv)(in, word);
		bad += !is_message(word, n);
		QUEUE(send)(out, word);
	}
	d->errors[1] = bad;
	return 0;
}

#ifndef QUEUE_NO_STREAM
static uint64_t QUEUE(produce)(void *arg)
{
	struct duo *d = (struct duo *)arg;
	QUEUE_TYPE *out = (QUEUE_TYPE *)QUEUE_OUT(d, 0);
	uint64_t word[WORDS + 1], n;

	for (n = 0; n < d->count; n++) {
		fill(word, n);
		QUEUE(send)(out, word);
	}
	d->errors[0] = 0;
	return 0;
}

/* Ticks from the end of the first quarter to the end. */
static uint64_t QUEUE(consume)(void *arg)
{
	struct duo *d = (struct duo *)arg;
	QUEUE_TYPE *in = (QUEUE_TYPE *)QUEUE_IN(d, 1);
	uint64_t word[WORDS + 1], t = 0, n, bad = 0;

	for (n = 0; n < d->count; n++) {
		if (n == d->count / 4)
			t = rig_ticks();
		QUEUE(recv)(in, word);
		bad += !is_message(word, n);
	}
	t = rig_ticks() - t;
	d->errors[1] = bad;
	return t;
}
#endif
