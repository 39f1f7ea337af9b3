// SPDX-License-Identifier: GPL-2.0-only
/*
 * list.c - the benchmarks
 */
#include "bench.h"

extern const struct nm_bench nm_bench_migrate;

const struct nm_bench *const nm_benches[] = {
	&nm_bench_migrate,
};

const unsigned int nm_benches_count = sizeof(nm_benches) /
				      sizeof(nm_benches[0]);
