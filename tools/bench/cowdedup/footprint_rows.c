// SPDX-License-Identifier: GPL-2.0-only
/*
 * footprint_rows.c - what was counted of the guests becomes rows
 */
#include <stdio.h>

#include "../../numashare/numashare.h"
#include "footprint.h"

const unsigned int footprint_counts[COUNTS] = { 1, 2, 4, 8 };
const unsigned int footprint_ksm_seconds[KSM_TIMES] = { 1, 10, 60 };
const char *const footprint_arms[ARMS] = {
	"plain", "ksm", "ksm_tuned", "pmem", "cowdedup", "cowdedup_adaptive",
};

double frames_used(const struct point *p)
{
	return p->f.distinct + p->f.cache + p->unseen;
}

double v_over_m(const struct point *p)
{
	return p->t.seen / frames_used(p);
}

static double lower_bound(const struct point *p)
{
	return p->t.blocks + p->t.private_;
}

#define WORK_TEXT	"the same with plain files, net of the bytes copied"
#define WORK_GROSS_TEXT	"the same with plain files"
#define SEEN_TEXT	"pages in use in guests / page frames of the host"

static void row(struct nm_result *result, enum arm arm, const char *name,
		const char *unit, const char *against, const char *better,
		double v)
{
	struct stage_rows r = { result, "", footprint_arms[arm] };

	stage_row(&r, name, unit, against, better, &v, 1);
}

static void add_counts(struct nm_result *result, struct play *pl, enum arm arm,
		       const char *prefix)
{
	char name[64];
	unsigned int at;

	for (at = 0; at < COUNTS; at++) {
		snprintf(name, sizeof(name), "%sv_over_m_%u", prefix,
			 footprint_counts[at]);
		row(result, arm, name, "ratio", SEEN_TEXT, "higher",
		    v_over_m(&pl->point[arm][at]));
	}
}

static double share_of_ideal(struct play *pl, enum arm arm)
{
	struct point *p = &pl->point[arm][COUNTS - 1];

	return (p->t.seen - frames_used(p)) / (p->t.seen - pl->ideal);
}

static void add_shared(struct nm_result *result, struct play *pl,
		       enum arm arm, const char *name)
{
	const struct truth *t = &pl->point[arm][COUNTS - 1].t;

	row(result, arm, name, "share",
	    "pages whose block was read before, by identity", "higher",
	    (double)t->shared / t->shareable);
}

static void add_ours(struct nm_result *result, struct play *pl)
{
	struct point *p = &pl->point[ARM_COWDEDUP][COUNTS - 1];
	const enum arm arm = ARM_COWDEDUP;

	add_shared(result, pl, arm, "shared_at_first_read");
	row(result, arm, "m_over_lower_bound_8", "ratio",
	    "distinct blocks read and private pages", "lower",
	    frames_used(p) / lower_bound(p));
	row(result, arm, "share_of_ideal_8", "share",
	    "what a scan of all contents could save", "higher",
	    share_of_ideal(pl, arm));
	add_counts(result, pl, arm, "");
	row(result, arm, "guest_pages_8", "pages", NULL, "higher", p->t.seen);
	row(result, arm, "frames_8", "pages", NULL, "lower", frames_used(p));
	row(result, arm, "private_pages_8", "pages", NULL, "lower",
	    p->t.private_);
	row(result, arm, "blocks_8", "pages", NULL, "lower", p->t.blocks);
	row(result, arm, "contents_8", "pages", NULL, "lower", pl->ideal);
	row(result, arm, "image_cache_8", "pages", NULL, "lower", p->f.cache);
	row(result, arm, "masters_unseen_8", "pages", NULL, "lower",
	    p->unseen);
	if (pl->flushes >= 0)
		row(result, arm, "kvm_tlb_flushes", "flushes/bound page", NULL,
		    "lower", pl->flushes);
}

