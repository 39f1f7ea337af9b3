// SPDX-License-Identifier: GPL-2.0-only
/*
 * report.c - numashare report: where a recorded program's accesses went
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "numashare.h"
#include "recording.h"

#define MAX_NODES	64
#define BLOCK_SHIFT	21	/* ranges of 2 MiB */

/* One mapping of one process. */
struct vma {
	int pid;
	uint64_t start;
	uint64_t end;
	char name[128];
};

/* A key with its counts: a mapping, or a block. */
struct row {
	int pid;
	uint64_t start;
	uint64_t end;
	const char *name;
	uint64_t samples;
	uint64_t writes;
	uint64_t local;
	uint64_t remote;
	uint64_t from[MAX_NODES];
};

struct report {
	struct recording rec;
	struct vma *vmas;
	size_t nr_vmas;
	struct row *ranges;	/* by mapping */
	size_t nr_ranges;
	struct row *blocks;
	size_t nr_blocks;
	/* accesses from node to node; the last column is "not known" */
	uint64_t matrix[MAX_NODES][MAX_NODES + 1];
	uint64_t local;
	uint64_t remote;
	uint64_t unknown;
	int max_node;
};

static void add_vma(struct report *r, int pid, const char *line)
{
	unsigned long long start, end;
	struct vma *v;
	int at = 0;

	if (sscanf(line, "%llx-%llx %*s %*s %*s %*s %n", &start, &end,
		   &at) < 2)
		return;
	v = realloc(r->vmas, (r->nr_vmas + 1) * sizeof(*v));
	if (!v)
		return;
	r->vmas = v;
	v += r->nr_vmas++;
	v->pid = pid;
	v->start = start;
	v->end = end;
	snprintf(v->name, sizeof(v->name), "%s", at && line[at] ? line + at :
								  "[anon]");
}

static void load_vmas(struct report *r)
{
	struct json_object *processes, *maps;
	size_t i;

	if (!json_object_object_get_ex(r->rec.meta, "processes", &processes))
		return;
	json_object_object_foreach(processes, pid, p) {
		if (!json_object_object_get_ex(p, "maps", &maps))
			continue;
		for (i = 0; i < json_object_array_length(maps); i++)
			add_vma(r, atoi(pid), json_object_get_string(
				json_object_array_get_idx(maps, i)));
	}
}

