// SPDX-License-Identifier: GPL-2.0-only
/*
 * device_ops.c - the grammar of operations on /dev/numamig and its sysfs files
 *
 * Arguments are mostly right, often nearly right, sometimes nonsense.  Where an
 * argument breaks a rule of uapi/linux/numamig.h that comes before all others
 * (size, tail, flags, pointer), exactly the documented error is expected, and
 * otherwise one of those that the command documents.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "nm_test.h"

#define FILES		10
/* Device files have numbers from here on, so no other file is ever hit. */
#define FIRST_FD	100
#define ROOM		4096

static int files[FILES];
/* Orders that were read and not reported, by any thread. */
static struct numamig_order taken[16];

static __thread unsigned int me;
static __thread char *page;		/* one page, nothing mapped behind */
static __thread char *read_only_page;
static __thread char *hole;

/* --- the log ------------------------------------------------------------- */

static void note(const char *format, ...)
	__attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	struct oplog *l = &shared->log[me];
	uint64_t n = __atomic_fetch_add(&l->done, 1, __ATOMIC_RELAXED);
	va_list ap;

	va_start(ap, format);
	vsnprintf(l->line[n % LOG_LINES], LOG_WIDTH, format, ap);
	va_end(ap);
}

/* Add how it ended to the newest line. */
static void note_end(int err)
{
	struct oplog *l = &shared->log[me];
	char *line = l->line[(l->done - 1) % LOG_LINES];
	size_t at = strnlen(line, LOG_WIDTH - 1);

	snprintf(line + at, LOG_WIDTH - at, " = %d", err);
}

static const char *last_line(void)
{
	struct oplog *l = &shared->log[me];

	return l->line[(l->done - 1) % LOG_LINES];
}

/* --- values -------------------------------------------------------------- */

static struct victim *some_victim(void)
{
	return &shared->victim[below(VICTIMS)];
}

