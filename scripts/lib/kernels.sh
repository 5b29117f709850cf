# shellcheck shell=bash
# Fetches a stock kernel and keeps the few files of it that are needed.
# Sourced by scripts/assets; uses its cache, scratch, force and here.

# ensure_kernel FOLDER META-PACKAGE SUITE MODULE...: fills cache/FOLDER with vmlinuz,
# vmlinux, version and modules/. SUITE is `installed`, `newest` for the newest of all, or a
# codename. Does nothing if that was done for the same list of modules.
ensure_kernel() {
  local folder=$cache/$1 meta=$2 which=$3 wanted="$2 $3 ${*:4}"
  if [[ $force == no && -e $folder/version ]] &&
    [[ $(<"$folder/.kernel-stamp") == "$wanted" ]]; then
    return 0
  fi
  need_command dpkg
  # What kernels and modules are compressed with.
  ensure_packages xz-utils zstd
  local package unpacked=$scratch/unpacked made=$scratch/made
  rm -rf -- "$unpacked" "$made"
  case $which in
    installed) package=$(depended_kernel "$meta") ;;
    newest)
      open_suites "$(stable_codename)-backports" unstable ||
        die 'cannot read the lists of other Debian suites'
      package=$(newest_kernel "$meta")
      ;;
    *)
      open_suites "$which" || die "cannot read the list of the suite $which"
      package=$(newest_kernel "$meta")
      ;;
  esac
  [[ -n $package ]] || die "no kernel package behind $meta"
  unpack_package "$package" "$unpacked"
  # Newer suites make packages of their own of its parts.
  for package in $(depended_parts "$package"); do unpack_package "$package" "$unpacked"; done
  close_suites
  pick_kernel_files "$unpacked" "$made" "${@:4}"
  printf '%s' "$wanted" >"$made/.kernel-stamp"
  install_files "$made" "$folder"
  rm -rf -- "$unpacked"
  say "$folder/vmlinuz: Linux $(<"$folder/version"), $(size_of "$folder/vmlinuz")"
}

pick_kernel_files() {
  local from=$1 to=$2 image version tree module
  shift 2
  mkdir -p -- "$to"
  # /boot/vmlinuz-VERSION, or /usr/lib/modules/VERSION/vmlinuz in newer suites.
  image=$(find "$from" -name 'vmlinuz*' -type f | head -n 1)
  [[ -n $image ]] || die 'the package has no vmlinuz'
  version=${image##*/vmlinuz-}
  [[ $version != "$image" ]] || version=$(basename -- "${image%/vmlinuz}")
  tree=$from/lib/modules/$version
  [[ -d $tree ]] || tree=$from/usr/lib/modules/$version
  cp -- "$image" "$to/vmlinuz"
  node "$here/lib/extract-vmlinux.mjs" "$to/vmlinuz" "$to/vmlinux"
  resolve_modules "$tree" "$@"
  mkdir -- "$to/modules"
  for module in "${module_order[@]}"; do
    set_module_name "$module"
    module_content "$module" >"$to/modules/$REPLY.ko"
  done
  cp -- "$tree/modules.builtin" "$to/modules/"
  printf '%s\n' "$version" >"$to/version"
}

# install_files FROM TO: each file appears whole or not at all, version the last.
install_files() {
  mkdir -p -- "$2"
  rm -rf -- "$2/version" "$2/modules"
  mv -- "$1"/modules "$2"/
  mv -- "$1"/vmlinu[xz] "$1/.kernel-stamp" "$2"/
  mv -- "$1/version" "$2/"
}

need_command() { command -v "$1" >/dev/null || die "the command $1 is missing"; }
