/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cowdedup_compat.h - kernel differences that cowdedup meets
 *
 * The modules are written for the newest kernel; here older ones are made to
 * look like it.  HAVE_* comes from features.h, which probe.sh makes from the
 * headers the module is built against.
 */
#ifndef COWDEDUP_COMPAT_H
#define COWDEDUP_COMPAT_H

#include <linux/fs.h>
#include <linux/list_lru.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/swap.h>
#include <linux/uio.h>

#include "features.h"

/* 6.3: what maps the owners of a mount got a type of its own. */
#ifdef HAVE_MNT_IDMAP
#define cowd_idmap		mnt_idmap
#define cowd_nop_idmap		(&nop_mnt_idmap)
#else
#define cowd_idmap		user_namespace
#define cowd_nop_idmap		(&init_user_ns)
#endif

/* 6.6: the times of an inode are reached by functions. */
static inline void cowd_inode_init_times(struct inode *inode)
{
#ifdef HAVE_SIMPLE_INODE_INIT_TS
	simple_inode_init_ts(inode);
#else
	inode->i_ctime = current_time(inode);
	inode->i_mtime = inode->i_ctime;
	inode->i_atime = inode->i_ctime;
#endif
}

/* 6.14: the head of d_revalidate(dentry, flags); more arguments are told. */
#ifdef HAVE_D_REVALIDATE_NAME
#define COWD_D_REVALIDATE(_func)					\
	int _func(struct inode *dir, const struct qstr *name,		\
		  struct dentry *dentry, unsigned int flags)
#else
#define COWD_D_REVALIDATE(_func)					\
	int _func(struct dentry *dentry, unsigned int flags)
#endif

/* 7.3: the head of create(idmap, dir, dentry, mode); O_EXCL is not told. */
#ifdef HAVE_CREATE_WITHOUT_EXCL
#define COWD_CREATE(_func)						\
	int _func(struct cowd_idmap *idmap, struct inode *dir,		\
		  struct dentry *dentry, umode_t mode)
#else
#define COWD_CREATE(_func)						\
	int _func(struct cowd_idmap *idmap, struct inode *dir,		\
		  struct dentry *dentry, umode_t mode, bool excl)
#endif

/* 6.15: mkdir() returns NULL, another dentry or an error. */
#ifdef HAVE_MKDIR_DENTRY
#define cowd_mkdir_t			struct dentry *
#define cowd_mkdir_result(_error)	ERR_PTR(_error)
#else
#define cowd_mkdir_t			int
#define cowd_mkdir_result(_error)	(_error)
#endif

/* 6.17 */
#ifndef HAVE_SET_DEFAULT_D_OP
static inline void set_default_d_op(struct super_block *sb,
				    const struct dentry_operations *ops)
{
	sb->s_d_op = ops;
}
#endif

/* 6.18 */
#ifndef HAVE_INODE_JUST_DROP
#define inode_just_drop		generic_delete_inode
#endif

/* 6.19: it is read by a function. */
static inline bool cowd_inode_is_new(struct inode *inode)
{
#ifdef HAVE_INODE_STATE_READ
	return inode_state_read_once(inode) & I_NEW;
#else
	return inode->i_state & I_NEW;
#endif
}

/*
 * A name that the file system keeps until it is unlinked or the file system
 * goes.  6.19: such names are marked, and the mark counts as their reference.
 */
static inline void cowd_keep_name(struct dentry *dentry, struct inode *inode)
{
#ifdef HAVE_D_MAKE_PERSISTENT
	d_make_persistent(dentry, inode);
#else
	if (d_unhashed(dentry))
		d_add(dentry, inode);
	else
		d_instantiate(dentry, inode);
	dget(dentry);
#endif
}

/* To be called with all such names; 6.19: nothing special about it. */
#ifdef HAVE_D_MAKE_PERSISTENT
#define kill_litter_super	kill_anon_super
#endif

#ifndef HAVE_VM_FLAGS_SET
/* 6.3: vma->vm_flags became read-only, with functions to change it. */
static inline void vm_flags_init(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags = flags;
}

static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/*
 * The current segment of an iterator over user memory.  6.4: there are helpers,
 * but the one for the length is wrong for ITER_UBUF on 6.12.
 */
static inline unsigned long cowd_iter_addr(const struct iov_iter *i)
{
#ifdef HAVE_ITER_IOV_ADDR
	return (unsigned long)iter_iov_addr(i);
#else
	if (iter_is_ubuf(i))
		return (unsigned long)i->ubuf + i->iov_offset;
	return (unsigned long)iov_iter_iovec(i).iov_base;
#endif
}

