/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * urpc.h - message channels between CPUs, one cache line a message
 */
#ifndef _UAPI_LINUX_URPC_H
#define _UAPI_LINUX_URPC_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define URPC_TYPE	0xB8

/**
 * DOC: Objects
 *
 * An open file of /dev/urpc becomes an *endpoint* with URPC_ENDPOINT_CREATE: it
 * gets a CPU, which decides on which node its receive rings lie, and perhaps a
 * name.  URPC_CONNECT and URPC_ACCEPT on two endpoints make a *channel*: each
 * side gets a file descriptor of its own, maps it, and exchanges messages
 * through the mapping alone.  The kernel is entered only to sleep and to wake.
 *
 * A channel is two rings, one a direction.  All that a side writes lies in its
 * *transmit region*, all that it reads in the peer's.  The first page of a
 * region is its struct urpc_control, the ring of struct urpc_slot follows on
 * the next page.
 */

/**
 * DOC: Trust levels
 *
 * *guarded*: the transmit region can be written only by its own side; the
 * peer's mapping of it is read-only and cannot be made writable.  Whatever a
 * side writes in its region, the other side gets an error or garbage payload,
 * never more.  The default, and the only level between different credentials.
 *
 * *shared*: both sides map both regions writable.  The peer is trusted like
 * another thread of the own process.  Only where both sides ask for it and
 * have the same effective user and group.
 */
enum urpc_level {
	URPC_GUARDED,
	URPC_SHARED,
	URPC_LEVELS
};

/**
 * DOC: General ioctl format
 *
 * Every argument is a structure that begins with __u32 size, set by the caller
 * to the size of the structure as it was compiled.  A newer kernel accepts a
 * shorter structure; an older kernel accepts a longer one when what it does
 * not know is zero.
 *
 * Every command fails with:
 *
 *  - ENOTTY: the command is not known for this kind of file.
 *  - EINVAL: @size is smaller than the first version of the structure.
 *  - E2BIG: @size is larger than known and the tail is not zero, or larger
 *    than a page.
 *  - EOPNOTSUPP: a flag is not known, or a reserved field is not zero.
 *  - EFAULT: the structure cannot be read or written; a channel that was made
 *    is closed then.
 *
 * A command that fails changes nothing.
 */
enum {
	URPC_CMD_INFO = 0x40,
	/* on an open file of /dev/urpc */
	URPC_CMD_ENDPOINT_CREATE,
	URPC_CMD_CONNECT,
	URPC_CMD_ACCEPT,
	URPC_CMD_PING,
	/* on a channel */
	URPC_CMD_CHANNEL,
	URPC_CMD_WAIT,
	URPC_CMD_WAKE,
};

/* The version of this interface, in struct urpc_info. */
#define URPC_ABI_VERSION	1

/* --- what lies in the mapping --------------------------------------------- */

#define URPC_SLOT_WORDS		7
#define URPC_SLOTS_MIN		16
#define URPC_SLOTS_MAX		4096
#define URPC_CONTROL_BYTES	4096
#define URPC_NAME_MAX		64	/* with the final zero byte */

/**
 * struct urpc_slot - one message, one cache line
 * @word: the payload
 * @ctl: written last; see URPC_CTL_*.  A slot is full when the epoch bit of
 *	@ctl is that of the lap its reader is in: 1 in the first lap of the
 *	ring, then 0, and so on in turn.  A fresh region is all zero.
 */
struct urpc_slot {
	__aligned_u64 word[URPC_SLOT_WORDS];
	__aligned_u64 ctl;
};

/*
 * The control word: bit 0 epoch, bits 1 to 3 kind, bits 8 to 31 length in
 * bytes (of a bulk message, in its first slot), bits 32 to 63 the caller's tag.
 */
#define URPC_CTL_EPOCH		1ull
#define URPC_CTL_KIND_SHIFT	1
#define URPC_CTL_KIND_MASK	7ull
#define URPC_CTL_LEN_SHIFT	8
#define URPC_CTL_LEN_MASK	0xffffffull
#define URPC_CTL_TAG_SHIFT	32

/**
 * enum urpc_kind - what a slot holds
 * @URPC_KIND_MESSAGE: a message of its own
 * @URPC_KIND_BULK: the first slot of a message of several; its length field
 *	says how many bytes, 56 a slot, follow in this slot and the next ones
 * @URPC_KIND_MORE: a later slot of such a message
 * @URPC_KIND_CALL: a request; at the shared level in the call line
 * @URPC_KIND_REPLY: the reply to it
 * @URPC_KIND_TAKEN: shared level: no message, but the mark of a reader that
 *	gives the slot back without an acknowledgment; it leaves the epoch
 *	bit, so the slot is not full in the next lap
 */
