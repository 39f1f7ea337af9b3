// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream.c - samples for user space, one buffer a file
 *
 * The worker is the only writer (under nm_lock), a file's readers take turns
 * (nm_file.read_lock), so a buffer is a kfifo with one writer and one reader
 * and needs no lock between the two.
 */
#include <linux/fs.h>
#include <linux/kfifo.h>
#include <linux/log2.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "internal.h"

#define MAX_ENTRIES	BIT(20)

struct nm_stream {
	struct list_head link;		/* streams, under nm_lock */
	struct nm_file *file;
	bool news;			/* worker: wake the readers */
	void *buf;
	DECLARE_KFIFO_PTR(fifo, struct numamig_sample);
};

static LIST_HEAD(streams);

int nm_stream_start(struct nm_file *f, u32 entries)
{
	struct nm_stream *s;

	lockdep_assert_held(&nm_lock);
	if (!entries || entries > MAX_ENTRIES)
		return -EINVAL;
	if (f->role != NM_ROLE_NONE)
		return -EBUSY;
	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	entries = roundup_pow_of_two(max(entries, 2u));
	s->buf = kvcalloc(entries, sizeof(struct numamig_sample),
			  GFP_KERNEL_ACCOUNT);
	if (!s->buf) {
		kfree(s);
		return -ENOMEM;
	}
	kfifo_init(&s->fifo, s->buf,
		   entries * sizeof(struct numamig_sample));
	s->file = f;
	f->stream = s;
	/* pairs with the acquire in read and poll: the stream is complete */
	smp_store_release(&f->role, NM_ROLE_STREAM);
	list_add_tail(&s->link, &streams);
	return 0;
}

void nm_stream_stop(struct nm_file *f)
{
	struct nm_stream *s = f->stream;

	lockdep_assert_held(&nm_lock);
	list_del(&s->link);
	kvfree(s->buf);
	kfree(s);
}

bool nm_stream_wanted(void)
{
	lockdep_assert_held(&nm_lock);
	return !list_empty(&streams);
}

void nm_stream_push(const struct numamig_sample *rec)
{
	struct nm_stream *s;

	lockdep_assert_held(&nm_lock);
	list_for_each_entry(s, &streams, link) {
		if (kfifo_put(&s->fifo, *rec))
			s->news = true;
		else
			nm_count(NM_C_STREAM_DROPPED);
	}
}

/* After a batch, so that readers wake once for many samples. */
void nm_stream_wake(void)
{
	struct nm_stream *s;

	lockdep_assert_held(&nm_lock);
	list_for_each_entry(s, &streams, link) {
		if (s->news) {
			s->news = false;
			wake_up_interruptible(&s->file->wait);
		}
	}
}

static bool filled(struct nm_stream *s)
{
	return !kfifo_is_empty(&s->fifo);
}

ssize_t nm_stream_read(struct nm_file *f, char __user *buf, size_t len,
		       bool nonblock)
{
	struct nm_stream *s = f->stream;
	unsigned int copied = 0;
	int ret;

	if (len < sizeof(struct numamig_sample))
		return -EINVAL;
	if (mutex_lock_interruptible(&f->read_lock))
		return -ERESTARTSYS;
	ret = 0;
	if (!filled(s)) {
		if (nonblock)
			ret = -EAGAIN;
		else
			ret = wait_event_interruptible(f->wait, filled(s));
	}
	if (!ret)
		ret = kfifo_to_user(&s->fifo, buf,
				    len / sizeof(struct numamig_sample) *
				    sizeof(struct numamig_sample), &copied);
	mutex_unlock(&f->read_lock);
	/* what was copied before a fault is not in the buffer any more */
	if (copied)
		return copied;
	return ret;
}

__poll_t nm_stream_poll(struct nm_file *f)
{
	return filled(f->stream) ? EPOLLIN | EPOLLRDNORM : 0;
}
