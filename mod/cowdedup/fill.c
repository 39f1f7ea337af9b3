// SPDX-License-Identifier: GPL-2.0-only
/*
 * fill.c - masters get the content of the image
 *
 * For a read many at once, with no lock held, as the file below is read by
 * anybody.  For a fault, which may hold locks of the process, one page by way
 * of the page cache, or of tmpfs.  The copy there is of no more use then.
 */
#include <linux/bvec.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/uio.h>

#include "cowdedup_compat.h"
#include "internal.h"
#include "trace.h"

/* The page cache need not have it, too; it may be in the CPU's LRU batch. */
static void forget(struct cowd_image *img, pgoff_t first, unsigned int n)
{
	vfs_fadvise(img->lower, (loff_t)first << PAGE_SHIFT,
		    (loff_t)n << PAGE_SHIFT, POSIX_FADV_DONTNEED);
}

/* --- for a read ---------------------------------------------------------- */

/* Read @n pages into masters; how many bytes of them are right? */
static size_t read_below(struct cowd_image *img, pgoff_t first,
			 struct bio_vec *vec, unsigned int n)
{
	size_t bytes = (size_t)n << PAGE_SHIFT;
	loff_t pos = (loff_t)first << PAGE_SHIFT;
	struct iov_iter iter;
	ssize_t ret;

	iov_iter_bvec(&iter, READ, vec, n, bytes);
	do {
		ret = cowd_image_read_below(img, img->lower, &iter, &pos);
	} while (ret > 0 && iov_iter_count(&iter));
	return bytes - iov_iter_count(&iter);
}

/* Fill masters that are locked and ours; were they all read? */
static bool fill(struct cowd_image *img, pgoff_t first, struct cowd_batch *b,
		 unsigned int from, unsigned int n)
{
	unsigned int good, i;

	first += from;
	good = read_below(img, first, b->vec + from, n) >> PAGE_SHIFT;
	for (i = 0; i < n; i++)
		cowd_master_end(b->master[from + i], b->vec[from + i].bv_page,
				i < good);
	trace_fill(img, first, good);
	forget(img, first, n);
	return good == n;
}

/* A master with its page in the batch, with a reference each. */
static bool collect_one(struct cowd_image *img, pgoff_t index,
			struct cowd_batch *b, unsigned int i, bool *mine)
{
	struct page *page;

	b->master[i] = cowd_master_get(img, b->home, index);
	if (!b->master[i])
		return false;
	page = cowd_master_begin(b->master[i], false, mine);
	if (!page) {
		cowd_master_put(b->master[i]);
		return false;
	}
	b->vec[i] = (struct bio_vec){ .bv_page = page, .bv_len = PAGE_SIZE };
	return true;
}

/*
 * The masters of @n pages, by their keys from @first on, into the batch from
 * @from on, up to the first that is not there with content, by one walk through
 * the index.  Their pages are not held: they may be gone again at any time, and
 * that does no harm.
 */
static unsigned int find_run(struct cowd_image *img, unsigned long first,
			     struct cowd_batch *b, unsigned int from,
			     unsigned int n)
{
	XA_STATE(xas, &img->masters, first + from);
	unsigned int i = from;
	struct cowd_master *m;
	struct page *page;

	rcu_read_lock();
	xas_for_each(&xas, m, first + n - 1) {
		/* It is being changed there: the slow way knows how. */
		if (xas_retry(&xas, m) || xas.xa_index != first + i)
			break;
		page = READ_ONCE(m->page);
		if (!page || !PageUptodate(page) || PageHWPoison(page) ||
		    !refcount_inc_not_zero(&m->ref))
			break;
		b->master[i] = m;
		b->vec[i++].bv_page = NULL;
	}
	rcu_read_unlock();
	return i - from;
}

/* A replica may be left of a master that is not there any more. */
static unsigned int find_replicas(struct cowd_image *img, pgoff_t first,
				  struct cowd_batch *b, unsigned int from,
				  unsigned int n)
{
	struct cowd_home home = { .group = b->home.group, .nid = b->nid };

	if (b->nid == NUMA_NO_NODE)
		return 0;
	return find_run(img, cowd_key(home, first), b, from, n);
}

/*
 * Find or make masters, and fill those that are new, a run at a time.  Nobody
 * waits here for another's while one of its own is not filled, so no two wait
 * for each other.
 */
static unsigned int collect(struct cowd_image *img, pgoff_t first,
			    unsigned int i, unsigned int n,
			    struct cowd_batch *b, bool *bad)
{
	unsigned long key = cowd_key(b->home, first);
	unsigned int run = 0, found;
	bool mine = false;

	while (i < n) {
		found = find_run(img, key, b, i, n) ?:
			find_replicas(img, first, b, i, n);
		if (!found && !collect_one(img, first + i, b, i, &mine))
			break;
		if (!found && mine) {
			run++;
			i++;
			continue;
		}
		if (run)
			*bad |= !fill(img, first, b, i - run, run);
		run = 0;
		i += found ?: 1;
	}
	if (run)
		*bad |= !fill(img, first, b, i - run, run);
	return i;
}

