// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_race [SECONDS] - binds against faults, writes, truncation and the end of
 * processes, from all CPUs; what each page holds is known at each moment
 *
 * A reader of the disk reads block after block into a small region and looks,
 * as soon as the read returns and a moment later, that nothing of the block
 * before is left.  Meanwhile others touch the region without pause; a writer
 * writes one word of each page, which makes private copies all the time.
 *
 * As replicas-cowd_race, and as shared-cowd_race, with replicas=on: the reader
 * goes from node to node; and one reads on a node while memory is short.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <numa.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cowd_test.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define REGION	16
#define BLOCKS	8
#define WRITTEN	77		/* the word that the writer writes */
#define WORDS	(PAGE / 8)
#define ENOUGH	6		/* rounds, at least */

static struct place place;
static struct guest guest;
static int image;
static volatile bool stop;
static bool replicas;
static unsigned long torn, stale, reads, rounds, huge;
static int failed, test_no;

/* A word of an image whose pages each hold one number all over. */
static uint64_t content(unsigned int block, unsigned int page)
{
	return 0x1000000 + block * REGION + page;
}

static void make_image(void)
{
	static uint64_t mem[WORDS];
	char path[160];
	unsigned int b, p, w;
	int fd;

	snprintf(path, sizeof(path), "%s/blocks", place.images);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	must(fd >= 0, path);
	for (b = 0; b < BLOCKS; b++) {
		for (p = 0; p < REGION; p++) {
			for (w = 0; w < WORDS; w++)
				mem[w] = content(b, p);
			must(write(fd, mem, PAGE) == PAGE, "write");
		}
	}
	close(fd);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* A machine that is slow, or busy, takes longer for what has to happen. */
static bool go_on(double end, unsigned long done)
{
	return now() < end || done < ENOUGH;
}

static void result(bool ok, const char *what)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++test_no, what);
	failed += !ok;
}

/*
 * Is @x zero, or @want of which some bytes are zero?  A hole in a part of a
 * huge page is zeroed byte by byte while it is mapped, by shmem.
 */
static bool is_zeroed(uint64_t x, uint64_t want)
{
	for (; x; x >>= 8, want >>= 8)
		if (x & 0xff && (x & 0xff) != (want & 0xff))
			return false;
	return true;
}

