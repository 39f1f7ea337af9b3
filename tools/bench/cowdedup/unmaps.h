/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unmaps.h - what KVM is told of when pages are bound, and what it does
 */
#ifndef UNMAPS_H
#define UNMAPS_H

#include "pages.h"

/* Rows for memory that is cold, populated, and mapped by KVM. */
void unmaps_rows(const struct stage_rows *r, struct pages *p);

#endif /* UNMAPS_H */
