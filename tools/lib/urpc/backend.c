// SPDX-License-Identifier: LGPL-2.1-only
/*
 * backend.c - which back end carries new endpoints
 *
 * The module where its device can be opened, memory files and futexes where
 * not.  URPC_BACKEND in the environment decides when it is set.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const struct urpc_backend_ops *const backends[] = {
	&urpc_module_ops, &urpc_memfd_ops, NULL
};

const struct urpc_backend_ops *ul_backend_named(const char *name)
{
	unsigned int i;

	for (i = 0; backends[i]; i++)
		if (!strcmp(backends[i]->name, name))
			return backends[i];
	return NULL;
}

/* The first one that can be used; asked once. */
static const struct urpc_backend_ops *first_usable(void)
{
	static const struct urpc_backend_ops *chosen;
	const struct urpc_backend_ops *ops = urpc_load_acquire(&chosen);
	unsigned int i;

	for (i = 0; !ops; i++)
		if (!backends[i + 1] || !backends[i]->probe())
			ops = backends[i];
	urpc_store_release(&chosen, ops);
	return ops;
}

int ul_backend_choose(const struct urpc_backend_ops **ops)
{
	const char *name = secure_getenv("URPC_BACKEND");

	*ops = name && *name ? ul_backend_named(name) : first_usable();
	return *ops ? 0 : -EINVAL;
}

const char *urpc_backend(void)
{
	const struct urpc_backend_ops *ops;

	return ul_backend_choose(&ops) ? "?" : ops->name;
}

const char *urpc_channel_backend(const struct urpc_channel *c)
{
	return c->priv->ops->name;
}
