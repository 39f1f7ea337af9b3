// SPDX-License-Identifier: GPL-2.0-only
/*
 * migrate.c - numashare migrate: bring the hot pages of a program home
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper.h"
#include "numashare.h"

static volatile sig_atomic_t interrupted;

struct migrate {
	struct targets targets;
	struct helper helper;
	bool dry_run;
	bool json;
	bool quiet;
	bool children;
	const char *output;
	double until;		/* share, 0 for never */
	double seconds;		/* 0 for no limit */
	double interval;
	double start;
	struct json_object *course;
	double first_share;	/* of the first interval with samples */
	double last_share;
	unsigned int above;	/* intervals in a row at @until */
	struct numamig_target_stat sum;
	struct numamig_target_stat last[MAX_PIDS];
};

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Sum over the targets; one that has ended keeps its last word. */
static void collect(struct migrate *m)
{
	struct numamig_target_stat st, *s = &m->sum;
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < m->targets.nr; i++) {
		if (!numamig_get_stat(m->targets.dev, m->targets.pids[i], &st))
			m->last[i] = st;
		st = m->last[i];
		s->samples += st.samples;
		s->local += st.local;
		s->remote += st.remote;
		s->unknown += st.unknown;
		s->cpu_ns += st.cpu_ns;
		s->sampler_ns += st.sampler_ns;
		s->orders += st.orders;
		s->pages_kernel += st.pages_kernel;
		s->pages_helper += st.pages_helper;
		s->pages_failed += st.pages_failed;
		s->processes += st.processes;
		s->active |= st.active;
	}
}

static uint64_t moved(const struct numamig_target_stat *s)
{
	return s->pages_kernel + s->pages_helper;
}

/* Share of the accesses since @before, -1 with too few to say. */
static double share_since(const struct numamig_target_stat *now,
			  const struct numamig_target_stat *before)
{
	double local = now->local - before->local;
	double remote = now->remote - before->remote;

	return local + remote < 32 ? -1 : local / (local + remote);
}

static void add_point(struct migrate *m, double t, double share)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "t", json_object_new_double(t));
	json_object_object_add(o, "local_share", json_share(share));
	json_object_object_add(o, "samples", json_u64(m->sum.samples));
	json_object_object_add(o, "pages_moved", json_u64(moved(&m->sum)));
	json_object_array_add(m->course, o);
}

static void show_progress(struct migrate *m, double t, double share,
			  double rate)
{
	char bytes[32], speed[32], pct[16] = "   -";

	if (m->quiet)
		return;
	if (share >= 0)
		snprintf(pct, sizeof(pct), "%5.1f %%", share * 100);
	bytes_text(moved(&m->sum) * 4096, bytes, sizeof(bytes));
	bytes_text((uint64_t)(rate * 4096), speed, sizeof(speed));
	fprintf(stderr, "%s%7.1f s  local %s  moved %llu pages, %s, %s/s%s",
		isatty(2) ? "\r\033[K" : "", t, pct,
		(unsigned long long)moved(&m->sum), bytes, speed,
		isatty(2) ? "" : "\n");
}

/* One interval: read the counters, tell, remember. */
static void tick(struct migrate *m, double *last_t)
{
	struct numamig_target_stat before = m->sum;
	double t = now_seconds() - m->start, share, rate;

	collect(m);
	share = share_since(&m->sum, &before);
	rate = (moved(&m->sum) - moved(&before)) / (t - *last_t + 1e-9);
	*last_t = t;
	if (share >= 0) {
		if (m->first_share < 0)
			m->first_share = share;
		m->last_share = share;
		m->above = m->until && share >= m->until ? m->above + 1 : 0;
	}
	add_point(m, t, share);
	show_progress(m, t, share, rate);
}

static bool finished(struct migrate *m)
{
	if (!targets_alive(&m->targets) || interrupted)
		return true;
	if (m->targets.command)
		return false;
	/* two intervals in a row, so that a pause is not taken for success */
	if (m->above >= 2)
		return true;
	return m->seconds && now_seconds() - m->start >= m->seconds;
}

