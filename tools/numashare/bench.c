// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench.c - numashare bench: list and run the benchmarks of tools/bench
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../bench/bench.h"
#include "numashare.h"

static int list(void)
{
	unsigned int i;

	for (i = 0; i < nm_benches_count; i++)
		if (!nm_benches[i]->hidden)
			printf("%-12s %s\n", nm_benches[i]->name,
			       nm_benches[i]->summary);
	return OK;
}

static const struct nm_bench *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < nm_benches_count; i++)
		if (!strcmp(nm_benches[i]->name, name))
			return nm_benches[i];
	return NULL;
}

/* The source folder that this program was built in, if it was. */
static bool source_folder(char *buf, size_t len)
{
	char exe[PATH_MAX], vm[PATH_MAX + 16];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n < 0)
		return false;
	exe[n] = 0;
	/* build/bin/numashare */
	snprintf(buf, len, "%s", dirname(dirname(dirname(exe))));
	snprintf(vm, sizeof(vm), "%s/tools/vm/run", buf);
	return !access(vm, X_OK);
}

static int run_in_vm(const struct nm_bench *b, bool json, bool quick)
{
	char src[PATH_MAX], cmd[PATH_MAX + 32];
	const char *argv[32];
	int n = 0;
	unsigned int i;

	if (!source_folder(src, sizeof(src))) {
		complain("'%s' runs in the virtual NUMA machine, which is part "
			 "of the source folder\n  run build/bin/numashare "
			 "there, or with --here on this machine", b->name);
		return FAILED;
	}
	snprintf(cmd, sizeof(cmd), "%s/tools/vm/run", src);
	argv[n++] = cmd;
	if (json)
		argv[n++] = "--quiet";
	for (i = 0; b->vm_args[i]; i++)
		argv[n++] = b->vm_args[i];
	argv[n++] = "--";
	argv[n++] = "numashare";
	argv[n++] = "bench";
	argv[n++] = b->name;
	argv[n++] = "--here";
	if (json)
		argv[n++] = "--json";
	if (quick)
		argv[n++] = "--quick";
	argv[n] = NULL;
	execv(cmd, (char **)argv);
	complain("%s: %s", cmd, strerror(errno));
	return FAILED;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "quick", no_argument, NULL, 'q' },
		{ "here", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	bool json = false, quick = false, here = false;
	const struct nm_bench *b;
	int c;

	while ((c = getopt_long(argc, argv, "jq", opts, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'q')
			quick = true;
		else if (c == 'h')
			here = true;
		else
			return usage_error(&cmd_bench, "unknown option");
	}
	if (optind == argc)
		return list();
	b = find(argv[optind]);
	if (!b)
		return usage_error(&cmd_bench, "no benchmark '%s'",
				   argv[optind]);
	if (b->vm_args && !here)
		return run_in_vm(b, json, quick);
	return nm_bench_run(b, json, quick);
}

const struct subcommand cmd_bench = {
	.name = "bench",
	.run = run,
	.summary = "List the benchmarks, or run one",
	.usage = "[NAME [--json] [--quick] [--here]]",
	.help =
"A benchmark that needs NUMA nodes or counts instructions boots the virtual\n"
"machine that it needs.\n\n"
"  -j, --json    the result as JSON\n"
"  -q, --quick   fewer repetitions; for a look, not for a figure\n"
"      --here    on this machine, with the module loaded\n",
};
