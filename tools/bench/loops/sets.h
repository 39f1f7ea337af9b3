/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sets.h - the two sets of loops
 */
#ifndef LOOP_SETS_H
#define LOOP_SETS_H

#include "loops.h"

extern const struct loop loops_dev[], loops_heldout[];
extern const unsigned int loops_dev_count, loops_heldout_count;

#endif /* LOOP_SETS_H */
