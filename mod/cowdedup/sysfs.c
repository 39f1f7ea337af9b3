// SPDX-License-Identifier: GPL-2.0-only
/*
 * sysfs.c - /sys/kernel/cowdedup
 *
 * One value per file; Documentation/ABI/testing/sysfs-kernel-cowdedup names
 * them all and a test compares the two.  A mount has a folder, named as its
 * device in /proc/self/mountinfo.
 */
#include <linux/fs.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "internal.h"

static struct kobject *cowd_kobj;
static struct kobject *mounts_kobj;
unsigned int cowd_enabled = 1;
unsigned int cowd_inserting = 1;
unsigned int cowd_guard_ms = 1000;

/* --- settings ------------------------------------------------------------ */

/* A number from 0 to @max. */
struct switch_attr {
	struct kobj_attribute attr;
	unsigned int *value;
	unsigned int max;
};

static ssize_t switch_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct switch_attr *a = container_of(attr, struct switch_attr, attr);

	return sysfs_emit(buf, "%u\n", READ_ONCE(*a->value));
}

static ssize_t switch_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t len)
{
	struct switch_attr *a = container_of(attr, struct switch_attr, attr);
	unsigned int v;
	int ret;

	ret = kstrtouint(buf, 0, &v);
	if (ret)
		return ret;
	if (v > a->max)
		return -ERANGE;
	WRITE_ONCE(*a->value, v);
	return len;
}

#define COWD_SWITCH(_name, _var, _max)					\
	static struct switch_attr cowd_attr_##_name = {			\
		.attr = __ATTR(_name, 0644, switch_show, switch_store),	\
		.value = &(_var),					\
		.max = _max,						\
	}

COWD_SWITCH(enabled, cowd_enabled, 1);
COWD_SWITCH(insert, cowd_inserting, 1);
COWD_SWITCH(guard_ms, cowd_guard_ms, 60000);

static ssize_t version_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%s\n", NUMASHARE_VERSION);
}

static struct kobj_attribute version_attr = __ATTR_RO(version);

static struct attribute *root_attrs[] = {
	&version_attr.attr,
	&cowd_attr_enabled.attr.attr,
	&cowd_attr_insert.attr.attr,
	&cowd_attr_guard_ms.attr.attr,
	NULL
};

static const struct attribute_group root_group = {
	.attrs = root_attrs,
};

/* --- mounts/MAJOR:MINOR/ ------------------------------------------------- */

#define to_mount(k)	container_of(k, struct cowd_mount, kobj)

static ssize_t images_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	return sysfs_emit(buf, "%s\n", to_mount(kobj)->options.images);
}

static struct kobj_attribute images_attr = __ATTR_RO(images);

static ssize_t max_masters_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", READ_ONCE(to_mount(kobj)->max_masters));
}

static ssize_t max_masters_store(struct kobject *kobj,
				 struct kobj_attribute *attr, const char *buf,
				 size_t len)
{
	unsigned long v;
	int ret;

	ret = kstrtoul(buf, 0, &v);
	if (ret)
		return ret;
	WRITE_ONCE(to_mount(kobj)->max_masters, v);
	return len;
}

static struct kobj_attribute max_masters_attr = __ATTR_RW(max_masters);

static ssize_t masters_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&to_mount(kobj)->masters));
}

static struct kobj_attribute masters_attr = __ATTR_RO(masters);

static ssize_t masters_sharing_show(struct kobject *kobj,
				    struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&to_mount(kobj)->alike));
}

static struct kobj_attribute masters_sharing_attr = __ATTR_RO(masters_sharing);

static ssize_t replicas_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&to_mount(kobj)->replicas));
}

static struct kobj_attribute replicas_attr = __ATTR_RO(replicas);

static ssize_t pages_sharing_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&to_mount(kobj)->bound));
}

static struct kobj_attribute pages_sharing_attr = __ATTR_RO(pages_sharing);

static ssize_t ram_files_show(struct kobject *kobj,
			      struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&to_mount(kobj)->ram_files));
}

static struct kobj_attribute ram_files_attr = __ATTR_RO(ram_files);

struct counter_attr {
	struct kobj_attribute attr;
	unsigned int counter;
};

static ssize_t counter_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct counter_attr *a = container_of(attr, struct counter_attr, attr);

	return sysfs_emit(buf, "%llu\n",
			  cowd_counter_read(to_mount(kobj), a->counter));
}

#define COWD_COUNT(_name, _counter)					\
	static struct counter_attr counter_##_name = {			\
		.attr = __ATTR(_name, 0444, counter_show, NULL),	\
		.counter = _counter,					\
	}

