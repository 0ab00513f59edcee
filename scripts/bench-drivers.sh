#!/bin/sh
# npm run bench:drivers [-- --mib 256 --rounds 3 --keys 5000000 --store s3 --json]
set -eu
cd "$(dirname -- "$0")/.."
sh scripts/install-npm.sh
sh scripts/install-apt.sh
PGHOARD_TEST_AZURITE=$(sh scripts/install-azurite.sh)
export PGHOARD_TEST_AZURITE
sh scripts/build.sh
exec node_modules/.bin/node --max-semi-space-size=2 --enable-source-maps dist/bench/store-drivers/store-drivers.js "$@"
