/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * urpc_marshal.h - put values in a payload and take them out again
 *
 * For messages of a slot and for bulk messages alike.  Values lie in the
 * order in which they are put, little-endian, without padding.  Whatever does
 * not fit, or is not there, sets @bad and gives zeros, so one look at the end
 * is enough:
 *
 *	uint64_t word[URPC_SLOT_WORDS] = { 0 };
 *	struct urpc_writer w;
 *
 *	urpc_write_to(&w, word, sizeof(word));
 *	urpc_write_u32(&w, 42);
 *	urpc_write_text(&w, "answer");
 *	if (!w.bad)
 *		urpc_send(c, ANSWER, word);
 */
#ifndef URPC_MARSHAL_H
#define URPC_MARSHAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct urpc_writer - where values go
 * @at: the next byte
 * @left: bytes of room
 * @bad: something did not fit
 */
struct urpc_writer {
	unsigned char *at;
	size_t left;
	bool bad;
};

/**
 * struct urpc_reader - where values come from
 * @at: the next byte
 * @left: bytes there
 * @bad: something was not there
 */
struct urpc_reader {
	const unsigned char *at;
	size_t left;
	bool bad;
};

static inline void urpc_write_to(struct urpc_writer *w, void *buffer,
				 size_t size)
{
	w->at = (unsigned char *)buffer;
	w->left = size;
	w->bad = false;
}

static inline void urpc_read_from(struct urpc_reader *r, const void *buffer,
				  size_t size)
{
	r->at = (const unsigned char *)buffer;
	r->left = size;
	r->bad = false;
}

/* --- bytes --------------------------------------------------------------- */

static inline void urpc_write_bytes(struct urpc_writer *w, const void *data,
				    size_t n)
{
	if (w->bad || n > w->left) {
		w->bad = true;
		return;
	}
	if (n)
		memcpy(w->at, data, n);
	w->at += n;
	w->left -= n;
}

/* In place: NULL when there are not so many. */
static inline const void *urpc_read_in_place(struct urpc_reader *r, size_t n)
{
	const void *p = r->at;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return p;
}

static inline void urpc_read_bytes(struct urpc_reader *r, void *data, size_t n)
{
	const void *p = urpc_read_in_place(r, n);

	if (!n)
		return;
	if (p)
		memcpy(data, p, n);
	else
		memset(data, 0, n);
}

/* --- numbers ------------------------------------------------------------- */

static inline void __urpc_write_int(struct urpc_writer *w, uint64_t v,
				    unsigned int n)
{
	unsigned char b[8];
	unsigned int i;

	for (i = 0; i < n; i++)
		b[i] = (unsigned char)(v >> 8 * i);
	urpc_write_bytes(w, b, n);
}

static inline uint64_t __urpc_read_int(struct urpc_reader *r, unsigned int n)
{
	const unsigned char *b =
		(const unsigned char *)urpc_read_in_place(r, n);
	uint64_t v = 0;
	unsigned int i;

	for (i = 0; b && i < n; i++)
		v |= (uint64_t)b[i] << 8 * i;
	return v;
}

static inline void urpc_write_u8(struct urpc_writer *w, uint8_t v)
{
	__urpc_write_int(w, v, 1);
}

static inline void urpc_write_u16(struct urpc_writer *w, uint16_t v)
{
	__urpc_write_int(w, v, 2);
}

static inline void urpc_write_u32(struct urpc_writer *w, uint32_t v)
{
	__urpc_write_int(w, v, 4);
}

static inline void urpc_write_u64(struct urpc_writer *w, uint64_t v)
{
	__urpc_write_int(w, v, 8);
}

static inline void urpc_write_i64(struct urpc_writer *w, int64_t v)
{
	__urpc_write_int(w, (uint64_t)v, 8);
}

static inline void urpc_write_double(struct urpc_writer *w, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	__urpc_write_int(w, bits, 8);
}

static inline uint8_t urpc_read_u8(struct urpc_reader *r)
{
	return (uint8_t)__urpc_read_int(r, 1);
}

static inline uint16_t urpc_read_u16(struct urpc_reader *r)
{
	return (uint16_t)__urpc_read_int(r, 2);
}

static inline uint32_t urpc_read_u32(struct urpc_reader *r)
{
	return (uint32_t)__urpc_read_int(r, 4);
}

static inline uint64_t urpc_read_u64(struct urpc_reader *r)
{
	return __urpc_read_int(r, 8);
}

static inline int64_t urpc_read_i64(struct urpc_reader *r)
{
	return (int64_t)__urpc_read_int(r, 8);
}

static inline double urpc_read_double(struct urpc_reader *r)
{
	uint64_t bits = __urpc_read_int(r, 8);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* --- text and blocks: a length of 32 bits, then the bytes ---------------- */

static inline void urpc_write_block(struct urpc_writer *w, const void *data,
				    uint32_t n)
{
	/* both or none */
	if (w->left < 4 || w->left - 4 < n)
		w->bad = true;
	urpc_write_u32(w, n);
	urpc_write_bytes(w, data, n);
}

static inline void urpc_write_text(struct urpc_writer *w, const char *text)
{
	urpc_write_block(w, text, (uint32_t)strlen(text));
}

/* In place; @n: out. */
static inline const void *urpc_read_block(struct urpc_reader *r, uint32_t *n)
{
	const void *p;

	*n = urpc_read_u32(r);
	p = urpc_read_in_place(r, *n);
	if (!p)
		*n = 0;
	return p;
}

/* Into @text, which gets a final zero; text that does not fit is bad. */
static inline void urpc_read_text(struct urpc_reader *r, char *text,
				  size_t size)
{
	uint32_t n;
	const void *p = urpc_read_block(r, &n);

	if (p && n < size) {
		memcpy(text, p, n);
		text[n] = 0;
		return;
	}
	r->bad = true;
	if (size)
		text[0] = 0;
}

#ifdef __cplusplus
}
#endif

#endif /* URPC_MARSHAL_H */
