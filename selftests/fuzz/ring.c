// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring - the sample ring under any order of producers and consumer
 *
 * A producer may be interrupted between reserving its slot and publishing it,
 * by others that do both.  Samples come out in the order in which their slots
 * were reserved, whole, none twice and none before the one in front of it is
 * published; a full ring refuses and loses nothing.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "ring.h"

#define MAX_SLOTS	16
#define MAX_NESTED	8

static struct {
	struct nm_ring *ring;
	u32 slots;
	u64 put;			/* samples reserved so far */
	u64 got;			/* samples read so far */
	bool published[MAX_SLOTS];	/* by number modulo slots */
	/* interrupted producers, innermost last */
	u32 nested[MAX_NESTED];
	u64 number[MAX_NESTED];
	unsigned int depth;
} f;

static unsigned long puts_done, gets_done, refused;

static struct nm_raw sample(u64 number)
{
	return (struct nm_raw){
		.addr = number, .mm = ~number, .mapping = number * 3,
		.pgoff = number << 7, .tgid = (u32)number,
		.target = (u32)number + 1, .cpu = (u32)number + 2,
		.home = (s16)number, .flags = (u8)number,
		.sampler = (u8)~number,
	};
}

static bool full(void)
{
	return f.put - f.got == f.slots;
}

static void put_one(void)
{
	struct nm_raw raw = sample(f.put);
	bool room = !full();

	fuzz_check(nm_ring_put(f.ring, &raw) == room, "refuses when full only");
	if (!room) {
		refused++;
		return;
	}
	f.published[f.put++ % f.slots] = true;
	puts_done++;
}

/* The first half of nm_ring_put(): what an interrupted producer has done. */
static void reserve_one(void)
{
	if (full() || f.depth == MAX_NESTED)
		return;
	f.nested[f.depth] = f.ring->head++;
	f.number[f.depth++] = f.put;
	f.published[f.put++ % f.slots] = false;
}

/* The innermost of them goes on. */
static void publish_one(void)
{
	struct nm_ring_slot *s;
	u32 head;

	if (!f.depth)
		return;
	head = f.nested[--f.depth];
	s = &f.ring->slot[head & f.ring->mask];
	s->raw = sample(f.number[f.depth]);
	smp_store_release(&s->seq, head + 1);
	f.published[f.number[f.depth] % f.slots] = true;
	puts_done++;
}

static void get_one(void)
{
	bool there = f.put != f.got && f.published[f.got % f.slots];
	struct nm_raw raw, wanted = sample(f.got);

	memset(&raw, 0, sizeof(raw));
	fuzz_check(nm_ring_get(f.ring, &raw) == there,
		   "gives what is published, in order, and nothing else");
	if (!there)
		return;
	fuzz_check(!memcmp(&raw, &wanted, sizeof(raw)), "whole");
	f.got++;
	gets_done++;
}

static void start(struct fuzz_bytes *in)
{
	u32 from;

	memset(&f, 0, sizeof(f));
	f.slots = 1u << (1 + fuzz_u8(in) % 4);
	f.ring = calloc(1, nm_ring_size(f.slots));
	nm_ring_init(f.ring, f.slots);
	/* the numbers wrap; slot n is the first to be used again */
	from = (u32)(-(s32)(fuzz_u8(in) % 40)) * f.slots;
	f.ring->head = from;
	f.ring->tail = from;
	for (u32 k = 0; from && k < f.slots; k++)
		f.ring->slot[k].seq = from - f.slots + k + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_bytes in = { data, size };

	start(&in);
	while (in.left) {
		switch (fuzz_u8(&in) % 8) {
		case 0:
			reserve_one();
			break;
		case 1:
			publish_one();
			break;
		case 2:
		case 3:
		case 4:
			get_one();
			break;
		default:
			put_one();
			break;
		}
		fuzz_check(nm_ring_used(f.ring) == f.put - f.got,
			   "what is in it is counted");
	}
	while (f.depth)
		publish_one();
	while (f.put != f.got)
		get_one();
	get_one();
	free(f.ring);
	return 0;
}

size_t fuzz_shape(uint8_t *data, size_t size, uint64_t (*random)(void))
{
	(void)data;
	(void)random;
	return size;
}

void fuzz_report(void)
{
	printf("# %lu samples put, %lu read, %lu refused\n", puts_done,
	       gets_done, refused);
}
