# shellcheck shell=bash
# How the registries of Debian and npm are reached from here, carried into another root.
# Sourced by scripts/fresh; uses its functions and its scratch.

# Variables that clients of registries look at. Those that name files: the files come along.
readonly registry_variables=(http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
  npm_config_registry NPM_CONFIG_REGISTRY)
readonly registry_files=(NODE_EXTRA_CA_CERTS SSL_CERT_FILE)

# write_apt_settings FILE: what this machine's apt knows of fetching; the rest of its settings
# is its own affair, and may name programs that are only here.
write_apt_settings() {
  apt-config dump | grep '^Acquire::' |
    grep -vE '^Acquire::(IndexTargets|Changelogs|cdrom|CompressionTypes|Languages|GzipIndexes)|::Proxy-Auto-Detect' \
      >"$1" || true
}

# write_sources FILE SUITE: from the mirrors that this machine's apt has for its own suite.
write_sources() {
  local own line uri release
  own=$(suite_codename)
  apt-get indextargets --format "\$(REPO_URI) \$(RELEASE)" 'Created-By: Packages' | sort -u |
    while read -r uri release; do
      case $release in
        "$own" | "$own-updates" | "$own-security") printf '%s %s\n' "$uri" "$2${release#"$own"}" ;;
      esac
    done >"$1.targets"
  [[ -s $1.targets ]] || die "apt knows no mirror of $own"
  while read -r uri release; do printf 'deb %s %s main\n' "$uri" "$release"; done <"$1.targets" >"$1"
  rm -- "$1.targets"
}

# carry_registries ROOT: settings and certificates, at the time of the run.
carry_registries() {
  local root=$1 name file
  cp -L -- /etc/resolv.conf "$root/etc/resolv.conf"
  write_apt_settings "$root/etc/apt/apt.conf.d/90registries"
  for file in /etc/apt/auth.conf /etc/apt/auth.conf.d; do
    [[ ! -e $file ]] || cp -a -- "$file" "$root/etc/apt/"
  done
  carry_npm_settings "$root"
  [[ ! -e /usr/local/share/ca-certificates ]] ||
    cp -rL -- /usr/local/share/ca-certificates "$root/usr/local/share/"
  chroot "$root" update-ca-certificates >/dev/null 2>&1 || true
  for name in "${registry_files[@]}"; do
    file=${!name:-}
    [[ -z $file || -e $root$file ]] || install -D -m 644 -- "$file" "$root$file"
  done
}

# npm has two files of settings. Where the global one lies depends on how npm was installed.
carry_npm_settings() {
  local file
  command -v npm >/dev/null || return 0
  file=$(npm config get userconfig 2>/dev/null) || file=''
  [[ ! -f $file ]] || install -m 600 -- "$file" "$1/root/.npmrc"
  file=$(npm config get globalconfig 2>/dev/null) || file=''
  [[ ! -f $file ]] || install -m 644 -- "$file" "$1/etc/npmrc"
}
