#!/bin/sh
# npm ci, unless node_modules is as new as package-lock.json. npm itself may run on Node 20; everything else runs on the Node 24 it brings.
set -eu
cd "$(dirname -- "$0")/.."
installed=node_modules/.package-lock.json # written by npm when it is done
if [ -f "$installed" ] && [ ! package-lock.json -nt "$installed" ]; then exit 0; fi
if [ -L node_modules ]; then
  echo 'node_modules is a link, and npm would empty the directory that it leads to. Remove the link, or install the packages there.' >&2
  exit 1
fi
echo 'installing npm packages …' >&2
# Development packages hold the compiler and the embedded PostgreSQL, optional ones hold Node 24: neither is optional here.
npm ci --include=dev --include=optional --no-audit --no-fund --loglevel=error >&2
touch "$installed"
