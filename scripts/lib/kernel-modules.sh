# shellcheck shell=bash
# Picks kernel modules out of an unpacked kernel, with all that they depend on.
# Sourced by scripts/assets. depmod is not needed: each module names its own
# dependencies in its .modinfo section.

declare -A module_file=() module_done=() module_builtin=()
module_order=()

# resolve_modules TREE NAME...: fills module_order with paths, in load order.
# TREE is a lib/modules/VERSION folder. A name that is built in costs nothing;
# one that is neither there nor built in is an error.
resolve_modules() {
  local tree=$1 path name
  shift
  module_file=() module_done=() module_builtin=() module_order=()
  while IFS= read -r path; do
    set_module_name "$path"
    module_file[$REPLY]=$path
  done < <(find "$tree" -name '*.ko*' -type f)
  if [[ -e $tree/modules.builtin ]]; then
    while IFS= read -r path; do
      set_module_name "$path"
      module_builtin[$REPLY]=1
    done <"$tree/modules.builtin"
  fi
  for name in "$@"; do resolve_module "${name//-/_}"; done
}

resolve_module() {
  local name=$1 needed
  [[ -z ${module_done[$name]:-} ]] || return 0
  module_done[$name]=1
  if [[ -z ${module_file[$name]:-} ]]; then
    [[ -n ${module_builtin[$name]:-} ]] || die "the kernel has no module $name"
    return 0
  fi
  for needed in $(module_needs "${module_file[$name]}"); do resolve_module "$needed"; done
  module_order+=("${module_file[$name]}")
}

# Files say 9pnet_virtio.ko or kvm-amd.ko.xz, the kernel says kvm_amd. The result
# is left in REPLY: a subshell for each of 4000 modules would take seconds.
set_module_name() {
  REPLY=${1##*/}
  REPLY=${REPLY%%.ko*}
  REPLY=${REPLY//-/_}
}

module_needs() {
  module_content "$1" | LC_ALL=C grep -zaoP '^depends=\K.*' | tr ',\0' '  ' | tr - _ || true
}

module_content() {
  case $1 in
    *.xz) xz -dc -- "$1" ;;
    *.zst) zstd -qdc -- "$1" ;;
    *.gz) gzip -dc -- "$1" ;;
    *) cat -- "$1" ;;
  esac
}
