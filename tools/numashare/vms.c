// SPDX-License-Identifier: GPL-2.0-only
/*
 * vms.c - numashare vms: what each guest shares
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "guests.h"
#include "numashare.h"

static volatile sig_atomic_t interrupted;

struct vms {
	bool json, images, once;
	const char *prometheus;
	double interval;
};

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* --- text ----------------------------------------------------------------- */

static const char *size_of(const struct guests *all, uint64_t pages, char *buf,
			   size_t len)
{
	return bytes_text(pages * all->page, buf, len);
}

static const char *warning_of(const struct guest *g)
{
	if (g->mount < 0)
		return "  PLAIN FILE, not on cowdedup";
	return g->split ? "  mapped more than once: reads are copied" : "";
}

static void print_images(const struct guests *all, const struct guest *g)
{
	char name[256], shared[32], broken[32], saved[32];
	size_t i;

	for (i = 0; i < g->nr_images; i++) {
		const struct image_share *s = &g->image[i];

		image_name(&all->mount[g->mount], s->image, name,
			   sizeof(name));
		printf("  %-25.25s %10s %10s %10s %10s %10s\n", name, "",
		       size_of(all, s->shared, shared, sizeof(shared)), "",
		       size_of(all, s->broken, broken, sizeof(broken)),
		       bytes_text(s->saved, saved, sizeof(saved)));
	}
}

static void print_guest(const struct guests *all, const struct guest *g)
{
	char ram[32], shared[32], private[32], broken[32], saved[32];
	const char *place = g->path;

	if (g->mount >= 0 && all->mount[g->mount].point[0])
		place = all->mount[g->mount].point;
	printf("%-18.18s %8d %10s %10s %10s %10s %10s  %s%s%s\n", g->name,
	       g->pid, size_of(all, g->pages, ram, sizeof(ram)),
	       size_of(all, g->shared, shared, sizeof(shared)),
	       size_of(all, g->private, private, sizeof(private)),
	       size_of(all, g->broken, broken, sizeof(broken)),
	       bytes_text(g->saved, saved, sizeof(saved)), place,
	       g->deleted ? " (deleted)" : "", warning_of(g));
}

static void print_mount(const struct guests *all, const struct share_mount *m)
{
	char masters[32], saved[32];

	printf("%s: %llu guest%s, %s of masters from %s, %s saved\n",
	       m->point[0] ? m->point : m->sysfs,
	       (unsigned long long)m->guests, m->guests == 1 ? "" : "s",
	       size_of(all, m->masters, masters, sizeof(masters)), m->images,
	       bytes_text(m->saved, saved, sizeof(saved)));
}

static void print_text(const struct guests *all, bool images)
{
	size_t i;

	for (i = 0; i < all->nr_mounts; i++)
		print_mount(all, &all->mount[i]);
	if (!all->nr) {
		printf("no guest\n");
		return;
	}
	printf("\n%-18s %8s %10s %10s %10s %10s %10s  %s\n", "GUEST", "PID",
	       "RAM", "SHARED", "PRIVATE", "BROKEN", "SAVED", "MOUNT");
	for (i = 0; i < all->nr; i++) {
		print_guest(all, &all->guest[i]);
		if (images)
			print_images(all, &all->guest[i]);
	}
}

/* --- JSON ----------------------------------------------------------------- */

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text && *text ?
			       json_object_new_string(text) : NULL);
}

static struct json_object *mount_json(const struct guests *all,
				      const struct share_mount *m)
{
	struct json_object *o = json_object_new_object();
	char dev[32];

	snprintf(dev, sizeof(dev), "%u:%u", m->major, m->minor);
	add_text(o, "device", dev);
	add_text(o, "path", m->point);
	add_text(o, "images", m->images);
	json_object_object_add(o, "guests", json_u64(m->guests));
	json_object_object_add(o, "masters_bytes",
			       json_u64(m->masters * all->page));
	json_object_object_add(o, "bound_bytes",
			       json_u64(m->sharing * all->page));
	json_object_object_add(o, "saved_bytes", json_u64(m->saved));
	json_object_object_add(o, "counters", sysfs_tree(m->sysfs));
	return o;
}

static struct json_object *images_json(const struct guests *all,
				       const struct guest *g)
{
	struct json_object *a = json_object_new_array(), *o;
	char name[256];
	size_t i;

	for (i = 0; i < g->nr_images; i++) {
		const struct image_share *s = &g->image[i];

		o = json_object_new_object();
		image_name(&all->mount[g->mount], s->image, name,
			   sizeof(name));
		add_text(o, "image", name);
		json_object_object_add(o, "inode", json_u64(s->image));
		json_object_object_add(o, "shared_bytes",
				       json_u64(s->shared * all->page));
		json_object_object_add(o, "broken_bytes",
				       json_u64(s->broken * all->page));
		json_object_object_add(o, "saved_bytes", json_u64(s->saved));
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *guest_json(const struct guests *all,
				      const struct guest *g)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "guest", g->name);
	json_object_object_add(o, "pid", json_u64(g->pid));
	add_text(o, "command", g->command);
	add_text(o, "path", g->path);
	add_text(o, "mount", g->mount < 0 ? NULL :
		 all->mount[g->mount].point);
	json_object_object_add(o, "deleted",
			       json_object_new_boolean(g->deleted));
	json_object_object_add(o, "ram_bytes", json_u64(g->pages * all->page));
	json_object_object_add(o, "shared_bytes",
			       json_u64(g->shared * all->page));
	json_object_object_add(o, "private_bytes",
			       json_u64(g->private * all->page));
	json_object_object_add(o, "broken_bytes",
			       json_u64(g->broken * all->page));
	json_object_object_add(o, "saved_bytes", json_u64(g->saved));
	json_object_object_add(o, "images", images_json(all, g));
	add_text(o, "warning", g->mount < 0 ? "plain_file" :
		 g->split ? "mapped_more_than_once" : NULL);
	return o;
}

