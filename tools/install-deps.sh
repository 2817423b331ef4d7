#!/bin/bash
# Installs what is missing to build, run and test Bayplan on Debian 12 or later. A cargo of 1.95 or later that is
# already on PATH is used; else Debian's cargo-web and rustc-web are installed.
#   install-deps.sh [PACKAGE…]      further packages that a target needs
set -euo pipefail

wanted=1.95.0
packages=(gcc libc6-dev pkg-config libseccomp-dev busybox-static nftables iproute2 e2fsprogs mmdebstrap ca-certificates procps "$@")

recent_cargo() {
  local found
  found=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
  [ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort -V | head -n1)" = "$wanted" ]
}
recent_cargo || packages+=(cargo-web rustc-web)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "installing: ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
  echo "not root: run 'sudo apt-get install ${missing[*]}' and try again" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
recent_cargo || { echo "cargo $wanted or later is needed; found: $(cargo --version 2>&1)" >&2; exit 1; }
