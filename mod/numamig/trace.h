/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - tracepoints numamig:*
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM numamig

#if !defined(NUMAMIG_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define NUMAMIG_TRACE_H

#include <linux/tracepoint.h>

#include <linux/numamig.h>

#define nm_show_engine(e)						\
	__print_symbolic(e, { 0, "kernel" }, { 1, "helper" })

#define nm_show_reason(r)						\
	__print_symbolic(r, { 0, "page" }, { 1, "block" },		\
			 { 2, "region" })

#define nm_show_order_result(r)						\
	__print_symbolic(r,						\
		{ NUMAMIG_ORDER_MOVED, "moved" },			\
		{ NUMAMIG_ORDER_NOTHING, "nothing" },			\
		{ NUMAMIG_ORDER_REFUSED, "refused" },			\
		{ NUMAMIG_ORDER_GONE, "gone" },				\
		{ NUMAMIG_ORDER_STALE, "stale" },			\
		{ NUMAMIG_ORDER_CPUSET, "cpuset" },			\
		{ NUMAMIG_ORDER_MEMPOLICY, "mempolicy" },		\
		{ NUMAMIG_ORDER_NOMEM, "nomem" },			\
		{ NUMAMIG_ORDER_NO_HELPER, "no_helper" },		\
		{ NUMAMIG_ORDER_HELPER_ERROR, "helper_error" },		\
		{ NUMAMIG_ORDER_SPLIT, "split" },			\
		{ NUMAMIG_ORDER_DRY_RUN, "dry_run" },			\
		{ NUMAMIG_ORDER_CANCELLED, "cancelled" })

TRACE_EVENT(sample,
	TP_PROTO(const struct numamig_sample *s),
	TP_ARGS(s),
	TP_STRUCT__entry(
		__field(u64, addr)
		__field(s32, pid)
		__field(u32, cpu)
		__field(s32, node)
		__field(s32, home)
		__field(u32, flags)
	),
	TP_fast_assign(
		__entry->addr = s->addr;
		__entry->pid = s->pid;
		__entry->cpu = s->cpu;
		__entry->node = s->node;
		__entry->home = s->home;
		__entry->flags = s->flags;
	),
	TP_printk("pid=%d addr=0x%llx cpu=%u node=%d home=%d flags=%s",
		  __entry->pid, __entry->addr, __entry->cpu, __entry->node,
		  __entry->home,
		  __print_flags(__entry->flags, "|",
				{ NUMAMIG_SAMPLE_WRITE, "write" },
				{ NUMAMIG_SAMPLE_SHARED, "shared" },
				{ NUMAMIG_SAMPLE_LARGE, "large" }))
);

TRACE_EVENT(order,
	TP_PROTO(u64 id, s32 pid, u64 addr, u32 pages, s32 node, u8 engine,
		 u8 reason),
	TP_ARGS(id, pid, addr, pages, node, engine, reason),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, addr)
		__field(s32, pid)
		__field(u32, pages)
		__field(s32, node)
		__field(u8, engine)
		__field(u8, reason)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->addr = addr;
		__entry->pid = pid;
		__entry->pages = pages;
		__entry->node = node;
		__entry->engine = engine;
		__entry->reason = reason;
	),
	TP_printk("id=%llu pid=%d addr=0x%llx pages=%u node=%d engine=%s reason=%s",
		  __entry->id, __entry->pid, __entry->addr, __entry->pages,
		  __entry->node, nm_show_engine(__entry->engine),
		  nm_show_reason(__entry->reason))
);

TRACE_EVENT(migrate_begin,
	TP_PROTO(u64 id, u8 engine, u32 pages),
	TP_ARGS(id, engine, pages),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, pages)
		__field(u8, engine)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->pages = pages;
		__entry->engine = engine;
	),
	TP_printk("id=%llu engine=%s pages=%u", __entry->id,
		  nm_show_engine(__entry->engine), __entry->pages)
);

TRACE_EVENT(migrate_end,
	TP_PROTO(u64 id, u8 engine, u32 result, u64 moved),
	TP_ARGS(id, engine, result, moved),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, moved)
		__field(u32, result)
		__field(u8, engine)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->moved = moved;
		__entry->result = result;
		__entry->engine = engine;
	),
	TP_printk("id=%llu engine=%s result=%s moved=%llu", __entry->id,
		  nm_show_engine(__entry->engine),
		  nm_show_order_result(__entry->result), __entry->moved)
);

TRACE_EVENT(skip,
	TP_PROTO(u64 id, s32 pid, u64 addr, s32 node, u32 result),
	TP_ARGS(id, pid, addr, node, result),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, addr)
		__field(s32, pid)
		__field(s32, node)
		__field(u32, result)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->addr = addr;
		__entry->pid = pid;
		__entry->node = node;
		__entry->result = result;
	),
	TP_printk("id=%llu pid=%d addr=0x%llx node=%d reason=%s", __entry->id,
		  __entry->pid, __entry->addr, __entry->node,
		  nm_show_order_result(__entry->result))
);

#endif /* NUMAMIG_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
