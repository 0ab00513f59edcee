#!/bin/sh
# accessible-checkout.sh USER COPY: prints a directory with this checkout whose programs USER can run: the checkout itself, or COPY, made of
# hard links where the file system allows it. PostgreSQL refuses to run as root, and other users cannot enter root's home directory.
set -eu
user=$1 copy=$2
root=$(cd -- "$(dirname -- "$0")/.." && pwd -P)

if setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups test -x "$root/bin/pghoard_postgres_command"; then
  echo "$root"
  exit
fi
rm -rf "$copy"
mkdir "$copy" # fails where somebody else was quicker
for entry in "$root"/*; do # all but hidden files: no .git, no demo
  cp -al "$entry" "$copy/" 2> /dev/null || cp -a "$entry" "$copy/"
done
chmod 755 "$copy"
echo "$copy"
