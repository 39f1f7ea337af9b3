// SPDX-License-Identifier: GPL-2.0-only
/*
 * plan.c - a session becomes the steps of a guest
 *
 * A page cache has a page for each block, in the order of the reads; a block
 * that the session writes to is written to there.  The private pages come in
 * between, in equal parts after each read.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "monitor.h"

/**
 * struct planner - a plan in the making
 * @p: the plan
 * @cached: page of the guest that holds a block, or 0
 * @next: first page that is free; page 0 stays so
 * @work: private pages that are there to be copied
 * @copied: of these, so far
 * @why: why it cannot be made
 */
struct planner {
	struct guest_plan *p;
	uint32_t *cached;
	uint32_t next;
	uint32_t work;
	uint32_t copied;
	const char *why;
};

static void add(struct planner *l, uint32_t what, uint32_t at, uint32_t bytes,
		uint32_t arg)
{
	if (l->p->n == VCPU_STEPS_MAX) {
		l->why = "the session has too many steps";
		return;
	}
	l->p->step[l->p->n++] = (struct vcpu_step){ what, at, bytes, arg };
}

/* Guest-physical address of @n pages that are free. */
static uint32_t take(struct planner *l, uint32_t n)
{
	uint32_t page = l->next;

	if (n > GUEST_PAGES - l->next) {
		l->why = "the session needs more memory than a guest has";
		return 0;
	}
	l->next += n;
	return page * PAGE;
}

static void plan_read(struct planner *l, const struct session_io *io)
{
	uint64_t from = (uint64_t)io->sector * SECTOR;
	uint32_t bytes = io->sectors * SECTOR, at, i;
	uint32_t first = from / PAGE, n = (from % PAGE + bytes + PAGE - 1) /
					  PAGE;

	if (l->p->arm == ARM_PMEM) {
		add(l, VCPU_STEP_READ, MONITOR_IMAGE + from, bytes, io->sector);
		return;
	}
	at = take(l, n);
	for (i = 0; i < n; i++)
		l->cached[first + i] = at / PAGE + i;
	add(l, VCPU_STEP_READ, at + from % PAGE, bytes, io->sector);
}

/* Each block of it is written to, where the guest has it. */
static void plan_write(struct planner *l, const struct session_io *io)
{
	uint32_t first = (uint64_t)io->sector * SECTOR / PAGE, i;
	uint32_t last = ((uint64_t)(io->sector + io->sectors) * SECTOR - 1) /
			PAGE;

	for (i = first; i <= last; i++) {
		uint32_t at = l->cached[i] * PAGE;

		if (!at) {
			at = take(l, 1);
			l->cached[i] = at / PAGE;
			if (l->p->arm == ARM_PMEM)
				add(l, VCPU_STEP_COPY, at, PAGE,
				    MONITOR_IMAGE + i * PAGE);
		}
		add(l, VCPU_STEP_WRITE, at, 4, l->p->id << 24 | l->p->n);
	}
}

/* So many private pages that all are there when all reads are. */
static void plan_work(struct planner *l, size_t done, size_t of)
{
	uint32_t due = (uint64_t)l->work * done / of, n = due - l->copied;

	if (!n)
		return;
	add(l, VCPU_STEP_COPY, take(l, n), n * PAGE,
	    MONITOR_WORK + l->copied * PAGE);
	l->copied = due;
}

static const char *add_up(struct guest_plan *p, const char *image)
{
	static uint32_t buf[(4u << 20) / 4];
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	uint32_t i, w;

	if (fd < 0)
		return "the image cannot be opened";
	for (i = 0; i < p->n; i++) {
		struct vcpu_step *s = &p->step[i];

		p->sum[i] = 0;
		if (s->what != VCPU_STEP_READ)
			continue;
		if (s->bytes > sizeof(buf) ||
		    pread(fd, buf, s->bytes, (off_t)s->arg * SECTOR) !=
			    (ssize_t)s->bytes)
			return "the image cannot be read";
		for (w = 0; w < s->bytes / 4; w++)
			p->sum[i] += buf[w];
	}
	close(fd);
	return NULL;
}

const char *guest_plan(struct guest_plan *p, const struct session *s,
		       const char *image)
{
	struct planner l = { .p = p, .next = 1 };
	struct stat st;
	size_t i;

	p->n = 0;
	if (stat(image, &st))
		return "there is no image";
	p->image_bytes = st.st_size;
	if (stat(p->work, &st))
		return "there is no memory of the compiler";
	l.work = st.st_size / PAGE;
	l.cached = calloc(p->image_bytes / PAGE + 1, sizeof(*l.cached));
	for (i = 0; i < s->n && !l.why; i++) {
		if (s->io[i].write)
			plan_write(&l, &s->io[i]);
		else
			plan_read(&l, &s->io[i]);
		plan_work(&l, i + 1, s->n);
	}
	add(&l, VCPU_STEP_END, 0, 0, 0);
	free(l.cached);
	return l.why ?: add_up(p, image);
}
