#!/bin/sh
# Compiles, and makes manual pages and completions from what was compiled. They are dated by SOURCE_DATE_EPOCH, else by the last change.
# PGHOARD_IS_BUILT=1: it is compiled, and in use; nothing is compiled again beneath it.
set -eu
cd "$(dirname -- "$0")/.."
if [ -z "${PGHOARD_IS_BUILT-}" ]; then
  sh scripts/install-npm.sh
  sh scripts/build.sh
fi
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || date +%s)}
export SOURCE_DATE_EPOCH
rm -rf dist/share
node_modules/.bin/node dist/src/cli/manual/write.js dist/share
