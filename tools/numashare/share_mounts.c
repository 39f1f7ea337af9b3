// SPDX-License-Identifier: GPL-2.0-only
/*
 * share_mounts.c - the mounts of cowdedup
 *
 * The module knows all of them; where one is mounted is seen for those of this
 * mount namespace only.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guests.h"
#include "numashare.h"

static void find_points(struct guests *all)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct share_mount *s;
	struct mount_line m;
	char *line = NULL;
	size_t room = 0, i;

	while (f && getline(&line, &room, f) > 0) {
		if (!parse_mount(line, &m) || strcmp(m.type, "cowdedup") ||
		    strcmp(m.root, "/"))
			continue;
		for (i = 0; i < all->nr_mounts; i++) {
			s = &all->mount[i];
			if (s->major == m.major && s->minor == m.minor &&
			    !s->point[0])
				strcpy(s->point, m.point);
		}
	}
	free(line);
	if (f)
		fclose(f);
}

static int add_mount(struct guests *all, const char *name)
{
	struct share_mount *m;
	unsigned int major, minor;

	if (sscanf(name, "%u:%u", &major, &minor) != 2)
		return 0;
	m = grow(all->mount, all->nr_mounts, sizeof(*m));
	if (!m)
		return -ENOMEM;
	all->mount = m;
	m += all->nr_mounts++;
	memset(m, 0, sizeof(*m));
	m->major = major;
	m->minor = minor;
	snprintf(m->sysfs, sizeof(m->sysfs), COWDEDUP_SYSFS "/mounts/%u:%u",
		 major, minor);
	sysfs_read(m->sysfs, "images", m->images, sizeof(m->images));
	m->masters = sysfs_number(m->sysfs, "masters");
	m->alike = sysfs_number(m->sysfs, "masters_sharing");
	m->sharing = sysfs_number(m->sysfs, "pages_sharing");
	return 0;
}

/* 0 or a negative errno; without the module there are none. */
int mounts_find(struct guests *all)
{
	struct dirent *d;
	int ret = 0;
	DIR *dir;

	all->loaded = !access(COWDEDUP_SYSFS, F_OK);
	dir = opendir(COWDEDUP_SYSFS "/mounts");
	while (dir && !ret && (d = readdir(dir)))
		ret = add_mount(all, d->d_name);
	if (dir)
		closedir(dir);
	find_points(all);
	return ret;
}

/*
 * The name of an image, by its number.  One that was deleted or replaced has
 * none, and guests may still have its pages.
 */
void image_name(const struct share_mount *m, uint64_t inode, char *buf,
		size_t len)
{
	char path[PATH_MAX + 16];
	struct dirent *d;
	DIR *dir;

	snprintf(buf, len, "(inode %llu)", (unsigned long long)inode);
	if (m->point[0])
		snprintf(path, sizeof(path), "%s/images", m->point);
	else
		snprintf(path, sizeof(path), "%s", m->images);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (d->d_ino != inode)
			continue;
		snprintf(buf, len, "%s", d->d_name);
		break;
	}
	if (dir)
		closedir(dir);
}
