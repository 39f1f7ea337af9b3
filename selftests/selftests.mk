# SPDX-License-Identifier: GPL-2.0-only
#
# The selftests.  kselftest's harness comes from Debian's linux-source package,
# which tools/setup/linux-source unpacks in the cache.

KSFT := $(CACHE)/linux-source-6.1/tools/testing/selftests
TEST_CFLAGS = $(TOOLS_CFLAGS) -I$(KSFT) -Iselftests/numamig

NM_TESTS := abi move targets orders torn
NM_TEST_BIN := $(addprefix $(O)/tests/,$(NM_TESTS) hotset)

$(KSFT)/kselftest_harness.h:
	@echo 'kselftest is missing: tools/setup/linux-source 6.1' >&2
	@exit 1

$(O)/tests/hotset: selftests/numamig/hotset.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -o $@ $< -lnuma

$(addprefix $(O)/tests/,$(NM_TESTS)): $(O)/tests/%: selftests/numamig/%.c \
		selftests/numamig/nm_test.c selftests/numamig/nm_test.h \
		$(O)/lib/libnumamig.a | $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Wno-unused-parameter -Wno-sign-compare -o $@ $< \
		selftests/numamig/nm_test.c $(O)/lib/libnumamig.a -lnuma \
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
PURE_HDR := $(wildcard mod/numamig/*.h tools/include/*.h)
PURE_TESTS := ring hot policy operand
FUZZ_TARGETS := operand policy
PURE_BIN := $(addprefix $(O)/tests/pure-,$(PURE_TESTS)) \
	$(addprefix $(O)/tests/fuzz-,$(FUZZ_TARGETS)) $(O)/tests/operand_trace

$(O)/tests/pure-%: selftests/pure/%.c $(PURE_SRC) $(PURE_HDR) \
		| $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Wno-unused-parameter -Wno-sign-compare \
		$(SAN_FLAGS) -o $@ $< $(PURE_SRC) -lpthread

$(O)/tests/fuzz-%: selftests/fuzz/%.c selftests/fuzz/fuzz.c \
		selftests/fuzz/fuzz.h $(PURE_SRC) $(PURE_HDR)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) $(SAN_FLAGS) -o $@ $< selftests/fuzz/fuzz.c \
		$(PURE_SRC)

$(O)/tests/operand_trace: selftests/pure/operand_trace.c $(PURE_SRC) $(PURE_HDR)
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $< $(PURE_SRC) -lcapstone

tests: $(NM_TEST_BIN) $(PURE_BIN) $(URPC_MODULE_TESTS)

.PHONY: tests
