// SPDX-License-Identifier: GPL-2.0-only
/*
 * status.c - numashare status: what is loaded, sampled, moved
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "guests.h"
#include "numashare.h"

static void comm_of(int pid, char *buf, size_t len)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d", pid);
	if (!sysfs_read(dir, "comm", buf, len))
		snprintf(buf, len, "?");
}

static double share_of(const struct numamig_target_stat *st)
{
	return st->share_permille < 0 ? -1 : st->share_permille / 1000.0;
}

static struct json_object *target_json(const struct numamig_target_stat *st)
{
	struct json_object *o = json_object_new_object();
	char comm[64];

	comm_of(st->pid, comm, sizeof(comm));
	json_object_object_add(o, "pid", json_u64(st->pid));
	json_object_object_add(o, "command", json_object_new_string(comm));
	json_object_object_add(o, "processes", json_u64(st->processes));
	json_object_object_add(o, "acting",
			       json_object_new_boolean(st->active));
	json_object_object_add(o, "local_share", json_share(share_of(st)));
	json_object_object_add(o, "samples", json_u64(st->samples));
	json_object_object_add(o, "local", json_u64(st->local));
	json_object_object_add(o, "remote", json_u64(st->remote));
	json_object_object_add(o, "unknown", json_u64(st->unknown));
	json_object_object_add(o, "cpu_ns", json_u64(st->cpu_ns));
	json_object_object_add(o, "sampler_ns", json_u64(st->sampler_ns));
	json_object_object_add(o, "orders", json_u64(st->orders));
	json_object_object_add(o, "pages_kernel", json_u64(st->pages_kernel));
	json_object_object_add(o, "pages_helper", json_u64(st->pages_helper));
	json_object_object_add(o, "pages_failed", json_u64(st->pages_failed));
	json_object_object_add(o, "table_entries", json_u64(st->entries));
	json_object_object_add(o, "table_evicted", json_u64(st->evicted));
	return o;
}

static void target_text(const struct numamig_target_stat *st)
{
	char comm[64], moved[32], share[16] = "-";

	comm_of(st->pid, comm, sizeof(comm));
	if (st->share_permille >= 0)
		snprintf(share, sizeof(share), "%.1f %%",
			 st->share_permille / 10.0);
	bytes_text((st->pages_kernel + st->pages_helper) * 4096, moved,
		   sizeof(moved));
	printf("%8d  %-16s %5u %8s %12llu %10s %7s\n", st->pid, comm,
	       st->processes, share, (unsigned long long)st->samples, moved,
	       st->active ? "acting" : "quiet");
}

static int for_targets(struct numamig *dev, struct json_object *list)
{
	struct numamig_target_stat st;
	int32_t pids[MAX_PIDS];
	int i, n = numamig_list(dev, pids, MAX_PIDS);

	if (n < 0)
		return n;
	if (!list && n)
		printf("\n%8s  %-16s %5s %8s %12s %10s\n", "PID", "COMMAND",
		       "PROCS", "LOCAL", "SAMPLES", "MOVED");
	for (i = 0; i < n && i < MAX_PIDS; i++) {
		/* it may have ended since */
		if (numamig_get_stat(dev, pids[i], &st))
			continue;
		if (list)
			json_object_array_add(list, target_json(&st));
		else
			target_text(&st);
	}
	return 0;
}

