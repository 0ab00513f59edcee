#!/bin/sh
# build-deb.sh DIRECTORY [STAGED]: pghoard_VERSION_ARCHITECTURE.deb for this machine's architecture, of what stage.sh has laid out below STAGED or lays out now.
# Prints its path. Needs dpkg-dev and binutils.
# PGHOARD_DEB_COMPRESSION=none is for tests; PGHOARD_PACKAGER says whose package it is.
set -eu
mkdir -p "$1"
to=$(cd -- "$1" && pwd -P)
staged=${2-}
cd "$(dirname -- "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
packager=${PGHOARD_PACKAGER:-pghoard developers <pghoard@packages.invalid>}
version=$(sh packaging/version.sh)
architecture=$(dpkg --print-architecture)

main() {
  { lay_out; add_what_debian_wants; write_control; } >&2
  package=$to/pghoard_${version}_$architecture.deb
  dpkg-deb --root-owner-group "-Z${PGHOARD_DEB_COMPRESSION:-xz}" --build "$root" "$package" >&2
  echo "$package"
}

lay_out() {
  if [ -n "$staged" ]; then cp -a --reflink=auto "$staged" "$root"; else sh packaging/stage.sh "$root"; fi
}

add_what_debian_wants() {
  share=$root/usr/share
  rm -r "$share/licenses"
  node_modules/.bin/node dist/scripts/bundled-licences.js "$root/usr/lib/pghoard" --debian > "$share/doc/pghoard/copyright"
  printf 'pghoard (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' "$version" "$packager" "$(LC_ALL=C date -R)" > "$share/doc/pghoard/changelog"
  cp packaging/deb/README.Debian "$share/doc/pghoard/"
  mkdir -p "$share/zsh/vendor-completions" "$share/lintian/overrides"
  mv "$share/zsh/site-functions/_pghoard" "$share/zsh/vendor-completions/" && rmdir "$share/zsh/site-functions"
  cp packaging/deb/lintian-overrides "$share/lintian/overrides/pghoard"
  gzip -9n "$share/doc/pghoard/changelog" "$share"/man/man?/*
  chmod 644 "$share/doc/pghoard/copyright" "$share/doc/pghoard/changelog.gz" "$share/doc/pghoard/README.Debian" "$share/lintian/overrides/pghoard"
}

write_control() {
  mkdir "$root/DEBIAN"
  for script in postinst prerm postrm; do install -m 755 "packaging/deb/$script" "$root/DEBIAN/"; done
  sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@PACKAGER@/$packager/" \
    -e "s/@LIBRARIES@/$(libraries)/; s/@SIZE@/$(du -sk "$root/usr" | cut -f1)/" packaging/deb/control > "$root/DEBIAN/control"
  (cd "$root" && find usr -type f -exec md5sum {} +) > "$root/DEBIAN/md5sums"
  chmod 644 "$root/DEBIAN/control" "$root/DEBIAN/md5sums"
}

# Of which Debian packages Node and the native modules need which version at least.
libraries() {
  mkdir -p "$work/debian"
  printf 'Source: pghoard\n\nPackage: pghoard\nArchitecture: any\n' > "$work/debian/control"
  binaries=$(find "$root/usr/lib/pghoard/node_modules" -name '*.node' -o -path '*/node-linux-*/bin/node')
  (cd "$work" && dpkg-shlibdeps -O $binaries 2> /dev/null | sed -n 's/^shlibs:Depends=//p')
}

main
