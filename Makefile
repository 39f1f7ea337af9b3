# SPDX-License-Identifier: GPL-2.0-only
#
# numashare.  The modules are built by kbuild from Kbuild and mod/*/Kbuild;
# this file calls it, builds the tools, and runs the scripts that do the rest.

VERSION := $(shell cat VERSION)
CACHE := $(or $(NUMASHARE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/numashare)

# --- which kernel ------------------------------------------------------------
# KVER: the running kernel when its headers are here, else the newest installed
# headers, else the newest that tools/setup/kernel has unpacked and that this
# machine's compiler can build for.
headers_of = $(firstword $(wildcard /lib/modules/$(1)/build/Makefile \
	$(CACHE)/kernels/$(1)/usr/src/linux-headers-$(1)/Makefile))
running := $(shell uname -r)
installed := $(shell ls /lib/modules/*/build/Makefile 2>/dev/null | \
	sed 's|/lib/modules/||; s|/build/Makefile||' | sort -V | tail -n 1)
unpacked := $(shell for k in $(CACHE)/kernels/*/usr/src/linux-headers-*-amd64; \
	do [ -e "$${k%/usr/src/*}/.builder" ] || echo "$$k"; done | \
	sed -n 's|.*/linux-headers-\([^*]*\)$$|\1|p' | sort -V | tail -n 1)
ifneq ($(KDIR),)
KVER ?= $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
else
KVER ?= $(if $(call headers_of,$(running)),$(running),$(or $(installed),$(unpacked)))
endif
KDIR ?= $(patsubst %/Makefile,%,$(call headers_of,$(KVER)))

O := build
MODDIR := $(O)/modules/$(KVER)
# The parts of the tree that kbuild sees.
MODTREE := Kbuild VERSION compat mod uapi

# Stock 6.12 headers want pahole for BTF; go without when it is not installed.
KBUILD_BTF := $(if $(shell command -v pahole 2>/dev/null),,CONFIG_DEBUG_INFO_BTF_MODULES=)
# Unpacked headers of a newer release build in a chroot with its compiler.
release := $(if $(filter $(CACHE)/kernels/$(KVER)/%,$(KDIR)),$(shell \
	cat $(CACHE)/kernels/$(KVER)/.builder 2>/dev/null))
BUILDER := $(if $(release),tools/setup/builder $(release))
KMAKE = $(BUILDER) $(MAKE) -C $(KDIR) M=$(abspath $(MODDIR)) $(KBUILD_BTF)

# --- installation ------------------------------------------------------------
DESTDIR ?=
PREFIX ?= /usr
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
COMPDIR ?= $(PREFIX)/share/bash-completion/completions

all: modules tools

help:
	@echo 'make             build the modules for KVER and the tools'
	@echo 'make modules     build the modules (KVER=, KDIR=, W=1, C=2)'
	@echo 'make tools       build numashare, the libraries and the benchmarks'
	@echo 'make man         build the manual pages'
	@echo 'make tests       build the selftests'
	@echo 'make guests      make what QEMU boots as a guest in the tests of cowdedup'
	@echo 'make demo        the main jobs on real programs, in a virtual NUMA machine'
	@echo 'make bench-guests   its guests of QEMU with KSM, too'
	@echo 'make check       every test (what CI runs)'
	@echo 'make check-matrix   the tests on seven stock kernels, 6.1 to 7.3'
	@echo 'make kselftest   the tests on the kernel that runs here (root)'
	@echo 'make check-debug the tests of the modules on a kernel with checkers'
	@echo 'make soak        10^9 messages of liburpc, four guests of QEMU: ten minutes'
	@echo 'make lint        the style of the sources'
	@echo 'make fuzz        coverage-guided fuzzing (FUZZ_ARGS=--help)'
	@echo 'make coverage    what unit tests and fuzzing reach'
	@echo 'make install     modules, tools, manual pages (DESTDIR, PREFIX)'
	@echo 'make uninstall   remove what install put there'
	@echo 'make dkms        add, build and install the modules through DKMS'
	@echo 'make load        load the modules that were built for the running kernel'
	@echo 'make unload      unload them'
	@echo 'make clean       remove build/'
	@echo
	@echo 'KVER=$(KVER)'
	@echo 'KDIR=$(KDIR)'

# --- modules -----------------------------------------------------------------
check-kdir:
	@test -n "$(KVER)" -a -n "$(KDIR)" -a -e "$(KDIR)/Makefile" || { \
		echo 'No kernel headers for KVER=$(KVER). Install' \
			'linux-headers-$(or $(KVER),$(running)), or fetch a' \
			'stock kernel for the virtual machine:' \
			'tools/setup/kernel 6.1' >&2; exit 1; }

# A tree of symbolic links, so that nothing is built in the source folders.
modtree: check-kdir
	@mkdir -p $(MODDIR)
	@cp -rs --remove-destination $(addprefix $(CURDIR)/,$(MODTREE)) $(MODDIR)/
	@find $(MODDIR) -xtype l -delete
	@rm -f $(MODDIR)/compat/features.h.tmp
	@compat/probe.sh "$$(sed -n 's|^include \(/.*\)/Makefile$$|\1|p' \
		$(KDIR)/Makefile | grep . || echo $(KDIR))" \
		$(MODDIR)/compat/features.h

modules: modtree
	+$(KMAKE) modules

modules_install: modules
	+$(KMAKE) INSTALL_MOD_DIR=updates \
		$(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(if $(DESTDIR),,depmod -a $(KVER))

# --- tools -------------------------------------------------------------------
include tools/tools.mk
include selftests/selftests.mk

# --- the README's two commands -----------------------------------------------
demo:
	tools/demo
bench-guests:
	tools/demo --only guests --ksm
check:
	tools/check
check-matrix:
	tools/check-matrix
kselftest:
	selftests/kselftest
check-debug:
	tools/check-debug
soak:
	selftests/soak
lint:
	selftests/lint/lint

# --- install -----------------------------------------------------------------
install: modules_install install-tools

install-tools: tools man
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig \
		$(DESTDIR)$(INCDIR)/linux $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(MANDIR)/man3 $(DESTDIR)$(MANDIR)/man7 \
		$(DESTDIR)$(COMPDIR)
	install -m 755 $(O)/bin/numashare $(DESTDIR)$(BINDIR)/
	install -m 644 $(O)/lib/libnumamig.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(O)/lib/libnumamig.so.$(VERSION) $(DESTDIR)$(LIBDIR)/
	ln -sf libnumamig.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libnumamig.so.0
	ln -sf libnumamig.so.0 $(DESTDIR)$(LIBDIR)/libnumamig.so
	install -m 644 $(O)/lib/libnumamig.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 644 tools/lib/numamig/numamig.h $(DESTDIR)$(INCDIR)/
	install -m 644 uapi/linux/numamig.h $(DESTDIR)$(INCDIR)/linux/
	install -m 644 $(O)/lib/liburpc.a $(DESTDIR)$(LIBDIR)/
	install -m 755 $(O)/lib/liburpc.so.$(VERSION) $(DESTDIR)$(LIBDIR)/
	ln -sf liburpc.so.$(VERSION) $(DESTDIR)$(LIBDIR)/liburpc.so.0
	ln -sf liburpc.so.0 $(DESTDIR)$(LIBDIR)/liburpc.so
	install -m 644 $(O)/lib/liburpc.pc $(DESTDIR)$(LIBDIR)/pkgconfig/
	install -m 644 tools/lib/urpc/urpc.h tools/lib/urpc/urpc_marshal.h \
		mod/urpc/urpc_ring.h $(DESTDIR)$(INCDIR)/
	install -m 644 uapi/linux/urpc.h $(DESTDIR)$(INCDIR)/linux/
	install -m 644 uapi/linux/cowdedup.h $(DESTDIR)$(INCDIR)/linux/
	install -m 644 $(O)/man/*.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 644 $(O)/man/*.3 $(DESTDIR)$(MANDIR)/man3/
	install -m 644 $(O)/man/*.7 $(DESTDIR)$(MANDIR)/man7/
	install -m 644 tools/numashare/completion.bash \
		$(DESTDIR)$(COMPDIR)/numashare
	$(if $(DESTDIR),,ldconfig)

uninstall:
	rm -f $(DESTDIR)/lib/modules/$(KVER)/updates/mod/numamig/numamig.ko*
	rm -f $(DESTDIR)/lib/modules/$(KVER)/updates/numamig.ko*
	rm -f $(DESTDIR)/lib/modules/$(KVER)/updates/mod/urpc/urpc.ko*
	rm -f $(DESTDIR)/lib/modules/$(KVER)/updates/urpc.ko*
	rm -f $(DESTDIR)/lib/modules/$(KVER)/updates/mod/cowdedup/cowdedup.ko*
	rm -f $(DESTDIR)/lib/modules/$(KVER)/updates/cowdedup.ko*
	rm -f $(DESTDIR)$(BINDIR)/numashare \
		$(DESTDIR)$(LIBDIR)/libnumamig.* \
		$(DESTDIR)$(LIBDIR)/pkgconfig/libnumamig.pc \
		$(DESTDIR)$(INCDIR)/numamig.h \
		$(DESTDIR)$(INCDIR)/linux/numamig.h \
		$(DESTDIR)$(MANDIR)/man8/numashare*.8 \
		$(DESTDIR)$(MANDIR)/man3/numamig_*.3 \
		$(DESTDIR)$(MANDIR)/man3/libnumamig.3 \
		$(DESTDIR)$(LIBDIR)/liburpc.* \
		$(DESTDIR)$(LIBDIR)/pkgconfig/liburpc.pc \
		$(DESTDIR)$(INCDIR)/urpc.h \
		$(DESTDIR)$(INCDIR)/urpc_marshal.h \
		$(DESTDIR)$(INCDIR)/urpc_ring.h \
		$(DESTDIR)$(INCDIR)/linux/urpc.h \
		$(DESTDIR)$(INCDIR)/linux/cowdedup.h \
		$(DESTDIR)$(MANDIR)/man3/urpc_*.3 \
		$(DESTDIR)$(MANDIR)/man7/urpc.7 \
		$(DESTDIR)$(COMPDIR)/numashare
	$(if $(DESTDIR),,depmod -a $(KVER) && ldconfig)

# DKMS copies the source folder: give it one without build/ and .git.
DKMS_SRC := /usr/src/numashare-$(VERSION)
DKMS := $(shell command -v dkms 2>/dev/null)
dkms: check-kdir
	@test -n "$(DKMS)" || { echo 'dkms is not installed:' \
		'apt-get install dkms' >&2; exit 1; }
	install -d $(DKMS_SRC)
	cp -r $(MODTREE) Makefile dkms.conf tools selftests $(DKMS_SRC)/
	dkms add -m numashare -v $(VERSION) || \
		dkms status -m numashare -v $(VERSION)
	dkms build -m numashare -v $(VERSION) -k $(KVER) \
		--kernelsourcedir $(KDIR)
	dkms install -m numashare -v $(VERSION) -k $(KVER)

load:
	@test "$(KVER)" = "$(running)" || { echo 'The modules were built for' \
		'$(KVER), the running kernel is $(running).' >&2; exit 1; }
	insmod $(MODDIR)/mod/numamig/numamig.ko
	insmod $(MODDIR)/mod/urpc/urpc.ko
	insmod $(MODDIR)/mod/cowdedup/cowdedup.ko

unload:
	rmmod cowdedup
	rmmod urpc
	rmmod numamig

clean:
	rm -rf $(O)

.PHONY: all help check-kdir modtree modules modules_install demo bench-guests check \
	lint soak check-matrix check-debug kselftest \
	install install-tools uninstall dkms load unload clean
.DELETE_ON_ERROR:
