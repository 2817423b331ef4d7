#!/bin/bash
# The figures of docs/benchmarks.md, measured beside Debian's crun and lxc-start.
#   FLOOR=PATH tools/bench.sh [WORK …]
set -euo pipefail
[ "$(id -u)" -eq 0 ] || { echo "the figures are those of real containers: run this as root" >&2; exit 1; }

missing=()
for package in crun lxc; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

cargo build --release --locked --bins --example figures
exec target/release/examples/figures ${FLOOR:+--floor "$FLOOR"} "$@"
