/** Something in a grammar that may be repeated. */
interface Item {
  readonly atom: { readonly is: "text" | "empty" } | { readonly is: "rule"; readonly name: string } | Group;
  readonly least: number;
  readonly most: number;
}
interface Group {
  readonly is: "group";
  readonly options: readonly (readonly Item[])[];
}

const tokens =
  /\s+|#[^\r\n]*|(?<name>[a-zA-Z0-9-]+)\s*::=|(?<ref>[a-zA-Z0-9-]+)|(?<text>"(?:[^"\\]|\\.)*")|(?<set>\[(?:[^\]\\]|\\.)*\]|\.|!?<[^>\s]*>)|(?<times>[*+?]|\{\s*\d+\s*(?:,\s*\d*\s*)?\})|(?<sign>[()|])/suy;

/** Deeper parentheses could exhaust the stack of whoever follows them. */
const deepest = 200;
/** Classes of no characters, which the library reads as nothing. */
const emptySets: ReadonlySet<string> = new Set(["[]", "[^]"]);

const counts: Readonly<Record<string, readonly [number, number]>> = {
  "*": [0, Number.POSITIVE_INFINITY],
  "+": [1, Number.POSITIVE_INFINITY],
  "?": [0, 1],
};

function countOf(times: string): readonly [number, number] {
  const [, least = "0", comma, most = ""] = /^\{\s*(\d+)\s*(,?)\s*(\d*)\s*\}$/u.exec(times) ?? [];
  return (
    counts[times] ?? [
      Number(least),
      comma === "" ? Number(least) : most === "" ? Number.POSITIVE_INFINITY : Number(most),
    ]
  );
}

/** The rules of a grammar by name; null when it is written in a way that is not understood. */
function rulesOf(text: string): Map<string, Group> | null {
  // The library reads up to a NUL only.
  if (text.includes("\0")) return null;
  const rules = new Map<string, Group>();
  let open: Item[][][] = [];
  let at = 0;
  while (at < text.length) {
    tokens.lastIndex = at;
    const match = tokens.exec(text);
    if (match === null) return null;
    at += match[0].length;
    const { name, ref, text: quoted, set, times, sign } = match.groups ?? {};
    if (name !== undefined) {
      const options: Item[][] = [[]];
      rules.set(name, { is: "group", options });
      open = [options];
      continue;
    }
    const here = open.at(-1);
    const last = here?.at(-1);
    if (here === undefined || last === undefined) {
      if (match[0].trim() === "" || match[0].startsWith("#")) continue;
      return null;
    }
    const add = (atom: Item["atom"]) => last.push({ atom, least: 1, most: 1 });
    if (ref !== undefined) add({ is: "rule", name: ref });
    else if (quoted !== undefined) add({ is: quoted === '""' ? "empty" : "text" });
    else if (set !== undefined) add({ is: emptySets.has(set) ? "empty" : "text" });
    else if (sign === "|") here.push([]);
    else if (sign === "(") {
      const options: Item[][] = [[]];
      add({ is: "group", options });
      open.push(options);
      if (open.length > deepest) return null;
    } else if (sign === ")") {
      if (open.length < 2) return null;
      open.pop();
    } else if (times !== undefined) {
      const item = last.pop();
      if (item === undefined) return null;
      const [least, most] = countOf(times);
      // A second count repeats what the first one made.
      const counted = item.least !== 1 || item.most !== 1;
      last.push({ atom: counted ? { is: "group", options: [[item]] } : item.atom, least, most });
    }
  }
  return rules;
}

/**
 * Whether a grammar repeats something that may be empty. To follow all the ways in which that matches costs without
 * bounds, and everybody whose answer is computed in the same step would wait for it. Null when the grammar is written
 * in a way that is not understood.
 */
export function repeatsEmpty(text: string): boolean | null {
  const rules = rulesOf(text);
  if (rules === null) return null;
  const empty = new Set<string>();
  const atomIsEmpty = ({ atom }: Item): boolean =>
    atom.is === "empty" || (atom.is === "rule" && empty.has(atom.name)) || (atom.is === "group" && groupIsEmpty(atom));
  const groupIsEmpty = (group: Group): boolean =>
    group.options.some((items) => items.every((item) => item.least === 0 || atomIsEmpty(item)));
  for (let before = -1; before !== empty.size;) {
    before = empty.size;
    for (const [name, rule] of rules) if (groupIsEmpty(rule)) empty.add(name);
  }
  const repeats = (group: Group): boolean =>
    group.options.some((items) =>
      items.some((item) => (item.most > 1 && atomIsEmpty(item)) || (item.atom.is === "group" && repeats(item.atom))),
    );
  return [...rules.values()].some(repeats);
}
