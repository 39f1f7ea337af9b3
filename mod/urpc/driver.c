// SPDX-License-Identifier: GPL-2.0-only
/*
 * driver.c - CPU drivers: a kernel thread a CPU that answers messages
 *
 * Off until an administrator names CPUs.  A driver is the accepting side of any
 * number of channels.  It looks at all of them in turn, sleeps after a while
 * without a message, and is woken as any other side.  As a sender it fences
 * after each message, so a sleeper need not know where it runs.
 *
 * The list of a driver's channels is its thread's alone; new ones come through
 * @incoming.  Drivers are static and their threads come and go, so whoever
 * holds a side may wake its driver at any time.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/topology.h>

#include "internal.h"
#include "trace.h"

/* Messages taken from one channel before the next one's turn. */
#define BATCH		16
/* A driver that does not answer a driver for so long is stuck. */
#define PING_LIMIT_NS	NSEC_PER_SEC
#define PING_SLOTS	URPC_SLOTS_MIN

/**
 * struct urpc_driver - the driver of a CPU
 * @task: its thread, NULL when off; under urpc_driver_lock
 * @wait: the thread sleeps here
 * @lock: protects @incoming and @job
 * @incoming: sides it has not seen yet
 * @job: pings to send, NULL when none
 * @sides: the thread's
 */
struct urpc_driver {
	struct task_struct *task;
	wait_queue_head_t wait;
	spinlock_t lock;		/* protects incoming and job */
	struct list_head incoming;
	struct ping_job *job;
	struct list_head sides;
};

/* What URPC_PING asks of a driver. */
struct ping_job {
	struct urpc_side *side;		/* the driver's own */
	u32 count;
	u64 ns;
	int ret;
	struct completion done;
};

unsigned int urpc_driver_poll_us = 50;

static DEFINE_MUTEX(urpc_driver_lock);
static DEFINE_PER_CPU(struct urpc_driver, drivers);
static struct cpumask wanted;		/* under urpc_driver_lock */

void urpc_driver_wake(struct urpc_driver *d)
{
	wake_up(&d->wait);
}

/* --- messages ------------------------------------------------------------ */

/* The rings of a side, as the kernel's pages show them. */
static int map_side(struct urpc_side *s)
{
	struct urpc_side *peer = urpc_side_peer(s);
	u32 slots = s->ch->slots;
	int ret = 0;

	if (!s->tx->kva)
		ret = urpc_region_map_kernel(s->tx);
	if (!ret && !peer->tx->kva)
		ret = urpc_region_map_kernel(peer->tx);
	if (ret)
		return ret;
	urpc_tx_init(&s->tx_end, s->tx->kva, peer->tx->kva, slots, 0);
	urpc_rx_init(&s->rx, s->tx->kva, peer->tx->kva, slots, 0);
	return 0;
}

/* Room for a message; -EPIPE when the peer broke the ring. */
static int has_room(struct urpc_side *s)
{
	int room;

	if (urpc_tx_has_room(&s->tx_end))
		return 1;
	room = urpc_tx_room(&s->tx_end);
	return room < 0 ? -EPIPE : room;
}

static void send(struct urpc_side *s, u32 tag, const u64 *word)
{
	urpc_tx_put(&s->tx_end, urpc_ctl(tag, URPC_KIND_MESSAGE, 0), word);
	/* the message before the sleep word; a sleeper does not fence for us */
	smp_mb();
	if (urpc_tx_must_wake(&s->tx_end))
		urpc_wake_peer(s, false);
}

/* Take a message; true: it was there. */
static bool take(struct urpc_side *s, u64 *ctl, u64 *word)
{
	bool acked;

	if (!urpc_rx_full(&s->rx, ctl))
		return false;
	acked = urpc_rx_take(&s->rx, word);
	if (!acked)
		return true;
	/* the acknowledgment before the sleep word */
	smp_mb();
	if (urpc_rx_must_wake(&s->rx))
		urpc_wake_peer(s, true);
	return true;
}

static void answer(struct urpc_side *s, u64 ctl, const u64 *word)
{
	u32 tag = urpc_ctl_tag(ctl);

	if (tag != URPC_DRIVER_PING || urpc_ctl_kind(ctl) != URPC_KIND_MESSAGE)
		tag = URPC_DRIVER_UNKNOWN;
	else
		urpc_count(URPC_C_PINGS);
	send(s, tag, word);
}

