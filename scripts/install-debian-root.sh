#!/bin/sh
# install-debian-root.sh [apt]: a minimal Debian 12 in a directory of its own: no Node, no PostgreSQL. Prints it. Quick when it is there already.
# Without an argument packages are installed and tried in it; with apt, and nothing that a Debian image has not, container images begin with it.
set -eu
if [ "$(id -u)" = 0 ]; then cache=/var/cache as_root=''; else cache=${XDG_CACHE_HOME:-$HOME/.cache} as_root='sudo -n'; fi
variant=${1:-essential}
case $variant in
  essential) dest=debian-root packages=adduser,libstdc++6,systemd ;;
  apt) dest=debian-apt-root packages=apt ;;
esac
dest=${PGHOARD_TEST_CACHE:-$cache/pghoard-test}/$dest
complete=$dest/complete

mkdir -p "$dest"
exec 9> "$dest.lock"
flock 9
if [ ! -f "$complete" ]; then
  echo "installing a minimal Debian ($variant) …" >&2
  $as_root rm -rf "$dest/root"
  # The Debian mirror that this machine uses.
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" || $NF ~ /\/debian\/?$/ { print $NF; found = 1; exit } END { exit !found }')
  $as_root mmdebstrap --quiet --variant="$variant" --mode=root --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    bookworm "$dest/root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" < /dev/null >&2
  : > "$complete"
fi
echo "$dest/root"
