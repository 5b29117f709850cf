# shellcheck shell=bash
# Fetches a stock kernel and keeps the few files of it that are needed.
# Sourced by scripts/assets; uses its cache, scratch, force and here.

# ensure_kernel FOLDER META-PACKAGE MODULE...: fills cache/FOLDER with vmlinuz,
# vmlinux, version and modules/. Does nothing if that was done for the same list
# of modules.
ensure_kernel() {
  local folder=$cache/$1 meta=$2 wanted="$2 ${*:3}"
  if [[ $force == no && -e $folder/version ]] &&
    [[ $(<"$folder/.kernel-stamp") == "$wanted" ]]; then
    return 0
  fi
  need_command dpkg
  local package unpacked=$scratch/unpacked made=$scratch/made
  package=$(depended_kernel "$meta")
  rm -rf -- "$unpacked" "$made"
  unpack_package "$package" "$unpacked"
  pick_kernel_files "$unpacked" "$made" "${@:3}"
  printf '%s' "$wanted" >"$made/.kernel-stamp"
  install_files "$made" "$folder"
  rm -rf -- "$unpacked"
  say "$folder/vmlinuz: Linux $(<"$folder/version"), $(size_of "$folder/vmlinuz")"
}

pick_kernel_files() {
  local from=$1 to=$2 version tree module
  shift 2
  mkdir -p -- "$to"
  version=$(basename -- "$from"/boot/vmlinuz-*)
  version=${version#vmlinuz-}
  tree=$from/lib/modules/$version
  [[ -d $tree ]] || tree=$from/usr/lib/modules/$version
  cp -- "$from/boot/vmlinuz-$version" "$to/vmlinuz"
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