/* Serve one side: messages answered, or -EPIPE when it is to be closed. */
static int serve(struct urpc_side *s)
{
	u64 word[URPC_SLOT_WORDS], ctl;
	int n, room = 1;

	for (n = 0; n < BATCH; n++) {
		room = has_room(s);
		if (room <= 0 || !take(s, &ctl, word))
			break;
		answer(s, ctl, word);
	}
	if (room < 0)
		return room;
	if (!n && (READ_ONCE(s->state) & URPC_STATE_PEER_GONE))
		return -EPIPE;
	return n;
}

static void drop_side(struct urpc_side *s)
{
	list_del_init(&s->driver_link);
	urpc_side_close(s);
}

static bool serve_all(struct urpc_driver *d)
{
	struct urpc_side *s, *next;
	bool busy = false;
	int ret;

	list_for_each_entry_safe(s, next, &d->sides, driver_link) {
		ret = serve(s);
		if (ret < 0)
			drop_side(s);
		busy |= ret != 0;
	}
	return busy;
}

/* --- sleep --------------------------------------------------------------- */

static void set_sleep_words(struct urpc_side *s)
{
	u32 v = atomic_inc_return(&s->sleeps) | URPC_SLEEP_KERNEL;

	WRITE_ONCE(s->tx_end.own->rx_sleep, v);
	WRITE_ONCE(s->tx_end.own->tx_sleep, v);
}

static void clear_sleep_words(struct urpc_side *s)
{
	WRITE_ONCE(s->tx_end.own->rx_sleep, 0);
	WRITE_ONCE(s->tx_end.own->tx_sleep, 0);
}

/* Is there something to do for this side, if only to close it? */
static bool wants_service(struct urpc_side *s)
{
	u64 ctl;

	if (READ_ONCE(s->state) & URPC_STATE_PEER_GONE)
		return true;
	return urpc_rx_full(&s->rx, &ctl) && has_room(s);
}

static bool has_news(struct urpc_driver *d)
{
	struct urpc_side *s;

	list_for_each_entry(s, &d->sides, driver_link)
		if (wants_service(s))
			return true;
	return !list_empty(&d->incoming) || READ_ONCE(d->job) ||
	       kthread_should_stop();
}

/* As wait_loop() in wait.c, for all channels of the driver at once. */
static void driver_sleep(struct urpc_driver *d)
{
	struct urpc_side *s;
	bool ordered = true;
	DEFINE_WAIT(wait);

	prepare_to_wait(&d->wait, &wait, TASK_INTERRUPTIBLE);
	list_for_each_entry(s, &d->sides, driver_link) {
		set_sleep_words(s);
		ordered &= urpc_barrier(s);
	}
	if (!has_news(d)) {
		if (ordered)
			schedule();
		else
			schedule_timeout(1);
	}
	finish_wait(&d->wait, &wait);
	list_for_each_entry(s, &d->sides, driver_link)
		clear_sleep_words(s);
}

/* --- pings from driver to driver ----------------------------------------- */

/* One round trip; the peer may be asleep, or be taking its CPU's time. */
static int ping_once(struct urpc_side *s)
{
	u64 word[URPC_SLOT_WORDS] = {}, ctl, limit;
	unsigned int looks = 0;

	if (has_room(s) <= 0)
		return -EPIPE;
	send(s, URPC_DRIVER_PING, word);
	limit = ktime_get_ns() + PING_LIMIT_NS;
	while (!take(s, &ctl, word)) {
		cpu_relax();
		if (++looks % 1024)
			continue;
		if (READ_ONCE(s->state) & URPC_STATE_PEER_GONE)
			return -EHOSTDOWN;
		if (ktime_get_ns() > limit)
			return -ETIMEDOUT;
		cond_resched();
	}
	return 0;
}

static bool run_job(struct urpc_driver *d)
{
	struct ping_job *job;
	u64 start;
	u32 i;

	spin_lock(&d->lock);
	job = d->job;
	d->job = NULL;
	spin_unlock(&d->lock);
	if (!job)
		return false;
	start = ktime_get_ns();
	for (i = 0; i < job->count && !job->ret; i++) {
		job->ret = ping_once(job->side);
		if (kthread_should_stop())
			job->ret = -EHOSTDOWN;
		if (!(i % 64))
			cond_resched();
	}
	job->ns = ktime_get_ns() - start;
	/* who asked frees it from here on */
	complete(&job->done);
	return true;
}