static pid_t some_pid(void)
{
	static const int odd[] = {
		0, -1, 1, 2, 4194304, INT32_MAX, INT32_MIN,
	};

	switch (below(16)) {
	case 0:
		return odd[below(sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return getpid();
	case 2:
		return gettid();
	case 3:
		return below(2000);
	case 4:
	case 5:
		return some_victim()->child;
	default:
		return some_victim()->pid;
	}
}

static int some_node(void)
{
	static const int odd[] = { -1, 2, 3, 77, 1023, 1024, INT32_MAX,
				   INT32_MIN };

	return one_in(12) ? odd[below(sizeof(odd) / sizeof(odd[0]))] :
			    (int)below(2);
}

static uint64_t some_bits(void)
{
	uint64_t v = next_random();

	return v >> below(64);
}

/* An address in a region of @v, and in *@len what follows it there. */
static uint64_t address_in(const struct victim *v, uint64_t *len)
{
	const struct region *r = &v->region[below(REGIONS)];
	uint64_t bytes = __atomic_load_n(&r->len, __ATOMIC_ACQUIRE), off;

	if (bytes < PAGE || one_in(24)) {
		*len = PAGE << below(10);
		return some_bits() & ~(PAGE - 1);
	}
	off = next_random() % bytes & ~(PAGE - 1);
	*len = bytes - off;
	return r->addr + off;
}

/* An open one, as a rule. */
static int some_file(void)
{
	unsigned int tries = 4;
	int fd;

	do {
		fd = __atomic_load_n(&files[below(FILES)], __ATOMIC_RELAXED);
	} while (fd < 0 && --tries);
	return fd;
}

static void maybe_set(uint32_t *field, unsigned int odds, uint32_t bad)
{
	if (one_in(odds))
		*field = bad;
}

/* --- commands ------------------------------------------------------------ */

/* Errors that may come, a bit for each; 0 is success. */
typedef unsigned __int128 errnos;

#define MAY(e)	((errnos)1 << (e))
/* whenever: the file is gone, a signal came, no memory */
#define ALWAYS	(MAY(EBADF) | MAY(EINTR) | MAY(ENOMEM))

/* One ioctl with its argument, and what may come of it. */
struct call {
	unsigned long cmd;
	const char *name;
	uint32_t known;		/* size of the structure */
	uint32_t size;		/* as the argument says */
	uint32_t room;		/* bytes that are really there */
	bool bad_tail;
	bool bad_flags;
	char *at;
	errnos may;		/* what the command documents */
};

static bool may(errnos set, int err)
{
	return err >= 0 && err < 128 && (set >> err & 1);
}

/* Where the structure lies, and what is wrong with it as a whole. */
static void draw_place(struct call *c, char *buf)
{
	uint32_t *size = (uint32_t *)buf;

	c->size = c->known;
	c->room = ROOM;
	c->at = buf;
	switch (below(40)) {
	case 0:
		c->size = below(c->known);
		break;
	case 1:
		/* longer, and zero there */
		c->size = c->known + 1 + below(256);
		break;
	case 2:
		c->size = c->known + 1 + below(256);
		buf[c->known + below(c->size - c->known)] = 1;
		c->bad_tail = true;
		break;
	case 3:
		c->size = (uint32_t)some_bits();
		break;
	case 4:
		/* ends where memory does */
		memcpy(page + PAGE - c->known, buf, c->known);
		size = (uint32_t *)(page + PAGE - c->known);
		c->at = page + PAGE - c->known;
		c->room = c->known;
		break;
	case 5:
		c->at = one_in(2) ? NULL : hole;
		c->room = 0;
		break;
	case 6:
		mprotect(read_only_page, PAGE, PROT_READ | PROT_WRITE);
		memcpy(read_only_page, buf, c->known);
		*(uint32_t *)read_only_page = c->size;
		mprotect(read_only_page, PAGE, PROT_READ);
		c->at = read_only_page;
		return;
	}
	*size = c->size;
}

/* Commands that hand nothing out can be given memory that is only read. */
static bool answers(const struct call *c)
{
	switch (c->cmd) {
	case NUMAMIG_TARGET_DEL:
	case NUMAMIG_STREAM:
	case NUMAMIG_HELPER:
	case NUMAMIG_ORDER_DONE:
	case NUMAMIG_STOP:
		return false;
	}
	return true;
}

/* The errors that come before the command itself; 0 when it is asked. */
static errnos early_error(const struct call *c)
{
	if (!c->room)
		return MAY(EFAULT);
	if (c->size < c->known)
		return MAY(EINVAL);
	/* what lies behind the buffer may be zero, or nothing */
	if (c->size > c->room)
		return MAY(E2BIG) | MAY(EFAULT) | MAY(0) | c->may |
		       MAY(EOPNOTSUPP);
	if (c->bad_tail)
		return MAY(E2BIG);
	if (c->at == read_only_page && answers(c))
		return MAY(EFAULT) | c->may |
		       (c->bad_flags ? MAY(EOPNOTSUPP) : 0);
	if (c->bad_flags)
		return MAY(EOPNOTSUPP);
	return 0;
}

static void tally(unsigned long cmd, int err)
{
	unsigned int nr = _IOC_NR(cmd) - NUMAMIG_CMD_INFO;

	__atomic_fetch_add(&shared->asked[nr], 1, __ATOMIC_RELAXED);
	if (!err)
		__atomic_fetch_add(&shared->granted[nr], 1, __ATOMIC_RELAXED);
}

static int run_call(struct call *c)
{
	int fd = some_file();
	errnos early, allowed;
	int err;

	early = early_error(c);
	allowed = early ? early : c->may | MAY(0);
	note("%s fd %d size %u of %u at %p", c->name, fd, c->size, c->known,
	     (void *)c->at);
	err = ioctl(fd, c->cmd, c->at) ? errno : 0;
	note_end(err);
	tally(c->cmd, err);
	if (!may(allowed | ALWAYS, err))
		complain("error %d: %s", err, last_line());
	return err;
}

#define CALL(_cmd, _struct, _may)					\
	{ .cmd = _cmd, .name = #_cmd, .known = sizeof(_struct), .may = _may }

static void do_info(char *buf)
{
	struct call c = CALL(NUMAMIG_INFO, struct numamig_info, 0);
	struct numamig_info *a = (void *)buf;

	maybe_set(&a->flags, 30, 1u << below(32));
	c.bad_flags = a->flags;
	draw_place(&c, buf);
	if (run_call(&c) || c.at != buf)
		return;
	if (a->abi != NUMAMIG_ABI_VERSION || a->sampler >= NUMAMIG_SAMPLERS ||
	    a->targets > 64 || a->helper > 1 || !a->period_ns)
		complain("info: abi %u sampler %u targets %u helper %u", a->abi,
			 a->sampler, a->targets, a->helper);
}

static void do_add(char *buf)
{
	struct call c = CALL(NUMAMIG_TARGET_ADD, struct numamig_target_add,
			     MAY(ESRCH) | MAY(EINVAL) | MAY(EEXIST) |
			     MAY(ENOSPC));
	struct numamig_target_add *a = (void *)buf;

	a->pid = some_pid();
	a->flags = below(8) < 6 ? NUMAMIG_TARGET_CHILDREN * below(2) : below(4);
	maybe_set(&a->flags, 40, 1u << (2 + below(30)));
	maybe_set(&a->__reserved, 40, 1u << below(32));
	c.bad_flags = a->flags > 3 || a->__reserved;
	draw_place(&c, buf);
	if (!run_call(&c) && c.at == buf && !a->start_time)
		complain("no start time: %s", last_line());
}

static void do_del(char *buf)
{
	struct call c = CALL(NUMAMIG_TARGET_DEL, struct numamig_target_del,
			     MAY(ENOENT));
	struct numamig_target_del *a = (void *)buf;

	a->pid = some_pid();
	maybe_set(&a->flags, 40, 1u << below(32));
	maybe_set(&a->__reserved, 40, 1u << below(32));
	c.bad_flags = a->flags || a->__reserved;
	draw_place(&c, buf);
	run_call(&c);
}

static void do_stat(char *buf)
{
	struct call c = CALL(NUMAMIG_TARGET_STAT, struct numamig_target_stat,
			     MAY(ENOENT));
	struct numamig_target_stat *a = (void *)buf;

	a->pid = some_pid();
	maybe_set(&a->flags, 40, 1u << below(32));
	c.bad_flags = a->flags;
	draw_place(&c, buf);
	if (run_call(&c) || c.at != buf)
		return;
	if (a->share_permille < -1 || a->share_permille > 1000 ||
	    a->samples != a->local + a->remote + a->unknown || a->active > 1)
		complain("stat: share %d, %llu samples, %llu %llu %llu",
			 a->share_permille, (unsigned long long)a->samples,
			 (unsigned long long)a->local,
			 (unsigned long long)a->remote,
			 (unsigned long long)a->unknown);
}

static void do_list(char *buf)
{
	struct call c = CALL(NUMAMIG_TARGET_LIST, struct numamig_target_list,
			     0);
	struct numamig_target_list *a = (void *)buf;
	int32_t pids[64];

	a->count = one_in(2) ? 64 : below(64);
	a->pids = (uintptr_t)pids;
	if (one_in(20)) {
		a->pids = (uintptr_t)(one_in(2) ? hole : read_only_page);
		c.may = MAY(EFAULT);
	}
	maybe_set(&a->flags, 40, 1u << below(32));
	c.bad_flags = a->flags;
	draw_place(&c, buf);
	if (!run_call(&c) && c.at == buf && a->count > 64)
		complain("list: %u targets", a->count);
}

static void draw_samples(struct numamig_sample *s, uint32_t n, bool *bad)
{
	const struct victim *v = some_victim();
	uint64_t len, addr = address_in(v, &len);
	int node = some_node();
	uint32_t k;

	for (k = 0; k < n; k++) {
		memset(&s[k], 0, sizeof(s[k]));
		s[k].pid = v->pid;
		s[k].node = node;
		s[k].addr = addr + (one_in(2) ? next_random() % len : 0);
		s[k].flags = below(8);
		if (one_in(400))
			s[k].flags = (uint32_t)some_bits();
		if (one_in(400))
			s[k].__reserved = 1;
		if (one_in(400))
			s[k].addr = next_random();
		*bad |= s[k].flags > 7 || s[k].__reserved;
	}
	if (one_in(8))
		s[below(n)].pid = some_pid();
}

static void do_inject(char *buf)
{
	struct call c = CALL(NUMAMIG_INJECT, struct numamig_inject,
			     MAY(EINVAL) | MAY(ESRCH));
	struct numamig_inject *a = (void *)buf;
	static __thread struct numamig_sample s[512];
	bool bad = false;

	a->count = 1 + below(512);
	draw_samples(s, a->count, &bad);
	a->samples = (uintptr_t)s;
	if (bad)
		c.may |= MAY(EOPNOTSUPP);
	if (one_in(30)) {
		/* the end is missing; what was read before is taken */
		a->samples = (uintptr_t)(page + PAGE - 10 * sizeof(s[0]));
		c.may |= MAY(EFAULT) | MAY(EOPNOTSUPP);
	}
	if (one_in(40))
		a->count = one_in(2) ? 0 : 65537 + below(1u << 30);
	maybe_set(&a->flags, 40, 1u << below(32));
	c.bad_flags = a->flags;
	draw_place(&c, buf);
	run_call(&c);
	if (c.at == buf && !c.bad_flags && a->accepted <= a->count)
		__atomic_fetch_add(&shared->accepted, a->accepted,
				   __ATOMIC_RELAXED);
}

static void do_move(char *buf)
{
	struct call c = CALL(NUMAMIG_MOVE, struct numamig_move,
			     MAY(ESRCH) | MAY(EINVAL) | MAY(ENODEV) |
			     MAY(EACCES));
	const struct victim *v = some_victim();
	struct numamig_move *a = (void *)buf;
	uint64_t sum = 0, len;
	unsigned int k;

	a->pid = one_in(8) ? some_pid() : v->pid;
	a->node = some_node();
	a->addr = address_in(v, &len);
	a->len = one_in(4) ? PAGE << below(12) : len;
	if (one_in(16))
		a->addr += below(PAGE);
	if (one_in(16))
		a->len = some_bits();
	maybe_set(&a->flags, 40, 1u << below(32));
	c.bad_flags = a->flags;
	/* a terabyte of nothing is legal, and long */
	if (a->len > 64ull << 20 && a->len <= 1ull << 40)
		a->len = 64ull << 20;
	draw_place(&c, buf);
	if (run_call(&c) || c.at != buf)
		return;
	for (k = 0; k < 16; k++)
		sum += a->pages[k];
	if (sum != a->len / PAGE)
		complain("move: %llu pages, %llu results",
			 (unsigned long long)(a->len / PAGE),
			 (unsigned long long)sum);
	__atomic_fetch_add(&shared->moved, a->pages[NUMAMIG_PAGE_MOVED],
			   __ATOMIC_RELAXED);
}

static void do_stream(char *buf)
{
	struct call c = CALL(NUMAMIG_STREAM, struct numamig_stream,
			     MAY(EINVAL) | MAY(EBUSY));
	struct numamig_stream *a = (void *)buf;

	a->entries = one_in(10) ? (uint32_t)some_bits() : 1u << below(14);
	maybe_set(&a->flags, 40, 1u << below(32));
	maybe_set(&a->__reserved, 40, 1u << below(32));
	c.bad_flags = a->flags || a->__reserved;
	draw_place(&c, buf);
	run_call(&c);
}

static void do_helper(char *buf)
{
	struct call c = CALL(NUMAMIG_HELPER, struct numamig_helper,
			     MAY(EBUSY));
	struct numamig_helper *a = (void *)buf;

	maybe_set(&a->flags, 40, 1u << below(32));
	c.bad_flags = a->flags;
	draw_place(&c, buf);
	run_call(&c);
}

static void do_done(char *buf)
{
	struct call c = CALL(NUMAMIG_ORDER_DONE, struct numamig_order_done,
			     MAY(EPERM) | MAY(EINVAL) | MAY(ENOENT));
	struct numamig_order_done *a = (void *)buf;
	struct numamig_order *o = &taken[below(16)];

	a->id = one_in(6) ? some_bits() : o->id;
	if (one_in(4))
		a->error = one_in(2) ? ESRCH : below(8000);
	a->pages[below(NUMAMIG_PAGE_RESULTS)] = below(513);
	if (one_in(20))
		a->pages[below(16)] = some_bits();
	maybe_set(&a->flags, 40, 1u << below(32));
	maybe_set(&a->__reserved, 40, 1u << below(32));
	c.bad_flags = a->flags || a->__reserved;
	draw_place(&c, buf);
	run_call(&c);
}

/* It waits up to five seconds for a helper that we do not have report. */
static void do_stop(char *buf)
{
	struct call c = CALL(NUMAMIG_STOP, struct numamig_stop, 0);
	struct numamig_stop *a = (void *)buf;

	if (!one_in(16))
		return;
	maybe_set(&a->flags, 8, 1u << below(32));
	c.bad_flags = a->flags;
	draw_place(&c, buf);
	run_call(&c);
}

/* A command that does not exist, or another file's. */
static void do_unknown(char *buf)
{
	unsigned int nr = below(256), cmd = _IO(NUMAMIG_TYPE, nr);
	int fd = some_file(), err;

	switch (below(4)) {
	case 0:
		cmd = (unsigned int)next_random();
		break;
	case 1:
		cmd = _IOWR(NUMAMIG_TYPE, nr, struct numamig_move);
		break;
	case 2:
		cmd = FIONREAD;
		break;
	default:
		if (nr >= NUMAMIG_CMD_INFO && nr <= NUMAMIG_CMD_STOP)
			return;
		break;
	}
	/* generic ones: close-on-exec, non-blocking, and such */
	if (_IOC_TYPE(cmd) == 'T' || _IOC_TYPE(cmd) == 'f' ||
	    _IOC_TYPE(cmd) == 'X' ||
	    (_IOC_TYPE(cmd) == NUMAMIG_TYPE && _IOC_DIR(cmd) == _IOC_NONE &&
	     cmd != _IO(NUMAMIG_TYPE, nr)))
		return;
	note("unknown command %x fd %d", cmd, fd);
	err = ioctl(fd, cmd, buf) ? errno : 0;
	note_end(err);
	if (!may(MAY(ENOTTY) | ALWAYS, err))
		complain("error %d: %s", err, last_line());
}

/* --- files --------------------------------------------------------------- */

static void put_file(int fd)
{
	int old;

	if (fd < 0)
		return;
	old = __atomic_exchange_n(&files[below(FILES)], fd, __ATOMIC_RELAXED);
	if (old >= 0)
		close(old);
}

/* Nobody but the table ever holds a number below FIRST_FD. */
static void do_open(char *buf)
{
	int low = open("/dev/numamig", (one_in(8) ? (int)below(3) : O_RDWR) |
		       O_CLOEXEC | (one_in(8) ? 0 : O_NONBLOCK));
	int high;

	(void)buf;
	note("open = %d", low);
	if (low < 0) {
		complain("open: %s", strerror(errno));
		return;
	}
	high = fcntl(low, F_DUPFD_CLOEXEC, FIRST_FD);
	close(low);
	put_file(high);
}

static void do_close(char *buf)
{
	int *slot = &files[below(FILES)];
	int old = __atomic_exchange_n(slot, -1, __ATOMIC_RELAXED);

	(void)buf;
	note("close %d", old);
	if (old >= 0)
		close(old);
}

static void do_dup(char *buf)
{
	int fd = some_file();

	(void)buf;
	note("dup %d", fd);
	if (fd >= 0)
		put_file(fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD));
}

static void remember(const char *buf, ssize_t n)
{
	struct numamig_order o;
	ssize_t at;

	for (at = 0; at + (ssize_t)sizeof(o) <= n; at += sizeof(o)) {
		memcpy(&o, buf + at, sizeof(o));
		if (o.pages > NUMAMIG_ORDER_PAGES || o.addr % PAGE) {
			complain("order %llu: %u pages at %llx",
				 (unsigned long long)o.id, o.pages,
				 (unsigned long long)o.addr);
			return;
		}
		taken[below(16)] = o;
		__atomic_fetch_add(&shared->orders, 1, __ATOMIC_RELAXED);
	}
}

static void do_read(char *buf)
{
	size_t len = one_in(4) ? below(200) : below(ROOM);
	int fd = some_file(), err;
	char *to = buf;
	ssize_t n;

	if (one_in(20))
		to = one_in(2) ? hole : page + PAGE - 60;
	memset(buf, 0, ROOM);
	note("read fd %d, %zu to %p", fd, len, (void *)to);
	n = read(fd, to, len);
	err = n < 0 ? errno : 0;
	note_end(n < 0 ? -err : (int)n);
	if (n < 0 && !may(MAY(EINVAL) | MAY(EAGAIN) | MAY(EFAULT) | ALWAYS,
			  err))
		complain("error %d: %s", err, last_line());
	if (!n || n > (ssize_t)len ||
	    (n > 0 && n % sizeof(struct numamig_sample) &&
	     n % sizeof(struct numamig_order)))
		complain("%zd bytes: %s", n, last_line());
	/* some lengths fit both */
	if (n > 0 && to == buf && n % sizeof(struct numamig_sample))
		remember(buf, n);
}

static void do_poll(char *buf)
{
	struct pollfd p = { .fd = some_file(), .events = POLLIN | POLLOUT };
	int n;

	(void)buf;
	note("poll fd %d", p.fd);
	n = poll(&p, 1, below(20));
	note_end(n);
	if (n > 0 && p.revents & ~(POLLIN | POLLERR | POLLNVAL))
		complain("events %x: %s", p.revents, last_line());
}

/* What this device has not. */
static void do_foreign(char *buf)
{
	int fd = some_file(), err;
	void *p;

	note("mmap, write, lseek fd %d", fd);
	p = mmap(NULL, PAGE << below(4), PROT_READ,
		 one_in(2) ? MAP_SHARED : MAP_PRIVATE, fd, 0);
	err = errno;
	if (p != MAP_FAILED)
		complain("mapped: %s", last_line());
	else if (!may(MAY(ENODEV) | MAY(EACCES) | ALWAYS, err))
		complain("mmap, error %d: %s", err, last_line());
	if (write(fd, buf, 1 + below(100)) >= 0)
		complain("written: %s", last_line());
	if (pread(fd, buf, 100, below(10)) >= 0)
		complain("pread: %s", last_line());
	fcntl(fd, F_SETFL, one_in(8) ? 0 : O_NONBLOCK);
}

/* --- sysfs ---------------------------------------------------------------- */

/*
 * What can be written, in its range.  Tables of the largest size would take all
 * memory of a small machine: those are not tried.
 */
static const struct attribute {
	const char *name;
	uint32_t low;
	uint32_t high;
	uint32_t at_most;	/* tried, 0: @high */
} attributes[] = {
	{ "policy/local_share_low", 0, 100, 0 },
	{ "policy/local_share_high", 0, 101, 0 },
	{ "policy/min_samples", 1, 1000, 8 },
	{ "policy/block_samples", 2, 10000, 32 },
	{ "policy/block_spread", 1, 64, 4 },
	{ "policy/hysteresis", 100, 10000, 200 },
	{ "policy/block_hysteresis", 100, 10000, 400 },
	{ "policy/bounce_windows", 1, 10000, 8 },
	{ "policy/effect_percent", 0, 100, 50 },
	{ "policy/backoff_ms", 1, 60000, 50 },
	{ "policy/rate_mib", 1, 65536, 0 },
	{ "policy/sampler_permille", 1, 500, 200 },
	{ "policy/period_ns", 10000, 100000000, 0 },
	{ "policy/window_ms", 10, 10000, 100 },
	{ "policy/table_entries", 256, 1 << 22, 1 << 15 },
	{ "policy/cpuless_nodes", 0, 1, 0 },
	{ "dry_run", 0, 1, 0 },
};

static int write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, len) < 0)
		err = errno;
	close(fd);
	return err;
}

