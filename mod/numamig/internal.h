/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h - the objects of numamig and who protects them
 *
 * Locks, outermost first:
 *
 *  nm_lock		the list of targets, their perf events, the sampler in
 *			use, the list of streams; held by the worker while it
 *			drains
 *  nm_target.lock	the target's table, address spaces and gate
 *  nm_file.read_lock	a reader takes one record batch at a time
 *  mmap_lock		of a target's process, by the movers; taken with none
 *			of the above held
 *  nm_helper.lock	queue of the helper (spinlock, innermost)
 *
 * The overflow handler runs in hardirq or NMI context and takes none of them.
 */
#ifndef NUMAMIG_INTERNAL_H
#define NUMAMIG_INTERNAL_H

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/perf_event.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <linux/numamig.h>

#include "hot.h"
#include "operand.h"
#include "policy.h"
#include "ring.h"

#define NM_MAX_TARGETS		64
#define NM_RING_SLOTS		1024
#define NM_MAX_THREADS		16384
#define NM_MAX_ORDERS		4096
#define NM_CHUNK		NUMAMIG_ORDER_PAGES

/* --- counters.c ---------------------------------------------------------- */

/*
 * Samples, from the interrupt on.  Each one counted in TAKEN is counted in
 * exactly one of EXCLUDED, OUTSIDE, the REFUSED group, DROPPED and DRAINED
 * (or is in a ring); each one in DRAINED or INJECTED in exactly one of STALE,
 * LOCAL, REMOTE and UNKNOWN.
 */
enum nm_counter {
	NM_C_TAKEN,
	NM_C_EXCLUDED,
	NM_C_OUTSIDE,
	NM_C_REFUSED,			/* + enum nm_refusal - 1 */
	NM_C_REFUSED_LAST = NM_C_REFUSED + NM_REFUSALS - 2,
	NM_C_DROPPED,
	NM_C_DRAINED,
	NM_C_STALE,
	NM_C_LOCAL,
	NM_C_REMOTE,
	NM_C_UNKNOWN,
	NM_C_INJECTED,
	NM_C_THROTTLED,
	NM_C_STREAM_DROPPED,
	NM_C_ISSUED,
	NM_C_POSTPONED,
	NM_C_ORDER,			/* + enum numamig_order_result */
	NM_C_ORDER_LAST = NM_C_ORDER + NUMAMIG_ORDER_RESULTS - 1,
	NM_C_PAGE,			/* + enum numamig_page_result */
	NM_C_PAGE_LAST = NM_C_PAGE + NUMAMIG_PAGE_RESULTS - 1,
	NM_C_MOVED_HELPER,
	NM_COUNTERS
};

struct nm_percpu {
	u64 count[NM_COUNTERS];
};

DECLARE_PER_CPU(struct nm_percpu, nm_percpu);

/* One instruction on x86, so safe against a nested NMI as well. */
static inline void nm_count(unsigned int c)
{
	this_cpu_inc(nm_percpu.count[c]);
}

static inline void nm_count_n(unsigned int c, u64 n)
{
	this_cpu_add(nm_percpu.count[c], n);
}

u64 nm_counter_read(unsigned int c);

/* --- nodes.c ------------------------------------------------------------- */

int nm_nodes_init(void);
unsigned int nm_nodes_count(void);
int nm_node_dense(int nid);
int nm_node_of_dense(unsigned int dense);
bool nm_node_valid(int nid);
bool nm_node_has_room(int nid, unsigned long pages);

/* --- targets ------------------------------------------------------------- */

struct nm_file;

/* What the overflow handler adds up for a target, per CPU. */
struct nm_target_cpu {
	u64 cpu_ns;		/* CPU time that the samples stand for */
	u64 spent_ns;		/* time in the handler */
};

