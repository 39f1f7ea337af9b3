// SPDX-License-Identifier: GPL-2.0-only
/*
 * connect.c - how two endpoints become a channel
 *
 * Who connects puts a request, with its own region, in the backlog of the
 * peer's endpoint and waits.  Who accepts takes the oldest request, adds its
 * own region, and answers; the level is what both allow.  Each side pays for
 * the region that it writes, which lies where the other side receives.
 *
 * A request is QUEUED until one of the two changes that under the endpoint's
 * lock: the accepter to TAKEN, after which the connecter waits for the answer,
 * however short its time; or the connecter, who gives up, to nothing.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "internal.h"

enum request_state { QUEUED, TAKEN, ANSWERED };

/**
 * struct urpc_request - a connection that waits to be accepted
 * @link: in the backlog
 * @state: under the endpoint's lock
 * @answered: the accepter has made up its mind
 * @result: 0 or a negative errno
 * @ch: the channel; side 0 is filled in by who connects
 * @node: where who connects receives
 * @level: the highest that it wants
 * @exact: and no other
 */
struct urpc_request {
	struct list_head link;
	enum request_state state;
	struct completion answered;
	int result;
	struct urpc_channel *ch;
	int node;
	u32 level;
	bool exact;
};

/* The caller stands for this side, for the peer to ask who it is. */
void urpc_side_take_cred(struct urpc_side *s)
{
	s->uid = current_euid();
	s->gid = current_egid();
	s->pid = get_pid(task_tgid(current));
}

static unsigned long timeout_jiffies(s64 ns)
{
	return ns < 0 ? MAX_SCHEDULE_TIMEOUT : nsecs_to_jiffies(ns) + 1;
}

static void answer(struct urpc_endpoint *e, struct urpc_request *q, int result)
{
	mutex_lock(&e->lock);
	q->state = ANSWERED;
	q->result = result;
	mutex_unlock(&e->lock);
	/* the connecter frees it from here on */
	complete(&q->answered);
}

/* The endpoint is closed: no request comes any more. */
void urpc_refuse_all(struct urpc_endpoint *e)
{
	struct urpc_request *q, *next;
	LIST_HEAD(refused);

	mutex_lock(&e->lock);
	e->closed = true;
	list_splice_init(&e->backlog, &refused);
	list_for_each_entry(q, &refused, link)
		q->state = TAKEN;
	e->pending = 0;
	mutex_unlock(&e->lock);
	list_for_each_entry_safe(q, next, &refused, link) {
		list_del(&q->link);
		answer(e, q, -ECONNREFUSED);
	}
}

/* --- connect ------------------------------------------------------------- */

static int check_connect(const struct urpc_connect *a)
{
	if (a->level >= URPC_LEVELS || !urpc_slots_valid(a->slots) ||
	    !urpc_name_valid(a->name) || !*a->name)
		return -EINVAL;
	return 0;
}

/* The connecter's half: a region where @peer_node receives, who it is. */
static int fill_side(struct urpc_side *s, u32 slots, u32 cpu, int peer_node)
{
	struct urpc_user *user = urpc_quota_take(URPC_Q_CHANNEL);

	if (IS_ERR(user))
		return PTR_ERR(user);
	s->user = user;
	s->cpu = cpu;
	urpc_side_take_cred(s);
	s->tx = urpc_region_new(slots, peer_node);
	return s->tx ? 0 : -ENOMEM;
}

static int enqueue(struct urpc_endpoint *peer, struct urpc_request *q)
{
	int ret = 0;

	mutex_lock(&peer->lock);
	if (peer->closed)
		ret = -ECONNREFUSED;
	else if (peer->pending == URPC_BACKLOG)
		ret = -EAGAIN;
	if (!ret) {
		list_add_tail(&q->link, &peer->backlog);
		peer->pending++;
	}
	mutex_unlock(&peer->lock);
	if (!ret)
		wake_up_interruptible_poll(&peer->wait, EPOLLIN);
	return ret;
}

