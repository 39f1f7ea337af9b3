// SPDX-License-Identifier: GPL-2.0-only
/*
 * helper.c - the helper as a thread of another command
 */
#include <errno.h>
#include <string.h>

#include "helper.h"
#include "numashare.h"

int explain_helper(int err)
{
	if (err == -EBUSY)
		complain("another helper is connected: one is enough");
	else if (err == -EINVAL)
		complain("the helper has to run in the initial pid namespace");
	else
		complain("cannot be the helper: %s", strerror(-err));
	return FAILED;
}

static void *serve(void *arg)
{
	struct helper *h = arg;
	int ret;

	while (!__atomic_load_n(&h->quit, __ATOMIC_ACQUIRE)) {
		ret = numamig_helper_step(h->dev, 100, NULL);
		if (ret < 0 && ret != -EINTR) {
			complain("the helper failed: %s", strerror(-ret));
			break;
		}
	}
	return NULL;
}

/* Start one unless there is one; without any, huge and shared pages stay. */
int helper_start(struct helper *h)
{
	int ret;

	memset(h, 0, sizeof(*h));
	ret = numamig_open(&h->dev);
	if (ret)
		return explain_open(ret);
	ret = numamig_helper(h->dev);
	if (!ret)
		ret = -pthread_create(&h->thread, NULL, serve, h);
	if (!ret) {
		h->running = true;
		return OK;
	}
	numamig_close(h->dev);
	h->dev = NULL;
	return ret == -EBUSY ? OK : explain_helper(ret);
}

void helper_stop(struct helper *h)
{
	if (h->running) {
		__atomic_store_n(&h->quit, true, __ATOMIC_RELEASE);
		pthread_join(h->thread, NULL);
		h->running = false;
	}
	numamig_close(h->dev);
	h->dev = NULL;
}
