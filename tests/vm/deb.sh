#!/bin/bash
# The Debian package's whole life on a machine with systemd, while a container runs: run by tools/test-deb.sh as root in
# a throw-away VM, which it changes as it likes.
#   deb.sh PACKAGE NEWER-PACKAGE REPOSITORY
set -euo pipefail
first=$1 newer=$2 repository=$3
export DEBIAN_FRONTEND=noninteractive
cgroups=/sys/fs/cgroup

step() { echo "== $*"; }
fail() { echo "FAILED: $*" >&2; journalctl -q --no-pager -n 30 -u bayplan -u bayplan-containers >&2 || true; exit 1; }
# holds WHAT COMMAND...: the command succeeds
holds() { local what=$1; shift; "$@" || fail "$what: $*"; }
# never WHAT COMMAND...: the command fails
never() { local what=$1; shift; ! "$@" 2>/dev/null || fail "$what: $*"; }
# same WHAT ONE OTHER
same() { [ "$2" = "$3" ] || fail "$1: '$2' is not '$3'"; }
# within SECONDS WHAT COMMAND...
within() {
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do [ "$SECONDS" -lt "$end" ] || fail "$what: $*"; sleep 0.2; done
}
daemon() { systemctl show -p MainPID --value bayplan; }
init() { bayplan get "${1:-web-1}" -o json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'; }
born() { cut -d' ' -f22 "/proc/$1/stat"; }
is_running() { [ -n "$(init)" ] && [ "$(init)" != 0 ]; }
is_gone() { [ ! -e "$1" ]; }
# The container that ran at the beginning of a step runs still, and is as declared.
unmoved() {
  same "$1: init" "$(init)" "$pid"
  same "$1: its start" "$(born "$pid")" "$birth"
  holds "$1: a command inside" bayplan exec web-1 -T -- true
  holds "$1: nothing to do" bayplan plan -q >/dev/null
}
# What packages, users and units there are: all files but logs, caches and dpkg's and apt's own books
machine() {
  find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache \
    -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/systemd -o -path /var/tmp/deb -o -path "$PWD" \) -prune \
    -o -print | sort
  cat /etc/passwd /etc/group
}

cd "$(mktemp -d /root/site.XXXXXX)"
machine > /var/tmp/deb/before
"$repository/tools/leftovers.sh" snapshot

step "apt install ./bayplan.deb"
apt-get install -y "$first"
holds "the daemon is enabled" systemctl -q is-enabled bayplan
holds "the daemon runs" systemctl -q is-active bayplan
holds "the package is whole" test -z "$(dpkg -V bayplan)"
for file in $(dpkg -L bayplan); do holds "unpacked" test -e "$file"; done
never "an empty host is left alone" test -e "$cgroups/bayplan"
never "an empty host is left alone" test -e /sys/class/net/bay0
holds "completion" bash -c '. /usr/share/bash-completion/completions/bayplan && complete -p bayplan' >/dev/null
same "the version" "$(bayplan version | cut -d' ' -f2)" "$(dpkg-query -W -f '${Version}' bayplan)"

step "bayplan init, bayplan apply"
bayplan init
bayplan apply
bayplan get
is_running || fail "web-1 does not run"
holds "nothing to do" bayplan plan
pid=$(init) birth=$(born "$(init)")

step "a container is in a cgroup of its own, the unit has the daemon alone"
holds "the container's cgroup" grep -q '^0::/bayplan/' "/proc/$pid/cgroup"
for process in $(cat "$cgroups/system.slice/bayplan.service/cgroup.procs"); do
  [ "$process" = "$(daemon)" ] || grep -q '^bayplan-spawner' "/proc/$process/comm" ||
    fail "in the unit's cgroup: $process $(cat "/proc/$process/comm")"
done

step "the daemon mends: init is killed"
kill -9 "$pid"
within 30 "a new init" eval 'is_running && [ "$(init)" != "$pid" ]'
within 30 "nothing to do" bayplan plan -q
pid=$(init) birth=$(born "$(init)")
# What the daemon has started does not know of the unit.
never "init's environment" grep -q -e NOTIFY_SOCKET -e INVOCATION_ID "/proc/$pid/environ"
never "a command's environment" bash -c 'bayplan exec web-1 -T -- env | grep -e NOTIFY_SOCKET -e INVOCATION_ID'
same "init's oom_score_adj" "$(cat "/proc/$pid/oom_score_adj")" 0

step "the daemon is restarted, killed, stopped, started; systemd reads its units again, and itself"
old=$(daemon); systemctl restart bayplan; [ "$(daemon)" != "$old" ] || fail "no new daemon"; unmoved "restart"
old=$(daemon); kill -9 "$old"; within 30 "another daemon" eval '[ "$(daemon)" != 0 ] && [ "$(daemon)" != "$old" ]'
within 30 "it serves" systemctl -q is-active bayplan; unmoved "kill"
systemctl stop bayplan; unmoved "stop"
systemctl daemon-reload; systemctl daemon-reexec; unmoved "reload"
systemctl start bayplan; unmoved "start"
same "the limit is still in force" "$(cat "$cgroups"/bayplan/*/*.*/memory.max)" $((256 << 20))

