import { RbeeError } from "@rbee/contract";
import { parse, TomlError } from "smol-toml";
import type * as z from "zod";
import { entryOf, entrySchema, type HivesConfEntry } from "./entry.ts";
import { placesIn, type Places } from "./places.ts";

/** One thing that is wrong in the file. */
export interface Mistake {
  /** Counted from 1; null where it cannot be told. */
  readonly line: number | null;
  /** Which `[[hive]]`, counted from 1; null for what stands outside of them. */
  readonly entry: number | null;
  /** Dotted, for example `install_method.git.repo`; null for the entry or file as a whole. */
  readonly field: string | null;
  readonly message: string;
}

const known = Object.keys(entrySchema.shape);

/**
 * Reads the text of `hives.conf`.
 * @param path how the file is called in messages
 * @throws {RbeeError} `invalid_request`, naming every mistake with its line and field; `details.mistakes` lists them.
 */
export function parseHivesConf(text: string, path: string): HivesConfEntry[] {
  const content = readToml(text, path);
  const mistakes: Mistake[] = Object.keys(content)
    .filter((key) => key !== "hive")
    .map((key) => ({
      line: null,
      entry: null,
      field: key,
      message: "is not known here; machines stand under [[hive]]",
    }));
  const { hive = [] } = content;
  if (!Array.isArray(hive)) {
    mistakes.push({ line: null, entry: null, field: "hive", message: "must be written [[hive]], with two brackets" });
    throw refused(path, mistakes);
  }
  const places = placesIn(text, hive.length);
  const entries = hive.map((value: unknown, index) => readEntry(value, index, places, mistakes));
  mistakes.push(...duplicates(entries, places));
  if (mistakes.length > 0) throw refused(path, mistakes);
  return entries.flatMap((entry) => (entry === undefined ? [] : [entry]));
}

function readToml(text: string, path: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [, reason = "it is not valid TOML"] = /^Invalid TOML document: ([^\n]+)/u.exec(error.message) ?? [];
    throw refused(path, [{ line: error.line, entry: null, field: null, message: reason }]);
  }
}

function readEntry(value: unknown, index: number, places: Places, mistakes: Mistake[]): HivesConfEntry | undefined {
  const result = entrySchema.safeParse(value);
  if (result.success) return entryOf(result.data);
  for (const issue of result.error.issues) mistakes.push(...mistakesOf(issue, index, places));
  return undefined;
}

function mistakesOf(issue: z.core.$ZodIssue, index: number, places: Places): Mistake[] {
  const at = (path: readonly PropertyKey[], message: string): Mistake => {
    const [first] = path;
    const line = first === undefined ? places.entry(index) : places.field(index, String(first));
    const field = first === undefined ? null : path.map(String).join(".");
    return { line: line ?? null, entry: index + 1, field, message };
  };
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => at([...issue.path, key], `is not known here; known are ${known.join(", ")}`));
  const missing = issue.code === "invalid_type" && issue.path[0] === "alias" && issue.input === undefined;
  return [at(issue.path, missing ? "is missing" : issue.message)];
}

/** Entries that are broken themselves take no part. */
function duplicates(entries: readonly (HivesConfEntry | undefined)[], places: Places): Mistake[] {
  const mistakes: Mistake[] = [];
  const aliases = new Map<string, number>();
  const targets = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    if (entry === undefined) continue;
    const firstAlias = aliases.get(entry.alias.toLowerCase());
    const address = addressOf(entry.target);
    const firstTarget = targets.get(address);
    const entryWords = (first: number) => {
      const line = places.entry(first);
      return `entry ${first + 1}${line === undefined ? "" : ` in line ${line}`}`;
    };
    const mistake = (field: string, message: string): Mistake => ({
      line: places.field(index, field) ?? null,
      entry: index + 1,
      field,
      message,
    });
    if (firstAlias !== undefined)
      mistakes.push(mistake("alias", `"${entry.alias}" is the alias of ${entryWords(firstAlias)} already`));
    else if (firstTarget !== undefined)
      mistakes.push(mistake("hostname", `${address} is the address of ${entryWords(firstTarget)} already`));
    aliases.set(entry.alias.toLowerCase(), firstAlias ?? index);
    targets.set(address, firstTarget ?? index);
  }
  return mistakes;
}

/** Without the account, and with the port that counts when none is written. */
function addressOf(target: string): string {
  const address = target.slice(target.lastIndexOf("@") + 1).toLowerCase();
  return address.replace(/^\[(.*)\]/u, "$1").replace(/:22$/u, "");
}

function refused(path: string, mistakes: readonly Mistake[]): RbeeError {
  const lines = mistakes.map(({ line, entry, field, message }) => {
    const where = [
      ...(line === null ? [] : [`line ${line}`]),
      ...(entry === null ? [] : [`entry ${entry}`]),
      ...(field === null ? [] : [`\`${field}\``]),
    ];
    return `${where.join(", ")}${where.length === 0 ? "" : ": "}${message}`;
  });
  const count = mistakes.length === 1 ? "a mistake" : `${mistakes.length} mistakes`;
  return new RbeeError("invalid_request", `${path} has ${count}. ${lines.join("; ")}.`, {
    param: "hives.conf",
    details: { file: path, mistakes },
    suggestion: "Mend the file, then try again; nothing was done.",
  });
}
