/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h - the objects of cowdedup and who protects them
 *
 * Locks, outermost first:
 *
 *  inode lock of ram/	names and sizes of guest RAM (the VFS takes it)
 *  mmap_lock		of the VMM: who maps what; a bind holds it for reading,
 *			so that no fork and no mmap of it comes between
 *  cowd_ram.lock	what is bound in a guest's RAM, who maps it, its size
 *  cowd_image.lock	whether an image is in use; its file below
 *  cowd_ram.insert	rwsem: whoever looks a binding up and then maps its page
 *			holds it for reading; a bind waits for them by taking it
 *			for writing, empty-handed
 *  page locks		of masters, zero pages and, in shared mode, pages of the
 *			shmem file: whoever returns a page from .fault holds its
 *			lock until the page table has it; who fills a master
 *			holds its lock
 *  cowd_mount.lock	the lists of images and of guests' memory of a mount
 *  shared_lock		the list of guests' memory in shared mode, of all mounts
 *  xa_lock		of an image's masters: which there are
 *  cowd_content.lock	which masters show which page, with content=on
 *
 * The shrinker takes cowd_mount.lock by trylock; see shrinker.c, reclaim.c.
 *
 * References: a ram file's table holds one on each bound master and, with it,
 * one on the image's users; an open file of images/ holds one on the users.  An
 * image without users has no master and lets its file go.
 */
#ifndef COWDEDUP_INTERNAL_H
#define COWDEDUP_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/fs_parser.h>
#include <linux/kobject.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/path.h>
#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "cost.h"

#define COWD_BATCH	256	/* pages bound together */
#define COWD_FEW	4	/* for which nothing is allocated */
#define COWD_ZEROS	16	/* zero pages of a ram file */
#define COWD_AROUND	16	/* pages mapped around a read fault */
#define COWD_INSERT	64	/* pages mapped together */
#define COWD_INSERT_MIN	8	/* pages from which a bind maps them at once */
/* Pages that one entry of a page table's second level maps. */
#define COWD_REGION	BIT(PMD_SHIFT - PAGE_SHIFT)
/* Larger than any guest; what such a file takes at once is 300 MiB. */
#define COWD_MAX_BYTES	BIT_ULL(43)

struct cowd_content;
struct cowd_image;
struct cowd_leaf;
struct cowd_ram;
struct cowd_shrinker;
struct cowdedup_unshare;
struct mem_cgroup;

/* --- counters.c ---------------------------------------------------------- */

/* Why a piece of a read was copied. */
enum cowd_why {
	COWD_BOUND,		/* it was not */
	COWD_UNALIGNED,		/* not whole pages of both */
	COWD_ELSEWHERE,		/* not into a ram file of this mount */
	COWD_IMAGE,		/* the image may change */
	COWD_STOPPED,		/* sharing is switched off */
	COWD_MAPPINGS,		/* the ram file is mapped more than once */
	COWD_VMA,		/* the mapping cannot be written there */
	COWD_USERFAULTFD,
	COWD_SOFT_DIRTY,	/* somebody tracks what is written */
	COWD_LOCKED,		/* mlock() */
	COWD_PINNED,		/* somebody holds the page, as a device does */
	COWD_GUARD,		/* bound and written to a moment ago */
	COWD_MEMORY,		/* none for masters, or too many of them */
	COWD_ERROR,		/* the image could not be read into masters */
	COWD_ADAPTIVE,		/* copies have been cheaper */
	COWD_WHYS
};

/* Counters of a mount; the first ones are bytes copied, by enum cowd_why. */
enum cowd_counter {
	COWD_C_BYTES_READ = COWD_WHYS,
	COWD_C_PAGES_BOUND,
	COWD_C_PAGES_UNBOUND,
	COWD_C_PAGES_BROKEN,		/* written to, as seen when read anew */
	COWD_C_PAGES_INSERTED,		/* mapped at once, or around a fault */
	COWD_C_FAULTS_BOUND,
	COWD_C_FAULTS_ZERO,
	COWD_C_FAULTS_AGAIN,		/* the image was read again */
	COWD_C_FAULTS_LOST,		/* and could not be */
	COWD_C_MASTERS_FILLED,
	COWD_C_MASTERS_FREED,
	COWD_C_MASTERS_RECLAIMED,	/* of these, when memory was short */
	COWD_C_MASTERS_RETIRED,		/* and for broken memory */
	COWD_C_MASTERS_MERGED,		/* an equal page was there */
	COWD_C_BYTES_HASHED,		/* to look for one */
	COWD_C_HASH_COLLISIONS,		/* and the pages were not equal */
	COWD_C_RAM_AGED,		/* a guest was unmapped */
	COWD_C_REPLICAS_MADE,		/* masters copied to another node */
	COWD_C_REPLICAS_LEFT,		/* pages that lost theirs, and showed
					 * the master instead
					 */
	COWD_COUNTERS
};

