// SPDX-License-Identifier: GPL-2.0-only
/*
 * ksm.c - see ksm.h
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ksm.h"
#include "stage.h"

#define KSM	"/sys/kernel/mm/ksm/"

static int ksmd;

static bool is_ksmd(const char *pid)
{
	char path[64], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = 0;
	fclose(f);
	return !strcmp(comm, "ksmd\n");
}

const char *ksm_missing(void)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && !ksmd && (e = readdir(d)))
		if (isdigit(e->d_name[0]) && is_ksmd(e->d_name))
			ksmd = atoi(e->d_name);
	if (d)
		closedir(d);
	return ksmd ? NULL : "this kernel has no ksmd";
}

static void set(const char *name, unsigned int value)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), KSM "%s", name);
	snprintf(text, sizeof(text), "%u", value);
	nm_write_file(path, text);
}

void ksm_start(unsigned int pages_to_scan, unsigned int sleep_ms)
{
	set("pages_to_scan", pages_to_scan);
	set("sleep_millisecs", sleep_ms);
	set("run", 1);
}

void ksm_stop(void)
{
	set("run", 0);
	set("pages_to_scan", 100);
	set("sleep_millisecs", 20);
}

void ksm_read(struct ksm_work *w)
{
	char path[64];

	w->scans = nm_read_number(KSM "full_scans");
	w->sharing = nm_read_number(KSM "pages_sharing");
	/* the first number is its time on a CPU */
	snprintf(path, sizeof(path), "/proc/%d/schedstat", ksmd);
	w->ns = nm_read_number(path);
}
