// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_test.c - see cowd_test.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cowd_test.h"

/* What tests say is seen, though the harness ends them by _exit(2). */
static void __attribute__((constructor)) by_line(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("# cannot go on: %s: %s\n", what, strerror(errno));
	exit(1);
}

void needs(bool there, const char *why)
{
	if (there)
		return;
	printf("TAP version 13\n1..0 # SKIP %s\n", why);
	exit(4);	/* KSFT_SKIP */
}

bool shared_mode(void)
{
	return strstr(program_invocation_short_name, "shared");
}

/* --- counters ------------------------------------------------------------ */

uint64_t read_number(const char *path)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0, path);
	must(read(fd, buf, sizeof(buf) - 1) > 0, path);
	close(fd);
	return strtoull(buf, NULL, 10);
}

uint64_t named_number(const char *path, const char *name)
{
	char word[64];
	uint64_t value = 0, v;
	FILE *f = fopen(path, "r");

	must(f, path);
	while (fscanf(f, "%63s %lu", word, &v) == 2)
		if (!strcmp(word, name))
			value = v;
	fclose(f);
	return value;
}

int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = errno;
	close(fd);
	return ret;
}

uint64_t counter(const struct place *p, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s%s", p->sysfs, name);
	return read_number(path);
}

static const char *const copied[] = {
	"unaligned", "elsewhere", "image", "stopped", "mappings", "vma",
	"userfaultfd", "soft_dirty", "locked", "pinned", "guard", "memory",
	"error", "adaptive",
};

bool place_adds_up(const struct place *p)
{
	uint64_t bytes = counter(p, "pages_bound") * PAGE;
	char name[64];
	size_t i;

	for (i = 0; i < sizeof(copied) / sizeof(*copied); i++) {
		snprintf(name, sizeof(name), "copied_%s", copied[i]);
		bytes += counter(p, name);
	}
	if (bytes != counter(p, "bytes_read")) {
		printf("# bytes_read is not what was bound and copied\n");
		return false;
	}
	if (counter(p, "pages_bound") - counter(p, "pages_unbound") !=
	    counter(p, "pages_sharing")) {
		printf("# pages_sharing is not what was bound and unbound\n");
		return false;
	}
	if (counter(p, "masters_made") - counter(p, "masters_freed") !=
	    counter(p, "masters")) {
		printf("# masters is not what was made and freed\n");
		return false;
	}
	return true;
}

/* --- mounts -------------------------------------------------------------- */

void place_open(struct place *p)
{
	place_open_with(p, "tmpfs", "images", "mode=755", "");
}

void place_open_with(struct place *p, const char *type, const char *from,
		     const char *below, const char *more)
{
	char options[128];
	struct stat st;

	strcpy(p->dir, "/tmp/cowdedup.XXXXXX");
	must(mkdtemp(p->dir) && !chmod(p->dir, 0755), "mkdtemp");
	snprintf(p->images, sizeof(p->images), "%s/images", p->dir);
	snprintf(p->mnt, sizeof(p->mnt), "%s/mnt", p->dir);
	must(!mkdir(p->images, 0755) && !mkdir(p->mnt, 0755), "mkdir");
	must(!mount(from, p->images, type, 0, below), type);
	snprintf(options, sizeof(options), "images=%s%s%s", p->images,
		 shared_mode() ? ",mode=shared" : "", more);
	must(!mount("none", p->mnt, "cowdedup", 0, options), "cowdedup");
	/* another suite may have said "numashare stop" */
	must(!write_text(SYSFS "enabled", "1"), "enabled");
	/* what is written to at once shall be bound again at once */
	must(!write_text(SYSFS "guard_ms", "0"), "guard_ms");
	must(!stat(p->mnt, &st), "stat");
	snprintf(p->sysfs, sizeof(p->sysfs), SYSFS "mounts/%u:%u/",
		 major(st.st_dev), minor(st.st_dev));
}

void place_open_in(struct place *p, const char *cgroup, const char *type,
		   const char *from, const char *below)
{
	struct place *shared = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char procs[160];
	pid_t pid;

	must(shared != MAP_FAILED, "mmap");
	snprintf(procs, sizeof(procs), "%scgroup.procs", cgroup);
	pid = fork();
	if (!pid) {
		must(!write_text(procs, "0"), procs);
		place_open_with(shared, type, from, below, "");
		_exit(0);
	}
	must(!child_status(pid), "mounting");
	*p = *shared;
	munmap(shared, sizeof(*p));
}

bool place_close(struct place *p)
{
	bool ok = place_adds_up(p);
	int tries = 100;

	if (counter(p, "pages_sharing") || counter(p, "masters")) {
		printf("# left: %lu pages sharing, %lu masters\n",
		       counter(p, "pages_sharing"), counter(p, "masters"));
		ok = false;
	}
	/* The last reference on a file may go a moment after close(). */
	while (umount(p->mnt) && errno == EBUSY && tries--)
		usleep(10000);
	if (tries < 0) {
		printf("# cannot unmount\n");
		return false;
	}
	if (!access(p->sysfs, F_OK)) {
		printf("# %s is left\n", p->sysfs);
		ok = false;
	}
	if (umount(p->images)) {
		printf("# the file system below is busy\n");
		ok = false;
	}
	rmdir(p->images);
	rmdir(p->mnt);
	rmdir(p->dir);
	return ok;
}

