// SPDX-License-Identifier: GPL-2.0-only
/*
 * fault.c - see fault.h; Documentation/fault-injection of the kernel says what
 * the knobs do
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

#define DEBUGFS	"/sys/kernel/debug/"
/* The kernel counts down from here. */
#define TIMES	1000000

static bool set(const char *kind, const char *name, const char *value)
{
	char path[512];
	int fd;
	bool ok;

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", kind, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, value, strlen(value)) > 0;
	close(fd);
	return ok;
}

static bool set_number(const char *kind, const char *name, unsigned long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lu", value);
	return set(kind, name, text);
}

/* Set a knob of everything that can be failed; true if one has it. */
static bool set_all(const char *name, unsigned long value)
{
	struct dirent *d;
	DIR *dir = opendir(DEBUGFS);
	bool found = false;

	while (dir && (d = readdir(dir)))
		if (!strncmp(d->d_name, "fail", 4))
			found |= set_number(d->d_name, name, value);
	if (dir)
		closedir(dir);
	return found;
}

bool fault_setup(void)
{
	if (!set("failslab", "ignore-gfp-wait", "N") ||
	    !set("fail_page_alloc", "ignore-gfp-wait", "N") ||
	    !set("fail_page_alloc", "ignore-gfp-highmem", "N") ||
	    !set("fail_page_alloc", "min-order", "0") ||
	    access(DEBUGFS "fail_usercopy", F_OK) ||
	    access("/proc/self/fail-nth", W_OK)) {
		printf("# this kernel has no fault injection\n");
		return false;
	}
	/* a backtrace for each failure would hide a real report */
	set_all("verbose", 0);
	return true;
}

static bool only_range(unsigned long start, unsigned long end)
{
	if (start < end && set_all("stacktrace-depth", 32) &&
	    set_all("require-start", start) && set_all("require-end", end))
		return true;
	printf("# this kernel cannot fail by caller\n");
	fault_anywhere();
	return false;
}

void fault_anywhere(void)
{
	set_all("require-start", 0);
	set_all("require-end", ~0ul);
}

bool fault_only_function(const char *name)
{
	unsigned long start = 0, end = ~0ul, addr;
	char line[512], symbol[256], type;
	FILE *f = fopen("/proc/kallsyms", "re");

	/* the symbols of the kernel itself come first, and in order */
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %c %255s", &addr, &type, symbol) != 3)
			continue;
		if (start && addr > start) {
			end = addr;
			break;
		}
		if (!start && !strcmp(symbol, name))
			start = addr;
	}
	if (f)
		fclose(f);
	return only_range(start ? start : end, end);
}

bool fault_only_module(const char *name)
{
	unsigned long start = ~0ul, end = 0, addr;
	char line[512], wanted[64], module[64], type;
	FILE *f = fopen("/proc/kallsyms", "re");

	snprintf(wanted, sizeof(wanted), "[%s]", name);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %c %*s %63s", &addr, &type,
			   module) != 3 ||
		    strcmp(module, wanted) || (type != 't' && type != 'T'))
			continue;
		if (addr < start)
			start = addr;
		if (addr > end)
			end = addr;
	}
	if (f)
		fclose(f);
	/* the last function is no longer than this */
	return only_range(start, end + 4096);
}

static const char *const kinds[] = { "failslab", "fail_page_alloc" };

bool fault_begin(unsigned int percent)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (!set_number(kinds[i], "interval", 1) ||
		    !set_number(kinds[i], "times", TIMES) ||
		    !set_number(kinds[i], "space", 0) ||
		    !set(kinds[i], "task-filter", "N") ||
		    !set_number(kinds[i], "probability", percent))
			return false;
	return true;
}

unsigned int fault_end(void)
{
	unsigned int i, failed = 0;
	char path[128];
	int left;
	FILE *f;

	for (i = 0; i < 2; i++) {
		set_number(kinds[i], "probability", 0);
		snprintf(path, sizeof(path), DEBUGFS "%s/times", kinds[i]);
		f = fopen(path, "re");
		if (f && fscanf(f, "%d", &left) == 1 && left >= 0)
			failed += TIMES - left;
		if (f)
			fclose(f);
		set_number(kinds[i], "times", 1);
	}
	return failed;
}
