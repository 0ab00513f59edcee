#!/bin/sh
# npm run bench [-- --scale 20 --tables 3000 --rounds 5 --cold-rounds 2 --segments 32 --calls 40 --only backup,restore,wal,recover,receive,commands,profile
#   --packed plain,encrypted,zstd --json FILE]; PGBACKREST names another pgBackRest than the installed one, such as that of
#   scripts/install-debian-side.sh pgbackrest-2.
# npm run bench:scale [-- --file 1000,10000 --segment 1000 --GiB 1,5 --json FILE]
# npm run bench:drill [-- --scale 140 --rounds 5 --clients 4 --seconds 60 --json FILE]
# npm run bench:soak [-- --minutes 60 --json]
# npm run bench:memory [-- --share 0.1]
# The first argument is the compiled program below dist/bench/.
set -eu
cd "$(dirname -- "$0")/.."
sh scripts/install-npm.sh
sh scripts/install-apt.sh
sh scripts/build.sh
checkout=$PWD
if [ "$(id -u)" = 0 ]; then checkout=$(sh scripts/accessible-checkout.sh postgres /var/tmp/pghoard-test-checkout); fi
cd "$checkout"
program=dist/bench/$1
shift
exec node_modules/.bin/node --enable-source-maps "$program" "$@"
