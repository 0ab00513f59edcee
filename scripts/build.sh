#!/bin/sh
# Compiles to dist/, bundles the dashboard to dist/web/, and removes what sources that no longer exist left there (a deleted test would still be run).
set -eu
cd "$(dirname -- "$0")/.."
node_modules/.bin/tsc
sh scripts/build-web.sh
find dist -name '*.js' | while IFS= read -r compiled; do
  source=${compiled#dist/}
  [ -f "${source%.js}.ts" ] || rm -f -- "$compiled" "$compiled.map"
done
