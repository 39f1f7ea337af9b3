/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * numamig_compat.h - kernel differences that numamig meets
 *
 * The modules are written for the newest kernel; here older ones are made to
 * look like it.  HAVE_* comes from features.h, which probe.sh makes from the
 * headers the module is built against.
 */
#ifndef NUMAMIG_COMPAT_H
#define NUMAMIG_COMPAT_H

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/pgtable.h>

#include "features.h"

/* 6.16: the low bits of folio->mapping were renamed, 0x2 no longer occurs. */
#ifdef FOLIO_MAPPING_ANON
#define NM_MAPPING_ANON		FOLIO_MAPPING_ANON
#define NM_MAPPING_KSM		FOLIO_MAPPING_KSM
#define NM_MAPPING_FLAGS	FOLIO_MAPPING_FLAGS
#else
#define NM_MAPPING_ANON		PAGE_MAPPING_ANON
#define NM_MAPPING_KSM		PAGE_MAPPING_KSM
#define NM_MAPPING_FLAGS	PAGE_MAPPING_FLAGS
#endif

static inline bool nm_mapping_is_ksm(unsigned long mapping)
{
	return (mapping & NM_MAPPING_FLAGS) == NM_MAPPING_KSM;
}

static inline bool nm_mapping_is_anon(unsigned long mapping)
{
	return (mapping & NM_MAPPING_FLAGS) == NM_MAPPING_ANON;
}

/* Neither anonymous nor a file: pages of balloon, zsmalloc and the like. */
static inline bool nm_mapping_is_movable_ops(unsigned long mapping)
{
	return mapping & NM_MAPPING_FLAGS;
}

/* 6.14: the array form of the bulk allocator lost "_array" in its name. */
static inline unsigned long nm_alloc_pages_bulk(gfp_t gfp, int node,
						unsigned long nr,
						struct page **pages)
{
#ifdef HAVE_ALLOC_PAGES_BULK_ARRAY_NODE
	return alloc_pages_bulk_array_node(gfp, node, nr, pages);
#else
	return alloc_pages_bulk_node(gfp, node, nr, pages);
#endif
}

#endif /* NUMAMIG_COMPAT_H */
