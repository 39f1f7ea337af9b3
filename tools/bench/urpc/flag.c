// SPDX-License-Identifier: GPL-2.0-only
/*
 * flag.c - what it costs a sender to look whether its peer sleeps
 *
 * Instructions are counted one by one with the trap flag, for there may be no
 * counter; time by turns of the same stream with and without the look.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "rig.h"
#include "urpc.h"

#define SLOTS	1024
#define FEW	16
#define MANY	80
#define TURNS	30
#define COUNT	100000

static const char *const looks[] = { "a sender that does not look" };

#ifdef __x86_64__

static volatile uint64_t steps;

static void step(int sig)
{
	(void)sig;
	steps++;
}

#define TRAP_FLAG	0x100

static __attribute__((noinline)) void send_with(struct urpc_channel *c,
						unsigned int n)
{
	uint64_t word[WORDS] = { 0 };

	while (n--)
		if (urpc_try_send(c, 0, word))
			abort();
}

/* The same without the look; nothing else differs. */
static __attribute__((noinline)) void send_without(struct urpc_channel *c,
						   unsigned int n)
{
	uint64_t word[WORDS] = { 0 };

	while (n--) {
		struct urpc_slot *s;

		if (urpc_try_slot(c, &s))
			abort();
		__urpc_fill(s, word);
		urpc_tx_publish(&c->tx, urpc_ctl(0, URPC_KIND_MESSAGE, 0));
	}
}

static __attribute__((noinline)) uint64_t
count_steps(void (*send)(struct urpc_channel *, unsigned int),
	    struct urpc_channel *c, unsigned int n)
{
	uint64_t flags = __builtin_ia32_readeflags_u64();

	steps = 0;
	__builtin_ia32_writeeflags_u64(flags | TRAP_FLAG);
	send(c, n);
	__builtin_ia32_writeeflags_u64(flags & ~(uint64_t)TRAP_FLAG);
	return steps;
}

/* Instructions a message: what does not grow with their number is taken off. */
static double instructions(void (*send)(struct urpc_channel *, unsigned int))
{
	const struct urpc_channel_attr attr = { .slots = SLOTS };
	struct urpc_channel *c[2];
	uint64_t few, many;

	if (urpc_pair(&attr, c))
		return -1;
	/* the first message asks for room, which later ones do not */
	send(c[0], 1);
	few = count_steps(send, c[0], FEW);
	many = count_steps(send, c[0], MANY);
	urpc_close(c[0]);
	urpc_close(c[1]);
	return (double)(many - few) / (MANY - FEW);
}

static void bench_instructions(struct nm_result *r)
{
	struct sigaction act = { .sa_handler = step }, before;
	double with, without, more;

	sigaction(SIGTRAP, &act, &before);
	with = instructions(send_with);
	without = instructions(send_without);
	sigaction(SIGTRAP, &before, NULL);
	if (with < 0 || without < 0) {
		null_row(r, "", "flag_instructions", "instr/message", "lower",
			 "memfd", "no channel could be made");
		return;
	}
	more = with - without;
	add_row(r, "", "flag_instructions", "instr/message", looks[0], "lower",
		"memfd", &more, 1);
	add_row(r, "guarded", "send_instructions", "instr/message", NULL,
		"lower", "memfd", &with, 1);
}

#else

static void bench_instructions(struct nm_result *r)
{
	null_row(r, "", "flag_instructions", "instr/message", "lower", "memfd",
		 "instructions are counted on x86-64 only");
}

#endif

void bench_flag(struct nm_result *r, bool quick)
{
	unsigned int turns = quick ? 6 : TURNS, i;
	double v[TURNS], with, without;
	const char *why = NULL;

	bench_instructions(r);
	rig_realtime(true);
	for (i = 0; i < turns; i++) {
		with = measure_stream(&queue_guarded, 64, COUNT, &why);
		without = measure_stream(&queue_guarded_no_look, 64, COUNT,
					 &why);
		v[i] = without / with;
	}
	rig_realtime(false);
	add_row(r, "guarded", "flag_time", "ratio", looks[0], "lower", "memfd",
		v, turns);
}
