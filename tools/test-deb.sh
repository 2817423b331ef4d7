#!/bin/bash
# The Debian package in a VM: installed, upgraded, removed and purged by apt while a container runs (tests/vm/deb.sh).
#   test-deb.sh SUITE PACKAGE      e.g. test-deb.sh bookworm target/bayplan.deb
set -euo pipefail
suite=$1 package=$2
here=target/deb
log=$here/$suite.log

# The same program as a newer version
newer=$(tools/deb.sh target/release/bayplan "$(dpkg-deb -f "$package" Version)+next")
again=$(tools/deb.sh target/release/bayplan)
cmp "$package" "$again" || { echo "the same program gave another package" >&2; exit 1; }

status=0
VMTEST_SUITE=$suite VMTEST_TIMEOUT=${VMTEST_TIMEOUT:-1800} tools/vmtest.sh "
  set -euo pipefail
  echo \"in the VM: \$(. /etc/os-release; echo \$PRETTY_NAME), kernel \$(uname -r)\"
  # documentation and man pages are unpacked too
  rm -f /etc/dpkg/dpkg.cfg.d/*
  mkdir /var/tmp/deb; cp /host/$package /host/$newer /var/tmp/deb/
  bash /host/tests/vm/deb.sh /var/tmp/deb/${package##*/} /var/tmp/deb/${newer##*/} /host
" 2>&1 | tee "$log" || status=$?
echo "$suite: the package's life $([ "$status" -eq 0 ] && echo "is as it should be" || echo "is NOT as it should be ($status)")"
exit "$status"
