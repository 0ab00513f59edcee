#!/bin/sh
# build-rpm.sh DIRECTORY [STAGED]: pghoard-VERSION-1.ARCHITECTURE.rpm for this machine's architecture, of what stage.sh has laid out below STAGED or lays out
# now. Prints its path. Needs rpmbuild and binutils. PGHOARD_RPM_PAYLOAD=w0.ufdio (uncompressed) is for tests.
set -eu
mkdir -p "$1"
to=$(cd -- "$1" && pwd -P)
staged=${2-}
cd "$(dirname -- "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root

main() {
  { lay_out; list_files > "$work/files"; build; } >&2
  find "$work/made" -name '*.rpm' -exec cp {} "$to/" ';' -exec basename {} ';' | sed "s|^|$to/|"
}

lay_out() {
  if [ -n "$staged" ]; then cp -a --reflink=auto "$staged" "$root"; else sh packaging/stage.sh "$root"; fi
  mkdir -p "$root/var/lib/pghoard"
}

# Directories that others have too stay out.
list_files() {
  echo '%defattr(-, root, root)'
  echo /usr/lib/pghoard
  echo '%license /usr/share/licenses/pghoard'
  echo '%doc /usr/share/doc/pghoard'
  (cd "$root" && find usr/bin usr/lib/systemd usr/share -not -type d -not -path '*/doc/*' -not -path '*/licenses/*') | sed 's|^|/|'
}

build() {
  rpmbuild -bb --quiet --define "_topdir $work/made" --define "package_version $(sh packaging/version.sh)" --define "staged $root" \
    --define "work $work" --define "_binary_payload ${PGHOARD_RPM_PAYLOAD:-w12.zstdio}" packaging/rpm/pghoard.spec
}

main
