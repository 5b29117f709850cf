# shellcheck shell=bash
# A QEMU whose emulation of AMD's virtualisation can be relied upon.
# Sourced by scripts/assets; uses its cache, scratch and force.
#
# Before 10.2, VMRUN changes the pending interrupts of an emulated CPU while other threads do,
# without a lock: a machine of several CPUs loses interrupts, and its guests hang. Outer kernels
# have died under 7.2 and 10.0, their stacks overwritten.

readonly oldest_good_qemu=10.2

# ensure_qemu: makes cache/qemu/qemu-system-x86_64, which runs the installed QEMU if it is new
# enough, and otherwise the one of Debian's stable backports, with libraries of its own.
ensure_qemu() {
  local folder=$cache/qemu
  if [[ $force == no ]] && is_good_qemu "$folder/qemu-system-x86_64"; then return 0; fi
  local made=$scratch/qemu installed
  installed=$(command -v qemu-system-x86_64) || die 'tools: not installed'
  rm -rf -- "$made"
  mkdir -p -- "$made"
  if is_good_qemu "$installed"; then
    ln -s -- "$installed" "$made/qemu-system-x86_64"
  elif ! (unpack_qemu "$made"); then
    # Where there are no backports most of what is nested still works.
    say 'the installed QEMU must do: guests of several CPUs may hang or crash under it'
    rm -rf -- "${made:?}"/*
    ln -s -- "$installed" "$made/qemu-system-x86_64"
  fi
  rm -rf -- "$folder"
  mv -- "$made" "$folder"
  say "$folder/qemu-system-x86_64: QEMU $(qemu_version "$folder/qemu-system-x86_64")"
}

is_good_qemu() {
  local version
  [[ -x $1 ]] && version=$(qemu_version "$1") &&
    printf '%s\n' "$oldest_good_qemu" "$version" | sort -C -V
}

qemu_version() { "$1" --version | sed -nE '1s/.*version ([0-9.]+).*/\1/p'; }

# unpack_qemu FOLDER: with all that it needs down to the C library, since those of an older
# suite are too old for it.
unpack_qemu() {
  local stable none=$scratch/nothing-installed
  stable=$(stable_codename)
  open_suites "$stable" "$stable-backports" || die "cannot read the lists of Debian $stable"
  say 'fetching QEMU and the libraries that it needs'
  : >"$none"
  suites_apt install --download-only --no-install-recommends -o "Dir::State::status=$none" \
    -t "$stable-backports" qemu-system-x86 || die 'could not fetch QEMU'
  unpack_archives "$scratch/qemu-packages"
  mkdir -p -- "$1"/usr/{bin,lib,share}
  mv -- "$scratch/qemu-packages/usr/bin/qemu-system-x86_64" "$1/usr/bin/"
  mv -- "$scratch/qemu-packages/usr/lib/x86_64-linux-gnu" "$1/usr/lib/"
  mv -- "$scratch"/qemu-packages/usr/share/{qemu,seabios} "$1/usr/share/"
  rm -rf -- "$scratch/qemu-packages"
  write_qemu_wrapper "$1/qemu-system-x86_64"
  is_good_qemu "$1/qemu-system-x86_64" ||
    die "the backports of Debian $stable have no QEMU $oldest_good_qemu that runs here"
}

# write_qemu_wrapper FILE: firmware, modules and libraries are beside it.
write_qemu_wrapper() {
  cat >"$1" <<'END'
#!/bin/sh
usr=$(dirname -- "$(readlink -f -- "$0")")/usr
libraries=$usr/lib/x86_64-linux-gnu
export QEMU_MODULE_DIR="$libraries/qemu"
exec "$libraries/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$libraries" \
  "$usr/bin/qemu-system-x86_64" -L "$usr/share/qemu" -L "$usr/share/seabios" "$@"
END
  chmod 755 -- "$1"
}
