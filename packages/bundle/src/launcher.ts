/** Where the launcher lies in a tree; installing links to it. */
export const launcherFile = "bin/rbee-hive";

/**
 * `bin/rbee-hive`: finds its own tree through however many symbolic links it was called. `readlink -f` would be
 * shorter, but older Macs have none.
 */
export const launcher = `#!/bin/sh
# Starts the hive of the tree that this file lies in.
program=$0
case $program in
  */*) ;;
  *) [ -e "./$program" ] && program=./$program || program=$(command -v -- "$program") ;;
esac
while [ -L "$program" ]; do
  target=$(readlink -- "$program") || exit 1
  case $target in
    /*) program=$target ;;
    *) program=$(dirname -- "$program")/$target ;;
  esac
done
tree=$(CDPATH= cd -- "$(dirname -- "$program")/.." && pwd -P) || exit 1
exec "$tree/node/bin/node" "$tree/packages/hive/bin/rbee-hive.js" "$@"
`;
