#!/bin/sh
# A minimal Debian 12 in a directory of its own, in which packages are installed and tried: no Node, no PostgreSQL. Prints it. Quick when it is there already.
set -eu
if [ "$(id -u)" = 0 ]; then cache=/var/cache as_root=''; else cache=${XDG_CACHE_HOME:-$HOME/.cache} as_root='sudo -n'; fi
dest=${PGHOARD_TEST_CACHE:-$cache/pghoard-test}/debian-root
complete=$dest/complete

mkdir -p "$dest"
exec 9> "$dest.lock"
flock 9
if [ ! -f "$complete" ]; then
  echo 'installing a minimal Debian …' >&2
  $as_root rm -rf "$dest/root"
  # The Debian mirror that this machine uses.
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" || $NF ~ /\/debian\/?$/ { print $NF; found = 1; exit } END { exit !found }')
  $as_root mmdebstrap --quiet --variant=essential --mode=root --include=adduser,libstdc++6,systemd \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    bookworm "$dest/root" "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main" < /dev/null >&2
  : > "$complete"
fi
echo "$dest/root"
