// SPDX-License-Identifier: GPL-2.0-only
/*
 * rig.c - two threads on two CPUs, and a clock for what goes between them
 *
 * The threads are there from the start and sleep in between, so that no thread
 * creation is near a measurement.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../bench.h"
#include "rig.h"

int rig_cpu[2];

static bool realtime;
static bool busy;
static double ticks_per_ns;

/**
 * struct side - one of the two threads
 * @go: there is something to run
 * @done: it ran
 */
static struct side {
	pthread_t thread;
	pthread_t spinner;
	sem_t go;
	sem_t done;
	uint64_t (*run)(void *arg);
	void *arg;
	uint64_t result;
} sides[2];

static unsigned int arrived;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void rank(bool high)
{
	const struct sched_param p = { .sched_priority = high ? 50 : 0 };

	/* refused without the right to: noisier, still true */
	pthread_setschedparam(pthread_self(), high ? SCHED_FIFO : SCHED_OTHER,
			      &p);
}

/* Both go on when both are here. */
static void meet(void)
{
	__atomic_fetch_add(&arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) % 2)
		sched_yield();
}

static void *work(void *arg)
{
	struct side *s = arg;

	pin(rig_cpu[s - sides]);
	for (;;) {
		while (sem_wait(&s->go))
			;
		rank(realtime);
		meet();
		s->result = s->run(s->arg);
		rank(false);
		sem_post(&s->done);
	}
	return NULL;
}

static void *spin(void *arg)
{
	const struct sched_param p = { 0 };
	struct side *s = arg;

	pin(rig_cpu[s - sides]);
	pthread_setschedparam(pthread_self(), SCHED_IDLE, &p);
	while (__atomic_load_n(&busy, __ATOMIC_RELAXED))
		;
	return NULL;
}

void rig_busy(bool on)
{
	int i;

	__atomic_store_n(&busy, on, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		if (on)
			pthread_create(&sides[i].spinner, NULL, spin,
				       &sides[i]);
		else
			pthread_join(sides[i].spinner, NULL);
}

void rig_realtime(bool on)
{
	realtime = on;
}

void rig_run(uint64_t (*const side[2])(void *arg), void *arg,
	     uint64_t result[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		sides[i].run = side[i];
		sides[i].arg = arg;
		sem_post(&sides[i].go);
	}
	for (i = 0; i < 2; i++) {
		while (sem_wait(&sides[i].done))
			;
		result[i] = sides[i].result;
	}
}

double rig_ticks_per_ns(void)
{
	return ticks_per_ns;
}

static void measure_clock(void)
{
	uint64_t ns = nm_now(), t = rig_ticks();

	while (nm_now() - ns < 20000000)
		;
	ticks_per_ns = (double)(rig_ticks() - t) / (double)(nm_now() - ns);
}

static int choose_cpus(void)
{
	cpu_set_t allowed;
	int i, n = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return 0;
	for (i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &allowed))
			rig_cpu[n++] = i;
	return n;
}

const char *rig_begin(void)
{
	int i;

	if (choose_cpus() < 2)
		return "there is only one CPU";
	measure_clock();
	for (i = 0; i < 2; i++) {
		sem_init(&sides[i].go, 0, 0);
		sem_init(&sides[i].done, 0, 0);
		if (pthread_create(&sides[i].thread, NULL, work, &sides[i]))
			return "no thread could be made";
	}
	return "";
}