/**
 * struct nm_target - a sampled process, perhaps with its descendants
 * @ref: one for the list, one for each order
 * @id: what its samples carry
 * @link: in nm_targets
 * @owner: the file that added it
 * @pid: its thread group leader
 * @tgid: the number of @pid in the initial namespace
 * @start_time: when it started, nanoseconds since boot
 * @flags: NUMAMIG_TARGET_*
 * @dead: no order of it may start any more; set once
 * @cpu: see struct nm_target_cpu
 * @events: struct nm_event, under nm_lock
 * @nr_procs: living processes, under nm_lock; read by movers
 * @next_resync: jiffies when threads are looked for next, under nm_lock
 * @lock: protects what follows
 * @spaces: struct nm_space by id
 * @by_mm: struct nm_space by mm pointer
 * @nr_spaces: how many
 * @last_space: of the last sample, to save the look-up
 * @next_reap: jiffies when dead address spaces are looked for
 * @hot: hot-page table
 * @gate: whether to act
 * @bucket: rate limit
 * @window: number of the running policy window, from 1
 * @window_start: when it began, milliseconds
 * @samples: samples with an address
 * @local: of these, local
 * @remote: remote
 * @unknown: no page there
 * @drain_ns: time spent on its samples outside the handler
 * @fresh: samples drained in the running round
 * @orders: issued
 * @pages_kernel: moved by the kernel engine
 * @pages_helper: moved by the helper
 * @pages_failed: ordered and not moved
 */
struct nm_target {
	struct kref ref;
	u32 id;
	struct list_head link;
	struct nm_file *owner;
	struct pid *pid;
	pid_t tgid;
	u64 start_time;
	u32 flags;
	bool dead;
	struct nm_target_cpu __percpu *cpu;

	struct list_head events;
	unsigned int nr_procs;
	unsigned long next_resync;

	struct mutex lock;	/* everything from here to the counters */
	struct xarray spaces;
	struct xarray by_mm;
	unsigned int nr_spaces;
	struct nm_space *last_space;
	unsigned long next_reap;
	struct nm_hot hot;
	struct nm_gate gate;
	struct nm_bucket bucket;
	u32 window;
	u64 window_start;
	u64 samples;
	u64 local;
	u64 remote;
	u64 unknown;
	u64 drain_ns;
	u32 fresh;
	atomic64_t orders;
	atomic64_t pages_kernel;
	atomic64_t pages_helper;
	atomic64_t pages_failed;
};

/**
 * struct nm_space - an address space of a target
 * @id: the object that its private pages belong to in the table
 * @mm: grabbed (mm_count), so the pointer cannot be reused
 * @tgid: a process that uses it
 * @start_time: of that process
 */
struct nm_space {
	u32 id;
	struct mm_struct *mm;
	pid_t tgid;
	u64 start_time;
};

extern struct mutex nm_lock;
extern struct list_head nm_targets;

int nm_target_add(struct nm_file *owner, struct numamig_target_add *arg);
void nm_target_remove(struct nm_target *t);
int nm_target_del(pid_t pid);
void nm_target_withdraw(struct nm_file *owner, pid_t nr);
int nm_target_stat(struct numamig_target_stat *arg);
unsigned int nm_target_list(s32 *pids);
void nm_targets_of_file(struct nm_file *owner);
void nm_targets_stop(void);
void nm_target_put(struct nm_target *t);
struct nm_target *nm_target_by_id(u32 id);
struct nm_target *nm_target_of(struct task_struct *leader);
bool nm_target_ended(struct nm_target *t);

/* attach.c; all under nm_lock */
int nm_attach(struct nm_target *t);
void nm_count_processes(struct nm_target *t);
void nm_detach(struct nm_target *t);
int nm_attached(struct nm_target *t, struct task_struct *leader);

/* space.c; all under nm_target.lock */
struct nm_space *nm_space_get(struct nm_target *t, u64 mm, pid_t tgid);
struct nm_space *nm_space_by_id(struct nm_target *t, u32 id);
void nm_space_reap(struct nm_target *t);
void nm_space_drop_all(struct nm_target *t);

/* --- samplers ------------------------------------------------------------ */

/**
 * struct nm_sampler - a source of samples
 * @name: as in sysfs
 * @id: enum numamig_sampler
 * @event: it works through a perf event on each thread
 * @clocked: samples stand for one period of CPU time each
 * @available: 0, or why it does not work on this machine
 * @attr: fill in the perf event
 * @resolve: in the overflow handler, possibly NMI: set addr and flags of
 *	@raw, return NM_OK or why there is no address.  An event with a data
 *	address of its own (PEBS, IBS) takes it from @data.
 */