static inline size_t cowd_iter_len(const struct iov_iter *i)
{
	if (iter_is_ubuf(i))
		return i->count;
#ifdef HAVE_ITER_IOV_ADDR
	return min_t(size_t, iter_iov_len(i), i->count);
#else
	return iov_iter_iovec(i).iov_len;
#endif
}

/* 6.5: splice from a file that only reads. */
#ifdef HAVE_COPY_SPLICE_READ
#define cowd_splice_read	copy_splice_read
#else
#define cowd_splice_read	generic_file_splice_read
#endif

/* 6.6: it is exported since long, and declared now. */
#ifndef HAVE_VFS_PATH_LOOKUP
int vfs_path_lookup(struct dentry *dentry, struct vfsmount *mnt,
		    const char *name, unsigned int flags, struct path *path);
#endif

/* 6.7: what a fault holds, the lock of the mm or of the VMA, goes. */
#ifndef HAVE_RELEASE_FAULT_LOCK
static inline void release_fault_lock(struct vm_fault *vmf)
{
	mmap_read_unlock(vmf->vma->vm_mm);
}
#endif

/* How often a page of its own folio is mapped. */
static inline int cowd_page_mapcount(struct page *page)
{
	return atomic_read(&page->_mapcount) + 1;
}

/*
 * How often the pages of a huge page of a file are mapped.  6.1: the function
 * is not exported; each page counts the mappings of the whole, too.
 */
static inline int cowd_folio_mapcount(struct folio *folio)
{
#ifdef HAVE_FOLIO_MAPCOUNT_INLINE
	return folio_mapcount(folio);
#else
	int whole = folio_entire_mapcount(folio), sum = whole;
	long i, n = folio_nr_pages(folio);

	for (i = 0; i < n; i++)
		sum += atomic_read(&folio_page(folio, i)->_mapcount) + 1;
	return sum - whole * n;
#endif
}

/* A file of shmem that reserves nothing.  7.0: flags of VMAs got a type. */
static inline struct file *cowd_shmem_file(const char *name, loff_t size)
{
#ifdef HAVE_SHMEM_VMA_FLAGS
	return shmem_file_setup(name, size, mk_vma_flags(VMA_NORESERVE_BIT));
#else
	return shmem_file_setup(name, size, VM_NORESERVE);
#endif
}

/*
 * What shmem does for a mapping of a file of its own, with operations @ops.
 * 6.17: ->mmap_prepare instead of ->mmap.
 */
static inline const struct vm_operations_struct *
cowd_shmem_vm_ops(const struct file_operations *ops, struct file *shm,
		  struct vm_area_struct *vma)
{
#ifdef HAVE_MMAP_PREPARE
	struct vm_area_desc desc = {
		.mm = vma->vm_mm,
		.file = shm,
		.start = vma->vm_start,
		.end = vma->vm_end,
		.pgoff = vma->vm_pgoff,
		.vm_file = shm,
	};

	if (ops->mmap_prepare)
		return ops->mmap_prepare(&desc) ? NULL : desc.vm_ops;
#endif
	return ops->mmap(shm, vma) ? NULL : vma->vm_ops;
}

/* What shmem does for its mappings, see shared.c. */
extern const struct vm_operations_struct *cowd_shmem_ops;

/*
 * The one node that memory is bound to by a policy, of the mapping or of the
 * task, or NUMA_NO_NODE.  mmap_lock is held.
 */
static inline int cowd_policy_node(const struct vm_area_struct *vma)
{
#ifdef CONFIG_NUMA
	const struct mempolicy *policy = vma->vm_policy ?: current->mempolicy;

	/* which does not set its nodes */
	if (!policy || policy->mode == MPOL_LOCAL)
		return NUMA_NO_NODE;
	if (nodes_weight(policy->nodes) == 1)
		return first_node(policy->nodes);
#endif
	return NUMA_NO_NODE;
}

/* 6.8: it is also asked where an interleaving policy begins. */
#ifdef HAVE_GET_POLICY_ILX
static inline struct mempolicy *
cowd_get_policy(struct vm_area_struct *vma, unsigned long addr, pgoff_t *ilx)
{
	return cowd_shmem_ops->get_policy(vma, addr, ilx);
}
#elif defined(CONFIG_NUMA)
static inline struct mempolicy *
cowd_get_policy(struct vm_area_struct *vma, unsigned long addr)
{
	return cowd_shmem_ops->get_policy(vma, addr);
}
#endif