/* Wait for the answer; give up only while nobody has taken the request. */
static int await_answer(struct urpc_endpoint *peer, struct urpc_request *q,
			s64 timeout_ns)
{
	long left;
	bool mine;

	left = timeout_jiffies(timeout_ns);
	left = wait_for_completion_interruptible_timeout(&q->answered, left);
	if (left > 0)
		return q->result;
	mutex_lock(&peer->lock);
	mine = q->state == QUEUED;
	if (mine) {
		list_del(&q->link);
		peer->pending--;
	}
	mutex_unlock(&peer->lock);
	if (mine)
		return left ? -EINTR : -ETIMEDOUT;
	wait_for_completion(&q->answered);
	return q->result;
}

/* With the request on the stack: nobody has it when this returns. */
static int request(struct urpc_endpoint *e, struct urpc_endpoint *peer,
		   struct urpc_connect *arg, struct urpc_channel *ch)
{
	struct urpc_request q = {
		.state = QUEUED,
		.ch = ch,
		.node = e->node,
		.level = arg->level,
		.exact = arg->flags & URPC_CONNECT_EXACT,
	};
	int ret;

	init_completion(&q.answered);
	ret = fill_side(&ch->side[0], arg->slots, e->cpu, peer->node);
	if (!ret)
		ret = enqueue(peer, &q);
	if (!ret)
		ret = await_answer(peer, &q, arg->timeout_ns);
	return ret;
}

static int connect_to_name(struct urpc_endpoint *e, struct urpc_connect *arg,
			   struct urpc_channel *ch)
{
	struct urpc_endpoint *peer = urpc_endpoint_find(arg->name);
	int ret;

	if (!peer)
		return -ENOENT;
	ret = urpc_endpoint_permits(peer);
	if (!ret)
		ret = request(e, peer, arg, ch);
	urpc_endpoint_put(peer);
	return ret;
}

static int connect_to_driver(struct urpc_endpoint *e, struct urpc_connect *arg,
			     struct urpc_channel *ch)
{
	unsigned int cpu;
	int ret;

	if (!ns_capable(&init_user_ns, CAP_SYS_NICE))
		return -EPERM;
	ret = kstrtouint(arg->name + 4, 10, &cpu);
	if (ret || cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return -EINVAL;
	/* the kernel's side never trusts a program: guarded is all there is */
	if (arg->level != URPC_GUARDED && (arg->flags & URPC_CONNECT_EXACT))
		return -EPERM;
	ch->level = URPC_GUARDED;
	ret = fill_side(&ch->side[0], arg->slots, e->cpu, cpu_to_mem(cpu));
	if (!ret)
		ret = urpc_driver_connect(cpu, &ch->side[0], e->node);
	return ret;
}

/**
 * urpc_connect - URPC_CONNECT
 * @e: the caller's endpoint
 * @arg: the argument, flags checked; results are filled in
 * @made: out: the channel's file, not installed yet
 *
 * Return: 0 or a negative errno.
 */
int urpc_connect(struct urpc_endpoint *e, struct urpc_connect *arg,
		 struct urpc_new_file *made)
{
	struct urpc_channel *ch;
	struct file *file;
	int ret = check_connect(arg), fd;

	if (ret)
		return ret;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	ch = urpc_channel_new(arg->level, arg->slots);
	ret = -ENOMEM;
	if (!ch)
		goto err_fd;
	if (!strncmp(arg->name, "cpu/", 4))
		ret = connect_to_driver(e, arg, ch);
	else
		ret = connect_to_name(e, arg, ch);
	if (ret)
		goto err_channel;
	/* from here on the peer has its side: ours is closed, not freed */
	file = urpc_side_file(&ch->side[0]);
	if (IS_ERR(file)) {
		urpc_side_close(&ch->side[0]);
		ret = PTR_ERR(file);
		goto err_fd;
	}
	arg->level = ch->level;
	arg->fd = fd;
	*made = (struct urpc_new_file) { fd, file };
	return 0;
err_channel:
	kobject_put(&ch->kobj);
err_fd:
	put_unused_fd(fd);
	return ret;
}

/* --- accept -------------------------------------------------------------- */

static struct urpc_request *take_request(struct urpc_endpoint *e)
{
	struct urpc_request *q;

