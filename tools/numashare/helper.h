/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * helper.h - the helper as a thread of another command
 */
#ifndef HELPER_H
#define HELPER_H

#include <pthread.h>
#include <stdbool.h>

#include "numamig.h"

struct helper {
	struct numamig *dev;
	pthread_t thread;
	bool running;
	bool quit;
};

int explain_helper(int err);
int helper_start(struct helper *h);
void helper_stop(struct helper *h);

#endif /* HELPER_H */
