#!/bin/sh
# make check-packages: builds every package once, as it is shipped, and tests each where nothing else is installed.
set -eu
cd "$(dirname -- "$0")/.."
sh scripts/install-npm.sh
sh scripts/install-apt.sh mmdebstrap dpkg-dev binutils rpm lintian buildah
PGHOARD_TEST_DEBIAN_ROOT=$(sh scripts/install-debian-root.sh)
PGHOARD_TEST_APT_ROOT=$(sh scripts/install-debian-root.sh apt)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
PGHOARD_TEST_TARBALL=$(sh packaging/build-tarball.sh "$work")
PGHOARD_TEST_STAGED=$work/staged
export PGHOARD_TEST_DEBIAN_ROOT PGHOARD_TEST_APT_ROOT PGHOARD_TEST_TARBALL PGHOARD_TEST_STAGED
PGHOARD_IS_BUILT=1 sh packaging/stage.sh "$work/staged"
node_modules/.bin/node --enable-source-maps --test --test-concurrency=2 dist/test/packages/whole/*.check.js < /dev/null
