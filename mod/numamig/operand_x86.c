// SPDX-License-Identifier: GPL-2.0-only
/*
 * operand_x86.c - one step of the forward evaluator for x86-64
 */
#include "operand_x86.h"

enum nm_refusal nm_arch_step(struct nm_machine *m, const u8 *code,
			     unsigned int len, struct nm_operand *out)
{
	enum nm_refusal why;
	struct insn i;

	why = nm_x86_decode(&i, code, min_t(unsigned int, len, NM_INSN_MAX),
			    m->ip);
	if (why != NM_OK)
		return why;
	m->ip = i.next;
	if (!i.mem || insn_class(&i) == X_LEA || insn_class(&i) == X_HINT)
		return nm_x86_execute(m, &i, out);
	return nm_x86_memory(m, &i, out);
}
