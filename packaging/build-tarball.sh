#!/bin/sh
# build-tarball.sh DIRECTORY: what npm installs, compiled, with manual pages and completions, and with the versions of all dependencies that it was tested with.
# Prints its path.
set -eu
mkdir -p "$1"
to=$(cd -- "$1" && pwd -P)
cd "$(dirname -- "$0")/.."

# package-lock.json without what is for development, which npm would install all the same.
production_lock() {
  node_modules/.bin/node -e '
    const lock = JSON.parse(fs.readFileSync("package-lock.json", "utf8"));
    const { devDependencies, ...root } = lock.packages[""];
    const others = Object.entries(lock.packages).filter(([path, entry]) => path !== "" && !entry.dev);
    console.log(JSON.stringify({ ...lock, packages: { "": root, ...Object.fromEntries(others) } }, undefined, 2));'
}

sh packaging/build-programs.sh >&2
trap 'rm -f npm-shrinkwrap.json' EXIT
trap 'exit 1' HUP INT TERM
production_lock > npm-shrinkwrap.json # the name by which npm packs it
# Nothing is left to be built: .npmrc lets no scripts run.
echo "$to/$(npm pack --pack-destination "$to" --loglevel=error)"
