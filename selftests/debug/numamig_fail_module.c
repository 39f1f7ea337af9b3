// SPDX-License-Identifier: GPL-2.0-only
/*
 * numamig_fail_module - loading and unloading numamig, and the first target of
 * a loaded one, with each allocation failing in turn
 *
 * A load that fails leaves nothing behind.  Only what the module's own init
 * function asks for is failed; the kernel's loader has its own bugs, as the
 * warnings of event_define_fields() in 6.12.  Ends with the module loaded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fail_nth.h"
#include "fault.h"
#include "nm_test.h"

static int ko;
static int fd = -1;
static bool loaded;
static pid_t pid;
static struct numamig_target_add add;

static long load(void)
{
	long ret = syscall(SYS_finit_module, ko, "", 0) ? -errno : 0;

	loaded |= !ret;
	return ret;
}

static long unload(void)
{
	long ret = syscall(SYS_delete_module, "numamig", O_NONBLOCK) ?
		-errno : 0;

	loaded &= ret < 0;
	return ret;
}

static void want_loaded(void *ctx)
{
	(void)ctx;
	must(loaded || !load(), "insmod");
}

static void want_unloaded(void *ctx)
{
	(void)ctx;
	must(!loaded || !unload(), "rmmod");
}

static bool hotplug_state(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/hotplug/states", "re");
	char line[128];
	bool found = false;

	must(f, "hotplug/states");
	while (fgets(line, sizeof(line), f))
		found |= !!strstr(line, "numamig");
	fclose(f);
	return found;
}

static const char *settle_module(void *ctx, long ret)
{
	(void)ctx;
	(void)ret;
	if (hotplug_state() != loaded)
		return "the hotplug state is not as it should be";
	if (!access("/dev/numamig", F_OK) != loaded)
		return "the device is not as it should be";
	if (!access("/sys/kernel/numamig", F_OK) != loaded)
		return "the sysfs folder is not as it should be";
	return NULL;
}

static long call_load(void *ctx)
{
	(void)ctx;
	return load();
}

static long call_unload(void *ctx)
{
	(void)ctx;
	return unload();
}

/* The first target of all allocates the rings. */
static void prepare_add(void *ctx)
{
	want_unloaded(ctx);
	want_loaded(ctx);
	fd = open("/dev/numamig", O_RDWR | O_CLOEXEC);
	must(fd >= 0, "open");
	memset(&add, 0, sizeof(add));
	add.size = sizeof(add);
	add.pid = pid;
}

static long call_add(void *ctx)
{
	(void)ctx;
	return ioctl(fd, NUMAMIG_TARGET_ADD, &add) ? -errno : 0;
}

static const char *settle_add(void *ctx, long ret)
{
	const char *wrong = NULL;

	if (counter("targets") != (ret >= 0))
		wrong = ret < 0 ? "failed, and there is a target" :
				  "no target";
	else if (ret < 0 && call_add(ctx))
		wrong = "cannot be added afterwards";
	close(fd);
	return wrong;
}

static const struct fail_nth_call calls[] = {
	{ "the first TARGET_ADD", prepare_add, call_add, settle_add },
	{ "delete_module", want_loaded, call_unload, settle_module },
};

static const struct fail_nth_call init = {
	"init_module", want_unloaded, call_load, settle_module,
};

int main(void)
{
	char path[PATH_MAX];
	struct utsname u;
	int i;

	printf("TAP version 13\n1..3\n");
	if (!fault_setup())
		return 1;
	uname(&u);
	snprintf(path, sizeof(path),
		 "build/modules/%s/mod/numamig/numamig.ko", u.release);
	ko = open(path, O_RDONLY | O_CLOEXEC);
	must(ko >= 0, path);
	loaded = !access("/sys/kernel/numamig", F_OK);
	pid = sleeping_child();
	for (i = 0; i < 2; i++)
		fail_nth_test(&calls[i], NULL);
	if (fault_only_function("do_one_initcall"))
		fail_nth_test(&init, NULL);
	else
		printf("ok 3 init_module # SKIP needs the stack filter\n");
	fault_anywhere();
	want_loaded(NULL);
	end_child(pid);
	return fail_nth_bad() > 0;
}
