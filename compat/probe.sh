#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Find out what the kernel headers in $1 (the include folder's parent) offer
# and write features.h to $2.  A line here is the only place where a kernel
# difference is detected; compat/*_compat.h is the only place that acts on it.
set -eu

src=$1
out=$2

{
	echo "/* made by compat/probe.sh from $src */"
	has()
	{
		if grep -qE "$2" "$src/include/linux/$3" 2>/dev/null; then
			echo "#define $1 1"
		fi
	}
	# 6.14: alloc_pages_bulk_array_node() renamed to alloc_pages_bulk_node()
	has HAVE_ALLOC_PAGES_BULK_ARRAY_NODE \
		'\<alloc_pages_bulk_array_node\>' gfp.h
	# 6.3: vm_flags_set() and the like
	has HAVE_VM_FLAGS_SET '\<vm_flags_mod\>' mm.h
} >"$out.tmp"
if cmp -s "$out.tmp" "$out"; then
	rm "$out.tmp"
else
	mv "$out.tmp" "$out"
fi
