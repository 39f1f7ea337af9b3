// SPDX-License-Identifier: GPL-2.0-only
/*
 * module_driver - CPU drivers: off until asked for, answer pings, end with
 * their CPU
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "module_test.h"

#define DRIVERS	SYSFS "cpu_drivers"
#define ONLINE	"/sys/devices/system/cpu/cpu1/online"

FIXTURE(driver)
{
	int ep;
};

FIXTURE_SETUP(driver)
{
	self->ep = endpoint("", 0);
	ASSERT_GE(self->ep, 0);
	ASSERT_EQ(0, write_text(DRIVERS, "1-2"));
}

FIXTURE_TEARDOWN(driver)
{
	close(self->ep);
	EXPECT_EQ(0, write_text(DRIVERS, "\n"));
	EXPECT_EQ(0, read_number(SYSFS "channels_open"));
}

static int ping(int ep, uint32_t from, uint32_t to, uint32_t count)
{
	struct urpc_ping a = {
		.size = sizeof(a), .from = from, .to = to, .count = count,
	};
	int ret = call(ep, URPC_PING, &a);

	if (!ret)
		printf("# %u pings from %u to %u: %llu ns each\n", count, from,
		       to, (unsigned long long)a.ns / count);
	return ret;
}

TEST(off_at_first)
{
	int ep = endpoint("", 0);

	EXPECT_EQ(-ENOENT, do_connect(ep, "cpu/1", 16, 0));
	EXPECT_EQ(ENODEV, ping(ep, 0, 1, 1));
	EXPECT_NE(0, system("pgrep '^urpc/' >/dev/null"));
	close(ep);
}

TEST_F(driver, names)
{
	EXPECT_EQ(-EINVAL, do_connect(self->ep, "cpu/", 16, 0));
	EXPECT_EQ(-EINVAL, do_connect(self->ep, "cpu/x", 16, 0));
	EXPECT_EQ(-EINVAL, do_connect(self->ep, "cpu/99999", 16, 0));
	EXPECT_EQ(-ENOENT, do_connect(self->ep, "cpu/0", 16, 0));
	EXPECT_EQ(EINVAL, write_text(DRIVERS, "x"));
	EXPECT_NE(0, write_text(DRIVERS, "99999"));
}

TEST_F(driver, answers)
{
	uint64_t word[7], pings = read_number(SYSFS "pings");
	struct chan c;
	uint32_t tag;
	unsigned int i, k;

	ASSERT_TRUE(chan_open(&c, do_connect(self->ep, "cpu/2", 16, 0)));
	EXPECT_EQ(2, c.info.peer_cpu);
	for (i = 0; i < 500; i++) {
		for (k = 0; k < 7; k++)
			word[k] = i * k;
		if (!(i % 50))
			usleep(2000);		/* it sleeps meanwhile */
		ASSERT_EQ(0, chan_send(&c, URPC_DRIVER_PING, word, 0));
		ASSERT_EQ(0, chan_recv(&c, &tag, word, i & 1 ? 1000 : 0,
				       10 * SECOND));
		ASSERT_EQ(URPC_DRIVER_PING, tag);
		ASSERT_EQ(i * 6, word[6]);
	}
	EXPECT_EQ(pings + 500, read_number(SYSFS "pings"));
	ASSERT_EQ(0, chan_send(&c, 12345, word, 0));
	ASSERT_EQ(0, chan_recv(&c, &tag, word, 0, 10 * SECOND));
	EXPECT_EQ(URPC_DRIVER_UNKNOWN, tag);
	chan_close(&c);
}

/* More than fit: it does not take what it cannot answer. */
TEST_F(driver, nothing_is_lost_when_we_do_not_read)
{
	uint64_t word[7] = { 0 }, i;
	struct chan c;
	uint32_t tag;

	ASSERT_TRUE(chan_open(&c, do_connect(self->ep, "cpu/1", 16, 0)));
	for (i = 0; i < 32; i++) {
		word[0] = i;
		ASSERT_EQ(0, chan_send(&c, URPC_DRIVER_PING, word, 0));
	}
	usleep(50000);
	for (i = 0; i < 32; i++) {
		ASSERT_EQ(0, chan_recv(&c, &tag, word, 0, 10 * SECOND));
		ASSERT_EQ(i, word[0]);
	}
	chan_close(&c);
}