/* Disco's E1 and E4, by count; the session is the guest's own part of it. */
static void add_work(struct nm_result *result, struct play *pl)
{
	const struct work *ours = pl->spent[ARM_COWDEDUP];
	const struct work *plain = pl->spent[ARM_PLAIN];
	double own = pl->session.spent;
	unsigned int at, arm;
	char name[64];

	row(result, ARM_PLAIN, "session_instructions", "instr", NULL, "lower",
	    own);
	for (at = 0; at < COUNTS; at++) {
		snprintf(name, sizeof(name), "build_vs_plain_%u",
			 footprint_counts[at]);
		row(result, ARM_COWDEDUP, name, "ratio", WORK_TEXT, "lower",
		    (own + ours[at].net) / (own + plain[at].net));
		snprintf(name, sizeof(name), "build_vs_plain_gross_%u",
			 footprint_counts[at]);
		row(result, ARM_COWDEDUP, name, "ratio", WORK_GROSS_TEXT,
		    "lower", (own + ours[at].gross) / (own + plain[at].gross));
	}
	for (arm = 0; arm < ARMS; arm++)
		for (at = 0; at < COUNTS; at++) {
			snprintf(name, sizeof(name), "guest_instructions_%s_%u",
				 footprint_arms[arm], footprint_counts[at]);
			row(result, arm, name, "instr", NULL, "lower",
			    pl->spent[arm][at].gross);
		}
}

static void add_adaptive(struct nm_result *result, struct play *pl)
{
	struct point *p = &pl->point[ARM_ADAPTIVE][COUNTS - 1];
	const enum arm arm = ARM_ADAPTIVE;

	add_shared(result, pl, arm, "shared_at_first_read_adaptive");
	row(result, arm, "adaptive_m_over_lower_bound_8", "ratio",
	    "distinct blocks read and private pages", "lower",
	    frames_used(p) / lower_bound(p));
	add_counts(result, pl, arm, "adaptive_");
	row(result, arm, "adaptive_copied", "share", "bytes read", "lower",
	    pl->copied);
}

static void add_ksm(struct nm_result *result, struct play *pl, enum arm arm)
{
	const char *prefix = footprint_arms[arm];
	char name[64];
	unsigned int at;

	for (at = 0; at < KSM_TIMES; at++) {
		snprintf(name, sizeof(name), "%s_v_over_m_8_%us", prefix,
			 footprint_ksm_seconds[at]);
		row(result, arm, name, "ratio", SEEN_TEXT, "higher",
		    pl->ksm[arm].at[at]);
	}
	snprintf(name, sizeof(name), "%s_v_over_m_8_converged", prefix);
	row(result, arm, name, "ratio", SEEN_TEXT, "higher",
	    pl->ksm[arm].at[KSM_TIMES]);
	snprintf(name, sizeof(name), "%s_share_of_ideal_8_converged", prefix);
	row(result, arm, name, "share",
	    "what a scan of all contents could save", "higher",
	    share_of_ideal(pl, arm));
	snprintf(name, sizeof(name), "%s_converged_after", prefix);
	row(result, arm, name, "virtual s", NULL, "lower",
	    pl->ksm[arm].seconds);
	snprintf(name, sizeof(name), "%s_full_scans", prefix);
	row(result, arm, name, "passes", NULL, "lower",
	    pl->ksm[arm].work.scans);
	snprintf(name, sizeof(name), "%s_instructions", prefix);
	row(result, arm, name, "instr", NULL, "lower", pl->ksm[arm].work.ns);
}

void footprint_rows(struct nm_result *result, struct play *pl)
{
	char name[64];
	unsigned int arm;

	add_ours(result, pl);
	add_adaptive(result, pl);
	add_work(result, pl);
	add_ksm(result, pl, ARM_KSM);
	add_ksm(result, pl, ARM_KSM_TUNED);
	/* no share that is always there: the measure says 0 here */
	add_shared(result, pl, ARM_PLAIN, "plain_shared_at_first_read");
	add_counts(result, pl, ARM_PLAIN, "plain_");
	add_counts(result, pl, ARM_PMEM, "pmem_");
	for (arm = 0; arm < ARMS; arm++) {
		snprintf(name, sizeof(name), "free_memory_taken_8_%s",
			 footprint_arms[arm]);
		row(result, arm, name, "MiB", NULL, "lower", pl->free[arm]);
	}
}
