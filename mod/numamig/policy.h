/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy.h - which pages should move, and when it is worth acting at all
 */
#ifndef NUMAMIG_POLICY_H
#define NUMAMIG_POLICY_H

#include "hot.h"

/**
 * struct nm_policy - the thresholds; defaults and their sources
 * @local_share_low: percent; act when a target's local share falls below.
 *	80, Carrefour's MAX_LOCALITY_MIGRATION
 * @local_share_high: percent; having started, act until it is reached over
 *	NM_DONE_SAMPLES.  99: a target would else stop at 80 % (ours)
 * @min_samples: remote samples before a page may move.  2, Carrefour and
 *	pghot
 * @block_samples: samples before a block of 512 pages may move as one.  8
 * @block_spread: in how many 64ths of the block they have to lie.  4
 * @region_samples: samples of a region (16 neighbouring blocks) before it
 *	speaks for those of its blocks that have too few of their own.  32
 * @region_spread: in how many 64ths of its blocks they have to lie.  24: of 32
 *	samples of memory that is used evenly, 31 lie in different ones
 * @hysteresis: percent by which the accesses of the new node have to exceed
 *	those of all others.  133: AutoNUMA's 3/4 rule
 * @block_hysteresis: the same for a block and for a region.  300: of 8 samples
 *	of a block that two nodes use evenly, 7 or 8 come from the one node
 *	where it is not in 3.5 % of the cases (binomial); at 133 it would be
 *	36 %.  Of 32 samples of a region, 25 and more come from one of the two
 *	in 0.2 %
 * @bounce_windows: windows before the same page may be ordered again.  8
 * @effect_percent: percent of the accesses to moved pages that have to be
 *	local afterwards, else the target's orders back off.  60
 * @backoff_ms: first back-off; doubles up to 60 s.  5000
 * @rate_mib: MiB per second that may be ordered.  1024
 * @sampler_permille: share of the target's CPU time that sampling may take,
 *	in thousandths.  30 (MEMTIS)
 * @period_ns: the shortest sampling period, nanoseconds of CPU time.  250000
 */
struct nm_policy {
	u32 local_share_low;
	u32 local_share_high;
	u32 min_samples;
	u32 block_samples;
	u32 block_spread;
	u32 region_samples;
	u32 region_spread;
	u32 hysteresis;
	u32 block_hysteresis;
	u32 bounce_windows;
	u32 effect_percent;
	u32 backoff_ms;
	u32 rate_mib;
	u32 sampler_permille;
	u32 period_ns;
};

extern const struct nm_policy nm_policy_defaults;

#define NM_BACKOFF_MAX_MS	60000
/* A share is taken from at least so many samples. */
#define NM_SHARE_SAMPLES	64
#define NM_DONE_SAMPLES		1024
#define NM_EFFECT_SAMPLES	32
#define NM_EFFECT_STRIKES	3

/**
 * struct nm_gate - one target's switch
 * @acting: orders may be issued
 * @share: local share of the last complete share period in thousandths, -1
 *	before the first
 * @local: local samples of the running share period
 * @remote: remote ones
 * @long_local: local samples since it was last asked whether all is done
 * @long_remote: remote ones
 * @after_local: local samples on pages that were moved
 * @after_remote: remote ones
 * @strikes: effect checks that failed in a row
 * @backoff_ms: length of the last back-off, 0 when the last check passed
 * @quiet_until: no orders before that time (milliseconds)
 */
struct nm_gate {
	bool acting;
	s32 share;
	u32 local;
	u32 remote;
	u32 long_local;
	u32 long_remote;
	u32 after_local;
	u32 after_remote;
	u32 strikes;
	u32 backoff_ms;
	u64 quiet_until;
};

/**
 * struct nm_bucket - token bucket in pages
 * @tokens: what may be ordered now
 * @last_ms: when it was last filled
 * @rest: thousandths of a page that are owed
 */
struct nm_bucket {
	u64 tokens;
	u64 last_ms;
	u32 rest;
};

/**
 * struct nm_advice - a page or block that should move
 * @entry: its number in the table
 * @node: dense number of the destination
 * @by_region: its region spoke for it
 */
struct nm_advice {
	u32 entry;
	u32 node;
	bool by_region;
};

void nm_gate_init(struct nm_gate *g);
void nm_gate_sample(struct nm_gate *g, const struct nm_hot_entry *page,
		    const struct nm_hot_entry *block, s16 node, s16 home,
		    u32 window);
bool nm_gate_window(const struct nm_policy *p, struct nm_gate *g, u64 now_ms);
u32 nm_policy_advise(const struct nm_policy *p, struct nm_hot *h, u32 window,
		     struct nm_advice *advice, u32 max, u64 *pages);
void nm_bucket_init(const struct nm_policy *p, struct nm_bucket *b, u64 now_ms);
void nm_bucket_fill(const struct nm_policy *p, struct nm_bucket *b,
		    u64 now_ms);
u32 nm_policy_period(const struct nm_policy *p, u32 period, u64 cpu_ns,
		     u64 spent_ns);

#endif /* NUMAMIG_POLICY_H */
