#!/bin/sh
# npm run bench:soak [-- --minutes 60 --json]
set -eu
cd "$(dirname -- "$0")/.."
sh scripts/install-npm.sh
sh scripts/install-apt.sh
sh scripts/build.sh
checkout=$PWD
if [ "$(id -u)" = 0 ]; then checkout=$(sh scripts/accessible-checkout.sh postgres /var/tmp/pghoard-test-checkout); fi
cd "$checkout"
exec node_modules/.bin/node --enable-source-maps dist/bench/soak/soak.js "$@"
