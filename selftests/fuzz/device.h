/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * device.h - what the parts of the fuzzer of numamig's user interface share
 *
 * device.c starts and judges, device_ops.c is the grammar of operations,
 * device_victim.c the processes that are sampled and moved.
 */
#ifndef FUZZ_DEVICE_H
#define FUZZ_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define VICTIMS		6
#define REGIONS		4
#define THREADS		4
#define LOG_LINES	24
#define COMMANDS	11
#define LOG_WIDTH	128

/* Memory of a victim that operations can name; it may be gone by then. */
struct region {
	uint64_t addr;
	uint64_t len;
};

struct victim {
	pid_t pid;
	pid_t child;		/* of the victim, or one of its threads */
	struct region region[REGIONS];
};

/* The last operations of a thread. */
struct oplog {
	uint64_t done;
	char line[LOG_LINES][LOG_WIDTH];
};

/* Shared by all processes of the fuzzer. */
struct shared {
	bool quit;
	uint64_t complaints;
	char complaint[256];	/* the first one */
	uint64_t verified;	/* pages whose contents were checked */
	uint64_t moved;		/* pages, by NUMAMIG_MOVE */
	uint64_t accepted;	/* injected samples */
	uint64_t orders;	/* read by a helper */
	uint64_t asked[COMMANDS];
	uint64_t granted[COMMANDS];
	struct victim victim[VICTIMS];
	struct oplog log[THREADS];
};

extern struct shared *shared;

/* Something is wrong; the first complaint is kept. */
void complain(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* Each thread and process has its own sequence. */
void seed_random(uint64_t seed);
uint64_t next_random(void);
/* 0 to @n - 1 */
uint32_t below(uint32_t n);
/* One of @n. */
bool one_in(uint32_t n);

/* device_victim.c: run until killed, or until it has had enough. */
void victim_main(unsigned int slot) __attribute__((noreturn));

/* device_ops.c: begin with no open file. */
void no_files(void);
/* The sequence of operations of a thread, its number in @seed % THREADS. */
void *operate(void *seed);

#endif /* FUZZ_DEVICE_H */
