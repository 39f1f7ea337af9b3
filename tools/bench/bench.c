// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench.c - run a benchmark, print its rows as text or JSON
 */
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "../numashare/numashare.h"
#include "bench.h"

struct nm_result {
	struct json_object *rows;
	struct json_object *notes;
	const char *level;
	char placement[128];
	/* when all rows came from a machine: its result */
	struct json_object *merged;
};

static int cmp(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Sorts @v. */
double nm_median(double *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), cmp);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static struct json_object *text_or_null(const char *s)
{
	return s ? json_object_new_string(s) : NULL;
}

static struct json_object *number(double v)
{
	char buf[40];

	snprintf(buf, sizeof(buf), "%.6g", v);
	return json_object_new_double_s(v, buf);
}

static struct json_object *new_row(struct nm_result *r,
				   const struct nm_row *row)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "name", json_object_new_string(row->name));
	json_object_object_add(o, "unit", json_object_new_string(row->unit));
	json_object_object_add(o, "against", text_or_null(row->against));
	json_object_object_add(o, "better",
			       json_object_new_string(row->better));
	json_object_object_add(o, "backend", text_or_null(row->backend));
	if (r->level)
		json_object_object_add(o, "level",
				       json_object_new_string(r->level));
	json_object_array_add(r->rows, o);
	return o;
}

void nm_result_add(struct nm_result *r, const struct nm_row *row,
		   const double *values, unsigned int n)
{
	struct json_object *o = new_row(r, row);
	struct json_object *samples = json_object_new_array();
	double *v = malloc(n * sizeof(*v));
	unsigned int i;

	for (i = 0; i < n; i++) {
		v[i] = values[i];
		json_object_array_add(samples, number(values[i]));
	}
	json_object_object_add(o, "value", number(nm_median(v, n)));
	json_object_object_add(o, "min", number(v[0]));
	json_object_object_add(o, "max", number(v[n - 1]));
	json_object_object_add(o, "reps", json_object_new_int(n));
	json_object_object_add(o, "samples", samples);
	free(v);
}

void nm_result_null(struct nm_result *r, const struct nm_row *row,
		    const char *why)
{
	struct json_object *o = new_row(r, row);

	json_object_object_add(o, "value", NULL);
	json_object_object_add(o, "min", NULL);
	json_object_object_add(o, "max", NULL);
	json_object_object_add(o, "reps", json_object_new_int(0));
	json_object_object_add(o, "samples", json_object_new_array());
	json_object_object_add(o, "why", json_object_new_string(why));
}

void nm_result_placement(struct nm_result *r, const char *text)
{
	snprintf(r->placement, sizeof(r->placement), "%s", text);
}

void nm_result_level(struct nm_result *r, const char *level)
{
	r->level = level;
}

void nm_result_note(struct nm_result *r, const char *text)
{
	if (!r->notes)
		r->notes = json_object_new_array();
	json_object_array_add(r->notes, json_object_new_string(text));
}

/* Read all that a command prints. */
static char *output_of(const char *cmd)
{
	size_t len = 0, room = 1 << 16;
	char *buf = malloc(room), *more;
	FILE *f = popen(cmd, "r");
	size_t n;

	while (f && buf && (n = fread(buf + len, 1, room - len - 1, f)) > 0) {
		len += n;
		if (len + 1 < room)
			continue;
		more = realloc(buf, room *= 2);
		if (!more)
			free(buf);
		buf = more;
	}
	if (f && pclose(f) && !len) {
		free(buf);
		return NULL;
	}
	if (buf)
		buf[len] = 0;
	return buf;
}

bool nm_result_merge(struct nm_result *r, const char *bench, bool quick)
{
	struct json_object *o, *rows;
	char cmd[PATH_MAX + 64], *text;
	size_t i;

	snprintf(cmd, sizeof(cmd), "/proc/%d/exe bench %s --json%s",
		 (int)getpid(), bench, quick ? " --quick" : "");
	text = output_of(cmd);
	o = text ? json_tokener_parse(text) : NULL;
	free(text);
	if (!o || !json_object_object_get_ex(o, "rows", &rows)) {
		json_object_put(o);
		return false;
	}
	if (!json_object_array_length(r->rows))
		r->merged = json_object_get(o);
	for (i = 0; i < json_object_array_length(rows); i++)
		json_object_array_add(r->rows, json_object_get(
			json_object_array_get_idx(rows, i)));
	json_object_put(o);
	return true;
}

