/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trace.h - tracepoints cowdedup:*
 *
 * A mount is named by its device number, as in sysfs and in mountinfo; a ram
 * file and an image by the number of its inode there and below.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM cowdedup

#if !defined(COWDEDUP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define COWDEDUP_TRACE_H

#include <linux/tracepoint.h>

#include "internal.h"

TRACE_EVENT(bind,
	TP_PROTO(const struct cowd_ram *ram, pgoff_t pgoff,
		 const struct cowd_master *m, unsigned int pages),
	TP_ARGS(ram, pgoff, m, pages),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ram)
		__field(u64, pgoff)
		__field(u64, image)
		__field(u64, index)
		__field(u32, pages)
	),
	TP_fast_assign(
		__entry->dev = ram->inode->i_sb->s_dev;
		__entry->ram = ram->inode->i_ino;
		__entry->pgoff = pgoff;
		__entry->image = d_inode(m->image->path.dentry)->i_ino;
		__entry->index = m->index;
		__entry->pages = pages;
	),
	TP_printk("mount=%u:%u ram=%llu page=%llu image=%llu index=%llu pages=%u",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ram,
		  __entry->pgoff, __entry->image, __entry->index,
		  __entry->pages)
);

TRACE_EVENT(unbind,
	TP_PROTO(const struct cowd_ram *ram, pgoff_t pgoff,
		 unsigned long pages),
	TP_ARGS(ram, pgoff, pages),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ram)
		__field(u64, pgoff)
		__field(u64, pages)
	),
	TP_fast_assign(
		__entry->dev = ram->inode->i_sb->s_dev;
		__entry->ram = ram->inode->i_ino;
		__entry->pgoff = pgoff;
		__entry->pages = pages;
	),
	TP_printk("mount=%u:%u ram=%llu page=%llu bound=%llu",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->ram,
		  __entry->pgoff, __entry->pages)
);

TRACE_EVENT(copy,
	TP_PROTO(const struct cowd_image *img, u64 pos, u64 bytes,
		 unsigned int why),
	TP_ARGS(img, pos, bytes, why),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, image)
		__field(u64, pos)
		__field(u64, bytes)
		__field(u32, why)
	),
	TP_fast_assign(
		__entry->dev = img->mount->sb->s_dev;
		__entry->image = d_inode(img->path.dentry)->i_ino;
		__entry->pos = pos;
		__entry->bytes = bytes;
		__entry->why = why;
	),
	TP_printk("mount=%u:%u image=%llu pos=%llu bytes=%llu why=%s",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->image,
		  __entry->pos, __entry->bytes,
		  __print_symbolic(__entry->why,
				   { COWD_UNALIGNED, "unaligned" },
				   { COWD_ELSEWHERE, "elsewhere" },
				   { COWD_IMAGE, "image" },
				   { COWD_STOPPED, "stopped" },
				   { COWD_MAPPINGS, "mappings" },
				   { COWD_VMA, "vma" },
				   { COWD_USERFAULTFD, "userfaultfd" },
				   { COWD_SOFT_DIRTY, "soft_dirty" },
				   { COWD_LOCKED, "locked" },
				   { COWD_PINNED, "pinned" },
				   { COWD_GUARD, "guard" },
				   { COWD_MEMORY, "memory" },
				   { COWD_ERROR, "error" },
				   { COWD_ADAPTIVE, "adaptive" }))
);

TRACE_EVENT(fill,
	TP_PROTO(const struct cowd_image *img, pgoff_t index,
		 unsigned int pages),
	TP_ARGS(img, index, pages),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, image)
		__field(u64, index)
		__field(u32, pages)
	),
	TP_fast_assign(
		__entry->dev = img->mount->sb->s_dev;
		__entry->image = d_inode(img->path.dentry)->i_ino;
		__entry->index = index;
		__entry->pages = pages;
	),
	TP_printk("mount=%u:%u image=%llu index=%llu pages=%u",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->image,
		  __entry->index, __entry->pages)
);

#endif /* COWDEDUP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
