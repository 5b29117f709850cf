#!/bin/sh
# /init of the guests used by tests and the demo: a shell on ttyS0.
#
# Kernel command line:
#   memhp_default_state=X  how hotplugged memory comes up; then left alone here
#   tsvmm.online=X         the same, decided here: online_movable (the default),
#                          online, online_kernel or offline
#   tsvmm.plain            for scripts at the other end: no echo, no line editing
#
# Says 'tsvmm-guest: ready' on ttyS0 once everything below is done. An ACPI power
# button press powers off.
export PATH=/bin TERM=vt100 PS1='guest# ' HOME=/

/bin/busybox mkdir -p /dev/pts /dev/shm
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp

online=online_movable
export plain=
read -r cmdline </proc/cmdline
for word in $cmdline; do
  case $word in
    tsvmm.online=*) online=${word#*=} ;;
    memhp_default_state=*) online= ;;
    tsvmm.plain) plain=yes ;;
  esac
done
# Before virtio_mem is loaded: it adds memory right away.
[ -z "$online" ] || echo "$online" >/sys/devices/system/memory/auto_online_blocks

while read -r module; do insmod "$module"; done </etc/boot-modules

# acpid looks up what to do by the event's old ACPI name.
mkdir -p /etc/acpi/PWRF
printf '#!/bin/sh\nexec poweroff -f\n' >/etc/acpi/PWRF/00000080
chmod 755 /etc/acpi/PWRF/00000080
acpid -l /dev/null -p /run/acpid.pid

echo 'tsvmm-guest: ready' >/dev/ttyS0
# A session of its own makes ttyS0 the controlling terminal, so that ^C works.
while :; do
  # shellcheck disable=SC2016 # expanded by the inner shell
  setsid sh -c 'exec <>/dev/ttyS0 >&0 2>&1; [ -z "$plain" ] || stty -echo; exec sh -i'
done