static bool in_vm(void)
{
	char line[4096];
	bool vm = false;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "flags", 5) && strstr(line, " hypervisor"))
			vm = true;
	if (f)
		fclose(f);
	return vm;
}

static void machine_name(char *buf, size_t len)
{
	char line[256], *colon;
	FILE *f = fopen("/proc/cpuinfo", "re");

	snprintf(buf, len, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		colon = strchr(line, ':');
		if (!strncmp(line, "model name", 10) && colon) {
			line[strcspn(line, "\n")] = 0;
			snprintf(buf, len, "%s, %ld CPUs", colon + 2,
				 sysconf(_SC_NPROCESSORS_ONLN));
			break;
		}
	}
	if (f)
		fclose(f);
}

/* What was measured in a machine names that machine, not this one. */
static void take_over(struct json_object *o, struct json_object *merged)
{
	static const char *const keys[] = {
		"kernel", "machine", "placement", "vm",
	};
	struct json_object *v;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_object_get_ex(merged, keys[i], &v))
			json_object_object_add(o, keys[i], json_object_get(v));
	json_object_put(merged);
}

static struct json_object *result_json(const struct nm_bench *b,
				       struct nm_result *r)
{
	struct json_object *o = json_object_new_object();
	char machine[320];
	struct utsname u;

	uname(&u);
	machine_name(machine, sizeof(machine));
	json_object_object_add(o, "bench", json_object_new_string(b->name));
	json_object_object_add(o, "version",
			       json_object_new_string(NUMASHARE_VERSION));
	json_object_object_add(o, "kernel", json_object_new_string(u.release));
	json_object_object_add(o, "machine", json_object_new_string(machine));
	json_object_object_add(o, "placement",
			       json_object_new_string(r->placement));
	json_object_object_add(o, "vm", json_object_new_boolean(in_vm()));
	if (r->merged)
		take_over(o, r->merged);
	json_object_object_add(o, "rows", r->rows);
	if (r->notes)
		json_object_object_add(o, "notes", r->notes);
	return o;
}

static const char *get_text(struct json_object *row, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(row, key, &v) || !v)
		return "";
	return json_object_get_string(v);
}

static void print_notes(struct json_object *o)
{
	struct json_object *notes;
	size_t i;

	if (!json_object_object_get_ex(o, "notes", &notes))
		return;
	printf("\n");
	for (i = 0; i < json_object_array_length(notes); i++)
		printf("%s\n", json_object_get_string(
			json_object_array_get_idx(notes, i)));
}

static void print_text(struct json_object *o)
{
	struct json_object *rows, *row;
	size_t i;

	printf("%s on %s, kernel %s, placement: %s\n", get_text(o, "bench"),
	       get_text(o, "machine"), get_text(o, "kernel"),
	       get_text(o, "placement"));
	printf("%-32s %12s %-14s %12s %12s %4s  %s\n", "ROW", "VALUE", "UNIT",
	       "MIN", "MAX", "REPS", "AGAINST");
	json_object_object_get_ex(o, "rows", &rows);
	for (i = 0; i < json_object_array_length(rows); i++) {
		row = json_object_array_get_idx(rows, i);
		if (!*get_text(row, "value")) {
			printf("%-32s %12s %s\n", get_text(row, "name"), "-",
			       get_text(row, "why"));
			continue;
		}
		printf("%-32s %12s %-14s %12s %12s %4s  %s\n",
		       get_text(row, "name"), get_text(row, "value"),
		       get_text(row, "unit"), get_text(row, "min"),
		       get_text(row, "max"), get_text(row, "reps"),
		       get_text(row, "against"));
	}
	print_notes(o);
}

int nm_bench_run(const struct nm_bench *b, bool json, bool quick)
{
	struct nm_result r = { .placement = "as found" };
	struct json_object *o;
	int ret;

	r.rows = json_object_new_array();
	ret = b->run(&r, quick);
	if (ret) {
		json_object_put(r.rows);
		return ret;
	}
	o = result_json(b, &r);
	if (json) {
		json_print(stdout, o);
	} else {
		print_text(o);
		json_object_put(o);
	}
	return OK;
}
