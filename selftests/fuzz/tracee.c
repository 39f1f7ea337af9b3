// SPDX-License-Identifier: GPL-2.0-only
/*
 * tracee.c - see tracee.h
 *
 * The child is emptied by system calls that the parent makes it execute from
 * the code page, the last of which forbids it all further ones.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracee.h"

#define USER_END	0x7ffffffff000ull

static uint8_t *code_page(void)
{
	static void *page;

	if (!page)
		page = mmap((void *)TRACEE_CODE, TRACEE_CODE_SIZE,
			    PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			    -1, 0);
	return page == (void *)TRACEE_CODE ? page : NULL;
}

/* The kernel would kill a thread whose rseq area has been unmapped. */
static void leave_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size)
		syscall(SYS_rseq, area, sizeof(struct rseq),
			RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

static bool stopped(struct tracee *t, int *sig)
{
	int status;
	pid_t got;

	do {
		/* libFuzzer has a timer */
		got = waitpid(t->pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	if (got != t->pid || !WIFSTOPPED(status))
		return false;
	*sig = WSTOPSIG(status);
	return true;
}

int tracee_step(struct tracee *t, struct user_regs_struct *r)
{
	int sig;

	/* what wrfsbase can set and ptrace cannot */
	if (r->fs_base >= USER_END || r->gs_base >= USER_END) {
		t->info.si_code = SI_KERNEL;
		return SIGSEGV;
	}
	/* not in a system call, so none is restarted */
	r->orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, t->pid, 0, r) ||
	    ptrace(PTRACE_SINGLESTEP, t->pid, 0, 0) || !stopped(t, &sig) ||
	    ptrace(PTRACE_GETREGS, t->pid, 0, r))
		return 0;
	if (sig != SIGTRAP &&
	    ptrace(PTRACE_GETSIGINFO, t->pid, 0, &t->info))
		return 0;
	return sig;
}

void tracee_reset_fp(struct tracee *t)
{
	ptrace(PTRACE_SETFPREGS, t->pid, 0, &t->fp);
}

static long remote(struct tracee *t, long nr, uint64_t a, uint64_t b,
		   uint64_t c, uint64_t d)
{
	struct user_regs_struct r = t->first;

	r.rip = TRACEE_CODE;
	r.rax = nr;
	r.rdi = a;
	r.rsi = b;
	r.rdx = c;
	r.r10 = d;
	r.r8 = (uint64_t)-1;
	r.r9 = 0;
	return tracee_step(t, &r) == SIGTRAP ? (long)r.rax : -1;
}

static bool empty_it(struct tracee *t)
{
	uint64_t behind = TRACEE_CODE + TRACEE_CODE_SIZE;

	memcpy(code_page(), "\x0f\x05", 2);
	if (remote(t, SYS_close_range, 0, ~0u, 0, 0) ||
	    remote(t, SYS_munmap, 0, TRACEE_CODE, 0, 0) ||
	    remote(t, SYS_munmap, behind, USER_END - behind, 0, 0) ||
	    remote(t, SYS_mprotect, TRACEE_CODE, TRACEE_CODE_SIZE,
		   PROT_READ | PROT_EXEC, 0))
		return false;
	if (t->readable &&
	    remote(t, SYS_mmap, TRACEE_DATA, TRACEE_DATA_SIZE, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED) !=
	    (long)TRACEE_DATA)
		return false;
	return !remote(t, SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0,
		       0);
}

bool tracee_start(struct tracee *t, bool readable)
{
	int sig;

	if (!code_page())
		return false;
	t->readable = readable;
	t->pid = fork();
	if (!t->pid) {
		leave_rseq();
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(1);
	}
	if (t->pid < 0 || !stopped(t, &sig))
		return false;
	ptrace(PTRACE_SETOPTIONS, t->pid, 0, PTRACE_O_EXITKILL);
	if (ptrace(PTRACE_GETREGS, t->pid, 0, &t->first) ||
	    ptrace(PTRACE_GETFPREGS, t->pid, 0, &t->fp) || !empty_it(t)) {
		tracee_end(t);
		return false;
	}
	return true;
}

void tracee_end(struct tracee *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
}
