# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Where downloads and unpacked kernels live.  Sourced, not run.
# shellcheck disable=SC2034

NM_CACHE=${NUMASHARE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/numashare}

# Take the lock file $1 on descriptor 9 until the shell exits, so that two
# commands do not unpack the same thing at once.
nm_lock()
{
	mkdir -p "${1%/*}"
	exec 9>"$1"
	flock 9
}

# Print the newest version of the package names on stdin.
nm_newest()
{
	sort -V | tail -n 1
}
