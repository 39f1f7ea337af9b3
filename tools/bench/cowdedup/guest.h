/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guest.h - a guest that goes through a session, in a process of its own
 */
#ifndef GUEST_H
#define GUEST_H

#include <sys/types.h>

#include "session.h"
#include "stage.h"
#include "vcpu.h"

#define GUEST_PAGES	16384u
#define IMAGE_NAME	"base.img"

/* How its monitor keeps the guest's memory and reads the image. */
enum arm {
	ARM_PLAIN,		/* anonymous; read(2) by the page cache */
	ARM_KSM,		/* anonymous and mergeable, O_DIRECT */
	ARM_KSM_TUNED,
	ARM_PMEM,		/* the image's page cache is guest memory */
	ARM_COWDEDUP,		/* ram/ and images/ */
	ARM_ADAPTIVE,		/* the same, of a mount with adaptive=on */
	ARMS
};

static inline bool arm_is_cowdedup(enum arm arm)
{
	return arm == ARM_COWDEDUP || arm == ARM_ADAPTIVE;
}

/* What a guest has in a page of its memory. */
enum { STATE_NONE, STATE_PRIVATE, STATE_READ };

/**
 * struct guest_page - the log of one page of a guest's memory
 * @state: what the guest has there now, by what it did
 * @block: 1 + number of the block that it has read there, whole; or 0
 * @frame: page frame just after that, or 0
 */
struct guest_page {
	uint32_t state;
	uint32_t block;
	uint64_t frame;
};

/**
 * struct guest_log - what guest and conductor share
 * @ram: address of the memory in the guest's process
 * @steps: how many it has done
 * @spent: CPU time of guest, monitor, and kernel on their behalf, in ns
 * @ended: it has done all of them
 * @page: the log; of an image that is guest memory there is none
 */
struct guest_log {
	uint64_t ram;
	volatile uint32_t steps;
	uint64_t spent;
	volatile bool ended;
	struct guest_page page[GUEST_PAGES];
};

/**
 * struct guest - a guest under way
 * @pid: of its monitor
 * @hold: closing it ends the process
 * @log: see above
 */
struct guest {
	pid_t pid;
	int hold;
	struct guest_log *log;
};

/**
 * struct guest_plan - what a guest is to do
 * @id: of it
 * @arm: its memory
 * @stage: where images are
 * @work: file with what it will have for itself
 * @step: steps
 * @n: how many, with the last one, VCPU_STEP_END
 * @sum: of what each reads
 * @image_bytes: size of the image
 */
struct guest_plan {
	unsigned int id;
	enum arm arm;
	const struct stage *stage;
	char work[160];
	struct vcpu_step step[VCPU_STEPS_MAX];
	uint32_t n;
	uint32_t sum[VCPU_STEPS_MAX];
	size_t image_bytes;
};

/* From the session: where each block goes, and what comes between. */
const char *guest_plan(struct guest_plan *p, const struct session *s,
		       const char *image);
void guest_start(struct guest *g, const struct guest_plan *p);
/* Wait till it has done its steps; NULL, or why not. */
const char *guest_wait(struct guest *g, const struct guest_plan *p);
void guest_quit(struct guest *g);

#endif /* GUEST_H */
