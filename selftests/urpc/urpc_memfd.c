// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_memfd - what only the back end without the module has: seals, the
 * handshake with somebody who does not keep to it, sleeping without barriers
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "urpc_test.h"

#define SLOTS	16
#define BYTES	urpc_region_bytes(SLOTS)

static const struct urpc_channel_attr plain = { .slots = SLOTS };

/* Use this back end, whatever there is. */
static void use_memfd(void)
{
	setenv("URPC_BACKEND", "memfd", 1);
}

/* --- seals --------------------------------------------------------------- */

/* The memory files that this process has open. */
static unsigned int memory_files(int *fds, unsigned int room)
{
	char path[300], to[64];
	unsigned int n = 0;
	struct dirent *d;
	DIR *dir = opendir("/proc/self/fd");

	while ((d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", d->d_name);
		memset(to, 0, sizeof(to));
		if (readlink(path, to, sizeof(to) - 1) > 0 &&
		    !strncmp(to, "/memfd:urpc", 11) && n < room)
			fds[n++] = atoi(d->d_name);
	}
	closedir(dir);
	return n;
}

static int reopen(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDWR | O_CLOEXEC);
}

TEST(nobody_maps_a_guarded_region_writable)
{
	uint64_t w[URPC_SLOT_WORDS];
	struct urpc_channel *c[2];
	unsigned int nr, i, k;
	int fds[8];

	use_memfd();
	ASSERT_EQ(0, urpc_pair(&plain, c));
	fill_message(w, 1);
	ASSERT_EQ(0, urpc_try_send(c[0], 1, w));
	/* two each, of two regions */
	nr = memory_files(fds, 8);
	ASSERT_EQ(4, nr);
	for (i = 0; i < nr; i++) {
		int fd[2] = { fds[i], reopen(fds[i]) };

		ASSERT_LE(0, fd[1]);
		for (k = 0; k < 2; k++) {
			EXPECT_EQ(MAP_FAILED,
				  mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
				       MAP_SHARED, fd[k], 0));
			EXPECT_EQ(-1, pwrite(fd[k], "x", 1, 4096));
			EXPECT_EQ(-1, ftruncate(fd[k], 0));
			EXPECT_EQ(-1, ftruncate(fd[k], 1 << 20));
			EXPECT_EQ(-1, fallocate(fd[k], FALLOC_FL_PUNCH_HOLE |
						FALLOC_FL_KEEP_SIZE, 0, 4096));
			EXPECT_EQ(-1, fcntl(fd[k], F_ADD_SEALS, F_SEAL_WRITE));
		}
		close(fd[1]);
	}
	EXPECT_EQ(0, urpc_try_recv(c[1], NULL, w));
	EXPECT_TRUE(is_message(w, 1));
	urpc_close(c[0]);
	urpc_close(c[1]);
}

TEST(nobody_shrinks_a_shared_region)
{
	const struct urpc_channel_attr attr = {
		.slots = SLOTS, .level = URPC_SHARED,
	};
	struct urpc_channel *c[2];
	unsigned int nr, i;
	int fds[8];

	use_memfd();
	ASSERT_EQ(0, urpc_pair(&attr, c));
	nr = memory_files(fds, 8);
	ASSERT_EQ(4, nr);
	for (i = 0; i < nr; i++) {
		EXPECT_EQ(-1, ftruncate(fds[i], 0));
		EXPECT_NE(MAP_FAILED, mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
					   MAP_SHARED, fds[i], 0));
	}
	urpc_close(c[0]);
	urpc_close(c[1]);
}

/* --- the handshake ------------------------------------------------------- */

/* As in memfd_connect.c. */
struct greeting {
	uint32_t magic, version, what, error, level, slots, flags;
	int32_t node;
	uint32_t cpu, registered;
};

enum { HELLO = 1, WELCOME, REGION };

static struct greeting say(uint32_t what)
{
	return (struct greeting) {
		.magic = 0x75727063, .version = 1, .what = what,
		.slots = SLOTS, .node = -1, .cpu = ~0u, .registered = 1,
	};
}

static socklen_t address_of(const char *name, struct sockaddr_un *a)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "urpc/%s",
			name);
}

