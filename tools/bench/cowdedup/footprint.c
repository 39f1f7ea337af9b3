// SPDX-License-Identifier: GPL-2.0-only
/*
 * footprint.c - how much memory guests need that read the same image: Disco's
 * figure 6, against KSM and others
 *
 * Guests come until there are 1, 2, 4 and 8, all run the same session, and
 * after each step the host's memory is counted from outside: frames in the
 * monitors' pagemaps, pages of the image in the page cache.  Masters that no
 * guest has mapped any more, as all have written to them, cannot be seen so;
 * the module says how many there are, and they count too.
 *
 * One CPU, one instruction = 1 ns: seconds are those of such a machine, and
 * idle ones cost nothing.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../numashare/numashare.h"
#include "footprint.h"

#define SECOND		1000000000ull
#define KSM_LIMIT	(600 * SECOND)

static struct play play;

/* --- counting --- */

static void count(struct play *pl, enum arm arm, unsigned int at)
{
	struct point *p = &pl->point[arm][at];
	size_t masters;

	truth_count(&p->t, pl->guest, footprint_counts[at]);
	frames_count(&p->f, pl->guest, footprint_counts[at], &pl->s);
	p->unseen = 0;
	/* Of an image that is guest memory there is no log: as the others. */
	if (arm == ARM_PMEM)
		p->t = pl->point[ARM_PLAIN][at].t;
	if (!arm_is_cowdedup(arm))
		return;
	masters = stage_counter(&pl->s, "masters");
	if (masters > p->f.file)
		p->unseen = masters - p->f.file;
}

static double free_mib(void)
{
	char line[128];
	double kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %lf", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib / 1024;
}

/* --- an arm --- */

static const char *start_guests(struct play *pl, enum arm arm,
				unsigned int from, unsigned int to)
{
	const char *why = NULL;
	unsigned int i;

	for (i = from; i < to && !why; i++) {
		pl->plan[i].arm = arm;
		pl->plan[i].id = i;
		pl->plan[i].stage = &pl->s;
		snprintf(pl->plan[i].work, sizeof(pl->plan[i].work),
			 "%s/work.%u", pl->work, i);
		why = guest_plan(&pl->plan[i], &pl->session, pl->image);
	}
	for (i = from; i < to && !why; i++)
		guest_start(&pl->guest[i], &pl->plan[i]);
	for (i = from; i < to && !why; i++)
		why = guest_wait(&pl->guest[i], &pl->plan[i]);
	return why;
}

static void sample_ksm(struct play *pl, enum arm arm, unsigned int at)
{
	count(pl, arm, COUNTS - 1);
	pl->ksm[arm].at[at] = v_over_m(&pl->point[arm][COUNTS - 1]);
}

/*
 * Sample KSM after so many seconds, and when two passes have found nothing
 * more.  What is not reached before that stays as it is then, for the guests do
 * nothing any more.
 */
static void watch_ksm(struct play *pl, enum arm arm)
{
	uint64_t start = nm_now(), now = 0, scans, sharing;
	struct ksm_work *begin = &pl->ksm[arm].work, w;
	unsigned int at = 0;

	ksm_read(&w);
	scans = w.scans;
	sharing = w.sharing;
	while (now < KSM_LIMIT) {
		usleep(100000);
		now = nm_now() - start;
		if (at < KSM_TIMES && now >= footprint_ksm_seconds[at] * SECOND)
			sample_ksm(pl, arm, at++);
		ksm_read(&w);
		if (w.sharing != sharing) {
			sharing = w.sharing;
			scans = w.scans;
		}
		/* the pass under way, and two whole ones */
		if (w.scans >= scans + 3)
			break;
	}
	begin->scans = w.scans - begin->scans;
	begin->ns = w.ns - begin->ns;
	pl->ksm[arm].seconds = now / 1e9;
	for (; at <= KSM_TIMES; at++)
		sample_ksm(pl, arm, at);
}

static void begin_arm(struct play *pl, enum arm arm)
{
	const char *why;

	ksm_read(&pl->ksm[arm].work);
	nm_write_file("/proc/sys/vm/drop_caches", "3");
	pl->free[arm] = free_mib();
	why = arm_is_cowdedup(arm) ?
	      stage_mount(&pl->s, arm == ARM_ADAPTIVE ? ",adaptive=on" : "") :
	      NULL;
	if (why) {
		complain("%s", why);
		exit(FAILED);
	}
	if (arm == ARM_KSM)
		ksm_start(100, 20);
	if (arm == ARM_KSM_TUNED)
		ksm_start(20000, 0);
}

static void end_arm(struct play *pl, enum arm arm)
{
	unsigned int i;

	for (i = 0; i < GUESTS; i++)
		guest_quit(&pl->guest[i]);
	if (arm_is_cowdedup(arm))
		stage_unmount(&pl->s);
	if (arm == ARM_KSM || arm == ARM_KSM_TUNED)
		ksm_stop();
}