struct cowd_percpu {
	u64 count[COWD_COUNTERS];
};

/* --- options.c ----------------------------------------------------------- */

/**
 * struct cowd_options - of a mount
 * @images: folder of the images
 * @uid: who owns ram/
 * @gid: its group
 * @mode: its permissions
 * @reclaim: masters that are bound may lose their pages
 * @strict: images that cannot be shared are not opened
 * @group_dir: each folder in ram/ is a trust group of its own
 * @shared: guests' memory is mapped shared
 * @adaptive: reads are copied where that is cheaper
 * @content: equal pages of images are held once
 * @replicas: masters that are used from another node have copies there
 */
struct cowd_options {
	char *images;
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
	bool reclaim;
	bool strict;
	bool group_dir;
	bool shared;
	bool adaptive;
	bool content;
	bool replicas;
};

struct fs_context;
struct seq_file;

extern const struct fs_parameter_spec cowd_parameters[];

void cowd_options_init(struct cowd_options *o);
int cowd_options_copy(struct cowd_options *to, const struct cowd_options *from);
bool cowd_options_equal(const struct cowd_options *a,
			const struct cowd_options *b);
int cowd_parse_option(struct fs_context *fc, struct fs_parameter *param,
		      struct cowd_options *o);
int cowd_show_options(struct seq_file *seq, struct dentry *root);

/* --- super.c ------------------------------------------------------------- */

/**
 * struct cowd_mount - a mount, and with it a trust group
 * @kobj: its folder in sysfs
 * @sb: its super block
 * @images: the folder that images/ shows, in a mount of its own
 * @options: as given
 * @images_dir: dentry of images/
 * @cred: who mounted; images are opened as them
 * @memcg: who pays for masters, or NULL
 * @shrinker: how the kernel asks for them
 * @lock: protects @list and @rams
 * @list: struct cowd_image.link
 * @rams: struct cowd_ram.link, the one that was unmapped last at the end
 * @aged: when that was
 * @in_vain: masters looked at since one could be given back, or a guest was
 *	unmapped
 * @content: the index of their pages by content, or NULL
 * @masters: pages of masters
 * @replicas: those of them that are replicas
 * @alike: masters that show one of these beside another
 * @max_masters: how many pages there may be, 0 for no limit (READ_ONCE)
 * @bound: pages of guests that are bound
 * @ram_files: files in ram/
 * @groups: folders that have been made in ram/ itself
 * @costs: of binding and copying, see cost.h
 * @count: counters
 */
struct cowd_mount {
	struct kobject kobj;
	struct super_block *sb;
	struct path images;
	struct cowd_options options;
	struct dentry *images_dir;
	const struct cred *cred;
	struct mem_cgroup *memcg;
	struct cowd_shrinker *shrinker;
	struct mutex lock;		/* see above */
	struct list_head list;
	struct list_head rams;
	unsigned long aged;
	unsigned long in_vain;
	struct cowd_content *content;
	atomic_long_t masters;
	atomic_long_t replicas;
	atomic_long_t alike;
	unsigned long max_masters;
	atomic_long_t bound;
	atomic_long_t ram_files;
	atomic_long_t groups;
	struct cowd_costs costs;
	struct cowd_percpu __percpu *count;
};

static inline void cowd_count_n(struct cowd_mount *mnt, unsigned int c, u64 n)
{
	this_cpu_add(mnt->count->count[c], n);
}

static inline void cowd_count(struct cowd_mount *mnt, unsigned int c)
{
	cowd_count_n(mnt, c, 1);
}

