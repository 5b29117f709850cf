#!/bin/sh
# Process 1 of the nested machine once its root is in place: finishes the set-up,
# runs the command and tells scripts/nested how it ended.
#
# Usage: l1-agent.sh JOB-FOLDER
#
# Virtio ports: terminal (which is hvc0), control, stdin, stdout, stderr. Control
# lines from here: 'ready', 'exit N', 'failed WHY'; to here: 'signal NAME',
# 'size ROWS COLUMNS'.
job=$1
own=/run/tsvmm

$own/busybox mkdir -p $own/bin
$own/busybox --install -s $own/bin
export PATH=$own/bin

# port NAME: its device. The driver finds out about its ports one by one.
port() {
  until found=$(grep -lsx "$1" /sys/class/virtio-ports/*/name); do sleep 0.05; done
  found=${found%/name}
  echo "/dev/${found##*/}"
}

exec 3<>"$(port control)"
share='' token='' tty='' rows='' columns=''
# shellcheck disable=SC1091 # written by job.mjs
. "$job/settings.sh"

fail() {
  echo "failed $*" >&3
  sleep 5
  poweroff -f
}

set_up_devices() {
  mkdir -p /dev/pts /dev/shm /dev/mqueue /dev/hugepages /dev/net
  mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
  mount -t tmpfs -o mode=1777 shm /dev/shm
  mount -t mqueue mqueue /dev/mqueue
  mount -t hugetlbfs hugetlbfs /dev/hugepages
  # Opening it loads the module.
  [ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
  ln -sf /proc/self/fd /dev/fd
  ln -sf fd/0 /dev/stdin
  ln -sf fd/1 /dev/stdout
  ln -sf fd/2 /dev/stderr
}

set_up_system() {
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mkdir /sys/fs/cgroup/command
  mount -t debugfs debugfs /sys/kernel/debug
  mount -t tracefs tracefs /sys/kernel/tracing
  # The host need not have kmod, nor this kernel's modules.
  mkdir -p /lib/modules
  mount --bind $own/modules /lib/modules
  echo $own/bin/modprobe >/proc/sys/kernel/modprobe
  [ -e /sbin/modprobe ] || ln -s $own/bin/modprobe /sbin/modprobe
  hostname nested
  ip link set lo up
}

set_up_share() {
  mkdir -p "$share"
  mount -t 9p -o trans=virtio,version=9p2000.L,cache=mmap,msize=512000 share "$share"
}

# The command's whole process group gets the signal, as from a terminal.
obey() {
  while read -r word first second; do
    case $word in
      signal) kill -s "$first" -- "-$(cat $own/pid)" ;;
      size) stty -F /dev/hvc0 rows "$first" cols "$second" ;;
    esac
  done <&3
}

# In a session and a cgroup of its own, with no variables but those given.
# Not in the background, where a shell makes commands ignore SIGINT.
launch() {
  # shellcheck disable=SC2016 # $$ and $0 are the inner shell's
  setsid sh -c '
    echo $$ >'$own'/pid
    echo 0 >/sys/fs/cgroup/command/cgroup.procs
    '"$1"'
    exec 3>&-
    exec env -i /bin/sh "$0/command.sh"' "$job"
}

# Whatever the command has left running would keep the streams open.
kill_rest() { echo 1 >/sys/fs/cgroup/command/cgroup.kill; }

end_mark() { printf '\0%s' "$token"; }

run_on_terminal() {
  port terminal >/dev/null
  launch "exec <>/dev/hvc0 >&0 2>&0; stty rows $rows cols $columns"
  status=$?
  kill_rest
  end_mark >/dev/hvc0
}

run_on_pipes() {
  mkfifo $own/stdin $own/stdout $own/stderr
  cat "$(port stdin)" >$own/stdin &
  { cat; end_mark; } <$own/stdout >"$(port stdout)" &
  out=$!
  { cat; end_mark; } <$own/stderr >"$(port stderr)" &
  err=$!
  launch "exec <$own/stdin >$own/stdout 2>$own/stderr"
  status=$?
  kill_rest
  wait $out $err
}

set_up_devices
set_up_system
set_up_share || fail "cannot mount the share $share"
[ -c /dev/kvm ] || fail "the machine has no /dev/kvm"
echo ready >&3
obey &
if [ "$tty" = yes ]; then run_on_terminal; else run_on_pipes; fi
sync
umount "$share"
echo "exit $status" >&3
# The host ends the machine now; should it not, there is nothing left to do.
sleep 5
poweroff -f
