# shellcheck shell=bash
# Builds an initramfs of busybox, modules and an init script.
# Sourced by scripts/assets; uses its cache, scratch, force and here.

# What goes into an initramfs beside busybox and modules: SOURCE=PLACE, PLACE as in the guest.
more_files=()
# Modules to pack: all, or those alone that are loaded at boot.
packed_modules=all

# ensure_initramfs FOLDER NAME INIT MODULE...: makes cache/FOLDER/NAME from the
# kernel's modules there. MODULEs are loaded at boot, the others only packed.
# Rebuilt whenever something that goes into it has changed.
ensure_initramfs() {
  local folder=$cache/$1 name=$2 init=$3 stamp
  shift 3
  ensure_packages busybox-static cpio
  stamp=$(initramfs_stamp "$folder" "$init" "$@")
  if [[ $force == no && -e $folder/$name && -e $folder/.$name-stamp ]] &&
    [[ $(<"$folder/.$name-stamp") == "$stamp" ]]; then
    return 0
  fi
  local root=$scratch/root
  rm -rf -- "$root"
  fill_initramfs "$root" "$folder" "$init" "$@"
  pack_initramfs "$root" "$scratch/initrd"
  mv -- "$scratch/initrd" "$folder/$name"
  printf '%s' "$stamp" >"$folder/.$name-stamp"
  say "$folder/$name: $(size_of "$folder/$name")"
}

initramfs_stamp() {
  { printf '%s\n' "${@:3}" "$packed_modules" "${more_files[@]}" &&
    cat -- "$1/version" "$1/.kernel-stamp" "$2" "$here/lib/initramfs.sh" "$(busybox_file)" \
      "${more_files[@]%%=*}"; } | sha256sum
}

busybox_file() { readlink -f -- "$(command -v busybox)"; }

fill_initramfs() {
  local root=$1 folder=$2 init=$3 version module file
  shift 3
  version=$(<"$folder/version")
  local modules=$root/lib/modules/$version
  mkdir -p -- "$root"/{bin,dev,proc,sys,run,tmp,etc,mnt} "$modules"
  install -m 755 -- "$(busybox_file)" "$root/bin/busybox"
  ln -s busybox "$root/bin/sh"
  install -m 755 -- "$init" "$root/init"
  resolve_modules "$folder/modules" "$@"
  cp -- "$folder/modules/modules.builtin" "$modules/"
  if [[ $packed_modules == all ]]; then
    cp -- "$folder"/modules/*.ko "$modules/"
  else
    cp -- "${module_order[@]}" "$modules/"
  fi
  for file in "${more_files[@]}"; do
    install -D -- "${file%%=*}" "$root/${file#*=}"
  done
  # For modprobe. busybox writes it as text, which kmod reads as well.
  (cd -- "$root" && busybox depmod -b "$root" "$version")
  for module in "${module_order[@]}"; do
    printf '/lib/modules/%s/%s\n' "$version" "${module##*/}"
  done >"$root/etc/boot-modules"
}

# The same input gives the same bytes: sorted, no times, no owners, no inodes.
# Not compressed: unpacking costs an emulated CPU more than reading does.
pack_initramfs() {
  find "$1" -exec touch -h -d @0 -- {} +
  (cd -- "$1" && find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort |
    cpio --quiet -o -H newc --reproducible -R 0:0) >"$2"
}