/* A page shows one block or another, but never two of them. */
static void *toucher(void *arg)
{
	volatile uint64_t *mem;
	unsigned int p = 0, w;
	uint64_t b;

	while (!stop) {
		p = (p + 7) % REGION;
		mem = (uint64_t *)(guest.ram + p * PAGE);
		/* only what cannot be, whatever happens in between */
		for (w = 0; w < WORDS; w += 97) {
			b = mem[w];
			if (b & 0xff && (b - 0x1000000) % REGION != p &&
			    w != WRITTEN &&
			    __atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED) < 5)
				printf("# word %u of page %u was %lx\n", w, p, b);
		}
		__atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *writer(void *arg)
{
	unsigned int p = 0;

	while (!stop) {
		p = (p + 5) % REGION;
		((volatile uint64_t *)(guest.ram + p * PAGE))[WRITTEN] = p;
		sched_yield();
	}
	return NULL;
}

/* How many pages show anything but their block? */
static unsigned int wrong(unsigned int block, unsigned int first,
			  unsigned int n)
{
	unsigned int p, w, bad = 0;

	for (p = first; p < first + n; p++) {
		volatile uint64_t *mem = (uint64_t *)(guest.ram + p * PAGE);

		for (w = 0; w < WORDS; w++) {
			if (w == WRITTEN || mem[w] == content(block, p))
				continue;
			bad++;
			break;
		}
	}
	return bad;
}

static void read_blocks(double seconds, unsigned int n)
{
	double end = now() + seconds;
	unsigned int block = 0, first;

	rounds = 0;
	stale = 0;
	while (go_on(end, rounds)) {
		if (replicas)
			numa_run_on_node(rounds / 5 % (numa_max_node() + 1));
		block = (block + 3) % BLOCKS;
		first = rounds * n % REGION;
		if (pread(image, guest.ram + first * PAGE, n * PAGE,
			  (block * REGION + first) * PAGE) !=
		    (ssize_t)(n * PAGE)) {
			stale += 1000000;
			break;
		}
		stale += wrong(block, first, n);
		usleep(rounds % 4 * 100);
		stale += wrong(block, first, n);
		rounds++;
	}
}

/*
 * Shared memory: huge pages come around what is bound, again and again, and a
 * pipe holds a part of them at times, so that they cannot be split then.
 */
static void *huge_maker(void *arg)
{
	struct iovec v = { guest.ram + 100 * PAGE, PAGE };
	static char page[PAGE];
	int fd[2];

	must(!pipe(fd), "pipe");
	while (!stop && shared_mode()) {
		fallocate(guest.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  REGION * PAGE, (512 - REGION) * PAGE);
		((volatile char *)v.iov_base)[5]++;
		must(vmsplice(fd[1], &v, 1, 0) == PAGE, "vmsplice");
		madvise(guest.ram, 512 * PAGE, MADV_PAGEOUT);
		usleep(200);
		must(read(fd[0], page, PAGE) == PAGE, "pipe");
		if (page[5] != 1 || page[4] || page[6])
			__atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
		huge++;
	}
	close(fd[0]);
	close(fd[1]);
	return NULL;
}

static void run_binds(double seconds, unsigned int n, const char *what)
{
	pthread_t t[4];
	unsigned int i;

	stop = false;
	torn = 0;
	reads = 0;
	huge = 0;
	pthread_create(&t[0], NULL, toucher, NULL);
	pthread_create(&t[1], NULL, toucher, NULL);
	pthread_create(&t[2], NULL, writer, NULL);
	pthread_create(&t[3], NULL, huge_maker, NULL);
	read_blocks(seconds, n);
	stop = true;
	numa_run_on_node(-1);
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("# %lu reads of %u pages, %lu touches, %lu stale, %lu torn\n",
	       rounds, n, reads, stale, torn);
	if (shared_mode())
		printf("# %lu huge pages came\n", huge);
	result(rounds >= ENOUGH && reads > 5 && !stale && !torn, what);
}

/* A control: no other thread runs. */
static void detects_stale_pages(void)
{
	must(pread(image, guest.ram, REGION * PAGE, 0) == REGION * PAGE,
	     "pread");
	((volatile uint64_t *)guest.ram)[3] = 1;
	result(wrong(0, 0, REGION) == 1, "a stale page would be seen");
}

static void *truncater(void *arg)
{
	while (!stop) {
		fallocate(guest.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  0, REGION * PAGE);
		usleep(100);
	}
	return NULL;
}

/* Punched pages show zeros or a block's content. */
static void run_punch(double seconds)
{
	double end = now() + seconds;
	unsigned int block = 0, p, w;
	unsigned long bad = 0;
	pthread_t t[3];

	stop = false;
	torn = 0;
	rounds = 0;
	memset(guest.ram, 0, REGION * PAGE);
	pthread_create(&t[0], NULL, truncater, NULL);
	pthread_create(&t[1], NULL, toucher, NULL);
	pthread_create(&t[2], NULL, huge_maker, NULL);
	while (go_on(end, rounds)) {
		block = (block + 3) % BLOCKS;
		if (pread(image, guest.ram, REGION * PAGE,
			  block * REGION * PAGE) != REGION * PAGE)
			bad++;
		for (p = 0; p < REGION; p++) {
			volatile uint64_t *mem = (uint64_t *)
						 (guest.ram + p * PAGE);

			for (w = 0; w < WORDS; w++) {
				uint64_t x = mem[w];

				if (!is_zeroed(x, content(block, p)) &&
				    bad++ < 5)
					printf("# word %u of page %u is %lx, block %u\n",
					       w, p, x, block);
			}
		}
		rounds++;
	}
	stop = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	pthread_join(t[2], NULL);
	printf("# %lu rounds, %lu wrong words, %lu torn\n", rounds, bad, torn);
	result(rounds >= ENOUGH && !bad && !torn, "reads against holes");
}

/* Shared memory is in the file as long as that is there. */
static void unlink_guest(unsigned int i)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/ram/guest%u", place.mnt, i);
	unlink(path);
}

/* Guests come, read, write and are killed, with the shrinker at work. */
static void run_kills(double seconds)
{
	double end = now() + seconds;
	unsigned long killed = 0, bad = 0;
	pid_t pid[3] = {};
	unsigned int i = 0;
	int status;

	madvise(guest.ram, guest.pages * PAGE, MADV_DONTFORK);
	while (go_on(end, killed)) {
		i = (i + 1) % 3;
		if (pid[i]) {
			usleep(2000);
			kill(pid[i], SIGKILL);
			waitpid(pid[i], &status, 0);
			if (WIFEXITED(status)) {
				printf("# a guest found wrong data\n");
				bad++;
			}
			unlink_guest(i);
			killed++;
		}
		write_text("/proc/sys/vm/drop_caches", "2");
		pid[i] = fork();
		if (pid[i])
			continue;
		snprintf(guest.path, sizeof(guest.path), "guest%u", i);
		guest_open(&guest, &place, strdup(guest.path), REGION);
		for (i = 0;; i = (i + 1) % BLOCKS) {
			if (pread(image, guest.ram, REGION * PAGE,
				  i * REGION * PAGE) != REGION * PAGE ||
			    wrong(i, 0, REGION))
				_exit(1);
			guest.ram[i * PAGE] ^= 1;
		}
	}
	for (i = 0; i < 3; i++) {
		if (!pid[i])
			continue;
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
		unlink_guest(i);
	}
	madvise(guest.ram, guest.pages * PAGE, MADV_DOFORK);
	printf("# %lu guests killed\n", killed);
	result(killed >= ENOUGH && !bad, "guests are killed while they read");
}

