# SPDX-License-Identifier: GPL-2.0-only
#
# What QEMU's guests boot, for selftests of cowdedup and, with more files, for the
# demo.

$(O)/guests/turned: MIB := 22
$(O)/demo/guests/turned: MIB := 48
$(O)/guests/turned $(O)/demo/guests/turned: $(addprefix tools/guests/,make init init-disk) \
		tools/vm/copy-modules
	tools/guests/make $(@D) $(MIB)

guests: $(O)/guests/turned

.PHONY: guests
