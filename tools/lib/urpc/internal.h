/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * internal.h - what the files of liburpc share
 *
 * Who uses what:
 *  urpc_channel.tx, urpc_private.tx	the thread that sends
 *  urpc_channel.rx, urpc_private.rx	the thread that receives
 *  urpc_private.call			the thread that calls, or serves
 *  urpc_private.gone, .memfd.bounded	any, atomically
 *  the socket, urpc_private.memfd.peer_fd	any, under .memfd.lock
 *  the list of fork.c			any, under its mutex
 */
#ifndef LIBURPC_INTERNAL_H
#define LIBURPC_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "urpc.h"

/* Functions that other files call and programs do not: ul_*. */
#define URPC_HIDDEN	__attribute__((visibility("hidden")))

#define URPC_NS		1000000000ll

/* ThreadSanitizer sees no order between two mappings of one page. */
#if defined(__SANITIZE_THREAD__)
#define URPC_TSAN	1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define URPC_TSAN	1
#endif
#endif

/* Threads of a program share neither lines nor the prefetcher's pairs. */
#define URPC_ALIGNED	__attribute__((aligned(URPC_APART)))

struct urpc_pass_message;

/**
 * struct urpc_backend_ops - what a back end does
 * @name: as urpc_backend() says it
 * @probe: can it be used?
 * @endpoint_open: make @e->fd; names and CPU are checked
 * @endpoint_close: undo it
 * @endpoint_in_child: after fork: close what the child must not keep
 * @connect: as urpc_connect(); fills @c with urpc_channel_setup()
 * @accept: as urpc_accept(); likewise
 * @wait: sleep until what @flags and @pos say (URPC_WAIT_*) is there, the peer
 *	is gone, or the time is up; may return 0 without any of it
 * @announce: first half of a wait with URPC_WAIT_CAUSAL: set the sleep word
 * @wake: wake the peer; @sleep is the word it sleeps under
 * @look: is the peer gone? Asks the kernel only where it must.
 * @state: URPC_STATE_*
 * @poll_fd: as urpc_channel_fd()
 * @poll_prepare: as urpc_poll_prepare()
 * @pass: send the descriptors and @m over the socket
 * @take: make a channel of what came; the descriptors are the callee's
 * @in_child: as @endpoint_in_child
 * @close: unmap and close all of it
 */
struct urpc_backend_ops {
	const char *name;
	int (*probe)(void);
	int (*endpoint_open)(struct urpc_endpoint *e);
	void (*endpoint_close)(struct urpc_endpoint *e);
	void (*endpoint_in_child)(struct urpc_endpoint *e);
	int (*connect)(struct urpc_endpoint *e, const char *name,
		       const struct urpc_channel_attr *attr,
		       int64_t timeout_ns, struct urpc_channel *c);
	int (*accept)(struct urpc_endpoint *e,
		      const struct urpc_channel_attr *attr,
		      int64_t timeout_ns, struct urpc_channel *c);
	int (*wait)(struct urpc_channel *c, uint32_t flags, uint64_t pos,
		    int64_t timeout_ns);
	void (*announce)(struct urpc_channel *c);
	void (*wake)(struct urpc_channel *c, uint32_t flags, uint32_t sleep);
	bool (*look)(struct urpc_channel *c);
	unsigned int (*state)(struct urpc_channel *c);
	int (*poll_fd)(struct urpc_channel *c);
	int (*poll_prepare)(struct urpc_channel *c);
	int (*pass)(struct urpc_channel *c, int sock,
		    struct urpc_pass_message *m);
	int (*take)(struct urpc_channel *c, const struct urpc_pass_message *m,
		    int *fds, unsigned int nr);
	void (*in_child)(struct urpc_channel *c);
	void (*close)(struct urpc_channel *c);
};

extern const struct urpc_backend_ops urpc_memfd_ops URPC_HIDDEN;
extern const struct urpc_backend_ops urpc_module_ops URPC_HIDDEN;

/* In one of the lists of fork.c. */
struct urpc_link {
	struct urpc_link *next;
	struct urpc_link **prev;
};

#define URPC_PENDING_MAX	64

/**
 * struct urpc_endpoint - an endpoint
 * @link: in the list of fork.c
 * @ops: its back end
 * @fd: for poll(2): the device, or an epoll of @listener and @pending
 * @listener: memfd: the socket, -1 without a name
 * @cpu: CPU that receives, or URPC_CPU_ANY
 * @node: its node, -1 if unknown
 * @mode: who may connect
 * @uid: the owner, for @mode
 * @gid: likewise
 * @name: empty for one that only connects
 * @pending: memfd: connections under way, see memfd_connect.c
 */
struct urpc_endpoint {
	struct urpc_link link;
	const struct urpc_backend_ops *ops;
	int fd;
	int listener;
	uint32_t cpu;
	int node;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	char name[URPC_NAME_MAX];
	struct memfd_pending *pending[URPC_PENDING_MAX];
};

/**
 * struct urpc_policy - when to sleep, one direction
 * @cost_ns: what a sleep and a wake cost
 * @polls: looks that take about that long, or what the caller asked for
 * @now: looks before the next sleep: @polls, or 0 while it does not pay
 * @fixed: the caller asked for it
 * @missed: sleeps in a row that followed polling in vain
 * @hits: short waits in a row while polling is given up
 * @retry: waits until polling is tried again
 * @trial: now
 * @patience: about how many they were the last time
 * @began: position when polling was begun
 * @random: state of a generator, not 0
 */
struct urpc_policy {
	int64_t cost_ns;
	uint32_t polls;
	uint32_t now;
	bool fixed;
	uint32_t missed;
	uint32_t hits;
	uint32_t retry;
	bool trial;
	uint32_t patience;
	uint64_t began;
	uint32_t random;
};

/**
 * struct urpc_counters - what one thread counts, read by the other
 * @polls: looks at nothing
 * @sleeps: times it slept
 * @wakes: wake calls
 * @spurious: sleeps that ended with nothing there
 */
struct urpc_counters {
	uint64_t polls;
	uint64_t sleeps;
	uint64_t wakes;
	uint64_t spurious;
};

/**
 * struct urpc_sender - what the sending thread has besides struct urpc_tx
 * @policy: when to sleep for room
 * @count: counters
 * @error: -EPROTO for good
 * @sleep: the last sleep word
 * @more: slots that are no message of their own
 * @less: bytes by which messages are shorter than their slots
 * @written: the position when the counters were written down
 */
struct urpc_sender {
	struct urpc_policy policy;
	struct urpc_counters count;
	int error;
	uint32_t sleep;
	uint64_t more;
	uint64_t less;
	uint64_t written;
};

/* Messages after which the counters are written down. */
#define URPC_STATS_EVERY	64

/**
 * struct urpc_receiver - what the receiving thread has besides struct urpc_rx
 * @policy: when to sleep for a message
 * @count: counters, but for looks in @rx_idle
 * @idle: @rx_idle as it was last counted
 * @error: -EPROTO for good
 * @sleep: the last sleep word
 * @more: as above
 * @less: as above
 * @depth: see struct urpc_stats
 * @group: messages that a streaming reader takes at once
 * @streaming: the last look found a whole group
 * @bulk_bytes: bytes of a bulk message that is not complete; 0 if none
 * @bulk_got: bytes of it that were copied
 * @bulk_tag: its tag
 */
struct urpc_receiver {
	struct urpc_policy policy;
	struct urpc_counters count;
	uint32_t idle;
	int error;
	uint32_t sleep;
	uint64_t more;
	uint64_t less;
	uint64_t depth[8];
	uint32_t group;
	bool streaming;
	uint32_t bulk_bytes;
	uint32_t bulk_got;
	uint32_t bulk_tag;
};

/**
 * struct urpc_caller - call and return
 * @line: shared level: the call line; NULL at the guarded level
 * @mode: how to look at it
 * @open: a call that is not answered: of this side, or to it
 * @announced: the sleep word was set before the request
 */
struct urpc_caller {
	struct urpc_slot *line;
	enum urpc_poll_mode mode;
	bool open;
	bool announced;
};

/**
 * struct memfd_side - of a channel without the module
 * @own_fd: the transmit region
 * @peer_fd: the peer's
 * @peer_node: where the peer receives, -1 if unknown
 * @bounded: no barrier can be had: sleep in short slices
 * @slice_ns: how long a sleep lasts before it looks at the socket
 * @lock: reading the socket
 * @announced: the peer's wake word before the sleep word was set
 * @epoll: for poll(2), -1 before it is asked for
 * @event: in it: readable when urpc_poll_prepare() finds a message
 * @timer: in it, when @bounded
 */
struct memfd_side {
	int own_fd;
	int peer_fd;
	int peer_node;
	bool bounded;
	int64_t slice_ns;
	pthread_mutex_t lock;
	uint32_t announced;
	int epoll;
	int event;
	int timer;
};

/**
 * struct urpc_private - what a channel has that no inline function needs
 * @link: in the list of fork.c
 * @self: the channel
 * @ops: the back end
 * @fd: the channel's file, or its socket
 * @own: transmit region
 * @peer: the peer's
 * @bytes: of each
 * @slots: of each ring
 * @level: enum urpc_level
 * @side: 0 connected, 1 accepted
 * @poll_mode: how to look at a slot
 * @cpu: of the own endpoint, or URPC_CPU_ANY
 * @peer_cpu: of the peer's
 * @who: the peer's credentials
 * @who_known: @who is
 * @gone: the peer is
 * @forked: this is the copy of a child: dead
 * @passed: another process has this side now
 */
struct urpc_private {
	struct urpc_link link;
	struct urpc_channel *self;
	const struct urpc_backend_ops *ops;
	int fd;
	void *own;
	void *peer;
	size_t bytes;
	uint32_t slots;
	uint32_t level;
	uint32_t side;
	enum urpc_poll_mode poll_mode;
	uint32_t cpu;
	uint32_t peer_cpu;
	struct urpc_peer who;
	bool who_known;
	bool gone;
	bool forked;
	bool passed;
	struct memfd_side memfd;
	struct urpc_sender tx URPC_ALIGNED;
	struct urpc_receiver rx URPC_ALIGNED;
	struct urpc_caller call URPC_ALIGNED;
};

static inline struct urpc_control *ul_own(const struct urpc_channel *c)
{
	return c->rx.own;
}

static inline const struct urpc_control *
ul_peer(const struct urpc_channel *c)
{
	return c->rx.peer;
}

/* Counters have one writer each, and readers. */
static inline void ul_count_up(uint64_t *counter, uint64_t n)
{
	urpc_store(counter, *counter + n);
}

/* The sleep word of a sleep that follows one with @last; never 0. */
static inline uint32_t ul_next_sleep(uint32_t last)
{
	/* bits 30 and 31 have meanings of their own */
	uint32_t n = (last + 1) & 0x3fffffffu;

	return n ? n : 1;
}

static inline enum urpc_kind ul_kind_of(__u64 ctl)
{
	return (enum urpc_kind)urpc_ctl_kind(ctl);
}

/* --- backend.c ----------------------------------------------------------- */

int ul_backend_choose(const struct urpc_backend_ops **ops) URPC_HIDDEN;
const struct urpc_backend_ops *ul_backend_named(const char *name) URPC_HIDDEN;

/* --- cpu.c --------------------------------------------------------------- */

int ul_cpu_check(uint32_t cpu) URPC_HIDDEN;
int ul_cpu_node(uint32_t cpu) URPC_HIDDEN;

/* --- clock.c ------------------------------------------------------------- */

int64_t ul_now(void) URPC_HIDDEN;
int64_t ul_deadline_of(int64_t timeout_ns) URPC_HIDDEN;
int64_t ul_time_left(int64_t deadline) URPC_HIDDEN;
int64_t ul_timeout_left(int64_t deadline) URPC_HIDDEN;
int ul_poll_timeout(int64_t timeout_ns) URPC_HIDDEN;
uint32_t ul_polls_in(int64_t ns) URPC_HIDDEN;

/* --- fork.c -------------------------------------------------------------- */

void ul_fork_add_channel(struct urpc_channel *c) URPC_HIDDEN;
void ul_fork_add_endpoint(struct urpc_endpoint *e) URPC_HIDDEN;
void ul_fork_forget(struct urpc_link *link) URPC_HIDDEN;

/* --- endpoint.c ---------------------------------------------------------- */

int ul_channel_attr(const struct urpc_channel_attr *attr,
		    struct urpc_channel_attr *full) URPC_HIDDEN;
int ul_channel_pair(const struct urpc_backend_ops *ops,
		    const struct urpc_channel_attr *attr,
		    struct urpc_channel *channels[2]) URPC_HIDDEN;

/* --- channel.c ----------------------------------------------------------- */

