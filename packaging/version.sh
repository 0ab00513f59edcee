#!/bin/sh
# The version as dpkg and rpm sort it: 3.0.0~alpha.1 comes before 3.0.0.
set -eu
sed -n 's/^  "version": "\(.*\)",$/\1/p' "$(dirname -- "$0")/../package.json" | tr - '~'
