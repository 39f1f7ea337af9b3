// SPDX-License-Identifier: GPL-2.0-only
/*
 * forecast.c - how much more memory can a process have?
 *
 * What the machine has available, less a fiftieth of all of it; and what is
 * left in the process's memory cgroup and in those around it, page cache that
 * nobody uses counted as free.  Swap is not counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guests.h"
#include "numashare.h"

/* Copies, and page tables for those that are not mapped yet. */
uint64_t bytes_needed(uint64_t pages, uint64_t page)
{
	return pages ? (pages + pages / 512 + 1) * page : 0;
}

static uint64_t keyed_number(const char *path, const char *key)
{
	size_t n = strlen(key);
	uint64_t v = 0;
	char line[256];
	FILE *f;

	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, n) || !strchr(": \t", line[n]))
			continue;
		v = strtoull(line + n + 1, NULL, 10);
		break;
	}
	if (f)
		fclose(f);
	return v;
}

static void room_of_machine(struct room *r)
{
	uint64_t total = keyed_number("/proc/meminfo", "MemTotal") * 1024;
	uint64_t free = keyed_number("/proc/meminfo", "MemAvailable") * 1024;
	uint64_t reserve = total / 50;

	r->bytes = free > reserve ? free - reserve : 0;
	snprintf(r->limit, sizeof(r->limit), "the machine's memory");
}

/* --- cgroups -------------------------------------------------------------- */

/* The names of the files, in version 1 and 2. */
struct cgroup_files {
	const char *max, *current, *inactive;
};

static const struct cgroup_files v1 = {
	"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
};

static const struct cgroup_files v2 = {
	"memory.max", "memory.current", "inactive_file",
};

static void room_of_group(struct room *r, const char *dir,
			  const struct cgroup_files *files)
{
	char max[64], stat[PATH_MAX + 16];
	uint64_t limit, used, inactive, room;

	/* the root has no limit, nor has who says "max" */
	if (!sysfs_read(dir, files->max, max, sizeof(max)) ||
	    !strcmp(max, "max"))
		return;
	limit = strtoull(max, NULL, 10);
	used = sysfs_number(dir, files->current);
	snprintf(stat, sizeof(stat), "%s/memory.stat", dir);
	inactive = keyed_number(stat, files->inactive);
	used -= inactive < used ? inactive : used;
	room = limit > used ? limit - used : 0;
	if (room >= r->bytes)
		return;
	r->bytes = room;
	snprintf(r->limit, sizeof(r->limit), "the memory cgroup %s", dir);
}

/* Where the hierarchy is mounted that has the memory controller. */
static bool find_hierarchy(struct mount_line *found, bool *second)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct mount_line m;
	char *line = NULL;
	bool any = false;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		if (!parse_mount(line, &m))
			continue;
		if (!strcmp(m.type, "cgroup2") && !any) {
			*found = m;
			*second = true;
			any = true;
		} else if (!strcmp(m.type, "cgroup") &&
			   strstr(m.options, "memory")) {
			*found = m;
			*second = false;
			any = true;
			break;
		}
	}
	free(line);
	if (f)
		fclose(f);
	return any;
}

/* The process's place in it: "0::/PATH", or "N:memory:/PATH". */
static bool find_path(int pid, bool second, char *path, size_t len)
{
	char name[64], *line = NULL, *list, *at;
	bool found = false;
	size_t room = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	f = fopen(name, "re");
	while (f && !found && getline(&line, &room, f) > 0) {
		line[strcspn(line, "\n")] = 0;
		list = strchr(line, ':');
		at = list ? strchr(list + 1, ':') : NULL;
		if (!at)
			continue;
		*at++ = 0;
		found = second ? !list[1] : !strcmp(list + 1, "memory");
		if (found)
			snprintf(path, len, "%s", at);
	}
	free(line);
	if (f)
		fclose(f);
	return found;
}

/* Each group on the way up from the process's own. */
static int room_of_groups(int pid, struct room *r)
{
	char dir[2 * PATH_MAX], path[PATH_MAX];
	struct mount_line m;
	bool second;
	char *slash;

	if (!find_hierarchy(&m, &second) ||
	    !find_path(pid, second, path, sizeof(path)))
		return 0;
	/* it is outside of what this process can see */
	if (!strncmp(path, "/..", 3) || strcmp(m.root, "/"))
		return -EXDEV;
	snprintf(dir, sizeof(dir), "%s%s", m.point, path);
	if (access(dir, R_OK | X_OK))
		return -errno;
	while (strlen(dir) > strlen(m.point)) {
		room_of_group(r, dir, second ? &v2 : &v1);
		slash = strrchr(dir, '/');
		*slash = 0;
	}
	return 0;
}

/* 0, or a negative errno if the limits of its cgroups cannot be seen. */
int room_of(int pid, struct room *r)
{
	room_of_machine(r);
	return room_of_groups(pid, r);
}
