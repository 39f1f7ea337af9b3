// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs.c - read the folders below /sys/kernel
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "numashare.h"

/* The first line of DIR/FILE; false when it cannot be read. */
bool sysfs_read(const char *dir, const char *file, char *buf, size_t len)
{
	char path[512];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(buf, len, f);
	fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = 0;
	return ok;
}

uint64_t sysfs_number(const char *dir, const char *file)
{
	char buf[64];

	return sysfs_read(dir, file, buf, sizeof(buf)) ?
	       strtoull(buf, NULL, 10) : 0;
}

static struct json_object *value_of(const char *text)
{
	char *end;
	long long v = strtoll(text, &end, 10);

	if (*text && !*end)
		return json_object_new_int64(v);
	return json_object_new_string(text);
}

/* A folder as an object: a key a file, numbers as numbers. */
struct json_object *sysfs_tree(const char *dir)
{
	struct json_object *o = json_object_new_object();
	char path[512], buf[256];
	struct dirent **names;
	int i, n;
	struct stat st;

	n = scandir(dir, &names, NULL, alphasort);
	for (i = 0; i < n; i++) {
		const char *name = names[i]->d_name;

		snprintf(path, sizeof(path), "%s/%s", dir, name);
		if (name[0] != '.' && !stat(path, &st)) {
			if (S_ISDIR(st.st_mode))
				json_object_object_add(o, name,
						       sysfs_tree(path));
			else if (sysfs_read(dir, name, buf, sizeof(buf)))
				json_object_object_add(o, name,
						       value_of(buf));
		}
		free(names[i]);
	}
	if (n >= 0)
		free(names);
	return o;
}
