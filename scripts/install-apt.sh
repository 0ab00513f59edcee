#!/bin/sh
# install-apt.sh [PACKAGE…]: with more packages than those below.
# Debian packages that the tests use: PostgreSQL 15 without a cluster of its own and without starting a server, tools to compare with, systemd-notify, the servers of
# object stores (Ceph, OpenStack Swift with Keystone, OpenSSH), rsyslogd, those who read manual pages and completions, and what takes in metrics (Prometheus, its pushgateway).
set -eu
packages='postgresql-15 systemd pgbackrest patchelf xz-utils zstd lz4 openssl curl python3-snappy util-linux mount ca-certificates
  ceph-mon ceph-osd radosgw swift-proxy swift-account swift-container swift-object memcached keystone python3-keystonemiddleware openssh-server rsyslog
  mandoc groff-base zsh fish prometheus prometheus-pushgateway chromium fonts-dejavu-core'

missing=''
for package in $packages "$@"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then as_root=''
elif sudo -n true 2>/dev/null; then as_root='sudo -n'
else
  echo "The tests need these Debian packages, and neither root nor sudo without a password is at hand to install them:" >&2
  echo "  apt-get install$missing" >&2
  exit 1
fi

echo "installing Debian packages:$missing …" >&2
exec $as_root env DEBIAN_FRONTEND=noninteractive sh -eu -s $missing <<'INSTALL'
policy=/usr/sbin/policy-rc.d # while it says 101, packages start no servers
clusters=/etc/postgresql-common/createcluster.d/pghoard-tests.conf # no /var/lib/postgresql/15/main
trap 'rm -f "$clusters"; rmdir "${clusters%/*}" 2> /dev/null; [ -z "${made_policy:-}" ] || rm -f "$policy"' EXIT
trap 'exit 1' HUP INT TERM
if [ ! -e "$policy" ]; then
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
fi
mkdir -p "${clusters%/*}"
echo 'create_main_cluster = false' > "$clusters"

apt() {
  apt-get -qq -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" < /dev/null >&2
}
for attempt in 1 2 3; do # the lock of the package lists is not waited for by apt itself
  apt update && break
  sleep $((attempt * 5))
done
apt install -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
INSTALL
