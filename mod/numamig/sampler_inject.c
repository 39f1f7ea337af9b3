// SPDX-License-Identifier: GPL-2.0-only
/*
 * sampler_inject.c - no source of its own: only what NUMAMIG_INJECT hands in
 *
 * Targets are followed, their threads carry no event.  Injected samples are
 * accepted with every other sampler as well; this one makes them the only
 * ones, for recorded traces and for tests with a known truth.
 */
#include "internal.h"

static int inject_available(void)
{
	return 0;
}

const struct nm_sampler nm_sampler_inject = {
	.name = "inject",
	.id = NUMAMIG_SAMPLER_INJECT,
	.available = inject_available,
};
