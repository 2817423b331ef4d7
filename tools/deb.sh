#!/bin/bash
# Packs a built program into target/deb/bayplan_VERSION_ARCHITECTURE.deb. The same commit and program give the same bytes.
#   deb.sh BAYPLAN [VERSION]      VERSION: Cargo.toml's by default; another one is for tests of upgrades
set -euo pipefail
export LC_ALL=C
umask 022
bayplan=$(realpath "$1")
version=${2:-$("$bayplan" version | cut -d' ' -f2)}
architecture=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -c safe.directory="$PWD" log -1 --format=%ct)}
# xz with several threads packs otherwise than with one
export DPKG_DEB_THREADS_MAX=1

work=target/deb/work
root=$work/root
doc=$root/usr/share/doc/bayplan
mkdir -p target/deb
rm -rf "$work"
install -d "$root/DEBIAN" "$doc"

install -D "$bayplan" "$root/usr/bin/bayplan"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/bayplan"
install -D -m 644 -t "$root/usr/lib/systemd/system" packaging/*.service
install -D -m 644 packaging/bayplan.default "$root/etc/default/bayplan"
install -D -m 644 -t "$root/usr/share/man/man1" man/*.1
"$bayplan" completion bash | install -D -m 644 /dev/stdin "$root/usr/share/bash-completion/completions/bayplan"
"$bayplan" completion zsh | install -D -m 644 /dev/stdin "$root/usr/share/zsh/vendor-completions/_bayplan"
"$bayplan" completion fish | install -D -m 644 /dev/stdin "$root/usr/share/fish/vendor_completions.d/bayplan.fish"

# Laid out as in the repository: messages and links name files of docs/.
install -m 644 README.md CHANGELOG.md "$doc"
install -m 644 packaging/copyright "$doc/copyright"
install -D -m 644 -t "$doc/docs" docs/*.md
install -D -m 644 -t "$doc/examples/manifests" examples/manifests/*.yaml
cat > "$doc/changelog" <<END
bayplan ($version) unstable; urgency=medium

  * CHANGELOG.md, in this folder, says what is new.

 -- Bayplan maintainers <maintainers@bayplan.example>  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
gzip -9n "$doc/changelog" "$root"/usr/share/man/man1/*.1

# Which libraries, of which version at least
mkdir -p "$work/debian"
printf 'Source: bayplan\n\nPackage: bayplan\nArchitecture: any\n' > "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O root/usr/bin/bayplan | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "dpkg-shlibdeps found no library in $bayplan" >&2; exit 1; }
size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" -e "s/@DEPENDS@/$depends/" \
  packaging/control.in > "$root/DEBIAN/control"
echo /etc/default/bayplan > "$root/DEBIAN/conffiles"
install -t "$root/DEBIAN" packaging/{postinst,prerm,postrm}
(cd "$root" && find usr -type f | sort | xargs -d '\n' md5sum) > "$root/DEBIAN/md5sums"
chmod 644 "$root"/DEBIAN/{control,conffiles,md5sums}

package=target/deb/bayplan_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
rm -rf "$work"
echo "$package"
