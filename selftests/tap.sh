# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# TAP for tests in shell.  Sourced, not run:
#
#   plan 3
#   ok WHAT COMMAND [ARG]...    the command succeeds
#   not WHAT COMMAND [ARG]...   it fails
#   is WHAT WANTED GOT          two texts are equal
#   has WHAT TEXT FILE          a line of the file has the extended regex
#   skip WHAT WHY               not run
#   skip_from WHY               not run from here on, until skip_from ''
#   skip_suite WHY              nothing of it can run; instead of a plan
#   finish                      exit with the right status

tap_n=0
tap_bad=0
tap_out=$(mktemp)
tap_skip=

plan()
{
	echo "TAP version 13"
	echo "1..$1"
}

result()
{
	tap_n=$((tap_n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_n $2"
	else
		tap_bad=$((tap_bad + 1))
		echo "not ok $tap_n $2"
	fi
}

skip()
{
	tap_n=$((tap_n + 1))
	echo "ok $tap_n $1 # SKIP $2"
}

skip_from()
{
	tap_skip=$1
}

# Is the test $1 to be skipped?  Then it is.
skipped()
{
	[ -n "$tap_skip" ] || return 1
	skip "$1" "$tap_skip"
}

skip_suite()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $1"
	rm -f "$tap_out"
	exit 4
}

ok()
{
	! skipped "$1" || return 0
	tap_what=$1
	shift
	tap_status=0
	"$@" >"$tap_out" 2>&1 || tap_status=$?
	[ $tap_status -eq 0 ] ||
		tail -n 8 "$tap_out" | sed "s/^/# Expected success: /"
	result $tap_status "$tap_what"
}

not()
{
	! skipped "$1" || return 0
	tap_what=$1
	shift
	tap_status=0
	"$@" >"$tap_out" 2>&1 || tap_status=$?
	if [ $tap_status -ne 0 ] && [ $tap_status -lt 124 ]; then
		result 0 "$tap_what"
	else
		echo "# Expected failure, got status $tap_status"
		result 1 "$tap_what"
	fi
}

is()
{
	! skipped "$1" || return 0
	if [ "$2" = "$3" ]; then
		result 0 "$1"
	else
		echo "# Expected '$2', got '$3'"
		result 1 "$1"
	fi
}

has()
{
	! skipped "$1" || return 0
	if grep -qE -- "$2" "$3"; then
		result 0 "$1"
	else
		echo "# Expected a line with '$2' in:"
		tail -n 8 "$3" | sed 's/^/#   Expected: /'
		result 1 "$1"
	fi
}

finish()
{
	rm -f "$tap_out"
	[ $tap_bad -eq 0 ]
	exit
}
