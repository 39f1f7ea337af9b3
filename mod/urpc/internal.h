/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h - the objects of urpc and who protects them
 *
 * Locks, outermost first:
 *
 *  urpc_driver_lock	which CPU drivers run; starting and stopping them
 *  urpc_lock		names of endpoints, the list of channels, users' counts
 *  urpc_endpoint.lock	its backlog and the state of the requests in it
 *  urpc_region.lock	who has the region mapped (spinlock, innermost; taken
 *			under mmap_lock)
 *
 * The messages themselves are under no lock: each ring has one writer and one
 * reader, and the kernel is neither.
 */
#ifndef URPC_INTERNAL_H
#define URPC_INTERNAL_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <linux/urpc.h>

#include "urpc_ring.h"

#define URPC_BACKLOG	64	/* connections waiting at an endpoint */

extern struct mutex urpc_lock;

/* --- stats.c ------------------------------------------------------------- */

enum urpc_counter {
	URPC_C_CONNECTS,
	URPC_C_WAITS,			/* calls that slept */
	URPC_C_WAKES,
	URPC_C_BARRIERS,		/* asked for */
	URPC_C_BARRIER_IPIS,		/* CPUs interrupted for them */
	URPC_C_BARRIERS_LIMITED,	/* replaced by a bounded sleep */
	URPC_C_PINGS,			/* answered by CPU drivers */
	URPC_COUNTERS
};

struct urpc_percpu {
	u64 count[URPC_COUNTERS];
};

DECLARE_PER_CPU(struct urpc_percpu, urpc_percpu);

static inline void urpc_count(unsigned int c)
{
	this_cpu_inc(urpc_percpu.count[c]);
}

static inline void urpc_count_n(unsigned int c, u64 n)
{
	this_cpu_add(urpc_percpu.count[c], n);
}

u64 urpc_counter_read(unsigned int c);

/* --- quota.c ------------------------------------------------------------- */

enum urpc_kind_of_object { URPC_Q_ENDPOINT, URPC_Q_CHANNEL, URPC_QUOTAS };

/**
 * struct urpc_user - what a user has
 * @link: in the list of users
 * @uid: who
 * @count: objects by kind; the last one to go takes the structure along
 */
struct urpc_user {
	struct list_head link;
	kuid_t uid;
	unsigned int count[URPC_QUOTAS];
};

extern unsigned int urpc_quota_max[URPC_QUOTAS];	/* READ_ONCE */

struct urpc_user *urpc_quota_take(enum urpc_kind_of_object what);
void urpc_quota_give(struct urpc_user *u, enum urpc_kind_of_object what);
void urpc_quota_read(struct urpc_info *info);

/* --- region.c ------------------------------------------------------------ */

/**
 * struct urpc_region - what one side of a channel writes
 * @slots: of its ring
 * @nr: pages
 * @lock: protects @mappings
 * @mappings: struct urpc_mapping of those who can write it
 * @kva: the pages side by side, for a CPU driver; else NULL
 * @pages: the pages; the first one is the control page
 */
struct urpc_region {
	u32 slots;
	unsigned int nr;
	spinlock_t lock;		/* protects mappings */
	struct list_head mappings;
	void *kva;
	struct page *pages[];
};

struct urpc_region *urpc_region_new(u32 slots, int node);
void urpc_region_free(struct urpc_region *r);
int urpc_region_map_kernel(struct urpc_region *r);
struct urpc_control *urpc_region_control(const struct urpc_region *r);
const struct urpc_slot *urpc_region_slot(const struct urpc_region *r, u64 pos);
int urpc_region_mmap(struct urpc_region *r, struct vm_area_struct *vma,
		     bool writable);
void urpc_region_writers(struct urpc_region *r, struct cpumask *cpus);

/* --- channel.c ----------------------------------------------------------- */

struct urpc_channel;
struct urpc_driver;

/**
 * struct urpc_side - one of the two sides of a channel
 * @ch: the channel
 * @tx: the region that this side writes
 * @cpu: of its endpoint, or URPC_CPU_ANY
 * @uid: effective user of who opened it
 * @gid: its group
 * @pid: its process, for the peer to ask
 * @user: whose quota it counts in
 * @driver: the CPU driver that serves it, or NULL
 * @driver_link: in the driver's list
 * @rx: a driver's end of the ring that it reads
 * @tx_end: and of the one that it writes
 * @message: who waits for a message, or polls
 * @room: who waits for room, or polls
 * @recheck: looks again for pollers whose barrier was refused
 * @sleeps: makes each sleep word another one
 * @waits: sleeps of this side
 * @barriers: barriers that it asked for
 * @allowance: tokens for barriers, see wait.c
 * @filled: when they were last filled, jiffies
 * @state: URPC_STATE_*, under urpc_lock; copied to the control page
 */
struct urpc_side {
	struct urpc_channel *ch;
	struct urpc_region *tx;
	u32 cpu;
	kuid_t uid;
	kgid_t gid;
	struct pid *pid;
	struct urpc_user *user;
	struct urpc_driver *driver;
	struct list_head driver_link;
	struct urpc_rx rx;
	struct urpc_tx tx_end;
	wait_queue_head_t message;
	wait_queue_head_t room;
	struct delayed_work recheck;
	atomic_t sleeps;
	atomic64_t waits;
	atomic64_t barriers;
	atomic_t allowance;
	unsigned long filled;
	u32 state;
};

