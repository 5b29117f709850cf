# shellcheck shell=bash
# Compiles small programs for Linux guests, without a library beside them.
# Sourced by scripts/assets; uses its cache, scratch, force and here.

# ensure_guest_programs: makes cache/guest-programs/NAME of each NAME.c in lib/guest-programs.
ensure_guest_programs() {
  local folder=$cache/guest-programs source made
  mkdir -p -- "$folder"
  for source in "$here"/lib/guest-programs/*.c; do
    made=$folder/$(basename -- "$source" .c)
    # By content: a clone gives files the time of the clone.
    if [[ $force == yes || ! -e $made ]] || ! cmp -s -- "$source" "$made.c"; then
      ensure_packages gcc libc6-dev
      gcc -std=gnu17 -Os -Wall -Wextra -static -s -o "$scratch/program" "$source" ||
        die "cannot compile $source"
      mv -- "$scratch/program" "$made"
      cp -- "$source" "$made.c"
    fi
  done
}