static int vma_cmp(const void *a, const void *b)
{
	const struct vma *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static const struct vma *find_vma(const struct report *r, int pid,
				  uint64_t addr)
{
	size_t lo = 0, hi = r->nr_vmas, mid;

	while (lo < hi) {
		const struct vma *v = &r->vmas[mid = (lo + hi) / 2];

		if (v->pid < pid || (v->pid == pid && v->end <= addr))
			lo = mid + 1;
		else if (v->pid > pid || v->start > addr)
			hi = mid;
		else
			return v;
	}
	return NULL;
}

static int sample_cmp(const void *a, const void *b)
{
	const struct numamig_sample *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int row_cmp(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->samples < y->samples ? 1 : x->samples > y->samples ? -1 : 0;
}

/* Count a sample in the last row when it belongs there, else in a new one. */
static void count_in(struct row **rows, size_t *nr, int pid, uint64_t start,
		     uint64_t end, const char *name,
		     const struct numamig_sample *s)
{
	struct row *w = *nr ? &(*rows)[*nr - 1] : NULL;

	if (!w || w->pid != pid || w->start != start) {
		w = realloc(*rows, (*nr + 1) * sizeof(*w));
		if (!w)
			return;
		*rows = w;
		w += (*nr)++;
		memset(w, 0, sizeof(*w));
		w->pid = pid;
		w->start = start;
		w->end = end;
		w->name = name;
	}
	w->samples++;
	w->writes += s->flags & NUMAMIG_SAMPLE_WRITE;
	w->from[s->node]++;
	if (s->home >= 0)
		*(s->home == s->node ? &w->local : &w->remote) += 1;
}

static void count_sample(struct report *r, const struct numamig_sample *s)
{
	uint64_t block = s->addr >> BLOCK_SHIFT << BLOCK_SHIFT;
	const struct vma *v;
	int home = s->home >= 0 && s->home < MAX_NODES ? s->home : MAX_NODES;

	if (s->node < 0 || s->node >= MAX_NODES)
		return;
	if (s->node > r->max_node)
		r->max_node = s->node;
	if (home < MAX_NODES && home > r->max_node)
		r->max_node = home;
	r->matrix[s->node][home]++;
	if (home == MAX_NODES)
		r->unknown++;
	else if (home == s->node)
		r->local++;
	else
		r->remote++;
	v = find_vma(r, s->pid, s->addr);
	if (v)
		count_in(&r->ranges, &r->nr_ranges, s->pid, v->start, v->end,
			 v->name, s);
	else
		count_in(&r->ranges, &r->nr_ranges, s->pid, 0, 0, "[unknown]",
			 s);
	count_in(&r->blocks, &r->nr_blocks, s->pid, block,
		 block + (1ull << BLOCK_SHIFT), v ? v->name : "[unknown]", s);
}

static void analyse(struct report *r)
{
	size_t i;

	load_vmas(r);
	qsort(r->vmas, r->nr_vmas, sizeof(*r->vmas), vma_cmp);
	qsort(r->rec.sample, r->rec.count, sizeof(*r->rec.sample), sample_cmp);
	for (i = 0; i < r->rec.count; i++)
		count_sample(r, &r->rec.sample[i]);
	qsort(r->ranges, r->nr_ranges, sizeof(*r->ranges), row_cmp);
	qsort(r->blocks, r->nr_blocks, sizeof(*r->blocks), row_cmp);
}

static double share(uint64_t part, uint64_t rest)
{
	return part + rest ? (double)part / (part + rest) : -1;
}

static void print_matrix(const struct report *r)
{
	int from, to;

	printf("Accesses, from node (rows) to node (columns), percent\n     ");
	for (to = 0; to <= r->max_node; to++)
		printf(" %6d", to);
	printf(" %6s\n", "?");
	for (from = 0; from <= r->max_node; from++) {
		printf("%5d", from);
		for (to = 0; to <= r->max_node; to++)
			printf(" %6.1f", 100.0 * r->matrix[from][to] /
			       (double)(r->rec.count ? r->rec.count : 1));
		printf(" %6.1f\n", 100.0 * r->matrix[from][MAX_NODES] /
		       (double)(r->rec.count ? r->rec.count : 1));
	}
}

static void print_rows(const struct report *r, const char *title,
		       const struct row *rows, size_t nr, unsigned int top)
{
	char from[64];
	size_t i;
	int n, at;

	printf("\n%s\n%6s %6s %6s  %-14s %8s %-31s %s\n", title, "SHARE",
	       "LOCAL", "WRITES", "FROM NODE", "PID", "RANGE", "NAME");
	for (i = 0; i < nr && i < top; i++) {
		const struct row *w = &rows[i];
		double l = share(w->local, w->remote);

		for (n = 0, at = 0, from[0] = 0; n <= r->max_node && at < 48;
		     n++)
			if (w->from[n])
				at += snprintf(from + at, sizeof(from) - at,
					       "%s%d:%.0f%%", at ? " " : "",
					       n, 100.0 * w->from[n] /
					       w->samples);
		printf("%5.1f%% ", 100.0 * w->samples / r->rec.count);
		if (l < 0)
			printf("%6s ", "-");
		else
			printf("%5.1f%% ", l * 100);
		printf("%5.1f%%  %-14s %8d %13llx-%-13llx    %s\n",
		       100.0 * w->writes / w->samples, from, w->pid,
		       (unsigned long long)w->start,
		       (unsigned long long)w->end, w->name);
	}
}

static void print_text(const struct report *r, const char *path,
		       unsigned int top)
{
	double l = share(r->local, r->remote);

	printf("%s: %zu samples", path, r->rec.count);
	if (l >= 0)
		printf(", %.1f %% of those with a known home are local",
		       l * 100);
	printf("\n\n");
	print_matrix(r);
	print_rows(r, "Hottest mappings", r->ranges, r->nr_ranges, top);
	print_rows(r, "Hottest ranges of 2 MiB", r->blocks, r->nr_blocks, top);
}

static struct json_object *rows_json(const struct report *r,
				     const struct row *rows, size_t nr,
				     unsigned int top)
{
	struct json_object *a = json_object_new_array(), *o, *from;
	char text[32];
	size_t i;
	int n;

	for (i = 0; i < nr && i < top; i++) {
		const struct row *w = &rows[i];

		o = json_object_new_object();
		from = json_object_new_array();
		json_object_object_add(o, "pid", json_u64(w->pid));
		snprintf(text, sizeof(text), "0x%llx",
			 (unsigned long long)w->start);
		json_object_object_add(o, "start",
				       json_object_new_string(text));
		snprintf(text, sizeof(text), "0x%llx",
			 (unsigned long long)w->end);
		json_object_object_add(o, "end", json_object_new_string(text));
		json_object_object_add(o, "name",
				       json_object_new_string(w->name));
		json_object_object_add(o, "samples", json_u64(w->samples));
		json_object_object_add(o, "writes", json_u64(w->writes));
		json_object_object_add(o, "local_share",
				       json_share(share(w->local, w->remote)));
		for (n = 0; n <= r->max_node; n++)
			json_object_array_add(from, json_u64(w->from[n]));
		json_object_object_add(o, "from_node", from);
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *matrix_json(const struct report *r)
{
	struct json_object *a = json_object_new_array(), *line;
	int from, to;

	for (from = 0; from <= r->max_node; from++) {
		line = json_object_new_array();
		for (to = 0; to <= r->max_node; to++)
			json_object_array_add(line,
					      json_u64(r->matrix[from][to]));
		json_object_array_add(a, line);
	}
	return a;
}

static void print_json(const struct report *r, unsigned int top)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "samples", json_u64(r->rec.count));
	json_object_object_add(o, "local", json_u64(r->local));
	json_object_object_add(o, "remote", json_u64(r->remote));
	json_object_object_add(o, "unknown", json_u64(r->unknown));
	json_object_object_add(o, "local_share",
			       json_share(share(r->local, r->remote)));
	json_object_object_add(o, "matrix", matrix_json(r));
	json_object_object_add(o, "mappings",
			       rows_json(r, r->ranges, r->nr_ranges, top));
	json_object_object_add(o, "ranges",
			       rows_json(r, r->blocks, r->nr_blocks, top));
	json_print(stdout, o);
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "top", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 }
	};
	static struct report r;
	const char *path = "numamig.data";
	double top = 20;
	bool json = false;
	int c, ret;

	while ((c = getopt_long(argc, argv, "jt:", opts, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c != 't' || !parse_number(optarg, 1, 1e6, &top))
			return usage_error(&cmd_report, "unknown option or "
					   "number");
	}
	if (optind < argc)
		path = argv[optind++];
	if (optind < argc)
		return usage_error(&cmd_report, "one file at a time");
	ret = recording_load(&r.rec, path);
	if (ret)
		return ret;
	analyse(&r);
	if (json)
		print_json(&r, top);
	else
		print_text(&r, path, top);
	free(r.vmas);
	free(r.ranges);
	free(r.blocks);
	recording_free(&r.rec);
	return OK;
}

const struct subcommand cmd_report = {
	.name = "report",
	.run = run,
	.summary = "Show where the accesses of a recording went",
	.usage = "[--json] [--top N] [FILE]",
	.help =
"Prints the matrix of accesses from node to node, the hottest mappings and the\n"
"hottest ranges of 2 MiB, with the share of local accesses and of writes.\n\n"
"  -j, --json    the same, as JSON\n"
"  -t, --top N   so many rows (default 20)\n"
"  FILE          default numamig.data\n",
};
