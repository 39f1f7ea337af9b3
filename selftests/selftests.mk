# SPDX-License-Identifier: GPL-2.0-only
#
# The selftests.  kselftest's harness comes from Debian's linux-source package,
# which tools/setup/linux-source unpacks in the cache.

KSFT := $(CACHE)/linux-source-6.1/tools/testing/selftests
TEST_CFLAGS = $(TOOLS_CFLAGS) -I$(KSFT) -Iselftests/numamig

NM_TESTS := abi move targets orders torn
NM_SHARED := selftests/numamig/nm_test.c selftests/numamig/needs.c
NM_TEST_BIN := $(addprefix $(O)/tests/,$(NM_TESTS) hotset)

$(KSFT)/kselftest_harness.h:
	@echo 'kselftest is missing: tools/setup/linux-source 6.1' >&2
	@exit 1

$(O)/tests/hotset: selftests/numamig/hotset.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -o $@ $< -lnuma

$(addprefix $(O)/tests/,$(NM_TESTS)): $(O)/tests/%: selftests/numamig/%.c \
		$(NM_SHARED) $(wildcard selftests/numamig/*.h) \
		$(O)/lib/libnumamig.a | $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Wno-unused-parameter -Wno-sign-compare -o $@ $< \
		$(NM_SHARED) $(O)/lib/libnumamig.a -lnuma \
		-lpthread

# --- urpc ---------------------------------------------------------------------
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

# --- what needs no kernel, under the sanitizers -------------------------------
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
PURE_HDR := $(wildcard mod/numamig/*.h tools/include/*.h selftests/pure/*.h)
PURE_TESTS := ring hot policy operand
FUZZ_TARGETS := hot operand policy processor ring
FUZZ_SHARED := selftests/fuzz/instructions.c selftests/fuzz/tracee.c
FUZZ_HDR := $(wildcard selftests/fuzz/*.h)
PURE_BIN := $(addprefix $(O)/tests/pure-,$(PURE_TESTS)) \
	$(addprefix $(O)/tests/fuzz-,$(FUZZ_TARGETS)) $(O)/tests/operand_trace

$(O)/tests/pure-%: selftests/pure/%.c $(PURE_SRC) $(PURE_HDR) \
		| $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Wno-unused-parameter -Wno-sign-compare \
		$(SAN_FLAGS) -o $@ $< $(PURE_SRC) -lpthread

$(O)/tests/fuzz-%: selftests/fuzz/%.c selftests/fuzz/fuzz.c $(FUZZ_SHARED) \
		$(FUZZ_HDR) $(PURE_SRC) $(PURE_HDR)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -DFUZZ_TARGET='"$*"' $(SAN_FLAGS) -o $@ $< \
		selftests/fuzz/fuzz.c $(FUZZ_SHARED) $(PURE_SRC)

# The same targets with libFuzzer, for selftests/fuzz/run.
FUZZ_MUTATE_operand := selftests/fuzz/mutate.c
FUZZ_MUTATE_processor := selftests/fuzz/mutate.c

$(O)/fuzz/%: selftests/fuzz/%.c selftests/fuzz/mutate.c $(FUZZ_SHARED) \
		$(FUZZ_HDR) $(PURE_SRC) $(PURE_HDR)
	@mkdir -p $(@D)
	clang $(TEST_CFLAGS) -O1 -fsanitize=fuzzer $(SAN_FLAGS) -o $@ $< \
		$(FUZZ_MUTATE_$*) $(FUZZ_SHARED) $(PURE_SRC)

fuzz:
	selftests/fuzz/run $(FUZZ_ARGS)

# And both kinds with coverage, for selftests/pure/coverage.
COV_FLAGS := -fprofile-instr-generate -fcoverage-mapping \
	-Wl,--wrap=_exit selftests/pure/coverage.c

$(O)/coverage/pure-%: selftests/pure/%.c selftests/pure/coverage.c \
		$(PURE_SRC) $(PURE_HDR) | $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	clang $(TEST_CFLAGS) -Wno-unused-parameter -Wno-sign-compare \
		$(COV_FLAGS) -o $@ $< $(PURE_SRC) -lpthread

$(O)/coverage/fuzz-%: selftests/fuzz/%.c selftests/fuzz/fuzz.c $(FUZZ_SHARED) \
		$(FUZZ_HDR) selftests/pure/coverage.c $(PURE_SRC) $(PURE_HDR)
	@mkdir -p $(@D)
	clang $(TEST_CFLAGS) -DFUZZ_TARGET='"$*"' $(COV_FLAGS) -o $@ $< \
		selftests/fuzz/fuzz.c $(FUZZ_SHARED) $(PURE_SRC)

coverage:
	selftests/pure/coverage $(COVERAGE_ARGS)

$(O)/tests/operand_trace: selftests/pure/operand_trace.c $(PURE_SRC) $(PURE_HDR)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $< $(PURE_SRC) -lcapstone

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

# 10^9 messages: minutes
soak: $(O)/tests/urpc_soak
	$(O)/tests/urpc_soak 1000000000

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

tests: $(NM_TEST_BIN) $(PURE_BIN) $(URPC_MODULE_TESTS) $(URPC_TEST_BIN) \
	$(O)/tests/fuzz-urpc

CXX ?= g++

.PHONY: tests soak fuzz coverage