static int raw_connect(const char *name)
{
	struct sockaddr_un a;
	socklen_t n = address_of(name, &a);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !connect(fd, (struct sockaddr *)&a, n), "connect");
	return fd;
}

static int raw_listen(const char *name)
{
	struct sockaddr_un a;
	socklen_t n = address_of(name, &a);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !bind(fd, (struct sockaddr *)&a, n) && !listen(fd, 9),
	     "listen");
	return fd;
}

static void raw_send(int sock, const void *data, size_t n, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} u;
	struct iovec iov = { (void *)data, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(&u, 0, sizeof(u));
	if (fd >= 0) {
		msg.msg_control = &u;
		msg.msg_controllen = sizeof(u);
		u.head.cmsg_level = SOL_SOCKET;
		u.head.cmsg_type = SCM_RIGHTS;
		u.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&u.head), &fd, sizeof(fd));
	}
	sendmsg(sock, &msg, MSG_NOSIGNAL);
}

/* A memory file of this size with these seals. */
static int region(size_t bytes, int seals)
{
	int fd = memfd_create("urpc-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0 && !ftruncate(fd, (off_t)bytes), "memfd");
	must(!seals || !fcntl(fd, F_ADD_SEALS, seals), "seals");
	return fd;
}

/* Files that are no region of a channel. */
static int bad_region(unsigned int which)
{
	int fds[2], fd;

	switch (which) {
	case 0:		/* could shrink under the reader */
		return region(BYTES, 0);
	case 1:
		return region(BYTES, F_SEAL_GROW | F_SEAL_FUTURE_WRITE);
	case 2:		/* too small */
		return region(BYTES - 4096, F_SEAL_SHRINK);
	case 3:
		return region(0, F_SEAL_SHRINK);
	case 4:
		return region(BYTES * 2, F_SEAL_SHRINK);
	case 5:		/* no memory file */
		must(!pipe2(fds, O_CLOEXEC), "pipe");
		close(fds[1]);
		return fds[0];
	case 6:
		fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0)
			fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		must(fd >= 0 && !ftruncate(fd, (off_t)BYTES), "file");
		return fd;
	default:
		return -1;
	}
}

#define BAD_REGIONS	7

static void *connect_well(void *arg)
{
	struct urpc_channel *c;
	long ret = urpc_connect(NULL, arg, &plain, BOUND_NS, &c);

	if (!ret)
		urpc_close(c);
	return (void *)ret;
}

/* Everybody who does not keep to it is dropped; who does gets through. */
static void expect_good_one(struct __test_metadata *_metadata,
			    struct urpc_endpoint *e, const char *name)
{
	struct urpc_channel *c;
	pthread_t t;
	void *ret;

	must(!pthread_create(&t, NULL, connect_well, (void *)name), "thread");
	EXPECT_EQ(0, urpc_accept(e, NULL, BOUND_NS, &c));
	pthread_join(t, &ret);
	EXPECT_EQ(0, (long)ret);
	urpc_close(c);
}

TEST(clients_that_do_not_keep_to_it)
{
	enum { SILENT = 40 };
	struct greeting g, bad[] = {
		say(HELLO), say(WELCOME), say(REGION), say(77), say(HELLO),
		say(HELLO), say(HELLO), say(HELLO),
	};
	const char *name = new_name();
	struct urpc_endpoint *e;
	struct urpc_channel *c;
	unsigned int fds, i;
	int s[SILENT], fd;

	use_memfd();
	e = listener(name);
	fds = open_fds(getpid());
	bad[0].magic = 1;
	bad[4].version = 99;
	bad[5].slots = 17;
	bad[6].level = 2;
	bad[7].slots = 0x80000000;
	/* those who say nothing keep nobody waiting */
	for (i = 0; i < SILENT; i++)
		s[i] = raw_connect(name);
	expect_good_one(_metadata, e, name);
	for (i = 0; i < 8; i++) {
		raw_send(s[i], &bad[i], sizeof(bad[i]), -1);
		raw_send(s[8 + i], &bad[i], 1 + i * 5, -1);
	}
	/* a descriptor where none belongs */
	g = say(HELLO);
	raw_send(s[16], &g, sizeof(g), 0);
	/* a region before, and something else after */
	g = say(REGION);
	raw_send(s[17], &g, sizeof(g), 0);
	g = say(HELLO);
	raw_send(s[18], &g, sizeof(g), -1);
	raw_send(s[18], &g, sizeof(g), -1);
	for (i = 0; i < BAD_REGIONS; i++) {
		g = say(HELLO);
		raw_send(s[20 + i], &g, sizeof(g), -1);
		g = say(REGION);
		fd = bad_region(i);
		raw_send(s[20 + i], &g, sizeof(g), fd);
		close(fd);
	}
	EXPECT_EQ(-ETIMEDOUT, urpc_accept(e, NULL, 50 * MS, &c));
	expect_good_one(_metadata, e, name);
	for (i = 0; i < SILENT; i++)
		close(s[i]);
	EXPECT_EQ(-ETIMEDOUT, urpc_accept(e, NULL, 50 * MS, &c));
	EXPECT_EQ(fds, open_fds(getpid()));
	urpc_endpoint_close(e);
}

