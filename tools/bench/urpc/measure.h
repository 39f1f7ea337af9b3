/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * measure.h - run one kind of queue, and the parts of the benchmark
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdbool.h>

#include "../bench.h"
#include "queue.h"

#define PASSES		5

/* One way, in ticks, of @rounds round trips; below 0: @why it did not run. */
double measure_latency(const struct queue *q, unsigned int rounds,
		       const char **why);

/* Messages a 1000 ticks through a queue of @slots; likewise. */
double measure_stream(const struct queue *q, unsigned int slots,
		      uint64_t count, const char **why);

/**
 * struct table2 - ours, for table 2 of the paper
 * @cycles: one way, by level
 * @rate: messages a 1000 cycles, 16 slots
 */
struct table2 {
	double cycles[2];
	double rate[2];
};

extern struct table2 table2;

/* Print it beside the paper's. */
void note_table2(struct nm_result *r);

/* --- the parts, each of which adds its rows --- */

void bench_latency(struct nm_result *r, bool quick);
void bench_throughput(struct nm_result *r, bool quick);
void bench_sleep(struct nm_result *r, bool quick);
void bench_rates(struct nm_result *r, bool quick);
void bench_updates(struct nm_result *r, bool quick);
void bench_flag(struct nm_result *r, bool quick);
void bench_many(struct nm_result *r, bool quick);
/* In the virtual machine; of the back end that URPC_BACKEND names. */
void bench_10000(struct nm_result *r);

/* A row by its name's parts. */
void add_row(struct nm_result *r, const char *level, const char *name,
	     const char *unit, const char *against, const char *better,
	     const char *backend, const double *v, unsigned int n);
void null_row(struct nm_result *r, const char *level, const char *name,
	      const char *unit, const char *better, const char *backend,
	      const char *why);

#endif /* MEASURE_H */