	mutex_lock(&e->lock);
	q = list_first_entry_or_null(&e->backlog, struct urpc_request, link);
	if (q) {
		list_del(&q->link);
		e->pending--;
		q->state = TAKEN;
	}
	mutex_unlock(&e->lock);
	return q;
}

static bool has_request(struct urpc_endpoint *e)
{
	return READ_ONCE(e->pending);
}

/* Several threads may accept: who finds nothing waits for what is left. */
static int await_request(struct urpc_endpoint *e, s64 timeout_ns,
			 struct urpc_request **q)
{
	long left = timeout_jiffies(timeout_ns);

	for (;;) {
		*q = take_request(e);
		if (*q)
			return 0;
		if (!timeout_ns)
			return -EAGAIN;
		if (!left)
			return -ETIMEDOUT;
		left = wait_event_interruptible_timeout(e->wait,
							has_request(e), left);
		if (left < 0)
			return -EINTR;
	}
}

/* What both sides allow, or -EPERM. */
static int agree_level(const struct urpc_request *q, u32 allowed)
{
	struct urpc_side *s = &q->ch->side[0];
	u32 level = min(q->level, allowed);

	if (!uid_eq(s->uid, current_euid()) || !gid_eq(s->gid, current_egid()))
		level = URPC_GUARDED;
	if (q->exact && level != q->level)
		return -EPERM;
	return level;
}

/* Complete the channel of @q; 0 makes it both sides'. */
static int complete_channel(struct urpc_endpoint *e, struct urpc_request *q,
			    struct urpc_accept *arg)
{
	struct urpc_channel *ch = q->ch;
	int level = agree_level(q, arg->level), ret;

	if (level < 0)
		return level;
	ch->level = level;
	ret = fill_side(&ch->side[1], ch->slots, e->cpu, q->node);
	if (ret)
		return ret;
	kobject_get(&ch->kobj);
	urpc_channel_publish(ch);
	return 0;
}

static void tell_peer(struct urpc_accept *arg, const struct urpc_channel *ch)
{
	const struct urpc_side *peer = &ch->side[0];

	arg->level = ch->level;
	arg->slots = ch->slots;
	arg->pid = pid_vnr(peer->pid);
	arg->uid = from_kuid_munged(current_user_ns(), peer->uid);
	arg->gid = from_kgid_munged(current_user_ns(), peer->gid);
}

/* Answer one request and open our side of it. */
static int accept_request(struct urpc_endpoint *e, struct urpc_request *q,
			  struct urpc_accept *arg, struct file **file)
{
	struct urpc_channel *ch = q->ch;
	int ret = complete_channel(e, q, arg);

	/* after this the request, and with an error the channel, is not ours */
	answer(e, q, ret == -EPERM ? -EPERM : ret ? -ECONNREFUSED : 0);
	if (ret)
		return ret;
	tell_peer(arg, ch);
	*file = urpc_side_file(&ch->side[1]);
	if (IS_ERR(*file)) {
		urpc_side_close(&ch->side[1]);
		return PTR_ERR(*file);
	}
	return 0;
}

/**
 * urpc_accept - URPC_ACCEPT
 * @e: the caller's endpoint
 * @arg: the argument, flags checked; results are filled in
 * @made: out: the channel's file, not installed yet
 *
 * A request whose exact level cannot be had is refused, and the next one
 * taken.
 *
 * Return: 0 or a negative errno.
 */
int urpc_accept(struct urpc_endpoint *e, struct urpc_accept *arg,
		struct urpc_new_file *made)
{
	struct urpc_request *q;
	struct file *file;
	int fd, ret;

	if (!*e->name || arg->level >= URPC_LEVELS)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	do {
		ret = await_request(e, arg->timeout_ns, &q);
		if (ret)
			break;
		ret = accept_request(e, q, arg, &file);
	} while (ret == -EPERM);
	if (ret) {
		put_unused_fd(fd);
		return ret;
	}
	arg->fd = fd;
	*made = (struct urpc_new_file) { fd, file };
	return 0;
}
