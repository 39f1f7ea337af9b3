# SPDX-License-Identifier: GPL-2.0-only
#
# The selftests of cowdedup.

COWD_TESTS := $(addprefix $(O)/tests/,cowd_bind cowd_copy cowd_adaptive cowd_life \
	cowd_files cowd_memory cowd_content cowd_kvm cowd_race cowd_device cowd_shared \
	cowd_cgroup cowd_huge cowd_image_fs cowd_tenants cowd_offline cowd_replicas)
COWD_HELPERS := $(addprefix selftests/cowdedup/,cowd_test.c cowd_disk.c)

$(COWD_TESTS): $(O)/tests/%: selftests/cowdedup/%.c $(COWD_HELPERS) \
		$(COWD_HELPERS:.c=.h) | $(KSFT)/kselftest_harness.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Iselftests/cowdedup -Wno-unused-parameter \
		-Wno-sign-compare -o $@ $< $(COWD_HELPERS) -lpthread -lnuma

# the same, on mounts with mode=shared
COWD_SHARED := $(patsubst %,$(O)/tests/shared-%,cowd_bind cowd_copy cowd_life \
	cowd_memory cowd_kvm cowd_race cowd_device cowd_huge cowd_image_fs \
	cowd_adaptive cowd_replicas)

$(COWD_SHARED): $(O)/tests/shared-%: $(O)/tests/%
	ln -sf $* $@

# the same, with replicas=on
$(O)/tests/replicas-cowd_race: $(O)/tests/cowd_race
	ln -sf $(<F) $@

tests: $(COWD_TESTS) $(COWD_SHARED) $(O)/tests/replicas-cowd_race

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

cowd-tests: $(O)/tests/guest_figures $(O)/tests/cowd_guest $(COWD_TESTS) \
	$(O)/tests/pure-piece $(O)/tests/pure-cost

.PHONY: cowd-tests
