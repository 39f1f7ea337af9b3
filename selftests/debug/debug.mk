# SPDX-License-Identifier: GPL-2.0-only
#
# What only the debug kernel runs (tools/check-debug): allocations that fail, bugs
# on purpose.

FAIL_TESTS := numamig_fail_device numamig_fail_sysfs numamig_fail_module \
	numamig_scarce
FAIL_BIN := $(addprefix $(O)/tests/,$(FAIL_TESTS) urpc_fail_device cowd_fail \
	fail-nth)
FAIL_NTH := $(addprefix selftests/debug/,fail_nth.c fail_nth.h fault.c fault.h)

$(O)/tests/fail-nth: selftests/debug/fail_nth_command.c $(FAIL_NTH)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -o $@ $(filter %.c,$^)

$(addprefix $(O)/tests/,$(FAIL_TESTS)): $(O)/tests/%: selftests/debug/%.c \
		$(FAIL_NTH) selftests/numamig/nm_test.c \
		selftests/numamig/nm_test.h $(O)/lib/libnumamig.a
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -o $@ $(filter %.c %.a,$^) -lnuma -lpthread

$(O)/tests/urpc_fail_device: selftests/debug/urpc_fail_device.c $(FAIL_NTH) \
		selftests/urpc/module_test.c selftests/urpc/module_test.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Imod/urpc -Iselftests/urpc -o $@ \
		$(filter %.c,$^) -lpthread

$(O)/tests/cowd_fail: selftests/debug/cowd_fail.c $(FAIL_NTH) \
		selftests/cowdedup/cowd_test.c selftests/cowdedup/cowd_test.h
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -Iselftests/cowdedup -o $@ $(filter %.c,$^) -lnuma

# bugs on purpose; not among the modules, for those are loaded by tools/vm/run
planted: check-kdir
	@mkdir -p $(O)/planted/$(KVER)
	@cp -rs --remove-destination $(CURDIR)/selftests/debug/planted/. \
		$(O)/planted/$(KVER)/
	+$(MAKE) -C $(KDIR) M=$(abspath $(O)/planted/$(KVER)) $(KBUILD_BTF) \
		modules

tests: $(FAIL_BIN)

.PHONY: planted
