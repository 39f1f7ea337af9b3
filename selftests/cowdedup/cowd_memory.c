// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_memory - who pays for masters, what happens when there is no memory for
 * them, and that they are given back
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define CGROUP	"/sys/fs/cgroup/"
#define OURS	CGROUP "cowdedup-test/"
#define OTHER	CGROUP "cowdedup-other/"
#define PAGES	1024
#define SEED	31
#define GUESTS	4

FIXTURE(memory)
{
	struct place p;
	struct guest g;
	int image, null;
};

FIXTURE_SETUP(memory)
{
	write_text(CGROUP "cgroup.subtree_control", "+memory");
	ASSERT_TRUE(!mkdir(OURS, 0755) || errno == EEXIST);
	/* nothing but masters is charged to the mounter's */
	place_open_in(&self->p, OURS, "tmpfs", "images", "mode=755");
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	guest_open(&self->g, &self->p, "g", PAGES);
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
	self->null = memfd_create("null", 0);
}

FIXTURE_TEARDOWN(memory)
{
	guest_close(&self->g);
	close(self->image);
	close(self->null);
	EXPECT_TRUE(place_close(&self->p));
	EXPECT_EQ(0, rmdir(OURS));
}

TEST_F(memory, the_mounter_pays)
{
	uint64_t before = read_number(OURS "memory.current"), after;

	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	after = read_number(OURS "memory.current");
	printf("# %lu pages for %d masters\n", (after - before) / PAGE, PAGES);
	EXPECT_GE(after - before, PAGES * PAGE);
	/* and not much more: the index, and what is charged ahead */
	EXPECT_LE(after - before, (PAGES + 300) * PAGE);
}

TEST_F(memory, at_its_limit_reads_are_copied)
{
	uint64_t masters;
	char limit[32];

	snprintf(limit, sizeof(limit), "%lu",
		 read_number(OURS "memory.current") + PAGES / 2 * PAGE);
	ASSERT_EQ(0, write_text(OURS "memory.max", limit));
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	masters = counter(&self->p, "masters");
	printf("# %lu of %d\n", masters, PAGES);
	EXPECT_GT(masters, PAGES / 8);
	/* each CPU may have charged 64 pages ahead */
	EXPECT_LE(masters, PAGES / 2 + 64 * sysconf(_SC_NPROCESSORS_ONLN));
	EXPECT_GT(counter(&self->p, "copied_memory"), 0);
	/* nothing is taken from a guest for that */
	EXPECT_EQ(0, counter(&self->p, "masters_reclaimed"));
	EXPECT_EQ(0, counter(&self->p, "ram_aged"));
	EXPECT_EQ(0, named_number(OURS "memory.events", "oom_kill"));
}

static uint64_t dying(void)
{
	return named_number(CGROUP "cgroup.stat", "nr_dying_descendants");
}

/* A guest's own cgroup goes with the guest. */
TEST_F(memory, dead_guests_leave_no_cgroup)
{
	const char *dir = CGROUP "cowdedup-guest";
	uint64_t before;
	pid_t pid;
	int tries = 50;

	before = dying();
	ASSERT_EQ(0, mkdir(dir, 0755));
	madvise(self->g.ram, PAGES * PAGE, MADV_DONTFORK);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		struct guest g;

		if (write_text(CGROUP "cowdedup-guest/cgroup.procs", "0"))
			_exit(1);
		guest_open(&g, &self->p, "child", PAGES);
		unlink(g.path);
		_exit(pread(self->image, g.ram, PAGES * PAGE, 0) !=
		      PAGES * PAGE);
	}
	ASSERT_EQ(0, child_status(pid));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	while (rmdir(dir) && tries--)
		usleep(20000);
	for (tries = 50; tries && dying() > before; tries--)
		usleep(100000);
	EXPECT_LE(dying(), before);
}

