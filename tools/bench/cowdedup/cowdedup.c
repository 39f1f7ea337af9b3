// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowdedup.c - numashare bench cowdedup: its parts, each in a machine of its
 * own
 */
#include <stdio.h>

#include "../../numashare/numashare.h"
#include "../bench.h"
#include "session.h"

#define NO_MACHINE "the virtual machine could not be run, or has no cowdedup: tools/vm/run -- true says why"
#define NO_612 "no machine with 6.12, or cowdedup is not built for it: make KVER=..."

struct wanted {
	const char *name;
	const char *unit;
	const char *better;
};

/* What must be there, if only to say why it is not. */
static const struct wanted counted[] = {
	{ "cold_bind_touch_vs_mmap_1", "ratio", "lower" },
	{ "cold_bind_touch_vs_mmap_8", "ratio", "lower" },
	{ "cold_bind_touch_vs_mmap_32", "ratio", "lower" },
	{ "cold_bind_touch_vs_mmap_256", "ratio", "lower" },
	{ "populated_bind_touch_vs_mmap_1", "ratio", "lower" },
	{ "populated_bind_touch_vs_mmap_8", "ratio", "lower" },
	{ "populated_bind_touch_vs_mmap_32", "ratio", "lower" },
	{ "populated_bind_touch_vs_mmap_256", "ratio", "lower" },
	{ "bind_touch_vs_copy_1", "ratio", "lower" },
	{ "bind_touch_vs_copy_8", "ratio", "lower" },
	{ "bind_touch_vs_copy_32", "ratio", "lower" },
	{ "bind_touch_vs_copy_256", "ratio", "lower" },
	{ "cold_bind_touch_vs_mmap_64", "ratio", "lower" },
	{ "populated_bind_touch_vs_mmap_64", "ratio", "lower" },
	{ "bind_touch_vs_copy_64", "ratio", "lower" },
	{ "kvm_unmaps_cold_256", "calls/bound page", "lower" },
	{ "kvm_unmaps_mapped_256", "calls/bound page", "lower" },
	{ "kvm_flushes_cold_256", "requests/bound page", "lower" },
	{ "kvm_flushes_mapped_256", "requests/bound page", "lower" },
	{ "cow_private_vs_kernel", "ratio", "lower" },
	{ "cow_shared_vs_kernel", "ratio", "lower" },
	{ NULL }
}, counted_612[] = {
	{ "cold_bind_touch_vs_mmap_8_on_6.12", "ratio", "lower" },
	{ "cold_bind_touch_vs_mmap_32_on_6.12", "ratio", "lower" },
	{ "cold_bind_touch_vs_mmap_256_on_6.12", "ratio", "lower" },
	{ "populated_bind_touch_vs_mmap_8_on_6.12", "ratio", "lower" },
	{ "populated_bind_touch_vs_mmap_32_on_6.12", "ratio", "lower" },
	{ "populated_bind_touch_vs_mmap_256_on_6.12", "ratio", "lower" },
	{ NULL }
}, footprint[] = {
	{ "shared_at_first_read", "share", "higher" },
	{ "shared_at_first_read_adaptive", "share", "higher" },
	{ "build_vs_plain_1", "ratio", "lower" },
	{ "build_vs_plain_2", "ratio", "lower" },
	{ "build_vs_plain_4", "ratio", "lower" },
	{ "build_vs_plain_8", "ratio", "lower" },
	{ "m_over_lower_bound_8", "ratio", "lower" },
	{ "share_of_ideal_8", "share", "higher" },
	{ "v_over_m_1", "ratio", "higher" },
	{ "v_over_m_2", "ratio", "higher" },
	{ "v_over_m_4", "ratio", "higher" },
	{ "v_over_m_8", "ratio", "higher" },
	{ "ksm_v_over_m_8_1s", "ratio", "higher" },
	{ "ksm_v_over_m_8_10s", "ratio", "higher" },
	{ "ksm_v_over_m_8_60s", "ratio", "higher" },
	{ NULL }
};

static void merge(struct nm_result *r, const char *bench, bool quick,
		  const struct wanted *w, const char *why)
{
	fprintf(stderr, "cowdedup: %s, in the virtual machine...\n", bench);
	if (nm_result_merge(r, bench, quick))
		return;
	for (; w->name; w++)
		nm_result_null(r, &(struct nm_row) { w->name, w->unit, NULL,
			w->better, "private" }, why);
}

/* Here, where it takes a second; what has none of it makes it itself. */
static void make_image(void)
{
	char path[4096];
	const char *why = session_image(path, sizeof(path));

	if (why)
		complain("%s", why);
}

static const char *const notes[] = {
	"QEMU counts each byte of a string instruction: a copied or cleared page counts 4,096 instructions more than on hardware. Ratios to copies are net of that unless they are called gross.",
	"Instructions are not time: a fault takes longer than its instructions, a copy less long than its bytes.",
	"Disco, figure 6, eight guests: V 77 MB, M 38 MB, V/M 2.03; four 51/33 = 1.55, two 36/29 = 1.24, one 27/27 = 1.",
	"adaptive: a mount with adaptive=on; it chooses by instructions here, of which a copy has 4,096 more than on hardware.",
	"pmem: the guest's disk is the image's page cache, mapped as its memory, as virtio-pmem with a DAX file system gives it; the guest has to be set up for that.",
	"ksm: 100 pages every 20 ms, ksm_tuned: 20,000 without a rest, from before the guests start; seconds are those after the last read, of a machine with an instruction a ns.",
};

static int run(struct nm_result *r, bool quick)
{
	size_t i;

	merge(r, "cowdedup-counted", quick, counted, NO_MACHINE);
	merge(r, "cowdedup-counted-6.12", quick, counted_612, NO_612);
	make_image();
	merge(r, "cowdedup-footprint", quick, footprint, NO_MACHINE);
	for (i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		nm_result_note(r, notes[i]);
	return OK;
}

const struct nm_bench nm_bench_cowdedup = {
	.name = "cowdedup",
	.summary = "sharing what guests read, against KSM, mmap and copies",
	.run = run,
};