static void print_sums(void)
{
	static const char *const results[] = {
		"moved", "nothing", "refused", "gone", "stale", "cpuset",
		"mempolicy", "nomem", "no_helper", "helper_error", "split",
		"dry_run", "cancelled",
	};
	char version[32] = "?", sampler[32] = "?";
	const char *orders = NUMAMIG_SYSFS "/orders";
	unsigned int i;

	sysfs_read(NUMAMIG_SYSFS, "version", version, sizeof(version));
	sysfs_read(NUMAMIG_SYSFS, "sampler", sampler, sizeof(sampler));
	printf("numamig %s: sampler %s, a sample every %.0f us of CPU time%s, "
	       "helper %s\n", version, sampler,
	       sysfs_number(NUMAMIG_SYSFS, "period_now_ns") / 1e3,
	       sysfs_number(NUMAMIG_SYSFS, "dry_run") ? ", dry run" : "",
	       sysfs_number(NUMAMIG_SYSFS, "helper") ? "connected" : "absent");
	printf("pages moved: %llu by the kernel engine, %llu by the helper\n",
	       (unsigned long long)
	       (sysfs_number(NUMAMIG_SYSFS "/pages", "moved") -
		sysfs_number(NUMAMIG_SYSFS "/pages", "moved_by_helper")),
	       (unsigned long long)sysfs_number(NUMAMIG_SYSFS "/pages",
						"moved_by_helper"));
	printf("orders: %llu issued, %llu pending",
	       (unsigned long long)sysfs_number(orders, "issued"),
	       (unsigned long long)sysfs_number(orders, "pending"));
	for (i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		if (sysfs_number(orders, results[i]))
			printf(", %llu %s", (unsigned long long)
			       sysfs_number(orders, results[i]), results[i]);
	printf("\n");
}

static void print_urpc(void)
{
	char version[32] = "?", drivers[64] = "";

	sysfs_read(URPC_SYSFS, "version", version, sizeof(version));
	sysfs_read(URPC_SYSFS, "cpu_drivers", drivers, sizeof(drivers));
	printf("urpc %s: %llu endpoints, %llu channels, CPU drivers on %s\n",
	       version,
	       (unsigned long long)sysfs_number(URPC_SYSFS, "endpoints"),
	       (unsigned long long)sysfs_number(URPC_SYSFS, "channels_open"),
	       *drivers ? drivers : "no CPU");
}

static void print_cowdedup(void)
{
	uint64_t files = 0, bound = 0, masters = 0;
	char version[32] = "?", shared[32], once[32];
	struct guests all = { .page = sysconf(_SC_PAGESIZE) };
	size_t i;

	sysfs_read(COWDEDUP_SYSFS, "version", version, sizeof(version));
	mounts_find(&all);
	for (i = 0; i < all.nr_mounts; i++) {
		files += sysfs_number(all.mount[i].sysfs, "ram_files");
		bound += all.mount[i].sharing;
		masters += all.mount[i].masters;
	}
	printf("cowdedup %s: %s, %zu mounts, %llu ram files, %s bound to %s of "
	       "masters\n", version,
	       sysfs_number(COWDEDUP_SYSFS, "enabled") ? "sharing" :
	       "stopped: all reads are copied", all.nr_mounts,
	       (unsigned long long)files,
	       bytes_text(bound * all.page, shared, sizeof(shared)),
	       bytes_text(masters * all.page, once, sizeof(once)));
	guests_free(&all);
}

/* What is loaded; without numamig, why it cannot be asked is the answer. */
static int show(bool json)
{
	struct json_object *o = NULL, *list = NULL;
	bool urpc = !access(URPC_SYSFS, F_OK);
	bool cowdedup = !access(COWDEDUP_SYSFS, F_OK);
	struct numamig *dev = NULL;
	int ret = numamig_open(&dev);

	if (ret && (ret != -ENOENT || !(urpc || cowdedup)))
		return explain_open(ret);
	if (json) {
		o = json_object_new_object();
		list = json_object_new_array();
		json_object_object_add(o, "numamig", dev ?
				       sysfs_tree(NUMAMIG_SYSFS) : NULL);
		json_object_object_add(o, "targets", list);
		json_object_object_add(o, "urpc", urpc ?
				       sysfs_tree(URPC_SYSFS) : NULL);
		json_object_object_add(o, "cowdedup", cowdedup ?
				       sysfs_tree(COWDEDUP_SYSFS) : NULL);
	} else {
		if (urpc)
			print_urpc();
		if (cowdedup)
			print_cowdedup();
		if (dev)
			print_sums();
	}
	ret = dev ? for_targets(dev, list) : 0;
	if (json)
		json_print(stdout, o);
	numamig_close(dev);
	if (ret)
		complain("the list of targets: %s", strerror(-ret));
	return ret ? FAILED : OK;
}

static int run(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 }
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "j", opts, NULL)) != -1) {
		if (c != 'j')
			return usage_error(&cmd_status, "unknown option");
		json = true;
	}
	if (optind < argc)
		return usage_error(&cmd_status, "what is '%s'?", argv[optind]);
	return show(json);
}

const struct subcommand cmd_status = {
	.name = "status",
	.run = run,
	.summary = "Show what is loaded, sampled and was moved",
	.usage = "[--json]",
	.help =
"  --json   everything, as JSON\n",
};
