// SPDX-License-Identifier: GPL-2.0-only
/*
 * list.c - the benchmarks
 */
#include "bench.h"

extern const struct nm_bench nm_bench_converge, nm_bench_converge_counted,
	nm_bench_converge_default, nm_bench_cowdedup,
	nm_bench_cowdedup_counted, nm_bench_cowdedup_counted_612,
	nm_bench_cowdedup_footprint, nm_bench_evaluator,
	nm_bench_evaluator_native, nm_bench_evaluator_cost, nm_bench_migrate,
	nm_bench_migrate_counted, nm_bench_migrate_default,
	nm_bench_migrate_ipis, nm_bench_sampler, nm_bench_urpc,
	nm_bench_urpc_module;

const struct nm_bench *const nm_benches[] = {
	&nm_bench_converge, &nm_bench_converge_counted,
	&nm_bench_converge_default, &nm_bench_cowdedup,
	&nm_bench_cowdedup_counted, &nm_bench_cowdedup_counted_612,
	&nm_bench_cowdedup_footprint, &nm_bench_evaluator,
	&nm_bench_evaluator_native, &nm_bench_evaluator_cost, &nm_bench_migrate,
	&nm_bench_migrate_counted, &nm_bench_migrate_default,
	&nm_bench_migrate_ipis, &nm_bench_sampler, &nm_bench_urpc,
	&nm_bench_urpc_module,
};

const unsigned int nm_benches_count = sizeof(nm_benches) /
				      sizeof(nm_benches[0]);
