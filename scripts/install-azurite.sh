#!/bin/sh
# Azurite, Microsoft's emulator of Azure Blob Storage, beside the checkout: its hundreds of packages are for tests alone and stay out of ours.
# Prints its main file. Quick when it is there already.
set -eu
manifest=$(cd -- "$(dirname -- "$0")/../test/support/services/azurite" && pwd -P)
if [ "$(id -u)" = 0 ]; then cache=/var/cache; else cache=${XDG_CACHE_HOME:-$HOME/.cache}; fi
dest=${PGHOARD_TEST_CACHE:-$cache/pghoard-test}/azurite
complete=$dest/complete # the lock file of what is installed, written at the end

mkdir -p "$dest"
exec 9> "$dest.lock"
flock 9
if ! cmp -s "$manifest/package-lock.json" "$complete"; then
  echo 'installing Azurite …' >&2
  rm -f "$complete"
  cp "$manifest/package.json" "$manifest/package-lock.json" "$manifest/.npmrc" "$dest/"
  (cd "$dest" && npm ci --no-audit --no-fund --loglevel=error >&2)
  cp "$dest/package-lock.json" "$complete"
fi
echo "$dest/node_modules/azurite/dist/src/blob/main.js"