step "upgrade while it runs"
echo '# mine' >> /etc/default/bayplan
old=$(daemon)
apt-get install -y "$newer"
same "the newer package" "$(dpkg-query -W -f '${Version}' bayplan)" "$(dpkg-deb -f "$newer" Version)"
[ "$(daemon)" != 0 ] && [ "$(daemon)" != "$old" ] || fail "the daemon was not exchanged"
same "the daemon's program" "$(readlink "/proc/$(daemon)/exe")" /usr/bin/bayplan
holds "a conffile that was edited stays" grep -qx '# mine' /etc/default/bayplan
unmoved "upgrade"
# Its monitor is still the former program; its root must still be a place that the new one knows.
holds "a live change" sed -i 's/256MiB/128MiB/' site.yaml
bayplan apply -q
same "a live change" "$(cat "$cgroups"/bayplan/*/*.*/memory.max)" $((128 << 20))
unmoved "a change after the upgrade"

step "the daemon follows the folder that its configuration names"
mkdir /etc/bayplan; cp site.yaml bayplan.schema.json /etc/bayplan/
sed -i.before 's|^#\(BAYPLAN_DAEMON_ARGS=.*\)|\1|' /etc/default/bayplan
systemctl restart bayplan
sed -i 's/128MiB/192MiB/' /etc/bayplan/site.yaml
within 30 "an edit is applied" eval '[ "$(cat "$cgroups"/bayplan/*/*.*/memory.max)" = $((192 << 20)) ]'
mv /etc/bayplan/site.yaml .; rm -r /etc/bayplan; mv /etc/default/bayplan.before /etc/default/bayplan
systemctl restart bayplan
unmoved "followed"

step "who disabled the daemon finds it disabled after an upgrade"
systemctl -q disable --now bayplan
apt-get install -y --allow-downgrades "$first" >/dev/null
never "disabled" systemctl -q is-enabled bayplan
never "disabled" systemctl -q is-active bayplan
unmoved "upgrade without a daemon"
systemctl -q enable --now bayplan
unmoved "enabled again"

step "in a chroot nothing is started or stopped"
mount -t tmpfs none /mnt; mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/root
old=$(daemon)
chroot /mnt/root dpkg --purge bayplan >/dev/null
never "purged in the chroot" test -e /mnt/root/usr/bin/bayplan
chroot /mnt/root dpkg -i "$newer" >/dev/null
holds "enabled in the chroot" test -L /mnt/root/etc/systemd/system/multi-user.target.wants/bayplan.service
same "the daemon outside" "$(daemon)" "$old"
unmoved "chroot"
umount /mnt/root /mnt

step "the host goes down: the daemon ends first, then containers are stopped, cleanly; then it comes up"
# One transaction stops both, as the shutdown does.
for unit in bayplan bayplan-containers; do
  mkdir "/run/systemd/system/$unit.service.d"
  printf '[Unit]\nPartOf=down.target\n' > "/run/systemd/system/$unit.service.d/down.conf"
done
printf '[Unit]\nDescription=The host\n' > /run/systemd/system/down.target
systemctl daemon-reload
systemctl start down.target
old=$(daemon)
systemctl stop down.target
within 60 "both end" eval '[ "$(systemctl is-active bayplan bayplan-containers | sort -u)" = inactive ]'
rm -r /run/systemd/system/{down.target,bayplan.service.d,bayplan-containers.service.d}
systemctl daemon-reload
never "the daemon" test -e "/proc/$old"
never "init" test -e "/proc/$pid"
never "it was no failure" systemctl -q is-failed bayplan-containers
holds "it powered off by itself" grep -q '"cause": *"power-off"' /run/bayplan/*/*/exit.json
bayplan get web-1
holds "nobody holds it" test "$(bayplan holds | wc -l)" -le 1
bayplan drift || same "it is drift that the next pass mends" $? 2
systemctl start bayplan
within 60 "it runs again" is_running
within 30 "nothing to do" bayplan plan -q
holds "the unit that stops containers is there again" systemctl -q is-active bayplan-containers
pid=$(init) birth=$(born "$(init)")

step "remove while it runs"
old=$(daemon)
apt-get remove -y bayplan
never "the daemon" test -e "/proc/$old"
never "init" test -e "/proc/$pid"
never "the program" test -e /usr/bin/bayplan
never "the unit" systemctl -q cat bayplan >/dev/null
holds "no process in its cgroups" grep -qx 'populated 0' "$cgroups/bayplan/cgroup.events"
same "processes" "$(grep -ls '^bayplan' /proc/[0-9]*/comm || true)" ""
holds "data stay" test -d /var/lib/bayplan.data
holds "configuration stays" test -e /etc/default/bayplan

step "purge: configuration goes, data stay"
apt-get purge -y bayplan
never "configuration" test -e /etc/default/bayplan
holds "data stay" test -d /var/lib/bayplan.data
same "units" "$(find /etc/systemd -name '*bayplan*')" ""

step "installed again: what was declared runs again"
apt-get install -y "$newer" >/dev/null
within 60 "it runs again" is_running
within 30 "nothing to do" bayplan plan -q

step "all is deleted, then purged: nothing is left"
bayplan delete --all --allow delete --yes -q
apt-get purge -y bayplan
machine > /var/tmp/deb/after
diff /var/tmp/deb/before /var/tmp/deb/after || fail "left on the machine"
"$repository/tools/leftovers.sh" compare
echo "the package's life: all as it should be"
