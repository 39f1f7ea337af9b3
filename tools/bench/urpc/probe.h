/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe.h - what a cache line takes from one CPU to the other
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct probe - one way, in ticks
 * @plain: the best of the ways that poll with plain loads
 * @any: the best of all ways, those with locked instructions too
 * @ring: the best with a line a direction
 * @slot: the best with one line for both, polled by locked instructions
 * @likewise: 16 lines a direction, plain loads, PAUSE: what a ring does
 */
struct probe {
	double plain;
	double any;
	double ring;
	double slot;
	double likewise;
};

/* All the ways; about 5 ms. */
void probe_latency(struct probe *p);

/* The best that lines can be streamed, in lines a 1000 ticks; 1024 or less. */
double probe_stream(void);

#endif /* PROBE_H */
