// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_hostile - a peer that writes whatever it likes into its own region
 *
 * Guarded level.  The victim gets errors and garbage, but each call ends and
 * says something that it may say, nothing is written past a buffer, and
 * another channel goes on.  And what it reads cannot be written from its side.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

#define SLOTS	16

/* --- what the peer does -------------------------------------------------- */

struct attack {
	struct urpc_channel *c;
	uint64_t seed;
};

static uint64_t *region_of(struct urpc_channel *c)
{
	return (uint64_t *)c->tx.own;
}

static void put(uint64_t *at, uint64_t v)
{
	__atomic_store_n(at, v, __ATOMIC_RELAXED);
}

/* Any word of the region, any value; often one that looks like something. */
static void scribble(struct attack *a)
{
	uint64_t r = next_random(&a->seed), v = next_random(&a->seed);
	uint64_t words = urpc_region_bytes(SLOTS) / 8;
	uint64_t at = r % words;

	/* mostly where somebody looks */
	if (r & 1ull << 40)
		at = (URPC_CONTROL_BYTES + (r % SLOTS) * 64 + 56) / 8;
	else if (r & 1ull << 41)
		at = (r % 8) * 16;
	switch (r >> 60) {
	case 0:
		v = 0;
		break;
	case 1:
		v = 1;
		break;
	case 2:
		v %= 64;
		break;
	case 3:
		v = ~v % 64;
		break;
	case 4 ... 7:
		/* kinds and lengths */
		v = urpc_ctl((uint32_t)v, (enum urpc_kind)(v >> 32 & 7),
			     (uint32_t)(v >> 40 & (v & 64 ? 0xfff :
						   URPC_CTL_LEN_MASK))) |
		    (v & 1);
		break;
	default:
		break;
	}
	/* that it is gone is believed, and ends the test: a test of its own */
	if (at != offsetof(struct urpc_control, state) / 8)
		put(&region_of(a->c)[at], v);
}

static void *scribble_for_ever(void *arg)
{
	struct attack *a = arg;

	for (;;)
		scribble(a);
	return NULL;
}

/* Two threads, so that words change while they are read. */
static int anything(struct urpc_channel *c, void *arg)
{
	struct attack a = { c, 1 }, b = { c, 2 };
	pthread_t t;

	must(!pthread_create(&t, NULL, scribble_for_ever, &b), "thread");
	scribble_for_ever(&a);
	return 0;
}

/* Valid control words over and over, old payloads, no regard for room. */
static int replays(struct urpc_channel *c, void *arg)
{
	uint64_t w[URPC_SLOT_WORDS], n;

	for (n = 0;; n++) {
		fill_message(w, n);
		urpc_tx_put(&c->tx, urpc_ctl((uint32_t)n, URPC_KIND_MESSAGE,
					     0), (const __u64 *)w);
	}
	return 0;
}

/* Acknowledges what was not sent, takes back what was. */
static int lies_about_room(struct urpc_channel *c, void *arg)
{
	uint64_t seed = 3;

	for (;;)
		urpc_store(&c->rx.own->ack, next_random(&seed) >>
			   next_random(&seed) % 64);
	return 0;
}

/* Bulk messages whose lengths have nothing to do with what follows. */
static int lies_about_lengths(struct urpc_channel *c, void *arg)
{
	uint64_t w[URPC_SLOT_WORDS], seed = 4, r;
	struct urpc_slot *s;

	fill_message(w, 0);
	for (;;) {
		r = next_random(&seed);
		if (urpc_slot_timed(c, &s, -1))
			return 0;
		__urpc_publish(c, urpc_ctl((uint32_t)r, r & 3 ?
					   URPC_KIND_MORE : URPC_KIND_BULK,
					   (uint32_t)(r >> (r & 4 ? 40 : 54))
					   & URPC_CTL_LEN_MASK));
	}
}

/* Says all the time that it sleeps, each time anew. */
static int never_sleeps(struct urpc_channel *c, void *arg)
{
	uint32_t n;

	for (n = 1;; n++) {
		urpc_store(&c->tx.own->rx_sleep, n);
		urpc_store(&c->tx.own->tx_sleep, n);
		urpc_store(&c->tx.own->wake_rx, n);
		urpc_store(&c->tx.own->wake_tx, n);
	}
	return 0;
}

/* --- what the victim does ------------------------------------------------ */

#define BUFFER	3000

struct victim {
	struct urpc_channel *c;
	uint64_t seed;
	uint64_t calls;
	uint64_t errors;
	uint8_t *buffer;	/* ends at a page that is not mapped */
	const char *wrong;
};

