// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_guest.c - a process that is a guest as far as its memory goes
 *
 *   cowd_guest [--kvm] [--shared] FILE PAGES
 *
 * Maps FILE as its memory, as QEMU does, and does what standard input says:
 *
 *   read IMAGE INDEX PAGES AT   read pages of an image into pages at AT
 *   write AT PAGES              write a byte of each
 *   same IMAGE INDEX PAGES AT   are they what the image has? "yes" or "no"
 *   pageout AT PAGES            give them to swap
 *   fork                        a child that maps it, too, till this ends
 *
 * and answers each line with one: "ok", or what is asked, or an errno.  --kvm
 * makes a virtual machine; --shared maps FILE shared.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAGE	4096ul

static char *memory;
static size_t memory_pages;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "cowd_guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void map(const char *path, size_t pages, int how)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	must(fd >= 0, path);
	must(!ftruncate(fd, pages * PAGE), path);
	memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, how, fd, 0);
	must(memory != MAP_FAILED, "mmap");
	close(fd);
	memory_pages = pages;
}

/* Into @to; 0 or an errno. */
static int read_pages(const char *image, size_t index, size_t pages, void *to)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC), err;
	ssize_t got;

	if (fd < 0)
		return errno;
	got = pread(fd, to, pages * PAGE, index * PAGE);
	err = got < 0 ? errno : got == (ssize_t)(pages * PAGE) ? 0 : EIO;
	close(fd);
	return err;
}

/* A page at a time: it may be all that there is memory for. */
static const char *is_same(const char *image, size_t index, size_t pages,
			   size_t at)
{
	static char want[PAGE];

	for (; pages--; index++, at++) {
		if (read_pages(image, index, 1, want))
			return "unreadable";
		if (memcmp(want, memory + at * PAGE, PAGE))
			return "no";
	}
	return "yes";
}

static const char *write_pages(size_t at, size_t pages)
{
	for (; pages--; at++)
		memory[at * PAGE + 77] ^= 0x55;
	return "ok";
}

static const char *obey(char *line)
{
	static char text[32];
	size_t index, pages, at;
	char image[256];
	int err;

	if (sscanf(line, "write %zu %zu", &at, &pages) == 2)
		return write_pages(at, pages);
	if (sscanf(line, "pageout %zu %zu", &at, &pages) == 2)
		return madvise(memory + at * PAGE, pages * PAGE, MADV_PAGEOUT) ?
		       "refused" : "ok";
	if (!strcmp(line, "fork\n")) {
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
		}
		return "ok";
	}
	if (sscanf(line, "%*s %255s %zu %zu %zu", image, &index, &pages,
		   &at) != 4 || at + pages > memory_pages)
		return "what?";
	if (!strncmp(line, "same ", 5))
		return is_same(image, index, pages, at);
	err = read_pages(image, index, pages, memory + at * PAGE);
	snprintf(text, sizeof(text), err ? "errno %d" : "ok", err);
	return text;
}

int main(int argc, char **argv)
{
	int kvm, how = MAP_PRIVATE;
	char line[512];

	if (argc > 1 && !strcmp(argv[1], "--kvm")) {
		kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		must(kvm >= 0, "/dev/kvm");
		must(ioctl(kvm, KVM_CREATE_VM, 0) >= 0, "KVM_CREATE_VM");
		argv++;
		argc--;
	}
	if (argc > 1 && !strcmp(argv[1], "--shared")) {
		how = MAP_SHARED;
		argv++;
		argc--;
	}
	must(argc == 3, "usage: cowd_guest [--kvm] [--shared] FILE PAGES");
	map(argv[1], strtoul(argv[2], NULL, 10), how);
	while (fgets(line, sizeof(line), stdin)) {
		puts(obey(line));
		fflush(stdout);
	}
	return 0;
}
