// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_cxx - the headers and the library in a C++ program
 */
#include <cstdio>
#include <cstring>
#include <thread>

#include "urpc.h"
#include "urpc_marshal.h"

static void serve(urpc_channel *c)
{
	uint64_t word[URPC_SLOT_WORDS];
	uint32_t tag;

	while (!urpc_recv(c, &tag, word)) {
		urpc_reader r;
		urpc_writer w;

		urpc_read_from(&r, word, sizeof(word));
		const uint32_t a = urpc_read_u32(&r), b = urpc_read_u32(&r);

		urpc_write_to(&w, word, sizeof(word));
		urpc_write_u64(&w, static_cast<uint64_t>(a) * b);
		if (urpc_send(c, tag + 1, word))
			break;
	}
}

/* Every kind of call once, for the compiler. */
static bool all_kinds(urpc_channel *a, urpc_channel *b)
{
	uint64_t word[URPC_SLOT_WORDS] = { 1 };
	const urpc_slot *got = nullptr;
	urpc_message m[2] = {};
	urpc_slot *slot = nullptr;
	urpc_stats stats;
	char text[100] = "as many bytes as do not fit in one slot, which are fifty-six";

	if (urpc_try_slot(a, &slot))
		return false;
	slot->word[0] = 2;
	urpc_publish(a, 7);
	if (urpc_try_peek(b, &got, nullptr) || got->word[0] != 2)
		return false;
	urpc_done(b);
	if (urpc_send_batch(a, m, 2, -1) != 2 ||
	    urpc_recv_batch(b, m, 2, -1) != 2)
		return false;
	if (urpc_send_bulk(a, 1, text, sizeof(text), -1) ||
	    urpc_recv_bulk(b, nullptr, text, sizeof(text), -1) != sizeof(text))
		return false;
	if (urpc_call_start(a, 1, word) ||
	    urpc_call_next(b, nullptr, word, -1) ||
	    urpc_call_reply(b, 2, word) ||
	    urpc_call_finish(a, nullptr, word, -1))
		return false;
	return !urpc_get_stats(a, &stats) && !urpc_state(a) &&
	       urpc_channel_level(a) == URPC_GUARDED;
}

static bool multiply()
{
	uint64_t word[URPC_SLOT_WORDS] = {};
	urpc_channel *c[2];
	urpc_writer w;
	urpc_reader r;
	uint32_t tag = 0;

	if (urpc_pair(nullptr, c))
		return false;
	if (!all_kinds(c[0], c[1]))
		return false;
	std::thread t(serve, c[1]);

	urpc_write_to(&w, word, sizeof(word));
	urpc_write_u32(&w, 6);
	urpc_write_u32(&w, 7);
	bool ok = !urpc_send(c[0], 1, word) && !urpc_recv(c[0], &tag, word);

	urpc_read_from(&r, word, sizeof(word));
	ok = ok && tag == 2 && urpc_read_u64(&r) == 42;
	urpc_close(c[0]);
	t.join();
	urpc_close(c[1]);
	return ok;
}

int main()
{
	const bool ok = multiply();

	std::printf("TAP version 13\n1..1\n%s 1 cxx\n", ok ? "ok" : "not ok");
	return !ok;
}
