#!/bin/sh
# The dashboard as the daemon serves it, and its unit tests, in dist/web/: each with all that it imports.
set -eu
cd "$(dirname -- "$0")/.."
rm -rf dist/web
esbuild=node_modules/@esbuild/linux-$(node_modules/.bin/node -p process.arch)/bin/esbuild # its launcher is a Node program itself
[ -x "$esbuild" ] || sh scripts/install-npm.sh # a checkout that has just got newer
common='--bundle --format=esm --outdir=dist/web --log-level=warning --legal-comments=none'
# shellcheck disable=SC2086 # flags
"$esbuild" web/page.ts web/page.css $common --minify --target=es2022 --tree-shaking=true
# shellcheck disable=SC2046,SC2086 # no blanks in names
"$esbuild" $(find web -name '*.test.ts') $common --platform=node --packages=external --sourcemap
cp web/index.html web/icon.svg dist/web/
node_modules/.bin/node scripts/compress-web.ts dist/web/index.html dist/web/page.js dist/web/page.css dist/web/icon.svg
