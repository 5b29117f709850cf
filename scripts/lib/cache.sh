# shellcheck shell=bash
# Where what is fetched and made is kept. Sourced; uses die.

cache_folder() {
  local base=${TSVMM_CACHE:-}
  if [[ -z $base ]]; then
    [[ -n ${XDG_CACHE_HOME:-}${HOME:-} ]] || die "neither TSVMM_CACHE nor HOME is set"
    base=${XDG_CACHE_HOME:-$HOME/.cache}/tsvmm
  fi
  realpath -m -- "$base"
}
