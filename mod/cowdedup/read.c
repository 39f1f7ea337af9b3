// SPDX-License-Identifier: GPL-2.0-only
/*
 * read.c - a guest's disk is read
 *
 * read(2) and its relatives, by whatever way they come: each piece of whole
 * pages that goes into a guest's memory is bound, or copied if that is cheaper
 * and adaptive=on, and all else is copied as by the file below.  A read is
 * never shorter than a copy would be: QEMU, for one, gives up preadv() for good
 * when it is.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "cowdedup_compat.h"
#include "internal.h"
#include "piece.h"
#include "trace.h"

/**
 * struct cowd_read - a read under way
 * @img: of which image
 * @lower: the file below
 * @to: where to; it advances
 * @pos: from where; it advances
 * @batch: see make_batch()
 * @more: what it uses if it is for more than a few pages
 * @few_masters: else, what it uses
 * @few_vecs: with them
 */
struct cowd_read {
	struct cowd_image *img;
	struct file *lower;
	struct iov_iter *to;
	loff_t pos;
	struct cowd_batch batch;
	void *more;
	struct cowd_master *few_masters[COWD_FEW];
	struct bio_vec few_vecs[COWD_FEW];
};

static void count_copy(struct cowd_read *r, loff_t pos, size_t bytes,
		       enum cowd_why why)
{
	trace_copy(r->img, pos, bytes, why);
	cowd_count_n(r->img->mount, why, bytes);
	cowd_count_n(r->img->mount, COWD_C_BYTES_READ, bytes);
}

/* Read @len bytes at most as the file below does. */
static ssize_t copy(struct cowd_read *r, size_t len, enum cowd_why why)
{
	size_t all = iov_iter_count(r->to);
	loff_t pos = r->pos;
	ssize_t ret;

	iov_iter_truncate(r->to, len);
	len = iov_iter_count(r->to);
	ret = cowd_image_read_below(r->img, r->lower, r->to, &r->pos);
	iov_iter_reexpand(r->to, all - len + iov_iter_count(r->to));
	if (ret > 0)
		count_copy(r, pos, ret, why);
	return ret;
}

/* Masters are there, but cannot be bound: so their content is copied. */
static size_t copy_masters(struct cowd_read *r, unsigned int n,
			   enum cowd_why why)
{
	size_t done = 0, got = PAGE_SIZE;
	struct page *page;
	unsigned int i;

	for (i = 0; i < n && got == PAGE_SIZE; i++) {
		page = cowd_master_page(r->batch.master[i]);
		if (!page)
			break;
		got = PageUptodate(page) && !PageHWPoison(page) ?
		      copy_page_to_iter(page, 0, PAGE_SIZE, r->to) : 0;
		put_page(page);
		done += got;
	}
	if (done)
		count_copy(r, r->pos, done, why);
	r->pos += done;
	return done;
}

/* Make room for @pages at a time, or for as many as there can be. */
static void make_batch(struct cowd_read *r, unsigned int pages)
{
	struct cowd_batch *b = &r->batch;
	const size_t each = sizeof(*b->vec) + sizeof(*b->master);

	if (b->room && (pages <= b->room || r->more))
		return;
	if (pages > COWD_FEW)
		r->more = kmalloc_array(COWD_BATCH, each,
					GFP_KERNEL | __GFP_NOWARN);
	if (r->more) {
		b->room = COWD_BATCH;
		b->vec = r->more;
		b->master = (void *)(b->vec + COWD_BATCH);
	} else {
		b->room = COWD_FEW;
		b->vec = r->few_vecs;
		b->master = r->few_masters;
	}
}

/* Bind @n masters of the batch, or copy them; what is not bound is let go. */
static size_t use_masters(struct cowd_read *r, unsigned long addr,
			  unsigned int got, size_t *len, enum cowd_why *why)
{
	struct cowd_mount *mnt = r->img->mount;
	unsigned int n = got, i;
	size_t done = 0;

	*why = cowd_bind(mnt, addr, &r->batch, &n);
	*len = (size_t)n << PAGE_SHIFT;
	if (!*why) {
		done = *len;
		r->pos += done;
		cowd_count_n(mnt, COWD_C_BYTES_READ, done);
		if (r->to)
			iov_iter_advance(r->to, done);
	} else if (r->to) {
		done = copy_masters(r, n, *why);
	}
	for (i = *why ? 0 : n; i < got; i++)
		cowd_master_put(r->batch.master[i]);
	return done;
}

/* Copy @pages to memory; no masters are made for it. */
static size_t copy_pages(struct cowd_read *r, unsigned int pages, size_t *len,
			 enum cowd_why *why)
{
	unsigned int got, i;
	ssize_t done;

	*why = COWD_ADAPTIVE;
	*len = (size_t)pages << PAGE_SHIFT;
	got = cowd_masters_find(r->img, r->pos >> PAGE_SHIFT, pages, &r->batch);
	/* An error is seen when it is copied again. */
	done = got ? copy_masters(r, got, *why) : copy(r, *len, *why);
	for (i = 0; i < got; i++)
		cowd_master_put(r->batch.master[i]);
	return max_t(ssize_t, done, 0);
}

static size_t bind_pages(struct cowd_read *r, unsigned long addr,
			 unsigned int pages, size_t *len, enum cowd_why *why)
{
	unsigned int got;

	got = cowd_masters_get(r->img, r->pos >> PAGE_SHIFT, pages, &r->batch,
			       why);
	if (r->batch.nid != NUMA_NO_NODE)
		cowd_replicas_use(&r->batch, got);
	if (got)
		return use_masters(r, addr, got, len, why);
	*len = (size_t)pages << PAGE_SHIFT;
	return 0;
}

