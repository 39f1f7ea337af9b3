/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * piece.h - how a read is cut into what can be bound and what must be copied
 *
 * No kernel is needed here: the same file is tested in user space.
 */
#ifndef COWDEDUP_PIECE_H
#define COWDEDUP_PIECE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <linux/types.h>
#include <stdbool.h>

typedef __u64 u64;
#endif

/**
 * struct cowd_piece - the next part of a read
 * @len: bytes, never 0
 * @whole: it consists of whole pages, of the image and of the memory
 */
struct cowd_piece {
	u64 len;
	bool whole;
};

/**
 * cowd_piece_next - cut off the next piece
 * @pos: position in the image
 * @addr: where it goes
 * @room: bytes there, not 0
 * @left: bytes of the image from @pos on, not 0
 * @page: size of a page
 *
 * A page that the image does not fill is not whole: what is behind the end of
 * the image belongs to whoever owns the memory.
 */
static inline struct cowd_piece cowd_piece_next(u64 pos, u64 addr, u64 room,
						u64 left, u64 page)
{
	u64 len = room < left ? room : left;
	u64 head = -pos & (page - 1);

	/* They are never aligned both. */
	if ((pos ^ addr) & (page - 1))
		return (struct cowd_piece){ .len = len };
	if (head)
		return (struct cowd_piece){ .len = len < head ? len : head };
	if (len < page)
		return (struct cowd_piece){ .len = len };
	return (struct cowd_piece){ .len = len & ~(page - 1), .whole = true };
}

#endif /* COWDEDUP_PIECE_H */