struct nm_sampler {
	const char *name;
	u8 id;
	bool event;
	bool clocked;
	int (*available)(void);
	void (*attr)(struct perf_event_attr *attr);
	enum nm_refusal (*resolve)(struct perf_sample_data *data,
				   struct pt_regs *regs, struct nm_raw *raw);
};

extern const struct nm_sampler nm_sampler_clock;
extern const struct nm_sampler nm_sampler_fault;
extern const struct nm_sampler nm_sampler_inject;

int nm_sampler_init(void);
void nm_sampler_stop(void);
void nm_sampler_exit(void);
int nm_sampler_start(void);
const struct nm_sampler *nm_sampler_current(void);
const struct nm_sampler *nm_sampler_by_id(unsigned int id);
int nm_sampler_select(const char *name);
struct perf_event *nm_sampler_event(struct nm_target *t, int cpu,
				    struct task_struct *task);
bool nm_sampler_drain(bool (*take)(struct nm_raw *raw));
const struct cpumask *nm_excluded_cpus(void);
void nm_excluded_update(void);
int nm_isolated_allow(const char *list);
const struct cpumask *nm_isolated_allowed(void);

extern u32 nm_period_ns;	/* in force; written by the governor */

/* --- worker.c ------------------------------------------------------------ */

extern struct workqueue_struct *nm_wq;
extern struct nm_policy nm_policy;	/* tunables; READ_ONCE per field */
extern u32 nm_window_ms;
extern u32 nm_table_entries;
extern bool nm_dry_run;
extern bool nm_cpuless_nodes;

int nm_worker_init(void);
void nm_worker_exit(void);
void nm_worker_kick(void);
void nm_worker_start(void);
int nm_inject(const struct numamig_sample *s);

/* --- orders -------------------------------------------------------------- */

enum nm_engine { NM_ENGINE_KERNEL, NM_ENGINE_HELPER };

enum nm_reason { NM_REASON_PAGE, NM_REASON_BLOCK, NM_REASON_REGION };

/**
 * struct nm_order - pages that should be on another node
 * @link: in a mover's or the helper's queue
 * @id: unique
 * @target: held
 * @mm: grabbed
 * @tgid: a process that uses @mm
 * @start_time: of that process
 * @addr: of the page of bit 0
 * @node: destination
 * @engine: who carries it out
 * @reason: why
 * @shared: @mapping and @pgoff say what is expected at @addr
 * @mapping: for comparison only
 * @pgoff: page offset of bit 0 in @mapping
 * @pages: bits of @mask that are used
 * @mask: pages to move
 * @result: what became of the pages
 */
struct nm_order {
	struct list_head link;
	u64 id;
	struct nm_target *target;
	struct mm_struct *mm;
	pid_t tgid;
	u64 start_time;
	u64 addr;
	int node;
	u8 engine;
	u8 reason;
	bool shared;
	u64 mapping;
	u64 pgoff;
	u32 pages;
	unsigned long mask[BITS_TO_LONGS(NM_CHUNK)];
	u64 result[NUMAMIG_PAGE_RESULTS];
};

int nm_orders_init(void);
void nm_orders_exit(void);
void nm_orders_flush(void);
unsigned int nm_orders_pending(void);
struct nm_order *nm_order_new(struct nm_target *t, const struct nm_space *s,
			      u64 addr, int node);
void nm_order_issue(struct nm_order *o);
void nm_order_end(struct nm_order *o, enum numamig_order_result result);

/* helper.c */
int nm_helper_claim(struct nm_file *f);
void nm_helper_release(struct nm_file *f);
bool nm_helper_present(void);
void nm_helper_queue(struct nm_order *o);
void nm_helper_cancel(struct nm_target *t);
void nm_helper_quiesce(void);
ssize_t nm_helper_read(struct nm_file *f, char __user *buf, size_t len,
		       bool nonblock);