static inline struct cowd_mount *cowd_mount_of(const struct super_block *sb)
{
	return sb->s_fs_info;
}

u64 cowd_counter_read(const struct cowd_mount *mnt, unsigned int c);

extern struct file_system_type cowd_fs_type;

/* --- image.c ------------------------------------------------------------- */

/* What reclaim takes, in this order; see reclaim.c. */
enum cowd_take {
	COWD_TAKE_UNBOUND,
	COWD_TAKE_REPLICAS,
	COWD_TAKE_BOUND,
	COWD_TAKES
};

/**
 * struct cowd_image - a file that guests read
 * @ref: its inode in images/, and one for all users together
 * @mount: where
 * @path: the file below
 * @lock: protects the change between used and unused, and @denied
 * @users: open files of images/ and pages that are bound
 * @lower: the file below, open while there are users, for masters; it does not
 *	read ahead, for guests do.  Who reads has it open once more for copies.
 * @denied: nobody can open it for writing now
 * @why: COWD_BOUND, or why nothing of it is shared (READ_ONCE)
 * @masters: struct cowd_master by cowd_key()
 * @link: in cowd_mount.list
 * @scan: where the shrinker goes on, by enum cowd_take; under cowd_mount.lock
 */
struct cowd_image {
	struct kref ref;
	struct cowd_mount *mount;
	struct path path;
	struct mutex lock;		/* see above */
	refcount_t users;
	struct file *lower;
	bool denied;
	enum cowd_why why;
	struct xarray masters;
	struct list_head link;
	unsigned long scan[COWD_TAKES];
};

struct cowd_image *cowd_image_get(struct cowd_mount *mnt,
				  const struct path *path);
void cowd_image_put(struct cowd_image *img);
ssize_t cowd_image_read_below(struct cowd_image *img, struct file *lower,
			      struct iov_iter *to, loff_t *pos);
struct file *cowd_image_use(struct cowd_image *img);
bool cowd_fs_can_share(const struct super_block *sb);
void cowd_image_unuse(struct cowd_image *img);

/* --- images.c ------------------------------------------------------------ */

struct inode *cowd_images_dir(struct super_block *sb);
bool cowd_is_image(const struct file *file);
extern const struct dentry_operations cowd_dentry_ops;

/* --- master.c ------------------------------------------------------------ */

/**
 * struct cowd_home - whose masters
 * @group: trust group
 * @nid: of replicas, the node; else NUMA_NO_NODE
 */
struct cowd_home {
	unsigned int group;
	int nid;
};

/**
 * struct cowd_payment - while the mounter pays for what is allocated
 * @memcg: who paid before
 * @flags: what could be reclaimed before; see master.c
 */
struct cowd_payment {
	struct mem_cgroup *memcg;
	unsigned int flags;
};

static inline struct cowd_payment cowd_payment_begin(struct cowd_mount *mnt)
{
	return (struct cowd_payment){
		.memcg = set_active_memcg(mnt->memcg),
		.flags = memalloc_nofs_save(),
	};
}

static inline void cowd_payment_end(struct cowd_payment old)
{
	memalloc_nofs_restore(old.flags);
	set_active_memcg(old.memcg);
}

/**
 * struct cowd_master - the one copy of a page of an image
 * @ref: the image's index, each binding, and whoever looks at it
 * @home: its trust group, and node
 * @image: of which
 * @index: page of the image
 * @page: ours, or NULL; see cowd_master_page().  It is not written any more
 *	once it is up to date.  With content=on others may show it, too.
 * @far: nodes it has been used from, by their number modulo BITS_PER_LONG, if
 *	it lies on another; see replicas.c
 * @same: with content=on, in the list of those; see content.c
 * @rcu: for those who find it in the index while it goes; it shows nothing then
 */
struct cowd_master {
	refcount_t ref;
	struct cowd_home home;
	struct cowd_image *image;
	pgoff_t index;
	struct page *page;
	unsigned long far;
	union {
		struct hlist_node same;
		struct rcu_head rcu;
	};
};

/*
 * Where a master is in the index of its image: each trust group has masters of
 * its own, and so has each node, its replicas.
 */