/* More than there is room for: the oldest silent ones go. */
TEST(crowd)
{
	const char *name = new_name();
	struct urpc_endpoint *e;
	struct urpc_channel *c;
	int s[150], i;

	use_memfd();
	e = listener(name);
	for (i = 0; i < 150; i++) {
		s[i] = raw_connect(name);
		if (i % 30 == 29)
			EXPECT_EQ(-EAGAIN, urpc_accept(e, NULL, 0, &c));
	}
	expect_good_one(_metadata, e, name);
	for (i = 0; i < 150; i++)
		close(s[i]);
	urpc_endpoint_close(e);
}

struct fake {
	int listener;
	struct greeting answer;
	size_t bytes;
	int fd;
};

static void *answer_badly(void *arg)
{
	struct fake *f = arg;
	struct greeting g;
	int s = accept(f->listener, NULL, NULL);

	if (recv(s, &g, sizeof(g), 0) > 0)
		raw_send(s, &f->answer, f->bytes, f->fd);
	/* until the other one has had enough */
	while (recv(s, &g, sizeof(g), 0) > 0)
		;
	close(s);
	return NULL;
}

static int connect_to_fake(struct greeting answer, size_t bytes, int fd,
			   uint32_t flags)
{
	const struct urpc_channel_attr a = {
		.slots = SLOTS, .level = URPC_SHARED, .flags = flags,
		.poll_ns = -1,
	};
	const char *name = new_name();
	struct fake f = {
		.listener = raw_listen(name), .answer = answer,
		.bytes = bytes, .fd = fd,
	};
	struct urpc_channel *c;
	pthread_t t;
	int ret;

	must(!pthread_create(&t, NULL, answer_badly, &f), "thread");
	ret = urpc_connect(NULL, name, &a, 2000 * MS, &c);
	if (!ret)
		urpc_close(c);
	pthread_join(t, NULL);
	close(f.listener);
	return ret;
}

TEST(servers_that_do_not_keep_to_it)
{
	struct greeting g = say(WELCOME);
	int good = region(BYTES, F_SEAL_SHRINK), fd;
	unsigned int fds, i;

	use_memfd();
	fds = open_fds(getpid());
	EXPECT_EQ(0, connect_to_fake(g, sizeof(g), good, 0));
	EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g) - 4, good, 0));
	EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g), -1, 0));
	g.level = 2;
	EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g), good, 0));
	g.level = 0;
	EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g), good,
					   URPC_ATTR_EXACT));
	g.slots = 32;
	EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g), good, 0));
	g = say(WELCOME);
	g.error = EACCES;
	EXPECT_EQ(-EACCES, connect_to_fake(g, sizeof(g), -1, 0));
	EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g), good, 0));
	g.error = 1u << 31;
	EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g), -1, 0));
	g = say(HELLO);
	EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g), good, 0));
	g = say(WELCOME);
	for (i = 0; i < BAD_REGIONS; i++) {
		fd = bad_region(i);
		EXPECT_EQ(-EPROTO, connect_to_fake(g, sizeof(g), fd, 0));
		close(fd);
	}
	EXPECT_EQ(fds, open_fds(getpid()));
}

/* --- the socket of a channel --------------------------------------------- */

