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

DEVICE_SRC := selftests/fuzz/device.c selftests/fuzz/device_ops.c \
	selftests/fuzz/device_victim.c selftests/numamig/nm_test.c

$(O)/tests/fuzz-device: $(DEVICE_SRC) selftests/fuzz/device.h \
		selftests/numamig/nm_test.h $(O)/lib/libnumamig.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $(DEVICE_SRC) $(O)/lib/libnumamig.a \
		-lnuma -lpthread

# --- what needs no kernel, under the sanitizers -------------------------------
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
PURE_HDR := $(wildcard mod/numamig/*.h tools/include/*.h selftests/pure/*.h) \
	mod/cowdedup/piece.h mod/cowdedup/cost.h
PURE_TESTS := ring hot policy operand piece cost
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

include selftests/urpc/urpc.mk selftests/cowdedup/cowdedup.mk \
	selftests/debug/debug.mk

tests: $(NM_TEST_BIN) $(PURE_BIN) $(O)/tests/fuzz-device

.PHONY: tests fuzz coverage
