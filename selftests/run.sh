# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Lists of suites and options are several words; the variables are the scripts':
# shellcheck disable=SC2086,SC2034,SC2154
#
# Run suites, here or in the virtual machine, and judge what they printed.
# Sourced in the repository's folder by tools/check and tools/check-debug, which
# set $out, the folder for logs, and $verbose.  $wrong says whether something
# failed.
began=$(date +%s)
wrong=0

say()
{
	echo "${0##*/}: $(($(date +%s) - began)) s: $*"
}

# Run a quiet step; show its log when it fails, and stop.
step()
{
	name=$1
	shift
	say "$name"
	log=$out/$(echo "$name" | tr -c 'A-Za-z0-9.\n' -).log
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 40 "$log"
		say "FAILED: $name (all of it: $log)"
		exit 1
	fi
}

# Judge the log $2 of the suites $3... that ran in $1.
judge()
{
	where=$1
	log=$2
	shift 2
	names=
	for s in "$@"; do
		names="$names ${s%%:*}"
	done
	[ -z "$verbose" ] || cat "$log"
	selftests/collect -v where="$where" -v skips=selftests/skips \
		-v want="$names" "$log" || {
		wrong=1
		say "the whole output: $log"
	}
}

# Run the suites $2... here, as $1.
run_here()
{
	where=$1
	shift
	log=$out/$where.log
	setpriv --pdeathsig TERM selftests/each "$@" >"$log" 2>&1 </dev/null || :
	judge "$where" "$log" "$@"
}

# Run the function $1 beside what follows; what it says is shown by meet.
beside()
{
	(
		"$1"
		exit $wrong
	) >"$out/beside.log" 2>&1 &
	beside_pid=$!
}

# Wait for its end.
meet()
{
	wait "$beside_pid" || wrong=1
	beside_pid=
	cat "$out/beside.log"
}

# A terminal's Ctrl-C does not reach it: for a trap.
end_beside()
{
	[ -z "${beside_pid-}" ] || kill "$beside_pid" 2>/dev/null || :
}

swap_disk()
{
	swap=$(mktemp)
	trap 'rm -f "$swap"' EXIT
	truncate -s 256M "$swap"
}

# Boot kernel $1 in the machine with the options $3 and run the suites $4...,
# as $2.
run_vm()
{
	kernel=$1
	where=$2
	options=$3
	shift 3
	log=$out/$where.log
	status=0
	setpriv --pdeathsig TERM tools/vm/run \
		--kernel "$kernel" --timeout 1800 $options \
		--log "$out/$where.dmesg" -- selftests/in-vm "$@" \
		>"$log" 2>"$log.err" </dev/null || status=$?
	# QEMU's TCG can lose an instruction that the kernel patches while
	# another CPU executes it (see tools/vm/hold-keys.c): once more, and
	# it is said.
	if [ $status -eq 125 ] && [ -z "${again-}" ] &&
		grep -q 'on TCG' "$log.err" &&
		grep -q 'Oops: int3' "$log.err"; then
		say "kernel $kernel: QEMU lost a patched instruction, again"
		again=y
		run_vm "$kernel" "$where" "$options" "$@"
		again=
		return
	fi
	if [ $status -eq 125 ]; then
		wrong=1
		echo "FAIL $where: the virtual machine failed:"
		grep '^vm:' "$log.err" | sed 's/^/       /'
	fi
	judge "$where" "$log" "$@"
}
