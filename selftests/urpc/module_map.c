// SPDX-License-Identifier: GPL-2.0-only
/*
 * module_map - the mappings of a channel: what can be mapped how, that the
 * receive side of a guarded one can never be written, where the pages lie, who
 * pays for them, and what a hostile peer achieves
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "module_test.h"

FIXTURE(map)
{
	struct chan a, b;
	size_t len;
};

FIXTURE_SETUP(map)
{
	ASSERT_TRUE(chan_pair(&self->a, &self->b, 0,
			      sysconf(_SC_NPROCESSORS_ONLN) - 1, 64,
			      URPC_GUARDED));
	self->len = self->a.info.region_bytes;
}

FIXTURE_TEARDOWN(map)
{
	chan_close(&self->a);
	chan_close(&self->b);
	EXPECT_EQ(0, read_number(SYSFS "channels_open"));
}

/* The errno of mapping @len bytes at @off of the channel. */
static int map_errno(FIXTURE_DATA(map) *self, int prot, int flags, size_t len,
		     uint64_t off)
{
	void *p = mmap(NULL, len, prot, flags, self->a.fd, off);
	int err = errno;

	if (p == MAP_FAILED)
		return err;
	munmap(p, len);
	return 0;
}

#define RO	PROT_READ
#define RW	(PROT_READ | PROT_WRITE)
#define RX	URPC_MMAP_RX
#define TX	URPC_MMAP_TX

TEST_F(map, whole_regions_shared)
{
	size_t len = self->len;

	EXPECT_EQ(0, map_errno(self, RW, MAP_SHARED, len, TX));
	EXPECT_EQ(0, map_errno(self, RO, MAP_SHARED, len, TX));
	EXPECT_EQ(0, map_errno(self, RO, MAP_SHARED, len, RX));
	EXPECT_EQ(EINVAL, map_errno(self, RW, MAP_SHARED, len - PAGE, TX));
	EXPECT_EQ(EINVAL, map_errno(self, RW, MAP_SHARED, len + PAGE, TX));
	EXPECT_EQ(EINVAL, map_errno(self, RW, MAP_SHARED, len, TX + PAGE));
	EXPECT_EQ(EINVAL, map_errno(self, RO, MAP_SHARED, PAGE, RX));
	EXPECT_EQ(EINVAL, map_errno(self, RO, MAP_SHARED, len, 2 * RX));
	EXPECT_EQ(EACCES, map_errno(self, RW, MAP_PRIVATE, len, TX));
	EXPECT_EQ(EACCES, map_errno(self, RO, MAP_PRIVATE, len, RX));
	EXPECT_NE(0, map_errno(self, RO | PROT_EXEC, MAP_SHARED, len, RX));
	EXPECT_NE(0, map_errno(self, RW | PROT_EXEC, MAP_SHARED, len, TX));
}