/* The buffer's last byte is the last one before a hole. */
static uint8_t *buffer_before_hole(void)
{
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(p != MAP_FAILED && !munmap(p + 2 * 4096, 4096), "mmap");
	return (uint8_t *)(p + 2 * 4096 - BUFFER);
}

static bool may_receive(ssize_t ret)
{
	return ret >= 0 || ret == -EAGAIN || ret == -ETIMEDOUT ||
	       ret == -EBADMSG || ret == -EMSGSIZE;
}

static bool may_send(int ret)
{
	return ret >= 0 || ret == -EAGAIN || ret == -ETIMEDOUT ||
	       ret == -EPROTO;
}

static const char *receive_somehow(struct victim *v, int64_t ns)
{
	struct urpc_message *m = (struct urpc_message *)v->buffer;
	uint64_t w[URPC_SLOT_WORDS], r = next_random(&v->seed);
	const struct urpc_slot *s;
	size_t size = r >> 8 & (r & 128 ? 63 : BUFFER - 1);
	ssize_t ret = 0;
	uint32_t tag;

	if (size > BUFFER)
		size = BUFFER;
	switch (r % 8) {
	case 0:
		ret = urpc_try_recv(v->c, &tag, w);
		break;
	case 1:
		ret = urpc_recv_timed(v->c, &tag, w, ns);
		break;
	case 2:
		m = (struct urpc_message *)(v->buffer + BUFFER -
					    30 * sizeof(*m));
		ret = urpc_recv_batch(v->c, m, 30, ns);
		if (ret > 30)
			return "more messages than room";
		break;
	case 3:
	case 4:
		ret = urpc_recv_bulk(v->c, &tag, v->buffer + BUFFER - size,
				     size, ns);
		if (ret > (ssize_t)size)
			return "more bytes than room";
		break;
	case 5:
		ret = urpc_try_peek(v->c, &s, &tag);
		if (!ret)
			urpc_done(v->c);
		break;
	case 6:
		ret = urpc_call_next(v->c, &tag, w, ns);
		if (ret == -EBUSY)
			ret = 0;
		if (!ret)
			ret = urpc_tx_has_room(&v->c->tx) ?
			      urpc_call_reply(v->c, tag, w) : 0;
		if (ret == -EINVAL || ret == -EPROTO)
			ret = 0;
		break;
	case 7:
		/* a program that cannot take something drops it */
		ret = urpc_next_bytes(v->c);
		if (ret > (ssize_t)URPC_BULK_MAX)
			return "a length that cannot be";
		ret = urpc_skip(v->c);
		break;
	}
	v->calls++;
	v->errors += ret == -EBADMSG || ret == -EMSGSIZE;
	return may_receive(ret) ? NULL : strerror(-ret);
}

static const char *send_somehow(struct victim *v, int64_t ns)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 }, r = next_random(&v->seed);
	struct urpc_message m[20];
	int ret = 0;

	memset(m, 0, sizeof(m));
	switch (r % 4) {
	case 0:
		ret = urpc_try_send(v->c, 0, w);
		break;
	case 1:
		ret = urpc_send_timed(v->c, 0, w, ns);
		break;
	case 2:
		ret = urpc_send_batch(v->c, m, 20, ns);
		break;
	case 3:
		ret = urpc_send_bulk(v->c, 0, v->buffer, BUFFER, ns);
		break;
	}
	v->calls++;
	v->errors += ret == -EPROTO;
	return may_send(ret) ? NULL : strerror(-ret);
}

static void suffer(struct victim *v, double seconds)
{
	double end = seconds_now() + seconds, began;
	struct urpc_stats s;
	int64_t ns;

	/* on a machine that is busy otherwise, too, a few of each */
	while (!v->wrong && ((began = seconds_now()) < end ||
			     v->calls < 60)) {
		ns = next_random(&v->seed) % (2 * MS);
		v->wrong = receive_somehow(v, ns);
		if (!v->wrong)
			v->wrong = send_somehow(v, ns);
		if (urpc_unacked(v->c) > SLOTS)
			v->wrong = "more unacknowledged than the ring holds";
		if (urpc_poll_prepare(v->c) < 0 ||
		    urpc_get_stats(v->c, &s) || urpc_state(v->c))
			v->wrong = "what has nothing to do with the ring";
		/* two calls of two milliseconds */
		if (seconds_now() - began > 5)
			v->wrong = "a call took for ever";
	}
}

/* --- the channel beside it ----------------------------------------------- */

static int echo(struct urpc_channel *c, void *arg)
{
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t tag;

	while (!urpc_recv_timed(c, &tag, w, BOUND_NS))
		if (urpc_send_timed(c, tag, w, BOUND_NS))
			return 1;
	return 0;
}

