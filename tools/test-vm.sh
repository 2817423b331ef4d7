#!/bin/bash
# The host tests in a Debian VM with systemd, pure cgroup v2 and AppArmor. The VM has no network: the Debian root is
# bootstrapped here and handed in.
#   test-vm.sh SUITE [TEST-FILTER...]      e.g. test-vm.sh bookworm runtime:: network::
# VMTEST_TIMEOUT (default 1800) bounds the whole run in seconds: without KVM a VM is 5 to 10 times slower than its host.
set -euo pipefail
suite=$1; shift
root=target/vm-debian
if [ ! -e "$root/etc/debian_version" ]; then
  rm -rf --one-file-system "$root"
  mmdebstrap --quiet --variant=minbase --include=systemd-sysv,dbus,iproute2 bookworm "$root"
fi
tests=$(cargo test --locked --test host --no-run 2>&1 | sed -n 's/.*Executable .*(\(.*\))/\1/p')
[ -n "$tests" ] || { echo "the host tests could not be built" >&2; exit 1; }
# Paths that were compiled in stand under this folder: the VM sees it at the same place. The shared folder takes no
# id-mapped mounts, so the Debian root is copied. Each test has a state folder, and so ids, of its own.
VMTEST_SUITE=$suite VMTEST_TIMEOUT=${VMTEST_TIMEOUT:-1800} tools/vmtest.sh "
  set -e
  mkdir -p '$(dirname "$PWD")'; ln -sfn /host '$PWD'; cd '$PWD'
  echo root:1000000:1000000000 | tee /etc/subuid > /etc/subgid
  cp -a '$root' /var/tmp/vm-debian
  export BAYPLAN_TEST_DEBIAN=/var/tmp/vm-debian
  uname -r
  '$PWD/$tests' --test-threads=2 $*
"
