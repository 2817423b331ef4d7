#!/bin/bash
# All tests: those without root, then those on this host (as root), then proof that nothing was left behind.
set -euo pipefail
tools/leftovers.sh snapshot
cargo test --locked --workspace --lib --bins
cargo test --locked --test it
cargo test --locked --test linear
if [ "$(id -u)" -eq 0 ]; then
  cargo test --locked --test host -- --test-threads=2
else
  echo "not root: the host tests were not run (they make real containers)" >&2
fi
tools/leftovers.sh compare