/* What a back end says of a channel that it made. */
struct urpc_setup {
	int fd;
	void *own;
	void *peer;
	uint32_t slots;
	uint32_t level;
	uint32_t side;
	uint32_t cpu;
	uint32_t peer_cpu;
	uint64_t tx_pos;
	uint64_t rx_pos;
};

void ul_channel_setup(struct urpc_channel *c, const struct urpc_setup *s)
	URPC_HIDDEN;
struct urpc_channel *ul_channel_alloc(const struct urpc_backend_ops *ops)
	URPC_HIDDEN;
void ul_channel_free(struct urpc_channel *c) URPC_HIDDEN;
void ul_channel_settle(struct urpc_channel *c) URPC_HIDDEN;
int ul_channel_start(struct urpc_channel *c,
		     const struct urpc_channel_attr *attr)
	URPC_HIDDEN;

void ul_drop(struct urpc_channel *c, __u64 ctl) URPC_HIDDEN;
int ul_room(struct urpc_channel *c, uint32_t slots) URPC_HIDDEN;
bool ul_is_marked(const struct urpc_tx *tx, uint64_t pos) URPC_HIDDEN;

static inline bool ul_is_gone(const struct urpc_channel *c)
{
	return urpc_load_acquire(&c->priv->gone);
}

/* --- wait.c -------------------------------------------------------------- */

void ul_policy_init(struct urpc_channel *c,
		    const struct urpc_channel_attr *attr)
	URPC_HIDDEN;
bool ul_is_there(struct urpc_channel *c, uint32_t flags, uint64_t pos)
	URPC_HIDDEN;
int ul_wait_for_call(struct urpc_channel *c, enum urpc_kind kind,
		  int64_t timeout_ns) URPC_HIDDEN;
int ul_wait_announced(struct urpc_channel *c, int64_t timeout_ns) URPC_HIDDEN;
void ul_wake_sender(struct urpc_channel *c) URPC_HIDDEN;
uint64_t ul_look_at(__u64 *ctl, enum urpc_poll_mode mode) URPC_HIDDEN;
void ul_look_pause(enum urpc_poll_mode mode) URPC_HIDDEN;

/* --- stats.c ------------------------------------------------------------- */

void ul_stats_of_sender(struct urpc_channel *c) URPC_HIDDEN;
void ul_stats_of_receiver(struct urpc_channel *c) URPC_HIDDEN;
void ul_stats_resume(struct urpc_channel *c) URPC_HIDDEN;
void ul_stats_depth(struct urpc_channel *c) URPC_HIDDEN;

/* --- pass.c -------------------------------------------------------------- */

#define URPC_PASS_FDS	3

/**
 * struct urpc_pass_message - a channel on its way to another process
 * @magic: PASS_MAGIC
 * @module: its back end
 * @level: enum urpc_level
 * @slots: of each ring
 * @side: 0 connected, 1 accepted
 * @cpu: of its endpoint
 * @peer_cpu: of the peer's
 * @rx_sleep: the last sleep word for a message
 * @tx_sleep: for room
 * @peer_node: where the peer receives, -1 if unknown
 * @bounded: no barrier can be had
 * @pid: the peer; 0, as everything of it, when it is not known
 * @uid: its user
 * @gid: its group
 * @who_known: whether it is
 */
struct urpc_pass_message {
	uint32_t magic;
	uint32_t module;
	uint32_t level;
	uint32_t slots;
	uint32_t side;
	uint32_t cpu;
	uint32_t peer_cpu;
	uint32_t rx_sleep;
	uint32_t tx_sleep;
	int32_t peer_node;
	uint32_t bounded;
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
	uint32_t who_known;
	uint32_t __reserved;
};

/* --- fds.c --------------------------------------------------------------- */

int ul_fds_send(int sock, const void *data, size_t bytes, const int *fds,
	     unsigned int nr, int flags) URPC_HIDDEN;
ssize_t ul_fds_recv(int sock, void *data, size_t bytes, int *fds,
		 unsigned int *nr, int flags) URPC_HIDDEN;
void ul_fds_close(int *fds, unsigned int nr) URPC_HIDDEN;

/* --- calibrate.c --------------------------------------------------------- */

int64_t ul_wake_cost_of(const struct urpc_backend_ops *ops) URPC_HIDDEN;

/* --- call.c -------------------------------------------------------------- */

void ul_call_setup(struct urpc_channel *c) URPC_HIDDEN;

#endif /* LIBURPC_INTERNAL_H */