/**
 * struct urpc_channel - two sides
 * @kobj: its folder in sysfs, and its reference count: one for each side that
 *	is open
 * @link: in urpc_channels
 * @id: its name
 * @level: enum urpc_level
 * @slots: of each ring
 * @side: 0 connected, 1 accepted
 */
struct urpc_channel {
	struct kobject kobj;
	struct list_head link;
	u64 id;
	u32 level;
	u32 slots;
	struct urpc_side side[2];
};

extern struct list_head urpc_channels;
extern struct kobj_type urpc_channel_ktype;

static inline unsigned int urpc_side_index(const struct urpc_side *s)
{
	return s == &s->ch->side[1];
}

static inline struct urpc_side *urpc_side_peer(const struct urpc_side *s)
{
	return &s->ch->side[!urpc_side_index(s)];
}

struct urpc_channel *urpc_channel_new(u32 level, u32 slots);
void urpc_channel_publish(struct urpc_channel *ch);
void urpc_side_set_state(struct urpc_side *s, u32 set, u32 clear);
void urpc_side_wake_all(struct urpc_side *s);
void urpc_side_close(struct urpc_side *s);
struct file *urpc_side_file(struct urpc_side *s);
unsigned int urpc_channels_count(void);

/* --- wait.c -------------------------------------------------------------- */

extern unsigned int urpc_barrier_rate;		/* READ_ONCE */

bool urpc_has_message(const struct urpc_side *s, u64 pos);
int urpc_wait_for(struct urpc_side *s, const struct urpc_wait *arg);
void urpc_wake_peer(struct urpc_side *s, bool room);
__poll_t urpc_side_poll(struct file *file, struct urpc_side *s,
			poll_table *pt);
bool urpc_barrier(struct urpc_side *s);
void urpc_wait_init(struct urpc_side *s);
void urpc_wait_stop(struct urpc_side *s);

/* --- endpoint.c ---------------------------------------------------------- */

/**
 * struct urpc_endpoint - an open file of /dev/urpc that receives
 * @ref: the file, and each connect under way to it
 * @link: in the list of names, when it has one
 * @name: empty for one that only connects
 * @ipc_ns: number of the IPC namespace that the name belongs to
 * @uid: effective user of its owner
 * @gid: its group
 * @mode: who may connect, 0222
 * @cpu: CPU that receives, or URPC_CPU_ANY
 * @node: where its receive rings lie
 * @user: whose quota it counts in
 * @lock: protects what follows
 * @closed: no more requests
 * @backlog: struct urpc_request, oldest first
 * @pending: how many
 * @wait: accept and poll
 */
struct urpc_endpoint {
	struct kref ref;
	struct list_head link;
	char name[URPC_NAME_MAX];
	unsigned int ipc_ns;
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
	u32 cpu;
	int node;
	struct urpc_user *user;
	struct mutex lock;		/* see above */
	bool closed;
	struct list_head backlog;
	unsigned int pending;
	wait_queue_head_t wait;
};

struct urpc_endpoint *urpc_endpoint_new(struct urpc_endpoint_create *arg);
void urpc_endpoint_close(struct urpc_endpoint *e);
void urpc_endpoint_put(struct urpc_endpoint *e);
struct urpc_endpoint *urpc_endpoint_find(const char *name);
int urpc_endpoint_permits(const struct urpc_endpoint *e);
unsigned int urpc_endpoints_count(void);
bool urpc_name_valid(const char *name);

/* --- connect.c ----------------------------------------------------------- */

/**
 * struct urpc_new_file - a file that is not in the caller's table yet
 * @fd: reserved for it
 * @file: NULL if there is none
 */
struct urpc_new_file {
	int fd;
	struct file *file;
};

int urpc_connect(struct urpc_endpoint *e, struct urpc_connect *arg,
		 struct urpc_new_file *made);
int urpc_accept(struct urpc_endpoint *e, struct urpc_accept *arg,
		struct urpc_new_file *made);
void urpc_refuse_all(struct urpc_endpoint *e);
void urpc_side_take_cred(struct urpc_side *s);

/* --- driver.c ------------------------------------------------------------ */

extern unsigned int urpc_driver_poll_us;	/* READ_ONCE */

int urpc_driver_connect(unsigned int cpu, struct urpc_side *own, int node);
void urpc_driver_wake(struct urpc_driver *d);
int urpc_driver_ping(struct urpc_ping *arg);
int urpc_drivers_set(const char *list);
const struct cpumask *urpc_drivers_wanted(void);
void urpc_driver_cpu(unsigned int cpu, bool online);
void urpc_drivers_init(void);
void urpc_drivers_exit(void);

/* --- cpu.c --------------------------------------------------------------- */

int urpc_cpu_init(void);
void urpc_cpu_exit(void);
u32 urpc_cpu_state(u32 cpu, u32 flag);

/* --- dev.c, sysfs.c ------------------------------------------------------ */

extern const struct file_operations urpc_channel_fops;
extern struct kobject *urpc_channels_kobj;
extern unsigned int urpc_channel_stats;		/* READ_ONCE */
extern const struct attribute_group *urpc_channel_groups[];

int urpc_dev_init(void);
void urpc_dev_exit(void);
int urpc_sysfs_init(void);
void urpc_sysfs_close(void);
void urpc_sysfs_exit(void);

#endif /* URPC_INTERNAL_H */
