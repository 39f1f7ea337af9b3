// SPDX-License-Identifier: GPL-2.0-only
/*
 * placement.c - is the process allowed, and meant, to have pages there?
 *
 * Migration must not undo what an administrator or the program itself has
 * decided: the nodes of its cpuset, and any explicit memory policy.  Only
 * memory under the default (local) policy is moved freely; under bind,
 * preferred or preferred-many only to a node that the policy names; under
 * interleave not at all, for any move unbalances it.
 */
#include <linux/cpuset.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/sched/task.h>
#include <linux/shmem_fs.h>

#include "internal.h"

/* cpuset_mems_allowed() is not exported; this is the task's copy of it. */
bool nm_cpuset_allows(struct task_struct *task, int node)
{
#ifdef CONFIG_CPUSETS
	unsigned int seq;
	bool ok;

	do {
		seq = raw_read_seqcount_begin(&task->mems_allowed_seq);
		ok = node_isset(node, task->mems_allowed);
	} while (read_seqcount_retry(&task->mems_allowed_seq, seq));
	return ok;
#else
	return true;
#endif
}

#ifdef CONFIG_NUMA

static bool policy_allows(const struct mempolicy *pol, int node)
{
	if (!pol)
		return true;
	switch (pol->mode) {
	case MPOL_DEFAULT:
	case MPOL_LOCAL:
		return true;
	case MPOL_BIND:
	case MPOL_PREFERRED:
	case MPOL_PREFERRED_MANY:
		return node_isset(node, pol->nodes);
	default:
		return false;
	}
}

/*
 * A shmem object has policies of its own, by page range (mbind on a shared
 * mapping).  mpol_shared_policy_lookup() is not exported; the tree is walked
 * under its lock, so no reference is needed.  Sets *@found when there is one.
 */
static bool shmem_allows(struct vm_area_struct *vma, unsigned long addr,
			 int node, bool *found)
{
	struct inode *inode = file_inode(vma->vm_file);
	struct shared_policy *sp;
	unsigned long idx;
	struct rb_node *n;
	bool ok = true;

	*found = false;
	if (inode->i_sb->s_magic != TMPFS_MAGIC || !S_ISREG(inode->i_mode))
		return true;
	idx = ((addr - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
	sp = &SHMEM_I(inode)->policy;
	read_lock(&sp->lock);
	n = sp->root.rb_node;
	while (n) {
		struct sp_node *p = rb_entry(n, struct sp_node, nd);

		if (idx >= p->end) {
			n = n->rb_right;
		} else if (idx < p->start) {
			n = n->rb_left;
		} else {
			*found = true;
			ok = policy_allows(p->policy, node);
			break;
		}
	}
	read_unlock(&sp->lock);
	return ok;
}

/**
 * nm_mempolicy_allows - may a page at @addr be put on @node?
 * @task: a thread of the process
 * @vma: holds @addr; mmap_lock is held
 * @addr: user address
 * @node: destination
 *
 * Looks, in the kernel's own order, at the policy of the shared object, of the
 * VMA, and of the task.
 */
bool nm_mempolicy_allows(struct task_struct *task, struct vm_area_struct *vma,
			 unsigned long addr, int node)
{
	bool found, ok;

	mmap_assert_locked(vma->vm_mm);
	if (vma->vm_file && (vma->vm_flags & VM_SHARED)) {
		ok = shmem_allows(vma, addr, node, &found);
		if (found)
			return ok;
	} else if (vma->vm_policy) {
		return policy_allows(vma->vm_policy, node);
	}
	task_lock(task);
	ok = policy_allows(task->mempolicy, node);
	task_unlock(task);
	return ok;
}

#else

bool nm_mempolicy_allows(struct task_struct *task, struct vm_area_struct *vma,
			 unsigned long addr, int node)
{
	return true;
}

#endif
