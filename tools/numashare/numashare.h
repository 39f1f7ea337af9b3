/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * numashare.h - what the subcommands share
 */
#ifndef NUMASHARE_H
#define NUMASHARE_H

#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "numamig.h"

/* Exit status of numashare itself, not of a command that it runs. */
enum { OK = 0, FAILED = 1, USAGE = 2 };

#define MAX_PIDS	64

/**
 * struct subcommand - one of numashare's commands
 * @name: as typed
 * @run: takes argv from the name on, returns the exit status
 * @summary: a line for the list
 * @usage: what follows the name
 * @help: the full text
 */
struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
	const char *usage;
	const char *help;
};

extern const struct subcommand cmd_status, cmd_migrate, cmd_migrated,
	cmd_stop, cmd_record, cmd_report, cmd_topology, cmd_bench, cmd_hwreport,
	cmd_vms, cmd_image, cmd_unshare;

/* --- messages.c --- */

void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int explain_open(int err);
int explain_target(int err, int pid);
int usage_error(const struct subcommand *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void print_help(const struct subcommand *c);

/* --- sysfs.c --- */

#define NUMAMIG_SYSFS "/sys/kernel/numamig"
#define URPC_SYSFS "/sys/kernel/urpc"

bool sysfs_read(const char *dir, const char *file, char *buf, size_t len);
uint64_t sysfs_number(const char *dir, const char *file);
struct json_object *sysfs_tree(const char *dir);

/* --- json.c --- */

struct json_object *json_u64(uint64_t v);
struct json_object *json_share(double v);
void json_print(FILE *f, struct json_object *o);

/* --- numbers.c --- */

const char *bytes_text(uint64_t bytes, char *buf, size_t len);
double now_seconds(void);
bool parse_number(const char *s, double min, double max, double *v);

/* --- targets.c --- */

/**
 * struct targets - the processes that a command works on
 * @dev: their handle
 * @pids: thread group leaders
 * @nr: how many
 * @command: the last one was started here, and is waited for
 * @go: write end of the pipe that it waits on before exec
 * @status: its wait status once it has ended
 * @ended: it has
 */
struct targets {
	struct numamig *dev;
	int pids[MAX_PIDS];
	unsigned int nr;
	int command;
	int go;
	int status;
	bool ended;
};

int targets_open(struct targets *t, const struct subcommand *c, int argc,
		 char **argv, bool command, uint32_t flags);
int targets_go(struct targets *t);
bool targets_alive(struct targets *t);
int targets_status(const struct targets *t);
void targets_stop(struct targets *t);
void targets_close(struct targets *t);

#endif /* NUMASHARE_H */
