#!/bin/bash
# The host tests in a Debian VM with systemd, pure cgroup v2 and AppArmor. The VM has no network: the Debian root is
# bootstrapped here and handed in as a `directory` image.
#   test-vm.sh SUITE [TEST-FILTER]
set -euo pipefail
suite=$1 filter=${2:-}
root=target/vm-debian
if [ ! -e "$root/etc/debian_version" ]; then
  rm -rf --one-file-system "$root"
  mmdebstrap --quiet --variant=minbase --include=systemd-sysv,dbus,iproute2 bookworm "$root"
fi
cargo build --locked
tests=$(cargo test --locked --test host --no-run 2>&1 | sed -n 's/.*Executable .*(\(.*\))/\1/p')
[ -n "$tests" ] || { echo "the host tests could not be built" >&2; exit 1; }
# paths that were compiled in stand under this folder: the VM sees it at the same place
VMTEST_SUITE=$suite VMTEST_TIMEOUT=${VMTEST_TIMEOUT:-1800} tools/vmtest.sh "
  set -e
  mkdir -p '$(dirname "$PWD")'; ln -sfn /host '$PWD'; cd '$PWD'
  export BAYPLAN_TEST_DEBIAN='$PWD/$root'
  '$PWD/$tests' --test-threads=1 $filter
"
