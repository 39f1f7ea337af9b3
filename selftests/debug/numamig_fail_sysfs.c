// SPDX-License-Identifier: GPL-2.0-only
/*
 * numamig_fail_sysfs - every attribute of numamig, read and written with each
 * allocation failing in turn
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fault.h"
#include "nm_test.h"

static char path[512];
static bool writable;
static int fd = -1;

struct value {
	char text[256];
} was, is;

static long read_into(struct value *v)
{
	long n = pread(fd, v->text, sizeof(v->text) - 1, 0);

	if (n < 0)
		return -errno;
	v->text[n] = 0;
	return n;
}

static void prepare(void *ctx)
{
	(void)ctx;
	fd = open(path, writable ? O_RDWR : O_RDONLY);
	must(fd >= 0 && read_into(&was) >= 0, path);
}

static const char *settle(void *ctx, long ret)
{
	(void)ctx;
	(void)ret;
	must(read_into(&is) >= 0, path);
	close(fd);
	return strcmp(was.text, is.text) ? "the value changed" : NULL;
}

static long call_read(void *ctx)
{
	(void)ctx;
	return read_into(&is);
}

/* The value that it has: what is tested is the way there. */
static long call_write(void *ctx)
{
	long n = pwrite(fd, was.text, strlen(was.text), 0);

	(void)ctx;
	return n < 0 ? -errno : n;
}

static const struct fail_nth_call calls[] = {
	{ "read", prepare, call_read, settle },
	{ "write", prepare, call_write, settle },
};

/* One attribute, to be added to @all. */
static bool try_one(struct fail_nth_report *all)
{
	struct fail_nth_report r;
	bool ok = true;
	int i;

	for (i = 0; i < (writable ? 2 : 1); i++) {
		if (!fail_nth_explain(&calls[i], NULL, &r)) {
			printf("# Expected it of %s\n", path);
			ok = false;
		}
		all->calls += r.calls;
		all->failed += r.failed;
		all->ridden += r.ridden;
	}
	return ok;
}

/* A folder is one test; some of its calls must have failed. */
static void try_folder(const char *folder)
{
	struct fail_nth_report all = { 0 };
	DIR *dir = opendir(folder);
	struct dirent *d;
	struct stat st;
	bool ok = true;

	must(dir, folder);
	while ((d = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, d->d_name);
		if (stat(path, &st) || !S_ISREG(st.st_mode))
			continue;
		writable = st.st_mode & 0222;
		ok &= try_one(&all);
	}
	closedir(dir);
	fail_nth_result(folder, ok && all.failed, &all);
}

int main(void)
{
	printf("TAP version 13\n1..5\n");
	if (!fault_setup())
		return 1;
	try_folder("/sys/kernel/numamig");
	try_folder("/sys/kernel/numamig/policy");
	try_folder("/sys/kernel/numamig/samples");
	try_folder("/sys/kernel/numamig/orders");
	try_folder("/sys/kernel/numamig/pages");
	return fail_nth_bad() > 0;
}