/*
 * A guest on the other node, all of it bound to replicas, in any order; one on
 * this node keeps the masters.
 */
static struct guest far;

/* What it shows is of a block, whatever happens in between. */
static void *far_toucher(void *arg)
{
	unsigned int at = (uintptr_t)arg;

	numa_run_on_node(at % (numa_max_node() + 1));
	while (!stop) {
		at = (at + 7) % (BLOCKS * REGION);
		if ((((volatile uint64_t *)(far.ram + at * PAGE))[5] -
		     0x1000000) % REGION != at % REGION)
			__atomic_add_fetch(&torn, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&reads, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static unsigned int far_wrong(unsigned int place, unsigned int block)
{
	uint64_t *mem = (uint64_t *)(far.ram + place * REGION * PAGE);
	unsigned int p, bad = 0;

	for (p = 0; p < REGION; p++)
		bad += mem[p * WORDS] != content(block, p) ||
		       mem[p * WORDS + WORDS - 1] != content(block, p);
	return bad;
}

static void read_far(double seconds)
{
	double end = now() + seconds;
	unsigned int is[BLOCKS], i;

	for (i = 0; i < BLOCKS; i++)
		is[i] = i;
	while (go_on(end, rounds)) {
		i = rounds++ % BLOCKS;
		stale += far_wrong(i, is[i]);
		is[i] = (is[i] + 3) % BLOCKS;
		must(pread(image, far.ram + i * REGION * PAGE, REGION * PAGE,
			   is[i] * REGION * PAGE) == REGION * PAGE, "pread");
		stale += far_wrong(i, is[i]);
	}
}

/* Replicas lose their pages, and guests find masters instead. */
static void *squeezer(void *arg)
{
	while (!stop) {
		write_text("/proc/sys/vm/drop_caches", "2");
		usleep(5000);
	}
	return NULL;
}

static void run_replicas(double seconds)
{
	struct guest keeper;
	pthread_t t[3];
	unsigned long i;

	stop = false;
	torn = 0;
	reads = 0;
	rounds = 0;
	stale = 0;
	guest_open(&keeper, &place, "keeper", BLOCKS * REGION);
	guest_open(&far, &place, "far", BLOCKS * REGION);
	numa_run_on_node(0);
	must(pread(image, keeper.ram, BLOCKS * REGION * PAGE, 0) ==
	     BLOCKS * REGION * PAGE, "pread");
	numa_run_on_node(numa_max_node());
	must(pread(image, far.ram, BLOCKS * REGION * PAGE, 0) ==
	     BLOCKS * REGION * PAGE, "pread");
	pthread_create(&t[0], NULL, far_toucher, NULL);
	pthread_create(&t[1], NULL, far_toucher, (void *)1);
	pthread_create(&t[2], NULL, squeezer, NULL);
	read_far(seconds);
	stop = true;
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	numa_run_on_node(-1);
	printf("# %lu reads, %lu touches, %lu stale, %lu torn\n", rounds,
	       reads, stale, torn);
	printf("# %lu replicas made, %lu pages left theirs\n",
	       counter(&place, "replicas_made"),
	       counter(&place, "replicas_left"));
	result(rounds >= ENOUGH && reads > 5 && !stale && !torn &&
	       counter(&place, "replicas_made") > REGION, "replicas");
	unlink(keeper.path);
	unlink(far.path);
	guest_close(&keeper);
	guest_close(&far);
}

#define SHMEM_ENABLED	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"

/* Shared memory has huge pages, if there are any, so that binds split them. */
static void huge_pages(const char *when)
{
	if (when && !access(SHMEM_ENABLED, F_OK))
		must(!write_text(SHMEM_ENABLED, when), SHMEM_ENABLED);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 10;

	replicas = shared_mode() ||
		   strstr(program_invocation_short_name, "replicas");
	place_open_with(&place, "tmpfs", "images", "mode=755",
			replicas ? ",replicas=on" : "");
	printf("TAP version 13\n1..%d\n", 8 + replicas);
	make_image();
	image = image_open(&place, "blocks", O_RDONLY);
	must(image >= 0, "open");
	guest_open(&guest, &place, "guest", shared_mode() ? 2048 : REGION);
	huge_pages(shared_mode() ? "always" : NULL);
	detects_stale_pages();
	run_binds(seconds / 6, 16, "binds of 16 pages that are mapped at once");
	run_binds(seconds / 6, 4, "binds of 4 pages, faults map around");
	run_binds(seconds / 6, 1, "binds of one page");
	write_text(SYSFS "insert", "0");
	run_binds(seconds / 6, 16, "binds of 16 pages, a fault a page");
	write_text(SYSFS "insert", "1");
	run_punch(seconds / 6);
	run_kills(seconds / 6);
	if (replicas)
		run_replicas(seconds / 6);
	guest_close(&guest);
	close(image);
	huge_pages(shared_mode() ? "never" : NULL);
	result(place_close(&place), "nothing is left, and it adds up");
	return failed > 0;
}
