/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vcpu.h - a virtual machine without a system: one CPU in flat 32-bit mode and
 * the programs that it runs
 */
#ifndef VCPU_H
#define VCPU_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the programs are, in a slot of their own. */
#define VCPU_CODE	0x80000000u

/* What vcpu_program() knows; each ends with HLT. */
extern const unsigned char vcpu_sweep[];	/* loads a word of ECX pages */
extern const unsigned char vcpu_steps[];	/* does the steps at ESI */

/* The ports of vcpu_steps, and what is written there. */
#define VCPU_PORT_READ	0x10	/* address of a step of VCPU_STEP_READ */
#define VCPU_PORT_DONE	0x11	/* sum of what was read, else 0 */

/**
 * struct vcpu_step - something that a guest does
 * @what: see below
 * @at: guest-physical address
 * @bytes: a multiple of 4
 * @arg: see below
 */
struct vcpu_step {
	uint32_t what;
	uint32_t at;
	uint32_t bytes;
	uint32_t arg;
};

enum {
	VCPU_STEP_END,
	VCPU_STEP_READ,		/* have @bytes read to @at, and add them up */
	VCPU_STEP_WRITE,	/* store @arg in two places of page @at */
	VCPU_STEP_COPY,		/* copy @bytes from @arg to @at */
};

/**
 * struct vcpu - a virtual machine
 * @kvm: /dev/kvm
 * @vm: its descriptor
 * @cpu: its CPU's
 * @run: what KVM and we share
 * @run_size: of that
 * @code: memory with the programs, and room for steps behind them
 */
struct vcpu {
	int kvm;
	int vm;
	int cpu;
	struct kvm_run *run;
	size_t run_size;
	unsigned char *code;
};

#define VCPU_CODE_SIZE	(1u << 20)
#define VCPU_STEPS_AT	4096u		/* in that memory */
#define VCPU_STEPS_MAX	((VCPU_CODE_SIZE - VCPU_STEPS_AT) / \
			 sizeof(struct vcpu_step))

/* NULL, or why there is none. */
const char *vcpu_open(struct vcpu *v);
void vcpu_close(struct vcpu *v);
void vcpu_memory(struct vcpu *v, int slot, uint32_t at, void *mem, size_t size,
		 bool read_only);
/* Begin @program with ESI and ECX. */
void vcpu_begin(struct vcpu *v, const unsigned char *program, uint32_t esi,
		uint32_t ecx);
/* Go on till it halts (0) or writes to a port (the port, *@value). */
int vcpu_go(struct vcpu *v, uint32_t *value);

#endif /* VCPU_H */
