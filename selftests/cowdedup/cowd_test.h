/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cowd_test.h - a folder of images, a mount of cowdedup over it, and guests:
 * what the tests of cowdedup share
 */
#ifndef COWD_TEST_H
#define COWD_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE	4096ul
#define SYSFS	"/sys/kernel/cowdedup/"

/* A mount of cowdedup, and the file system below its images. */
struct place {
	char dir[64];		/* a folder of its own */
	char images[80];	/* a tmpfs: the folder of images */
	char mnt[80];		/* the mount */
	char sysfs[80];		/* its folder there, with a slash */
};

/* The memory of a guest: a file of ram/, mapped as QEMU does. */
struct guest {
	int fd;
	char *ram;
	size_t pages;
	char path[160];
};

/* Die loudly: a test cannot go on without this. */
void must(bool ok, const char *what);

/*
 * Or else all of it is skipped.  Called before the harness: its SKIP() in a
 * fixture's set-up does not keep the test from running.
 */
void needs(bool there, const char *why);

/*
 * Is the program called cowd_shared, or shared-...?  Then guests' memory is
 * mapped shared, on mounts with mode=shared.
 */
bool shared_mode(void);

void place_open(struct place *p);
/* On a file system of @type, mounted from there with options, and @more. */
void place_open_with(struct place *p, const char *type, const char *from,
		     const char *below, const char *more);
/* The same, mounted by a process that is in a cgroup for that moment only. */
void place_open_in(struct place *p, const char *cgroup, const char *type,
		   const char *from, const char *below);
/* Unmount; all its counters add up, and nothing is held. */
bool place_close(struct place *p);
/* Do the counters of a mount that nobody reads from add up? */
bool place_adds_up(const struct place *p);

uint64_t read_number(const char *path);
/* The number behind a word, in a file of such lines; 0 if it is not there. */
uint64_t named_number(const char *path, const char *name);
int write_text(const char *path, const char *text);
uint64_t counter(const struct place *p, const char *name);

/* Memory is short until no master has a page, or for ten seconds. */
void squeeze(const struct place *p);

/* An image of @bytes; word W of page P is word_of(seed, P, W). */
void image_create(const struct place *p, const char *name, uint64_t seed,
		  size_t bytes);
uint64_t word_of(uint64_t seed, uint64_t page, uint64_t word);
/* Open one by way of the mount, or -errno. */
int image_open(const struct place *p, const char *name, int flags);
/* Does @mem hold @bytes of the image from @pos on? */
bool holds_image(const void *mem, uint64_t seed, uint64_t pos, size_t bytes);
bool holds_byte(const void *mem, int byte, size_t bytes);

void guest_open(struct guest *g, const struct place *p, const char *name,
		size_t pages);
/* Once more, anywhere; MAP_FAILED is for the caller. */
char *guest_map(const struct guest *g);
void guest_close(struct guest *g);

/* The page frame at an address, 0 if none is mapped there. */
uint64_t frame_of(const void *mem);

/* Run a command of the shell; its first line. */
void run_for_line(const char *cmd, char *line, size_t size);

/* Where something is held till the child has done with it. */
struct gate {
	int to_child[2], to_parent[2];
};

void gate_open(struct gate *g);
void gate_pass(int fd[2]);
void gate_wait(int fd[2]);
/* The exit status of a child, of any if @pid is -1. */
int child_status(pid_t pid);

#endif /* COWD_TEST_H */
