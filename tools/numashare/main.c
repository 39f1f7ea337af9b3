// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - numashare: one command with subcommands
 */
#include <string.h>

#include "numashare.h"

static const struct subcommand *const commands[] = {
	&cmd_status, &cmd_migrate, &cmd_migrated, &cmd_stop, &cmd_record,
	&cmd_report, &cmd_topology, &cmd_vms, &cmd_image, &cmd_unshare,
	&cmd_bench, &cmd_hwreport, NULL
};

static void list_commands(FILE *f)
{
	unsigned int i;

	fprintf(f, "Usage: numashare COMMAND [OPTION]...\n\n"
		"NUMA page placement, and memory that guests share, on an "
		"unpatched kernel.\n\n");
	for (i = 0; commands[i]; i++)
		fprintf(f, "  %-10s %s\n", commands[i]->name,
			commands[i]->summary);
	fprintf(f, "\n'numashare COMMAND --help' explains one, "
		"'man numashare' all.\n");
}

static const struct subcommand *find_command(const char *name)
{
	unsigned int i;

	for (i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int help(int argc, char **argv)
{
	const struct subcommand *c;

	if (argc < 2) {
		list_commands(stdout);
		return OK;
	}
	c = find_command(argv[1]);
	if (!c) {
		complain("no command '%s'; 'numashare help' lists them",
			 argv[1]);
		return USAGE;
	}
	print_help(c);
	return OK;
}

int main(int argc, char **argv)
{
	const struct subcommand *c;

	if (argc < 2) {
		list_commands(stderr);
		return USAGE;
	}
	argc--;
	argv++;
	if (!strcmp(argv[0], "--version") || !strcmp(argv[0], "-V") ||
	    !strcmp(argv[0], "version")) {
		printf("numashare %s\n", NUMASHARE_VERSION);
		return OK;
	}
	if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h") ||
	    !strcmp(argv[0], "help"))
		return help(argc, argv);
	c = find_command(argv[0]);
	if (!c) {
		complain("no command '%s'; 'numashare help' lists them",
			 argv[0]);
		return USAGE;
	}
	if (argc > 1 && (!strcmp(argv[1], "--help") ||
			 !strcmp(argv[1], "-h"))) {
		print_help(c);
		return OK;
	}
	return c->run(argc, argv);
}
