/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * urpc.h - message channels between CPUs, one cache line a message
 *
 * Functions return 0 (or a count) on success and a negative errno on failure;
 * errno itself is not set.  A timeout is in nanoseconds: 0 does not wait, a
 * negative one has no end.
 *
 * One thread may send on a channel while another receives on it; each
 * direction is used by one thread at a time.  Calls use both directions.
 */
#ifndef URPC_H
#define URPC_H

#include <errno.h>
#include <linux/urpc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "urpc_ring.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Two lines that a prefetcher may pair. */
#define URPC_APART	128

/* Looks at an empty ring between two at whether the peer is still there. */
#define URPC_IDLE_LOOKS	1024

struct urpc_endpoint;
struct urpc_private;

/**
 * struct urpc_channel - one side of a channel
 * @tx: the ring that this side writes
 * @tx_marks: shared level: look for %URPC_KIND_TAKEN before acknowledgements
 * @rx: the ring that it reads
 * @rx_polls: looks for a message before the receiver sleeps
 * @rx_idle: looks at an empty ring so far
 * @rx_missed: sleeps in a row that polling would not have saved
 * @rx_gone: the peer is known to be gone
 * @rx_marks: shared level: give slots back by %URPC_KIND_TAKEN
 * @rx_report: position at which counters are written down next
 * @priv: what the library has besides
 *
 * The members are the library's; they are here for the functions below.
 */
struct urpc_channel {
	struct urpc_tx tx __attribute__((aligned(URPC_APART)));
	uint32_t tx_marks;
	struct urpc_rx rx __attribute__((aligned(URPC_APART)));
	uint32_t rx_polls;
	uint32_t rx_idle;
	uint32_t rx_missed;
	uint32_t rx_gone;
	uint32_t rx_marks;
	uint64_t rx_report;
	struct urpc_private *priv __attribute__((aligned(URPC_APART)));
};

/* --- back ends ----------------------------------------------------------- */

/**
 * urpc_backend - what carries new endpoints
 *
 * Return: "module" where /dev/urpc can be opened, else "memfd": rings and
 * sleeping without the module.  The environment variable URPC_BACKEND decides
 * when it is set.
 */
const char *urpc_backend(void);

/** urpc_channel_backend - what carries this channel */
const char *urpc_channel_backend(const struct urpc_channel *c);

/* --- endpoints ----------------------------------------------------------- */

/* urpc_endpoint_attr.flags: @cpu is given. */
#define URPC_ENDPOINT_CPU	(1u << 0)

/**
 * struct urpc_endpoint_attr - all zero for an endpoint that only connects
 * @name: to be connected to by; NULL for an endpoint that only connects
 * @flags: URPC_ENDPOINT_CPU
 * @cpu: CPU that will receive here; decides where memory lies, no more
 * @mode: who may connect: write bits of a file mode (0222) for the own user,
 *	the own group, and others; 0 is 0200
 * @__reserved: 0
 */
struct urpc_endpoint_attr {
	const char *name;
	uint32_t flags;
	uint32_t cpu;
	uint32_t mode;
	uint32_t __reserved[5];
};

/**
 * urpc_endpoint_create - make an endpoint; with a name, it listens
 * @endpoint: out
 * @attr: may be NULL
 *
 * Return: 0; -EADDRINUSE for a name that is taken; -EINVAL, -EHOSTDOWN for a
 * CPU that cannot be or is offline; -EDQUOT.
 */
int urpc_endpoint_create(struct urpc_endpoint **endpoint,
			 const struct urpc_endpoint_attr *attr);

/** urpc_endpoint_close - close it; channels that it made live on */
void urpc_endpoint_close(struct urpc_endpoint *endpoint);

/** urpc_endpoint_fd - for poll(2): readable when urpc_accept() may succeed */
int urpc_endpoint_fd(const struct urpc_endpoint *endpoint);

/* --- channels ------------------------------------------------------------ */

/* urpc_channel_attr.flags */
/* Fail rather than take a lower level than asked for. */
#define URPC_ATTR_EXACT		(1u << 0)
/* Shared level: give every slot back by a mark in it. */
#define URPC_ATTR_MARKS		(1u << 1)
/* Shared level: measure which way to poll is best between the two CPUs. */
#define URPC_ATTR_PROBE		(1u << 2)

