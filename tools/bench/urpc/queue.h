/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queue.h - what is compared: queues between two threads
 *
 * Every queue carries messages of 64 bytes at most, seven words of payload.
 * What runs on the two CPUs is the same code for all of them, compiled once a
 * queue by including queue_loops.h, so that sending and receiving are inlined
 * as in a program that uses that queue.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define WORDS	7

/* Nobody's line is next to another's: hardware fetches pairs. */
#define APART	__attribute__((aligned(128)))

struct message {
	uint64_t word[WORDS + 1];
} __attribute__((aligned(64)));

/**
 * struct duo - two queues, one a direction
 * @q: as the queue likes it
 * @count: messages
 * @errors: out: messages that were not the ones expected
 */
struct duo {
	void *q[2];
	uint64_t count;
	uint64_t errors[2];
};

/**
 * struct queue - one kind of queue
 * @name: as in the rows
 * @backend: of ours "memfd" or "module", else what it is made of
 * @packaged: a distribution has it
 * @blocks: receiving sleeps
 * @open: make both queues of @slots; false: why is in @why
 * @close: undo it
 * @pingpong: what the two sides run to send a message there and back
 * @stream: what they run to send one way; the second one returns ticks
 */
struct queue {
	const char *name;
	const char *backend;
	bool packaged;
	bool blocks;
	bool (*open)(struct duo *d, unsigned int slots, const char **why);
	void (*close)(struct duo *d);
	uint64_t (*pingpong[2])(void *duo);
	uint64_t (*stream[2])(void *duo);
};

extern const struct queue queue_guarded, queue_shared, queue_guarded_batch,
	queue_shared_batch, queue_guarded_call, queue_shared_call,
	queue_guarded_block, queue_shared_block, queue_guarded_no_look,
	queue_shared_marks;
extern const struct queue queue_lamport, queue_fastforward;
extern const struct queue queue_pipe, queue_socketpair, queue_eventfd,
	queue_futex;
/* Where the headers of the packages were there: else all zero. */
extern const struct queue queue_ck, queue_rte, queue_boost;

/* Sending and receiving are part of the loop, for each kind of queue. */
#define INLINE	static inline __attribute__((always_inline))

static inline void pause_once(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#else
	__asm__ __volatile__("yield" : : : "memory");
#endif
}

/* Message @n. */
static inline void fill(uint64_t *word, uint64_t n)
{
	int i;

#pragma GCC unroll 8
	for (i = 0; i < WORDS; i++)
		word[i] = n + (uint64_t)i;
}

static inline bool is_message(const uint64_t *word, uint64_t n)
{
	uint64_t sum = 0;
	int i;

#pragma GCC unroll 8
	for (i = 0; i < WORDS; i++)
		sum += word[i];
	return sum == n * WORDS + WORDS * (WORDS - 1) / 2;
}

#endif /* QUEUE_H */
