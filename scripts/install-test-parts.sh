#!/usr/bin/env bash
# Installs what the tests run against: Debian packages, npm packages into an
# ignored folder, and tools from Go modules into .parts/bin.
#
# As root on Debian it installs what is missing. Elsewhere it installs what needs
# no root and prints the commands for the rest; tests that miss a part then skip
# and say so. It does nothing, quickly, when everything is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(
  slapd ldap-utils                            # the directory
  samba samba-ad-provision samba-dsdb-modules # Active Directory
  samba-vfs-modules ldb-tools                 # what sets it up
  chromium fonts-noto-cjk                     # the browser, and Japanese in it
  oathtool                                    # a second opinion on codes
  nginx-light mono-fastcgi-server4 mono-mcs   # the ASP.NET application
  wrk nghttp2-client                          # load, for the comparison only
)
npm_dir=internal/parts/npm
bin_dir=$PWD/.parts/bin
problems=0

say() { printf 'install-test-parts: %s\n' "$*" >&2; }

# problem says what a person has to do. Where the gate runs it is a failure.
problem() {
  say "$1"
  say "    $2"
  problems=1
}

missing_packages() {
  local installed
  installed=" $(dpkg-query -W -f '${Package}:${db:Status-Status} ' "${packages[@]}" 2>/dev/null || true)"
  local package
  for package in "${packages[@]}"; do
    [[ $installed == *" $package:installed "* ]] || printf '%s\n' "$package"
  done
}

policy=/usr/sbin/policy-rc.d
saved_policy=$policy.sallyport-saved

# forbid_services keeps apt from starting the servers it installs: the tests
# start their own. allow_services puts back what was there before.
forbid_services() {
  [[ -e $saved_policy ]] && mv "$saved_policy" "$policy" # an earlier run was killed
  [[ -e $policy ]] && mv "$policy" "$saved_policy"
  trap allow_services EXIT
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
}

allow_services() {
  rm -f "$policy"
  if [[ -e $saved_policy ]]; then mv "$saved_policy" "$policy"; fi
}

# disable_services keeps the servers of packages from starting with the machine,
# too: nobody asked for a file server that listens to the network.
disable_services() {
  command -v systemctl >/dev/null || return 0
  local unit
  for unit in $(dpkg -L "$@" | sed -nE 's|^(/usr)?/lib/systemd/system/([^/@]+\.service)$|\2|p; s|^/etc/init.d/([^/]+)$|\1.service|p' | sort -u); do
    systemctl disable --quiet "$unit" 2>/dev/null || true # not every one can be enabled
  done
}

install_packages() {
  if ! command -v dpkg-query >/dev/null || [[ ! -e /etc/debian_version ]]; then
    problem "this is not Debian; install the counterparts of these packages:" "${packages[*]}"
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -eq 0 ]] && return
  local options=(-y --no-install-recommends -o DPkg::Lock::Timeout=600)
  if [[ $(id -u) -ne 0 ]]; then
    problem "Debian packages are missing; as root:" "apt-get update && apt-get install ${options[*]} ${missing[*]}"
    return
  fi
  say "installing ${missing[*]}"
  forbid_services
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q -o DPkg::Lock::Timeout=600 </dev/null
  apt-get install -q "${options[@]}" "${missing[@]}" </dev/null
  disable_services "${missing[@]}"
  allow_services
  trap - EXIT
}

# up_to_date tells whether the stamp was made from the very same inputs.
up_to_date() { [[ -e $1 && $(<"$1") == "$2" ]]; }

install_npm() {
  local command="npm ci --ignore-scripts --no-audit --no-fund"
  if ! command -v npm >/dev/null || [[ $(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') -lt 20 ]]; then
    problem "Node.js 20 or newer with npm is missing; then:" "(cd $npm_dir && $command)"
    return
  fi
  local stamp=$npm_dir/node_modules/.installed-from want
  want=$(cat "$npm_dir/package.json" "$npm_dir/package-lock.json" | sha256sum)
  up_to_date "$stamp" "$want" && return
  say "installing npm packages into $npm_dir/node_modules"
  if ! (cd "$npm_dir" && $command </dev/null >&2); then
    problem "npm could not install its packages; try:" "(cd $npm_dir && $command)"
    return
  fi
  printf '%s' "$want" > "$stamp"
}

# install_tools builds the tools of a Go module: its folder, and their names.
install_tools() {
  local dir=$1 name stamp want present=yes
  shift
  stamp=$bin_dir/.$(basename "$dir")-installed-from
  want=$( (cat "$dir/go.mod" "$dir/go.sum"; go env GOVERSION) | sha256sum)
  for name in "$@"; do
    [[ -x $bin_dir/$name ]] || present=no
  done
  [[ $present == yes ]] && up_to_date "$stamp" "$want" && return
  say "building $* (a minute or two the first time)"
  mkdir -p "$bin_dir"
  if ! GOBIN=$bin_dir GOFLAGS=-mod=readonly go -C "$dir" install tool </dev/null; then
    problem "the tools of $dir could not be built; try:" "GOBIN=$bin_dir go -C $dir install tool"
    return
  fi
  printf '%s' "$want" > "$stamp"
}

install_packages
install_npm
install_tools tools/pebble pebble pebble-challtestsrv
install_tools tools golangci-lint govulncheck

if [[ $problems -ne 0 ]]; then
  if [[ ${CI:-} == true ]]; then
    say "CI needs every part"
    exit 1
  fi
  say "tests that need a missing part are skipped"
fi