/* --- the thread ---------------------------------------------------------- */

static void take_incoming(struct urpc_driver *d)
{
	if (list_empty(&d->incoming))
		return;
	spin_lock(&d->lock);
	list_splice_tail_init(&d->incoming, &d->sides);
	spin_unlock(&d->lock);
}

static int driver_main(void *data)
{
	struct urpc_driver *d = data;
	u64 last = ktime_get_ns();

	while (!kthread_should_stop()) {
		take_incoming(d);
		if (run_job(d) || serve_all(d)) {
			last = ktime_get_ns();
		} else if (ktime_get_ns() - last <
			   READ_ONCE(urpc_driver_poll_us) * NSEC_PER_USEC) {
			cpu_relax();
		} else {
			driver_sleep(d);
			last = ktime_get_ns();
		}
		cond_resched();
	}
	return 0;
}

static void driver_start(unsigned int cpu)
{
	struct urpc_driver *d = per_cpu_ptr(&drivers, cpu);
	struct task_struct *task;

	lockdep_assert_held(&urpc_driver_lock);
	if (d->task)
		return;
	task = kthread_create_on_cpu(driver_main, d, cpu, "urpc/%u");
	if (IS_ERR(task)) {
		pr_warn("no driver for CPU %u: %ld\n", cpu, PTR_ERR(task));
		return;
	}
	d->task = task;
	wake_up_process(task);
}

/*
 * Its channels are closed when this returns.  Not by the thread: one that is
 * stopped before it first ran never runs.
 */
static void driver_stop(unsigned int cpu)
{
	struct urpc_driver *d = per_cpu_ptr(&drivers, cpu);
	struct urpc_side *s, *next;

	lockdep_assert_held(&urpc_driver_lock);
	if (!d->task)
		return;
	kthread_stop(d->task);
	d->task = NULL;
	take_incoming(d);
	list_for_each_entry_safe(s, next, &d->sides, driver_link)
		drop_side(s);
}

/* --- from outside -------------------------------------------------------- */

/**
 * urpc_drivers_set - run drivers on these CPUs and no others
 * @list: as in cpulist
 *
 * Those that are offline get theirs when they come.
 */
int urpc_drivers_set(const char *list)
{
	cpumask_var_t mask;
	unsigned int cpu;
	int ret;

	if (!zalloc_cpumask_var(&mask, GFP_KERNEL))
		return -ENOMEM;
	ret = cpulist_parse(list, mask);
	if (!ret && !cpumask_subset(mask, cpu_possible_mask))
		ret = -EINVAL;
	if (ret)
		goto out;
	cpus_read_lock();
	mutex_lock(&urpc_driver_lock);
	cpumask_copy(&wanted, mask);
	for_each_online_cpu(cpu) {
		if (cpumask_test_cpu(cpu, mask))
			driver_start(cpu);
		else
			driver_stop(cpu);
	}
	mutex_unlock(&urpc_driver_lock);
	cpus_read_unlock();
out:
	free_cpumask_var(mask);
	return ret;
}

const struct cpumask *urpc_drivers_wanted(void)
{
	return &wanted;
}

/* A CPU came, or goes. */
void urpc_driver_cpu(unsigned int cpu, bool is_online)
{
	mutex_lock(&urpc_driver_lock);
	if (!is_online)
		driver_stop(cpu);
	else if (cpumask_test_cpu(cpu, &wanted))
		driver_start(cpu);
	mutex_unlock(&urpc_driver_lock);
}

void urpc_drivers_init(void)
{
	struct urpc_driver *d;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		d = per_cpu_ptr(&drivers, cpu);
		init_waitqueue_head(&d->wait);
		spin_lock_init(&d->lock);
		INIT_LIST_HEAD(&d->incoming);
		INIT_LIST_HEAD(&d->sides);
	}
}

void urpc_drivers_exit(void)
{
	unsigned int cpu;

	mutex_lock(&urpc_driver_lock);
	for_each_possible_cpu(cpu)
		driver_stop(cpu);
	mutex_unlock(&urpc_driver_lock);
}

/* The driver that runs on @cpu, or an error pointer. */
static struct urpc_driver *running_driver(unsigned int cpu)
{
	struct urpc_driver *d = per_cpu_ptr(&drivers, cpu);

	lockdep_assert_held(&urpc_driver_lock);
	if (d->task)
		return d;
	return ERR_PTR(cpu_online(cpu) ? -ENOENT : -EHOSTDOWN);
}

