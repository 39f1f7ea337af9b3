# SPDX-License-Identifier: GPL-2.0-only
#
# The selftests of cowdedup.

COWD_TESTS := $(addprefix $(O)/tests/,cowd_bind cowd_copy cowd_life cowd_files \
	cowd_memory cowd_content cowd_kvm cowd_race cowd_device)

$(COWD_TESTS): $(O)/tests/%: selftests/cowdedup/%.c \
		selftests/cowdedup/cowd_test.c selftests/cowdedup/cowd_test.h \
		| $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Iselftests/cowdedup -Wno-unused-parameter \
		-Wno-sign-compare -o $@ $< selftests/cowdedup/cowd_test.c \
		-lpthread

tests: $(COWD_TESTS)

# what 'numashare vms' computes, under the sanitizers; needs no module
FIGURES_SRC := $(addprefix tools/numashare/,maps.c pages.c prometheus.c \
	forecast.c image_format.c sysfs.c json.c messages.c)

$(O)/tests/guest_figures: selftests/cowdedup/guest_figures.c $(FIGURES_SRC) \
		$(TOOL_HDR) | $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Wno-unused-parameter -Wno-sign-compare \
		$(SAN_FLAGS) -o $@ $< $(FIGURES_SRC) -ljson-c

# a guest that does what it is told
$(O)/tests/cowd_guest: selftests/cowdedup/cowd_guest.c
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -o $@ $<

tests: $(O)/tests/guest_figures $(O)/tests/cowd_guest

cowd-tests: $(O)/tests/guest_figures $(O)/tests/cowd_guest $(COWD_TESTS) $(O)/tests/pure-piece

.PHONY: cowd-tests