TEST_F(memory, unbound_masters_are_given_back)
{
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	ASSERT_EQ(0, fallocate(self->g.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, PAGES / 2 * PAGE));
	ASSERT_EQ(PAGES, counter(&self->p, "masters"));
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "2"));
	EXPECT_GE(counter(&self->p, "masters_reclaimed"), PAGES / 2);
	EXPECT_LE(counter(&self->p, "masters"), PAGES / 2);
	EXPECT_TRUE(holds_image(self->g.ram + PAGES / 2 * PAGE, SEED,
				PAGES / 2 * PAGE, PAGES / 2 * PAGE));
	/* and are made anew */
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
}

/*
 * Those that are bound lose their pages, too, and what the guest sees and what
 * it has written stays as it was.
 */
TEST_F(memory, bound_masters_are_given_back_and_read_again)
{
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	memset(self->g.ram + 5 * PAGE, 9, 3 * PAGE);
	squeeze(&self->p);
	EXPECT_EQ(0, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "masters_reclaimed"));
	EXPECT_GT(counter(&self->p, "ram_aged"), 0);
	/* shared, what was written is not bound */
	EXPECT_EQ(shared_mode() ? PAGES - 3 : PAGES,
		  counter(&self->p, "pages_sharing"));
	EXPECT_TRUE(place_adds_up(&self->p));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, 5 * PAGE));
	EXPECT_TRUE(holds_byte(self->g.ram + 5 * PAGE, 9, 3 * PAGE));
	EXPECT_TRUE(holds_image(self->g.ram + 8 * PAGE, SEED, 8 * PAGE,
				PAGES / 2 * PAGE));
	/* the fault of a write reads it, too */
	self->g.ram[(PAGES - 1) * PAGE] ^= 1;
	EXPECT_TRUE(holds_image(self->g.ram + (PAGES - 1) * PAGE + 1, SEED,
				(PAGES - 1) * PAGE + 1, PAGE - 1));
	EXPECT_GE(counter(&self->p, "faults_again"), PAGES / 2);
	EXPECT_EQ(0, counter(&self->p, "faults_lost"));
	/* by whom it is read does not matter: here the kernel */
	EXPECT_EQ(8 * PAGE, write(self->null, self->g.ram + 600 * PAGE,
				  8 * PAGE));
	/* and another read finds masters without pages */
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(PAGES, counter(&self->p, "pages_sharing"));
}

/* A guest gets its page back when the mounter may have no more. */
TEST_F(memory, back_at_the_limit)
{
	char path[160], limit[32];

	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	squeeze(&self->p);
	snprintf(path, sizeof(path), "%smax_masters", self->p.sysfs);
	ASSERT_EQ(0, write_text(path, "1"));
	snprintf(limit, sizeof(limit), "%lu",
		 read_number(OURS "memory.current") + 16 * PAGE);
	ASSERT_EQ(0, write_text(OURS "memory.max", limit));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(0, named_number(OURS "memory.events", "oom_kill"));
}

TEST_F(memory, reclaim_off)
{
	struct place p;
	struct guest g;
	int image, i;

	place_open_with(&p, "tmpfs", "images", "mode=755", ",reclaim=off");
	image_create(&p, "base", SEED, PAGES * PAGE);
	guest_open(&g, &p, "g", PAGES);
	image = image_open(&p, "base", O_RDONLY);
	ASSERT_EQ(PAGES * PAGE, pread(image, g.ram, PAGES * PAGE, 0));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "2"));
	usleep(300000);
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "2"));
	EXPECT_EQ(PAGES, counter(&p, "masters"));
	EXPECT_EQ(0, counter(&p, "ram_aged"));
	guest_close(&g);
	close(image);
	EXPECT_TRUE(place_close(&p));
}

