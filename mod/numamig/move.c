// SPDX-License-Identifier: GPL-2.0-only
/*
 * move.c - the kernel engine: private anonymous base pages, by migrate_vma
 *
 * migrate_pages() and page isolation are not exported.  migrate_vma_setup(),
 * _pages() and _finalize() are, made for device memory, and they accept
 * ordinary pages as destination.  What they do not do for us:
 *
 *  - they take every page of the range, so runs are made of pages that
 *    scan.c found fit, and every page is checked again once it is locked;
 *  - they do not wait for, or test, writeback: moving such a page is a BUG_ON;
 *  - a hole or a zero page would be populated: it gets no destination;
 *  - they know no memory policy: placement.c asks first;
 *  - they count nothing in vmstat: we count.
 *
 * From setup on the source page is locked, isolated and replaced by a
 * migration entry, so its contents cannot change while they are copied.
 */
#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "internal.h"
#include "numamig_compat.h"

/* Movable, from this node or not at all, and no reclaim on its behalf. */
#define NM_MOVE_GFP	((GFP_HIGHUSER_MOVABLE | __GFP_THISNODE |	\
			  __GFP_NOWARN | __GFP_NORETRY) & ~__GFP_RECLAIM)

struct nm_mover_buf {
	unsigned long src[NM_CHUNK];
	unsigned long dst[NM_CHUNK];
	struct page *fresh[NM_CHUNK];
};

struct nm_mover_buf *nm_mover_buf_alloc(int node)
{
	return kvmalloc_node(sizeof(struct nm_mover_buf), GFP_KERNEL, node);
}

void nm_mover_buf_free(struct nm_mover_buf *b)
{
	kvfree(b);
}

/*
 * Can this source page move?  NUMAMIG_PAGE_MOVED stands for yes.  The page is
 * locked by migrate_vma_setup(), so writeback cannot begin after the check.
 */
static enum numamig_page_result judge(unsigned long src, int node)
{
	struct page *page = migrate_pfn_to_page(src);

	if (!(src & MIGRATE_PFN_MIGRATE))
		return NUMAMIG_PAGE_BUSY;
	if (!page)
		return NUMAMIG_PAGE_ABSENT;
	if (page_to_nid(page) == node)
		return NUMAMIG_PAGE_LOCAL;
	if (!PageAnon(page) || PageCompound(page))
		return NUMAMIG_PAGE_KIND;
	if (PageWriteback(page))
		return NUMAMIG_PAGE_WRITEBACK;
	return NUMAMIG_PAGE_MOVED;
}

/* Give @args a locked copy for each page that can move. */
static void prepare_copies(struct nm_mover_buf *b, struct migrate_vma *args,
			   int node, u64 *result)
{
	unsigned long i, want = 0, have, next = 0;

	for (i = 0; i < args->npages; i++) {
		enum numamig_page_result r = judge(args->src[i], node);

		args->dst[i] = 0;
		if (r == NUMAMIG_PAGE_MOVED)
			args->dst[i] = ++want;
		else
			result[r]++;
	}
	if (!want)
		return;
	memset(b->fresh, 0, want * sizeof(b->fresh[0]));
	have = nm_alloc_pages_bulk(NM_MOVE_GFP, node, want, b->fresh);
	for (i = 0; i < args->npages; i++) {
		struct page *page;

		if (!args->dst[i])
			continue;
		args->dst[i] = 0;
		if (next == have) {
			result[NUMAMIG_PAGE_NOMEM]++;
			continue;
		}
		page = b->fresh[next++];
		lock_page(page);
		copy_highpage(page, migrate_pfn_to_page(args->src[i]));
		args->dst[i] = migrate_pfn(page_to_pfn(page));
	}
}

/* Move the pages of one run; every page of it is fit by nm_scan_range(). */
static void move_run(struct nm_mover_buf *b, struct vm_area_struct *vma,
		     unsigned long start, unsigned long end, int node,
		     u64 *result)
{
	struct migrate_vma args = {
		.vma = vma,
		.start = start,
		.end = end,
		.src = b->src,
		.dst = b->dst,
		.flags = MIGRATE_VMA_SELECT_SYSTEM,
	};
	unsigned long i, n = (end - start) >> PAGE_SHIFT;

	memset(b->src, 0, n * sizeof(b->src[0]));
	if (migrate_vma_setup(&args)) {
		result[NUMAMIG_PAGE_FAILED] += n;
		return;
	}
	/* setup returns early, with npages at 0, when nothing was there */
	result[NUMAMIG_PAGE_ABSENT] += n - args.npages;
	prepare_copies(b, &args, node, result);
	migrate_vma_pages(&args);
	for (i = 0; i < args.npages; i++) {
		if (!b->dst[i])
			continue;
		if (b->src[i] & MIGRATE_PFN_MIGRATE)
			result[NUMAMIG_PAGE_MOVED]++;
		else
			result[NUMAMIG_PAGE_BUSY]++;
	}
	migrate_vma_finalize(&args);
}

