# shellcheck shell=bash
# Debian packages: installing them, and fetching them without installing.
# Sourced by scripts/assets.

# More options for reading and fetching, when other suites are meant; see suites.sh.
apt_options=()

is_installed() {
  # dpkg's state file rather than dpkg-query: this is the path taken every time.
  [[ -e /var/lib/dpkg/info/$1.list || -e /var/lib/dpkg/info/$1:amd64.list ]]
}

# ensure_packages NAME...: installs those that are missing.
ensure_packages() {
  local missing=() name
  for name in "$@"; do is_installed "$name" || missing+=("$name"); done
  ((${#missing[@]})) || return 0
  need_apt
  ((EUID == 0)) || die "packages are missing (${missing[*]}) and only root can install them"
  has_record "${missing[0]}" || refresh_lists
  say "installing ${missing[*]}"
  install_packages "${missing[@]}" || {
    refresh_lists # old lists name files that the mirror no longer has
    install_packages "${missing[@]}" || die "could not install ${missing[*]}: $(last_apt_line)"
  }
  say "installed ${missing[*]}"
}

install_packages() {
  DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends -- "$@" >"$scratch/apt.log" 2>&1
}

# depended_kernel META: name=version of the kernel that a meta package stands for in the
# installed suite.
depended_kernel() {
  local found
  found=$(read_depended_kernel "$1")
  if [[ -z $found ]]; then
    refresh_lists
    found=$(read_depended_kernel "$1")
  fi
  [[ -n $found ]] || die "apt knows no kernel package behind $1"
  printf '%s' "$found"
}

read_depended_kernel() {
  need_apt
  { apt-cache show --no-all-versions -- "$1" 2>/dev/null || true; } | kernels_behind
}

# kernels_behind: of records of meta packages, name=version of the kernels.
kernels_behind() {
  sed -nE 's/^Depends:.*\b(linux-image-[0-9][^ ,]+) \(= ([^)]+)\).*/\1=\2/p'
}

# newest_kernel META: as depended_kernel, the newest of the suites that are open.
newest_kernel() {
  apt-cache "${apt_options[@]}" show -- "$1" 2>/dev/null | kernels_behind |
    sort -t = -k 2 -V | tail -n 1
}

# depended_parts NAME=VERSION: name=version of each package that a kernel is made of.
depended_parts() {
  apt-cache "${apt_options[@]}" show -- "$1" 2>/dev/null | sed -n 's/^Depends: //p' |
    grep -oE 'linux-(base|binary|modules)-[0-9][^ ,]+ \(= [^)]+' | sed 's/ (= /=/' || true
}

# unpack_package NAME=VERSION FOLDER: fetches and unpacks, installs nothing.
unpack_package() {
  local download=$scratch/download bytes
  bytes=$(apt-cache "${apt_options[@]}" show -- "$1" | sed -n 's/^Size: //p' | tail -n 1)
  say "fetching ${1%%=*} ($(numfmt --to=iec "${bytes:-0}"))"
  mkdir -p -- "$download"
  download_package "$1" "$download" || {
    refresh_lists
    download_package "$1" "$download" || die "could not fetch $1: $(last_apt_line)"
  }
  say "unpacking ${1%%=*}"
  dpkg -x "$download"/*.deb "$2"
  rm -rf -- "$download"
}

download_package() {
  # The cache folder may be closed to apt's own user: download as ourselves.
  (cd -- "$2" && apt-get -q "${apt_options[@]}" -o APT::Sandbox::User=root \
    download "$1") >"$scratch/apt.log" 2>&1
}

has_record() { need_apt && apt-cache show --no-all-versions -- "$1" >/dev/null 2>&1; }

need_apt() {
  command -v apt-get >/dev/null || die "no apt-get: this needs a Debian machine"
}

refresh_lists() {
  ((EUID == 0)) || die "apt's package lists are missing or old; run 'apt-get update' as root first"
  say "updating apt's package lists"
  apt-get -q update >"$scratch/apt.log" 2>&1 ||
    die "apt-get update failed (no network?): $(last_apt_line)"
}

last_apt_line() { grep -E '^E:' "$scratch/apt.log" | tail -n 1 || tail -n 1 "$scratch/apt.log"; }
