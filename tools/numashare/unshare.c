// SPDX-License-Identifier: GPL-2.0-only
/*
 * unshare.c - numashare unshare: a guest gets pages of its own
 *
 * Only if there is memory for all of it, and it looks again at each step: a
 * guest that is given half of its pages and then killed has gained nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guests.h"
#include "numashare.h"

/* Pages between two looks at the memory that is left. */
#define STEP	4096

struct unshare {
	bool dry_run, json, quiet;
	struct guests all;
	struct guest *guest;
	struct room room;
	uint64_t needed;	/* bytes */
	uint64_t bound;		/* pages at first */
	uint64_t done;		/* pages that were bound */
};

/* --- which one ------------------------------------------------------------ */

static bool is_named(const struct guest *g, const char *name)
{
	const char *base = strrchr(g->name, '/');

	return !strcmp(g->name, name) || !strcmp(g->path, name) ||
	       (base && !strcmp(base + 1, name));
}

static bool is_meant(const struct guest *g, const char *name, int pid)
{
	return pid ? g->pid == pid : is_named(g, name);
}

static int pid_of(const char *name)
{
	char *end;
	long v = strtol(name, &end, 10);

	return *name && !*end && v > 0 && v <= INT_MAX ? v : 0;
}

static int list_meant(const struct unshare *u, const char *name, int pid)
{
	size_t i;

	complain("several guests are '%s'; name one by its path or PID:", name);
	for (i = 0; i < u->all.nr; i++)
		if (is_meant(&u->all.guest[i], name, pid))
			fprintf(stderr, "  %8d  %s\n", u->all.guest[i].pid,
				u->all.guest[i].path);
	return FAILED;
}

/* A number is a PID, unless there is none and a file has that name. */
static int choose(struct unshare *u, const char *name)
{
	int pid = pid_of(name), round;
	size_t i, nr = 0;

	for (round = pid ? 0 : 1; round < 2 && !nr; round++) {
		if (round)
			pid = 0;
		for (i = 0; i < u->all.nr; i++)
			if (is_meant(&u->all.guest[i], name, pid)) {
				u->guest = &u->all.guest[i];
				nr++;
			}
	}
	if (nr > 1)
		return list_meant(u, name, pid);
	if (!nr) {
		complain("no guest '%s'; 'numashare vms' lists them", name);
		return FAILED;
	}
	if (u->guest->mount < 0) {
		complain("%s is a plain file: it shares nothing",
			 u->guest->path);
		return FAILED;
	}
	return OK;
}

/* --- is there memory ------------------------------------------------------ */

static int explain_room(const struct unshare *u, uint64_t needed)
{
	char need[32], have[32];

	if (u->done && !u->quiet && isatty(2))
		fputc('\n', stderr);
	if (u->done)
		complain("ended after %llu of %llu pages; the others stay "
			 "shared", (unsigned long long)u->done,
			 (unsigned long long)u->bound);
	complain("not enough memory: %s needs %s more, and %s allows %s\n"
		 "  nothing is taken from others for it: stop or move guests, "
		 "or raise the limit",
		 u->guest->name, bytes_text(needed, need, sizeof(need)),
		 u->room.limit, bytes_text(u->room.bytes, have, sizeof(have)));
	return FAILED;
}

static int check_room(struct unshare *u, uint64_t needed)
{
	int ret = room_of(u->guest->pid, &u->room);

	if (ret) {
		complain("the memory cgroup of process %d cannot be seen from "
			 "here: %s", u->guest->pid, strerror(-ret));
		return FAILED;
	}
	return needed > u->room.bytes ? explain_room(u, needed) : OK;
}

/* --- doing it ------------------------------------------------------------- */

static int open_ram(const struct unshare *u)
{
	const struct part *p = &u->guest->part[0];
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx",
		 u->guest->pid, (unsigned long long)p->addr,
		 (unsigned long long)(p->addr + p->pages * u->all.page));
	return open(path, O_RDWR | O_CLOEXEC);
}

static int explain_failure(const struct unshare *u, int err)
{
	const struct guest *g = u->guest;

	if (err == ESRCH || err == ENXIO)
		complain("process %d has ended", g->pid);
	else if (err == EBUSY)
		complain("the memory of %s is mapped more than once: it cannot "
			 "be unshared", g->name);
	else if (err == ENOMEM)
		complain("%s: the memory ran out, %llu pages are done",
			 g->name, (unsigned long long)u->done);
	else
		complain("%s: %s", g->name, strerror(err));
	return FAILED;
}

static void progress(const struct unshare *u)
{
	if (!u->quiet && isatty(2))
		fprintf(stderr, "\r\033[K%s: %llu of %llu pages%s",
			u->guest->name, (unsigned long long)u->done,
			(unsigned long long)u->bound,
			u->done < u->bound ? "" : "\n");
}

