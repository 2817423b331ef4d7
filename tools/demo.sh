#!/bin/bash
# The main job on real input: converges a site, shows what runs, and says how to go on.
#   demo.sh BAYPLAN STATE-FOLDER MANIFEST
set -euo pipefail
bayplan=$1 state=$2 manifest=$3
[ "$(id -u)" -eq 0 ] || { echo "the demo makes containers on this host: run it as root" >&2; exit 1; }

echo "== $bayplan apply -f $manifest"
"$bayplan" --state-dir "$state" apply -f "$manifest" --yes
echo "== $bayplan get"
"$bayplan" --state-dir "$state" get
echo "== inside hello"
"$bayplan" --state-dir "$state" exec hello -- sh -c 'hostname; id -u; cat /proc/self/uid_map; ip -4 addr show eth0 | grep inet'
cat <<END

Go on:
  $bayplan --state-dir $state shell debian
  $bayplan --state-dir $state plan -f $manifest      # exits 0: nothing to do
  kill -9 \$($bayplan --state-dir $state get container/hello -o json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
  $bayplan --state-dir $state drift                  # exits 2: init was killed
  $bayplan --state-dir $state apply -f $manifest     # repairs it
  make demo-clean                                    # removes all that the demo made
END
