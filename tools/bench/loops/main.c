// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - run one loop, for a sampler to look at
 *
 *   loops-* --list
 *   loops-* NAME SECONDS        until the time is over
 *   loops-* NAME --rounds N     so many rounds
 *
 * Prints a line per loop ("name uses stack hot region dev"), or before it runs
 * the buffers as "buffer N ADDRESS BYTES" and then "run", and waits for a line
 * on standard input before it starts.  At the end it prints the rounds done and
 * waits for the input to end, so that its memory can still be looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "sets.h"

static const struct loop *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < loops_dev_count; i++)
		if (!strcmp(loops_dev[i].name, name))
			return &loops_dev[i];
	for (i = 0; i < loops_heldout_count; i++)
		if (!strcmp(loops_heldout[i].name, name))
			return &loops_heldout[i];
	return NULL;
}

static void list(const struct loop *l, unsigned int n)
{
	for (; n--; l++)
		printf("%s %u %d %g %lu %d\n", l->name, l->uses, l->stack,
		       l->hot, l->region, l->dev);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void fill(uint8_t *p, uint64_t *x)
{
	size_t i;

	for (i = 0; i < LOOP_BYTES; i += 8)
		*(uint64_t *)(p + i) = loop_next(x);
}

int main(int argc, char **argv)
{
	struct loop_ctx c = { .x = 88172645463325252ull };
	const struct loop *l;
	unsigned long rounds = 0, want = 0;
	double end = 0;
	char line[64];
	int i;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		list(loops_dev, loops_dev_count);
		list(loops_heldout, loops_heldout_count);
		return 0;
	}
	l = argc > 2 ? find(argv[1]) : NULL;
	if (!l)
		return 2;
	if (argc > 3)
		want = strtoul(argv[3], NULL, 0);
	for (i = 0; i < LOOP_BUFFERS; i++) {
		c.buf[i] = mmap(NULL, LOOP_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (c.buf[i] == MAP_FAILED)
			return 1;
		madvise(c.buf[i], LOOP_BYTES, MADV_NOHUGEPAGE);
		fill(c.buf[i], &c.x);
		printf("buffer %d %lx %lx\n", i, (unsigned long)c.buf[i],
		       LOOP_BYTES);
	}
	if (l->prepare)
		l->prepare(&c);
	printf("run\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	if (!want)
		end = now() + atof(argv[2]);
	while (want ? rounds < want : now() < end) {
		l->run(&c);
		rounds++;
	}
	printf("rounds %lu %lu\n", rounds, (unsigned long)c.sink);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}