/**
 * enum urpc_poll_mode - how to look for a message
 * @URPC_POLL_LOAD: load, one PAUSE; the only one at the guarded level
 * @URPC_POLL_RMW: locked read-modify-write, two PAUSEs
 * @URPC_POLL_PREFETCHW: load after a prefetch for writing, one PAUSE
 */
enum urpc_poll_mode {
	URPC_POLL_LOAD,
	URPC_POLL_RMW,
	URPC_POLL_PREFETCHW,
	URPC_POLL_MODES
};

#define URPC_SLOTS_DEFAULT	64

/**
 * struct urpc_channel_attr - all zero for the defaults
 * @slots: of each ring, a power of two, 16 to 4096; 0 is 64.  The connecting
 *	side decides.
 * @level: the highest level wanted or allowed, enum urpc_level
 * @flags: URPC_ATTR_*
 * @poll_mode: enum urpc_poll_mode, for the shared level
 * @poll_ns: how long to poll before sleeping; 0 adapts, up to the wake cost;
 *	negative never polls
 * @wake_cost_ns: what a sleep and a wake cost; 0: measured once
 * @__reserved: 0
 */
struct urpc_channel_attr {
	uint32_t slots;
	uint32_t level;
	uint32_t flags;
	uint32_t poll_mode;
	int64_t poll_ns;
	int64_t wake_cost_ns;
	uint64_t __reserved[4];
};

/**
 * struct urpc_peer - who is at the other end
 * @pid: process, 0 when it is in a pid namespace that cannot be seen from here
 * @uid: effective user
 * @gid: effective group
 */
struct urpc_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/**
 * urpc_connect - connect to an endpoint by its name
 * @endpoint: own endpoint, which says where the receive ring lies; may be NULL
 * @name: of the peer's endpoint
 * @attr: may be NULL
 * @timeout_ns: how long the peer has to accept
 * @channel: out
 *
 * Return: 0; -ENOENT when there is no such endpoint; -EACCES when it does not
 * let the caller in; -ECONNREFUSED when it is closed first; -ETIMEDOUT;
 * -EAGAIN when its backlog is full; -EPERM with URPC_ATTR_EXACT for a level
 * that cannot be had.
 */
int urpc_connect(struct urpc_endpoint *endpoint, const char *name,
		 const struct urpc_channel_attr *attr, int64_t timeout_ns,
		 struct urpc_channel **channel);

/**
 * urpc_accept - take the next connection
 * @endpoint: one with a name
 * @attr: may be NULL; @attr->slots is not looked at
 * @timeout_ns: how long to wait for one
 * @channel: out
 *
 * Return: 0; -EAGAIN when there is none and @timeout_ns is 0; -ETIMEDOUT.
 */
int urpc_accept(struct urpc_endpoint *endpoint,
		const struct urpc_channel_attr *attr, int64_t timeout_ns,
		struct urpc_channel **channel);

/** urpc_pair - both ends of a channel, in this process; [0] connected */
int urpc_pair(const struct urpc_channel_attr *attr,
	      struct urpc_channel *channels[2]);

/**
 * urpc_close - close this side
 * @channel: may be NULL; no thread is in a function on it
 *
 * The peer still receives everything that was sent, then gets -EPIPE.
 */
void urpc_close(struct urpc_channel *channel);

enum urpc_level urpc_channel_level(const struct urpc_channel *channel);
unsigned int urpc_channel_slots(const struct urpc_channel *channel);

/** urpc_channel_side - 0 connected, 1 accepted */
unsigned int urpc_channel_side(const struct urpc_channel *channel);

/** urpc_channel_peer - credentials; -ENODATA where the back end has none */
int urpc_channel_peer(const struct urpc_channel *channel,
		      struct urpc_peer *peer);

/** urpc_state - URPC_STATE_*, asked for anew */
unsigned int urpc_state(struct urpc_channel *channel);

/**
 * urpc_unacked - messages sent that the peer has not acknowledged
 *
 * After -EPIPE: at most that many of the last ones were not received.  A
 * receiver acknowledges a quarter of the ring at a time, and before it sleeps.
 */
uint64_t urpc_unacked(const struct urpc_channel *channel);

/** urpc_get_stats - what this side counted */
int urpc_get_stats(struct urpc_channel *channel, struct urpc_stats *stats);

/* --- poll(2) ------------------------------------------------------------- */

/**
 * urpc_channel_fd - readable when a message is there, or the peer is gone
 *
 * Only after urpc_poll_prepare().  Level-triggered.  Return: the descriptor,
 * which stays the channel's, or a negative errno.
 */
