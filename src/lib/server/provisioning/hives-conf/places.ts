/** Where things stand in a settings file, for messages; the TOML parser tells places of syntax errors only. */
export interface Places {
  /** The line on which an entry begins, counted from 1; undefined where it cannot be told. */
  entry(index: number): number | undefined;
  /** The line of one of its fields; that of the entry where the field stands elsewhere or is missing. */
  field(index: number, name: string): number | undefined;
}

const entryHead = /^\s*\[\[\s*"?hive"?\s*\]\]/u;
const anyHead = /^\s*\[/u;

/**
 * Looks for `[[hive]]` and for `field =` below it.
 * @param count how many entries the parser found: when the text seems to have another number (some stand in another
 *   form, or in a text), no place is told rather than a wrong one.
 */
export function placesIn(text: string, count: number): Places {
  const lines = text.split("\n");
  const heads = lines.flatMap((line, index) => (entryHead.test(line) ? [index] : []));
  const known = heads.length === count;

  const fieldLine = (head: number, name: string): number => {
    const word = name.replaceAll(/[\\^$.|?*+()[\]{}]/gu, String.raw`\$&`);
    const names = new RegExp(String.raw`^\s*"?${word}"?\s*[.=]`, "u");
    const subTable = new RegExp(String.raw`^\s*\[\s*hive\s*\.\s*"?${word}"?\s*[.\]]`, "u");
    let inEntry = true;
    for (let at = head + 1; at < lines.length; at += 1) {
      const line = lines[at] ?? "";
      if (entryHead.test(line)) break;
      if (subTable.test(line)) return at;
      if (anyHead.test(line)) inEntry = false;
      if (inEntry && names.test(line)) return at;
    }
    return head;
  };

  return {
    entry(index) {
      const head = heads[index];
      return known && head !== undefined ? head + 1 : undefined;
    },
    field(index, name) {
      const head = heads[index];
      return known && head !== undefined ? fieldLine(head, name) + 1 : undefined;
    },
  };
}
