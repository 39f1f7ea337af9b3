// SPDX-License-Identifier: GPL-2.0-only
/*
 * session.c - see session.h
 *
 * The requests are those that the kernel makes of a loop device while programs
 * run from the file system on it: sizes, order and readahead are its own.  The
 * memory is what a compiler has when it ends: all of its private pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../numashare/numashare.h"
#include "session.h"
#include "stage.h"

#define TRACING		"/sys/kernel/tracing/"
#define EVENT		TRACING "events/block/block_rq_issue/"

static int run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int run(const char *fmt, ...)
{
	char cmd[PATH_MAX * 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

const char *session_image(char *path, size_t len)
{
	char exe[PATH_MAX], *top;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n < 0)
		return "/proc is not mounted";
	exe[n] = 0;
	/* build/bin/numashare */
	top = dirname(dirname(exe));
	snprintf(path, len, "%s/bench/cowdedup.img", top);
	if (!access(path, R_OK))
		return NULL;
	if (run("'%s/../tools/bench/cowdedup/make-image' '%s'", top, path))
		return "the image could not be made: tools/bench/cowdedup/make-image";
	return NULL;
}

/* --- requests --- */

static bool trace_line(const char *line, struct session_io *io)
{
	unsigned int sectors;
	unsigned long long sector;
	char rwbs[16];

	line = strstr(line, "block_rq_issue: ");
	if (!line || sscanf(line, "block_rq_issue: %*u,%*u %15s", rwbs) != 1)
		return false;
	line = strstr(line, ") ");
	if (!line || sscanf(line, ") %llu + %u", &sector, &sectors) != 2)
		return false;
	if ((rwbs[0] != 'R' && rwbs[0] != 'W') || !sectors)
		return false;
	*io = (struct session_io){ sector, sectors, rwbs[0] == 'W' };
	return true;
}

static const char *trace_read(struct session *s)
{
	char line[512];
	FILE *f = fopen(TRACING "trace", "re");

	s->n = 0;
	while (f && s->n < SESSION_IOS && fgets(line, sizeof(line), f))
		s->n += trace_line(line, &s->io[s->n]);
	if (f)
		fclose(f);
	if (s->n == SESSION_IOS)
		return "the session has too many requests";
	return s->n ? NULL : "the session made no request that was traced";
}

static void trace_begin(const char *device)
{
	char filter[64];
	struct stat st;

	if (stat(device, &st))
		stage_die(device);
	snprintf(filter, sizeof(filter), "dev == %u",
		 major(st.st_rdev) << 20 | minor(st.st_rdev));
	nm_write_file(TRACING "buffer_size_kb", "8192");
	nm_write_file(TRACING "trace", "");
	nm_write_file(EVENT "filter", filter);
	nm_write_file(EVENT "enable", "1");
}

/* --- memory --- */

static bool is_private(uint64_t entry)
{
	/* there, and anonymous */
	return entry >> 63 && !(entry >> 61 & 1);
}

/* Append the private pages of [@from, @to) to @out. */
static size_t save_range(int mem, int pagemap, int out, uint64_t from,
			 uint64_t to)
{
	static char page[PAGE];
	uint64_t entry;
	size_t saved = 0;

	for (; from < to; from += PAGE) {
		if (pread(pagemap, &entry, 8, from / PAGE * 8) != 8 ||
		    !is_private(entry))
			continue;
		if (pread(mem, page, PAGE, from) != PAGE)
			continue;
		if (write(out, page, PAGE) != PAGE)
			stage_die("write");
		saved++;
	}
	return saved;
}

static int open_proc(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		stage_die(path);
	return fd;
}

static size_t save_memory(pid_t pid, const char *path)
{
	int mem = open_proc(pid, "mem"), pagemap = open_proc(pid, "pagemap");
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *maps = fdopen(open_proc(pid, "maps"), "r");
	unsigned long from, to;
	char line[PATH_MAX];
	size_t saved = 0;

	if (out < 0 || !maps)
		stage_die(path);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 &&
		    !strstr(line, "[v"))
			saved += save_range(mem, pagemap, out, from, to);
	fclose(maps);
	close(mem);
	close(pagemap);
	close(out);
	return saved;
}

/* Run the compile in @root till it ends, and save its memory then. */
static size_t run_compile(const char *root, const char *path)
{
	size_t saved = 0;
	int status;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		if (!chroot(root) && !chdir("/"))
			execl("/bin/sh", "sh", "/compile", NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0,
		   PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL))
		stage_die("ptrace");
	do {
		int sig = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;

		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			saved = save_memory(pid, path);
		/* its own stops, at exec and at the end, are no signals */
		if (sig == SIGTRAP || sig == SIGSTOP)
			sig = 0;
		ptrace(PTRACE_CONT, pid, 0, sig);
	} while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	return WIFEXITED(status) && !WEXITSTATUS(status) ? saved : 0;
}

/* --- the session --- */

static uint64_t children_time(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000ull +
	       (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000ull;
}

static const char *run_traced(struct session *s, const char *root,
			      const char *device)
{
	int status;

	trace_begin(device);
	if (run("mount '%s' '%s'", device, root))
		return "the image cannot be mounted";
	s->spent = children_time();
	status = run("chroot '%s' /bin/sh /session", root);
	s->spent = children_time() - s->spent;
	if (run("umount '%s'", root))
		return "the image cannot be unmounted";
	nm_write_file(EVENT "enable", "0");
	if (status)
		return "the session failed";
	return trace_read(s);
}

static bool loop_device(const char *file, char *buf, size_t len)
{
	char cmd[PATH_MAX + 64];
	FILE *f;

	snprintf(cmd, sizeof(cmd), "losetup -f --show '%s'", file);
	f = popen(cmd, "r");
	if (!f || !fgets(buf, len, f))
		return false;
	buf[strcspn(buf, "\n")] = 0;
	return !pclose(f);
}

const char *session_run(struct session *s, const char *image, const char *dir,
			unsigned int guests)
{
	char copy[PATH_MAX], root[PATH_MAX], work[PATH_MAX], device[64];
	const char *why;
	unsigned int i;

	snprintf(copy, sizeof(copy), "%s/session.img", dir);
	snprintf(root, sizeof(root), "%s/root", dir);
	if (run("cp '%s' '%s'", image, copy) || mkdir(root, 0700))
		return "no room for a copy of the image";
	if (!loop_device(copy, device, sizeof(device)))
		return "no loop device";
	why = run_traced(s, root, device);
	if (!why && run("mount -o ro '%s' '%s' && mount -t tmpfs tmp '%s/tmp'",
			device, root, root))
		why = "the image cannot be mounted again";
	for (i = 0; !why && i < guests; i++) {
		snprintf(work, sizeof(work), "%s/work.%u", dir, i);
		if (!run_compile(root, work))
			why = "the compiler failed, or left no memory";
	}
	run("umount -R '%s' 2>/dev/null; losetup -d '%s'", root, device);
	rmdir(root);
	unlink(copy);
	return why;
}
