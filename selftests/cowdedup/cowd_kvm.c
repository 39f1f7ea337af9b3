// SPDX-License-Identifier: GPL-2.0-only
/*
 * cowd_kvm - real guests: what a virtual CPU sees of memory that is bound, and
 * what becomes of its writes
 *
 * A guest here has no system.  It does one instruction at a time in real mode,
 * a load or a store of 16 bits, and halts; the test sets the address.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "cowd_test.h"

#define PAGES	64
#define SEED	41
#define CODE	0x10000000ul	/* guest-physical address of the instructions */
#define LOAD	0		/* mov (%bx),%ax; hlt */
#define STORE	16		/* mov %ax,(%bx); hlt */

struct vm {
	struct guest g;
	int kvm, vm, cpu;
	struct kvm_run *run;
	size_t run_size;
	unsigned char *code;
};

static void add_memory(struct vm *v, int slot, uint64_t at, void *mem,
		       size_t size)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.guest_phys_addr = at,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
	};

	must(!ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &r), "memory of a VM");
}

static void vm_open(struct vm *v, const struct place *p, const char *name)
{
	static const unsigned char code[] = {
		[LOAD] = 0x8b, 0x07, 0xf4, [STORE] = 0x89, 0x07, 0xf4,
	};

	memset(v, 0, sizeof(*v));
	guest_open(&v->g, p, name, PAGES * 2);
	v->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	must(v->kvm >= 0, "/dev/kvm");
	v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
	must(v->vm >= 0, "KVM_CREATE_VM");
	v->code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(v->code != MAP_FAILED, "mmap");
	memcpy(v->code, code, sizeof(code));
	add_memory(v, 0, 0, v->g.ram, v->g.pages * PAGE);
	add_memory(v, 1, CODE, v->code, PAGE);
	v->cpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
	must(v->cpu >= 0, "KVM_CREATE_VCPU");
	v->run_size = ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	v->run = mmap(NULL, v->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->cpu, 0);
	must(v->run != MAP_FAILED, "mmap of a CPU");
}

static void vm_close(struct vm *v)
{
	munmap(v->run, v->run_size);
	close(v->cpu);
	close(v->vm);
	close(v->kvm);
	munmap(v->code, PAGE);
	guest_close(&v->g);
}

