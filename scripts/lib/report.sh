# shellcheck shell=bash
# Messages of the shell scripts. Sourced.

# Progress, on stderr: stdout belongs to results.
say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# die MESSAGE [STATUS]: one line and out.
die() {
  printf '%s: error: %s\n' "${0##*/}" "$1" >&2
  exit "${2:-1}"
}

# size_of FILE: for people.
size_of() { du -h --apparent-size -- "$1" | cut -f1; }

# print_head_comment SCRIPT: the comment below the first line is the help text.
print_head_comment() { sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' -- "$1"; }
