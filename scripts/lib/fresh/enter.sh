#!/usr/bin/env bash
# The first process of a fresh machine: mounts what a machine has, moves into its root, runs
# the command and passes signals on. Its mounts and processes end with it.
#
# Usage: enter.sh BASE RUN HOSTNAME SHARE NAME=VALUE... -- COMMAND [ARGUMENT...]
#
# BASE is the root that stays as it is, RUN an empty folder for what this run changes.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "$0")")
scripts=$(readlink -f -- "$here/../..")
# shellcheck source=../report.sh
source "$here/../report.sh"
# shellcheck source=registries.sh
source "$here/registries.sh"
base=$1 run=$2 hostname=$3 share=$4
shift 4
variables=()
while [[ $1 != -- ]]; do variables+=("$1") && shift; done
shift
root=$run/root

# An overlay where the file system can have one; on another overlay, say, a copy.
mkdir -- "$root" "$run/upper" "$run/work"
if ! mount -t overlay -o "lowerdir=$base,upperdir=$run/upper,workdir=$run/work" overlay "$root" \
  2>/dev/null; then
  cp -a --reflink=auto -- "$base/." "$root"
  mount --bind -- "$root" "$root"
fi
carry_registries "$root"
printf '127.0.0.1 localhost %s\n::1 localhost\n' "$hostname" >"$root/etc/hosts"
printf '%s\n' "$hostname" >"$root/etc/hostname"
# Of what is committed, with nothing of the working tree.
git -c safe.directory='*' clone -q --no-hardlinks -- "${scripts%/*}" "$root/root/tsvmm" ||
  die 'could not clone the project' 125

cd -- "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
# With the host's cgroups and debugfs: the kernel is the host's.
mount --rbind /sys sys
mount --rbind /dev dev
mount -t devpts -o newinstance,mode=620,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
# In a file system that is the host's: only where there is a place for it.
[[ ! -d dev/mqueue ]] || mount -t mqueue mqueue dev/mqueue
[[ ! -d dev/hugepages ]] || mount -t hugetlbfs hugetlbfs dev/hugepages
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mkdir -p run/lock
if [[ -n $share ]]; then
  mkdir -p -- ".$share"
  mount --bind -- "$share" ".$share"
fi
hostname -- "$hostname" 2>/dev/null || printf '%s' "$hostname" >proc/sys/kernel/hostname
mkdir -p .old
pivot_root . .old
cd /
umount -l /.old
rmdir /.old

# Not in the foreground, where bash would not see signals before the command ends; a command in
# the background would ignore SIGINT.
# shellcheck disable=SC2016 # expanded by the inner shell
env -i "${variables[@]}" env --default-signal=INT,QUIT \
  sh -c 'cd /root/tsvmm && exec "$@"' sh "$@" <&0 &
child=$!
for signal in INT TERM HUP; do
  # shellcheck disable=SC2064 # these very values
  trap "kill -$signal -1 2>/dev/null || true" "$signal"
done
while :; do
  status=0
  wait "$child" || status=$?
  # A signal ends wait, too.
  kill -0 "$child" 2>/dev/null || break
done
exit "$status"
