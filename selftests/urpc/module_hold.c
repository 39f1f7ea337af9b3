// SPDX-License-Identifier: GPL-2.0-only
/*
 * module_hold - hold a channel open, with some statistics in it, until standard
 * input ends; prints its id
 */
#include <stdio.h>
#include <unistd.h>

#include "module_test.h"

int main(void)
{
	struct chan a, b;
	char c;

	must(chan_pair(&a, &b, 0, 1, 64, URPC_GUARDED), "chan_pair");
	a.tx.own->stats.sent = 5;
	a.tx.own->stats.depth[7] = 7;
	printf("%llu\n", (unsigned long long)a.info.id);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	chan_close(&a);
	chan_close(&b);
	return 0;
}
