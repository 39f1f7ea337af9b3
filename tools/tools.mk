# SPDX-License-Identifier: GPL-2.0-only
#
# libnumamig, liburpc, numashare and the benchmarks.

CC ?= gcc
TOOLS_CFLAGS := -O2 -g -Wall -Wextra -std=gnu11 -D_FORTIFY_SOURCE=2 \
	-Iuapi -Itools/lib/numamig -Itools/lib/urpc -Imod/numamig -Imod/urpc \
	-Itools/include \
	-DNUMASHARE_VERSION='"$(VERSION)"' $(EXTRA_CFLAGS)

NUMAMIG_LIB_SRC := $(wildcard tools/lib/numamig/*.c)
URPC_LIB_SRC := $(wildcard tools/lib/urpc/*.c)
CMD_SRC := $(wildcard tools/numashare/*.c tools/bench/*.c tools/bench/urpc/*.c \
	tools/bench/cowdedup/*.c)

# Queues of other packages that urpc is compared with: their headers, as
# tools/setup/peers left them in the cache.
PEERS := $(or $(NUMASHARE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/numashare)/peers/usr/include
ifneq ($(wildcard $(PEERS)/ck_ring.h),)
PEER_CFLAGS := -DHAVE_CK -DHAVE_RTE -isystem $(PEERS) -isystem $(PEERS)/dpdk \
	-isystem $(PEERS)/x86_64-linux-gnu/dpdk
PEER_OBJ := $(O)/obj/tools/bench/urpc/queue_boost.o
PEER_LIBS := -lstdc++
else
PEER_CFLAGS := -DNO_BOOST
endif
# files of the module that build in user space, for tests and benchmarks
PURE_SRC := $(addprefix mod/numamig/,operand.c operand_x86.c \
	operand_x86_decode.c operand_x86_memory.c operand_x86_exec.c hot.c \
	policy.c)
TOOL_HDR := $(wildcard tools/*/*.h tools/*/*/*.h mod/numamig/*.h \
	mod/urpc/urpc_ring.h uapi/linux/*.h) Makefile tools/tools.mk VERSION

obj = $(patsubst %.c,$(O)/obj/%.o,$(1))

$(O)/obj/%.o: %.c $(TOOL_HDR)
	@mkdir -p $(@D)
	$(CC) $(TOOLS_CFLAGS) -fPIC -c -o $@ $<

$(O)/obj/tools/bench/urpc/queue_packages.o: TOOLS_CFLAGS += $(PEER_CFLAGS)
$(O)/obj/tools/bench/urpc/queue_boost.o: tools/bench/urpc/queue_boost.cc \
		$(TOOL_HDR)
	@mkdir -p $(@D)
	$(CXX) -O2 -g -Wall -Wextra -std=gnu++17 $(PEER_CFLAGS) -c -o $@ $<

$(O)/lib/libnumamig.a: $(call obj,$(NUMAMIG_LIB_SRC))
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^

$(O)/lib/libnumamig.so.$(VERSION): $(call obj,$(NUMAMIG_LIB_SRC)) tools/lib/numamig/libnumamig.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,libnumamig.so.0 \
		-Wl,--version-script=tools/lib/numamig/libnumamig.map -o $@ \
		$(call obj,$(NUMAMIG_LIB_SRC)) -lnuma

$(O)/lib/liburpc.a: $(call obj,$(URPC_LIB_SRC))
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^

$(O)/lib/liburpc.so.$(VERSION): $(call obj,$(URPC_LIB_SRC)) tools/lib/urpc/liburpc.map
	@mkdir -p $(@D)
	$(CC) -shared -Wl,-soname,liburpc.so.0 -Wl,--no-undefined \
		-Wl,--version-script=tools/lib/urpc/liburpc.map -o $@ \
		$(call obj,$(URPC_LIB_SRC)) -lpthread

$(O)/lib/libnumamig.pc: tools/lib/numamig/libnumamig.pc.in VERSION
$(O)/lib/liburpc.pc: tools/lib/urpc/liburpc.pc.in VERSION
$(O)/lib/lib%.pc:
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCDIR@|$(INCDIR)|' -e 's|@VERSION@|$(VERSION)|' $< >$@

$(O)/bin/numashare: $(call obj,$(CMD_SRC) $(PURE_SRC)) $(PEER_OBJ) \
		$(O)/lib/libnumamig.a $(O)/lib/liburpc.a
	@mkdir -p $(@D)
	$(CC) -o $@ $^ -lnuma -lhwloc -ljson-c -lblkid -lpthread -lm \
		$(PEER_LIBS)

$(O)/vm/hold-keys: tools/vm/hold-keys.c
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -o $@ $<

tools: loops $(O)/vm/hold-keys $(O)/bin/numashare $(O)/lib/libnumamig.so.$(VERSION) \
	$(O)/lib/libnumamig.pc $(O)/lib/liburpc.a \
	$(O)/lib/liburpc.so.$(VERSION) $(O)/lib/liburpc.pc

# --- loops for the evaluator -------------------------------------------------
# Each compiler and option set makes a program of its own; without clang there
# are only gcc's.
LOOP_SRC := $(wildcard tools/bench/loops/*.c)
LOOP_BIN := $(O)/bench/loops-gcc-O2 $(O)/bench/loops-gcc-O3-v3
ifneq ($(shell command -v clang 2>/dev/null),)
LOOP_BIN += $(O)/bench/loops-clang-O2 $(O)/bench/loops-clang-O3-v3
endif

$(O)/bench/loops-%: $(LOOP_SRC) $(wildcard tools/bench/loops/*.h)
	@mkdir -p $(@D)
	$(firstword $(subst -, ,$*)) $(if $(findstring O3,$*),-O3 \
		-march=x86-64-v3,-O2) -Wall -Wextra -o $@ $(LOOP_SRC)

loops: $(LOOP_BIN)

# --- manual pages ------------------------------------------------------------
MAN_SRC := $(wildcard Documentation/man/*.rst)
MAN_OUT := $(patsubst Documentation/man/%.rst,$(O)/man/%,$(MAN_SRC))

$(O)/man/%: Documentation/man/%.rst VERSION
	@mkdir -p $(@D)
	rst2man --strict $< $@

# one function described in another's page
MAN_ALIASES := $(shell sed '/^\#/d; s/ .*//' Documentation/man/aliases)
MAN_ALIAS_OUT := $(patsubst %,$(O)/man/%.3,$(MAN_ALIASES))
$(MAN_ALIAS_OUT): $(O)/man/%.3: Documentation/man/aliases
	@mkdir -p $(@D)
	sed -n 's|^$* \(.*\)|.so man3/\1.3|p' $< >$@

man: $(MAN_OUT) $(MAN_ALIAS_OUT)

.PHONY: tools man loops

include tools/guests/guests.mk