TEST_F(driver, kernel_to_kernel)
{
	EXPECT_EQ(EINVAL, ping(self->ep, 1, 1, 1));
	EXPECT_EQ(EINVAL, ping(self->ep, 1, 2, 0));
	EXPECT_EQ(EINVAL, ping(self->ep, 1, 99999, 1));
	EXPECT_EQ(ENODEV, ping(self->ep, 0, 1, 1));
	EXPECT_EQ(0, ping(self->ep, 1, 2, 1000));
	EXPECT_EQ(0, ping(self->ep, 2, 1, 1000));
}

TEST_F(driver, is_privileged)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(1);
		if (do_connect(self->ep, "cpu/1", 16, 0) != -EPERM)
			_exit(2);
		_exit(ping(self->ep, 1, 2, 1) == EPERM ? 0 : 3);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_F(driver, hostile_program)
{
	struct chan c, d;
	uint64_t word[7] = { 0 };
	uint32_t tag;
	volatile uint64_t *evil;
	size_t i;

	ASSERT_TRUE(chan_open(&c, do_connect(self->ep, "cpu/1", 16, 0)));
	evil = c.own;
	for (i = 0; i < 100000; i++)
		evil[rand() % (c.info.region_bytes / 8)] =
			(uint64_t)rand() * rand();
	ASSERT_TRUE(chan_open(&d, do_connect(self->ep, "cpu/1", 16, 0)));
	word[0] = 3;
	EXPECT_EQ(0, chan_send(&d, URPC_DRIVER_PING, word, 0));
	EXPECT_EQ(0, chan_recv(&d, &tag, word, 0, 10 * SECOND));
	EXPECT_EQ(3, word[0]);
	chan_close(&c);
	chan_close(&d);
}

/* Switched off: our side is told, what was answered can be read. */
TEST_F(driver, ends_when_switched_off)
{
	uint64_t word[7] = { 7 };
	struct chan c;
	uint32_t tag;

	ASSERT_TRUE(chan_open(&c, do_connect(self->ep, "cpu/1", 16, 0)));
	ASSERT_EQ(0, chan_send(&c, URPC_DRIVER_PING, word, 0));
	usleep(100000);
	EXPECT_EQ(0, write_text(DRIVERS, "2"));
	EXPECT_EQ(0, chan_recv(&c, &tag, word, 0, 10 * SECOND));
	EXPECT_EQ(7, word[0]);
	EXPECT_EQ(-EPIPE, chan_recv(&c, &tag, word, 0, 10 * SECOND));
	chan_close(&c);
}

TEST_F(driver, ends_with_its_cpu)
{
	uint64_t word[7] = { 7 };
	struct chan c;
	uint32_t tag;

	if (getenv("NUMASHARE_GENTLE"))
		SKIP(return, "others would feel a CPU go offline (--rough)");
	if (write_text(ONLINE, "1"))
		SKIP(return, "CPU 1 cannot go offline");
	ASSERT_TRUE(chan_open(&c, do_connect(self->ep, "cpu/1", 16, 0)));
	ASSERT_EQ(0, write_text(ONLINE, "0"));
	EXPECT_EQ(-EPIPE, chan_recv(&c, &tag, word, 0, 10 * SECOND));
	EXPECT_TRUE(c.tx.own->state & URPC_STATE_PEER_OFFLINE);
	EXPECT_EQ(-EHOSTDOWN, do_connect(self->ep, "cpu/1", 16, 0));
	EXPECT_EQ(EHOSTDOWN, ping(self->ep, 1, 2, 1));
	EXPECT_EQ(-EHOSTDOWN, endpoint("", 1));
	chan_close(&c);
	ASSERT_EQ(0, write_text(ONLINE, "1"));
	/* it came back with it */
	ASSERT_TRUE(chan_open(&c, do_connect(self->ep, "cpu/1", 16, 0)));
	EXPECT_EQ(0, chan_send(&c, URPC_DRIVER_PING, word, 0));
	EXPECT_EQ(0, chan_recv(&c, &tag, word, 0, 10 * SECOND));
	chan_close(&c);
}

TEST_HARNESS_MAIN
