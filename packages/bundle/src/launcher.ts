import { frugalEnvironment, frugalFlags } from "./frugal.ts";

/** Where the launcher lies in a tree; installing links to it. */
export const launcherFile = "bin/rbee-hive";

/** What the person who starts it has set stays. */
const environment = Object.entries(frugalEnvironment)
  .map(([name, value]) => `export ${name}="\${${name}:-${value}}"`)
  .join("\n");

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
${environment}
exec "$tree/node/bin/node" ${frugalFlags.join(" ")} "$tree/packages/hive/bin/rbee-hive.js" "$@"
`;
