import { quote } from "../ssh/index.ts";
import { isTreeName, type Layout, leftoverPatterns } from "../layout.ts";

/** What is in a hive's folder before something is changed there. */
export interface Standing {
  /** Names of the trees that the links point to; null where there is no link. */
  readonly current: string | null;
  readonly previous: string | null;
  /** Names of the trees that are there. */
  readonly trees: readonly string[];
  readonly hasProgram: boolean;
  /** Folders that were there; what an installation makes beyond them goes again when it fails. */
  readonly folders: readonly string[];
}

/** Folders that an installation makes when they are missing, outermost first. */
function foldersOf(layout: Layout): string[] {
  const above = (path: string, levels: number): string[] => {
    const parent = path.slice(0, Math.max(1, path.lastIndexOf("/")));
    return levels === 0 ? [] : [...above(parent, levels - 1), path];
  };
  const parent = layout.program.slice(0, Math.max(1, layout.program.lastIndexOf("/")));
  const inside = ["models", "logs", "run", "parked"].map((name) => `${layout.hive}/${name}`);
  return [...new Set([...above(layout.hive, 4), ...inside, ...above(parent, 2)])];
}

/** Prints what `readStanding` reads. */
export function standingScript(layout: Layout): string {
  return `cd ${quote(layout.hive)} 2>/dev/null && {
for link in current previous; do [ -L $link ] && printf '%s\\t%s\\n' $link "$(readlink $link)"; done
for tree in *; do [ -d "$tree" ] && [ ! -L "$tree" ] && printf 'tree\\t%s\\n' "$tree"; done
}
[ -L ${quote(layout.program)} ] && printf 'program\\tyes\\n'
for folder in ${foldersOf(layout).map(quote).join(" ")}; do [ -d "$folder" ] && printf 'folder\\t%s\\n' "$folder"; done
:`;
}

export function readStanding(output: string): Standing {
  const lines = output.split("\n").map((line) => line.split("\t"));
  const all = (what: string) => lines.flatMap(([name, value]) => (name === what && value !== undefined ? [value] : []));
  return {
    current: all("current")[0] ?? null,
    previous: all("previous")[0] ?? null,
    trees: all("tree").filter(isTreeName),
    hasProgram: all("program").length > 0,
    folders: all("folder"),
  };
}

/** Makes the folders, and removes what interrupted installations left. What an unfinished copy needs to go on stays. */
export function makeFoldersScript(layout: Layout, archiveName: string | null): string {
  const keep = archiveName === null ? "" : `case $left in ${archiveName}*) continue ;; esac; `;
  return `umask 077
mkdir -p -- ${quote(layout.hive)} || exit 1
cd -- ${quote(layout.hive)} || exit 1
chmod 700 . && mkdir -p models logs run parked || exit 1
for left in ${leftoverPatterns.join(" ")}; do ${keep}rm -rf -- "$left"; done
umask 022
mkdir -p -- "$(dirname -- ${quote(layout.program)})"`;
}

/** The name that an archive has on the machine while it is copied: by its content, so that only the same is resumed. */
export const archiveNameOf = (sha256: string) => `.bundle.tar.gz-${sha256.slice(0, 16)}`;

/** Unpacks an archive beside the trees and gives the result its name only when it is whole. */
export function unpackScript(layout: Layout, archive: string, name: string): string {
  return `cd -- ${quote(layout.hive)} || exit 1
part=${quote(`.${name}.part`)}
name=${quote(name)}
rm -rf -- "$part" && mkdir -- "$part" || exit 1
tar -xzf ${quote(archive)} -C "$part" || { code=$?; rm -rf -- "$part"; exit $code; }
rm -f -- ${quote(archive)}
${finishTree}`;
}

/** Expects `part` and `name`: permissions, then the name. A tree of that name that was there is replaced. */
const finishTree = `chmod 755 "$part" && chmod +x "$part/bin/rbee-hive" "$part/node/bin/node" || exit 1
if [ -e "$name" ]; then rm -rf -- "./.$name.old.part"; mv -- "$name" ".$name.old.part" || exit 1; fi
mv -- "$part" "$name" || exit 1
rm -rf -- "./.$name.old.part"`;

/** Gives a tree that was built on the machine its name. */
export function nameTreeScript(layout: Layout, partName: string, name: string): string {
  return `cd -- ${quote(layout.hive)} || exit 1
part=${quote(partName)}
name=${quote(name)}
${finishTree}`;
}

/** Prints what the program in a tree says of its version. */
export function versionScript(layout: Layout, tree: string): string {
  return `exec ${quote(`${layout.hive}/${tree}/bin/rbee-hive`)} --version`;
}

/** Links are replaced by a rename, which is never seen half done; `mv` cannot do that everywhere, Node can. */
function linkLines(tree: string, link: string, to: string): string {
  const rename = `require("fs").renameSync(process.argv[1], process.argv[2])`;
  return `rm -f -- ${quote(`.${link}.new`)} && ln -s -- ${quote(to)} ${quote(`.${link}.new`)} || exit 1
${quote(`./${tree}/node/bin/node`)} -e ${quote(rename)} ${quote(`.${link}.new`)} ${quote(link)} || exit 1`;
}

/** Points `current` and `previous` to trees; null takes the link away. */
export function linkScript(layout: Layout, links: { current: string; previous: string | null }): string {
  const { current, previous } = links;
  const program = quote(layout.program);
  return `cd -- ${quote(layout.hive)} || exit 1
${previous === null ? "rm -f -- previous" : linkLines(current, "previous", previous)}
${linkLines(current, "current", current)}
if [ "$(readlink ${program} 2>/dev/null)" != ${quote(`${layout.current}/bin/rbee-hive`)} ]; then
  rm -f -- ${program} && ln -s -- ${quote(`${layout.current}/bin/rbee-hive`)} ${program}
fi`;
}

/** Removes every tree but those named, and what interrupted installations left. */
export function tidyScript(layout: Layout, trees: readonly string[], keep: readonly (string | null)[]): string {
  const gone = trees.filter((tree) => isTreeName(tree) && !keep.includes(tree));
  const names = [...gone.map((tree) => quote(`./${tree}`)), ...leftoverPatterns.map((pattern) => `./${pattern}`)];
  return `cd -- ${quote(layout.hive)} 2>/dev/null || exit 0
rm -rf -- ${names.join(" ")}`;
}

/** Takes everything away that a first installation has made. */
export function undoFirstScript(layout: Layout, before: Standing, trees: readonly string[]): string {
  const made = foldersOf(layout)
    .filter((folder) => !before.folders.includes(folder))
    .reverse();
  return `${tidyScript(layout, trees, before.trees).replace("|| exit 0", "&& {")}
rm -f -- current previous hive.lock service.pid hive.db hive.db-wal hive.db-shm
[ ${before.folders.includes(layout.logs) ? "1" : "0"} = 1 ] || rm -rf -- ./logs
[ ${before.folders.includes(`${layout.hive}/run`) ? "1" : "0"} = 1 ] || rm -rf -- ./run
[ ${before.folders.includes(`${layout.hive}/parked`) ? "1" : "0"} = 1 ] || rm -rf -- ./parked
}
${before.hasProgram ? ":" : `rm -f -- ${quote(layout.program)}`}
${made.length === 0 ? ":" : `for folder in ${made.map(quote).join(" ")}; do rmdir -- "$folder" 2>/dev/null; done`}
:`;
}
