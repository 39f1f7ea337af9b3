// SPDX-License-Identifier: GPL-2.0-only
/*
 * prometheus.c - figures of guests for node_exporter's textfile collector
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guests.h"
#include "numashare.h"

#define PREFIX "numashare_cowdedup_"

/* The value of a label. */
static void print_value(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			fputs("\\n", f);
		else if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else
			fputc(*s, f);
	}
}

static void print_head(FILE *f, const char *name, const char *type,
		       const char *help)
{
	fprintf(f, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name,
		help, name, type);
}

/* --- by guest ------------------------------------------------------------- */

static uint64_t ram(const struct guest *g, uint64_t page)
{
	return g->pages * page;
}

static uint64_t shared(const struct guest *g, uint64_t page)
{
	return g->shared * page;
}

static uint64_t private(const struct guest *g, uint64_t page)
{
	return g->private * page;
}

static uint64_t broken(const struct guest *g, uint64_t page)
{
	return g->broken * page;
}

static uint64_t saved(const struct guest *g, uint64_t page)
{
	(void)page;
	return g->saved;
}

static uint64_t plain(const struct guest *g, uint64_t page)
{
	(void)page;
	return g->mount < 0;
}

static const struct {
	const char *name, *help;
	uint64_t (*value)(const struct guest *g, uint64_t page);
} of_guest[] = {
	{ "guest_ram_bytes", "Memory of the guest.", ram },
	{ "guest_shared_bytes",
	  "Of it, pages of images that are not copied.", shared },
	{ "guest_private_bytes", "Of it, pages of its own.", private },
	{ "guest_broken_bytes",
	  "Of these, pages that were shared until it wrote to them.", broken },
	{ "guest_saved_bytes", "Its part of what sharing saves.", saved },
	{ "guest_plain_file",
	  "1 if its memory is a plain file, so that it shares nothing.",
	  plain },
};

static void print_guests(FILE *f, const struct guests *all)
{
	size_t i, k;

	for (k = 0; k < sizeof(of_guest) / sizeof(of_guest[0]); k++) {
		print_head(f, of_guest[k].name, "gauge", of_guest[k].help);
		for (i = 0; i < all->nr; i++) {
			const struct guest *g = &all->guest[i];

			fprintf(f, PREFIX "%s{guest=\"", of_guest[k].name);
			print_value(f, g->name);
			fprintf(f, "\",mount=\"");
			print_value(f, g->mount < 0 ? "" :
				    all->mount[g->mount].point);
			fprintf(f, "\",pid=\"%d\",inode=\"%llu\"} %llu\n",
				g->pid, (unsigned long long)g->inode,
				(unsigned long long)
				of_guest[k].value(g, all->page));
		}
	}
}

/* --- by mount ------------------------------------------------------------- */

/* In pages or bytes there, always bytes here. */
static const struct {
	const char *name, *file, *type, *help;
	bool pages;
} of_mount[] = {
	{ "masters_bytes", "masters", "gauge",
	  "Memory that is the one copy of a page of an image.", true },
	{ "bound_bytes", "pages_sharing", "gauge",
	  "Memory of guests that is bound to a master.", true },
	{ "read_bytes_total", "bytes_read", "counter",
	  "Bytes read from images.", false },
	{ "bound_bytes_total", "pages_bound", "counter",
	  "Of them, bytes that were shared instead of copied.", true },
	{ "masters_made_bytes_total", "masters_made", "counter",
	  "Masters that were made.", true },
	{ "masters_reclaimed_bytes_total", "masters_reclaimed", "counter",
	  "Masters that were given back because memory was short.", true },
};

static void print_mount(FILE *f, const char *name, const struct share_mount *m,
			const char *label, uint64_t value)
{
	fprintf(f, PREFIX "%s{mount=\"", name);
	print_value(f, m->point);
	fprintf(f, "\",device=\"%u:%u\"", m->major, m->minor);
	if (label)
		fprintf(f, ",reason=\"%s\"", label);
	fprintf(f, "} %llu\n", (unsigned long long)value);
}

/* Why reads were copied: all that the module counts. */
static void print_copied(FILE *f, const struct guests *all)
{
	struct json_object *tree;
	size_t i;

	print_head(f, "copied_bytes_total", "counter",
		   "Bytes read from images that were copied, by reason.");
	for (i = 0; i < all->nr_mounts; i++) {
		tree = sysfs_tree(all->mount[i].sysfs);
		json_object_object_foreach(tree, key, value) {
			if (!strncmp(key, "copied_", 7))
				print_mount(f, "copied_bytes_total",
					    &all->mount[i], key + 7,
					    json_object_get_int64(value));
		}
		json_object_put(tree);
	}
}

static void print_mounts(FILE *f, const struct guests *all)
{
	size_t i, k;

	for (k = 0; k < sizeof(of_mount) / sizeof(of_mount[0]); k++) {
		print_head(f, of_mount[k].name, of_mount[k].type,
			   of_mount[k].help);
		for (i = 0; i < all->nr_mounts; i++)
			print_mount(f, of_mount[k].name, &all->mount[i], NULL,
				    sysfs_number(all->mount[i].sysfs,
						 of_mount[k].file) *
				    (of_mount[k].pages ? all->page : 1));
	}
	print_head(f, "saved_bytes", "gauge", "Memory that sharing saves.");
	for (i = 0; i < all->nr_mounts; i++)
		print_mount(f, "saved_bytes", &all->mount[i], NULL,
			    all->mount[i].saved);
}

void prometheus_print(FILE *f, const struct guests *all)
{
	print_head(f, "up", "gauge", "1 if the module is loaded.");
	fprintf(f, PREFIX "up %d\n", all->loaded);
	print_mounts(f, all);
	print_copied(f, all);
	print_guests(f, all);
}

/* Whoever reads the file sees it whole: it is renamed when it is. */
int prometheus_write(const char *path, const struct guests *all)
{
	char *tmp;
	bool ok = false;
	FILE *f;
	int fd;

	/* not a name that ends in .prom, which would be collected */
	if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
		return FAILED;
	fd = mkostemp(tmp, O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f) {
		prometheus_print(f, all);
		ok = !ferror(f) && !fchmod(fd, 0644);
		ok = !fclose(f) && ok && !rename(tmp, path);
	}
	if (!ok) {
		complain("%s: %s", path, strerror(errno));
		if (fd >= 0)
			unlink(tmp);
	}
	free(tmp);
	return ok ? OK : FAILED;
}