static int write_attribute(const char *name, const char *text, size_t len)
{
	char path[128];
	int err;

	snprintf(path, sizeof(path), SYSFS "%s", name);
	note("%s <- '%.40s'", name, text);
	err = write_file(path, text, len);
	note_end(err);
	return err;
}

static void good_value(const struct attribute *a)
{
	uint32_t top = a->at_most ? a->at_most : a->high, v;
	char text[32];
	int n, err;

	v = a->low + below(top - a->low + 1);
	if (!strcmp(a->name, "dry_run") && !one_in(8))
		v = 0;
	n = snprintf(text, sizeof(text), one_in(8) ? "0x%x\n" : "%u\n", v);
	/* a flag is read as a letter, not as a number */
	if (a->high == 1)
		n = snprintf(text, sizeof(text), "%u\n", v);
	err = write_attribute(a->name, text, n);
	if (!may(MAY(0) | ALWAYS, err))
		complain("error %d: %s", err, last_line());
}

static void bad_value(const struct attribute *a)
{
	static const char *const junk[] = {
		"x", "-1", "1 2", " ", "99999999999999999999", "1.5", "0x",
		"\xff\xfe", "on off", "--",
	};
	char text[32];
	int n, err;

	if (a->high > 1 && one_in(2))
		n = snprintf(text, sizeof(text), "%llu", one_in(2) || !a->low ?
			     a->high + 1ull + below(1000) :
			     (unsigned long long)below(a->low));
	else
		n = snprintf(text, sizeof(text), "%s",
			     junk[below(sizeof(junk) / sizeof(junk[0]))]);
	/* the first letter of a flag decides */
	if (a->high == 1 && strchr("019o", text[0]))
		return;
	err = write_attribute(a->name, text, n);
	if (!may(MAY(EINVAL) | MAY(ERANGE) | ALWAYS, err))
		complain("error %d: %s", err, last_line());
}

