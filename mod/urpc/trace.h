/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - tracepoints urpc:*
 *
 * No message passes through the kernel, so none is traced; what is: channels
 * that come and go, and who sleeps and wakes.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM urpc

#if !defined(URPC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define URPC_TRACE_H

#include <linux/tracepoint.h>

#include "internal.h"

TRACE_EVENT(connect,
	TP_PROTO(const struct urpc_channel *ch),
	TP_ARGS(ch),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, level)
		__field(u32, slots)
		__field(u32, cpu0)
		__field(u32, cpu1)
	),
	TP_fast_assign(
		__entry->id = ch->id;
		__entry->level = ch->level;
		__entry->slots = ch->slots;
		__entry->cpu0 = ch->side[0].cpu;
		__entry->cpu1 = ch->side[1].cpu;
	),
	TP_printk("channel=%llu level=%s slots=%u cpus=%d,%d", __entry->id,
		  __entry->level == URPC_SHARED ? "shared" : "guarded",
		  __entry->slots, (int)__entry->cpu0, (int)__entry->cpu1)
);

DECLARE_EVENT_CLASS(urpc_side_event,
	TP_PROTO(const struct urpc_side *s),
	TP_ARGS(s),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, side)
	),
	TP_fast_assign(
		__entry->id = s->ch->id;
		__entry->side = urpc_side_index(s);
	),
	TP_printk("channel=%llu side=%u", __entry->id, __entry->side)
);

DEFINE_EVENT(urpc_side_event, close,
	TP_PROTO(const struct urpc_side *s),
	TP_ARGS(s)
);

DECLARE_EVENT_CLASS(urpc_sleep_event,
	TP_PROTO(const struct urpc_side *s, bool room),
	TP_ARGS(s, room),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, side)
		__field(bool, room)
	),
	TP_fast_assign(
		__entry->id = s->ch->id;
		__entry->side = urpc_side_index(s);
		__entry->room = room;
	),
	TP_printk("channel=%llu side=%u for=%s", __entry->id, __entry->side,
		  __entry->room ? "room" : "message")
);

DEFINE_EVENT(urpc_sleep_event, wait_begin,
	TP_PROTO(const struct urpc_side *s, bool room),
	TP_ARGS(s, room)
);

DEFINE_EVENT(urpc_sleep_event, wake,
	TP_PROTO(const struct urpc_side *s, bool room),
	TP_ARGS(s, room)
);

TRACE_EVENT(wait_end,
	TP_PROTO(const struct urpc_side *s, bool room, int ret),
	TP_ARGS(s, room, ret),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, side)
		__field(bool, room)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->id = s->ch->id;
		__entry->side = urpc_side_index(s);
		__entry->room = room;
		__entry->ret = ret;
	),
	TP_printk("channel=%llu side=%u for=%s ret=%d", __entry->id,
		  __entry->side, __entry->room ? "room" : "message",
		  __entry->ret)
);

#endif /* URPC_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
