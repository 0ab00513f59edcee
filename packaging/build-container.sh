#!/bin/sh
# build-container.sh [OPTION…]: the image pghoard:VERSION, by podman, docker or buildah, whichever is there (or CONTAINER_TOOL); options are theirs:
# --build-arg postgresql_client=
set -eu
cd "$(dirname -- "$0")/.."
version=$(sh packaging/version.sh | tr '~' -)
for tool in ${CONTAINER_TOOL:-podman docker buildah}; do
  if command -v "$tool" > /dev/null; then break; fi
done
case $tool in # OCI's own format has no health checks
  docker) set -- docker build "$@" ;;
  *) set -- "$tool" build --format docker "$@" ;;
esac
exec "$@" -f packaging/container/Containerfile -t "pghoard:$version" .