TEST_F(map, receive_side_never_writable)
{
	char path[64], c = 1;
	struct iovec local = { &c, 1 }, remote = { self->a.peer, 1 };
	int mem;

	EXPECT_EQ(EACCES, map_errno(self, RW, MAP_SHARED, self->len, RX));
	EXPECT_EQ(EACCES, map_errno(self, PROT_WRITE, MAP_SHARED, self->len,
				    RX));
	EXPECT_EQ(-1, mprotect(self->a.peer, self->len, RW));
	EXPECT_EQ(-1, mprotect(self->a.peer, self->len, RO | PROT_EXEC));
	EXPECT_EQ(-1, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", getpid());
	mem = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(mem, 0);
	EXPECT_EQ(-1, pwrite(mem, &c, 1, (off_t)(uintptr_t)self->a.peer));
	close(mem);
	EXPECT_EQ(0, *(volatile char *)self->a.peer);
}

/* A debugger's forced write ends in no private copy either. */
TEST_F(map, ptrace_cannot_write)
{
	pid_t pid = fork();
	long ret;

	if (!pid) {
		void *p = mmap((void *)0x100000000ul, self->len, RO,
			       MAP_SHARED | MAP_FIXED, self->a.fd, RX);

		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(p == MAP_FAILED ? SIGKILL : SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	ret = ptrace(PTRACE_POKEDATA, pid, (void *)0x100000000ul, (void *)1);
	EXPECT_EQ(-1, ret);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, *(volatile char *)self->a.peer);
}

TEST_F(map, mremap_and_partial_munmap)
{
	void *p = mmap(NULL, self->len, RO, MAP_SHARED, self->a.fd, RX), *q;

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, munmap(p, PAGE));
	EXPECT_EQ(-1, mprotect(p, PAGE, PROT_NONE));
	EXPECT_EQ(MAP_FAILED, mremap(p, self->len, 2 * self->len,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(p, self->len, PAGE, 0));
	/* moved as a whole it is the same, and no more writable */
	q = mremap(p, self->len, self->len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   (void *)0x200000000ul);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(-1, mprotect(q, self->len, RW));
	EXPECT_EQ(0, munmap(q, self->len));
	/* the writable one, too: the barrier has to know where it went */
	p = mmap(NULL, self->len, RW, MAP_SHARED, self->a.fd, TX);
	q = mremap(p, self->len, self->len, MREMAP_MAYMOVE | MREMAP_FIXED,
		   (void *)0x200000000ul);
	ASSERT_NE(MAP_FAILED, q);
	EXPECT_EQ(0, munmap(q, self->len));
}

/* Is @p mapped in this process? */
static bool is_mapped(const void *p)
{
	unsigned char v;

	return !mincore((void *)((uintptr_t)p & ~(PAGE - 1)), PAGE, &v) ||
	       errno != ENOMEM;
}

TEST_F(map, child_inherits_no_mapping)
{
	int status;
	pid_t pid;

	EXPECT_EQ(-1, madvise(self->a.own, self->len, MADV_DOFORK));
	EXPECT_EQ(-1, madvise(self->a.peer, self->len, MADV_DOFORK));
	pid = fork();
	if (!pid)
		_exit(is_mapped(self->a.own) || is_mapped(self->a.peer));
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_F(map, not_across_exec)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		char fd[16], cmd[64];

		snprintf(fd, sizeof(fd), "%d", self->a.fd);
		snprintf(cmd, sizeof(cmd), "test -e /proc/self/fd/%s", fd);
		execl("/bin/sh", "sh", "-c", cmd, NULL);
		_exit(2);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(1, WEXITSTATUS(status));
}

static int node_of(const void *p)
{
	void *page = (void *)p;
	int status = -1;

	must(!move_pages(0, 1, &page, NULL, &status, 0), "move_pages");
	return status;
}

static int node_of_cpu(int cpu)
{
	char path[96];
	int n;

	for (n = 0; n < 64; n++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/node/node%d/cpu%d", n, cpu);
		if (!access(path, F_OK))
			return n;
	}
	return -1;
}

/* The ring lies on the node of the CPU that receives. */
TEST(ring_lies_with_its_receiver)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN), i, k;
	struct chan a, b;

	for (i = 0; i < cpus; i++) {
		ASSERT_TRUE(chan_pair(&a, &b, i, cpus - 1 - i, 256, 0));
		for (k = 0; k < 5; k++) {
			EXPECT_EQ(node_of_cpu(cpus - 1 - i),
				  node_of((char *)a.own + k * PAGE));
			EXPECT_EQ(node_of_cpu(i),
				  node_of((char *)b.own + k * PAGE));
		}
		chan_close(&a);
		chan_close(&b);
	}
}

TEST(shared_level_maps_both_writable)
{
	struct chan a, b;

	ASSERT_TRUE(chan_pair(&a, &b, 0, 1, 16, URPC_SHARED));
	EXPECT_EQ(URPC_SHARED, a.info.level);
	((struct urpc_control *)a.peer)->rpc.word[0] = 77;
	EXPECT_EQ(77, ((struct urpc_control *)b.own)->rpc.word[0]);
	EXPECT_EQ(-1, mprotect(a.peer, a.info.region_bytes,
			       RW | PROT_EXEC));
	chan_close(&a);
	chan_close(&b);
}