int urpc_channel_fd(struct urpc_channel *channel);

/**
 * urpc_poll_prepare - say up to where messages were taken, before poll(2)
 *
 * Return: 1 when a message is there already (the descriptor is readable, too),
 * 0 when poll(2) will tell, -EPIPE when the peer is gone and all was taken.
 */
int urpc_poll_prepare(struct urpc_channel *channel);

/* --- passing a channel on ------------------------------------------------ */

/**
 * urpc_channel_pass - hand this side to another process
 * @channel: closed here on success
 * @socket: AF_UNIX, connected; blocking
 *
 * Return: 0; -EBUSY in the middle of a call or of a bulk message.
 */
int urpc_channel_pass(struct urpc_channel *channel, int socket);

/** urpc_channel_take - take a side that urpc_channel_pass() hands over */
int urpc_channel_take(int socket, const struct urpc_channel_attr *attr,
		      struct urpc_channel **channel);

/* --- measuring ----------------------------------------------------------- */

/**
 * urpc_wake_cost_ns - what it costs to sleep and be woken, one way
 *
 * Measured once a process and back end; the environment variable
 * URPC_WAKE_COST_NS gives it.
 */
int64_t urpc_wake_cost_ns(void);

/**
 * struct urpc_calibration - one-way latency by way of polling, nanoseconds
 * @ns: by enum urpc_poll_mode; 16 lines a direction, as in a ring
 * @one_line_ns: request and reply in one line
 * @best: of @ns; %URPC_POLL_LOAD unless another one takes less than 0.7 of it
 * @one_line_best: of @one_line_ns, likewise, less than 0.95
 */
struct urpc_calibration {
	double ns[URPC_POLL_MODES];
	double one_line_ns[URPC_POLL_MODES];
	enum urpc_poll_mode best;
	enum urpc_poll_mode one_line_best;
};

/** urpc_calibrate - measure between two CPUs; -EINVAL for one not to be used */
int urpc_calibrate(unsigned int cpu, unsigned int peer_cpu,
		   struct urpc_calibration *result);

/* --- slow halves of what follows; not to be called by programs ----------- */

int __urpc_room(struct urpc_channel *c);
int __urpc_wait_room(struct urpc_channel *c, int64_t timeout_ns);
int __urpc_empty(struct urpc_channel *c);
int __urpc_wait_message(struct urpc_channel *c, int64_t timeout_ns);
int __urpc_odd(struct urpc_channel *c, __u64 ctl);
void __urpc_wake_receiver(struct urpc_channel *c);
void __urpc_acked(struct urpc_channel *c);

/* For compilers: what these return is an error. */
static inline int __urpc_error(int ret)
{
	if (!ret)
		__builtin_unreachable();
	return ret;
}

static inline void urpc_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" ::: "memory");
#endif
}

/* --- sending ------------------------------------------------------------- */

/* Was the next slot given back by a mark, one lap ago?  Then there is room. */
static inline bool __urpc_is_marked(struct urpc_channel *c)
{
	const uint64_t kind = URPC_CTL_KIND_MASK << URPC_CTL_KIND_SHIFT;
	uint64_t taken = (uint64_t)URPC_KIND_TAKEN << URPC_CTL_KIND_SHIFT |
			 (~urpc_epoch(c->tx.pos, c->tx.shift) & URPC_CTL_EPOCH);

	if (!c->tx_marks ||
	    (urpc_load_acquire(&urpc_tx_slot(&c->tx)->ctl) &
	     (kind | URPC_CTL_EPOCH)) != taken)
		return false;
	c->tx.limit = c->tx.pos + 1;
	return true;
}

/**
 * urpc_try_slot - the slot of the next message, to be filled in place
 * @c: channel
 * @slot: out; valid until urpc_publish()
 *
 * Return: 0; -EAGAIN when the ring is full; -EPIPE; -EPROTO when the peer broke
 * the rules.
 */
static inline int urpc_try_slot(struct urpc_channel *c,
				struct urpc_slot **slot)
{
	if (urpc_unlikely(!urpc_tx_has_room(&c->tx)) && !__urpc_is_marked(c)) {
		int ret = __urpc_room(c);

		if (ret)
			return ret;
	}
	*slot = urpc_tx_slot(&c->tx);
	return 0;
}

