#!/bin/bash
# A container when the host really goes down: run by tools/test-deb.sh as root in a throw-away VM, which it switches off.
# What is seen then, after the unit that stops containers has ended, is written into /out/seen.
#   shutdown.sh PACKAGE
set -euo pipefail
DEBIAN_FRONTEND=noninteractive apt-get install -y "$1" >/dev/null
cd "$(mktemp -d /root/site.XXXXXX)"
bayplan init -q
bayplan apply -q
pid=$(bayplan get web-1 -o json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
cat > /run/systemd/system/witness.service <<END
[Unit]
Before=bayplan-containers.service
RequiresMountsFor=/out
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'if [ -e /proc/$pid ]; then echo init lives; else echo init has ended; fi > /out/seen; \
  cat /run/bayplan/*/*/exit.json >> /out/seen; systemctl is-active bayplan bayplan-containers >> /out/seen; sync'
END
systemctl daemon-reload
systemctl start witness
[ -e "/proc/$pid" ] || { echo "web-1 does not run" >&2; exit 1; }
echo "in the VM: container/web-1 runs, and the host is switched off"
systemctl poweroff
sleep 300