#define COWD_INDEX_BITS		36
/* of what is left, for as many nodes as this machine can have */
#define COWD_NODE_BITS		order_base_2(nr_node_ids + 1)
#define COWD_GROUPS \
	BIT(BITS_PER_LONG - COWD_INDEX_BITS - COWD_NODE_BITS)

static inline unsigned long cowd_key(struct cowd_home home, pgoff_t index)
{
	unsigned long space = home.group;

	BUILD_BUG_ON(NUMA_NO_NODE != -1);
	space = space << COWD_NODE_BITS | (home.nid + 1);
	return space << COWD_INDEX_BITS | index;
}

/* In the index of an image, its replicas. */
#define COWD_REPLICA	XA_MARK_0

static inline bool cowd_is_replica(const struct cowd_master *m)
{
	return m->home.nid != NUMA_NO_NODE;
}

struct cowd_master *cowd_master_find(struct cowd_image *img,
				     struct cowd_home home, pgoff_t index);
struct cowd_master *cowd_master_get(struct cowd_image *img,
				    struct cowd_home home, pgoff_t index);
void cowd_master_put(struct cowd_master *m);
void cowd_master_forget(struct cowd_master *m);
bool cowd_master_free(struct cowd_master *m);
void cowd_masters_drop(struct cowd_image *img);
struct page *cowd_master_page(const struct cowd_master *m);
struct page *cowd_master_begin(struct cowd_master *m, bool must, bool *mine);
void cowd_master_end(struct cowd_master *m, struct page *page, bool good);
bool cowd_master_clear(struct cowd_master *m, struct page *page, bool idle);

/* --- content.c ----------------------------------------------------------- */

struct cowd_content *cowd_content_new(void);
void cowd_content_free(struct cowd_content *c);
bool cowd_content_merge(struct cowd_master *m, struct page *page);
bool cowd_content_given_back(const struct page *page);
bool cowd_content_leave(struct cowd_master *m, struct page *page, bool *last);
bool cowd_content_clear(struct cowd_master *m, struct page *page, bool idle);

/* --- fill.c -------------------------------------------------------------- */

struct cowd_batch;

unsigned int cowd_masters_find(struct cowd_image *img, pgoff_t first,
			       unsigned int n, struct cowd_batch *b);
unsigned int cowd_masters_get(struct cowd_image *img, pgoff_t first,
			      unsigned int n, struct cowd_batch *b,
			      enum cowd_why *why);
int cowd_master_refill(struct cowd_master *m);

/* --- replicas.c ---------------------------------------------------------- */

void cowd_replicas_use(struct cowd_batch *b, unsigned int n);
bool cowd_replica_leave(struct cowd_ram *ram, pgoff_t pgoff,
			struct cowd_master *m);

/* --- reclaim.c ----------------------------------------------------------- */

long cowd_reclaim(struct cowd_mount *mnt, unsigned long nr, int nid, bool hard);
unsigned long cowd_reclaim_count(struct cowd_mount *mnt);
void cowd_master_retire(struct cowd_master *m, struct page *page);

/* --- shrinker.c ---------------------------------------------------------- */

int cowd_shrinker_init(void);
void cowd_shrinker_exit(void);
int cowd_shrinker_add(struct cowd_mount *mnt);
void cowd_shrinker_remove(struct cowd_mount *mnt);

/* --- read.c -------------------------------------------------------------- */

/**
 * struct cowd_batch - what a read works on
 * @room: how many pages at once
 * @home: of the masters that are not replicas
 * @nid: node that shall have replicas, or NUMA_NO_NODE
 * @filled: some of the masters were not there
 * @master: masters that the reader holds
 * @vec: their pages, until they have content
 * @page: then what the memory shows, while it is looked at
 */
struct cowd_batch {
	unsigned int room;
	struct cowd_home home;
	int nid;
	bool filled;
	struct cowd_master **master;
	union {
		struct bio_vec *vec;
		struct page **page;
	};
};

ssize_t cowd_read_iter(struct kiocb *iocb, struct iov_iter *to);
u64 cowd_read_bind(struct file *image, unsigned long addr, loff_t pos,
		   u64 len);

/* --- adaptive.c ---------------------------------------------------------- */

/**
 * struct cowd_stopwatch - how long a read takes that is bound or copied
 * @cost: costs of reads like it
 * @way: which way it goes
 * @start: when it began
 * @switches: how often the reader had not been running by then
 */