/*
 * Map pages that no file of the mapping's has, or one that it has.
 *
 * vm_insert_pages() wants VM_MIXEDMAP, and for one that lacks it, the mmap_lock
 * for writing to set it.  On the VMA itself the flag would switch off mlock,
 * KSM, NUMA balancing and page table walks of MGLRU for the guest's memory, and
 * nothing needs it there: the pages have counts and a struct page.  (In shared
 * mode VM_DONTEXPAND switches off mlock and these walks.)  So a copy of the VMA
 * has it.  What vm_insert_pages() takes from the VMA is its mm, its range,
 * protection and flags; it keeps no pointer to it.
 */
static inline int cowd_insert_pages(struct vm_area_struct *vma,
				    unsigned long addr, struct page **pages,
				    unsigned long *nr)
{
	struct vm_area_struct copy;

	memcpy(&copy, vma, sizeof(copy));
	vm_flags_init(&copy, vma->vm_flags | VM_MIXEDMAP);
	return vm_insert_pages(&copy, addr, pages, nr);
}

/*
 * Pages of another process, faulted in, with a reference each; its mmap_lock is
 * held for reading and stays so.  6.5: VMAs are not returned any more.
 */
static inline long cowd_get_pages_remote(struct mm_struct *mm,
					 unsigned long addr, unsigned long n,
					 unsigned int gup, struct page **pages)
{
#ifdef HAVE_GUP_WITHOUT_VMAS
	return get_user_pages_remote(mm, addr, n, gup, pages, NULL);
#else
	return get_user_pages_remote(mm, addr, n, gup, pages, NULL, NULL);
#endif
}

/*
 * A shrinker that is asked for cgroups and nodes.  6.7: it is allocated, and
 * seen by the kernel when it is registered; before, at once.
 */
typedef unsigned long cowd_shrink_t(struct shrinker *shrinker,
				    struct shrink_control *sc);
#ifdef HAVE_SHRINKER_ALLOC
static inline struct shrinker *
cowd_shrinker_alloc(cowd_shrink_t *count, cowd_shrink_t *scan, long batch,
		    void *private, const char *name)
{
	struct shrinker *s;

	s = shrinker_alloc(SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE,
			   "cowdedup-%s", name);
	if (!s)
		return NULL;
	s->count_objects = count;
	s->scan_objects = scan;
	s->batch = batch;
	s->private_data = private;
	return s;
}

#define cowd_shrinker_private(_s)	((_s)->private_data)
#define cowd_shrinker_register		shrinker_register
#define cowd_shrinker_free		shrinker_free
#else
struct cowd_old_shrinker {
	struct shrinker s;
	void *private;
};

static inline struct shrinker *
cowd_shrinker_alloc(cowd_shrink_t *count, cowd_shrink_t *scan, long batch,
		    void *private, const char *name)
{
	struct cowd_old_shrinker *old = kzalloc(sizeof(*old), GFP_KERNEL);

	if (!old)
		return NULL;
	old->s.count_objects = count;
	old->s.scan_objects = scan;
	old->s.batch = batch;
	old->s.seeks = DEFAULT_SEEKS;
	old->s.flags = SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE;
	old->private = private;
	if (!register_shrinker(&old->s, "cowdedup-%s", name))
		return &old->s;
	kfree(old);
	return NULL;
}

static inline void *cowd_shrinker_private(struct shrinker *s)
{
	return container_of(s, struct cowd_old_shrinker, s)->private;
}

static inline void cowd_shrinker_register(struct shrinker *s)
{
}

static inline void cowd_shrinker_free(struct shrinker *s)
{
	if (!s)
		return;
	unregister_shrinker(s);
	kfree(container_of(s, struct cowd_old_shrinker, s));
}
#endif

/* 6.8: list_lru_add() takes the node and the cgroup. */
#ifndef HAVE_LIST_LRU_ADD_OBJ
#define list_lru_add_obj	list_lru_add
#define list_lru_del_obj	list_lru_del
#endif

/* 6.4: it is called for what it is. */
#ifndef HAVE_MM_ACCOUNT_RECLAIMED_PAGES
static inline void mm_account_reclaimed_pages(unsigned long pages)
{
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
}
#endif

#endif /* COWDEDUP_COMPAT_H */
