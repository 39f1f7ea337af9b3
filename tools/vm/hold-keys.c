// SPDX-License-Identifier: GPL-2.0-only
/*
 * hold-keys - keep the kernel from patching its hottest code under TCG
 *
 * The first perf event of a task, and the first page-fault event, patch a jump
 * into __schedule() and into the page-fault handler; the last one patches it
 * out again.  So do the first virtual machine of KVM and the last one, in
 * finish_task_switch().  QEMU before 8.1 can translate the code while it is
 * half patched and keep the breakpoint for good ("Oops: int3"), because it does
 * not lock the page it translates.  While this program sleeps on such events
 * the code stays as it is, whatever comes and goes meanwhile.  It returns once
 * the events are there and stays on in the background.  Without KVM it goes on.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void hold(uint64_t config)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = config;
	attr.exclude_kernel = 1;
	syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static void hold_kvm(void)
{
	/* never closed */
	static int kvm;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm >= 0)
		ioctl(kvm, KVM_CREATE_VM, 0);
}

int main(void)
{
	char c = 0;
	int ready[2];

	if (pipe(ready))
		return 1;
	if (fork())
		return read(ready[0], &c, 1) != 1;
	hold(PERF_COUNT_SW_TASK_CLOCK);
	hold(PERF_COUNT_SW_PAGE_FAULTS);
	hold_kvm();
	if (write(ready[1], &c, 1) != 1)
		return 1;
	close(ready[0]);
	close(ready[1]);
	for (;;)
		pause();
}