/* Fill in the accepting side, a driver's, and give it to its thread. */
static int accept_side(struct urpc_driver *d, unsigned int cpu,
		       struct urpc_side *own, int node)
{
	struct urpc_channel *ch = own->ch;
	struct urpc_side *s = urpc_side_peer(own);
	int ret;

	s->cpu = cpu;
	s->driver = d;
	s->uid = GLOBAL_ROOT_UID;
	s->gid = GLOBAL_ROOT_GID;
	s->tx = urpc_region_new(ch->slots, node);
	if (!s->tx)
		return -ENOMEM;
	ret = map_side(s);
	if (ret)
		return ret;
	kobject_get(&ch->kobj);
	urpc_channel_publish(ch);
	spin_lock(&d->lock);
	list_add_tail(&s->driver_link, &d->incoming);
	spin_unlock(&d->lock);
	urpc_driver_wake(d);
	return 0;
}

/**
 * urpc_driver_connect - connect to the driver of a CPU
 * @cpu: possible
 * @own: side 0, complete
 * @node: where @own receives
 */
int urpc_driver_connect(unsigned int cpu, struct urpc_side *own, int node)
{
	struct urpc_driver *d;
	int ret;

	mutex_lock(&urpc_driver_lock);
	d = running_driver(cpu);
	ret = PTR_ERR_OR_ZERO(d);
	if (!ret)
		ret = accept_side(d, cpu, own, node);
	mutex_unlock(&urpc_driver_lock);
	return ret;
}

/* Side 0 of a channel from driver to driver. */
static int job_side(struct ping_job *job, struct urpc_channel *ch, u32 from,
		    u32 to)
{
	struct urpc_side *s = &ch->side[0];

	s->cpu = from;
	s->driver = per_cpu_ptr(&drivers, from);
	s->uid = GLOBAL_ROOT_UID;
	s->gid = GLOBAL_ROOT_GID;
	s->tx = urpc_region_new(ch->slots, cpu_to_mem(to));
	job->side = s;
	return s->tx ? 0 : -ENOMEM;
}

static void give_job(struct urpc_driver *d, struct ping_job *job)
{
	spin_lock(&d->lock);
	d->job = job;
	spin_unlock(&d->lock);
	urpc_driver_wake(d);
	/* its thread is not stopped meanwhile: we hold urpc_driver_lock */
	wait_for_completion(&job->done);
}

/* Under urpc_driver_lock, so that there is one at a time and no driver goes. */
static int ping_drivers(struct urpc_ping *arg, struct urpc_channel *ch)
{
	struct urpc_driver *from = running_driver(arg->from);
	struct urpc_driver *to = running_driver(arg->to);
	struct ping_job job = { .count = arg->count };
	int ret;

	if (IS_ERR(from) || IS_ERR(to)) {
		kobject_put(&ch->kobj);
		ret = PTR_ERR_OR_ZERO(from) ?: PTR_ERR(to);
		return ret == -ENOENT ? -ENODEV : ret;
	}
	init_completion(&job.done);
	ret = job_side(&job, ch, arg->from, arg->to);
	if (!ret)
		ret = accept_side(to, arg->to, job.side,
				  cpu_to_mem(arg->from));
	if (ret) {
		kobject_put(&ch->kobj);
		return ret;
	}
	ret = map_side(job.side);
	if (!ret)
		give_job(from, &job);
	arg->ns = job.ns;
	urpc_side_close(job.side);
	return ret ? ret : job.ret;
}

/**
 * urpc_driver_ping - URPC_PING
 * @arg: the argument, flags checked; results are filled in
 */
int urpc_driver_ping(struct urpc_ping *arg)
{
	struct urpc_channel *ch;
	int ret;

	if (!ns_capable(&init_user_ns, CAP_SYS_NICE))
		return -EPERM;
	if (arg->from >= nr_cpu_ids || arg->to >= nr_cpu_ids ||
	    !cpu_possible(arg->from) || !cpu_possible(arg->to) ||
	    arg->from == arg->to || !arg->count || arg->count > 1000000)
		return -EINVAL;
	ch = urpc_channel_new(URPC_GUARDED, PING_SLOTS);
	if (!ch)
		return -ENOMEM;
	mutex_lock(&urpc_driver_lock);
	ret = ping_drivers(arg, ch);
	mutex_unlock(&urpc_driver_lock);
	return ret;
}
