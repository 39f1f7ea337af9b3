// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_cgroup - guests in memory cgroups of their own: who pays, who is killed
 * when there is no more, and what is left of them
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/cowdedup.h>

#include "kselftest_harness.h"
#include "cowd_disk.h"
#include "cowd_test.h"

#define CGROUP	"/sys/fs/cgroup/"
#define MOUNTER	CGROUP "cowdedup-mounter/"
#define GUESTS	CGROUP "cowdedup-guests/"
#define VICTIM	GUESTS "victim/"
#define PAGES	2048
/* what a guest may have: less than its image */
#define LIMIT	(5ul << 20)
#define SEED	37

/* A guest in a cgroup of its own, and what it is told to do. */
struct victim {
	pid_t pid;
	struct gate gate;
	char path[160];
};

FIXTURE(cgroup)
{
	struct disk disk;
	struct place p;
	struct victim v;
	struct guest other;
	int image;
};

static void limit_to(const char *bytes)
{
	must(!write_text(VICTIM "memory.max", bytes), "memory.max");
	must(!write_text(VICTIM "memory.swap.max", "0"), "memory.swap.max");
}

/* Its image is on a disk, so that reading it takes page cache. */
FIXTURE_SETUP(cgroup)
{
	char limit[32];

	write_text(CGROUP "cgroup.subtree_control", "+memory");
	/* a test that failed may have left them */
	ASSERT_TRUE(!mkdir(MOUNTER, 0755) || errno == EEXIST);
	ASSERT_TRUE(!mkdir(GUESTS, 0755) || errno == EEXIST);
	ASSERT_EQ(0, write_text(GUESTS "cgroup.subtree_control", "+memory"));
	ASSERT_TRUE(!mkdir(VICTIM, 0755) || errno == EEXIST);
	snprintf(limit, sizeof(limit), "%lu", LIMIT);
	limit_to(limit);
	disk_open(&self->disk, 32);
	place_open_in(&self->p, MOUNTER, "ext4", self->disk.dev, "");
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	sync();
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "1"));
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
}

/*
 * Each CPU keeps what it has charged ahead for the last cgroup, also when
 * nothing of that is left, and with it the cgroup: until it charges another.
 */
static void charge_on_each_cpu(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF), i;
	pid_t pid = fork();
	cpu_set_t set;
	char *mem;

	must(pid >= 0, "fork");
	if (pid) {
		must(!child_status(pid), "charging");
		return;
	}
	must(!write_text(MOUNTER "cgroup.procs", "0"), "cgroup");
	for (i = 0; i < cpus; i++) {
		CPU_ZERO(&set);
		CPU_SET(i, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			continue;
		mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(mem != MAP_FAILED, "mmap");
		*mem = 1;
	}
	_exit(0);
}

/* Gone, and so is all that was charged to it, within ten seconds. */
static bool victim_is_gone(void)
{
	const char *stat = GUESTS "cgroup.stat";
	int tries = 100;

	while (rmdir(VICTIM) && errno == EBUSY && tries--)
		usleep(20000);
	for (; tries-- && named_number(stat, "nr_dying_descendants");) {
		charge_on_each_cpu();
		usleep(100000);
	}
	return access(VICTIM, F_OK) &&
	       !named_number(stat, "nr_dying_descendants");
}

FIXTURE_TEARDOWN(cgroup)
{
	guest_close(&self->other);
	close(self->image);
	unlink(self->v.path);
	EXPECT_TRUE(place_close(&self->p));
	EXPECT_TRUE(disk_close(&self->disk));
	EXPECT_EQ(0, rmdir(GUESTS));
	EXPECT_EQ(0, rmdir(MOUNTER));
}

/* The victim reads the image, says so, and waits to be told to go on. */
static void victim_reads(FIXTURE_DATA(cgroup) *self, struct guest *g)
{
	must(!write_text(VICTIM "cgroup.procs", "0"), "cgroup");
	guest_open(g, &self->p, "victim", PAGES);
	must(pread(self->image, g->ram, PAGES * PAGE, 0) == PAGES * PAGE,
	     "pread");
	gate_pass(self->v.gate.to_parent);
	gate_wait(self->v.gate.to_child);
}

/* It writes to all of its memory, which it may not have. */
static void writes_all(FIXTURE_DATA(cgroup) *self, struct guest *g)
{
	memset(g->ram, 1, PAGES * PAGE);
}

/* It writes to a few, and looks at all of them each time. */
static void looks(FIXTURE_DATA(cgroup) *self, struct guest *g)
{
	int i;

	memset(g->ram, 7, 8 * PAGE);
	for (i = 0; i < 3; i++) {
		must(holds_byte(g->ram, 7, 8 * PAGE), "what it wrote");
		must(holds_image(g->ram + 8 * PAGE, SEED, 8 * PAGE,
				 (PAGES - 8) * PAGE), "what it read");
		gate_pass(self->v.gate.to_parent);
		gate_wait(self->v.gate.to_child);
	}
}

/* Let it go on, up to its next gate. */
static void victim_goes_on(FIXTURE_DATA(cgroup) *self)
{
	gate_pass(self->v.gate.to_child);
	gate_wait(self->v.gate.to_parent);
}

static void victim_start(FIXTURE_DATA(cgroup) *self,
			 void (*job)(FIXTURE_DATA(cgroup) *, struct guest *))
{
	struct guest g;

	gate_open(&self->v.gate);
	snprintf(self->v.path, sizeof(self->v.path), "%s/ram/victim",
		 self->p.mnt);
	self->v.pid = fork();
	must(self->v.pid >= 0, "fork");
	if (!self->v.pid) {
		victim_reads(self, &g);
		job(self, &g);
		_exit(0);
	}
	gate_wait(self->v.gate.to_parent);
}