/* Flushes of remote TLBs by KVM for each page that was bound. */
static double flushes_a_page(struct play *pl)
{
	double flushes, bound = stage_counter(&pl->s, "pages_bound");

	if (access("/sys/kernel/debug/kvm/remote_tlb_flush", F_OK))
		return -1;
	flushes = nm_read_number("/sys/kernel/debug/kvm/remote_tlb_flush");
	return flushes / bound;
}

static void run_arm(struct play *pl, enum arm arm)
{
	unsigned int at, from = 0;
	struct work_side side;
	const char *why;

	begin_arm(pl, arm);
	for (at = 0; at < COUNTS; from = footprint_counts[at++]) {
		work_begin(&side, &pl->s, arm);
		why = start_guests(pl, arm, from, footprint_counts[at]);
		if (why) {
			complain("%s: %s", footprint_arms[arm], why);
			exit(FAILED);
		}
		work_end(&pl->spent[arm][at], &side, pl->guest + from,
			 pl->plan + from, footprint_counts[at] - from);
		count(pl, arm, at);
	}
	if (arm == ARM_ADAPTIVE)
		pl->copied = (double)stage_counter(&pl->s, "copied_adaptive") /
			     stage_counter(&pl->s, "bytes_read");
	if (arm == ARM_KSM || arm == ARM_KSM_TUNED)
		watch_ksm(pl, arm);
	pl->free[arm] -= free_mib();
	if (arm == ARM_COWDEDUP) {
		pl->flushes = flushes_a_page(pl);
		/* last, for it faults in what is not mapped */
		pl->ideal = contents_count(pl->guest, GUESTS);
	}
	end_arm(pl, arm);
	fprintf(stderr, "cowdedup: %s: 8 guests have %zu pages in %.0f\n",
		footprint_arms[arm], pl->point[arm][COUNTS - 1].t.seen,
		frames_used(&pl->point[arm][COUNTS - 1]));
}

/* --- all of it --- */

/* A file system on a disk of its own, so that the image has a page cache. */
static const char *make_disk(struct play *pl)
{
	char dir[64] = "/tmp/cowdedup-work.XXXXXX", disk[96], cmd[9000];
	const char *why = session_image(pl->image, sizeof(pl->image));
	struct stat st;

	if (why)
		return why;
	if (stat(pl->image, &st) || !mkdtemp(dir) ||
	    mount("work", dir, "tmpfs", 0, "size=90%"))
		return "no tmpfs";
	snprintf(pl->work, sizeof(pl->work), "%s", dir);
	snprintf(disk, sizeof(disk), "%s/disk", dir);
	snprintf(cmd, sizeof(cmd), "/sbin/modprobe -qa loop ext4; "
		 "/sbin/mke2fs -q -t ext4 -F '%s' %lldk >/dev/null",
		 disk, (long long)st.st_size / 1024 * 5 / 4 + 16384);
	if (system(cmd))
		return "mke2fs failed";
	why = stage_open(&pl->s, disk);
	if (why)
		return why;
	snprintf(cmd, sizeof(cmd), "cp '%s' '%s/%s' && sync -f '%s'",
		 pl->image, pl->s.images, IMAGE_NAME, pl->s.images);
	return system(cmd) ? "the image could not be copied" : NULL;
}

/* A look: only the first part of the session. */
static void shorten(struct session *s)
{
	s->n = s->n / 8 + 1;
	s->spent /= 8;
}

static int run(struct nm_result *r, bool quick)
{
	struct vcpu probe;
	const char *why = vcpu_open(&probe);
	unsigned int arm;

	if (!why) {
		vcpu_close(&probe);
		why = ksm_missing();
	}
	if (!why)
		why = make_disk(&play);
	if (!why) {
		fprintf(stderr, "cowdedup: a session, for its requests...\n");
		why = session_run(&play.session, play.image, play.work, GUESTS);
	}
	if (why) {
		complain("%s", why);
		return FAILED;
	}
	if (quick)
		shorten(&play.session);
	for (arm = 0; arm < ARMS; arm++)
		run_arm(&play, arm);
	nm_result_placement(r, "one CPU; image on ext4 on a loop device");
	footprint_rows(r, &play);
	stage_close(&play.s);
	umount2(play.work, MNT_DETACH);
	rmdir(play.work);
	return OK;
}

static const char *const vm_args[] = {
	"--kernel", "6.1", "--icount", "--cpus", "1", "--nodes", "1", "--mem",
	"2560M", "--timeout", "1500", NULL
};

const struct nm_bench nm_bench_cowdedup_footprint = {
	.name = "cowdedup-footprint",
	.summary = "memory of 1 to 8 guests of one image, on 6.1",
	.vm_args = vm_args,
	.hidden = true,
	.run = run,
};
