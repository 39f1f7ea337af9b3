# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Package lists of our own in the cache: the machine's sources.list may lack
# the suites that have a kernel or its compiler, and is not to be changed.
# Sourced, after cache.sh.

# The sources.list lines of the release $1.
nm_sources()
{
	m=http://deb.debian.org/debian
	key="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
	case $1 in
	sid) echo "deb $key $m sid main" ;;
	bookworm | trixie)
		echo "deb $key $m $1 main"
		echo "deb $key $m-security $1-security main"
		echo "deb $key $m $1-backports main"
		;;
	*) return 1 ;;
	esac
}

# Give apt, for this shell alone, the lists of the release $1.
nm_own_lists()
{
	a=$NM_CACHE/apt-$1
	mkdir -p "$a/lists/partial"
	nm_sources "$1" >"$a/sources.list"
	# A mirror that stands still has lists that have expired.
	cat >"$a/apt.conf" <<CONF
Dir::Etc::SourceList "$a/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$a/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
Acquire::Check-Valid-Until "false";
CONF
	export APT_CONFIG="$a/apt.conf"
	apt-get -q update >"$a/log" 2>&1 || {
		cat "$a/log" >&2
		return 1
	}
}