static void watch(struct migrate *m)
{
	double last_t = 0, next = m->start + m->interval, left;

	while (!finished(m)) {
		left = next - now_seconds();
		if (left > 0) {
			/* wake often enough to see the command end */
			usleep((left < 0.05 ? left : 0.05) * 1e6);
			continue;
		}
		tick(m, &last_t);
		next += m->interval;
	}
	tick(m, &last_t);
	if (!m->quiet && isatty(2))
		fprintf(stderr, "\n");
}

static struct json_object *summary_json(struct migrate *m)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "seconds",
			       json_object_new_double(now_seconds() -
						      m->start));
	json_object_object_add(o, "local_before", json_share(m->first_share));
	json_object_object_add(o, "local_after", json_share(m->last_share));
	json_object_object_add(o, "samples", json_u64(m->sum.samples));
	json_object_object_add(o, "local", json_u64(m->sum.local));
	json_object_object_add(o, "remote", json_u64(m->sum.remote));
	json_object_object_add(o, "unknown", json_u64(m->sum.unknown));
	json_object_object_add(o, "orders", json_u64(m->sum.orders));
	json_object_object_add(o, "pages_moved", json_u64(moved(&m->sum)));
	json_object_object_add(o, "pages_kernel",
			       json_u64(m->sum.pages_kernel));
	json_object_object_add(o, "pages_helper",
			       json_u64(m->sum.pages_helper));
	json_object_object_add(o, "pages_failed",
			       json_u64(m->sum.pages_failed));
	json_object_object_add(o, "cpu_ns", json_u64(m->sum.cpu_ns));
	json_object_object_add(o, "sampler_ns", json_u64(m->sum.sampler_ns));
	json_object_object_add(o, "dry_run",
			       json_object_new_boolean(m->dry_run));
	json_object_object_add(o, "course", m->course);
	m->course = NULL;
	return o;
}

static void summary_text(const struct migrate *m)
{
	const struct numamig_target_stat *s = &m->sum;
	char bytes[32];

	bytes_text(moved(s) * 4096, bytes, sizeof(bytes));
	fprintf(stderr, "numashare: %.1f s, %llu samples", now_seconds() -
		m->start, (unsigned long long)s->samples);
	if (m->first_share >= 0)
		fprintf(stderr, ", local share %.1f %% at first, %.1f %% at last",
			m->first_share * 100, m->last_share * 100);
	fprintf(stderr, "\nnumashare: %llu orders%s, %llu pages moved (%s): "
		"%llu by the kernel engine, %llu by the helper, %llu failed\n",
		(unsigned long long)s->orders,
		m->dry_run ? " (dry run)" : "",
		(unsigned long long)moved(s), bytes,
		(unsigned long long)s->pages_kernel,
		(unsigned long long)s->pages_helper,
		(unsigned long long)s->pages_failed);
	if (s->cpu_ns)
		fprintf(stderr, "numashare: sampling took %.2f %% of %.1f s "
			"of CPU time\n", 100.0 * s->sampler_ns / s->cpu_ns,
			s->cpu_ns / 1e9);
}

static int write_summary(struct migrate *m)
{
	struct json_object *o;
	FILE *f;

	if (!m->json)
		summary_text(m);
	if (!m->json && !m->output)
		return OK;
	o = summary_json(m);
	if (m->output) {
		f = fopen(m->output, "we");
		if (!f) {
			complain("%s: %s", m->output, strerror(errno));
			json_object_put(o);
			return FAILED;
		}
		json_print(f, json_object_get(o));
		fclose(f);
	}
	/* the command's standard output is its own */
	if (m->json)
		json_print(m->targets.command ? stderr : stdout, o);
	else
		json_object_put(o);
	return OK;
}

