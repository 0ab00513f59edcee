#!/bin/sh
# build-container.sh [OPTION…]: the image pghoard:VERSION, by podman or docker, whichever is there; options are theirs: --build-arg postgresql_client=
set -eu
cd "$(dirname -- "$0")/.."
version=$(sh packaging/version.sh | tr '~' -)
if command -v podman > /dev/null; then set -- podman build --format docker "$@"; else set -- docker build "$@"; fi # OCI's own format has no health checks
exec "$@" -f packaging/container/Containerfile -t "pghoard:$version" .