/* The first socket that is open: one end of the only channel. */
static int first_socket(void)
{
	struct stat st;
	int fd;

	for (fd = 3; fd < 64; fd++)
		if (!fstat(fd, &st) && S_ISSOCK(st.st_mode))
			return fd;
	must(false, "a socket");
	return -1;
}

/* Bytes, garbage, empty ones, descriptors: it goes on, and keeps nothing. */
TEST(garbage_on_the_socket)
{
	uint64_t w[URPC_SLOT_WORDS] = { 0 };
	struct { uint32_t magic, reserved; } m = { 0x75727063, 0 };
	struct urpc_channel *c[2];
	unsigned int fds, i;
	int s, fd;

	use_memfd();
	ASSERT_EQ(0, urpc_pair(&plain, c));
	ASSERT_LE(0, urpc_channel_fd(c[0]));
	ASSERT_LE(0, urpc_channel_fd(c[1]));
	s = first_socket();
	fds = open_fds(getpid());
	for (i = 0; i < 200; i++)
		send(s, "xxxxxxxxxxxxxxxxx", 1 + i % 17, MSG_DONTWAIT);
	for (i = 0; i < BAD_REGIONS; i++) {
		fd = bad_region(i);
		raw_send(s, &m, sizeof(m), fd);
		raw_send(s, &m, 5, fd);
		close(fd);
	}
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, urpc_state(c[0]));
		EXPECT_EQ(0, urpc_state(c[1]));
		ASSERT_LE(0, urpc_poll_prepare(c[0]));
		ASSERT_LE(0, urpc_poll_prepare(c[1]));
		ASSERT_EQ(0, urpc_send(c[0], 0, w));
		ASSERT_EQ(0, urpc_recv(c[1], NULL, w));
		ASSERT_EQ(0, urpc_send(c[1], 0, w));
		ASSERT_EQ(0, urpc_recv(c[0], NULL, w));
	}
	EXPECT_EQ(fds, open_fds(getpid()));
	urpc_close(c[0]);
	urpc_close(c[1]);
}

/* --- without barriers ---------------------------------------------------- */

static void *send_slowly(void *arg)
{
	struct urpc_channel *c = arg;
	uint64_t w[URPC_SLOT_WORDS], seed = 3, i;

	for (i = 0; i < 200; i++) {
		fill_message(w, i);
		if (urpc_send_timed(c, 0, w, BOUND_NS))
			break;
		usleep(next_random(&seed) % 300);
	}
	return NULL;
}

TEST(sleeps_without_barriers)
{
	const struct urpc_channel_attr attr = { .slots = SLOTS, .poll_ns = -1 };
	uint64_t w[URPC_SLOT_WORDS], i;
	struct urpc_channel *c[2];
	struct pollfd p = { .events = POLLIN };
	pthread_t t;

	use_memfd();
	setenv("URPC_MEMBARRIER", "0", 1);
	ASSERT_EQ(0, urpc_pair(&attr, c));
	must(!pthread_create(&t, NULL, send_slowly, c[0]), "thread");
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, urpc_recv_timed(c[1], NULL, w, BOUND_NS));
		ASSERT_TRUE(is_message(w, i));
	}
	p.fd = urpc_channel_fd(c[1]);
	while (i < 200) {
		ASSERT_LE(0, urpc_poll_prepare(c[1]));
		ASSERT_EQ(1, poll(&p, 1, 20000));
		if (urpc_try_recv(c[1], NULL, w))
			continue;
		ASSERT_TRUE(is_message(w, i));
		i++;
	}
	/* nothing comes, and still it looks again in a moment */
	ASSERT_EQ(0, urpc_poll_prepare(c[1]));
	EXPECT_EQ(1, poll(&p, 1, 20000));
	EXPECT_EQ(-EAGAIN, urpc_try_recv(c[1], NULL, w));
	pthread_join(t, NULL);
	urpc_close(c[0]);
	urpc_close(c[1]);
}

TEST(no_cpu_drivers)
{
	struct urpc_channel *c;

	use_memfd();
	EXPECT_EQ(-EOPNOTSUPP, urpc_connect(NULL, "cpu/0", NULL, -1, &c));
}

TEST_HARNESS_MAIN
