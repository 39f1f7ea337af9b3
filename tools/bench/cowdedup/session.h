/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * session.h - what a guest reads, writes and keeps in its memory: taken from a
 * session that this machine runs from a copy of the image
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR		512u
#define SESSION_IOS	8192

/* A request to the disk. */
struct session_io {
	uint32_t sector;
	uint32_t sectors;
	bool write;
};

/**
 * struct session - the requests, in order
 * @io: each
 * @n: how many
 * @spent: CPU time of the programs, in ns
 */
struct session {
	struct session_io io[SESSION_IOS];
	size_t n;
	uint64_t spent;
};

/* Make the image if it is not there; NULL, or why it is not. */
const char *session_image(char *path, size_t len);
/*
 * Run the session from a copy of the image in @dir, and then the compile of it
 * @guests times, whose memory goes to files work.0, work.1... there.
 */
const char *session_run(struct session *s, const char *image, const char *dir,
			unsigned int guests);

#endif /* SESSION_H */
