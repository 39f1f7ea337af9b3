// SPDX-License-Identifier: LGPL-2.1-only
/*
 * memfd_region.c - the memory that one side of a channel writes
 *
 * A memory file of the writer.  It cannot shrink (who reads it must not be
 * killed by SIGBUS), and at the guarded level nobody can map or write it
 * writable any more: the seal is set while the writer's own mapping is there,
 * and that one stays.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memfd.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif

/* --- ThreadSanitizer ----------------------------------------------------- */

#ifdef URPC_TSAN
/*
 * It sees no order between accesses at two addresses of one page.  So both
 * ends in one process use one mapping, the writer's: what is read-only is then
 * not tested, which the other builds do.
 */
static struct known {
	dev_t dev;
	ino_t ino;
	void *region;
	unsigned int users;
} known[256];
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

static void know(int fd, void *region)
{
	struct stat st;
	unsigned int i;

	fstat(fd, &st);
	pthread_mutex_lock(&known_lock);
	for (i = 0; i < 256 && known[i].users; i++)
		;
	if (i < 256)
		known[i] = (struct known){ st.st_dev, st.st_ino, region, 1 };
	pthread_mutex_unlock(&known_lock);
}

static void *find_known(int fd)
{
	void *region = NULL;
	struct stat st;
	unsigned int i;

	fstat(fd, &st);
	pthread_mutex_lock(&known_lock);
	for (i = 0; i < 256 && !region; i++) {
		if (known[i].users && known[i].ino == st.st_ino &&
		    known[i].dev == st.st_dev) {
			known[i].users++;
			region = known[i].region;
		}
	}
	pthread_mutex_unlock(&known_lock);
	return region;
}

/* True: somebody else still uses it. */
static bool still_known(void *region)
{
	bool used = false;
	unsigned int i;

	pthread_mutex_lock(&known_lock);
	for (i = 0; i < 256; i++)
		if (known[i].users && known[i].region == region)
			used = --known[i].users > 0;
	pthread_mutex_unlock(&known_lock);
	return used;
}
#else
static void know(int fd, void *region)
{
	(void)fd;
	(void)region;
}

static void *find_known(int fd)
{
	(void)fd;
	return NULL;
}

static bool still_known(void *region)
{
	(void)region;
	return false;
}
#endif

/* --- make ---------------------------------------------------------------- */

/* Where the reader is, if that can be had. */
static void prefer_node(void *region, size_t bytes, int node)
{
	unsigned long mask[16] = { 0 };
	const unsigned int bits = 8 * sizeof(mask[0]);

	if (node < 0 || node >= (int)(8 * sizeof(mask)))
		return;
	mask[(unsigned int)node / bits] = 1ul << (unsigned int)node % bits;
	syscall(SYS_mbind, region, bytes, MPOL_PREFERRED, mask,
		8 * sizeof(mask), 0);
}

static void keep_private(void *region, size_t bytes)
{
	madvise(region, bytes, MADV_DONTFORK);
	madvise(region, bytes, MADV_DONTDUMP);
}

/**
 * ul_region_make - a new region, mapped writable and zero
 * @slots: of its ring
 * @node: of the reader, -1 if unknown
 * @region: out
 *
 * Return: the file, not sealed yet, or a negative errno.
 */
int ul_region_make(uint32_t slots, int node, void **region)
{
	size_t bytes = urpc_region_bytes(slots);
	int fd, err;

	fd = memfd_create("urpc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes))
		goto fail;
	*region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*region == MAP_FAILED)
		goto fail;
	keep_private(*region, bytes);
	prefer_node(*region, bytes, node);
	/* every page is there before the first message */
	memset(*region, 0, bytes);
	know(fd, *region);
	return fd;
fail:
	err = errno;
	close(fd);
	return -err;
}

int ul_region_seal(int fd, uint32_t level)
{
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	if (level == URPC_GUARDED)
		seals |= F_SEAL_FUTURE_WRITE;
	return fcntl(fd, F_ADD_SEALS, seals) ? -errno : 0;
}

/* --- the peer's ---------------------------------------------------------- */

/* A file of this size that will stay so; only memory files have seals. */
static int check(int fd, size_t bytes)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPROTO;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    st.st_size != (off_t)bytes)
		return -EPROTO;
	return 0;
}

/**
 * ul_region_map - check and map a region that somebody else made
 * @fd: its file
 * @slots: of its ring
 * @writable: shared level
 * @region: out
 */
int ul_region_map(int fd, uint32_t slots, bool writable, void **region)
{
	size_t bytes = urpc_region_bytes(slots);
	int ret = check(fd, bytes);

	if (ret)
		return ret;
	*region = find_known(fd);
	if (*region)
		return 0;
	*region = mmap(NULL, bytes, writable ? PROT_READ | PROT_WRITE :
					       PROT_READ,
		       MAP_SHARED | MAP_POPULATE, fd, 0);
	if (*region == MAP_FAILED)
		return errno == EPERM || errno == EACCES ? -EPROTO : -errno;
	keep_private(*region, bytes);
	return 0;
}

/* Put another file in the place of @region, at once for every thread. */
int ul_region_replace(int fd, uint32_t slots, void *region)
{
	size_t bytes = urpc_region_bytes(slots);
	void *fresh;
	int ret;

	ret = ul_region_map(fd, slots, false, &fresh);
	if (ret)
		return ret;
	if (mremap(fresh, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
		   region) == MAP_FAILED) {
		ret = -errno;
		munmap(fresh, bytes);
	}
	return ret;
}

void ul_region_unmap(void *region, uint32_t slots)
{
	if (region && !still_known(region))
		munmap(region, urpc_region_bytes(slots));
}
