#!/bin/bash
# The Debian package in VMs: installed, upgraded, removed and purged by apt while a container runs (tests/vm/deb.sh), and
# a host that is switched off while one runs (tests/vm/shutdown.sh).
#   test-deb.sh SUITE PACKAGE      e.g. test-deb.sh bookworm target/bayplan.deb
set -euo pipefail
suite=$1 package=$2
log=target/deb/$suite.log
export VMTEST_SUITE=$suite VMTEST_TIMEOUT=${VMTEST_TIMEOUT:-1800}

again=$(tools/deb.sh target/release/bayplan)
cmp "$package" "$again" ||
  { echo "the same program gave another package; if there is a new commit, 'make deb' first" >&2; exit 1; }
# The same program as a newer version
newer=$(tools/deb.sh target/release/bayplan "$(dpkg-deb -f "$package" Version)+next")

seen=$(mktemp -d)
trap 'rm -rf "$seen"' EXIT
life() {
  tools/vmtest.sh "
    set -euo pipefail
    echo \"in the VM: \$(. /etc/os-release; echo \$PRETTY_NAME), kernel \$(uname -r)\"
    # documentation and man pages are unpacked too
    rm -f /etc/dpkg/dpkg.cfg.d/*
    mkdir /var/tmp/deb; cp /host/$package /host/$newer /var/tmp/deb/
    bash /host/tests/vm/deb.sh /var/tmp/deb/${package##*/} /var/tmp/deb/${newer##*/} /host
  "
}
shutdown() {
  local status=0
  VMTEST_OUT=$seen tools/vmtest.sh "
    cp /host/$package /var/tmp/; bash /host/tests/vm/shutdown.sh /var/tmp/${package##*/}
  " || status=$?
  # 125: it ended without a status, for it was switched off
  [ "$status" -eq 125 ] && cat "$seen/seen" &&
    grep -qx "init has ended" "$seen/seen" && grep -q '"cause": "power-off"' "$seen/seen"
}

status=0
{ life && shutdown; } 2>&1 | tee "$log" || status=1
echo "$suite: the package's life, and the host's end, $([ "$status" -eq 0 ] && echo "are as they should be" || echo "are NOT as they should be")"
exit "$status"
