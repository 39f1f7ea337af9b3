// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz.c - run a fuzz target on random inputs, as TAP
 *
 *   fuzz-TARGET [SECONDS [SEED]]     random inputs
 *   fuzz-TARGET --input FILE         that one
 *
 * The input that broke the target is left in fuzz-crash.bin.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_INPUT	1024

static uint64_t state;
static uint8_t input[MAX_INPUT];
static size_t input_size;

static uint64_t next_random(void)
{
	/* xorshift64*, Vigna 2016 */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static void keep_input(int sig)
{
	int fd = open("fuzz-crash.bin", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd >= 0 && write(fd, input, input_size) < 0)
		_exit(2);
	signal(sig, SIG_DFL);
	raise(sig);
}

static int one_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, input, sizeof(input));

	if (n < 0) {
		perror(path);
		return 1;
	}
	return LLVMFuzzerTestOneInput(input, (size_t)n);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 5;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
	unsigned long runs = 0;
	time_t end;
	size_t k;

	if (argc == 3 && !strcmp(argv[1], "--input"))
		return one_file(argv[2]);
	if (!seed)
		seed = (uint64_t)time(NULL) * 2654435761u;
	printf("TAP version 13\n1..1\n# seed %llu\n",
	       (unsigned long long)seed);
	fflush(stdout);
	state = seed;
	signal(SIGABRT, keep_input);
	signal(SIGSEGV, keep_input);
	signal(SIGALRM, keep_input);
	end = time(NULL) + (time_t)seconds;
	while (time(NULL) < end) {
		/* an input that takes seconds is a hang */
		alarm(5);
		for (unsigned int n = 0; n < 1000; n++, runs++) {
			input_size = 1 + next_random() % MAX_INPUT;
			for (k = 0; k < input_size; k++)
				input[k] = (uint8_t)next_random();
			input_size = fuzz_shape(input, input_size,
						next_random);
			LLVMFuzzerTestOneInput(input, input_size);
		}
	}
	printf("ok 1 fuzz # %lu inputs\n", runs);
	return 0;
}