/** urpc_slot_timed - likewise, and wait; -ETIMEDOUT */
static inline int urpc_slot_timed(struct urpc_channel *c,
				  struct urpc_slot **slot, int64_t timeout_ns)
{
	if (urpc_unlikely(!urpc_tx_has_room(&c->tx)) && !__urpc_is_marked(c)) {
		int ret = __urpc_wait_room(c, timeout_ns);

		if (ret)
			return ret;
	}
	*slot = urpc_tx_slot(&c->tx);
	return 0;
}

/* Publish with a control word; no fence, see Documentation/design/urpc.md. */
static inline void __urpc_publish(struct urpc_channel *c, __u64 ctl)
{
	urpc_tx_publish(&c->tx, ctl);
	if (urpc_tx_peer_sleeps(&c->tx))
		__urpc_wake_receiver(c);
}

/** urpc_publish - send the slot that urpc_try_slot() gave */
static inline void urpc_publish(struct urpc_channel *c, uint32_t tag)
{
	__urpc_publish(c, urpc_ctl(tag, URPC_KIND_MESSAGE, 0));
}

/*
 * As wide as the CPU stores.  Nobody looks before the control word, which is
 * stored after these.
 */
static inline void __urpc_fill(struct urpc_slot *s, const uint64_t *word)
{
	__builtin_memcpy(s->word, word, sizeof(s->word));
}

/**
 * urpc_try_send - send a message
 * @c: channel
 * @tag: goes with it
 * @word: URPC_SLOT_WORDS words
 *
 * Return: as urpc_try_slot().
 */
static inline int urpc_try_send(struct urpc_channel *c, uint32_t tag,
				const uint64_t *word)
{
	struct urpc_slot *s = NULL;
	int ret = urpc_try_slot(c, &s);

	if (urpc_unlikely(ret))
		return ret;
	__urpc_fill(s, word);
	urpc_publish(c, tag);
	return 0;
}

/** urpc_send_timed - likewise, and wait for room; -ETIMEDOUT */
static inline int urpc_send_timed(struct urpc_channel *c, uint32_t tag,
				  const uint64_t *word, int64_t timeout_ns)
{
	struct urpc_slot *s = NULL;
	int ret = urpc_slot_timed(c, &s, timeout_ns);

	if (urpc_unlikely(ret))
		return ret;
	__urpc_fill(s, word);
	urpc_publish(c, tag);
	return 0;
}

/** urpc_send - likewise, as long as it takes */
static inline int urpc_send(struct urpc_channel *c, uint32_t tag,
			    const uint64_t *word)
{
	return urpc_send_timed(c, tag, word, -1);
}

/* --- receiving ----------------------------------------------------------- */

/* Nothing there.  Now and then it is because nobody is there. */
static inline int __urpc_nothing(struct urpc_channel *c)
{
	if (urpc_unlikely(c->rx_gone || !(++c->rx_idle % URPC_IDLE_LOOKS)))
		return __urpc_error(__urpc_empty(c));
	return -EAGAIN;
}

/* A slot that no plain message is in? */
static inline bool __urpc_is_odd(__u64 ctl)
{
	return ctl & URPC_CTL_KIND_MASK << URPC_CTL_KIND_SHIFT;
}

/* The message with this control word was taken. */
static inline void __urpc_taken(struct urpc_channel *c, __u64 ctl)
{
	if (urpc_unlikely(c->rx_marks)) {
		struct urpc_slot *s = (struct urpc_slot *)
			(uintptr_t)urpc_rx_slot(&c->rx);

		urpc_store_release(&s->ctl, (ctl & URPC_CTL_EPOCH) |
				   urpc_ctl(0, URPC_KIND_TAKEN, 0));
	}
	if (urpc_rx_next(&c->rx) &&
	    (urpc_unlikely(urpc_rx_peer_sleeps(&c->rx)) ||
	     c->rx.pos >= c->rx_report))
		__urpc_acked(c);
}

/* Look as long as it is worth it; false: go and sleep. */
static inline bool __urpc_poll_message(struct urpc_channel *c, __u64 *ctl)
{
	uint32_t n;

	for (n = 0; n < c->rx_polls; n++) {
		urpc_pause();
		if (urpc_rx_full(&c->rx, ctl)) {
			c->rx_idle += n;
			c->rx_missed = 0;
			return true;
		}
	}
	c->rx_idle += n;
	return false;
}