__poll_t nm_helper_poll(struct nm_file *f);
int nm_helper_done(struct nm_file *f, const struct numamig_order_done *arg);

/* stream.c */
int nm_stream_start(struct nm_file *f, u32 entries);
void nm_stream_stop(struct nm_file *f);
bool nm_stream_wanted(void);
void nm_stream_push(const struct numamig_sample *s);
void nm_stream_wake(void);
ssize_t nm_stream_read(struct nm_file *f, char __user *buf, size_t len,
		       bool nonblock);
__poll_t nm_stream_poll(struct nm_file *f);

/* --- pages --------------------------------------------------------------- */

/* walk.c: what a user address maps to, looked up without a lock. */
enum nm_page_kind {
	NM_PK_ABSENT,
	NM_PK_ANON,		/* private anonymous base page */
	NM_PK_FILE,		/* base page of a file or of shmem */
	NM_PK_LARGE_ANON,	/* part of a large folio */
	NM_PK_LARGE_FILE,
	NM_PK_OTHER,		/* device memory, KSM: not ours to move */
};

/* @mapcount and @pgoff are only set where @kind gives them a meaning. */
struct nm_page_info {
	struct page *page;
	u8 kind;
	bool pmd;		/* mapped by a page-middle or -upper entry */
	unsigned int shift;	/* log2 of what the entry maps */
	int nid;
	int mapcount;
	unsigned long mapping;	/* file pages */
	unsigned long pgoff;
};

struct nm_walk {
	struct mm_struct *mm;
	unsigned long pmd_addr;
	pmd_t pmd;
	bool have_pmd;
};

void nm_walk_start(struct nm_walk *w, struct mm_struct *mm);
void nm_walk_next(struct nm_walk *w, unsigned long addr,
		  struct nm_page_info *info);
void nm_walk_one(struct mm_struct *mm, unsigned long addr,
		 struct nm_page_info *info);

/* scan.c: sort the pages of a chunk by what can be done with them. */
struct nm_scan {
	struct mm_struct *mm;
	unsigned long addr;
	unsigned int pages;
	const unsigned long *mask;
	int node;
	unsigned int procs;	/* processes of the target */
	unsigned long kernel[BITS_TO_LONGS(NM_CHUNK)];
	unsigned long helper[BITS_TO_LONGS(NM_CHUNK)];
	unsigned int helper_pages;	/* base pages that its bits stand for */
	u64 *result;
};

void nm_scan_range(struct nm_scan *s, unsigned int first, unsigned int last,
		   bool kernel_ok);

/* move.c: the kernel engine. */
struct nm_mover_buf;
struct nm_mover_buf *nm_mover_buf_alloc(int node);
void nm_mover_buf_free(struct nm_mover_buf *b);
void nm_move_pages(struct nm_mover_buf *b, struct vm_area_struct *vma,
		   unsigned long addr, unsigned int pages,
		   const unsigned long *mask, int node, u64 *result);
int nm_move_now(struct numamig_move *arg);

/* placement.c: what the process and its administrator decided. */
bool nm_cpuset_allows(struct task_struct *task, int node);
bool nm_mempolicy_allows(struct task_struct *task, struct vm_area_struct *vma,
			 unsigned long addr, int node);

/* sysfs.c */
int nm_sysfs_init(void);
void nm_sysfs_exit(void);

/* --- dev.c --------------------------------------------------------------- */

enum nm_file_role { NM_ROLE_NONE, NM_ROLE_STREAM, NM_ROLE_HELPER };

struct nm_stream;

/**
 * struct nm_file - an open file of /dev/numamig
 * @role: what read(2) returns; set once, under nm_lock
 * @read_lock: one reader at a time
 * @stream: with NM_ROLE_STREAM
 * @wait: readers and pollers
 */
struct nm_file {
	enum nm_file_role role;
	struct mutex read_lock;	/* one reader at a time */
	struct nm_stream *stream;
	wait_queue_head_t wait;
};

int nm_dev_init(void);
void nm_dev_exit(void);
int nm_check_rights(void);

#endif /* NUMAMIG_INTERNAL_H */
