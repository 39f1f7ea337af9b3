// SPDX-License-Identifier: LGPL-2.1-only
/*
 * calibrate.c - what waking costs, and which way of polling is best
 *
 * Both depend on the machine and on where the two CPUs are, so they are
 * measured rather than known: the first when the first channel needs it, the
 * second when asked for.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* --- what a sleep and a wake cost ---------------------------------------- */

#define WAKE_ROUNDS	40
#define WAKE_LIMIT_NS	(20 * 1000000ll)
/* When it cannot be measured: what it takes on most machines, roughly. */
#define WAKE_DEFAULT_NS	10000

static int start_thread(pthread_t *t, const pthread_attr_t *attr,
			void *(*work)(void *), void *arg)
{
	sigset_t all, before;
	int ret;

	/* signals are the program's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(t, attr, work, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

/* On CPU @cpu, or anywhere when it is negative. */
static int start_on(int cpu, pthread_t *t, void *(*work)(void *), void *arg)
{
	pthread_attr_t attr;
	cpu_set_t set;
	int ret = 0;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET(cpu, &set);
	pthread_attr_init(&attr);
	if (cpu >= 0)
		ret = -pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	if (!ret)
		ret = start_thread(t, &attr, work, arg);
	pthread_attr_destroy(&attr);
	return ret;
}

/* Two that this thread may run on, if there are two. */
static void two_cpus(int cpu[2])
{
	cpu_set_t allowed;
	int i, n = 0, found[2];

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	for (i = 0; i < CPU_SETSIZE && n < 2; i++)
		if (CPU_ISSET(i, &allowed))
			found[n++] = i;
	if (n < 2)
		return;
	cpu[0] = found[0];
	cpu[1] = found[1];
}

/**
 * struct waking - two threads that wake each other
 * @c: the two ends of a channel whose sides never poll
 * @ns: out
 */
struct waking {
	struct urpc_channel *c[2];
	int64_t ns;
};

static void *echo(void *arg)
{
	struct waking *w = arg;
	uint64_t word[URPC_SLOT_WORDS];

	while (!urpc_recv(w->c[1], NULL, word) &&
	       !urpc_send(w->c[1], 0, word))
		;
	return NULL;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Median of some round trips in which both sides sleep, halved. */
static int64_t one_way(struct urpc_channel *c)
{
	uint64_t word[URPC_SLOT_WORDS] = { 0 };
	int64_t t[WAKE_ROUNDS], began = ul_now(), from = began, to;
	unsigned int n;

	for (n = 0; n < WAKE_ROUNDS && from - began < WAKE_LIMIT_NS; n++) {
		if (urpc_send(c, 0, word) || urpc_recv(c, NULL, word))
			break;
		to = ul_now();
		t[n] = to - from;
		from = to;
	}
	if (!n)
		return WAKE_DEFAULT_NS;
	qsort(t, n, sizeof(t[0]), compare);
	return t[n / 2] / 2 + 1;
}

/* What falling asleep takes, which the round trip hides: time is up at once. */
static int64_t fall_asleep(struct urpc_channel *c)
{
	uint64_t word[URPC_SLOT_WORDS];
	int64_t best = WAKE_LIMIT_NS, t;
	unsigned int n;

	for (n = 0; n < WAKE_ROUNDS / 4; n++) {
		t = ul_now();
		urpc_recv_timed(c, NULL, word, 1);
		t = ul_now() - t;
		if (t < best)
			best = t;
	}
	return best;
}

static void *time_waking(void *arg)
{
	struct waking *w = arg;

	w->ns = one_way(w->c[0]) + fall_asleep(w->c[0]);
	return NULL;
}

/* On two CPUs when there are two: waking another one is dearer. */
static int64_t measure_wake(const struct urpc_backend_ops *ops)
{
	const struct urpc_channel_attr attr = { .slots = 16, .poll_ns = -1 };
	struct waking w = { .ns = WAKE_DEFAULT_NS };
	int cpu[2] = { -1, -1 };
	pthread_t a, b;

	if (ul_channel_pair(ops, &attr, w.c))
		return WAKE_DEFAULT_NS;
	two_cpus(cpu);
	if (!start_on(cpu[1], &b, echo, &w)) {
		if (!start_on(cpu[0], &a, time_waking, &w))
			pthread_join(a, NULL);
		/* the echo ends when nobody is there any more */
		urpc_close(w.c[0]);
		w.c[0] = NULL;
		pthread_join(b, NULL);
	}
	urpc_close(w.c[0]);
	urpc_close(w.c[1]);
	return w.ns;
}

/* No lock, which a child could inherit: two threads may measure at once. */
int64_t ul_wake_cost_of(const struct urpc_backend_ops *ops)
{
	static int64_t known[2];
	int64_t *cost = &known[ops == &urpc_module_ops];
	const char *given = secure_getenv("URPC_WAKE_COST_NS");
	int64_t ns = given ? atoll(given) : 0;

	if (ns > 0)
		return ns;
	ns = urpc_load(cost);
	if (!ns) {
		ns = measure_wake(ops);
		urpc_store(cost, ns);
	}
	return ns;
}

int64_t urpc_wake_cost_ns(void)
{
	const struct urpc_backend_ops *ops;
	int ret = ul_backend_choose(&ops);

	return ret ? ret : ul_wake_cost_of(ops);
}

/* --- which way of polling is best ---------------------------------------- */

/*
 * Plain loads of a ring are inlined where messages are received, the others
 * are not, which takes back a part of what they save.
 */
#define RING_BETTER	0.7
#define ONE_LINE_BETTER	0.95
#define PROBE_ROUNDS	200
#define PROBE_BATCHES	8
#define PROBE_LIMIT_NS	(10 * 1000000ll)

/*
 * Of each direction, used in turn as in a ring: a line that goes back and forth
 * costs something else.
 */
#define PROBE_LINES	16

struct line {
	struct urpc_slot slot URPC_ALIGNED;
};

/**
 * struct probe - two threads and lines of two directions
 * @there: written by the one that measures
 * @back: by the other
 * @stop: the measuring thread has ended
 * @mode: how both look
 * @one_line: there is one line, for both directions
 * @ns: out: one way
 */
struct probe {
	struct line there[PROBE_LINES];
	struct line back[PROBE_LINES];
	struct line stop;
	enum urpc_poll_mode mode;
	bool one_line;
	double ns;
};

/* Questions have odd numbers, answers even ones. */
static struct urpc_slot *slot_of(struct probe *p, uint64_t n)
{
	struct line *ring = n % 2 ? p->there : p->back;

	return p->one_line ? &p->there[0].slot :
			     &ring[n / 2 % PROBE_LINES].slot;
}

/* A whole line, as a message is: the poller may take it away half written. */
static void put(struct probe *p, uint64_t n)
{
	const uint64_t word[URPC_SLOT_WORDS] = { n, n, n, n, n, n, n };
	struct urpc_slot *s = slot_of(p, n);

	__urpc_fill(s, word);
	urpc_store_release(&s->ctl, n);
}

static bool await(struct probe *p, uint64_t n)
{
	__u64 *ctl = &slot_of(p, n)->ctl;

	while (ul_look_at(ctl, p->mode) != n) {
		if (urpc_load(&p->stop.slot.ctl))
			return false;
		ul_look_pause(p->mode);
	}
	return true;
}

static void *answer(void *arg)
{
	struct probe *p = arg;
	uint64_t n;

	for (n = 1; await(p, n); n += 2)
		put(p, n + 1);
	return NULL;
}

static void *ask(void *arg)
{
	struct probe *p = arg;
	int64_t began = ul_now(), from = began, to;
	double best = 1e18;
	uint64_t n = 1;
	unsigned int i, k;

	for (k = 0; k < PROBE_BATCHES && from - began < PROBE_LIMIT_NS; k++) {
		for (i = 0; i < PROBE_ROUNDS; i++, n += 2) {
			put(p, n);
			await(p, n + 1);
		}
		to = ul_now();
		if ((double)(to - from) < best)
			best = (double)(to - from);
		from = to;
	}
	urpc_store_release(&p->stop.slot.ctl, 1);
	p->ns = best / PROBE_ROUNDS / 2;
	return NULL;
}

static int run_probe(unsigned int cpu, unsigned int peer_cpu,
		     enum urpc_poll_mode mode, bool one_line, double *ns)
{
	struct probe p = { .mode = mode, .one_line = one_line };
	pthread_t a, b;
	int ret;

	ret = start_on((int)peer_cpu, &b, answer, &p);
	if (ret)
		return ret;
	ret = start_on((int)cpu, &a, ask, &p);
	if (ret)
		urpc_store_release(&p.stop.slot.ctl, 1);
	else
		pthread_join(a, NULL);
	pthread_join(b, NULL);
	*ns = p.ns;
	return ret;
}

/* Plain loads, unless another way takes less than @better of their time. */
static enum urpc_poll_mode best_of(const double *ns, double better)
{
	enum urpc_poll_mode best = URPC_POLL_LOAD;
	double least = better * ns[URPC_POLL_LOAD];
	unsigned int m;

	for (m = 1; m < URPC_POLL_MODES; m++) {
		if (ns[m] >= least)
			continue;
		best = (enum urpc_poll_mode)m;
		least = ns[m];
	}
	return best;
}

int urpc_calibrate(unsigned int cpu, unsigned int peer_cpu,
		   struct urpc_calibration *result)
{
	cpu_set_t allowed;
	unsigned int m;
	int ret = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -errno;
	if (cpu == peer_cpu || cpu >= CPU_SETSIZE || peer_cpu >= CPU_SETSIZE ||
	    !CPU_ISSET(cpu, &allowed) || !CPU_ISSET(peer_cpu, &allowed))
		return -EINVAL;
	for (m = 0; m < URPC_POLL_MODES && !ret; m++) {
		ret = run_probe(cpu, peer_cpu, (enum urpc_poll_mode)m, false,
				&result->ns[m]);
		if (!ret)
			ret = run_probe(cpu, peer_cpu, (enum urpc_poll_mode)m,
					true, &result->one_line_ns[m]);
	}
	if (ret)
		return ret;
	result->best = best_of(result->ns, RING_BETTER);
	result->one_line_best = best_of(result->one_line_ns,
					ONE_LINE_BETTER);
	return 0;
}
