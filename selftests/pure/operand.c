// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand - the forward evaluator on code whose answer is known
 *
 * What compilers emit, and above all what must be refused.  operand_trace
 * judges it against the processor over whole programs; here each rule stands
 * by itself.
 */
#include "kselftest_harness.h"
#include "operand.h"

#define IP	0x400000ull
#define BASE(r)	(0x10000000ull * ((r) + 1))

enum { AX, CX, DX, BX, SP, BP, SI, DI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct code {
	const u8 *bytes;
	unsigned int len;
};

static unsigned int fetch(void *ctx, u64 ip, u8 *buf, unsigned int len)
{
	const struct code *c = ctx;
	u64 off = ip - IP;

	if (off >= c->len)
		return 0;
	if (len > c->len - off)
		len = c->len - off;
	memcpy(buf, c->bytes + off, len);
	return len;
}

static struct nm_regs regs(void)
{
	struct nm_regs r = { .ip = IP, .flags = 0x202 };
	int k;

	for (k = 0; k < 16; k++)
		r.gpr[k] = BASE(k);
	return r;
}

struct vector {
	const char *name;
	const char *bytes;
	unsigned int len;
	u64 addr;		/* 0: refused */
	bool write;
	u8 steps;
	enum nm_refusal why;
	u64 second;		/* of two accesses */
};

#define CODE(s)	(s), sizeof(s) - 1
#define LOAD(n, s, a, st)	{ n, CODE(s), a, false, st, NM_OK, 0 }
#define STORE(n, s, a, st)	{ n, CODE(s), a, true, st, NM_OK, 0 }
#define BOTH(n, s, a, w, st, b)	{ n, CODE(s), a, w, st, NM_OK, b }
#define REFUSE(n, s, w)		{ n, CODE(s), 0, false, 0, w, 0 }

static const struct vector vectors[] = {
	/* addressing forms */
	LOAD("mov rax,[rbx]", "\x48\x8b\x03", BASE(BX), 1),
	LOAD("mov rax,[rbx+8]", "\x48\x8b\x43\x08", BASE(BX) + 8, 1),
	LOAD("mov rax,[rbx-8]", "\x48\x8b\x43\xf8", BASE(BX) - 8, 1),
	LOAD("mov rax,[rbx+disp32]", "\x48\x8b\x83\x00\x01\x00\x00",
	     BASE(BX) + 256, 1),
	LOAD("mov rax,[r13+0]", "\x49\x8b\x45\x00", BASE(R13), 1),
	LOAD("mov rax,[r12]", "\x49\x8b\x04\x24", BASE(R12), 1),
	LOAD("mov rax,[rsi+rcx*8+16]", "\x48\x8b\x44\xce\x10",
	     BASE(SI) + BASE(CX) * 8 + 16, 1),
	LOAD("mov rax,[rcx*4+disp32]", "\x48\x8b\x04\x8d\x40\x00\x00\x00",
	     BASE(CX) * 4 + 64, 1),
	LOAD("mov rax,[rip+16]", "\x48\x8b\x05\x10\x00\x00\x00", IP + 7 + 16,
	     1),
	LOAD("mov eax,[ebx] truncates", "\x67\x8b\x03", BASE(BX), 1),
	LOAD("moffs load", "\xa1\x00\x10\x00\x00\x01\x00\x00\x00",
	     0x100001000ull, 1),
	/* loads and stores */
	STORE("mov [rdi],eax", "\x89\x07", BASE(DI), 1),
	STORE("mov byte [rdi],1", "\xc6\x07\x01", BASE(DI), 1),
	STORE("add [rdi],rax", "\x48\x01\x07", BASE(DI), 1),
	LOAD("cmp [rdi],rax", "\x48\x39\x07", BASE(DI), 1),
	LOAD("add rax,[rdi]", "\x48\x03\x07", BASE(DI), 1),
	LOAD("movzx eax,byte [rdi]", "\x0f\xb6\x07", BASE(DI), 1),
	STORE("lock xadd [rdi],eax", "\xf0\x0f\xc1\x07", BASE(DI), 1),
	STORE("xchg [rdi],eax", "\x87\x07", BASE(DI), 1),
	STORE("sete [rdi]", "\x0f\x94\x07", BASE(DI), 1),
	/* stack */
	STORE("push rax", "\x50", BASE(SP) - 8, 1),
	LOAD("pop rax", "\x58", BASE(SP), 1),
	STORE("call rel32", "\xe8\x00\x00\x00\x00", BASE(SP) - 8, 1),
	LOAD("ret", "\xc3", BASE(SP), 1),
	BOTH("push [rdi]", "\xff\x37", BASE(DI), false, 1, BASE(SP) - 8),
	/* strings */
	BOTH("movsq", "\x48\xa5", BASE(SI), false, 1, BASE(DI)),
	STORE("rep stosq", "\xf3\x48\xab", BASE(DI), 1),
	LOAD("lodsb", "\xac", BASE(SI), 1),
	/* SSE, AVX, EVEX */
	LOAD("movaps xmm0,[rsi]", "\x0f\x28\x06", BASE(SI), 1),
	STORE("movups [rdi],xmm0", "\x0f\x11\x07", BASE(DI), 1),
	LOAD("vmovdqu ymm0,[rsi+rax]", "\xc5\xfe\x6f\x04\x06",
	     BASE(SI) + BASE(AX), 1),
	STORE("vmovdqu [rdi],ymm0", "\xc5\xfe\x7f\x07", BASE(DI), 1),
	LOAD("vpaddd ymm0,ymm0,[rsi]", "\xc5\xfd\xfe\x06", BASE(SI), 1),
	LOAD("vfmadd231ps ymm0,ymm1,[rsi]", "\xc4\xe2\x75\xb8\x06", BASE(SI),
	     1),
	LOAD("vmovdqu64 zmm16,[rsi]", "\x62\xe1\xfe\x48\x6f\x06", BASE(SI), 1),
	LOAD("vmovdqu64 zmm16,[rsi+64] scales its displacement",
	     "\x62\xe1\xfe\x48\x6f\x46\x01", BASE(SI) + 64, 1),
	/* walking */
	LOAD("add rbx,16; mov rax,[rbx]", "\x48\x83\xc3\x10\x48\x8b\x03",
	     BASE(BX) + 16, 2),
	LOAD("lea rbx,[rsi+rcx*8]; mov rax,[rbx]",
	     "\x48\x8d\x1c\xce\x48\x8b\x03", BASE(SI) + BASE(CX) * 8, 2),
	LOAD("xor ecx,ecx; mov rax,[rsi+rcx*8]",
	     "\x31\xc9\x48\x8b\x04\xce", BASE(SI), 2),
	LOAD("jmp +2; (2 bytes); mov rax,[rbx]",
	     "\xeb\x02\xff\xff\x48\x8b\x03", BASE(BX), 2),
	LOAD("cmp eax,eax; je over", "\x39\xc0\x74\x03\x48\x8b\x03\x48\x8b\x06",
	     BASE(SI), 3),
	LOAD("cmp eax,eax; jne falls through", "\x39\xc0\x75\x03\x48\x8b\x03",
	     BASE(BX), 3),
	LOAD("xmm work is walked over", "\x0f\x58\xc1\x0f\x59\xc2\x48\x8b\x03",
	     BASE(BX), 3),
	LOAD("mov ax keeps the upper half", "\x66\xb8\x00\x00\x8a\x00",
	     BASE(AX) & ~0xffffull, 2),
	LOAD("mov eax clears the upper half", "\xb8\x10\x00\x00\x00\x8a\x00",
	     0x10, 2),
	LOAD("nop, endbr64", "\x0f\x1f\x44\x00\x00\xf3\x0f\x1e\xfa\x8a\x00",
	     BASE(AX), 3),
	LOAD("bzhi clears above", "\xbb\x04\x00\x00\x00\xb8\xff\x00\x00\x00"
	     "\xc4\xe2\x60\xf5\xc0\x8a\x00", 0xf, 4),
	/* never guess */
	REFUSE("movq rbx,xmm0; mov rax,[rbx]",
	       "\x66\x48\x0f\x7e\xc3\x48\x8b\x03", NM_REFUSE_ADDR),
	REFUSE("vptest; jz", "\xc4\xe2\x7d\x17\xc0\x74\x00\x48\x8b\x03",
	       NM_REFUSE_BRANCH),
	REFUSE("comisd; ja", "\x66\x0f\x2f\xc1\x77\x00\x48\x8b\x03",
	       NM_REFUSE_BRANCH),
	REFUSE("rdtsc; mov rbx,[rax]", "\x0f\x31\x48\x8b\x18",
	       NM_REFUSE_ADDR),
	REFUSE("syscall", "\x0f\x05", NM_REFUSE_INSN),
	REFUSE("int3", "\xcc", NM_REFUSE_INSN),
	REFUSE("ud2", "\x0f\x0b", NM_REFUSE_INSN),
	REFUSE("vpgatherdd", "\xc4\xe2\x7d\x90\x04\x86", NM_REFUSE_INSN),
	REFUSE("fs: without a base", "\x64\x48\x8b\x04\x25\x28\x00\x00\x00",
	       NM_REFUSE_ADDR),
	REFUSE("div by zero", "\x31\xc9\xf7\xf1\x8a\x00", NM_REFUSE_FAULT),
	REFUSE("end of the code", "\x48\x83\xc3", NM_REFUSE_CODE),
	REFUSE("no operand in reach", "\xeb\xfe", NM_REFUSE_STEPS),
	REFUSE("invalid in 64-bit code", "\x06", NM_REFUSE_INSN),
	/* found by fuzzing against the processor */
	STORE("btc [eax-8],edi wraps with its bit number",
	      "\x67\x0f\xbb\x78\xf8", 0xfffffff8, 1),
	LOAD("vbroadcasti32x2 xmm1,[rdi+8]",
	     "\x62\xf2\x7d\x08\x59\x4f\x01", BASE(DI) + 8, 1),
	REFUSE("push word [rdi]", "\x66\xff\x37", NM_REFUSE_INSN),
	REFUSE("call word [rdi]", "\x66\xff\x17", NM_REFUSE_INSN),
	REFUSE("rep loopne: some processors do loope",
	       "\xf3\xe0\x00\x48\x8b\x03", NM_REFUSE_BRANCH),
	REFUSE("repne loope", "\xf2\xe1\x00\x48\x8b\x03",
	       NM_REFUSE_BRANCH),
};

#include "operand_answers.h"

/* How many of @n answers are wrong. */
static u32 judge(const struct vector *v, u32 n, const struct nm_regs *start)
{
	struct nm_operand op;
	enum nm_refusal why;
	struct nm_regs r;
	struct code c;
	u32 wrong = 0;

	for (; n--; v++) {
		r = *start;
		c = (struct code){ (const u8 *)v->bytes, v->len };
		why = nm_operand_next(&r, fetch, &c, &op);
		if (why == v->why &&
		    (why || (op.acc[0].addr == v->addr &&
			     op.acc[0].write == v->write &&
			     op.steps == v->steps &&
			     op.nr == (v->second ? 2 : 1) &&
			     (!v->second || op.acc[1].addr == v->second))))
			continue;
		wrong++;
		printf("# %s: refusal %d, %u accesses, %llx %s, %u steps\n",
		       v->name, why, op.nr, (long long)op.acc[0].addr,
		       op.acc[0].write ? "store" : "load", op.steps);
	}
	return wrong;
}

TEST(known_code)
{
	struct nm_regs r = regs();

	EXPECT_EQ(0, judge(vectors, ARRAY_SIZE(vectors), &r));
}

TEST(answers_of_a_processor)
{
	struct nm_regs r = regs();

	r.have_fs = true;
	r.have_gs = true;
	r.fs_base = 0x123450000ull;
	r.gs_base = 0x7f0000000000ull;
	EXPECT_EQ(0, judge(answers, ARRAY_SIZE(answers), &r));
}

TEST(live_segment_base_is_used)
{
	static const u8 code[] = "\x64\x48\x8b\x04\x25\x28\x00\x00\x00";
	struct code c = { code, sizeof(code) - 1 };
	struct nm_regs r = regs();
	struct nm_operand op;

	r.have_fs = true;
	r.fs_base = 0x7f0000000000ull;
	ASSERT_EQ(NM_OK, nm_operand_next(&r, fetch, &c, &op));
	EXPECT_EQ(0x7f0000000028ull, op.acc[0].addr);
}

/* rdgsbase writes 4 or 8 bytes; 66 does not make it 2. */
TEST(segment_base_is_read_whole)
{
	static const u8 code[] = "\x66\xf3\x0f\xae\xca\x48\x8b\x02";
	struct code c = { code, sizeof(code) - 1 };
	struct nm_regs r = regs();
	struct nm_operand op;

	r.have_gs = true;
	r.gs_base = 0x7f0012345678ull;
	ASSERT_EQ(NM_OK, nm_operand_next(&r, fetch, &c, &op));
	EXPECT_EQ(0x12345678, op.acc[0].addr);
}

static unsigned int fetch_then(void *ctx, u64 ip, u8 *buf, unsigned int len)
{
	const struct code *c = ctx;

	/* what was in the buffer before */
	memset(buf, c->bytes[c->len], NM_CODE_WINDOW + NM_CODE_SLACK);
	return fetch(ctx, ip, buf, len);
}

/* A cut instruction is cut, whatever it would be with the bytes behind it. */
TEST(bytes_behind_the_code_say_nothing)
{
	/* 0f 05 is syscall, 0f 38 05 and 0f 1f are harmless */
	static const u8 behind[][2] = {
		{ 0x0f, 0x05 }, { 0x0f, 0x38 }, { 0x0f, 0x1f },
	};
	struct nm_regs r = regs();
	struct nm_operand op;
	u32 k;

	for (k = 0; k < ARRAY_SIZE(behind); k++) {
		struct code c = { behind[k], 1 };

		EXPECT_EQ(NM_REFUSE_CODE,
			  nm_operand_next(&r, fetch_then, &c, &op));
	}
}

/* What the registers say at the sample decides which way a branch goes. */
TEST(sampled_flags_decide)
{
	static const u8 code[] = "\x74\x03\x48\x8b\x03\x48\x8b\x06";
	struct code c = { code, sizeof(code) - 1 };
	struct nm_regs r = regs();
	struct nm_operand op;

	ASSERT_EQ(NM_OK, nm_operand_next(&r, fetch, &c, &op));
	EXPECT_EQ(BASE(BX), op.acc[0].addr);
	r.flags |= 0x40;
	ASSERT_EQ(NM_OK, nm_operand_next(&r, fetch, &c, &op));
	EXPECT_EQ(BASE(SI), op.acc[0].addr);
}

/* rep with a count of zero touches nothing. */
TEST(rep_of_nothing)
{
	static const u8 code[] = "\xf3\x48\xab\x48\x8b\x03";
	struct code c = { code, sizeof(code) - 1 };
	struct nm_regs r = regs();
	struct nm_operand op;

	r.gpr[CX] = 0;
	ASSERT_EQ(NM_OK, nm_operand_next(&r, fetch, &c, &op));
	EXPECT_EQ(BASE(BX), op.acc[0].addr);
	EXPECT_EQ(2, op.steps);
}

/* A loop backwards is followed, and left when its counter says so. */
TEST(loop_is_followed)
{
	/* 1: dec rcx; jnz 1b; mov rax,[rbx] */
	static const u8 code[] = "\x48\xff\xc9\x75\xfb\x48\x8b\x03";
	struct code c = { code, sizeof(code) - 1 };
	struct nm_regs r = regs();
	struct nm_operand op;

	r.gpr[CX] = 5;
	ASSERT_EQ(NM_OK, nm_operand_next(&r, fetch, &c, &op));
	EXPECT_EQ(11, op.steps);
	r.gpr[CX] = 100;
	EXPECT_EQ(NM_REFUSE_STEPS, nm_operand_next(&r, fetch, &c, &op));
}

static unsigned int liar(void *ctx, u64 ip, u8 *buf, unsigned int len)
{
	memset(buf, 0x90, len);
	return len + *(unsigned int *)ctx;
}

TEST(fetch_that_returns_too_much_is_not_believed)
{
	struct nm_regs r = regs();
	unsigned int more = 1;
	struct nm_operand op;

	EXPECT_EQ(NM_REFUSE_CODE, nm_operand_next(&r, liar, &more, &op));
}

TEST_HARNESS_MAIN
