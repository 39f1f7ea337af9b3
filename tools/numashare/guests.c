// SPDX-License-Identifier: GPL-2.0-only
/*
 * guests.c - find the processes whose memory is a file of cowdedup
 *
 * And those of which it should be, and is not: a virtual machine monitor that
 * has a file of ram/ mapped from elsewhere was started while cowdedup was not
 * mounted there, and shares nothing.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guests.h"
#include "numashare.h"

/* --- processes ------------------------------------------------------------ */

static int mount_by(const struct guests *all, unsigned int major,
		    unsigned int minor)
{
	size_t i;

	for (i = 0; i < all->nr_mounts; i++)
		if (all->mount[i].major == major &&
		    all->mount[i].minor == minor)
			return i;
	return -1;
}

/* @m gets the name of the file that it is mapped for. */
static void name_shared(const struct share_mount *s, const char *name,
			struct map_line *m)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/ram/%s", s->point, name) >=
	    (int)sizeof(path))
		return;
	strcpy(m->path, path);
	m->deleted = s->point[0] && access(path, F_OK);
}

/* Index of the mount, or -1. */
static int mount_of(const struct guests *all, struct map_line *m, bool *shared)
{
	unsigned int major, minor;
	const char *name = shared_ram(m, &major, &minor);
	int mount;

	*shared = name;
	if (!name)
		return mount_by(all, m->major, m->minor);
	mount = mount_by(all, major, minor);
	if (mount >= 0)
		name_shared(&all->mount[mount], name, m);
	return mount;
}

/* Does it have a virtual machine of KVM? */
static bool has_kvm(int pid)
{
	char path[64], to[64];
	bool found = false;
	struct dirent *d;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && !found && (d = readdir(dir))) {
		len = readlinkat(dirfd(dir), d->d_name, to, sizeof(to) - 1);
		to[len > 0 ? len : 0] = 0;
		found = !strcmp(to, "anon_inode:kvm-vm");
	}
	if (dir)
		closedir(dir);
	return found;
}

static int open_mapped(int pid, uint64_t start, uint64_t end)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)start, (unsigned long long)end);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool is_regular(int pid, const struct map_line *m)
{
	int fd = open_mapped(pid, m->start, m->end);
	struct stat st;
	bool yes = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode);

	if (fd >= 0)
		close(fd);
	return yes;
}

/* /MOUNTPOINT/ram/NAME is NAME. */
static const char *name_in_ram(const struct guests *all, const struct guest *g)
{
	const char *point = g->mount < 0 ? "" : all->mount[g->mount].point;
	size_t n = strlen(point);
	const char *at;

	if (n && !strncmp(g->path, point, n) &&
	    !strncmp(g->path + n, "/ram/", 5))
		return g->path + n + 5;
	at = strstr(g->path, "/ram/");
	return at ? at + 5 : g->path;
}

static struct guest *guest_of(struct guests *all, int pid, int mount,
			      const struct map_line *m)
{
	struct guest *g;
	char dir[32];
	size_t i;

	for (i = all->nr; i-- && all->guest[i].pid == pid;) {
		g = &all->guest[i];
		if (g->mount == mount && g->inode == m->inode &&
		    !strcmp(g->path, m->path))
			return g;
	}
	g = grow(all->guest, all->nr, sizeof(*g));
	if (!g)
		return NULL;
	all->guest = g;
	g += all->nr++;
	memset(g, 0, sizeof(*g));
	g->pid = pid;
	g->mount = mount;
	g->inode = m->inode;
	g->deleted = m->deleted;
	strcpy(g->path, m->path);
	strcpy(g->name, name_in_ram(all, g));
	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	if (!sysfs_read(dir, "comm", g->command, sizeof(g->command)))
		strcpy(g->command, "?");
	return g;
}

static int add_part(struct guests *all, int pid, int mount,
		    const struct map_line *m, bool shared)
{
	struct guest *g = guest_of(all, pid, mount, m);
	struct part *p;

	if (!g)
		return -ENOMEM;
	g->in_file = shared;
	p = grow(g->part, g->nr_parts, sizeof(*p));
	if (!p)
		return -ENOMEM;
	g->part = p;
	p += g->nr_parts++;
	p->addr = m->start;
	p->first = m->offset / all->page;
	p->pages = (m->end - m->start) / all->page;
	g->pages += p->pages;
	return 0;
}

/* A process that ends meanwhile has no guest. */
static int look_at(struct guests *all, int pid)
{
	char path[64], *line = NULL;
	struct map_line m;
	size_t room = 0;
	int mount, ret = 0;
	bool shared;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !ret && getline(&line, &room, f) > 0) {
		if (!parse_map(line, &m) || !m.inode)
			continue;
		mount = mount_of(all, &m, &shared);
		/* images are not mapped, so it is a file of ram/ */
		if (mount >= 0 || (looks_like_ram(&m) &&
				   is_regular(pid, &m) && has_kvm(pid)))
			ret = add_part(all, pid, mount, &m,
				       shared && mount >= 0);
	}
	free(line);
	if (f)
		fclose(f);
	return ret;
}

static void guest_free(struct guest *g)
{
	free(g->part);
	free(g->run);
	free(g->image);
}

/*
 * Several processes that map the same memory shared are one guest: it is the
 * one with a virtual machine, and the others are back ends of its devices.
 */