/**
 * urpc_try_peek - look at the next message in place
 * @c: channel
 * @slot: out; valid until urpc_done().  At the guarded level the peer may
 *	change what it points to at any time: read each word once, and check
 *	what was read.
 * @tag: out; may be NULL
 *
 * Return: 0; -EAGAIN when there is none; -EPIPE when there will be none;
 * -EMSGSIZE when the next one is a bulk message or a call, and was left there;
 * -EBADMSG when it was garbage, and was dropped.
 */
static inline int urpc_try_peek(struct urpc_channel *c,
				const struct urpc_slot **slot, uint32_t *tag)
{
	__u64 ctl;

	if (!urpc_rx_full(&c->rx, &ctl))
		return __urpc_nothing(c);
	if (urpc_unlikely(__urpc_is_odd(ctl)))
		return __urpc_error(__urpc_odd(c, ctl));
	*slot = urpc_rx_slot(&c->rx);
	if (tag)
		*tag = urpc_ctl_tag(ctl);
	return 0;
}

/** urpc_peek_timed - likewise, and wait; -ETIMEDOUT */
static inline int urpc_peek_timed(struct urpc_channel *c,
				  const struct urpc_slot **slot, uint32_t *tag,
				  int64_t timeout_ns)
{
	__u64 ctl;

	if (!urpc_rx_full(&c->rx, &ctl)) {
		if (!timeout_ns)
			return __urpc_nothing(c);
		if (!__urpc_poll_message(c, &ctl)) {
			int ret = __urpc_wait_message(c, timeout_ns);

			if (ret)
				return ret;
			urpc_rx_full(&c->rx, &ctl);
		}
	}
	if (urpc_unlikely(__urpc_is_odd(ctl)))
		return __urpc_error(__urpc_odd(c, ctl));
	*slot = urpc_rx_slot(&c->rx);
	if (tag)
		*tag = urpc_ctl_tag(ctl);
	return 0;
}

/** urpc_done - the message that was looked at is done with */
static inline void urpc_done(struct urpc_channel *c)
{
	/* the peer may have changed the word, but not which lap it is */
	__urpc_taken(c, urpc_epoch(c->rx.pos, c->rx.shift));
}

/*
 * As wide as the CPU loads.  Whoever looks at the copy must not be made to look
 * at the slot again, which the peer may have changed: the compiler forgets what
 * it knows of both.
 */
static inline void __urpc_copy(uint64_t *word, const struct urpc_slot *s)
{
	__builtin_memcpy(word, s->word, sizeof(s->word));
	__asm__ __volatile__("" : : "r" (word) : "memory");
}

/**
 * urpc_try_recv - receive a message
 * @c: channel
 * @tag: out; may be NULL
 * @word: out; URPC_SLOT_WORDS words
 *
 * Return: as urpc_try_peek().
 */
static inline int urpc_try_recv(struct urpc_channel *c, uint32_t *tag,
				uint64_t *word)
{
	const struct urpc_slot *s = NULL;
	int ret = urpc_try_peek(c, &s, tag);

	if (ret)
		return ret;
	__urpc_copy(word, s);
	urpc_done(c);
	return 0;
}

/** urpc_recv_timed - likewise, and wait; -ETIMEDOUT */
static inline int urpc_recv_timed(struct urpc_channel *c, uint32_t *tag,
				  uint64_t *word, int64_t timeout_ns)
{
	const struct urpc_slot *s = NULL;
	int ret = urpc_peek_timed(c, &s, tag, timeout_ns);

	if (urpc_unlikely(ret))
		return ret;
	__urpc_copy(word, s);
	urpc_done(c);
	return 0;
}

/** urpc_recv - likewise, as long as it takes */
static inline int urpc_recv(struct urpc_channel *c, uint32_t *tag,
			    uint64_t *word)
{
	return urpc_recv_timed(c, tag, word, -1);
}

/**
 * urpc_skip - drop the next message unread
 * @channel: channel
 *
 * Of a bulk message the first slot; the functions that receive drop the others
 * with -EBADMSG.  Return: 0; -EAGAIN; -EPIPE.
 */
int urpc_skip(struct urpc_channel *channel);

/* --- many messages at once ----------------------------------------------- */

/**
 * struct urpc_message - a message of a batch
 * @word: the payload
 * @__undefined: the library's
 * @tag: goes with it
 */
struct urpc_message {
	uint64_t word[URPC_SLOT_WORDS];
	uint32_t __undefined;
	uint32_t tag;
};