COWD_COUNT(bytes_read, COWD_C_BYTES_READ);
COWD_COUNT(copied_unaligned, COWD_UNALIGNED);
COWD_COUNT(copied_elsewhere, COWD_ELSEWHERE);
COWD_COUNT(copied_image, COWD_IMAGE);
COWD_COUNT(copied_stopped, COWD_STOPPED);
COWD_COUNT(copied_mappings, COWD_MAPPINGS);
COWD_COUNT(copied_vma, COWD_VMA);
COWD_COUNT(copied_userfaultfd, COWD_USERFAULTFD);
COWD_COUNT(copied_soft_dirty, COWD_SOFT_DIRTY);
COWD_COUNT(copied_locked, COWD_LOCKED);
COWD_COUNT(copied_pinned, COWD_PINNED);
COWD_COUNT(copied_guard, COWD_GUARD);
COWD_COUNT(copied_memory, COWD_MEMORY);
COWD_COUNT(copied_error, COWD_ERROR);
COWD_COUNT(copied_adaptive, COWD_ADAPTIVE);
COWD_COUNT(pages_bound, COWD_C_PAGES_BOUND);
COWD_COUNT(pages_unbound, COWD_C_PAGES_UNBOUND);
COWD_COUNT(pages_broken, COWD_C_PAGES_BROKEN);
COWD_COUNT(pages_inserted, COWD_C_PAGES_INSERTED);
COWD_COUNT(faults_bound, COWD_C_FAULTS_BOUND);
COWD_COUNT(faults_zero, COWD_C_FAULTS_ZERO);
COWD_COUNT(faults_again, COWD_C_FAULTS_AGAIN);
COWD_COUNT(faults_lost, COWD_C_FAULTS_LOST);
COWD_COUNT(masters_made, COWD_C_MASTERS_FILLED);
COWD_COUNT(masters_freed, COWD_C_MASTERS_FREED);
COWD_COUNT(masters_reclaimed, COWD_C_MASTERS_RECLAIMED);
COWD_COUNT(masters_retired, COWD_C_MASTERS_RETIRED);
COWD_COUNT(masters_merged, COWD_C_MASTERS_MERGED);
COWD_COUNT(bytes_hashed, COWD_C_BYTES_HASHED);
COWD_COUNT(hash_collisions, COWD_C_HASH_COLLISIONS);
COWD_COUNT(ram_aged, COWD_C_RAM_AGED);
COWD_COUNT(replicas_made, COWD_C_REPLICAS_MADE);
COWD_COUNT(replicas_left, COWD_C_REPLICAS_LEFT);

static struct attribute *mount_attrs[] = {
	&images_attr.attr,
	&max_masters_attr.attr,
	&masters_attr.attr,
	&masters_sharing_attr.attr,
	&replicas_attr.attr,
	&pages_sharing_attr.attr,
	&ram_files_attr.attr,
	&counter_bytes_read.attr.attr,
	&counter_copied_unaligned.attr.attr,
	&counter_copied_elsewhere.attr.attr,
	&counter_copied_image.attr.attr,
	&counter_copied_stopped.attr.attr,
	&counter_copied_mappings.attr.attr,
	&counter_copied_vma.attr.attr,
	&counter_copied_userfaultfd.attr.attr,
	&counter_copied_soft_dirty.attr.attr,
	&counter_copied_locked.attr.attr,
	&counter_copied_pinned.attr.attr,
	&counter_copied_guard.attr.attr,
	&counter_copied_memory.attr.attr,
	&counter_copied_error.attr.attr,
	&counter_copied_adaptive.attr.attr,
	&counter_pages_bound.attr.attr,
	&counter_pages_unbound.attr.attr,
	&counter_pages_broken.attr.attr,
	&counter_pages_inserted.attr.attr,
	&counter_faults_bound.attr.attr,
	&counter_faults_zero.attr.attr,
	&counter_faults_again.attr.attr,
	&counter_faults_lost.attr.attr,
	&counter_masters_made.attr.attr,
	&counter_masters_freed.attr.attr,
	&counter_masters_reclaimed.attr.attr,
	&counter_masters_retired.attr.attr,
	&counter_masters_merged.attr.attr,
	&counter_bytes_hashed.attr.attr,
	&counter_hash_collisions.attr.attr,
	&counter_ram_aged.attr.attr,
	&counter_replicas_made.attr.attr,
	&counter_replicas_left.attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(mount);

/* The last one to read an attribute, or the mount itself, is gone. */
static void mount_release(struct kobject *kobj)
{
	struct cowd_mount *mnt = to_mount(kobj);

	free_percpu(mnt->count);
	kfree(mnt);
}

static struct kobj_type mount_ktype = {
	.release = mount_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = mount_groups,
};

/* It is freed by kobject_put() from here on. */
void cowd_mount_kobj_init(struct cowd_mount *mnt)
{
	kobject_init(&mnt->kobj, &mount_ktype);
}

/**
 * cowd_mount_kobj_add - show a mount in sysfs
 * @mnt: mount that has its super block
 *
 * Return: 0 or a negative errno.
 */
int cowd_mount_kobj_add(struct cowd_mount *mnt)
{
	dev_t dev = mnt->sb->s_dev;

	return kobject_add(&mnt->kobj, mounts_kobj, "%u:%u", MAJOR(dev),
			   MINOR(dev));
}

int cowd_sysfs_init(void)
{
	int ret;

	cowd_kobj = kobject_create_and_add("cowdedup", kernel_kobj);
	if (!cowd_kobj)
		return -ENOMEM;
	ret = sysfs_create_group(cowd_kobj, &root_group);
	if (ret)
		goto err;
	ret = -ENOMEM;
	mounts_kobj = kobject_create_and_add("mounts", cowd_kobj);
	if (!mounts_kobj)
		goto err;
	return 0;
err:
	kobject_put(cowd_kobj);
	return ret;
}

/* There is no mount. */
void cowd_sysfs_exit(void)
{
	kobject_put(mounts_kobj);
	kobject_put(cowd_kobj);
}
