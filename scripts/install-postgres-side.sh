#!/bin/sh
# PostgreSQL 18 with all its programs from a newer Debian, unpacked beside the system's packages: nothing is installed, and the host's C library
# does not matter, because every program is told to use the loader and the libraries unpacked with it.
# The embedded PostgreSQL 18 brings no client programs, and older ones refuse a newer server.
# Prints the directory of the programs. Quick when they are there already.
set -eu
major=18
suites='forky trixie sid'
if [ "$(id -u)" = 0 ]; then cache=/var/cache; else cache=${XDG_CACHE_HOME:-$HOME/.cache}; fi
dest=${PGHOARD_TEST_CACHE:-$cache/pghoard-test}/postgresql-$major
bin=$dest/usr/lib/postgresql/$major/bin
complete=$dest/complete

main() {
  mkdir -p "${dest%/*}"
  exec 9> "$dest.lock"
  flock 9
  if [ ! -f "$complete" ]; then
    rm -rf "$dest"
    { prepare_newest_suite; unpack; } >&2
    use_own_libraries
    check
    rm -rf "$dest/apt"
    : > "$complete"
  fi
  echo "$bin"
}

prepare_newest_suite() {
  mirror=$(mirror)
  for suite in $suites; do
    if prepare_apt "$suite"; then return; fi
  done
  echo "No Debian suite of $suites has PostgreSQL $major at the mirror that this machine uses." >&2
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
  apt-get -qq update && apt-cache show "postgresql-$major" > /dev/null 2>&1
}

# The Debian mirror that this machine uses.
mirror() {
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" || $NF ~ /\/debian\/?$/ { print $NF; found = 1; exit } END { exit !found }'
}

# PostgreSQL and the libraries it needs; what Debian adds for maintenance of clusters stays out.
unpack() {
  packages=$(apt-get install -s --no-install-recommends "postgresql-$major" "postgresql-client-$major" |
    sed -n 's/^Inst \([^ ]*\) .*/\1/p' |
    grep -E "^(postgresql(-client)?-$major|lib.*)$" |
    grep -Ev '^(lib(llvm|perl|python|pam|json-perl|ipc|z3|systemd-shared|locale).*|lib.*-perl|libc-bin|libc-l10n)$')
  (cd "$state/cache" && apt-get -qq download $packages)
  for package in "$state"/cache/*.deb; do dpkg-deb -x "$package" "$dest"; done
  rm -rf "$dest/usr/share/doc" "$dest/usr/share/man" "$dest/usr/share/locale"
}

use_own_libraries() {
  libraries=$dest/usr/lib/$(uname -m)-linux-gnu
  loader=$(find "$libraries" -name 'ld-linux*.so.*' | head -n 1)
  for program in "$bin"/*; do
    if is_elf "$program"; then patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$program"; fi
  done
  for library in "$libraries"/*.so*; do # a run path of its own would hide the programs' one from what a library loads in turn
    if is_elf "$library" && [ -n "$(patchelf --print-rpath "$library")" ]; then patchelf --force-rpath --set-rpath "$libraries" "$library"; fi
  done
}

is_elf() {
  [ -f "$1" ] && [ ! -L "$1" ] && [ "$(head -c 4 "$1" | tail -c 3)" = ELF ]
}

check() {
  for program in pg_basebackup pg_receivewal pg_verifybackup pg_amcheck pg_waldump psql postgres; do
    "$bin/$program" --version > /dev/null
  done
}

main
