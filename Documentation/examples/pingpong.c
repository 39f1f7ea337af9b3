/* SPDX-License-Identifier: GPL-2.0-only */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <urpc.h>

static uint64_t ball[2][URPC_SLOT_WORDS];

static void *pong(void *channel)	/* a thread; it may be a process, too */
{
	sched_setaffinity(0, sizeof(cpu_set_t), &(cpu_set_t){ { 1ul << 1 } });
	while (!urpc_recv(channel, NULL, ball[1]))
		urpc_send(channel, 0, ball[1]);
	return NULL;
}

int main(void)
{
	struct urpc_channel *c[2];
	pthread_t thread;

	if (urpc_pair(NULL, c) || pthread_create(&thread, NULL, pong, c[1]))
		return 1;
	sched_setaffinity(0, sizeof(cpu_set_t), &(cpu_set_t){ { 1ul << 0 } });
	for (ball[0][0] = 0; ball[0][0] < 1000000; ball[0][0]++)
		if (urpc_send(c[0], 0, ball[0]) ||
		    urpc_recv(c[0], NULL, ball[0]))
			return 1;
	urpc_close(c[0]);		/* pong's urpc_recv() returns -EPIPE */
	pthread_join(thread, NULL);
	return printf("%s: a million times\n", urpc_backend()) < 0;
}
