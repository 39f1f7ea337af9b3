# SPDX-License-Identifier: GPL-2.0-only
#
# The selftests of urpc: its module's, and liburpc's as it is and under the
# sanitizers.

# --- the module ---------------------------------------------------------------
URPC_MODULE_TESTS := $(addprefix $(O)/tests/,module_abi module_map module_wake \
	module_driver module_hold)

$(URPC_MODULE_TESTS): $(O)/tests/%: selftests/urpc/%.c \
		selftests/urpc/module_test.c selftests/urpc/module_test.h \
		mod/urpc/urpc_ring.h uapi/linux/urpc.h \
		| $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Imod/urpc -Iselftests/urpc \
		-Wno-unused-parameter -Wno-sign-compare -o $@ $< \
		selftests/urpc/module_test.c -lnuma -lpthread

# --- liburpc: as it is, and under the sanitizers --------------------------------
# asan-urpc_X and tsan-urpc_X are urpc_X with the library built likewise.
URPC_TESTS := message bulk call channel poll marshal sleep process hostile \
	memfd
URPC_ASAN := $(URPC_TESTS)
URPC_TSAN := $(URPC_TESTS)
URPC_TEST_BIN := $(addprefix $(O)/tests/urpc_,$(URPC_TESTS) soak cxx) \
	$(addprefix $(O)/tests/asan-urpc_,$(URPC_ASAN)) \
	$(addprefix $(O)/tests/tsan-urpc_,$(URPC_TSAN))
URPC_TEST_CFLAGS = $(TEST_CFLAGS) -Iselftests/urpc -Wno-unused-parameter \
	-Wno-sign-compare -Wno-clobbered
URPC_TEST_SHARED := selftests/urpc/urpc_test.c
URPC_TEST_HDR := selftests/urpc/urpc_test.h $(TOOL_HDR)

ASAN_FLAGS := -O1 $(SAN_FLAGS)
TSAN_FLAGS := -O1 -fsanitize=thread -fno-omit-frame-pointer

$(O)/asan/%.o: %.c $(TOOL_HDR)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $(ASAN_FLAGS) -c -o $@ $<

$(O)/tsan/%.o: %.c $(TOOL_HDR)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) $(TSAN_FLAGS) -c -o $@ $<

URPC_ASAN_OBJ := $(patsubst %.c,$(O)/asan/%.o,$(URPC_LIB_SRC))
URPC_TSAN_OBJ := $(patsubst %.c,$(O)/tsan/%.o,$(URPC_LIB_SRC))

$(O)/tests/urpc_%: selftests/urpc/urpc_%.c $(URPC_TEST_SHARED) \
		$(URPC_TEST_HDR) $(O)/lib/liburpc.a | $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(URPC_TEST_CFLAGS) -o $@ $< $(URPC_TEST_SHARED) \
		$(O)/lib/liburpc.a -lpthread

$(O)/tests/asan-urpc_%: selftests/urpc/urpc_%.c $(URPC_TEST_SHARED) \
		$(URPC_TEST_HDR) $(URPC_ASAN_OBJ) | $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(URPC_TEST_CFLAGS) $(ASAN_FLAGS) -o $@ $< $(URPC_TEST_SHARED) \
		$(URPC_ASAN_OBJ) -lpthread

$(O)/tests/tsan-urpc_%: selftests/urpc/urpc_%.c $(URPC_TEST_SHARED) \
		$(URPC_TEST_HDR) $(URPC_TSAN_OBJ) | $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(URPC_TEST_CFLAGS) $(TSAN_FLAGS) -o $@ $< $(URPC_TEST_SHARED) \
		$(URPC_TSAN_OBJ) -lpthread

$(O)/tests/urpc_cxx: selftests/urpc/urpc_cxx.cc $(TOOL_HDR) $(O)/lib/liburpc.a
	@mkdir -p $(@D)
	$(CXX) -O2 -g -Wall -Wextra -Wpedantic -Wno-variadic-macros \
		-std=c++11 -Iuapi -Imod/urpc -Itools/lib/urpc -o $@ $< \
		$(O)/lib/liburpc.a -lpthread

$(O)/tests/fuzz-urpc: selftests/fuzz/urpc.c selftests/fuzz/fuzz.c \
		selftests/fuzz/fuzz.h $(URPC_ASAN_OBJ)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -DFUZZ_TARGET='"urpc"' $(ASAN_FLAGS) -o $@ $< \
		selftests/fuzz/fuzz.c $(URPC_ASAN_OBJ) -lpthread

$(O)/fuzz/urpc: selftests/fuzz/urpc.c selftests/fuzz/fuzz.h $(URPC_LIB_SRC) \
		$(TOOL_HDR)
	@mkdir -p $(@D)
	clang $(TEST_CFLAGS) -O1 -fsanitize=fuzzer $(SAN_FLAGS) -o $@ $< \
		$(URPC_LIB_SRC) -lpthread

CXX ?= g++

tests: $(URPC_MODULE_TESTS) $(URPC_TEST_BIN) $(O)/tests/fuzz-urpc
