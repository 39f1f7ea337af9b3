// SPDX-License-Identifier: GPL-2.0-only
/*
 * vcpu.c - see vcpu.h
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../numashare/numashare.h"
#include "stage.h"
#include "vcpu.h"

/* The programs do not depend on where they are. */
asm(".pushsection .rodata\n"
    ".globl vcpu_programs, vcpu_sweep, vcpu_steps, vcpu_programs_end\n"
    ".code32\n"
    "vcpu_programs:\n"
    "vcpu_sweep:\n"
    "1:	mov (%esi), %eax\n"
    "	add $4096, %esi\n"
    "	dec %ecx\n"
    "	jnz 1b\n"
    "	hlt\n"
    "vcpu_steps:\n"
    "1:	mov (%esi), %eax\n"
    "	xor %ebx, %ebx\n"
    "	mov 4(%esi), %edi\n"
    "	mov 8(%esi), %ecx\n"
    "	shr $2, %ecx\n"
    "	cmp $1, %eax\n"
    "	jb 9f\n"
    "	je 2f\n"
    "	cmp $2, %eax\n"
    "	je 4f\n"
    /* copy */
    "	mov %esi, %ebp\n"
    "	mov 12(%esi), %esi\n"
    "	cld\n"
    "	rep movsl\n"
    "	mov %ebp, %esi\n"
    "	jmp 8f\n"
    /* read, then add up */
    "2:	mov %esi, %eax\n"
    "	out %eax, $0x10\n"
    "3:	add (%edi), %ebx\n"
    "	add $4, %edi\n"
    "	dec %ecx\n"
    "	jnz 3b\n"
    "	jmp 8f\n"
    /* write */
    "4:	mov 12(%esi), %eax\n"
    "	mov %eax, (%edi)\n"
    "	mov %eax, 2048(%edi)\n"
    "8:	mov %ebx, %eax\n"
    "	out %eax, $0x11\n"
    "	add $16, %esi\n"
    "	jmp 1b\n"
    "9:	hlt\n"
    "vcpu_programs_end:\n"
    ".code64\n"
    ".popsection\n");

extern const unsigned char vcpu_programs[], vcpu_programs_end[];

void vcpu_memory(struct vcpu *v, int slot, uint32_t at, void *mem, size_t size,
		 bool read_only)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.flags = read_only ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = at,
		.memory_size = size,
		.userspace_addr = (uintptr_t)mem,
	};

	if (ioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &r))
		stage_die("KVM_SET_USER_MEMORY_REGION");
}

const char *vcpu_open(struct vcpu *v)
{
	memset(v, 0, sizeof(*v));
	v->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (v->kvm < 0)
		return "there is no /dev/kvm";
	v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
	if (v->vm < 0) {
		close(v->kvm);
		return "KVM makes no virtual machine";
	}
	v->code = (unsigned char *)stage_reserve(VCPU_CODE_SIZE, PAGE);
	stage_map((char *)v->code, -1, VCPU_CODE_SIZE, false);
	memcpy(v->code, vcpu_programs, vcpu_programs_end - vcpu_programs);
	vcpu_memory(v, 0, VCPU_CODE, v->code, VCPU_CODE_SIZE, false);
	v->cpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
	v->run_size = ioctl(v->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	v->run = mmap(NULL, v->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->cpu, 0);
	if (v->cpu < 0 || v->run == MAP_FAILED)
		stage_die("a virtual CPU");
	return NULL;
}

void vcpu_close(struct vcpu *v)
{
	munmap(v->run, v->run_size);
	munmap(v->code, VCPU_CODE_SIZE);
	close(v->cpu);
	close(v->vm);
	close(v->kvm);
}

/* Protected mode, every segment all of the memory, no paging. */
static void set_flat_mode(struct vcpu *v)
{
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1,
		.db = 1, .s = 1, .g = 1,
	}, code = data;
	struct kvm_sregs s;

	if (ioctl(v->cpu, KVM_GET_SREGS, &s))
		stage_die("KVM_GET_SREGS");
	code.selector = 8;
	code.type = 11;
	s.cs = code;
	s.ds = data;
	s.es = data;
	s.fs = data;
	s.gs = data;
	s.ss = data;
	s.cr0 |= 1;
	if (ioctl(v->cpu, KVM_SET_SREGS, &s))
		stage_die("KVM_SET_SREGS");
}

void vcpu_begin(struct vcpu *v, const unsigned char *program, uint32_t esi,
		uint32_t ecx)
{
	struct kvm_regs regs = {
		.rip = VCPU_CODE + (program - vcpu_programs),
		.rsi = esi, .rcx = ecx, .rflags = 2,
	};

	set_flat_mode(v);
	if (ioctl(v->cpu, KVM_SET_REGS, &regs))
		stage_die("KVM_SET_REGS");
}

int vcpu_go(struct vcpu *v, uint32_t *value)
{
	while (ioctl(v->cpu, KVM_RUN, 0))
		if (errno != EINTR)
			stage_die("KVM_RUN");
	switch (v->run->exit_reason) {
	case KVM_EXIT_HLT:
		return 0;
	case KVM_EXIT_IO:
		memcpy(value, (char *)v->run + v->run->io.data_offset, 4);
		return v->run->io.port;
	}
	complain("the guest ended with KVM's exit %u", v->run->exit_reason);
	exit(FAILED);
}