enum urpc_kind {
	URPC_KIND_MESSAGE,
	URPC_KIND_BULK,
	URPC_KIND_MORE,
	URPC_KIND_CALL,
	URPC_KIND_REPLY,
	URPC_KIND_TAKEN,
};

/**
 * struct urpc_stats - what the library of a side counted
 * @sent: messages sent
 * @received: messages received
 * @bytes_sent: payload bytes of them
 * @bytes_received: likewise
 * @polls: looks at a slot that was not full
 * @sleeps: times that it slept for a message or for room
 * @wakes: wake calls made
 * @spurious: sleeps that ended with nothing there
 * @depth: by log2: how often so many messages were waiting when the receiver
 *	acknowledged: 0, 1, 2 to 3, 4 to 7, ... 64 and more
 *
 * Written by user space into its own transmit region a few times a lap, and
 * shown in sysfs as it is: the kernel neither needs nor believes it.
 */
struct urpc_stats {
	__aligned_u64 sent;
	__aligned_u64 received;
	__aligned_u64 bytes_sent;
	__aligned_u64 bytes_received;
	__aligned_u64 polls;
	__aligned_u64 sleeps;
	__aligned_u64 wakes;
	__aligned_u64 spurious;
	__aligned_u64 depth[8];
};

/**
 * struct urpc_control - first page of a transmit region
 * @ack: messages taken from the peer's ring so far; the peer may have as many
 *	unacknowledged messages as the ring has slots
 * @rx_sleep: not 0: this side sleeps, or is about to, until a message comes.
 *	The peer's sender tests it after it has published a message.  Each sleep
 *	has another value, so that one sleep costs the peer one wake, however
 *	long the word stays.  The kernel's values have URPC_SLEEP_KERNEL set.
 * @tx_sleep: likewise, until there is room in its ring; the peer's receiver
 *	tests it after it has published @ack
 * @wake_rx: without the module, bumped by this side before it wakes a peer
 *	that waits for a message: the futex the peer sleeps on
 * @wake_tx: likewise, a peer that waits for room
 * @cursor: what poll(2) is told: the first message not taken yet
 * @tx_pos: the next message to be sent; kept up to date only for a side that
 *	hands its channel on
 * @rpc: shared level: the line of the call slot (of the connecting side)
 * @state: written by the kernel alone, a copy for its side to look at:
 *	URPC_STATE_*; without the module, the library's
 * @stats: what the library of this side counted
 * @__pad0: unused, as all of them
 * @__pad1: unused
 * @__pad2: unused
 * @__pad3: unused
 * @__pad4: unused
 * @__pad5: unused
 *
 * Fields that different parties write, or that are read at different times,
 * lie 128 bytes apart: two lines that a prefetcher may pair.
 */
struct urpc_control {
	__aligned_u64 ack;
	__u8 __pad0[120];
	__u32 rx_sleep;
	__u32 tx_sleep;
	__u8 __pad1[120];
	__u32 wake_rx;
	__u32 wake_tx;
	__u8 __pad2[120];
	__aligned_u64 cursor;
	__aligned_u64 tx_pos;
	__u8 __pad3[112];
	struct urpc_slot rpc;
	__u8 __pad4[64];
	__u32 state;
	__u8 __pad5[124];
	struct urpc_stats stats;
};

#define URPC_SLEEP_KERNEL	(1u << 31)

/* urpc_control.state, urpc_channel_info.state */
#define URPC_STATE_PEER_GONE	(1u << 0)	/* the peer closed, or died */
#define URPC_STATE_CPU_OFFLINE	(1u << 1)	/* the own endpoint's CPU is */
#define URPC_STATE_PEER_OFFLINE	(1u << 2)	/* the peer's is */

/* Where a channel's regions are mapped from. */
#define URPC_MMAP_TX	0ull
#define URPC_MMAP_RX	0x40000000ull

/* --- any file of urpc ---------------------------------------------------- */

/**
 * struct urpc_info - ioctl(URPC_INFO)
 * @size: sizeof(struct urpc_info)
 * @flags: must be 0
 * @abi: out: URPC_ABI_VERSION of the module
 * @slots_max: out: largest ring, in slots
 * @endpoints: out: endpoints of the calling user at the moment
 * @channels: out: channel sides of the calling user at the moment
 * @endpoints_max: out: how many the calling user may have
 * @channels_max: out: likewise
 */
struct urpc_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 slots_max;
	__u32 endpoints;
	__u32 channels;
	__u32 endpoints_max;
	__u32 channels_max;
};