static void drop_back_ends(struct guests *all)
{
	struct guest *g, *h;
	size_t i, j;

	for (i = 0; i < all->nr; i++) {
		g = &all->guest[i];
		for (j = i + 1; j < all->nr && g->in_file;) {
			h = &all->guest[j];
			if (!h->in_file || h->mount != g->mount ||
			    h->inode != g->inode) {
				j++;
				continue;
			}
			if (!has_kvm(g->pid) && has_kvm(h->pid)) {
				struct guest swap = *g;

				*g = *h;
				*h = swap;
			}
			guest_free(h);
			*h = all->guest[--all->nr];
		}
	}
}

static void find_split(struct guests *all)
{
	struct guest *g, *h;
	size_t i, j;

	for (i = 0; i < all->nr; i++) {
		g = &all->guest[i];
		if (g->mount < 0)
			continue;
		if (g->in_file) {
			all->mount[g->mount].guests++;
			continue;
		}
		all->mount[g->mount].guests++;
		g->split |= g->nr_parts > 1;
		for (j = 0; j < i; j++) {
			h = &all->guest[j];
			if (h->mount == g->mount && h->inode == g->inode)
				g->split = h->split = true;
		}
	}
}

static int by_name(const void *a, const void *b)
{
	const struct guest *x = a, *y = b;
	int ret = strcmp(x->name, y->name);

	return ret ? ret : x->pid - y->pid;
}

/* @only_pid: of this process only, or 0.  0 or a negative errno. */
int guests_find(struct guests *all, int only_pid)
{
	struct dirent *d;
	int ret, pid;
	DIR *dir;

	memset(all, 0, sizeof(*all));
	all->page = sysconf(_SC_PAGESIZE);
	ret = mounts_find(all);
	if (ret)
		return ret;
	dir = opendir("/proc");
	while (dir && !ret && (d = readdir(dir))) {
		pid = atoi(d->d_name);
		if (pid > 0 && (!only_pid || pid == only_pid))
			ret = look_at(all, pid);
	}
	if (dir)
		closedir(dir);
	drop_back_ends(all);
	if (all->nr)
		qsort(all->guest, all->nr, sizeof(*all->guest), by_name);
	find_split(all);
	return ret;
}

/* --- pages ---------------------------------------------------------------- */

/* /dev/cowdedup or a negative errno. */
int cowdedup_open(void)
{
	int fd = open("/dev/cowdedup", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd;
}

/* Why it cannot be opened (a negative errno). */
int explain_cowdedup(int err)
{
	if (err == -ENOENT)
		complain("the cowdedup module is not loaded\n"
			 "  load it with 'modprobe cowdedup', or from the "
			 "source folder with 'make load'");
	else if (err == -EPERM || err == -EACCES)
		complain("not permitted: this looks into the memory of other "
			 "processes\n  run it with sudo");
	else
		complain("/dev/cowdedup: %s", strerror(-err));
	return FAILED;
}

static int count_bound(struct guest *g, int dev, int ram, const uint8_t *state)
{
	struct cowdedup_extent e[512];
	struct cowdedup_extents q = {
		.size = sizeof(q),
		.ram_fd = ram,
		.extents = (uintptr_t)e,
	};
	uint32_t i;

	do {
		q.count = 512;
		if (ioctl(dev, COWDEDUP_EXTENTS, &q))
			return -errno;
		for (i = 0; i < q.count; i++)
			if (!count_extent(g, state, &e[i]))
				return -ENOMEM;
	} while (q.next != UINT64_MAX);
	return 0;
}

/* The file of shmem has what the guest has written, wherever that is. */
static int count_own(struct guest *g, int ram, uint64_t page)
{
	struct stat st;

	if (fstat(ram, &st))
		return -errno;
	g->private = st.st_blocks * 512ull / page;
	return 0;
}

/* What of a guest's memory is shared; @dev: /dev/cowdedup. */
int guest_count(struct guests *all, struct guest *g, int dev)
{
	const struct part *p = &g->part[0];
	int ram = -1, maps, ret = 0;
	uint8_t *state;
	char path[64];

	state = calloc(guest_end(g) + 1, 1);
	if (!state)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", g->pid);
	maps = open(path, O_RDONLY | O_CLOEXEC);
	if (maps < 0 || !count_private(g, maps, state))
		ret = maps < 0 ? -errno : -ESRCH;
	if (!ret && g->mount >= 0) {
		ram = open_mapped(g->pid, p->addr,
				  p->addr + p->pages * all->page);
		ret = ram < 0 ? -errno : count_bound(g, dev, ram, state);
		if (!ret && g->in_file)
			ret = count_own(g, ram, all->page);
	}
	if (ram >= 0)
		close(ram);
	if (maps >= 0)
		close(maps);
	free(state);
	return ret;
}

static bool any_bound_to(const struct guests *all)
{
	size_t i;

	for (i = 0; i < all->nr; i++)
		if (all->guest[i].mount >= 0)
			return true;
	return false;
}

/* Of every guest.  One that has ended meanwhile has nothing. */
int guests_count(struct guests *all)
{
	int dev = -1, ret = 0;
	size_t i;

	if (any_bound_to(all)) {
		dev = cowdedup_open();
		if (dev < 0)
			return dev;
	}
	for (i = 0; i < all->nr && !ret; i++) {
		ret = guest_count(all, &all->guest[i], dev);
		if (ret == -ESRCH || ret == -ENOENT)
			ret = 0;
	}
	if (dev >= 0)
		close(dev);
	if (!ret && !count_saved(all))
		ret = -ENOMEM;
	return ret;
}

void guests_free(struct guests *all)
{
	size_t i;

	for (i = 0; i < all->nr; i++)
		guest_free(&all->guest[i]);
	free(all->guest);
	free(all->mount);
	memset(all, 0, sizeof(*all));
}
