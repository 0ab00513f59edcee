#!/bin/sh
# npm start [-- OPTION…]: installs and builds if needed, then shows backup and restore on a real PostgreSQL.
set -eu
cd "$(dirname -- "$0")/.."
sh scripts/install-npm.sh
sh scripts/build.sh
exec node_modules/.bin/node --enable-source-maps dist/scripts/demo/demo.js "$@"