#define URPC_INFO _IO(URPC_TYPE, URPC_CMD_INFO)

/* --- an open file of /dev/urpc ------------------------------------------- */

/* Any CPU: rings lie on the node where the caller runs. */
#define URPC_CPU_ANY	0xffffffffu

/**
 * struct urpc_endpoint_create - ioctl(URPC_ENDPOINT_CREATE)
 * @size: sizeof(struct urpc_endpoint_create)
 * @flags: must be 0
 * @cpu: CPU that will receive here, or URPC_CPU_ANY.  Placement only: nothing
 *	depends on the caller's running there.
 * @mode: who may connect, as the write bits of a file mode (0222) for the
 *	effective user and group of the caller and for others
 * @name: zero-terminated; empty for an endpoint that only connects.  Names
 *	have the scope of the IPC namespace.  "cpu/" is reserved.
 *
 * Makes the open file an endpoint.  Fails with EBUSY when it is one already,
 * EINVAL for a CPU that cannot exist, a @mode with other bits, a name that is
 * not terminated or begins with "cpu/", EHOSTDOWN for a CPU that is offline,
 * EADDRINUSE when the name is taken, EDQUOT when the user has too many.
 */
struct urpc_endpoint_create {
	__u32 size;
	__u32 flags;
	__u32 cpu;
	__u32 mode;
	char name[URPC_NAME_MAX];
};

#define URPC_ENDPOINT_CREATE _IO(URPC_TYPE, URPC_CMD_ENDPOINT_CREATE)

/* Fail rather than take a lower level than asked for. */
#define URPC_CONNECT_EXACT	(1u << 0)

/**
 * struct urpc_connect - ioctl(URPC_CONNECT)
 * @size: sizeof(struct urpc_connect)
 * @flags: URPC_CONNECT_EXACT
 * @level: in: the highest level wanted, enum urpc_level; out: what was agreed
 * @slots: slots of each ring, a power of two, URPC_SLOTS_MIN to URPC_SLOTS_MAX
 * @timeout_ns: how long the peer has to accept; negative: as long as it takes
 * @fd: out: the channel, close-on-exec
 * @__reserved: must be 0
 * @name: of the peer's endpoint, or "cpu/N": the CPU driver of CPU N
 *
 * Fails with EINVAL when the file is no endpoint, or for a bad @level, @slots
 * or @name; ENOENT when there is no such endpoint; EACCES when its mode does
 * not let the caller in; ECONNREFUSED when it is closed before it accepts;
 * ETIMEDOUT; EAGAIN when its backlog is full; EPERM with URPC_CONNECT_EXACT
 * when the peer or the credentials allow only a lower level, and for a CPU
 * driver without CAP_SYS_NICE; EHOSTDOWN when that CPU is offline; EDQUOT;
 * ENOMEM.
 */
struct urpc_connect {
	__u32 size;
	__u32 flags;
	__u32 level;
	__u32 slots;
	__s64 timeout_ns;
	__s32 fd;
	__u32 __reserved;
	char name[URPC_NAME_MAX];
};

#define URPC_CONNECT _IO(URPC_TYPE, URPC_CMD_CONNECT)

/**
 * struct urpc_accept - ioctl(URPC_ACCEPT)
 * @size: sizeof(struct urpc_accept)
 * @flags: must be 0
 * @level: in: the highest level allowed; out: what was agreed
 * @slots: out: slots of each ring
 * @timeout_ns: as for struct urpc_connect
 * @fd: out: the channel, close-on-exec
 * @pid: out: the peer's process, in the caller's pid namespace, 0 if not there
 * @uid: out: the peer's effective user, in the caller's user namespace
 * @gid: out: its effective group
 *
 * Takes the next connection.  poll(2) on the endpoint says EPOLLIN when there
 * is one.  Fails with EINVAL when the file is no endpoint with a name, EAGAIN
 * when there is none and @timeout_ns is 0, ETIMEDOUT, EDQUOT, ENOMEM.
 */
struct urpc_accept {
	__u32 size;
	__u32 flags;
	__u32 level;
	__u32 slots;
	__s64 timeout_ns;
	__s32 fd;
	__s32 pid;
	__u32 uid;
	__u32 gid;
};

#define URPC_ACCEPT _IO(URPC_TYPE, URPC_CMD_ACCEPT)

/**
 * struct urpc_ping - ioctl(URPC_PING)
 * @size: sizeof(struct urpc_ping)
 * @flags: must be 0
 * @from: CPU whose driver asks
 * @to: CPU whose driver answers
 * @count: round trips, 1 to 1000000
 * @__reserved: must be 0
 * @ns: out: how long they took, nanoseconds
 *
 * Messages from kernel to kernel, with no user-level dispatch.  Needs
 * CAP_SYS_NICE.  Fails with EINVAL for a CPU that cannot exist or @from equal
 * to @to, ENODEV when a driver is not running (see cpu_drivers in sysfs),
 * EHOSTDOWN when a CPU goes offline meanwhile.
 */
