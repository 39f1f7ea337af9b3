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

tests: $(NM_TEST_BIN)

.PHONY: tests
