// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwreport.c - numashare hwreport: what we would like to know of a machine
 *
 * Nothing of this has run on real NUMA hardware here, so reports from it are
 * welcome; this collects one that says how numamig fared, and nothing private:
 * no process names, no addresses, no host name.
 */
#include <getopt.h>
#include <string.h>
#include <sys/utsname.h>

#include "numashare.h"

static void add_line(struct json_object *o, const char *key, const char *dir,
		     const char *file)
{
	char buf[512];

	if (sysfs_read(dir, file, buf, sizeof(buf)))
		json_object_object_add(o, key, json_object_new_string(buf));
}

static void add_cpu_model(struct json_object *o)
{
	char line[512], *colon;
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "model name", 10))
			continue;
		line[strcspn(line, "\n")] = 0;
		colon = strchr(line, ':');
		if (colon)
			json_object_object_add(o, "cpu",
				json_object_new_string(colon + 2));
		break;
	}
	if (f)
		fclose(f);
}

static struct json_object *distances(void)
{
	struct json_object *a = json_object_new_array();
	char dir[64], buf[512];
	int n;

	for (n = 0; n < 1024; n++) {
		snprintf(dir, sizeof(dir), "/sys/devices/system/node/node%d",
			 n);
		if (sysfs_read(dir, "distance", buf, sizeof(buf)))
			json_object_array_add(a, json_object_new_string(buf));
	}
	return a;
}

static int run(int argc, char **argv)
{
	struct json_object *o = json_object_new_object();
	const char *node = "/sys/devices/system/node";
	struct numamig *dev;
	struct utsname u;

	(void)argv;
	if (argc > 1)
		return usage_error(&cmd_hwreport, "no arguments");
	uname(&u);
	json_object_object_add(o, "numashare",
			       json_object_new_string(NUMASHARE_VERSION));
	json_object_object_add(o, "kernel", json_object_new_string(u.release));
	json_object_object_add(o, "arch", json_object_new_string(u.machine));
	add_cpu_model(o);
	add_line(o, "hypervisor", "/sys/hypervisor", "type");
	add_line(o, "vendor", "/sys/class/dmi/id", "sys_vendor");
	add_line(o, "product", "/sys/class/dmi/id", "product_name");
	add_line(o, "nodes", node, "online");
	add_line(o, "nodes_with_cpus", node, "has_cpu");
	add_line(o, "nodes_with_memory", node, "has_memory");
	json_object_object_add(o, "distances", distances());
	add_line(o, "cpus", "/sys/devices/system/cpu", "online");
	add_line(o, "isolated", "/sys/devices/system/cpu", "isolated");
	add_line(o, "nohz_full", "/sys/devices/system/cpu", "nohz_full");
	add_line(o, "numa_balancing", "/proc/sys/kernel", "numa_balancing");
	add_line(o, "thp", "/sys/kernel/mm/transparent_hugepage", "enabled");
	add_line(o, "lockdown", "/sys/kernel/security", "lockdown");
	add_line(o, "tainted", "/proc/sys/kernel", "tainted");
	/* what it did since it was loaded, if it is */
	if (!numamig_open(&dev)) {
		json_object_object_add(o, "numamig",
				       sysfs_tree(NUMAMIG_SYSFS));
		numamig_close(dev);
	}
	json_print(stdout, o);
	fprintf(stderr, "numashare: please send this with a line about what "
		"you ran; README.md says where\n");
	return OK;
}

const struct subcommand cmd_hwreport = {
	.name = "hwreport",
	.run = run,
	.summary = "Print what to send us about your machine (JSON)",
	.usage = "",
	.help =
"Collects the NUMA topology, the kernel and numamig's counters.  No process\n"
"names, addresses or host name are in it.  Run it as root after 'numashare\n"
"migrate' has been at work.\n",
};