static uint16_t vm_do(struct vm *v, unsigned int what, uint64_t at,
		      uint16_t value)
{
	struct kvm_regs regs = {
		.rip = what, .rbx = at % PAGE, .rax = value, .rflags = 2,
	};
	struct kvm_sregs sregs;

	must(!ioctl(v->cpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = CODE;
	sregs.cs.selector = 0;
	sregs.ds.base = at - at % PAGE;
	must(!ioctl(v->cpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(!ioctl(v->cpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	must(!ioctl(v->cpu, KVM_RUN, 0), "KVM_RUN");
	must(v->run->exit_reason == KVM_EXIT_HLT, "the guest does not halt");
	must(!ioctl(v->cpu, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	return regs.rax;
}

static uint16_t vm_load(struct vm *v, uint64_t at)
{
	return vm_do(v, LOAD, at, 0);
}

static void vm_store(struct vm *v, uint64_t at, uint16_t value)
{
	vm_do(v, STORE, at, value);
}

/* 16 bits of the image */
static uint16_t image_word(uint64_t at)
{
	return word_of(SEED, at / PAGE, at % PAGE / 8) >> at % 8 * 8;
}

FIXTURE(kvm)
{
	struct place p;
	struct vm a, b;
	int image;
};

static void __attribute__((constructor)) look(void)
{
	needs(!access("/dev/kvm", R_OK | W_OK), "there is no /dev/kvm");
}

FIXTURE_SETUP(kvm)
{
	place_open(&self->p);
	image_create(&self->p, "base", SEED, PAGES * PAGE);
	vm_open(&self->a, &self->p, "a");
	vm_open(&self->b, &self->p, "b");
	self->image = image_open(&self->p, "base", O_RDONLY);
	ASSERT_GE(self->image, 0);
}

FIXTURE_TEARDOWN(kvm)
{
	vm_close(&self->a);
	vm_close(&self->b);
	close(self->image);
	EXPECT_TRUE(place_close(&self->p));
}

static ssize_t disk_read(FIXTURE_DATA(kvm) *self, struct vm *v, size_t page,
			 size_t block, size_t n)
{
	return pread(self->image, v->g.ram + page * PAGE, n * PAGE,
		     block * PAGE);
}

TEST_F(kvm, unbound_memory)
{
	EXPECT_EQ(0, vm_load(&self->a, 3 * PAGE + 10));
	vm_store(&self->a, 3 * PAGE + 10, 0x1234);
	EXPECT_EQ(0x1234, vm_load(&self->a, 3 * PAGE + 10));
	EXPECT_EQ(0, vm_load(&self->a, 3 * PAGE + 12));
	EXPECT_EQ(0, vm_load(&self->b, 3 * PAGE + 10));
}

/* Also where the virtual CPU has used the page before. */
TEST_F(kvm, bound_memory_is_the_image)
{
	struct vm *a = &self->a, *b = &self->b;
	size_t i;

	for (i = 0; i < PAGES; i += 2)
		EXPECT_EQ(0, vm_load(a, i * PAGE));
	for (i = 0; i < PAGES; i += 3)
		vm_store(a, i * PAGE + 4, 0x5555);
	ASSERT_EQ(PAGES * PAGE, disk_read(self, a, 0, 0, PAGES));
	ASSERT_EQ(PAGES * PAGE, disk_read(self, b, 0, 0, PAGES));
	for (i = 0; i < PAGES; i++) {
		ASSERT_EQ(image_word(i * PAGE + 4), vm_load(a, i * PAGE + 4));
		ASSERT_EQ(image_word(i * PAGE + 6), vm_load(b, i * PAGE + 6));
		ASSERT_NE(0, frame_of(a->g.ram + i * PAGE));
		ASSERT_EQ(frame_of(a->g.ram + i * PAGE),
			  frame_of(b->g.ram + i * PAGE));
	}
	EXPECT_EQ(PAGES, counter(&self->p, "masters"));
}

TEST_F(kvm, stores_are_the_guests_own)
{
	struct vm *a = &self->a, *b = &self->b;
	size_t i;

	ASSERT_EQ(PAGES * PAGE, disk_read(self, a, 0, 0, PAGES));
	ASSERT_EQ(PAGES * PAGE, disk_read(self, b, 0, 0, PAGES));
	for (i = 0; i < PAGES; i++) {
		/* some that it has in its page tables already */
		if (i % 2)
			vm_load(a, i * PAGE);
		vm_load(b, i * PAGE);
		vm_store(a, i * PAGE + 100, 0xabcd);
	}
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(0xabcd, vm_load(a, i * PAGE + 100));
		EXPECT_EQ(image_word(i * PAGE + 100),
			  vm_load(b, i * PAGE + 100));
		EXPECT_TRUE(holds_image(a->g.ram + i * PAGE, SEED, i * PAGE,
					100));
		EXPECT_TRUE(holds_image(a->g.ram + i * PAGE + 102, SEED,
					i * PAGE + 102, PAGE - 102));
	}
	EXPECT_TRUE(holds_image(b->g.ram, SEED, 0, PAGES * PAGE));
	/* read anew, over what it wrote */
	ASSERT_EQ(PAGES * PAGE, disk_read(self, a, 0, 0, PAGES));
	for (i = 0; i < PAGES; i++)
		EXPECT_EQ(image_word(i * PAGE + 100),
			  vm_load(a, i * PAGE + 100));
}

/* Against a model: one word of each page, whatever happens to it. */
TEST_F(kvm, random_loads_stores_and_reads)
{
	struct vm *v[2] = { &self->a, &self->b };
	uint16_t model[2][PAGES] = {};
	unsigned int i, bad = 0;

	srand(SEED);
	for (i = 0; i < 1500; i++) {
		unsigned int who = rand() % 2, page = rand() % PAGES, n;
		unsigned int block = rand() % PAGES, k;
		uint16_t value = rand();

		switch (rand() % 4) {
		case 0:
			n = rand() % 20 + 1;
			if (n > PAGES - page)
				n = PAGES - page;
			if (n > PAGES - block)
				n = PAGES - block;
			if (disk_read(self, v[who], page, block, n) !=
			    (ssize_t)(n * PAGE))
				bad++;
			for (k = 0; k < n; k++)
				model[who][page + k] =
					image_word((block + k) * PAGE + 8);
			break;
		case 1:
			vm_store(v[who], page * PAGE + 8, value);
			model[who][page] = value;
			break;
		default:
			if (vm_load(v[who], page * PAGE + 8) !=
			    model[who][page])
				bad++;
		}
	}
	for (i = 0; i < 2 * PAGES; i++)
		if (vm_load(v[i % 2], i / 2 * PAGE + 8) != model[i % 2][i / 2])
			bad++;
	EXPECT_EQ(0, bad);
}

TEST_HARNESS_MAIN