struct cowd_stopwatch {
	struct cowd_cost *cost;
	enum cowd_way way;
	u64 start;
	unsigned long switches;
};

enum cowd_way cowd_adaptive_begin(struct cowd_stopwatch *w,
				  struct cowd_mount *mnt, unsigned long addr,
				  unsigned int pages);
void cowd_adaptive_end(const struct cowd_stopwatch *w, size_t bytes);

/* --- ram.c --------------------------------------------------------------- */

/**
 * struct cowd_table - what is bound, see table.c
 * @leaf: the table
 * @leaves: how many there may be
 * @touched: pages that may be in a page table; see cowd_table_touch()
 * @small: regions without huge pages, and
 * @settled: those of them where none is mapped any more; see shared.c
 */
struct cowd_table {
	struct cowd_leaf **leaf;
	unsigned long leaves;
	unsigned long *touched;
	unsigned long *small;
	unsigned long *settled;
};

/**
 * struct cowd_ram - the memory of a guest
 * @inode: its inode, whose i_private this is
 * @shm: in shared mode, the file of shmem that is mapped for it
 * @mapping: what is mapped: of @shm, or of its inode
 * @shared: in the list of those with @shm, see shared.c
 * @group: its trust group, 0 if the mount is one
 * @link: in cowd_mount.rams
 * @aged: when it was unmapped because memory was short; cowd_mount.lock
 * @lock: protects the table, @mappings and @nr
 * @insert: see above
 * @mappings: VMAs; in private mode the table is empty while there is none
 * @nr: pages (READ_ONCE)
 * @table: what is bound
 * @bound: pages that are bound
 * @scan: where unmapping for reclaim goes on, in shared mode
 * @keep_private: nothing is to be bound until the last mapping goes
 *	(READ_ONCE)
 * @zero: what unbound pages show when they are read; several, for their locks
 */
struct cowd_ram {
	struct inode *inode;
	struct file *shm;
	struct address_space *mapping;
	struct list_head shared;
	unsigned int group;
	struct list_head link;
	unsigned long aged;
	struct mutex lock;		/* see above */
	struct rw_semaphore insert;
	unsigned long mappings;
	unsigned long nr;
	struct cowd_table table;
	unsigned long bound;
	pgoff_t scan;
	bool keep_private;
	struct page *zero[COWD_ZEROS];
};

static inline struct page *cowd_ram_zero(const struct cowd_ram *ram,
					 pgoff_t pgoff)
{
	return ram->zero[pgoff % COWD_ZEROS];
}

struct inode *cowd_ram_root(struct super_block *sb);
void cowd_ram_free(struct cowd_ram *ram);
struct cowd_ram *cowd_ram_get(const struct file *file);
void cowd_ram_put(struct cowd_ram *ram);
int cowd_ram_fallocate(struct cowd_ram *ram, int mode, loff_t offset,
		       loff_t len);

/* --- table.c ------------------------------------------------------------- */

int cowd_table_resize(struct cowd_ram *ram, unsigned long nr);
int cowd_table_prepare(struct cowd_ram *ram, pgoff_t first, unsigned int n);
struct cowd_master *cowd_table_load(const struct cowd_ram *ram, pgoff_t pgoff);
struct cowd_master *cowd_table_swap(struct cowd_ram *ram, pgoff_t pgoff,
				    struct cowd_master *m);
void cowd_table_replace(struct cowd_ram *ram, pgoff_t first,
			struct cowd_master **m, unsigned int n);
struct cowd_master **cowd_table_slots(const struct cowd_ram *ram,
				      pgoff_t first, unsigned int *n);
pgoff_t cowd_table_next(const struct cowd_ram *ram, pgoff_t pgoff);
void cowd_table_free_leaves(struct cowd_ram *ram);
void cowd_table_free(struct cowd_ram *ram);
void cowd_table_touch(struct cowd_ram *ram, pgoff_t pgoff, unsigned int n);
bool cowd_table_is_touched(const struct cowd_ram *ram, pgoff_t pgoff,
			   unsigned int n);