/*
 * It has the content of the image, or the page that is shown instead has it,
 * and no broken memory under it.
 */
static bool is_good(struct cowd_master *m, struct page *page)
{
	folio_wait_locked(page_folio(page));
	if (!PageHWPoison(page))
		return PageUptodate(page) || cowd_content_given_back(page);
	cowd_master_retire(m, page);
	return false;
}

/**
 * cowd_masters_find - masters of some pages, as far as they are there
 * @img: image, in use
 * @first: its first page
 * @n: pages, at most @b's room
 * @b: where they go, each with a reference; of its home
 *
 * Return: how many there are, from the first one on.
 */
unsigned int cowd_masters_find(struct cowd_image *img, pgoff_t first,
			       unsigned int n, struct cowd_batch *b)
{
	return find_run(img, cowd_key(b->home, first), b, 0, n);
}

/**
 * cowd_masters_get - masters of some pages, with content
 * @img: image, in use
 * @first: its first page
 * @n: pages, all within the image, at most @b's room
 * @b: where they go, each with a reference; of its home
 * @why: why there are fewer
 *
 * No lock is held: it reads the image.  A master may lose its page again, when
 * memory is short, before the caller has done anything with it.
 *
 * Return: how many there are, from the first one on.
 */
unsigned int cowd_masters_get(struct cowd_image *img, pgoff_t first,
			      unsigned int n, struct cowd_batch *b,
			      enum cowd_why *why)
{
	unsigned int got, good, i;
	bool bad = false;

	good = cowd_masters_find(img, first, n, b);
	b->filled = good < n;
	if (!b->filled)
		return n;
	got = collect(img, first, good, n, b, &bad);
	for (; good < got; good++)
		if (b->vec[good].bv_page &&
		    !is_good(b->master[good], b->vec[good].bv_page))
			break;
	*why = bad || good < got ? COWD_ERROR : COWD_MEMORY;
	for (i = 0; i < got; i++) {
		if (b->vec[i].bv_page)
			put_page(b->vec[i].bv_page);
		if (i >= good)
			cowd_master_put(b->master[i]);
	}
	return good;
}

/* --- for a fault --------------------------------------------------------- */

/*
 * A page of the page cache of tmpfs is one of the file: it would get one for
 * each hole, for which the guest pays and a full tmpfs has none.  Its read(2)
 * takes none, and no lock that may not be taken here.
 */
static int read_tmpfs(struct file *lower, pgoff_t index, struct page *page)
{
	struct bio_vec vec = { .bv_page = page, .bv_len = PAGE_SIZE };
	struct iov_iter iter;
	struct kiocb iocb;
	ssize_t ret;

	init_sync_kiocb(&iocb, lower);
	iocb.ki_pos = (loff_t)index << PAGE_SHIFT;
	iov_iter_bvec(&iter, READ, &vec, 1, PAGE_SIZE);
	ret = lower->f_op->read_iter(&iocb, &iter);
	if (ret == PAGE_SIZE)
		return 0;
	return ret < 0 ? ret : -EIO;
}

static int read_cached(struct file *lower, pgoff_t index, struct page *page)
{
	struct page *from = read_mapping_page(lower->f_mapping, index, NULL);

	if (IS_ERR(from))
		return PTR_ERR(from);
	copy_highpage(page, from);
	put_page(from);
	return 0;
}

static int read_one(const struct cowd_master *m, struct page *page)
{
	struct file *lower = m->image->lower;
	int ret;

	if (file_inode(lower)->i_sb->s_magic == TMPFS_MAGIC)
		ret = read_tmpfs(lower, m->index, page);
	else
		ret = read_cached(lower, m->index, page);
	if (ret)
		return ret;
	forget(m->image, m->index, 1);
	trace_fill(m->image, m->index, 1);
	return 0;
}

/*
 * Somebody else reads it.  What becomes of that is theirs: they may be killed.
 * If there is nothing then, the next fault reads.
 */
static int wait_for(struct page *page)
{
	return folio_wait_locked_killable(page_folio(page)) ? -EINTR : 0;
}

/**
 * cowd_master_refill - a master that is bound gets its page back
 * @m: master that the caller holds, and with it the image's use
 *
 * mmap_lock may be held, or the lock of a VMA.
 *
 * Return: 0, -ENOMEM, -EINTR, or why the image cannot be read.
 */
int cowd_master_refill(struct cowd_master *m)
{
	struct page *page;
	bool mine;
	int ret;

	page = cowd_master_begin(m, true, &mine);
	if (page && PageHWPoison(page) && !mine) {
		cowd_master_retire(m, page);
		put_page(page);
		page = cowd_master_begin(m, true, &mine);
	}
	if (!page)
		return -ENOMEM;
	if (mine) {
		ret = read_one(m, page);
		cowd_master_end(m, page, !ret);
	} else {
		ret = wait_for(page);
	}
	put_page(page);
	return ret;
}
