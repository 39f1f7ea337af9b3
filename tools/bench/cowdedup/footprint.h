/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * footprint.h - what the guests of the footprint are and what is counted of
 * them
 */
#ifndef FOOTPRINT_H
#define FOOTPRINT_H

#include "frames.h"
#include "ksm.h"
#include "work.h"

#define GUESTS		8u
#define COUNTS		4u
#define KSM_TIMES	3u

/* Of guests; of seconds after which KSM is looked at; names of the arms. */
extern const unsigned int footprint_counts[COUNTS];
extern const unsigned int footprint_ksm_seconds[KSM_TIMES];
extern const char *const footprint_arms[ARMS];

/**
 * struct point - what there is with so many guests, in pages
 * @t: what the guests did
 * @f: what is seen of the host's memory
 * @unseen: masters that no guest has mapped
 */
struct point {
	struct truth t;
	struct frames f;
	size_t unseen;
};

/**
 * struct play - all that the arms share
 * @s: where
 * @session: what guests do
 * @work: folder of what they have for themselves
 * @image: its path, not in @s, so that reading it leaves nothing there
 * @point: results by arm and number of guests
 * @ksm: V / M after a time, and when it makes no more progress; when that was;
 *	what it had done when it began, then the difference
 * @ideal: distinct contents with 8 guests
 * @flushes: of remote TLBs for each page that was bound
 * @spent: instructions of the guests that came last, by arm and number
 * @copied: bytes that were copied with adaptive=on, of all that were read
 * @free: MiB that 8 guests took from the host's free memory
 */
struct play {
	struct stage s;
	struct session session;
	char work[96];
	char image[4096];
	struct guest guest[GUESTS];
	struct guest_plan plan[GUESTS];
	struct point point[ARMS][COUNTS];
	struct {
		double at[KSM_TIMES + 1];
		double seconds;
		struct ksm_work work;
	} ksm[ARMS];
	size_t ideal;
	double flushes;
	struct work spent[ARMS][COUNTS];
	double copied;
	double free[ARMS];
};

double frames_used(const struct point *p);
double v_over_m(const struct point *p);

void footprint_rows(struct nm_result *result, struct play *pl);

#endif /* FOOTPRINT_H */
