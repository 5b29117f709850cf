#!/bin/sh
# /init of the nested machine (scripts/nested): puts a writable overlay on the
# host's root, moves there and hands over to the agent of this run.
#
# Kernel command line:
#   tsvmm.job=PATH      folder on the host with this run's agent and command
#   kvm.NAME=VALUE, kvm_amd.NAME=VALUE (or kvm-amd.)  module parameters
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin

job=
read -r cmdline </proc/cmdline
for word in $cmdline; do
  case $word in tsvmm.job=*) job=${word#*=} ;; esac
done

# insmod does not look at the kernel's command line as modprobe would.
module_parameters() {
  for word in $cmdline; do
    case $word in
      "$1".*) echo "${word#*.}" ;;
      kvm-amd.*) [ "$1" != kvm_amd ] || echo "${word#*.}" ;;
    esac
  done
}

while read -r module; do
  name=${module##*/}
  # shellcheck disable=SC2046 # one word per parameter
  insmod "$module" $(module_parameters "${name%.ko}") || echo "tsvmm: cannot load $name"
done </etc/boot-modules

set -e
mkdir /lower /over /new
mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,ro,msize=512000 root /lower
mount -t tmpfs over /over
mkdir /over/upper /over/work
mount -t overlay -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work overlay /new
for folder in proc sys dev; do
  mkdir -p /new/$folder
  mount --move /$folder /new/$folder
done
# What the agent needs of this initramfs must outlive it.
mkdir -p /new/run/tsvmm
mount -t tmpfs tsvmm /new/run/tsvmm
cp -a /bin/busybox /lib/modules /new/run/tsvmm/
exec switch_root /new /run/tsvmm/busybox sh "$job/agent.sh" "$job"
