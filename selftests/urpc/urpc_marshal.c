// SPDX-License-Identifier: GPL-2.0-only
/*
 * urpc_marshal - what goes in comes out, and nothing else
 */
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "urpc_marshal.h"
#include "urpc_test.h"

TEST(values)
{
	uint64_t word[URPC_SLOT_WORDS] = { 0 };
	struct urpc_writer w;
	struct urpc_reader r;
	char text[8];

	urpc_write_to(&w, word, sizeof(word));
	urpc_write_u8(&w, 0xfe);
	urpc_write_u16(&w, 0xfedc);
	urpc_write_u32(&w, 0xfedcba98);
	urpc_write_u64(&w, 0xfedcba9876543210);
	urpc_write_i64(&w, -5);
	urpc_write_double(&w, -0.125);
	urpc_write_text(&w, "answer");
	EXPECT_FALSE(w.bad);
	EXPECT_EQ(sizeof(word) - 41, w.left);
	/* little-endian, without padding */
	EXPECT_EQ(0x98fedcfe, (uint32_t)word[0]);
	urpc_read_from(&r, word, sizeof(word));
	EXPECT_EQ(0xfe, urpc_read_u8(&r));
	EXPECT_EQ(0xfedc, urpc_read_u16(&r));
	EXPECT_EQ(0xfedcba98, urpc_read_u32(&r));
	EXPECT_EQ(0xfedcba9876543210, urpc_read_u64(&r));
	EXPECT_EQ(-5, urpc_read_i64(&r));
	EXPECT_EQ(-0.125, urpc_read_double(&r));
	urpc_read_text(&r, text, sizeof(text));
	EXPECT_STREQ("answer", text);
	EXPECT_FALSE(r.bad);
}

TEST(what_does_not_fit)
{
	uint8_t buf[16];
	struct urpc_writer w;

	memset(buf, 0xee, sizeof(buf));
	urpc_write_to(&w, buf, 10);
	urpc_write_u64(&w, 1);
	urpc_write_u32(&w, 2);
	EXPECT_TRUE(w.bad);
	/* also not what would fit */
	urpc_write_u8(&w, 3);
	EXPECT_EQ(0xee, buf[8]);
	urpc_write_to(&w, buf, 6);
	urpc_write_block(&w, "abc", 3);
	EXPECT_TRUE(w.bad);
	EXPECT_EQ(1, buf[0]);
}

TEST(what_is_not_there)
{
	static const uint8_t lying[] = { 0xff, 0xff, 0xff, 0xff, 'a', 'b' };
	static const uint8_t text[] = { 3, 0, 0, 0, 'a', 'b', 'c' };
	struct urpc_reader r;
	char out[4] = "xyz", small[3] = "xy";
	uint32_t n = 7;

	urpc_read_from(&r, lying, 3);
	EXPECT_EQ(0, urpc_read_u32(&r));
	EXPECT_TRUE(r.bad);
	EXPECT_EQ(0, urpc_read_u8(&r));
	/* a length that is longer than what follows */
	urpc_read_from(&r, lying, sizeof(lying));
	EXPECT_TRUE(!urpc_read_block(&r, &n));
	EXPECT_EQ(0, n);
	EXPECT_TRUE(r.bad);
	urpc_read_from(&r, lying, sizeof(lying));
	urpc_read_text(&r, out, sizeof(out));
	EXPECT_TRUE(r.bad);
	EXPECT_STREQ("", out);
	/* text for which there is no room with its zero */
	urpc_read_from(&r, text, sizeof(text));
	urpc_read_text(&r, out, sizeof(out));
	EXPECT_FALSE(r.bad);
	EXPECT_STREQ("abc", out);
	urpc_read_from(&r, text, sizeof(text));
	urpc_read_text(&r, small, sizeof(small));
	EXPECT_TRUE(r.bad);
	EXPECT_STREQ("", small);
	memset(out, 1, sizeof(out));
	urpc_read_from(&r, text, 2);
	urpc_read_bytes(&r, out, 4);
	EXPECT_EQ(0, out[0] | out[3]);
}

TEST_HARNESS_MAIN