struct urpc_ping {
	__u32 size;
	__u32 flags;
	__u32 from;
	__u32 to;
	__u32 count;
	__u32 __reserved;
	__aligned_u64 ns;
};

#define URPC_PING _IO(URPC_TYPE, URPC_CMD_PING)

/* Tags that a CPU driver knows; any other is answered with the last one. */
#define URPC_DRIVER_PING	1u	/* answered with the same payload */
#define URPC_DRIVER_UNKNOWN	0xffffffffu

/* --- a channel ----------------------------------------------------------- */

/**
 * struct urpc_channel_info - ioctl(URPC_CHANNEL)
 * @size: sizeof(struct urpc_channel_info)
 * @flags: must be 0
 * @level: out: enum urpc_level
 * @slots: out: slots of each ring
 * @side: out: 0 for the side that connected, 1 for the one that accepted
 * @state: out: URPC_STATE_*
 * @region_bytes: out: bytes of each region, to map at URPC_MMAP_TX (shared,
 *	writable) and at URPC_MMAP_RX (shared; read-only when guarded)
 * @id: out: names the channel in sysfs and in tracepoints
 * @cpu: out: CPU of the own endpoint, URPC_CPU_ANY if none
 * @peer_cpu: out: CPU of the peer's
 */
struct urpc_channel_info {
	__u32 size;
	__u32 flags;
	__u32 level;
	__u32 slots;
	__u32 side;
	__u32 state;
	__aligned_u64 region_bytes;
	__aligned_u64 id;
	__u32 cpu;
	__u32 peer_cpu;
};

#define URPC_CHANNEL _IO(URPC_TYPE, URPC_CMD_CHANNEL)

/* Wait for room in the own ring instead of a message. */
#define URPC_WAIT_ROOM		(1u << 0)
/*
 * The caller set its sleep word before it published the request whose answer
 * it waits for: the answer follows the word by causality, no barrier is needed.
 */
#define URPC_WAIT_CAUSAL	(1u << 1)
/*
 * Shared level: what is waited for is not in a ring.  Wait until the kind of
 * the call line, @rpc in the control page of the side that connected, is @pos.
 */
#define URPC_WAIT_CALL		(1u << 2)

/**
 * struct urpc_wait - ioctl(URPC_WAIT)
 * @size: sizeof(struct urpc_wait)
 * @flags: URPC_WAIT_ROOM or URPC_WAIT_CALL, URPC_WAIT_CAUSAL
 * @pos: number of the message that is waited for; with URPC_WAIT_ROOM: the
 *	peer's acknowledgment as it was last seen, of which another is awaited;
 *	with URPC_WAIT_CALL: an enum urpc_kind
 * @timeout_ns: 0: only look; negative: no limit
 *
 * Goes on the wait queue, sets the sleep word in the own transmit region to a
 * new value (with URPC_WAIT_CAUSAL the caller has), makes every CPU that may
 * run the peer pass a full barrier (not with URPC_WAIT_CAUSAL), looks once
 * more, and sleeps.  A sleep ends with the first wake, whatever that was for,
 * and the next one has another value; a caller's word that a wake has cleared
 * before is replaced likewise.  The word is 0 when it returns, unless somebody
 * is registered for poll(2).
 *
 * Returns 0 when what is waited for is there, or when the peer is gone and it
 * will never be: @state of the own control page tells.  Fails with ETIMEDOUT or
 * EINTR, with EINVAL for URPC_WAIT_CALL at the guarded level.
 */
struct urpc_wait {
	__u32 size;
	__u32 flags;
	__aligned_u64 pos;
	__s64 timeout_ns;
};

#define URPC_WAIT _IO(URPC_TYPE, URPC_CMD_WAIT)

/* The peer waits for room, not for a message. */
#define URPC_WAKE_ROOM		(1u << 0)

/**
 * struct urpc_wake - ioctl(URPC_WAKE)
 * @size: sizeof(struct urpc_wake)
 * @flags: URPC_WAKE_ROOM
 *
 * Clears the peer's sleep word and wakes the peer.  Never blocks.
 */
struct urpc_wake {
	__u32 size;
	__u32 flags;
};

#define URPC_WAKE _IO(URPC_TYPE, URPC_CMD_WAKE)

#endif /* _UAPI_LINUX_URPC_H */
