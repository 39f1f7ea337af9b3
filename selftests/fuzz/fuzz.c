// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz.c - run a fuzz target on the inputs that once broke it, then on random
 * ones, as TAP
 *
 *   fuzz-TARGET [SECONDS [SEED]]     the corpus, then random inputs
 *   fuzz-TARGET --input FILE...      these
 *
 * The input that broke the target is left in build/fuzz-TARGET.crash.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define ROOM	1024
#define CORPUS		"selftests/fuzz/corpus/" FUZZ_TARGET
#define KEPT		"build/fuzz-" FUZZ_TARGET ".crash"

static uint64_t state;
static uint8_t input[ROOM];
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
	static const char says[] =
		"# cannot go on: again with build/tests/fuzz-" FUZZ_TARGET
		" --input " KEPT "\n";
	int fd = open(KEPT, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t done;

	if (fd < 0)
		_exit(2);
	done = write(fd, input, input_size);
	close(fd);
	if (done < 0 || write(STDOUT_FILENO, says, sizeof(says) - 1) < 0)
		_exit(2);
	signal(sig, SIG_DFL);
	raise(sig);
}

static bool one_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, input, sizeof(input));
		close(fd);
	}
	if (n < 0) {
		perror(path);
		return false;
	}
	input_size = (size_t)n;
	LLVMFuzzerTestOneInput(input, input_size);
	return true;
}

/* Returns how many there were, -1 if one could not be read. */
static int corpus(void)
{
	struct dirent *e;
	DIR *dir = opendir(CORPUS);
	char path[512];
	int n = 0;

	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", e->d_name);
		if (!one_file(path))
			return -1;
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void random_input(void)
{
	size_t k;

	input_size = 1 + next_random() % ROOM;
	for (k = 0; k < input_size; k++)
		input[k] = (uint8_t)next_random();
	input_size = fuzz_shape(input, input_size, next_random);
	LLVMFuzzerTestOneInput(input, input_size);
}

static unsigned long random_inputs(double seconds)
{
	time_t end = time(NULL) + (time_t)seconds;
	unsigned long runs = 0;
	unsigned int n;

	while (time(NULL) < end) {
		/* an input that takes seconds is a hang */
		alarm(10);
		for (n = 0; n < 1000; n++, runs++)
			random_input();
	}
	alarm(0);
	return runs;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 5;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;
	unsigned long runs;
	int files;

	if (argc > 2 && !strcmp(argv[1], "--input")) {
		for (argv += 2; *argv; argv++)
			if (!one_file(*argv))
				return 1;
		return 0;
	}
	if (!seed)
		seed = (uint64_t)time(NULL) * 2654435761u;
	printf("TAP version 13\n1..2\n# seed %llu\n",
	       (unsigned long long)seed);
	fflush(stdout);
	state = seed;
	signal(SIGABRT, keep_input);
	signal(SIGSEGV, keep_input);
	signal(SIGALRM, keep_input);
	files = corpus();
	printf("%s 1 corpus # %d inputs\n", files < 0 ? "not ok" : "ok",
	       files);
	fflush(stdout);
	runs = random_inputs(seconds);
	fuzz_report();
	printf("%s 2 random # %lu inputs\n", runs ? "ok" : "not ok", runs);
	return files < 0 || !runs;
}