/* Masters that nobody uses make room, at either limit. */
TEST_F(memory, idle_masters_make_room)
{
	char path[160], limit[32];

	snprintf(path, sizeof(path), "%smax_masters", self->p.sysfs);
	ASSERT_EQ(0, write_text(path, "100"));
	ASSERT_EQ(100 * PAGE, pread(self->image, self->g.ram, 100 * PAGE, 0));
	ASSERT_EQ(0, fallocate(self->g.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, 100 * PAGE));
	ASSERT_EQ(100 * PAGE, pread(self->image, self->g.ram, 100 * PAGE,
				    100 * PAGE));
	EXPECT_EQ(0, counter(&self->p, "copied_memory"));
	ASSERT_EQ(0, write_text(path, "0"));
	ASSERT_EQ(400 * PAGE, pread(self->image, self->g.ram, 400 * PAGE, 0));
	snprintf(limit, sizeof(limit), "%lu",
		 read_number(OURS "memory.current") + 32 * PAGE);
	ASSERT_EQ(0, write_text(OURS "memory.max", limit));
	ASSERT_EQ(0, fallocate(self->g.fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, 400 * PAGE));
	ASSERT_EQ(400 * PAGE, pread(self->image, self->g.ram, 400 * PAGE,
				    600 * PAGE));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 600 * PAGE, 400 * PAGE));
	printf("# %lu copied at the limit\n",
	       counter(&self->p, "copied_memory"));
	EXPECT_LE(counter(&self->p, "copied_memory"), 100 * PAGE);
}

/* --- reclaim of a cgroup ------------------------------------------------- */

/* Processes in our cgroup, each of which wants @pages; how many got them? */
static int hogs(int n, size_t pages)
{
	int i, good = 0;
	char *mem;

	for (i = 0; i < n; i++) {
		if (fork())
			continue;
		mem = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		must(mem != MAP_FAILED, "mmap");
		madvise(mem, pages * PAGE, MADV_NOHUGEPAGE);
		must(!write_text(OURS "cgroup.procs", "0"), "cgroup");
		memset(mem, 1, pages * PAGE);
		_exit(0);
	}
	for (i = 0; i < n; i++)
		good += !child_status(-1);
	return good;
}

/*
 * The mounter's cgroup needs memory for something else, and has nothing but
 * masters to give: all of them are mapped by all guests.
 */