struct beside {
	struct urpc_channel *c;
	double end;
	uint64_t n;
	bool wrong;
};

static void *goes_on(void *arg)
{
	struct beside *b = arg;
	uint64_t w[URPC_SLOT_WORDS];
	uint32_t tag;

	for (; !b->wrong && (seconds_now() < b->end || b->n < 20); b->n++) {
		fill_message(w, b->n);
		b->wrong = urpc_send_timed(b->c, (uint32_t)b->n, w, BOUND_NS) ||
			   urpc_recv_timed(b->c, &tag, w, BOUND_NS) ||
			   tag != (uint32_t)b->n || !is_message(w, b->n);
	}
	return NULL;
}

FIXTURE(hostile)
{
	struct urpc_channel *good;
	pid_t good_pid;
};

FIXTURE_VARIANT(hostile)
{
	child_work work;
};

FIXTURE_VARIANT_ADD(hostile, anything) { .work = anything };
FIXTURE_VARIANT_ADD(hostile, replays) { .work = replays };
FIXTURE_VARIANT_ADD(hostile, lies_about_room) { .work = lies_about_room };
FIXTURE_VARIANT_ADD(hostile, lies_about_lengths)
{
	.work = lies_about_lengths,
};
FIXTURE_VARIANT_ADD(hostile, never_sleeps) { .work = never_sleeps };

static const struct urpc_channel_attr plain = { .slots = SLOTS };

FIXTURE_SETUP(hostile)
{
	self->good_pid = spawn_peer(&plain, echo, NULL, &self->good);
}

FIXTURE_TEARDOWN(hostile)
{
	urpc_close(self->good);
	EXPECT_EQ(0, end_of(self->good_pid));
}

TEST_F(hostile, is_survived)
{
	double seconds = test_seconds(0.5);
	struct beside b = { .c = self->good };
	struct victim v = { .seed = 5 };
	pthread_t t;
	pid_t pid;

	v.buffer = buffer_before_hole();
	pid = spawn_peer(&plain, variant->work, NULL, &v.c);
	b.end = seconds_now() + seconds;
	must(!pthread_create(&t, NULL, goes_on, &b), "thread");
	suffer(&v, seconds);
	kill(pid, SIGKILL);
	end_of(pid);
	pthread_join(t, NULL);
	if (v.wrong)
		fprintf(stderr, "# %s\n", v.wrong);
	EXPECT_TRUE(!v.wrong);
	EXPECT_FALSE(b.wrong);
	/* or it was no attack */
	if (variant->work == anything || variant->work == lies_about_room ||
	    variant->work == lies_about_lengths)
		EXPECT_LT(0, v.errors);
	urpc_close(v.c);
}

/* A ring that is broken stays so, and says it at once. */
TEST(broken_for_good)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	struct urpc_message m[2];
	struct urpc_channel *c[2];
	int i;

	memset(m, 0, sizeof(m));
	ASSERT_EQ(0, urpc_pair(&plain, c));
	for (i = 0; i < SLOTS; i++)
		ASSERT_EQ(0, urpc_try_send(c[0], 0, w));
	urpc_store(&c[1]->rx.own->ack, 17);
	EXPECT_EQ(-EPROTO, urpc_try_send(c[0], 0, w));
	urpc_store(&c[1]->rx.own->ack, 4);
	EXPECT_EQ(-EPROTO, urpc_try_send(c[0], 0, w));
	EXPECT_EQ(-EPROTO, urpc_send(c[0], 0, w));
	EXPECT_EQ(-EPROTO, urpc_try_send_batch(c[0], m, 2));
	EXPECT_EQ(-EPROTO, urpc_send_bulk(c[0], 0, w, 56, -1));
	/* the other direction is another matter */
	EXPECT_EQ(0, urpc_try_send(c[1], 0, w));
	EXPECT_EQ(0, urpc_try_recv(c[0], NULL, w));
	urpc_close(c[0]);
	urpc_close(c[1]);
}

/* Without the module a side says itself that it is gone; it is then. */
TEST(says_that_it_is_gone)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	struct urpc_channel *c[2];

	ASSERT_EQ(0, urpc_pair(&plain, c));
	ASSERT_EQ(0, urpc_try_send(c[1], 0, w));
	urpc_store(&c[1]->rx.own->state, ~0u);
	EXPECT_EQ(0, urpc_recv_timed(c[0], NULL, w, MS));
	EXPECT_EQ(strcmp(urpc_backend(), "memfd") ? -ETIMEDOUT : -EPIPE,
		  urpc_recv_timed(c[0], NULL, w, MS));
	urpc_close(c[0]);
	urpc_close(c[1]);
}

/* --- what the receiving side cannot do ----------------------------------- */