/**
 * urpc_try_send_batch - send as many as there is room for
 *
 * Return: how many, at least 1; or as urpc_try_send().
 */
int urpc_try_send_batch(struct urpc_channel *channel,
			const struct urpc_message *messages,
			unsigned int count);

/**
 * urpc_send_batch - send them all
 * @timeout_ns: for all of them
 *
 * Return: how many were sent: @count, or fewer when time was up or the peer
 * went; a negative errno when none was.
 */
int urpc_send_batch(struct urpc_channel *channel,
		    const struct urpc_message *messages, unsigned int count,
		    int64_t timeout_ns);

/**
 * urpc_try_recv_batch - receive what is there
 * @messages: out
 * @count: room there
 *
 * Return: how many, at least 1; or as urpc_try_recv().  Ends before a bulk
 * message or a call.
 */
int urpc_try_recv_batch(struct urpc_channel *channel,
			struct urpc_message *messages, unsigned int count);

/** urpc_recv_batch - likewise, and wait for the first one; -ETIMEDOUT */
int urpc_recv_batch(struct urpc_channel *channel,
		    struct urpc_message *messages, unsigned int count,
		    int64_t timeout_ns);

/* --- messages larger than a slot ----------------------------------------- */

#define URPC_SLOT_BYTES	(URPC_SLOT_WORDS * 8)
#define URPC_BULK_MAX	URPC_CTL_LEN_MASK

/**
 * urpc_send_bulk - send up to URPC_BULK_MAX bytes as one message
 * @timeout_ns: for all of it; 0 sends all or nothing
 *
 * Return: 0; -EMSGSIZE when it is too large, or, with @timeout_ns 0, larger
 * than the ring; -ETIMEDOUT: the peer drops what it got of it.
 */
int urpc_send_bulk(struct urpc_channel *channel, uint32_t tag,
		   const void *data, size_t bytes, int64_t timeout_ns);

/**
 * urpc_recv_bulk - receive a message of any size
 * @tag: out; may be NULL
 * @data: out
 * @size: room there
 * @timeout_ns: for all of it
 *
 * Return: its bytes, URPC_SLOT_BYTES for a plain message; -EMSGSIZE when there
 * is not enough room, or a call is next: the message is left there; -EBADMSG:
 * the peer gave it up in the middle; -ETIMEDOUT, -EAGAIN: call again, with the
 * same buffer.
 */
ssize_t urpc_recv_bulk(struct urpc_channel *channel, uint32_t *tag,
		       void *data, size_t size, int64_t timeout_ns);

/** urpc_next_bytes - bytes of the next message; -EAGAIN, -EPIPE */
ssize_t urpc_next_bytes(struct urpc_channel *channel);

/* --- call and return ----------------------------------------------------- */

/**
 * urpc_call - call the accepting side, and wait for what it returns
 * @channel: the connecting side
 * @tag: goes with the request
 * @word: request; URPC_SLOT_WORDS words
 * @reply_tag: out; may be NULL
 * @reply: out; URPC_SLOT_WORDS words; may be @word
 * @timeout_ns: for both
 *
 * Return: 0; -EBUSY while an earlier call is open; -ETIMEDOUT: the call is
 * open, finish it with urpc_call_finish(); -EPIPE.
 */
int urpc_call(struct urpc_channel *channel, uint32_t tag, const uint64_t *word,
	      uint32_t *reply_tag, uint64_t *reply, int64_t timeout_ns);

/** urpc_call_start - the first half: send the request; -EAGAIN without room */
int urpc_call_start(struct urpc_channel *channel, uint32_t tag,
		    const uint64_t *word);

/** urpc_call_finish - second half: wait for the reply; -EINVAL without call */
int urpc_call_finish(struct urpc_channel *channel, uint32_t *tag,
		     uint64_t *reply, int64_t timeout_ns);

/**
 * urpc_call_next - wait for a request
 * @channel: the accepting side
 *
 * Return: 0; -EBUSY before the one before is answered; -EMSGSIZE when no call
 * is next but a message; -ETIMEDOUT; -EPIPE.
 */
int urpc_call_next(struct urpc_channel *channel, uint32_t *tag, uint64_t *word,
		   int64_t timeout_ns);

/** urpc_call_reply - answer it; -EINVAL when there is none to answer */
int urpc_call_reply(struct urpc_channel *channel, uint32_t tag,
		    const uint64_t *word);

#ifdef __cplusplus
}
#endif

#endif /* URPC_H */