static void print_json(const struct guests *all)
{
	struct json_object *o = json_object_new_object();
	struct json_object *mounts = json_object_new_array();
	struct json_object *guests = json_object_new_array();
	uint64_t saved = 0;
	size_t i;

	for (i = 0; i < all->nr_mounts; i++) {
		json_object_array_add(mounts, mount_json(all, &all->mount[i]));
		saved += all->mount[i].saved;
	}
	for (i = 0; i < all->nr; i++)
		json_object_array_add(guests, guest_json(all, &all->guest[i]));
	json_object_object_add(o, "loaded",
			       json_object_new_boolean(all->loaded));
	json_object_object_add(o, "page_bytes", json_u64(all->page));
	json_object_object_add(o, "saved_bytes", json_u64(saved));
	json_object_object_add(o, "mounts", mounts);
	json_object_object_add(o, "guests", guests);
	json_print(stdout, o);
}

/* --- the command ---------------------------------------------------------- */

static int show(const struct vms *v, bool live)
{
	struct guests all;
	int ret;

	ret = guests_find(&all, 0);
	if (!ret)
		ret = guests_count(&all);
	if (ret) {
		guests_free(&all);
		return explain_cowdedup(ret);
	}
	ret = OK;
	if (v->prometheus) {
		ret = prometheus_write(v->prometheus, &all);
	} else if (v->json) {
		print_json(&all);
	} else {
		/* home, and what was there goes */
		if (live)
			printf("\033[H\033[J");
		if (all.loaded || all.nr)
			print_text(&all, v->images);
		fflush(stdout);
	}
	if (!all.loaded && !v->prometheus)
		ret = explain_cowdedup(-ENOENT);
	guests_free(&all);
	return ret;
}

static int watch(const struct vms *v)
{
	struct sigaction sa = { .sa_handler = on_signal };
	double next = now_seconds();
	int ret = OK;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	while (!interrupted && !ret) {
		ret = show(v, true);
		next += v->interval;
		while (!interrupted && !ret && now_seconds() < next)
			usleep(50000);
	}
	return ret;
}

static const struct option opts[] = {
	{ "images", no_argument, NULL, 'I' },
	{ "interval", required_argument, NULL, 'i' },
	{ "json", no_argument, NULL, 'j' },
	{ "once", no_argument, NULL, '1' },
	{ "prometheus", required_argument, NULL, 'p' },
	{ NULL, 0, NULL, 0 }
};

static int parse(struct vms *v, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "Ii:j1p:", opts, NULL)) != -1) {
		switch (c) {
		case 'I':
			v->images = true;
			break;
		case 'i':
			if (!parse_number(optarg, 0.1, 86400, &v->interval))
				return usage_error(&cmd_vms,
						   "--interval: 0.1 to 86400");
			break;
		case 'j':
			v->json = true;
			break;
		case '1':
			v->once = true;
			break;
		case 'p':
			v->prometheus = optarg;
			break;
		default:
			return usage_error(&cmd_vms, "unknown option");
		}
	}
	if (optind < argc)
		return usage_error(&cmd_vms, "what is '%s'?", argv[optind]);
	if (v->json && v->prometheus)
		return usage_error(&cmd_vms, "--json or --prometheus");
	return OK;
}

static int run(int argc, char **argv)
{
	struct vms v = { .interval = 2 };
	int ret = parse(&v, argc, argv);

	if (ret)
		return ret;
	if (geteuid())
		return explain_cowdedup(-EPERM);
	if (v.once || v.json || v.prometheus || !isatty(1))
		return show(&v, false);
	return watch(&v);
}

const struct subcommand cmd_vms = {
	.name = "vms",
	.run = run,
	.summary = "Show what each guest shares through cowdedup, and what that saves",
	.usage = "[--images] [--once | --interval S | --json | --prometheus FILE]",
	.help =
"On a terminal the table is drawn anew until it is interrupted; else, or with\n"
"--once, it is printed once.  A guest whose memory is a plain file, because\n"
"cowdedup was not mounted when it was started, is marked.\n\n"
"  SHARED   pages of images that other guests may have, too\n"
"  PRIVATE  pages of its own; of these BROKEN: it has written to them since\n"
"           they were shared\n"
"  SAVED    its part of what sharing saves, see numashare-vms(8)\n\n"
"  -I, --images           also by image\n"
"  -i, --interval S       on a terminal: every S seconds (default 2)\n"
"  -1, --once             on a terminal: once\n"
"  -j, --json             all of it, once, as JSON\n"
"  -p, --prometheus FILE  once, into FILE, for node_exporter's textfile\n"
"                         collector\n",
};