#if !UNDER_TSAN
FIXTURE(mapping)
{
	struct urpc_channel *c[2];
	char *ring;		/* c[1]'s view of what c[0] writes */
	char *page;
	size_t bytes;
};

FIXTURE_SETUP(mapping)
{
	uint64_t w[URPC_SLOT_WORDS];

	ASSERT_EQ(0, urpc_pair(&plain, self->c));
	self->ring = (char *)(uintptr_t)self->c[1]->rx.slot;
	self->page = (char *)(uintptr_t)self->c[1]->rx.peer;
	self->bytes = urpc_region_bytes(SLOTS);
	fill_message(w, 1);
	ASSERT_EQ(0, urpc_try_send(self->c[0], 1, w));
}

FIXTURE_TEARDOWN(mapping)
{
	uint64_t w[URPC_SLOT_WORDS];

	/* nothing of it has changed what was sent */
	EXPECT_EQ(0, urpc_try_recv(self->c[1], NULL, w));
	EXPECT_TRUE(is_message(w, 1));
	urpc_close(self->c[0]);
	urpc_close(self->c[1]);
}

/* Does a store through @p kill? */
static bool store_kills(char *p)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		*(volatile char *)p = 1;
		_exit(0);
	}
	status = end_of(pid);
	return WIFSIGNALED(status) || WEXITSTATUS(status);
}

TEST_F(mapping, mprotect)
{
	EXPECT_EQ(-1, mprotect(self->page, self->bytes,
			       PROT_READ | PROT_WRITE));
	EXPECT_EQ(-1, mprotect(self->page, 4096, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-1, mprotect(self->page + 4096, 4096, PROT_WRITE));
}

TEST_F(mapping, mremap)
{
	char *p;

	/* a second view is as good as the first */
	p = mremap(self->page, 0, self->bytes, MREMAP_MAYMOVE);
	if (p != MAP_FAILED) {
		EXPECT_EQ(-1, mprotect(p, self->bytes,
				       PROT_READ | PROT_WRITE));
		munmap(p, self->bytes);
	}
	p = mremap(self->page, self->bytes, self->bytes,
		   MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	if (p != MAP_FAILED) {
		EXPECT_EQ(-1, mprotect(p, self->bytes,
				       PROT_READ | PROT_WRITE));
		munmap(p, self->bytes);
	}
}

static int write_by_proc(pid_t pid, char *at)
{
	char path[64], x = 'x';
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = pwrite(fd, &x, 1, (off_t)(uintptr_t)at);
	close(fd);
	return ret;
}

static ssize_t write_by_vm(pid_t pid, char *at)
{
	char x = 'x';
	struct iovec from = { &x, 1 }, to = { at, 1 };

	return process_vm_writev(pid, &from, 1, &to, 1, 0);
}

TEST_F(mapping, proc_mem_and_process_vm_writev)
{
	char own = 'a';

	EXPECT_GT(0, write_by_proc(getpid(), self->ring));
	EXPECT_GT(0, write_by_vm(getpid(), self->ring));
	EXPECT_GT(0, write_by_proc(getpid(), self->page));
	EXPECT_GT(0, write_by_vm(getpid(), self->page));
	/* or it fails for another reason */
	EXPECT_EQ(1, write_by_proc(getpid(), &own));
	EXPECT_EQ(1, write_by_vm(getpid(), &own));
	EXPECT_EQ('x', own);
}

/* From another process, and as its debugger. */
TEST_F(mapping, ptrace)
{
	int status, bad = 0;
	pid_t pid = fork();

	if (!pid) {
		pid_t parent = getppid();

		if (ptrace(PTRACE_ATTACH, parent, 0, 0))
			_exit(77);
		waitpid(parent, NULL, __WALL);
		bad |= !ptrace(PTRACE_POKEDATA, parent, self->ring, 1ul);
		bad |= (write_by_proc(parent, self->ring) == 1) << 1;
		bad |= (write_by_vm(parent, self->ring) == 1) << 2;
		ptrace(PTRACE_DETACH, parent, 0, 0);
		_exit(bad);
	}
	status = end_of(pid);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* What a child makes of it, should it get the mapping after all. */
TEST_F(mapping, dofork)
{
	if (madvise(self->page, self->bytes, MADV_DOFORK))
		return;
	EXPECT_TRUE(store_kills(self->ring));
	EXPECT_TRUE(store_kills(self->page));
}

TEST_F(mapping, store)
{
	EXPECT_TRUE(store_kills(self->ring));
	EXPECT_TRUE(store_kills(self->page));
	EXPECT_EQ(-1, madvise(self->page, self->bytes, MADV_REMOVE));
}
#endif

TEST_HARNESS_MAIN
