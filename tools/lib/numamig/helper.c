// SPDX-License-Identifier: LGPL-2.1-only
/*
 * helper.c - carry out orders with move_pages(2)
 *
 * move_pages() moves what the module cannot: large folios (whole), shmem, file
 * and hugetlb pages.  It answers per address and says "on that node" for a
 * page that was there before, too; so the range is asked for before and after
 * and the difference is what moved, in base pages.
 */
#include <errno.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"
#include "numamig.h"

#define PAGE		4096ull
#define BATCH		16

/* In clock ticks, as /proc/PID/stat has it; 0 when there is no such process. */
static unsigned long long start_ticks(pid_t pid)
{
	unsigned long long start = 0;
	char path[64], buf[1024], *p;
	size_t n;
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = 0;
	/* the name in field 2 may hold anything: count from its end */
	p = strrchr(buf, ')');
	for (i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (p)
		start = strtoull(p, NULL, 10);
	return start;
}

/* Is the process that was ordered about still that process? */
static int same_process(const struct numamig_order *o)
{
	unsigned long long tick_ns = 1000000000ull / sysconf(_SC_CLK_TCK);

	return start_ticks(o->pid) == o->start_time / tick_ns;
}

static int bit(const struct numamig_order *o, unsigned int i)
{
	return o->mask[i / 64] >> (i % 64) & 1;
}

/* Where the pages of the order's range are; -errno for what is not mapped. */
static int where(const struct numamig_order *o, int *status)
{
	void *addr[NUMAMIG_ORDER_PAGES];
	unsigned int i;

	for (i = 0; i < o->pages; i++)
		addr[i] = (void *)(uintptr_t)(o->addr + i * PAGE);
	if (move_pages(o->pid, o->pages, addr, NULL, status, 0) < 0)
		return errno;
	return 0;
}

static unsigned int result_of(int err)
{
	switch (err) {
	case -EBUSY:
	case -EAGAIN:
		return NUMAMIG_PAGE_BUSY;
	case -ENOMEM:
		return NUMAMIG_PAGE_NOMEM;
	case -EACCES:
		return NUMAMIG_PAGE_SHARED;
	case -ENOENT:
	case -EFAULT:
		return NUMAMIG_PAGE_ABSENT;
	default:
		return NUMAMIG_PAGE_FAILED;
	}
}

/* Ask for the pages of the mask that are not there yet. */
static int move_masked(const struct numamig_order *o, const int *before,
		       __u64 *pages)
{
	int nodes[NUMAMIG_ORDER_PAGES], status[NUMAMIG_ORDER_PAGES];
	void *addr[NUMAMIG_ORDER_PAGES];
	unsigned int i, n = 0;
	int how = o->flags & NUMAMIG_ORDER_ALL ? MPOL_MF_MOVE_ALL :
						 MPOL_MF_MOVE;

	for (i = 0; i < o->pages; i++) {
		if (!bit(o, i))
			continue;
		if (before[i] < 0) {
			pages[result_of(before[i])]++;
		} else if (before[i] == o->node) {
			pages[NUMAMIG_PAGE_LOCAL]++;
		} else {
			addr[n] = (void *)(uintptr_t)(o->addr + i * PAGE);
			status[n] = -EBUSY;
			nodes[n++] = o->node;
		}
	}
	if (!n)
		return 0;
	if (move_pages(o->pid, n, addr, nodes, status, how) < 0)
		return errno;
	for (i = 0; i < n; i++)
		if (status[i] != o->node)
			pages[status[i] < 0 ? result_of(status[i]) :
					      NUMAMIG_PAGE_BUSY]++;
	return 0;
}

static void carry_out(const struct numamig_order *o,
		      struct numamig_order_done *done)
{
	int before[NUMAMIG_ORDER_PAGES], after[NUMAMIG_ORDER_PAGES];
	unsigned int i;

	if (!same_process(o)) {
		done->error = ESRCH;
		return;
	}
	done->error = where(o, before);
	if (!done->error)
		done->error = move_masked(o, before, done->pages);
	if (!done->error)
		done->error = where(o, after);
	if (done->error)
		return;
	for (i = 0; i < o->pages; i++)
		if (before[i] >= 0 && before[i] != o->node &&
		    after[i] == o->node)
			done->pages[NUMAMIG_PAGE_MOVED]++;
}

int numamig_helper(struct numamig *handle)
{
	struct numamig_helper a = { .size = sizeof(a) };

	return numamig_ioctl(handle, NUMAMIG_HELPER, &a);
}

int numamig_helper_step(struct numamig *handle, int timeout_ms,
			struct numamig_helper_stat *stat)
{
	struct numamig_order orders[BATCH];
	unsigned int i, r, n;
	ssize_t got;
	int ret;

	ret = numamig_wait(handle, timeout_ms);
	if (ret <= 0)
		return ret;
	got = read(handle->fd, orders, sizeof(orders));
	if (got < 0)
		return -errno;
	n = got / sizeof(orders[0]);
	for (i = 0; i < n; i++) {
		struct numamig_order_done done = {
			.size = sizeof(done),
			.id = orders[i].id,
		};

		carry_out(&orders[i], &done);
		/* ENOENT: it was cancelled meanwhile, and counted as such */
		ret = numamig_ioctl(handle, NUMAMIG_ORDER_DONE, &done);
		if (ret && ret != -ENOENT)
			return ret;
		if (!stat)
			continue;
		stat->orders++;
		for (r = 0; r < NUMAMIG_PAGE_RESULTS; r++)
			stat->pages[r] += done.pages[r];
	}
	return n;
}
