#!/bin/bash
# The host tests in a Debian VM with systemd, pure cgroup v2 and AppArmor. The VM has no network: the Debian root is
# bootstrapped here and handed in.
#   test-vm.sh SUITE [TEST-FILTER...]      e.g. test-vm.sh bookworm runtime:: network::
# VMTEST_TIMEOUT (default 3600) bounds the whole run in seconds: without KVM a VM is 5 to 10 times slower than its host.
set -euo pipefail
suite=$1; shift
timeout=${VMTEST_TIMEOUT:-3600}
here=target/vm; mkdir -p "$here"
if [ ! -e "$here/debian.tar" ]; then
  # without what no boot needs: copying and hashing a root is minutes of the VM's time
  mmdebstrap --quiet --variant=minbase --include=systemd-sysv,dbus,iproute2 --customize-hook='
    cd "$1/usr/share" && rm -rf doc info lintian locale man perl perl5 zoneinfo
    cd "$1" && rm -rf usr/lib/x86_64-linux-gnu/gconv var/cache/apt/* var/lib/apt/lists/*' \
    bookworm "$here/debian.partial.tar"
  mv "$here/debian.partial.tar" "$here/debian.tar"
fi
profile=emulated   # Cargo.toml: half the size, and less to emulate
tests=$(cargo test --profile $profile --locked --test host --no-run 2>&1 | tee "$here/build.log" |
  sed -n 's/.*Executable .*(\(.*\))/\1/p') || true
[ -n "$tests" ] || { tail -20 "$here/build.log" >&2; echo "the host tests could not be built" >&2; exit 1; }
strip -o "$here/bayplan" target/$profile/bayplan
strip -o "$here/host-tests" "$tests"

# The tests find files by paths that were compiled in, so a folder of the same name stands for this one. Programs are
# copied: run from the shared folder they are ten times slower still. So is the Debian root: the shared folder takes no
# id-mapped mounts. Each test has a state folder, and so ids, of its own.
log=$here/$suite.log
begun=$SECONDS
status=0
VMTEST_SUITE=$suite VMTEST_TIMEOUT=$timeout tools/vmtest.sh "
  set -euo pipefail
  mkdir -p '$PWD/target/$profile'; cd '$PWD'
  find /host -mindepth 1 -maxdepth 1 ! -name target -exec ln -s {} . ';'
  cp /host/$here/bayplan target/$profile/; cp /host/$here/host-tests target/
  mkdir /var/tmp/vm-debian; tar -C /var/tmp/vm-debian --numeric-owner --xattrs -xf /host/$here/debian.tar
  echo root:1000000:1000000000 | tee /etc/subuid > /etc/subgid
  export BAYPLAN_TEST_DEBIAN=/var/tmp/vm-debian BAYPLAN_TEST_PATIENCE=10
  echo \"in the VM: \$(. /etc/os-release; echo \$PRETTY_NAME), kernel \$(uname -r), \$(stat -f -c %T /sys/fs/cgroup)\"
  tools/leftovers.sh snapshot
  status=0
  target/host-tests --test-threads=2 $* || status=\$?
  tools/leftovers.sh compare || status=1
  exit \$status
" 2>&1 | tee "$log" || status=$?
[ "$status" -ne 124 ] || echo "not ended within $timeout s: these tests had not ended" >&2

kernel=$(sed -n 's/^in the VM: .*, kernel \([^,]*\),.*/\1/p' "$log")
result=$(sed -n 's/^test result: \(.*\); finished in.*/\1/p' "$log")
echo "$suite, kernel ${kernel:-?}: ${result:-not ended}, $(grep -c '^skipped: ' "$log" || true) skipped," \
  "$(grep -qx 'nothing left on the host' "$log" && echo "nothing left" || echo "leftovers unknown or found")," \
  "$((SECONDS - begun)) s" | tee -a "$log"
exit "$status"
