#!/bin/sh
# with-test-memory.sh COMMAND ARGUMENT…: runs it with PGHOARD_TEST_MEMORY, a directory in memory that is gone afterwards, where there is plenty of memory. The tests put
# their PostgreSQL clusters there: each is some thousand files, and a file system without a journal takes half a millisecond of processor time for each file,
# searching for an inode that was not in use of late. What the daemon writes stays on disk, so that it lasts long enough to be killed in the middle.
set -eu

# What three test files need at once, twice over.
bytes_needed=$((8 * 1024 * 1024 * 1024))
memory=/dev/shm

has_plenty() {
  [ -d "$memory" ] && [ -w "$memory" ] || return 1
  free=$(df -k --output=avail "$memory" | tail -n 1)
  available=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  [ "$((free * 1024))" -ge "$bytes_needed" ] && [ "$((available * 1024))" -ge "$bytes_needed" ]
}

# Programs are run from there, too; containers often forbid it.
may_run_programs() {
  printf '#!/bin/sh\n' > "$1/program" && chmod 755 "$1/program" && "$1/program" 2> /dev/null || return 1
  rm "$1/program"
}

# Of a run that was killed: its name tells its process.
remove_left() {
  for left in "$memory"/pghoard-test.*; do
    if [ -d "$left" ] && ! [ -d "/proc/${left##*.}" ]; then rm -rf "$left"; fi
  done
}

if ! has_plenty; then exec "$@"; fi
remove_left
directory=$memory/pghoard-test.$$
mkdir -m 755 "$directory"
trap 'rm -rf "$directory"' EXIT
if may_run_programs "$directory"; then
  PGHOARD_TEST_MEMORY=$directory
  export PGHOARD_TEST_MEMORY
fi
"$@" &
command=$!
trap 'kill -TERM "$command"' TERM INT HUP
code=0
wait "$command" || code=$?
# Where a signal ended the waiting, the command has still to end.
while kill -0 "$command" 2> /dev/null; do wait "$command" || code=$?; done
exit "$code"
