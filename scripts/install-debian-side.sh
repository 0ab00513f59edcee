#!/bin/sh
# install-debian-side.sh postgresql-18|ceph-20|pgbackrest-2: programs of a newer Debian, unpacked beside the system's packages: nothing is installed, and the host's
# C library does not matter, because every program is told to use the loader and the libraries unpacked with it.
# PostgreSQL 18: the embedded one brings no client programs, and older ones refuse a newer server. Ceph 20: Debian 12's is of 2021.
# Prints the directory of PostgreSQL's programs, or the root under which Ceph lies. Quick when they are there already.
set -eu
what=$1
if [ "$(id -u)" = 0 ]; then cache=/var/cache; else cache=${XDG_CACHE_HOME:-$HOME/.cache}; fi
dest=${PGHOARD_TEST_CACHE:-$cache/pghoard-test}/$what
complete=$dest/complete
libraries=$dest/usr/lib/$(uname -m)-linux-gnu

# What the two differ in: the packages, those of their dependencies that stay out (what only serves maintenance), and what must run in the end.
case $what in
  postgresql-18)
    wanted='postgresql-18 postgresql-client-18'
    kept='^(postgresql(-client)?-18|lib.*)$'
    left_out='^(lib(llvm|perl|python|pam|json-perl|ipc|z3|systemd-shared|locale).*|lib.*-perl|libc-bin|libc-l10n)$'
    bin=$dest/usr/lib/postgresql/18/bin
    checked='pg_basebackup pg_receivewal pg_verifybackup pg_amcheck pg_waldump psql postgres'
    result=$bin
    ;;
  ceph-20)
    wanted='ceph-mon ceph-osd radosgw'
    kept='^(ceph-(base|common|mon|osd)|radosgw|lib.*)$'
    left_out='^(lib(perl|pam|systemd-shared|locale|binutils|gprofng|python3|llvm).*|lib.*-perl|libc-bin|libc-l10n|liblvm2.*)$'
    bin=$dest/usr/bin
    checked='ceph-mon ceph-osd radosgw radosgw-admin monmaptool'
    result=$dest
    ;;
  pgbackrest-2)
    wanted='pgbackrest'
    kept='^(pgbackrest|lib.*)$'
    left_out='^(lib(perl|pam|systemd-shared|locale).*|lib.*-perl|libc-bin|libc-l10n)$'
    bin=$dest/usr/bin
    checked=pgbackrest
    result=$bin
    ;;
  *)
    echo "usage: install-debian-side.sh postgresql-18|ceph-20|pgbackrest-2" >&2
    exit 2
    ;;
esac

main() {
  mkdir -p "${dest%/*}"
  exec 9> "$dest.lock"
  flock 9
  if [ ! -f "$complete" ]; then
    rm -rf "$dest"
    { prepare_newest_suite; unpack; } >&2
    use_own_libraries
    for program in $checked; do "$bin/$program" --version > /dev/null; done
    rm -rf "$dest/apt"
    : > "$complete"
  fi
  echo "$result"
}

prepare_newest_suite() {
  mirror=$(mirror)
  for suite in forky trixie sid; do
    if prepare_apt "$suite"; then return; fi
  done
  echo "No newer Debian suite has $what at the mirror that this machine uses." >&2
  exit 1
}

# An apt with sources, state and cache of its own, which believes that nothing is installed yet.
prepare_apt() {
  state=$dest/apt
  rm -rf "$state"
  mkdir -p "$state/etc/apt.conf.d" "$state/etc/preferences.d" "$state/lists/partial" "$state/cache/archives/partial"
  : > "$state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" > "$state/etc/sources.list"
  cat > "$state/apt.conf" <<CONF
Dir::Etc "$state/etc";
Dir::Etc::SourceList "$state/etc/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "$state";
Dir::State::Lists "$state/lists";
Dir::State::Status "$state/status";
Dir::Cache "$state/cache";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false"; # a suite in the making may be past its date; signatures are checked all the same
CONF
  export APT_CONFIG="$state/apt.conf"
  apt-get -qq update && has_version
}

# A suite may have Ceph, but an older one.
has_version() {
  set -- $wanted
  found=$(apt-cache show "$1" 2> /dev/null | sed -n 's/^Version: \([0-9]*\).*/\1/p' | head -n 1)
  [ "${found:-0}" -ge "${what##*-}" ]
}

# The Debian mirror that this machine uses.
mirror() {
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" || $NF ~ /\/debian\/?$/ { print $NF; found = 1; exit } END { exit !found }'
}

unpack() {
  packages=$(apt-get install -s --no-install-recommends $wanted | sed -n 's/^Inst \([^ ]*\) .*/\1/p' | grep -E "$kept" | grep -Ev "$left_out")
  (cd "$state/cache" && apt-get -qq download $packages)
  for package in "$state"/cache/*.deb; do dpkg-deb -x "$package" "$dest"; done
  rm -rf "$dest/usr/share/doc" "$dest/usr/share/man" "$dest/usr/share/locale"
}

use_own_libraries() {
  loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
  for program in "$bin"/*; do
    if is_elf "$program"; then patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries:$libraries/ceph" "$program"; fi
  done
  for library in "$libraries"/*.so* "$libraries"/ceph/*.so* "$libraries"/rados-classes/*.so*; do
    # a run path of its own would hide the programs' one from what a library loads in turn
    if is_elf "$library" && [ -n "$(patchelf --print-rpath "$library")" ]; then
      patchelf --force-rpath --set-rpath "$libraries:$libraries/ceph" "$library"
    fi
  done
}

is_elf() {
  [ -f "$1" ] && [ ! -L "$1" ] && [ "$(head -c 4 "$1" | tail -c 3)" = ELF ]
}

main
