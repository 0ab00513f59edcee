#!/bin/sh
# npm test [-- FILE…]: installs what is missing, builds, and runs the tests (all of them, or the compiled files given: dist/src/tar/header.test.js).
set -eu
cd "$(dirname -- "$0")/.."
sh scripts/install-npm.sh
sh scripts/install-apt.sh
PGHOARD_TEST_PG18_BIN=$(sh scripts/install-debian-side.sh postgresql-18) # programs that match the embedded server
PGHOARD_TEST_CEPH20=$(sh scripts/install-debian-side.sh ceph-20) # an object store of today beside that of Debian 12
PGHOARD_TEST_AZURITE=$(sh scripts/install-azurite.sh) # Microsoft's emulator of its blob storage
export PGHOARD_TEST_PG18_BIN PGHOARD_TEST_CEPH20 PGHOARD_TEST_AZURITE
sh scripts/build.sh

checkout=$PWD
if [ "$(id -u)" = 0 ]; then checkout=$(sh scripts/accessible-checkout.sh postgres /var/tmp/pghoard-test-checkout); fi
cd "$checkout"
NODE_COMPILE_CACHE=$checkout/dist/.compiled # shared by the some thousand processes and threads of a run
export NODE_COMPILE_CACHE
if [ $# = 0 ]; then set -- 'dist/**/*.test.js'; fi
# Three at a time on two cores: tests also wait, for leases to run out and servers to come up.
exec sh scripts/with-test-memory.sh node_modules/.bin/node --enable-source-maps --test --test-concurrency=3 --test-timeout=600000 "$@" < /dev/null
