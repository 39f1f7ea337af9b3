#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Find out what the kernel headers in $1 (the include folder's parent) offer
# and write features.h to $2.  A line here is the only place where a kernel
# difference is detected; compat/*_compat.h is the only place that acts on it.
set -eu

src=$1
out=$2

{
	echo "/* made by compat/probe.sh from $src */"
	has()
	{
		if grep -qE "$2" "$src/include/linux/$3" 2>/dev/null; then
			echo "#define $1 1"
		fi
	}
	# 6.14: alloc_pages_bulk_array_node() renamed to alloc_pages_bulk_node()
	has HAVE_ALLOC_PAGES_BULK_ARRAY_NODE \
		'\<alloc_pages_bulk_array_node\>' gfp.h
	# 6.3: vm_flags_set() and the like
	has HAVE_VM_FLAGS_SET '\<vm_flags_mod\>' mm.h
	# 6.3: struct mnt_idmap in the operations of inodes
	has HAVE_MNT_IDMAP '\(\*permission\) \(struct mnt_idmap' fs.h
	# 6.4: iter_iov_addr(), iter_iov_len(), also for ITER_UBUF
	has HAVE_ITER_IOV_ADDR 'define iter_iov_addr\>' uio.h
	# 6.5: generic_file_splice_read() went
	has HAVE_COPY_SPLICE_READ '\<copy_splice_read\>' fs.h
	# 6.5: get_user_pages_remote() does not return VMAs
	if ! grep -A 4 '^long get_user_pages_remote(' \
		"$src/include/linux/mm.h" | grep -q vmas; then
		echo "#define HAVE_GUP_WITHOUT_VMAS 1"
	fi
	# 6.6: vfs_path_lookup() is declared for modules
	has HAVE_VFS_PATH_LOOKUP '\<vfs_path_lookup\>' namei.h
	# 6.7: release_fault_lock(); 6.4 to 6.6 have the locks of VMAs alone
	has HAVE_RELEASE_FAULT_LOCK '\<release_fault_lock\>' mm.h
	# 6.7: simple_inode_init_ts()
	has HAVE_SIMPLE_INODE_INIT_TS '\<simple_inode_init_ts\>' fs.h
	# 6.2: folio_mapcount() is not a function of mm/ any more
	has HAVE_FOLIO_MAPCOUNT_INLINE \
		'^static inline int folio_mapcount\(' mm.h
	# 6.8: get_policy() returns where an interleaving policy begins
	if grep -A 1 '(\*get_policy)' "$src/include/linux/mm.h" |
		grep -q ilx; then
		echo "#define HAVE_GET_POLICY_ILX 1"
	fi
	# 6.17: files may have ->mmap_prepare instead of ->mmap
	has HAVE_MMAP_PREPARE '\(\*mmap_prepare\)' fs.h
	# 7.0: shmem_file_setup() takes a vma_flags_t
	has HAVE_SHMEM_VMA_FLAGS \
		'shmem_file_setup\(const char \*name, loff_t size, vma_flags_t' \
		shmem_fs.h
	# 6.14: d_revalidate() is told the folder and the name
	has HAVE_D_REVALIDATE_NAME '\(\*d_revalidate\)\(struct inode' dcache.h
	# 6.15: mkdir() returns the dentry
	has HAVE_MKDIR_DENTRY 'struct dentry \*\(\*mkdir\)' fs.h
	# 6.17: sb->s_d_op is set by a function
	has HAVE_SET_DEFAULT_D_OP '\<set_default_d_op\>' dcache.h
	# 6.18: generic_delete_inode() got another name
	has HAVE_INODE_JUST_DROP '\<inode_just_drop\>' fs.h
	# 6.19: inode->i_state is read by functions
	has HAVE_INODE_STATE_READ '\<inode_state_read_once\>' fs.h
	# 6.19: names that the file system keeps are marked as such
	has HAVE_D_MAKE_PERSISTENT '\<d_make_persistent\>' dcache.h
	# 6.4: what a shrinker frees besides slab objects has a function
	has HAVE_MM_ACCOUNT_RECLAIMED_PAGES \
		'\<mm_account_reclaimed_pages\>' swap.h
	# 6.7: shrinkers are allocated
	has HAVE_SHRINKER_ALLOC '\<shrinker_alloc\>' shrinker.h
	# 6.8: list_lru_add() of an object got another name
	has HAVE_LIST_LRU_ADD_OBJ '\<list_lru_add_obj\>' list_lru.h
	# 7.3: create() is no longer told whether it must not be there
	if ! grep -A 1 '(\*create)' "$src/include/linux/fs.h" |
		grep -q bool; then
		echo "#define HAVE_CREATE_WITHOUT_EXCL 1"
	fi
} >"$out.tmp"
if cmp -s "$out.tmp" "$out"; then
	rm "$out.tmp"
else
	mv "$out.tmp" "$out"
fi