static void do_write_attribute(char *buf)
{
	const struct attribute *a = &attributes[below(sizeof(attributes) /
						      sizeof(attributes[0]))];

	switch (below(8)) {
	case 0:
		bad_value(a);
		break;
	case 1:
		/* longer than a page of sysfs, with anything in it */
		memset(buf, (int)next_random(), ROOM);
		write_attribute(a->name, buf, below(ROOM) + 1);
		break;
	default:
		good_value(a);
		break;
	}
}

static void do_write_text(char *buf)
{
	static const char *const samplers[] = {
		"clock", "clock\n", "fault", "inject", "auto", "clocks", "",
		"telepathy",
	};
	static const char *const cpus[] = {
		"", "\n", "0", "0-1", "3", "0-3", "99999", "1-", "x", "3-1",
	};
	const char *text;
	int err;

	(void)buf;
	if (one_in(2)) {
		text = samplers[below(8)];
		err = write_attribute("sampler", text, strlen(text));
		if (!may(MAY(0) | MAY(EBUSY) | MAY(EINVAL) | ALWAYS, err))
			complain("error %d: %s", err, last_line());
	} else {
		text = cpus[below(10)];
		err = write_attribute("isolated_cpus", text, strlen(text));
		if (!may(MAY(0) | MAY(EINVAL) | MAY(ERANGE) | MAY(EOVERFLOW) |
			 ALWAYS, err))
			complain("error %d: %s", err, last_line());
	}
}