void squeeze(const struct place *p)
{
	int tries = 100;

	while (counter(p, "masters") && tries--) {
		must(!write_text("/proc/sys/vm/drop_caches", "2"), "squeeze");
		usleep(100000);
	}
}

/* --- images -------------------------------------------------------------- */

uint64_t word_of(uint64_t seed, uint64_t page, uint64_t word)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ull + page * 512 + word + 1;

	x ^= x >> 31;
	x *= 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 29;
}

static void fill_page(uint64_t *mem, uint64_t seed, uint64_t page)
{
	unsigned int w;

	for (w = 0; w < PAGE / 8; w++)
		mem[w] = word_of(seed, page, w);
}

void image_create(const struct place *p, const char *name, uint64_t seed,
		  size_t bytes)
{
	uint64_t mem[PAGE / 8];
	char path[160];
	size_t at;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->images, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	must(fd >= 0, path);
	for (at = 0; at < bytes; at += PAGE) {
		size_t len = bytes - at < PAGE ? bytes - at : PAGE;

		fill_page(mem, seed, at / PAGE);
		must(write(fd, mem, len) == (ssize_t)len, "write");
	}
	close(fd);
}

int image_open(const struct place *p, const char *name, int flags)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/images/%s", p->mnt, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return fd;
}

/* The first byte that differs, if it still does; a few say what is wrong. */
static void say_byte(const char *m, const char *want, uint64_t pos,
		     size_t bytes)
{
	static unsigned int said;
	size_t i = 0;

	while (i < bytes - 1 && m[i] == want[i])
		i++;
	if (said++ < 5)
		printf("# byte %lu of the image is %02x, not %02x\n", pos + i,
		       (unsigned char)m[i], (unsigned char)want[i]);
}

/* Page by page, for byte by byte is slow on an emulated processor. */
bool holds_image(const void *mem, uint64_t seed, uint64_t pos, size_t bytes)
{
	uint64_t page[PAGE / 8];
	const char *m = mem, *want;
	size_t n;

	for (; bytes; m += n, pos += n, bytes -= n) {
		want = (char *)page + pos % PAGE;
		n = PAGE - pos % PAGE;
		n = bytes < n ? bytes : n;
		fill_page(page, seed, pos / PAGE);
		if (!memcmp(m, want, n))
			continue;
		say_byte(m, want, pos, n);
		return false;
	}
	return true;
}

bool holds_byte(const void *mem, int byte, size_t bytes)
{
	const unsigned char *m = mem;
	size_t i;

	for (i = 0; i < bytes; i++) {
		if (m[i] == byte)
			continue;
		printf("# byte %zu is %02x, not %02x\n", i, m[i], byte);
		return false;
	}
	return true;
}

/* --- guests -------------------------------------------------------------- */

void guest_open(struct guest *g, const struct place *p, const char *name,
		size_t pages)
{
	*g = (struct guest){ .pages = pages };
	snprintf(g->path, sizeof(g->path), "%s/ram/%s", p->mnt, name);
	g->fd = open(g->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(g->fd >= 0, g->path);
	must(!ftruncate(g->fd, pages * PAGE), "ftruncate");
	g->ram = guest_map(g);
	must(g->ram != MAP_FAILED, "mmap");
}

char *guest_map(const struct guest *g)
{
	return mmap(NULL, g->pages * PAGE, PROT_READ | PROT_WRITE,
		    shared_mode() ? MAP_SHARED : MAP_PRIVATE, g->fd, 0);
}

void guest_close(struct guest *g)
{
	munmap(g->ram, g->pages * PAGE);
	close(g->fd);
	unlink(g->path);
}

uint64_t frame_of(const void *mem)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	must(fd >= 0, "pagemap");
	must(pread(fd, &entry, 8, (uintptr_t)mem / PAGE * 8) == 8, "pagemap");
	close(fd);
	return entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
}

void run_for_line(const char *cmd, char *line, size_t size)
{
	FILE *f = popen(cmd, "r");

	must(f, cmd);
	if (!fgets(line, size, f))
		*line = '\0';
	must(!pclose(f) && *line, cmd);
	line[strcspn(line, "\n")] = '\0';
}

/* --- children ------------------------------------------------------------ */

void gate_open(struct gate *g)
{
	must(!pipe(g->to_child) && !pipe(g->to_parent), "pipe");
}

void gate_pass(int fd[2])
{
	must(write(fd[1], "x", 1) == 1, "gate");
}

void gate_wait(int fd[2])
{
	char c;

	must(read(fd[0], &c, 1) == 1, "gate");
}

int child_status(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0) > 0, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
