// SPDX-License-Identifier: GPL-2.0-only
/*
 * record.c - numashare record: samples to a file
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "numashare.h"
#include "recording.h"

#define STREAM_ENTRIES	65536
#define BATCH		512

static volatile sig_atomic_t interrupted;

struct record {
	struct targets targets;
	struct numamig *stream;
	const char *path;
	FILE *f;
	struct recording_header head;
	struct json_object *meta;
	struct json_object *processes;
	double seconds;
	bool quiet;
	bool json;
};

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void add_maps(struct json_object *process, int pid)
{
	struct json_object *maps = json_object_new_array();
	char path[64], line[1024];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		json_object_array_add(maps, json_object_new_string(line));
	}
	if (f)
		fclose(f);
	/* a process that has just ended keeps the maps it had */
	if (json_object_array_length(maps))
		json_object_object_add(process, "maps", maps);
	else
		json_object_put(maps);
}

/* Note the name and the mappings of a process, or note them again. */
static void note_process(struct record *r, int pid)
{
	struct json_object *p;
	char key[16], dir[64], comm[64];

	snprintf(key, sizeof(key), "%d", pid);
	if (!json_object_object_get_ex(r->processes, key, &p)) {
		p = json_object_new_object();
		json_object_object_add(r->processes, key, p);
	}
	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	if (sysfs_read(dir, "comm", comm, sizeof(comm)))
		json_object_object_add(p, "command",
				       json_object_new_string(comm));
	add_maps(p, pid);
}

static void note_all_again(struct record *r)
{
	json_object_object_foreach(r->processes, key, val) {
		(void)val;
		note_process(r, atoi(key));
	}
}

static int take_batch(struct record *r, int timeout_ms)
{
	struct numamig_sample s[BATCH];
	char key[16];
	int i, n = numamig_read(r->stream, s, BATCH, timeout_ms);

	if (n <= 0)
		return n == -EINTR ? 0 : n;
	for (i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "%d", s[i].pid);
		if (!json_object_object_get_ex(r->processes, key, NULL))
			note_process(r, s[i].pid);
	}
	if (fwrite(s, sizeof(s[0]), n, r->f) != (size_t)n)
		return -errno;
	r->head.samples += n;
	return n;
}

static void progress(const struct record *r, double t)
{
	if (!r->quiet && isatty(2))
		fprintf(stderr, "\r\033[K%7.1f s  %llu samples", t,
			(unsigned long long)r->head.samples);
}

static int collect(struct record *r)
{
	double start = now_seconds(), noted = start, end, t;
	int ret;

	for (;;) {
		ret = take_batch(r, 100);
		if (ret < 0) {
			complain("%s: %s", r->path, strerror(-ret));
			return FAILED;
		}
		t = now_seconds();
		progress(r, t - start);
		if (t - noted > 1) {
			note_all_again(r);
			noted = t;
		}
		if (interrupted || !targets_alive(&r->targets) ||
		    (r->seconds && t - start >= r->seconds))
			break;
	}
	note_all_again(r);
	/*
	 * What was taken before the end is still on its way.  The stream has
	 * the samples of everybody's targets, so it may not run dry.
	 */
	targets_stop(&r->targets);
	end = now_seconds() + 0.5;
	while (take_batch(r, 200) > 0 && now_seconds() < end)
		;
	if (!r->quiet && isatty(2))
		fprintf(stderr, "\n");
	return OK;
}

static void describe(struct record *r)
{
	char nodes[64] = "?";
	struct utsname u;

	uname(&u);
	sysfs_read("/sys/devices/system/node", "online", nodes, sizeof(nodes));
	r->meta = json_object_new_object();
	r->processes = json_object_new_object();
	json_object_object_add(r->meta, "version",
			       json_object_new_string(NUMASHARE_VERSION));
	json_object_object_add(r->meta, "kernel",
			       json_object_new_string(u.release));
	json_object_object_add(r->meta, "machine",
			       json_object_new_string(u.nodename));
	json_object_object_add(r->meta, "nodes",
			       json_object_new_string(nodes));
	json_object_object_add(r->meta, "start", json_u64(time(NULL)));
	json_object_object_add(r->meta, "processes", r->processes);
}