static void do_read_attribute(char *buf)
{
	static const char *const more[] = {
		"targets", "helper", "orders/pending", "orders/issued",
		"samples/taken", "samples/drained", "pages/moved",
		"period_now_ns", "version", "sampler", "isolated_cpus",
	};
	unsigned int nr = sizeof(attributes) / sizeof(attributes[0]);
	unsigned int k = below(nr + 11);
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), SYSFS "%s",
		 k < nr ? attributes[k].name : more[k - nr]);
	note("read %s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, ROOM - 1);
	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	if (n < 1 || buf[n - 1] != '\n')
		complain("%s: %zd bytes", path, n);
	else if (k < nr && (strtoul(buf, NULL, 10) < attributes[k].low ||
			    strtoul(buf, NULL, 10) > attributes[k].high))
		complain("%s is %s", path, buf);
}

/* --- processes ----------------------------------------------------------- */

static void do_kill(char *buf)
{
	pid_t pid = some_victim()->pid;

	(void)buf;
	if (pid <= 0 || !one_in(6))
		return;
	note("kill %d", pid);
	kill(pid, SIGKILL);
}

static void one_operation(char *buf);

/*
 * A child that has the files too, works on them and leaves, killed more often
 * than not: perhaps as the last that holds a file.
 */
static void do_fork(char *buf)
{
	unsigned int n = 1 + below(20);
	pid_t pid;

	if (!one_in(4))
		return;
	note("fork");
	pid = fork();
	if (pid > 0) {
		usleep(below(20000));
		if (one_in(2))
			kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return;
	}
	if (pid < 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(1);
	signal(SIGALRM, SIG_DFL);
	seed_random(next_random() + 1);
	while (n--)
		one_operation(buf);
	if (one_in(4))
		pause();
	_exit(0);
}

/* --- all of it ------------------------------------------------------------ */

static const struct {
	void (*run)(char *buf);
	unsigned int weight;
} operations[] = {
	{ do_info, 4 }, { do_add, 20 }, { do_del, 8 }, { do_stat, 10 },
	{ do_list, 4 }, { do_inject, 60 }, { do_move, 40 }, { do_stream, 6 },
	{ do_helper, 6 }, { do_done, 16 }, { do_stop, 2 }, { do_unknown, 4 },
	{ do_open, 16 }, { do_close, 6 }, { do_dup, 4 }, { do_read, 24 },
	{ do_poll, 6 }, { do_foreign, 3 }, { do_write_attribute, 12 },
	{ do_write_text, 4 }, { do_read_attribute, 8 }, { do_kill, 3 },
	{ do_fork, 4 },
};

static void one_operation(char *buf)
{
	unsigned int k, sum = 0, n;

	for (k = 0; k < sizeof(operations) / sizeof(operations[0]); k++)
		sum += operations[k].weight;
	n = below(sum);
	for (k = 0; n >= operations[k].weight; k++)
		n -= operations[k].weight;
	memset(buf, 0, ROOM);
	operations[k].run(buf);
}

static void prepare_memory(void)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED, "mmap");
	page = p;
	hole = p + PAGE;
	read_only_page = p + 2 * PAGE;
	mprotect(hole, PAGE, PROT_NONE);
	mprotect(p + 3 * PAGE, PAGE, PROT_NONE);
}

/* Nothing waits for long: a signal comes every now and then. */
static void start_timer(void)
{
	struct sigevent ev = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1,
	};
	struct itimerspec every = {
		.it_interval.tv_nsec = 130000000,
		.it_value.tv_nsec = 130000000,
	};
	timer_t timer;

	ev._sigev_un._tid = gettid();
	must(!timer_create(CLOCK_MONOTONIC, &ev, &timer), "timer_create");
	timer_settime(timer, 0, &every, NULL);
}

void no_files(void)
{
	unsigned int k;

	for (k = 0; k < FILES; k++)
		files[k] = -1;
}

void *operate(void *seed)
{
	static __thread char buf[2 * ROOM];

	me = (uintptr_t)seed % THREADS;
	seed_random((uintptr_t)seed);
	prepare_memory();
	start_timer();
	while (!__atomic_load_n(&shared->quit, __ATOMIC_RELAXED))
		one_operation(buf);
	return NULL;
}
