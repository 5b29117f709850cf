# shellcheck shell=bash
# Packages of Debian suites other than the installed one: fetched and unpacked, never
# installed. Sourced by scripts/assets; uses its scratch and the functions of packages.sh.
#
# apt works in scratch folders: its own lists and downloads stay as they are. What is
# installed counts, so that of a package's libraries only those missing here are fetched.

# open_suites SUITE...: reads the package lists of suites, from the mirror that this
# machine's own apt configuration names, and makes apt_options mean them.
open_suites() {
  local folder=$scratch/suites suite mirror
  need_apt
  mirror=$(suite_mirror)
  rm -rf -- "$folder"
  mkdir -p -- "$folder"/{lists,archives}/partial
  for suite in "$@"; do
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
      "$mirror" "$suite"
  done >"$folder/sources.list"
  apt_options=(-o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache::Archives=$folder/archives"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Debug::NoLocking=true
    -o APT::Sandbox::User=root -o APT::Keep-Downloaded-Packages=true
    -o Acquire::Languages=none)
  say "reading the package lists of $*"
  suites_apt update
}

# The installed suite's codename, as apt's configuration and /etc/os-release have it.
suite_codename() {
  # shellcheck source=/dev/null
  (. /etc/os-release && printf '%s' "${VERSION_CODENAME:?no VERSION_CODENAME in /etc/os-release}")
}

# The codename of Debian's stable suite. Aliases such as stable-backports are not asked for:
# mirrors have been seen to serve them older than the suites that they stand for.
stable_codename() {
  local release=$scratch/stable-release
  /usr/lib/apt/apt-helper download-file "$(suite_mirror)dists/stable/Release" "$release" \
    >"$scratch/apt.log" 2>&1 || die "no Release of Debian stable: $(last_apt_line)"
  sed -n 's/^Codename: //p' "$release"
}

suite_mirror() {
  local codename found
  codename=$(suite_codename)
  found=$(apt-get indextargets --format "\$(REPO_URI) \$(RELEASE)" 'Created-By: Packages' |
    awk -v suite="$codename" '$2 == suite { print $1; exit }')
  [[ -n $found ]] || die "apt knows no mirror of $codename"
  printf '%s' "$found"
}

close_suites() { apt_options=(); }

# suites_apt ARGUMENT...: apt-get on what open_suites has opened.
suites_apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y "${apt_options[@]}" "$@" >"$scratch/apt.log" 2>&1 ||
    { say "apt-get $1: $(last_apt_line)" && return 1; }
}

# unpack_archives FOLDER: unpacks all packages that were fetched.
unpack_archives() {
  local package
  mkdir -p -- "$1"
  for package in "$scratch"/suites/archives/*.deb; do dpkg -x "$package" "$1"; done
}