bool cowd_table_untouch(struct cowd_ram *ram, pgoff_t pgoff, unsigned int n);
void cowd_table_make_small(struct cowd_ram *ram, pgoff_t first,
			   unsigned int n);
void cowd_table_settle(struct cowd_ram *ram, pgoff_t first, unsigned int n);
bool cowd_table_is_small(const struct cowd_ram *ram, pgoff_t pgoff);
bool cowd_table_is_settled(const struct cowd_ram *ram, pgoff_t pgoff);
void cowd_table_unstamp(struct cowd_ram *ram, pgoff_t pgoff);
unsigned int cowd_table_age(const struct cowd_ram *ram, pgoff_t pgoff);

/* --- bind.c -------------------------------------------------------------- */

enum cowd_why cowd_destination(struct cowd_mount *mnt, unsigned long addr,
			       struct cowd_batch *b, unsigned long *pages);
enum cowd_why cowd_bind(struct cowd_mount *mnt, unsigned long addr,
			struct cowd_batch *b, unsigned int *n);
void cowd_rebind(struct cowd_ram *ram, pgoff_t pgoff, struct cowd_master *m);
void cowd_unbind(struct cowd_ram *ram, pgoff_t first, pgoff_t end, bool cows);
void cowd_unbind_broken(struct cowd_ram *ram, pgoff_t pgoff);
void cowd_cut_off(struct cowd_ram *ram, loff_t size);

/* --- fault.c ------------------------------------------------------------- */

extern const struct vm_operations_struct cowd_vm_ops;

bool cowd_insert(struct cowd_ram *ram, struct vm_area_struct *vma,
		 pgoff_t first, pgoff_t end, pgoff_t want);
bool cowd_insert_around(struct cowd_ram *ram, struct vm_fault *vmf);
struct page *cowd_look_up(struct cowd_ram *ram, pgoff_t pgoff,
			  struct cowd_master **m);
vm_fault_t cowd_show(struct cowd_ram *ram, struct vm_fault *vmf,
		     struct page *page, bool bound);
vm_fault_t cowd_show_again(struct vm_fault *vmf, struct cowd_master *m);
int cowd_refill_bound(struct cowd_master *m);
vm_fault_t cowd_map_pages(struct vm_fault *vmf, pgoff_t first, pgoff_t last);

/* --- shared.c ------------------------------------------------------------ */

extern const struct vm_operations_struct cowd_shared_vm_ops;

int cowd_shared_create(struct cowd_ram *ram, struct dentry *dentry);
void cowd_shared_remove(struct cowd_ram *ram);
struct cowd_ram *cowd_shared_find(const struct inode *inode);
int cowd_shared_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long cowd_shared_area(struct file *file, unsigned long addr,
			       unsigned long len, unsigned long pgoff,
			       unsigned long flags);
void cowd_shared_drop(struct cowd_ram *ram, loff_t from, loff_t end);
int cowd_shared_break(struct cowd_ram *ram, pgoff_t pgoff);

/* Is it a mapping of a file of ram/ ? */
static inline bool cowd_is_ram(const struct vm_area_struct *vma)
{
	return vma->vm_ops == &cowd_vm_ops ||
	       vma->vm_ops == &cowd_shared_vm_ops;
}

/* Whose memory it maps; the VMA has the open file of ram/. */
static inline struct cowd_ram *cowd_ram_of_vma(const struct vm_area_struct *vma)
{
	const struct file *file = vma->vm_private_data;

	return file_inode(file)->i_private;
}

/* --- unshare.c ----------------------------------------------------------- */

int cowd_unshare(struct cowd_ram *ram, struct cowdedup_unshare *a);

/* --- dev.c --------------------------------------------------------------- */

int cowd_dev_init(void);
void cowd_dev_exit(void);

/* --- sysfs.c ------------------------------------------------------------- */

extern unsigned int cowd_enabled;	/* READ_ONCE */
extern unsigned int cowd_inserting;	/* READ_ONCE */
extern unsigned int cowd_guard_ms;	/* READ_ONCE */

int cowd_sysfs_init(void);
void cowd_sysfs_exit(void);
int cowd_mount_kobj_add(struct cowd_mount *mnt);
void cowd_mount_kobj_init(struct cowd_mount *mnt);

#endif /* COWDEDUP_INTERNAL_H */