/* A descriptor passed to another process is the channel. */
TEST_F(map, passed_over_a_socket)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *c;
	uint64_t word[7] = { 42 };
	int sv[2], status;
	uint32_t tag;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	if (!pid) {
		struct chan d;
		int fd;

		/* all that fork gave us goes first */
		close(self->a.fd);
		close(self->b.fd);
		if (recvmsg(sv[1], &m, 0) != 1)
			_exit(1);
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		if (!chan_open(&d, fd))
			_exit(2);
		if (chan_recv(&d, &tag, word, 0, 5 * SECOND))
			_exit(3);
		word[0]++;
		_exit(chan_send(&d, tag, word, 0) ? 4 : 0);
	}
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &self->b.fd, sizeof(int));
	ASSERT_EQ(1, sendmsg(sv[0], &m, 0));
	EXPECT_EQ(0, chan_send(&self->a, 9, word, 0));
	EXPECT_EQ(0, chan_recv(&self->a, &tag, word, 0, 5 * SECOND));
	EXPECT_EQ(43, word[0]);
	EXPECT_EQ(9, tag);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	close(sv[0]);
	close(sv[1]);
}

/* The peer may write anything in its region; we get garbage or an error. */
TEST_F(map, hostile_peer)
{
	struct chan *a = &self->a, *b = &self->b;
	volatile uint64_t *evil = b->own;
	uint64_t word[7] = { 0 }, seed = 88172645463325252ull;
	size_t i, n = self->len / 8;
	uint32_t tag;
	int k, ret;

	for (k = 0; k < 200; k++) {
		for (i = 0; i < n; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			evil[i] = seed;
		}
		ret = chan_recv(a, &tag, word, 0, SECOND / 1000);
		EXPECT_TRUE(!ret || ret == -ETIMEDOUT);
		for (i = 0; i < 70 && !ret; i++)
			ret = urpc_tx_has_room(&a->tx) ||
			      urpc_tx_room(&a->tx) > 0 ?
			      chan_send(a, 1, word, 0) : -EPROTO;
	}
	/* nobody else suffers from it */
	{
		struct chan c, d;

		ASSERT_TRUE(chan_pair(&c, &d, 0, 1, 16, 0));
		word[0] = 5;
		EXPECT_EQ(0, chan_send(&c, 1, word, 0));
		EXPECT_EQ(0, chan_recv(&d, &tag, word, 0, SECOND));
		EXPECT_EQ(5, word[0]);
		chan_close(&c);
		chan_close(&d);
	}
}

/* Each side's pages are charged to the memory cgroup of its process. */
TEST(memory_is_charged)
{
	const char *cg = "/sys/fs/cgroup/urpc-test";
	char path[128], text[32];
	struct chan a, b;
	uint64_t before;
	pid_t pid;
	int go[2], status;

	write_text("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(cg, 0755) && errno != EEXIST)
		SKIP(return, "no cgroup2");
	snprintf(path, sizeof(path), "%s/memory.current", cg);
	if (access(path, R_OK))
		SKIP(return, "no memory controller");
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		char c;

		if (read(go[0], &c, 1) != 1)
			_exit(1);
		before = read_number(path);
		if (!chan_pair(&a, &b, 0, 1, 4096, 0))
			_exit(2);
		/* two regions of 65 pages; up to 64 are charged ahead */
		_exit(read_number(path) < before + 66 * PAGE ? 3 : 0);
	}
	snprintf(path, sizeof(path), "%s/cgroup.procs", cg);
	snprintf(text, sizeof(text), "%d", pid);
	ASSERT_EQ(0, write_text(path, text));
	snprintf(path, sizeof(path), "%s/memory.current", cg);
	EXPECT_EQ(1, write(go[1], "g", 1));
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, WEXITSTATUS(status));
	rmdir(cg);
}

TEST_HARNESS_MAIN