/* How much of it is left to copy: pages that are broken need no memory. */
static uint64_t still_needed(const struct unshare *u)
{
	uint64_t step = bytes_needed(STEP, u->all.page);

	return u->needed < step ? u->needed : step;
}

static int steps(struct unshare *u, int dev, int ram)
{
	struct cowdedup_unshare a = {
		.size = sizeof(a),
		.ram_fd = ram,
		.pid = u->guest->pid,
	};
	int ret;

	do {
		ret = check_room(u, still_needed(u));
		if (ret)
			return ret;
		a.pages = STEP;
		if (ioctl(dev, COWDEDUP_UNSHARE, &a)) {
			if (errno == EINTR)
				continue;
			return explain_failure(u, errno);
		}
		u->done += a.pages;
		progress(u);
	} while (a.next != UINT64_MAX);
	return OK;
}

static int unshare_it(struct unshare *u, int dev)
{
	int ram = open_ram(u), ret;

	if (ram < 0)
		return explain_failure(u, errno == ENOENT ? ESRCH : errno);
	ret = steps(u, dev, ram);
	close(ram);
	return ret;
}

static void tell(const struct unshare *u, bool unshared)
{
	char need[32], have[32];

	bytes_text(u->needed, need, sizeof(need));
	bytes_text(u->room.bytes, have, sizeof(have));
	if (u->dry_run)
		printf("%s (process %d): %s needed, %s allowed by %s\n",
		       u->guest->name, u->guest->pid, need, have,
		       u->room.limit);
	else if (unshared)
		printf("%s (process %d): %llu pages are its own now, for %s of "
		       "memory; what it reads from now on is copied\n",
		       u->guest->name, u->guest->pid,
		       (unsigned long long)u->done, need);
}

static void tell_json(const struct unshare *u, bool unshared)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "guest",
			       json_object_new_string(u->guest->name));
	json_object_object_add(o, "pid", json_u64(u->guest->pid));
	json_object_object_add(o, "needed_bytes", json_u64(u->needed));
	json_object_object_add(o, "allowed_bytes", json_u64(u->room.bytes));
	json_object_object_add(o, "allowed_by",
			       json_object_new_string(u->room.limit));
	json_object_object_add(o, "pages_bound", json_u64(u->bound));
	json_object_object_add(o, "pages_done", json_u64(u->done));
	json_object_object_add(o, "dry_run",
			       json_object_new_boolean(u->dry_run));
	json_object_object_add(o, "unshared",
			       json_object_new_boolean(unshared));
	json_print(stdout, o);
}

static int work(struct unshare *u, const char *name, int dev)
{
	bool unshared = false;
	int ret;

	ret = guests_find(&u->all, 0);
	if (ret)
		return explain_cowdedup(ret);
	ret = choose(u, name);
	if (ret)
		return ret;
	ret = guest_count(&u->all, u->guest, dev);
	if (ret)
		return explain_failure(u, -ret);
	u->needed = bytes_needed(u->guest->shared, u->all.page);
	u->bound = u->guest->shared + u->guest->broken;
	ret = check_room(u, u->needed);
	if (!ret && !u->dry_run) {
		ret = unshare_it(u, dev);
		unshared = !ret;
	}
	if (u->json)
		tell_json(u, unshared);
	else if (!ret)
		tell(u, unshared);
	return ret;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "quiet", no_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 }
	};
	static struct unshare u;
	int c, dev, ret;

	while ((c = getopt_long(argc, argv, "njq", opts, NULL)) != -1) {
		if (c == 'n')
			u.dry_run = true;
		else if (c == 'j')
			u.json = true;
		else if (c == 'q')
			u.quiet = true;
		else
			return usage_error(&cmd_unshare, "unknown option");
	}
	if (argc - optind != 1)
		return usage_error(&cmd_unshare, "which guest?");
	if (geteuid())
		return explain_cowdedup(-EPERM);
	dev = cowdedup_open();
	if (dev < 0)
		return explain_cowdedup(dev);
	ret = work(&u, argv[optind], dev);
	close(dev);
	guests_free(&u.all);
	return ret;
}

const struct subcommand cmd_unshare = {
	.name = "unshare",
	.run = run,
	.summary = "Give a guest of cowdedup pages of its own",
	.usage = "[--dry-run] [--json] [--quiet] GUEST|PID",
	.help =
"Copies what the guest shares, if the machine and the memory cgroups of its\n"
"process have the memory for it, and refuses else.  The guest runs on meanwhile,\n"
"and what it reads from then on is copied.  GUEST is the name of its file in\n"
"ram/, or the path.\n\n"
"  -n, --dry-run   only say how much memory is needed and how much is there\n"
"  -j, --json      the result as JSON\n"
"  -q, --quiet     no progress\n",
};
