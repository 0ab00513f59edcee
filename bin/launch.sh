# Sourced by the commands beside it, which set $root (the package) before. POSIX sh.

# The Node that came with the package, in its own or in a surrounding node_modules, else the one on PATH.
find_node() {
  for node in "$root"/node_modules/node-linux-*/bin/node "$root"/../node-linux-*/bin/node; do
    if [ -x "$node" ]; then return; fi
  done
  node=$(command -v node) || fail 'Node.js was not found. Install Node.js 22.15 or later, or run "npm install" in the package again.'
  case $("$node" --version) in
    v[0-9].* | v1[0-9].* | v2[01].* | v22.[0-9].* | v22.1[0-4].*)
      fail "$node is version $("$node" --version), but 22.15 or later is needed. Install a newer Node.js, or run \"npm install\" again." ;;
  esac
}

fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit 255 # neither "not found" nor success for archive_command and restore_command
}

# launch FILE ARGUMENT…: runs src/cli/FILE.ts as bundled.
launch() {
  main=$root/dist/programs/$1.js
  shift
  [ -f "$main" ] || fail "$main is missing: pghoard is not built yet. Run \"npm install && npm run build\" in $root."
  find_node
  # Node has four threads for the file system, all of which one dead disk would take.
  UV_THREADPOOL_SIZE=${UV_THREADPOOL_SIZE:-32}
  export UV_THREADPOOL_SIZE
  # glibc keeps what was freed in up to eight arenas per processor, and its limit for what it asks the system for, 128 KiB at first, grows with
  # what is freed: buffers that come and go would stay with the process for ever.
  MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2}
  MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-131072}
  export MALLOC_ARENA_MAX MALLOC_MMAP_THRESHOLD_
  # The daemon's old generations are collected once they have grown by half: else they grow to some three times of what lives in them.
  daemon=
  case $main in */pghoard.js) daemon='--heap-growing-percent=50' ;; esac
  # Else V8's young generation takes up to 96 MiB in each thread for what lives no longer than a page of a listing.
  exec "$node" --enable-source-maps --max-semi-space-size=2 $daemon --disable-warning=ExperimentalWarning "$main" "$@"
}
