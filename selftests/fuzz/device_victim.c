// SPDX-License-Identifier: GPL-2.0-only
/*
 * device_victim.c - processes that use memory while it is moved
 *
 * A victim has regions of several kinds of memory.  Every page says what it is
 * and is filled with words that follow from that, so a page that is lost, torn
 * or exchanged is noticed at its next check.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "nm_test.h"

#define MAX_PAGES	1024

enum kind { PRIVATE, HUGE_PRIVATE, SHMEM, TMPFS_FILE, FILE_PRIVATE, KINDS };

static const char *const kind_name[] = {
	"private", "huge", "shmem", "tmpfs", "private file",
};

/* One mapping; @seed of a page is 0 while it was never written. */
struct memory {
	enum kind kind;
	char *at;
	uint32_t pages;
	bool read_only;
	uint32_t seed[MAX_PAGES];
};

static struct memory memory[REGIONS];
static unsigned int own_slot;

static void publish(unsigned int r)
{
	struct region *pub = &shared->victim[own_slot].region[r];

	__atomic_store_n(&pub->len, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&pub->addr, (uintptr_t)memory[r].at,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&pub->len, memory[r].pages * PAGE, __ATOMIC_RELEASE);
}

static int file_for(enum kind kind, size_t len)
{
	char path[] = "/dev/shm/numamig-fuzz-XXXXXX";
	int fd;

	if (kind == FILE_PRIVATE)
		fd = memfd_create("numamig-fuzz", MFD_CLOEXEC);
	else
		fd = mkstemp(path);
	if (fd >= 0 && kind != FILE_PRIVATE)
		unlink(path);
	if (fd >= 0 && ftruncate(fd, len)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static char *map(enum kind kind, size_t len)
{
	int flags = kind == SHMEM || kind == TMPFS_FILE ? MAP_SHARED :
							  MAP_PRIVATE;
	int fd = -1;
	char *p;

	if (kind == TMPFS_FILE || kind == FILE_PRIVATE)
		fd = file_for(kind, len);
	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (fd >= 0)
		close(fd);
	if (p == MAP_FAILED)
		return NULL;
	if (kind == PRIVATE)
		madvise(p, len, MADV_NOHUGEPAGE);
	if (kind == HUGE_PRIVATE)
		madvise(p, len, MADV_HUGEPAGE);
	return p;
}

static void new_memory(unsigned int r)
{
	struct memory *m = &memory[r];

	memset(m, 0, sizeof(*m));
	m->kind = below(KINDS);
	/* a huge page wants 2 MiB that are aligned to it, so 4 to be sure */
	m->pages = m->kind == HUGE_PRIVATE ? MAX_PAGES : 1 + below(256);
	m->at = map(m->kind, m->pages * PAGE);
	if (!m->at)
		m->pages = 0;
	publish(r);
}

static uint64_t word(uint32_t seed, uint32_t page, uint32_t k)
{
	return ((uint64_t)seed << 32 | page << 9 | k) * 0x9e3779b97f4a7c15ull;
}

static void write_page(struct memory *m, uint32_t page)
{
	uint64_t *w = (uint64_t *)(m->at + page * PAGE);
	uint32_t k;

	m->seed[page] = (uint32_t)next_random() | 1;
	for (k = 0; k < PAGE / 8; k++)
		w[k] = word(m->seed[page], page, k);
}

static void verify_page(struct memory *m, uint32_t page)
{
	const uint64_t *w = (const uint64_t *)(m->at + page * PAGE);
	uint64_t wanted, found;
	uint32_t k;

	for (k = 0; k < PAGE / 8; k++) {
		wanted = m->seed[page] ? word(m->seed[page], page, k) : 0;
		found = ((const volatile uint64_t *)w)[k];
		if (found == wanted)
			continue;
		complain("contents of %s memory: pid %d, page %u word %u at %p: %llx, written %llx",
			 kind_name[m->kind], getpid(), page, k, (void *)&w[k],
			 (unsigned long long)found,
			 (unsigned long long)wanted);
		return;
	}
	__atomic_fetch_add(&shared->verified, 1, __ATOMIC_RELAXED);
}

static void verify_all(void)
{
	unsigned int r;
	uint32_t page;

	for (r = 0; r < REGIONS; r++)
		for (page = 0; page < memory[r].pages; page++)
			verify_page(&memory[r], page);
}

/* --- what a victim does -------------------------------------------------- */

static void use(struct memory *m)
{
	uint32_t from = below(m->pages), n = 1 + below(48), k;

	for (k = 0; k < n && from + k < m->pages; k++) {
		verify_page(m, from + k);
		if (!m->read_only && one_in(2))
			write_page(m, from + k);
	}
}

static void replace(unsigned int r)
{
	if (memory[r].at)
		munmap(memory[r].at, memory[r].pages * PAGE);
	new_memory(r);
}

/* The tail goes, the rest stays. */
static void shorten(unsigned int r)
{
	struct memory *m = &memory[r];
	uint32_t keep = m->pages / 2 + 1;

	if (keep >= m->pages)
		return;
	munmap(m->at + keep * PAGE, (m->pages - keep) * PAGE);
	m->pages = keep;
	publish(r);
}

static void protect(struct memory *m)
{
	m->read_only = !m->read_only;
	mprotect(m->at, m->pages * PAGE,
		 m->read_only ? PROT_READ : PROT_READ | PROT_WRITE);
}

/* Each region has 4 GiB of its own, so that none lands on another. */
static void elsewhere(unsigned int r)
{
	uint64_t own = 0x600000000000 + ((uint64_t)own_slot << 34) +
		       ((uint64_t)r << 32);
	struct memory *m = &memory[r];
	char *p = mremap(m->at, m->pages * PAGE, m->pages * PAGE,
			 MREMAP_MAYMOVE | MREMAP_FIXED,
			 (char *)own + ((uint64_t)below(512) << 22));

	if (p == MAP_FAILED)
		return;
	m->at = p;
	publish(r);
}

/* Private memory reads as zero afterwards. */
static void forget(struct memory *m)
{
	if (m->kind != PRIVATE && m->kind != HUGE_PRIVATE)
		return;
	madvise(m->at, m->pages * PAGE, MADV_DONTNEED);
	memset(m->seed, 0, sizeof(m->seed));
}

static void wander(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(below(sysconf(_SC_NPROCESSORS_ONLN)), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* A child checks and changes its copy; shared memory it only checks. */
static void breed(void)
{
	pid_t pid = fork();
	unsigned int r, n;

	if (pid) {
		shared->victim[own_slot].child = pid;
		if (pid > 0 && one_in(3))
			kill(pid, SIGKILL);
		/* what it wrote to shared memory must not be met here */
		if (pid > 0)
			waitpid(pid, NULL, 0);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	seed_random(next_random() ^ getpid());
	for (n = 1 + below(40); n; n--) {
		r = below(REGIONS);
		if (!memory[r].pages)
			continue;
		if (memory[r].kind == SHMEM || memory[r].kind == TMPFS_FILE)
			verify_page(&memory[r], below(memory[r].pages));
		else
			use(&memory[r]);
	}
	_exit(0);
}

static void *read_around(void *arg)
{
	struct memory m = *(struct memory *)arg;
	volatile uint64_t *w = (volatile uint64_t *)m.at;
	uint32_t n;

	shared->victim[own_slot].child = gettid();
	wander();
	for (n = 0; n < 20000; n++)
		(void)w[below(m.pages * (PAGE / 8))];
	return NULL;
}

static void with_a_thread(struct memory *m)
{
	pthread_t t;

	if (pthread_create(&t, NULL, read_around, m))
		return;
	use(m);
	pthread_join(t, NULL);
}

static void live(unsigned int r)
{
	struct memory *m = &memory[r];

	if (!m->pages) {
		new_memory(r);
		return;
	}
	switch (below(64)) {
	case 0:
		replace(r);
		break;
	case 1:
		shorten(r);
		break;
	case 2:
		protect(m);
		break;
	case 3:
		elsewhere(r);
		break;
	case 4:
		forget(m);
		break;
	case 5:
	case 6:
		breed();
		break;
	case 7:
	case 8:
		with_a_thread(m);
		break;
	case 9:
	case 10:
		wander();
		break;
	default:
		use(m);
		break;
	}
}

void victim_main(unsigned int slot)
{
	unsigned int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	own_slot = slot;
	for (r = 0; r < REGIONS; r++)
		new_memory(r);
	while (!__atomic_load_n(&shared->quit, __ATOMIC_RELAXED) &&
	       !one_in(4000))
		live(below(REGIONS));
	verify_all();
	_exit(0);
}
