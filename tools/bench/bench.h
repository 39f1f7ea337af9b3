/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bench.h - what the benchmarks share
 *
 * A benchmark fills a result with rows and returns.  Text and JSON come from
 * the same rows.  The JSON is what Documentation/design/benchmarks.rst says.
 */
#ifndef BENCH_H
#define BENCH_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nm_result;

/**
 * struct nm_bench - a benchmark
 * @name: as typed
 * @summary: a line
 * @vm_args: options of tools/vm/run when it needs the machine, else NULL
 * @hidden: part of another one, not listed
 * @run: fills the result; 0, or an exit status after it has complained
 */
struct nm_bench {
	const char *name;
	const char *summary;
	const char *const *vm_args;
	bool hidden;
	int (*run)(struct nm_result *r, bool quick);
};

extern const struct nm_bench *const nm_benches[];
extern const unsigned int nm_benches_count;

int nm_bench_run(const struct nm_bench *b, bool json, bool quick);

/**
 * struct nm_row - one figure
 * @name: row name, fixed: others read it
 * @unit: of the value
 * @against: what a ratio divides by, or NULL
 * @better: "lower" or "higher"
 * @backend: what was measured ("clock", "kernel", ...)
 */
struct nm_row {
	const char *name;
	const char *unit;
	const char *against;
	const char *better;
	const char *backend;
};

/* The repetitions of a row: the value is their median. */
void nm_result_add(struct nm_result *r, const struct nm_row *row,
		   const double *values, unsigned int n);
void nm_result_null(struct nm_result *r, const struct nm_row *row,
		    const char *why);
/* Rows of another benchmark, run in the virtual machine; false: none came. */
bool nm_result_merge(struct nm_result *r, const char *bench, bool quick);
/* "as found" unless a benchmark says where threads and memory were put. */
void nm_result_placement(struct nm_result *r, const char *text);

/* "level" of the rows from here on, or none. */
void nm_result_level(struct nm_result *r, const char *level);
/* A line of text below the rows; "notes" in the JSON. */
void nm_result_note(struct nm_result *r, const char *text);

double nm_median(double *v, unsigned int n);

/* --- for benchmarks of numamig, in the machine --- */

/* Nanoseconds of CLOCK_MONOTONIC; under --icount one is an instruction. */
uint64_t nm_now(void);
void nm_write_file(const char *path, const char *text);
uint64_t nm_read_number(const char *path);
/* Anonymous memory of @bytes on @node; base pages unless @huge. */
void *nm_memory(size_t bytes, int node, bool huge);
/* How many of the pages of a range are on @node. */
size_t nm_pages_on(int pid, const void *addr, size_t bytes, int node);

#endif /* BENCH_H */
