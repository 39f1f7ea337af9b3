// SPDX-License-Identifier: GPL-2.0-only
/*
 * maps.c - lines of /proc/PID/maps and /proc/PID/mountinfo
 */
#include <stdlib.h>
#include <string.h>

#include "guests.h"

/* Some bytes are written as a backslash and three octal digits. */
static void unescape(char *to, size_t len, const char *from, size_t n)
{
	const char *end = from + n;
	char *last = to + len - 1;

	while (from < end && to < last) {
		if (*from == '\\' && end - from > 3 && from[1] >= '0' &&
		    from[1] <= '3') {
			*to++ = (from[1] - '0') << 6 | (from[2] - '0') << 3 |
				(from[3] - '0');
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = 0;
}

static bool cut_suffix(char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	if (len < n || strcmp(s + len - n, suffix))
		return false;
	s[len - n] = 0;
	return true;
}

bool parse_map(const char *line, struct map_line *m)
{
	unsigned long long start, end, offset, inode;
	char perms[5];
	int at = 0;

	memset(m, 0, offsetof(struct map_line, path) + 1);
	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end,
		   perms, &offset, &m->major, &m->minor, &inode, &at) < 7 ||
	    !at || end <= start)
		return false;
	m->start = start;
	m->end = end;
	m->offset = offset;
	m->inode = inode;
	m->write = perms[1] == 'w';
	unescape(m->path, sizeof(m->path), line + at, strcspn(line + at, "\n"));
	m->deleted = cut_suffix(m->path, " (deleted)");
	return true;
}

/* The next word of @line, into @to; what follows it, or NULL at the end. */
static const char *word(const char *line, char *to, size_t len)
{
	size_t n;

	if (!line)
		return NULL;
	line += strspn(line, " ");
	n = strcspn(line, " \n");
	if (to)
		unescape(to, len, line, n);
	return n ? line + n : NULL;
}

bool parse_mount(const char *line, struct mount_line *m)
{
	const char *at = line;
	char dev[32];

	memset(m, 0, sizeof(*m));
	at = word(word(at, NULL, 0), NULL, 0);
	at = word(at, dev, sizeof(dev));
	at = word(at, m->root, sizeof(m->root));
	at = word(at, m->point, sizeof(m->point));
	if (!at || sscanf(dev, "%u:%u", &m->major, &m->minor) != 2)
		return false;
	/* there may be any number of optional fields */
	at = strstr(at, " - ");
	if (!at)
		return false;
	at = word(at + 3, m->type, sizeof(m->type));
	at = word(at, NULL, 0);
	return word(at, m->options, sizeof(m->options));
}

/*
 * Memory that is mapped shared is a file of shmem that is called
 * /cowdedup:MAJOR:MINOR:NAME, of its mount and in its ram/.  Its NAME, or NULL.
 */
const char *shared_ram(const struct map_line *m, unsigned int *major,
		       unsigned int *minor)
{
	int at = 0;

	if (!m->deleted ||
	    sscanf(m->path, "/cowdedup:%u:%u:%n", major, minor, &at) != 2 ||
	    !at || !m->path[at])
		return NULL;
	return m->path + at;
}

/*
 * Would this be in ram/ of a mount of cowdedup, if it were one?  A monitor
 * whose mount was missing makes a file of that name in the folder below.
 */
bool looks_like_ram(const struct map_line *m)
{
	const char *at = strstr(m->path, "/ram/");

	return m->write && m->inode && m->path[0] == '/' && at && at[5];
}
