# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# bash completion of numashare: subcommands, their options, benchmarks, pids,
# guests.

_numashare_pids()
{
	local pid
	for pid in /proc/[0-9]*; do
		echo "${pid#/proc/}"
	done
}

# The files of ram/ of each mount of cowdedup.
_numashare_guests()
{
	local root point type
	while read -r _ _ _ root point _ type; do
		case $type in
		*"- cowdedup "*)
			[ "$root" = / ] || continue
			find "$point/ram" -type f -printf '%P\n' 2>/dev/null
			;;
		esac
	done </proc/self/mountinfo
}

_numashare()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local commands="status migrate migrated stop record report topology
		vms image unshare bench hwreport help"
	local words=

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" \
			-- "$cur")
		return
	fi
	case $prev in
	-o | --output | -p | --prometheus)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	case ${COMP_WORDS[1]} in
	migrate)
		words="--dry-run --no-children --until --seconds --interval
			--quiet --json --output --help -- $(_numashare_pids)"
		;;
	record)
		words="--output --seconds --no-children --quiet --json --help --
			$(_numashare_pids)"
		;;
	report)
		words="--json --top --help"
		mapfile -t COMPREPLY < <(compgen -f -W "$words" -- "$cur")
		return
		;;
	bench)
		words="--json --quick --here --help
			$(numashare bench 2>/dev/null | awk '{ print $1 }')"
		;;
	vms) words="--images --interval --once --json --prometheus --help" ;;
	image)
		words="--json --quiet --replace"
		[ "$COMP_CWORD" -gt 2 ] || words="check import --help"
		mapfile -t COMPREPLY < <(compgen -f -W "$words" -- "$cur")
		return
		;;
	unshare)
		words="--dry-run --json --quiet --help $(_numashare_guests)"
		;;
	help) words=$commands ;;
	*) words="--json --help" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _numashare numashare
