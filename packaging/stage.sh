#!/bin/sh
# stage.sh ROOT: everything that a package for Linux holds, laid out below ROOT as it is installed: the programs with their dependencies and a Node
# of their own in /usr/lib/pghoard, links in /usr/bin, the unit, manual pages, completions and documentation.
set -eu
root=$1
cd "$(dirname -- "$0")/.."
library=$root/usr/lib/pghoard
documentation=$root/usr/share/doc/pghoard

main() {
  rm -rf "$root"
  mkdir -p "$library" "$root/usr/bin" "$root/usr/lib/systemd/system" "$documentation/examples" "$root/usr/share/licenses/pghoard"
  unpack_programs
  copy_dependencies
  drop_what_node_never_reads
  link_commands
  cp -a "$library/dist/share/." "$root/usr/share/" && rm -r "$library/dist/share"
  cp packaging/pghoard.service "$root/usr/lib/systemd/system/"
  document
  find "$root" -type d -exec chmod 755 {} +
  find "$root" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}" {} + # npm packs everything as of 1985
  find "$root" -type f -exec chmod 644 {} +
  chmod 755 "$library"/bin/pghoard* "$library"/node_modules/node-linux-*/bin/node
}

# The very files that npm would install.
unpack_programs() {
  tarball=$(sh packaging/build-tarball.sh "$root")
  tar -xzf "$tarball" -C "$library" --strip-components=1
  rm "$tarball"
}

# What package-lock.json calls production, as installed here, without asking a registry.
copy_dependencies() {
  npm ls --omit=dev --all --parseable | sed "s|^$PWD/||" | grep '^node_modules/' | grep -v '/node_modules/' |
    while IFS= read -r package; do cp -a --parents "$package" "$library/"; done
}

# Types, maps of other people's code, code for browsers, sources in C, and the native liblzma in place of which we use
# the WebAssembly one.
drop_what_node_never_reads() {
  modules=$library/node_modules
  find "$modules" -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.flow' -o -name '*.tsbuildinfo' \
    -o -name '*.md' -o -name '*.markdown' -o -name '.*' -o -name '*.h' -o -name '*.gyp' -o -name '*.c' -o -name '*.cc' -o -name '*.py' -o -name '*.html' \) \
    ! -iname 'licen[cs]e*' ! -iname 'notice*' ! -iname 'copying*' -delete
  find "$modules" -type d \( -path '*/dist/browser' -o -path '*/dist/react-native' -o -path '*/node-linux-*/include' -o -path '*/node-linux-*/share' \
    -o -path '*/node-liblzma/prebuilds' \) -prune -exec rm -r {} +
  find "$modules" -depth -type d -empty -delete
  find "$modules" \( -path '*/node-linux-*/bin/node' -o -name '*.node' \) -exec strip {} +
}

link_commands() {
  for command in "$library"/bin/pghoard*; do ln -s "../lib/pghoard/bin/${command##*/}" "$root/usr/bin/"; done
}

document() {
  mv "$library/docs" "$library/README.md" "$library/CHANGELOG.md" "$documentation/"
  mv "$documentation/docs"/* "$documentation/" && rmdir "$documentation/docs"
  cp packaging/pghoard.sample.jsonc "$documentation/examples/"
  grep -v '^ *//' packaging/pghoard.sample.jsonc > "$documentation/examples/pghoard.json"
  mv "$library/packaging"/* "$documentation/examples/" && rmdir "$library/packaging" # for Grafana and Prometheus
  node_modules/.bin/node dist/scripts/bundled-licences.js "$library" > "$root/usr/share/licenses/pghoard/LICENSE"
  rm "$library/LICENSE" "$library/npm-shrinkwrap.json"
}

main
