# shellcheck shell=bash
# A QEMU whose emulation of AMD's virtualisation can be relied upon.
# Sourced by scripts/assets; uses its cache, scratch and force.
#
# QEMU 7.2, of Debian 12, loses its way when a nested guest has more CPUs than the
# machine: guests that crawl, and stacks of the outer kernel overwritten.

readonly oldest_good_qemu=10

# ensure_qemu: makes cache/qemu-backports/qemu-system-x86_64, which runs the installed
# QEMU if it is new enough, and otherwise the one of Debian's backports, unpacked beside it.
ensure_qemu() {
  local folder=$cache/qemu-backports
  if [[ $force == no ]] && is_good_qemu "$folder/qemu-system-x86_64"; then return 0; fi
  local made=$scratch/qemu
  rm -rf -- "$made"
  mkdir -p -- "$made"
  if (($(qemu_major "$(command -v qemu-system-x86_64 || true)") < oldest_good_qemu)); then
    # Where there are no backports most of what is nested still works.
    (unpack_qemu "$made") || say 'the installed QEMU must do: guests of several CPUs may crash under it'
  fi
  if [[ -x $made/usr/bin/qemu-system-x86_64 ]]; then
    write_qemu_wrapper "$made/qemu-system-x86_64"
  else
    rm -rf -- "${made:?}"/*
    ln -s -- "$(command -v qemu-system-x86_64)" "$made/qemu-system-x86_64"
  fi
  rm -rf -- "$folder"
  mv -- "$made" "$folder"
  say "$folder/qemu-system-x86_64: QEMU $(qemu_version "$folder/qemu-system-x86_64")"
}

# What was unpacked is a script. A link to what is installed is looked at each time.
is_good_qemu() {
  [[ -x $1 ]] && { [[ ! -L $1 ]] || (($(qemu_major "$1") >= oldest_good_qemu)); }
}

qemu_version() { "$1" --version | sed -nE '1s/.*version ([0-9.]+).*/\1/p'; }

qemu_major() {
  [[ -n $1 ]] || { echo 0 && return; }
  local version
  version=$(qemu_version "$1")
  echo "${version%%.*}"
}

unpack_qemu() {
  open_suites "$(suite_codename)-backports" || die 'cannot read the backports of Debian'
  say 'fetching QEMU and the libraries that it needs'
  suites_apt install --download-only --reinstall --no-install-recommends \
    -t "$(suite_codename)-backports" \
    qemu-system-x86 qemu-system-common qemu-system-data seabios || die 'could not fetch QEMU'
  unpack_archives "$1"
  [[ -x $1/usr/bin/qemu-system-x86_64 ]] || die 'the package has no qemu-system-x86_64'
}

# write_qemu_wrapper FILE: firmware, modules and libraries are beside it.
write_qemu_wrapper() {
  cat >"$1" <<'END'
#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
export LD_LIBRARY_PATH="$here/usr/lib/x86_64-linux-gnu:$here/lib/x86_64-linux-gnu"
export QEMU_MODULE_DIR="$here/usr/lib/x86_64-linux-gnu/qemu"
exec "$here/usr/bin/qemu-system-x86_64" -L "$here/usr/share/qemu" -L "$here/usr/share/seabios" "$@"
END
  chmod 755 -- "$1"
}
