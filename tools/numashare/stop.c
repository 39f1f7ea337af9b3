// SPDX-License-Identifier: GPL-2.0-only
/*
 * stop.c - numashare stop: the kill switch
 *
 * Every module that does something to running processes has an entry here.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "guests.h"
#include "numashare.h"

static int stop_numamig(void)
{
	struct numamig *dev;
	int ret = numamig_open(&dev);

	if (ret)
		return ret;
	ret = numamig_stop_all(dev);
	numamig_close(dev);
	return ret;
}

static int write_setting(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* Threads of the module's own; channels between programs are theirs. */
static int stop_urpc(void)
{
	/* the empty list */
	return write_setting(URPC_SYSFS "/cpu_drivers", "\n");
}

/* What is shared already stays so: 'numashare unshare' undoes it. */
static int stop_cowdedup(void)
{
	return write_setting(COWDEDUP_SYSFS "/enabled", "0");
}

static const struct {
	const char *name;
	const char *what;
	int (*stop)(void);
} modules[] = {
	{ "numamig", "sampling and migration", stop_numamig },
	{ "urpc", "CPU drivers", stop_urpc },
	{ "cowdedup", "new sharing", stop_cowdedup },
};

static int explain(const char *module, int err)
{
	if (err == -EPERM || err == -EACCES)
		return explain_open(err);
	complain("%s cannot be stopped: %s", module, strerror(-err));
	return FAILED;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct json_object *o = json_object_new_object();
	int c, ret, status = OK;
	bool json = false;
	unsigned int i;

	while ((c = getopt_long(argc, argv, "j", opts, NULL)) != -1) {
		if (c != 'j')
			return usage_error(&cmd_stop, "unknown option");
		json = true;
	}
	for (i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		const char *word = "stopped";

		ret = modules[i].stop();
		if (ret == -ENOENT) {
			word = "not loaded";
		} else if (ret) {
			word = "failed";
			status = explain(modules[i].name, ret);
		}
		if (json)
			json_object_object_add(o, modules[i].name,
					       json_object_new_string(word));
		else
			printf("%s: %s (%s)\n", modules[i].name, word,
			       modules[i].what);
	}
	if (json)
		json_print(stdout, o);
	else
		json_object_put(o);
	return status;
}

const struct subcommand cmd_stop = {
	.name = "stop",
	.run = run,
	.summary = "Stop all sampling, orders, CPU drivers and new sharing at once",
	.usage = "[--json]",
	.help =
"Returns when nothing is sampled or moved any more.  Programs that were\n"
"started by 'numashare migrate' run on, and so do channels between programs.\n"
"Guests of cowdedup keep what they share; what they read from now on is copied,\n"
"until 1 is written to /sys/kernel/cowdedup/enabled.\n\n"
"  --json   the result for each module, as JSON\n",
};