static const struct option opts[] = {
	{ "dry-run", no_argument, NULL, 'n' },
	{ "interval", required_argument, NULL, 'i' },
	{ "json", no_argument, NULL, 'j' },
	{ "no-children", no_argument, NULL, 'C' },
	{ "output", required_argument, NULL, 'o' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "seconds", required_argument, NULL, 's' },
	{ "until", required_argument, NULL, 'u' },
	{ NULL, 0, NULL, 0 }
};

static int parse(struct migrate *m, int argc, char **argv)
{
	double v;
	int c;

	while ((c = getopt_long(argc, argv, "+ni:jo:qs:u:", opts,
				NULL)) != -1) {
		switch (c) {
		case 'n':
			m->dry_run = true;
			break;
		case 'i':
			if (!parse_number(optarg, 0.05, 3600, &m->interval))
				return usage_error(&cmd_migrate,
						   "--interval: 0.05 to 3600");
			break;
		case 'j':
			m->json = true;
			break;
		case 'C':
			m->children = false;
			break;
		case 'o':
			m->output = optarg;
			break;
		case 'q':
			m->quiet = true;
			break;
		case 's':
			if (!parse_number(optarg, 0.1, 1e7, &m->seconds))
				return usage_error(&cmd_migrate,
						   "--seconds: 0.1 or more");
			break;
		case 'u':
			if (!parse_number(optarg, 1, 100, &v))
				return usage_error(&cmd_migrate,
						   "--until: 1 to 100 percent");
			m->until = v / 100;
			break;
		default:
			return usage_error(&cmd_migrate, "unknown option");
		}
	}
	return OK;
}

static int work(struct migrate *m)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int ret;

	ret = m->dry_run ? OK : helper_start(&m->helper);
	if (ret)
		return ret;
	sigaction(SIGTERM, &sa, NULL);
	if (!m->targets.command)
		sigaction(SIGINT, &sa, NULL);
	m->start = now_seconds();
	ret = targets_go(&m->targets);
	if (ret)
		return ret;
	watch(m);
	return write_summary(m);
}

static int run(int argc, char **argv)
{
	struct migrate m = {
		.children = true,
		.interval = 0.5,
		.first_share = -1,
		.last_share = -1,
	};
	uint32_t flags = 0;
	bool command;
	int ret;

	ret = parse(&m, argc, argv);
	if (ret)
		return ret;
	command = !strcmp(argv[optind - 1], "--");
	if (m.children)
		flags |= NUMAMIG_TARGET_CHILDREN;
	if (m.dry_run)
		flags |= NUMAMIG_TARGET_DRY_RUN;
	ret = targets_open(&m.targets, &cmd_migrate, argc - optind,
			   argv + optind, command, flags);
	if (!ret) {
		m.course = json_object_new_array();
		ret = work(&m);
		json_object_put(m.course);
	}
	targets_close(&m.targets);
	helper_stop(&m.helper);
	return ret ? ret : targets_status(&m.targets);
}

const struct subcommand cmd_migrate = {
	.name = "migrate",
	.run = run,
	.summary = "Sample a program and move its hot pages to the node that uses them",
	.usage = "[OPTION]... PID... | -- COMMAND [ARG]...",
	.help =
"Samples the processes (and their children) and migrates, until they end, the\n"
"time is over, or it is interrupted; then nothing is sampled any more.  Huge,\n"
"shared and file pages are moved by a helper thread of this command.  Progress\n"
"and the summary go to standard error.  A COMMAND keeps its standard input and\n"
"output, and its exit status is returned.\n\n"
"  -n, --dry-run       sample and count orders, move nothing\n"
"      --no-children   only these processes, not their children\n"
"  -u, --until PCT     with PIDs: end when so many percent of the accesses are\n"
"                      local, in two intervals in a row\n"
"  -s, --seconds S     with PIDs: end after that long\n"
"  -i, --interval S    progress every S seconds (default 0.5)\n"
"  -q, --quiet         no progress, only the summary\n"
"  -j, --json          the summary as JSON: on standard output, or on standard\n"
"                      error when there is a COMMAND\n"
"  -o, --output FILE   also write it, with the time course, to FILE\n",
};
