#!/bin/sh
# Compiles to dist/, removes what sources that no longer exist left there (a deleted test would still be run), and bundles the programs to dist/programs/ and the
# dashboard to dist/web/.
set -eu
cd "$(dirname -- "$0")/.."
node_modules/.bin/tsc
find dist \( -path dist/programs -o -path dist/web \) -prune -o -name '*.js' -print | while IFS= read -r compiled; do
  source=${compiled#dist/}
  [ -f "${source%.js}.ts" ] || rm -f -- "$compiled" "$compiled.map"
done
node_modules/.bin/node --disable-warning=ExperimentalWarning scripts/bundle-programs.ts
sh scripts/build-web.sh
