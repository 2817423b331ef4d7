#!/bin/bash
# Removes all that the demo made: its objects, then its folders (never across a mount).
#   demo-clean.sh BAYPLAN STATE-FOLDER
set -euo pipefail
bayplan=$1 state=$2
if [ ! -e "$state" ] && [ ! -e "$state.data" ]; then
  echo "nothing to clean: there is no $state"
  exit 0
fi
[ -x "$bayplan" ] || { echo "no $bayplan: run 'make build' first" >&2; exit 1; }
"$bayplan" --state-dir "$state" delete --all --yes --allow delete
if grep -q " $state" /proc/self/mountinfo; then
  echo "something is still mounted below $state; not removing it" >&2
  exit 1
fi
rm -rf --one-file-system "$state" "$state.data"
echo "removed $state and $state.data"
