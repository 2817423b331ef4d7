#!/bin/bash
# Proves that the tests left nothing on the host.
#   leftovers.sh snapshot   remembers mounts, links, cgroups, loop devices, nft tables and Bayplan's processes
#   leftovers.sh compare    fails, with the difference, if there are more now
# What the kernel takes away by itself a little later (net namespaces, cgroups) has 5 seconds for it, times
# BAYPLAN_TEST_PATIENCE.
set -euo pipefail
before=target/leftovers.before

state() {
  awk '{print "mount", $5}' /proc/self/mountinfo
  for link in /sys/class/net/*; do echo "link ${link##*/}"; done
  { find /sys/fs/cgroup -type d -path '*bayplan*' 2>/dev/null || true; } | sed 's/^/cgroup /'
  for loop in /sys/block/loop*/loop/backing_file; do [ -e "$loop" ] && echo "loop $(cat "$loop")"; done
  command -v nft >/dev/null && [ "$(id -u)" -eq 0 ] && { nft list tables 2>/dev/null || true; } | sed 's/^/nft /'
  for process in /proc/[0-9]*; do
    # the runtime's processes run from a mount that has no path; their names tell them
    { read -r name < "$process/comm"; } 2>/dev/null || continue
    case $name in bayplan|bayplan-*) echo "process ${process#/proc/} $name";; esac
  done
  { find /run/bayplan -mindepth 1 -maxdepth 1 2>/dev/null || true; } | sed 's/^/run /'
  return 0
}

mkdir -p target
case ${1:-} in
  snapshot) state | sort > "$before" ;;
  compare)
    # by the clock: a look alone takes seconds where there is no KVM
    limit=$((SECONDS + 5 * ${BAYPLAN_TEST_PATIENCE:-1}))
    while left=$(comm -13 "$before" <(state | sort)); [ -n "$left" ]; do
      [ "$SECONDS" -lt "$limit" ] || break
      sleep 0.1
    done
    [ -n "$left" ] || { echo "nothing left on the host"; exit 0; }
    echo "left on the host by the tests:" >&2
    echo "$left" >&2
    exit 1 ;;
  *) sed -n '2,7s/^# //p' "$0" >&2; exit 64 ;;
esac