/**
 * nm_move_pages - move the pages of @mask, run by run
 * @b: scratch memory
 * @vma: anonymous; its mm's mmap_lock is held for reading
 * @addr: address of bit 0
 * @pages: bits of @mask
 * @mask: pages, all within @vma
 * @node: destination
 * @result: counts are added here
 */
void nm_move_pages(struct nm_mover_buf *b, struct vm_area_struct *vma,
		   unsigned long addr, unsigned int pages,
		   const unsigned long *mask, int node, u64 *result)
{
	unsigned int first, last;

	mmap_assert_locked(vma->vm_mm);
	for (first = find_first_bit(mask, pages); first < pages;
	     first = find_next_bit(mask, pages, last)) {
		last = find_next_zero_bit(mask, pages, first);
		move_run(b, vma, addr + ((unsigned long)first << PAGE_SHIFT),
			 addr + ((unsigned long)last << PAGE_SHIFT), node,
			 result);
	}
}

/* One chunk for NUMAMIG_MOVE: [addr, addr + pages) within one VMA or none. */
static unsigned long move_chunk(struct nm_mover_buf *b, struct mm_struct *mm,
				struct task_struct *task, unsigned long addr,
				unsigned long end, int node, u64 *result)
{
	struct nm_scan s = {
		.mm = mm,
		.addr = addr,
		.node = node,
		.procs = 1,
		.result = result,
	};
	struct vm_area_struct *vma = find_vma(mm, addr);
	DECLARE_BITMAP(all, NM_CHUNK);

	if (!vma || vma->vm_start >= end) {
		result[NUMAMIG_PAGE_ABSENT] += (end - addr) >> PAGE_SHIFT;
		return end;
	}
	if (vma->vm_start > addr) {
		result[NUMAMIG_PAGE_ABSENT] +=
			(vma->vm_start - addr) >> PAGE_SHIFT;
		return vma->vm_start;
	}
	end = min3(end, vma->vm_end,
		   (addr & ~(NM_CHUNK * PAGE_SIZE - 1)) + NM_CHUNK * PAGE_SIZE);
	s.pages = (end - addr) >> PAGE_SHIFT;
	if (!vma_is_anonymous(vma)) {
		result[NUMAMIG_PAGE_KIND] += s.pages;
		return end;
	}
	if (!nm_mempolicy_allows(task, vma, addr, node)) {
		result[NUMAMIG_PAGE_FAILED] += s.pages;
		return end;
	}
	if (!nm_node_has_room(node, s.pages)) {
		result[NUMAMIG_PAGE_NOMEM] += s.pages;
		return end;
	}
	bitmap_fill(all, NM_CHUNK);
	s.mask = all;
	nm_scan_range(&s, 0, s.pages, true);
	result[NUMAMIG_PAGE_LARGE] += s.helper_pages;
	nm_move_pages(b, vma, addr, s.pages, s.kernel, node, result);
	return end;
}

static int move_range(struct task_struct *task, struct mm_struct *mm,
		      struct numamig_move *arg)
{
	unsigned long addr = arg->addr, end = arg->addr + arg->len;
	struct nm_mover_buf *b;
	int ret = 0;

	b = nm_mover_buf_alloc(numa_node_id());
	if (!b)
		return -ENOMEM;
	while (addr < end) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		ret = mmap_read_lock_killable(mm);
		if (ret)
			break;
		addr = move_chunk(b, mm, task, addr, end, arg->node,
				  arg->pages);
		mmap_read_unlock(mm);
		cond_resched();
	}
	nm_mover_buf_free(b);
	return ret;
}

static int check_move(const struct numamig_move *arg)
{
	if (!PAGE_ALIGNED(arg->addr) || !PAGE_ALIGNED(arg->len) ||
	    !arg->len || arg->len > 1ull << 40 ||
	    arg->addr + arg->len < arg->addr ||
	    arg->addr + arg->len > TASK_SIZE)
		return -EINVAL;
	if (!nm_node_valid(arg->node))
		return -EINVAL;
	if (!node_state(arg->node, N_MEMORY))
		return -ENODEV;
	return 0;
}

/**
 * nm_move_now - NUMAMIG_MOVE
 * @arg: what to move; its page counts are filled in
 *
 * Return: 0 or a negative errno of the ioctl.
 */
int nm_move_now(struct numamig_move *arg)
{
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *pid;
	unsigned int r;
	int ret;

	ret = check_move(arg);
	if (ret)
		return ret;
	pid = find_get_pid(arg->pid);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	if (!mm || (task->flags & PF_KTHREAD)) {
		ret = -ESRCH;
		goto out_mm;
	}
	ret = -EACCES;
	if (!nm_cpuset_allows(task, arg->node))
		goto out_mm;
	memset(arg->pages, 0, sizeof(arg->pages));
	ret = move_range(task, mm, arg);
	for (r = 0; r < NUMAMIG_PAGE_RESULTS; r++)
		nm_count_n(NM_C_PAGE + r, arg->pages[r]);
out_mm:
	if (mm)
		mmput(mm);
	put_task_struct(task);
	return ret;
}