/* adaptive=on: the way that has been cheaper; what it takes is remembered. */
static size_t get_pages(struct cowd_read *r, unsigned long addr,
			unsigned int pages, size_t *len, enum cowd_why *why)
{
	struct cowd_stopwatch w;
	size_t done;

	if (cowd_adaptive_begin(&w, r->img->mount, addr, pages) ==
	    COWD_WAY_COPY) {
		pages = min_t(unsigned int, pages, COWD_COST_COPY);
		done = copy_pages(r, pages, len, why);
		cowd_adaptive_end(&w, done);
		return done;
	}
	done = bind_pages(r, addr, pages, len, why);
	/* To read the image is no part of it: a copy has to do that, too. */
	if (!*why && !r->batch.filled)
		cowd_adaptive_end(&w, done);
	return done;
}

/*
 * Bind the whole pages at @addr, as many of @len bytes as there can be at once.
 * If nothing is done, @len says how much of it is to be copied for that.
 */
static size_t bind_some(struct cowd_read *r, unsigned long addr, size_t *len,
			enum cowd_why *why)
{
	unsigned long pages;

	*why = READ_ONCE(r->img->why);
	/* masters there would have the names of another group's */
	if (r->pos >> PAGE_SHIFT >= BIT(COWD_INDEX_BITS) - COWD_BATCH)
		*why = COWD_IMAGE;
	if (!*why)
		*why = cowd_destination(r->img->mount, addr, &r->batch, &pages);
	if (*why)
		return 0;
	pages = min3(pages, (unsigned long)*len >> PAGE_SHIFT,
		     (unsigned long)COWD_BATCH);
	make_batch(r, pages);
	pages = min_t(unsigned long, pages, r->batch.room);
	/* Who binds by COWDEDUP_BIND wants no copy. */
	if (r->img->mount->options.adaptive && r->to)
		return get_pages(r, addr, pages, len, why);
	return bind_pages(r, addr, pages, len, why);
}

/* Bytes done, 0 at the end, or an error. */
static ssize_t read_piece(struct cowd_read *r, loff_t size)
{
	enum cowd_why why = COWD_UNALIGNED;
	struct cowd_piece piece;
	unsigned long addr;
	size_t len;
	ssize_t ret;

	/* A copy stops at the end of a segment; the next may have no length. */
	iov_iter_advance(r->to, 0);
	if (!cowd_iter_len(r->to))
		return copy(r, iov_iter_count(r->to), why);
	addr = cowd_iter_addr(r->to);
	piece = cowd_piece_next(r->pos, addr, cowd_iter_len(r->to),
				size - r->pos, PAGE_SIZE);
	len = piece.len;
	if (!piece.whole)
		return copy(r, len, why);
	ret = bind_some(r, addr, &len, &why);
	return ret ?: copy(r, len, why);
}

static ssize_t read_pieces(struct cowd_read *r)
{
	struct inode *lower = file_inode(r->img->lower);
	ssize_t done = 0, ret = 0;
	loff_t size;

	while (iov_iter_count(r->to)) {
		if (fatal_signal_pending(current))
			return done ?: -EINTR;
		size = i_size_read(lower);
		if (r->pos >= size)
			break;
		if (user_backed_iter(r->to))
			ret = read_piece(r, size);
		else
			ret = copy(r, iov_iter_count(r->to), COWD_ELSEWHERE);
		if (ret <= 0)
			break;
		done += ret;
		cond_resched();
	}
	return done ?: ret;
}

/**
 * cowd_read_bind - bind a part of an image, and copy nothing
 * @image: open file of images/
 * @addr: where to, in memory of the caller; at a page's start
 * @pos: from where in the image; at a page's start
 * @len: whole pages
 *
 * Return: how many bytes are bound, from the first one on.
 */
u64 cowd_read_bind(struct file *image, unsigned long addr, loff_t pos, u64 len)
{
	struct cowd_read r = {
		.img = file_inode(image)->i_private,
		.lower = image->private_data,
	};
	loff_t size = i_size_read(file_inode(r.img->lower));
	u64 done = 0;

	/* only pages that the image fills */
	if (pos < 0 || pos >= size)
		return 0;
	len = min_t(u64, len, round_down(size - pos, PAGE_SIZE));
	r.pos = pos;
	while (done < len && !fatal_signal_pending(current)) {
		size_t n = min_t(u64, len - done, COWD_BATCH << PAGE_SHIFT);
		enum cowd_why why;
		size_t ret;

		ret = bind_some(&r, addr + done, &n, &why);
		if (!ret)
			break;
		done += ret;
		cond_resched();
	}
	kfree(r.more);
	return done;
}

/**
 * cowd_read_iter - read from a file of images/
 * @iocb: the file, which holds the image in use
 * @to: where to
 *
 * Return: bytes read or a negative errno.
 */
ssize_t cowd_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct cowd_read r = {
		.img = file_inode(iocb->ki_filp)->i_private,
		.lower = iocb->ki_filp->private_data,
		.to = to,
		.pos = iocb->ki_pos,
	};
	ssize_t ret;

	ret = read_pieces(&r);
	iocb->ki_pos = r.pos;
	kfree(r.more);
	return ret;
}