TEST_F(memory, masters_give_way_to_processes_of_the_cgroup)
{
	struct guest g[GUESTS];
	char name[8], limit[32];
	int i;

	for (i = 0; i < GUESTS; i++) {
		snprintf(name, sizeof(name), "hog%d", i);
		guest_open(&g[i], &self->p, name, PAGES);
		madvise(g[i].ram, PAGES * PAGE, MADV_DONTFORK);
		ASSERT_EQ(PAGES * PAGE, pread(self->image, g[i].ram,
					      PAGES * PAGE, 0));
		EXPECT_TRUE(holds_image(g[i].ram, SEED, 0, PAGES * PAGE));
	}
	memset(g[0].ram + 5 * PAGE, 9, 3 * PAGE);
	ASSERT_EQ(PAGES, counter(&self->p, "masters"));
	write_text(OURS "memory.swap.max", "0");
	snprintf(limit, sizeof(limit), "%lu",
		 read_number(OURS "memory.current") + 64 * PAGE);
	ASSERT_EQ(0, write_text(OURS "memory.max", limit));
	/* two: one finds that the other is at it */
	EXPECT_EQ(2, hogs(2, PAGES / 8 * 3));
	EXPECT_EQ(0, named_number(OURS "memory.events", "oom_kill"));
	printf("# %lu of %d masters left, %lu guests unmapped\n",
	       counter(&self->p, "masters"), PAGES,
	       counter(&self->p, "ram_aged"));
	EXPECT_LE(counter(&self->p, "masters"), PAGES / 2);
	/* what they saw and wrote they see, and masters come back for it */
	EXPECT_TRUE(holds_byte(g[0].ram + 5 * PAGE, 9, 3 * PAGE));
	EXPECT_TRUE(holds_image(g[0].ram, SEED, 0, 5 * PAGE));
	for (i = 1; i < GUESTS; i++)
		EXPECT_TRUE(holds_image(g[i].ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(0, counter(&self->p, "faults_lost"));
	for (i = 0; i < GUESTS; i++)
		guest_close(&g[i]);
}

/*
 * Newer kernels say EAGAIN, for they do not count what is not on an LRU list,
 * and go on until there is nothing left.
 */
static void reclaim(const char *cgroup, const char *bytes)
{
	int ret = write_text(cgroup, bytes);

	must(!ret || ret == EAGAIN, cgroup);
}

TEST_F(memory, reclaim_of_the_cgroup)
{
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	reclaim(OURS "memory.reclaim", "2M");
	printf("# %lu of %d masters left\n", counter(&self->p, "masters"),
	       PAGES);
	EXPECT_GE(counter(&self->p, "masters_reclaimed"), PAGES / 2);
	EXPECT_TRUE(holds_image(self->g.ram, SEED, 0, PAGES * PAGE));
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
}

/* Each cgroup gives what it pays for. */
TEST_F(memory, reclaim_of_another_cgroup)
{
	struct place p;
	struct guest g;
	int image;

	ASSERT_EQ(0, mkdir(OTHER, 0755));
	place_open_in(&p, OTHER, "tmpfs", "images", "mode=755");
	image_create(&p, "base", SEED, PAGES * PAGE);
	guest_open(&g, &p, "g", PAGES);
	image = image_open(&p, "base", O_RDONLY);
	ASSERT_EQ(PAGES * PAGE, pread(image, g.ram, PAGES * PAGE, 0));
	ASSERT_EQ(PAGES * PAGE, pread(self->image, self->g.ram, PAGES * PAGE,
				      0));
	reclaim(OTHER "memory.reclaim", "2M");
	EXPECT_GE(counter(&p, "masters_reclaimed"), PAGES / 2);
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
	EXPECT_EQ(0, counter(&self->p, "masters_reclaimed"));
	EXPECT_EQ(0, counter(&self->p, "ram_aged"));
	EXPECT_TRUE(holds_image(g.ram, SEED, 0, PAGES * PAGE));
	guest_close(&g);
	close(image);
	EXPECT_TRUE(place_close(&p));
	EXPECT_EQ(0, rmdir(OTHER));
}

/* When the mounter's cgroup is removed, the one above it pays and is asked. */
TEST_F(memory, the_cgroup_is_removed)
{
	uint64_t before;
	struct place p;
	struct guest g;
	int image;

	ASSERT_EQ(0, write_text(OURS "cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(OURS "inner", 0755));
	place_open_in(&p, OURS "inner/", "tmpfs", "images",
		      "mode=755");
	ASSERT_EQ(0, rmdir(OURS "inner"));
	image_create(&p, "base", SEED, PAGES * PAGE);
	guest_open(&g, &p, "g", PAGES);
	image = image_open(&p, "base", O_RDONLY);
	before = read_number(OURS "memory.current");
	ASSERT_EQ(PAGES * PAGE, pread(image, g.ram, PAGES * PAGE, 0));
	/* some may have been charged ahead */
	EXPECT_GE(read_number(OURS "memory.current") - before,
		  (PAGES - 300) * PAGE);
	reclaim(OURS "memory.reclaim", "2M");
	EXPECT_GE(counter(&p, "masters_reclaimed"), PAGES / 2);
	EXPECT_TRUE(holds_image(g.ram, SEED, 0, PAGES * PAGE));
	/* the machine's reaches it, too */
	squeeze(&p);
	EXPECT_EQ(0, counter(&p, "masters"));
	guest_close(&g);
	close(image);
	EXPECT_TRUE(place_close(&p));
}

/* Both kinds of reclaim run while mounts are made, used and unmounted. */
TEST_F(memory, mounts_come_and_go_under_reclaim)
{
	struct place p;
	struct guest g;
	int image, i;
	pid_t pid;

	madvise(self->g.ram, PAGES * PAGE, MADV_DONTFORK);
	pid = fork();
	ASSERT_GE(pid, 0);
	while (!pid) {
		reclaim(OURS "memory.reclaim", "4M");
		must(!write_text("/proc/sys/vm/drop_caches", "2"), "squeeze");
	}
	for (i = 0; i < 10; i++) {
		place_open_in(&p, OURS, "tmpfs", "images", "mode=755");
		image_create(&p, "base", SEED, PAGES / 4 * PAGE);
		guest_open(&g, &p, "g", PAGES / 4);
		image = image_open(&p, "base", O_RDONLY);
		EXPECT_EQ(PAGES / 4 * PAGE, pread(image, g.ram,
						  PAGES / 4 * PAGE, 0));
		EXPECT_TRUE(holds_image(g.ram, SEED, 0, PAGES / 4 * PAGE));
		guest_close(&g);
		close(image);
		EXPECT_TRUE(place_close(&p));
	}
	kill(pid, SIGKILL);
	EXPECT_EQ(-SIGKILL, child_status(pid));
}

/* --- an image that cannot be read any more ------------------------------- */

static sigjmp_buf bus;

static void on_bus(int sig)
{
	siglongjmp(bus, 1);
}

/* How many pages of what was read are lost, and are the others right? */
static int lost_pages(const struct guest *g, bool *right)
{
	volatile int lost = 0;
	volatile size_t i;

	signal(SIGBUS, on_bus);
	for (i = 0; i < PAGES / 2; i++) {
		if (sigsetjmp(bus, 1))
			lost++;
		else if (!holds_image(g->ram + i * PAGE, SEED, i * PAGE, PAGE))
			*right = false;
	}
	return lost;
}

/* A disk that can be made to fail: what it says is that of dm-error. */
#define DISK	"cowdedup-disk"

static void disk_table(const char *target)
{
	char cmd[256], loop[64];

	run_for_line("cat /tmp/cowdedup-loop", loop, sizeof(loop));
	snprintf(cmd, sizeof(cmd),
		 "dmsetup suspend --noflush " DISK " && "
		 "echo 0 65536 %s %s %s | dmsetup load " DISK " && "
		 "dmsetup resume " DISK,
		 target, strcmp(target, "error") ? loop : "",
		 strcmp(target, "error") ? "0" : "");
	must(!system(cmd), cmd);
}

static void disk_open(void)
{
	static const char cmd[] =
		"modprobe -a loop dm-mod && "
		"truncate -s 32M /tmp/cowdedup-file && "
		"losetup -f --show /tmp/cowdedup-file >/tmp/cowdedup-loop && "
		"echo 0 65536 linear $(cat /tmp/cowdedup-loop) 0 | "
		"dmsetup create " DISK " && dmsetup mknodes && "
		"mke2fs -q -b 4096 /dev/mapper/" DISK;

	must(!system(cmd), "a disk");
}

/* Gone as soon as nobody has it. */
static bool disk_close(void)
{
	return !system("dmsetup remove " DISK " && "
		       "losetup -d $(cat /tmp/cowdedup-loop) && "
		       "rm /tmp/cowdedup-file /tmp/cowdedup-loop");
}

TEST_F(memory, image_cannot_be_read_again)
{
	bool right = true;
	struct place p;
	struct guest g;
	int image, lost;

	if (system("modprobe -q dm-mod"))
		SKIP(return, "this kernel has no device mapper");
	disk_open();
	place_open_with(&p, "ext4", "/dev/mapper/" DISK, "", "");
	image_create(&p, "base", SEED, PAGES * PAGE);
	sync();
	guest_open(&g, &p, "g", PAGES);
	image = image_open(&p, "base", O_RDONLY);
	ASSERT_EQ(PAGES / 2 * PAGE, pread(image, g.ram, PAGES / 2 * PAGE, 0));
	disk_table("error");
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "1"));
	/* what is there is there; what was not read gives a plain error */
	EXPECT_TRUE(holds_image(g.ram, SEED, 0, PAGES / 2 * PAGE));
	EXPECT_EQ(-1, pread(image, g.ram, PAGE, PAGES / 2 * PAGE));
	EXPECT_EQ(EIO, errno);
	EXPECT_TRUE(holds_image(g.ram, SEED, 0, PAGE));
	squeeze(&p);
	lost = lost_pages(&g, &right);
	printf("# %d pages lost\n", lost);
	EXPECT_EQ(PAGES / 2, lost);
	EXPECT_TRUE(right);
	EXPECT_EQ(PAGES / 2, counter(&p, "faults_lost"));
	/* and when the disk is well again, so is the guest */
	disk_table("linear");
	EXPECT_TRUE(holds_image(g.ram, SEED, 0, PAGES / 2 * PAGE));
	guest_close(&g);
	close(image);
	EXPECT_TRUE(place_close(&p));
	EXPECT_TRUE(disk_close());
}

/* --- broken memory ------------------------------------------------------- */

/* The page is lost to the machine until it is booted anew. */
#define NEEDS_PAGES_TO_LOSE()						\
	do {								\
		if (getenv("NUMASHARE_GENTLE"))				\
			SKIP(return, "it takes pages from the machine");	\
	} while (0)

TEST_F(memory, broken_memory_under_a_master)
{
	char *ram = self->g.ram;
	uint64_t frame;

	NEEDS_PAGES_TO_LOSE();

	ASSERT_EQ(8 * PAGE, pread(self->image, ram, 8 * PAGE, 0));
	frame = frame_of(ram + 3 * PAGE);
	/* madvise() says that it does not know such a page */
	madvise(ram + 3 * PAGE, PAGE, MADV_HWPOISON);
	ASSERT_EQ(0, madvise(ram, 8 * PAGE, MADV_DONTNEED));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 8 * PAGE));
	EXPECT_NE(frame, frame_of(ram + 3 * PAGE));
	EXPECT_EQ(1, counter(&self->p, "masters_retired"));
	/* a read that finds one copies, and the next one binds */
	madvise(ram + 5 * PAGE, PAGE, MADV_HWPOISON);
	ASSERT_EQ(8 * PAGE, pread(self->image, ram + 8 * PAGE, 8 * PAGE, 0));
	EXPECT_TRUE(holds_image(ram + 8 * PAGE, SEED, 0, 8 * PAGE));
	EXPECT_EQ(2, counter(&self->p, "masters_retired"));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 8 * PAGE));
	ASSERT_EQ(8 * PAGE, pread(self->image, ram + 8 * PAGE, 8 * PAGE, 0));
	EXPECT_EQ(frame_of(ram + 5 * PAGE), frame_of(ram + 13 * PAGE));
}

/* And under a page of the guest's own: the kernel takes care of that one. */
TEST_F(memory, broken_memory_under_a_copy)
{
	char *ram = self->g.ram;

	NEEDS_PAGES_TO_LOSE();

	ASSERT_EQ(8 * PAGE, pread(self->image, ram, 8 * PAGE, 0));
	ram[3 * PAGE] ^= 1;
	signal(SIGBUS, on_bus);
	if (!sigsetjmp(bus, 1)) {
		EXPECT_EQ(0, madvise(ram + 3 * PAGE, PAGE, MADV_HWPOISON));
		*(volatile char *)(ram + 3 * PAGE);
		EXPECT_TRUE(false);
	}
	EXPECT_TRUE(holds_image(ram, SEED, 0, 3 * PAGE));
	EXPECT_TRUE(holds_image(ram + 4 * PAGE, SEED, 4 * PAGE, 4 * PAGE));
	/* read anew it is whole again */
	ASSERT_EQ(8 * PAGE, pread(self->image, ram, 8 * PAGE, 0));
	EXPECT_TRUE(holds_image(ram, SEED, 0, 8 * PAGE));
}

TEST_HARNESS_MAIN
