// SPDX-License-Identifier: GPL-2.0-only
/*
 * monitor.c - see monitor.h
 *
 * What a guest has in each page is logged as it says that it has done a step,
 * and what it has read is compared with the image by its sum.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../numashare/numashare.h"
#include "monitor.h"

/**
 * struct monitor - a monitor
 * @p: what the guest does
 * @log: what it did
 * @v: its CPU
 * @ram: its memory
 * @image: what its disk is read from, or -1
 * @pagemap: our own
 */
struct monitor {
	const struct guest_plan *p;
	struct guest_log *log;
	struct vcpu v;
	char *ram;
	int image;
	int pagemap;
};

static bool is_ksm(enum arm arm)
{
	return arm == ARM_KSM || arm == ARM_KSM_TUNED;
}

/* --- memory and disk --- */

static void make_memory(struct monitor *m)
{
	size_t bytes = (size_t)GUEST_PAGES * PAGE;
	char name[16];
	int fd = -1;

	snprintf(name, sizeof(name), "vm%u", m->p->id);
	if (arm_is_cowdedup(m->p->arm))
		fd = stage_ram(m->p->stage, name, bytes);
	m->ram = stage_reserve(bytes, PAGE);
	stage_map(m->ram, fd, bytes, false);
	if (is_ksm(m->p->arm) && madvise(m->ram, bytes, MADV_MERGEABLE))
		stage_die("MADV_MERGEABLE");
	m->log->ram = (uintptr_t)m->ram;
	vcpu_memory(&m->v, 1, 0, m->ram, bytes, false);
}

static void map_file(struct monitor *m, int slot, uint32_t at, int fd)
{
	struct stat st;
	void *mem;
	size_t bytes;

	if (fstat(fd, &st))
		stage_die("fstat");
	bytes = (st.st_size + PAGE - 1) & ~(PAGE - 1);
	mem = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		stage_die("mmap");
	vcpu_memory(&m->v, slot, at, mem, bytes, true);
}

static void open_image(struct monitor *m)
{
	int work = open(m->p->work, O_RDONLY | O_CLOEXEC);

	if (work < 0)
		stage_die(m->p->work);
	map_file(m, 2, MONITOR_WORK, work);
	if (arm_is_cowdedup(m->p->arm)) {
		m->image = stage_image(m->p->stage, IMAGE_NAME);
		return;
	}
	m->image = stage_below(m->p->stage, IMAGE_NAME,
			       O_RDONLY | (is_ksm(m->p->arm) ? O_DIRECT : 0));
	if (m->p->arm == ARM_PMEM)
		map_file(m, 3, MONITOR_IMAGE, m->image);
}

/* --- steps --- */

/* Of this process, wherever it runs: here, in the kernel or in the guest. */
static uint64_t cpu_time(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t))
		stage_die("CLOCK_PROCESS_CPUTIME_ID");
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int go(struct monitor *m, uint32_t *value)
{
	uint64_t t = cpu_time();
	int port = vcpu_go(&m->v, value);

	m->log->spent += cpu_time() - t;
	return port;
}

static void do_read(struct monitor *m, const struct vcpu_step *s)
{
	uint64_t t = cpu_time();
	ssize_t got;

	if (m->p->arm == ARM_PMEM)
		return;
	got = pread(m->image, m->ram + s->at, s->bytes,
		    (off_t)s->arg * SECTOR);
	m->log->spent += cpu_time() - t;
	if (got == (ssize_t)s->bytes)
		return;
	if (got >= 0)
		errno = EIO;
	stage_die("read of the image");
}

static void log_frames(struct monitor *m, uint32_t first, uint32_t n)
{
	uint64_t entry, at = (uintptr_t)m->ram / PAGE;
	uint32_t i;

	for (i = first; i < first + n; i++)
		if (pread(m->pagemap, &entry, 8, (at + i) * 8) == 8 &&
		    entry >> 63)
			m->log->page[i].frame = entry & ((1ull << 55) - 1);
}

/* Whole blocks in whole pages are blocks; what is less is the guest's own. */
static void log_read(struct monitor *m, const struct vcpu_step *s)
{
	uint32_t first = s->at / PAGE, i, block = s->arg / (PAGE / SECTOR);
	uint32_t n = (s->at % PAGE + s->bytes + PAGE - 1) / PAGE;
	uint32_t end = s->at + s->bytes;

	if (m->p->arm == ARM_PMEM)
		return;
	for (i = first; i < first + n; i++) {
		bool whole = i * PAGE >= s->at && (i + 1) * PAGE <= end;

		m->log->page[i].state = whole ? STATE_READ : STATE_PRIVATE;
		m->log->page[i].block = whole ? 1 + block + i - first : 0;
	}
	log_frames(m, first, n);
}

static void log_private(struct monitor *m, const struct vcpu_step *s)
{
	uint32_t i, n = (s->bytes + PAGE - 1) / PAGE;

	for (i = 0; i < n; i++)
		m->log->page[s->at / PAGE + i].state = STATE_PRIVATE;
}

static void done(struct monitor *m, uint32_t sum)
{
	uint32_t i = m->log->steps;

	if (sum != m->p->sum[i]) {
		complain("guest %u: what it has read is not the image (step %u)",
			 m->p->id, i);
		exit(FAILED);
	}
	if (m->p->step[i].what == VCPU_STEP_READ)
		log_read(m, &m->p->step[i]);
	else
		log_private(m, &m->p->step[i]);
	m->log->steps++;
}

void monitor_run(const struct guest_plan *p, struct guest_log *log)
{
	struct monitor m = { .p = p, .log = log };
	const char *why = vcpu_open(&m.v);
	uint32_t value;
	int port;

	if (why) {
		complain("%s", why);
		exit(FAILED);
	}
	m.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (m.pagemap < 0)
		stage_die("pagemap");
	make_memory(&m);
	open_image(&m);
	memcpy(m.v.code + VCPU_STEPS_AT, p->step, p->n * sizeof(*p->step));
	vcpu_begin(&m.v, vcpu_steps, VCPU_CODE + VCPU_STEPS_AT, 0);
	while ((port = go(&m, &value)) != 0) {
		if (port == VCPU_PORT_READ)
			do_read(&m, &p->step[log->steps]);
		else
			done(&m, value);
	}
	log->ended = true;
}