static int complete_file(struct record *r)
{
	const char *text = json_object_to_json_string(r->meta);
	bool ok;

	r->head.meta_offset = ftell(r->f);
	r->head.meta_size = strlen(text);
	ok = fputs(text, r->f) != EOF && !fseek(r->f, 0, SEEK_SET) &&
	     fwrite(&r->head, sizeof(r->head), 1, r->f) == 1;
	ok = !fclose(r->f) && ok;
	r->f = NULL;
	if (!ok)
		complain("%s: %s", r->path, strerror(errno));
	return ok ? OK : FAILED;
}

static int open_file(struct record *r)
{
	r->head = (struct recording_header) {
		.magic = RECORDING_MAGIC,
		.header_size = sizeof(r->head),
		.sample_size = sizeof(struct numamig_sample),
	};
	r->f = fopen(r->path, "we");
	if (!r->f || fwrite(&r->head, sizeof(r->head), 1, r->f) != 1) {
		complain("%s: %s", r->path, strerror(errno));
		return FAILED;
	}
	return OK;
}

static int open_stream(struct record *r)
{
	int ret = numamig_open(&r->stream);

	if (ret)
		return explain_open(ret);
	ret = numamig_stream(r->stream, STREAM_ENTRIES);
	if (ret) {
		complain("cannot stream samples: %s", strerror(-ret));
		return FAILED;
	}
	return OK;
}

/* A command keeps its standard output, so the JSON goes beside it then. */
static void summarise(const struct record *r)
{
	struct json_object *o;

	if (!r->json) {
		fprintf(stderr, "numashare: %llu samples in %s; "
			"'numashare report %s' shows them\n",
			(unsigned long long)r->head.samples, r->path, r->path);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "file", json_object_new_string(r->path));
	json_object_object_add(o, "samples", json_u64(r->head.samples));
	json_print(r->targets.command ? stderr : stdout, o);
}

static int work(struct record *r)
{
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned int i;
	int ret;

	ret = open_stream(r);
	if (!ret)
		ret = open_file(r);
	if (ret)
		return ret;
	describe(r);
	sigaction(SIGTERM, &sa, NULL);
	if (!r->targets.command)
		sigaction(SIGINT, &sa, NULL);
	for (i = 0; i < r->targets.nr; i++)
		note_process(r, r->targets.pids[i]);
	ret = targets_go(&r->targets);
	if (!ret)
		ret = collect(r);
	if (!ret)
		ret = complete_file(r);
	if (!ret)
		summarise(r);
	json_object_put(r->meta);
	return ret;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "no-children", no_argument, NULL, 'C' },
		{ "output", required_argument, NULL, 'o' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "seconds", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	struct record r = { .path = "numamig.data" };
	uint32_t flags = NUMAMIG_TARGET_CHILDREN | NUMAMIG_TARGET_DRY_RUN;
	bool command;
	int c, ret;

	while ((c = getopt_long(argc, argv, "+jo:qs:", opts, NULL)) != -1) {
		switch (c) {
		case 'C':
			flags &= ~NUMAMIG_TARGET_CHILDREN;
			break;
		case 'j':
			r.json = true;
			break;
		case 'o':
			r.path = optarg;
			break;
		case 'q':
			r.quiet = true;
			break;
		case 's':
			if (!parse_number(optarg, 0.1, 1e7, &r.seconds))
				return usage_error(&cmd_record,
						   "--seconds: 0.1 or more");
			break;
		default:
			return usage_error(&cmd_record, "unknown option");
		}
	}
	command = !strcmp(argv[optind - 1], "--");
	ret = targets_open(&r.targets, &cmd_record, argc - optind,
			   argv + optind, command, flags);
	if (!ret)
		ret = work(&r);
	targets_close(&r.targets);
	numamig_close(r.stream);
	if (r.f)
		fclose(r.f);
	return ret ? ret : targets_status(&r.targets);
}

const struct subcommand cmd_record = {
	.name = "record",
	.run = run,
	.summary = "Sample a program into a file; nothing is moved",
	.usage = "[OPTION]... PID... | -- COMMAND [ARG]...",
	.help =
"  -o, --output FILE   default numamig.data\n"
"  -s, --seconds S     end after that long\n"
"      --no-children   only these processes, not their children\n"
"  -q, --quiet         no progress\n"
"  -j, --json          the summary as JSON: on standard output, or on standard\n"
"                      error when there is a COMMAND\n",
};
