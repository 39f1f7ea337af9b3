// SPDX-License-Identifier: GPL-2.0-only
/*
 * migrated.c - numashare migrated: the helper that calls move_pages(2)
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>

#include "helper.h"
#include "numashare.h"

static volatile sig_atomic_t quit;

static void on_signal(int sig)
{
	(void)sig;
	quit = 1;
}

static void report(const struct numamig_helper_stat *st, bool json)
{
	struct json_object *o, *pages;
	unsigned int r;

	if (!json) {
		fprintf(stderr, "numashare: %llu orders, %llu pages moved\n",
			(unsigned long long)st->orders,
			(unsigned long long)st->pages[NUMAMIG_PAGE_MOVED]);
		return;
	}
	o = json_object_new_object();
	pages = json_object_new_object();
	json_object_object_add(o, "orders", json_u64(st->orders));
	json_object_object_add(o, "pages", pages);
	for (r = 0; r < NUMAMIG_PAGE_RESULTS; r++)
		json_object_object_add(pages, numamig_page_result_name(r),
				       json_u64(st->pages[r]));
	json_print(stdout, o);
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	struct sigaction sa = { .sa_handler = on_signal };
	struct numamig_helper_stat st = { 0 };
	struct numamig *dev;
	bool json = false;
	int c, ret;

	while ((c = getopt_long(argc, argv, "j", opts, NULL)) != -1) {
		if (c != 'j')
			return usage_error(&cmd_migrated, "unknown option");
		json = true;
	}
	ret = numamig_open(&dev);
	if (ret)
		return explain_open(ret);
	ret = numamig_helper(dev);
	if (ret) {
		numamig_close(dev);
		return explain_helper(ret);
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	while (!quit) {
		ret = numamig_helper_step(dev, -1, &st);
		if (ret < 0 && ret != -EINTR) {
			complain("the helper failed: %s", strerror(-ret));
			break;
		}
		ret = 0;
	}
	numamig_close(dev);
	report(&st, json);
	return ret ? FAILED : OK;
}

const struct subcommand cmd_migrated = {
	.name = "migrated",
	.run = run,
	.summary = "Be the helper: move huge, shared and file pages as ordered",
	.usage = "[--json]",
	.help =
"The kernel module moves private base pages itself.  Huge pages (kept whole),\n"
"shared memory and file pages it leaves to this helper, which calls\n"
"move_pages(2).  'numashare migrate' runs one of its own, so this is needed\n"
"only for targets that other programs add.  Ends on SIGINT or SIGTERM with\n"
"what it did.\n\n"
"  --json   what it did, as JSON on standard output\n",
};