/* The other one shares all of it, and pays for nothing but its own. */
static void other_start(FIXTURE_DATA(cgroup) *self)
{
	guest_open(&self->other, &self->p, "other", PAGES);
	must(pread(self->image, self->other.ram, PAGES * PAGE, 0) ==
	     PAGES * PAGE, "pread");
}

/*
 * The guest whose read made the masters pays for its page tables and for the
 * table of its memory; page cache of what it read is not left.
 */
TEST_F(cgroup, the_first_reader_does_not_pay)
{
	uint64_t before = read_number(MOUNTER "memory.current");
	uint64_t kernel = named_number(MOUNTER "memory.stat", "kernel");

	victim_start(self, writes_all);
	other_start(self);
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(2 * PAGES, counter(&self->p, "pages_sharing"));
	/* each CPU may have charged 64 pages ahead */
	EXPECT_GE(read_number(MOUNTER "memory.current") - before +
		  64 * sysconf(_SC_NPROCESSORS_ONLN) * PAGE, PAGES * PAGE);
	EXPECT_GE(named_number(MOUNTER "memory.stat", "kernel") - kernel,
		  PAGES * PAGE);
	printf("# %lu pages are charged to the guest, %lu of page cache\n",
	       read_number(VICTIM "memory.current") / PAGE,
	       named_number(VICTIM "memory.stat", "file") / PAGE);
	EXPECT_LE(read_number(VICTIM "memory.current"), PAGES / 8 * PAGE);
	EXPECT_LE(named_number(VICTIM "memory.stat", "file"), 64 * PAGE);
	/* nothing of it was killed for reading more than it may have */
	EXPECT_EQ(0, named_number(VICTIM "memory.events", "oom_kill"));
	kill(self->v.pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, child_status(self->v.pid));
	EXPECT_TRUE(victim_is_gone());
}

/*
 * A guest writes to all of its memory until it is killed for it.  Nobody else
 * is, and nobody else sees anything of it.
 */
TEST_F(cgroup, a_guest_out_of_memory)
{
	uint64_t charged;

	victim_start(self, writes_all);
	other_start(self);
	charged = read_number(MOUNTER "memory.current");
	memset(self->other.ram + 5 * PAGE, 7, 3 * PAGE);
	gate_pass(self->v.gate.to_child);
	EXPECT_EQ(-SIGKILL, child_status(self->v.pid));
	EXPECT_EQ(1, named_number(VICTIM "memory.events", "oom_kill"));
	EXPECT_EQ(0, named_number(MOUNTER "memory.events", "oom_kill"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
	EXPECT_EQ(0, counter(&self->p, "masters_freed"));
	EXPECT_EQ(2, counter(&self->p, "ram_files"));
	EXPECT_TRUE(holds_image(self->other.ram, SEED, 0, 5 * PAGE));
	EXPECT_TRUE(holds_byte(self->other.ram + 5 * PAGE, 7, 3 * PAGE));
	EXPECT_TRUE(holds_image(self->other.ram + 8 * PAGE, SEED, 8 * PAGE,
				(PAGES - 8) * PAGE));
	/* its file is there; its cgroup goes all the same */
	EXPECT_TRUE(victim_is_gone());
	EXPECT_GE(read_number(MOUNTER "memory.current") + 64 * PAGE, charged);
	/* the next one who maps the file finds nothing of it */
	ASSERT_EQ(0, access(self->v.path, F_OK));
	EXPECT_TRUE(place_adds_up(&self->p));
}

/* --- unsharing ----------------------------------------------------------- */

static int unshare_victim(FIXTURE_DATA(cgroup) *self)
{
	int dev = open("/dev/cowdedup", O_RDWR | O_CLOEXEC), ret = 0;
	struct cowdedup_unshare a = {
		.size = sizeof(a), .pid = self->v.pid, .pages = PAGES,
		.ram_fd = open(self->v.path, O_RDWR | O_CLOEXEC),
	};

	must(dev >= 0 && a.ram_fd >= 0, "/dev/cowdedup");
	if (ioctl(dev, COWDEDUP_UNSHARE, &a))
		ret = errno;
	close(a.ram_fd);
	close(dev);
	return ret;
}

/*
 * Without memory for all of its pages a guest keeps what it has, and what it
 * shares; nobody is killed.  With more memory it goes on from there.
 */
TEST_F(cgroup, unshared_without_memory)
{
	uint64_t left;

	victim_start(self, looks);
	other_start(self);
	victim_goes_on(self);
	EXPECT_EQ(ENOMEM, unshare_victim(self));
	EXPECT_EQ(0, named_number(VICTIM "memory.events", "oom_kill"));
	left = counter(&self->p, "pages_sharing") - PAGES;
	printf("# %lu of %d pages are shared still\n", left, PAGES);
	EXPECT_GT(left, PAGES - LIMIT / PAGE);
	EXPECT_LT(left, PAGES);
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES - left, counter(&self->p, "pages_unbound"));
	EXPECT_TRUE(place_adds_up(&self->p));
	/* again: no more, and no less */
	EXPECT_EQ(ENOMEM, unshare_victim(self));
	EXPECT_LE(counter(&self->p, "pages_sharing") - PAGES, left);
	victim_goes_on(self);
	limit_to("max");
	EXPECT_EQ(0, unshare_victim(self));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
	victim_goes_on(self);
	gate_pass(self->v.gate.to_child);
	EXPECT_EQ(0, child_status(self->v.pid));
	EXPECT_TRUE(holds_image(self->other.ram, SEED, 0, PAGES * PAGE));
	EXPECT_TRUE(victim_is_gone());
}

TEST_HARNESS_MAIN
