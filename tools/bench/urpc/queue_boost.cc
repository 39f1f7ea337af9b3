// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue_boost.cc - spsc_queue of Boost.Lockfree, with a PAUSE between two tries
 */
#include <boost/lockfree/spsc_queue.hpp>

#include <cstring>
#include <exception>
#include <new>

extern "C" {
#include "queue.h"
#include "rig.h"
}

/* Only rings of this size are measured. */
constexpr unsigned int SLOTS = 16;

using boost_queue =
	boost::lockfree::spsc_queue<message, boost::lockfree::capacity<SLOTS>>;

struct APART boost_holder {
	boost_queue queue;
};

#define QUEUE(x)	boost_##x
#define QUEUE_TYPE	boost_holder

INLINE void boost_send(boost_holder *q, const uint64_t *word)
{
	message m;

	memcpy(m.word, word, WORDS * 8);
	while (!q->queue.push(m))
		pause_once();
}

INLINE void boost_recv(boost_holder *q, uint64_t *word)
{
	message m;

	while (!q->queue.pop(m))
		pause_once();
	memcpy(word, m.word, WORDS * 8);
}

#include "queue_loops.h"

static void boost_close(duo *d)
{
	for (auto &q : d->q)
		delete static_cast<boost_holder *>(q);
}

static bool boost_open(duo *d, unsigned int slots, const char **why)
{
	if (slots != SLOTS) {
		*why = "of another size";
		return false;
	}
	for (auto &q : d->q) {
		q = new (std::nothrow) boost_holder;
		if (!q) {
			*why = "no memory";
			return false;
		}
	}
	return true;
}

extern "C" const queue queue_boost;
const queue queue_boost = {
	"boost_spsc_queue", "memory", true, false, boost_open, boost_close,
	{ boost_ping, boost_pong }, { boost_produce, boost_consume },
};
