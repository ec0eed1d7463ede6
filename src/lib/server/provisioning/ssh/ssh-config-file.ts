import { globSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import { RbeeError } from "@rbee/contract";
import { LineType, parse, type Directive, type Line, type Section } from "ssh-config";

/** How deep `Include` may nest, as in ssh itself. */
const deepestInclude = 16;

/** One ssh config file with its includes in place, as nested blocks. */
export interface ConfigBlock {
  /** Whether the lines of this block hold for a host; what asks for a command to be run never does. */
  readonly applies: (host: QueriedHost) => boolean;
  /** The `Host` patterns of this block; empty for other blocks. */
  readonly patterns: readonly string[];
  readonly entries: readonly (ConfigBlock | ConfigEntry)[];
}
export interface ConfigEntry {
  /** The keyword in lower case. */
  readonly keyword: string;
  readonly words: readonly string[];
}
/** Whom the settings are asked for; `host` changes once `HostName` is known, `original` does not. */
export interface QueriedHost {
  readonly original: string;
  readonly host: string;
  readonly user: string;
}

/**
 * Reads an ssh config file and everything it includes. A file that is missing or cannot be read is empty.
 * @throws RbeeError `invalid_request` for a file that is no ssh config
 * @param home what `~` stands for
 * @param folder what relative `Include` paths are relative to
 */
export function readConfigFile(path: string, home: string, folder: string, depth = 0): ConfigBlock {
  const lines = parseLines(path);
  return { applies: () => true, patterns: [], entries: toEntries(lines, home, folder, depth) };
}

/** Every line that holds for the host, in order: for most keywords the first one wins. */
export function entriesFor(block: ConfigBlock, host: QueriedHost): ConfigEntry[] {
  if (!block.applies(host)) return [];
  return block.entries.flatMap((entry) => ("keyword" in entry ? [entry] : entriesFor(entry, host)));
}

/** The host names that the config spells out (no patterns), in order, each once. */
export function namedHosts(block: ConfigBlock): string[] {
  const names = block.entries.flatMap((entry) => {
    if ("keyword" in entry) return [];
    return [...entry.patterns.filter((pattern) => !/[*?!]/.test(pattern)), ...namedHosts(entry)];
  });
  return [...new Set(names)];
}

/** Whether `text` is matched by a list of patterns with `*`, `?` and `!` (a `!` that matches rules it out). */
export function matchesPatterns(patterns: readonly string[], text: string): boolean {
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith("!");
    if (!wildcard(negated ? pattern.slice(1) : pattern).test(text)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}

function wildcard(pattern: string): RegExp {
  const source = [...pattern.toLowerCase()]
    .map((letter) => (letter === "*" ? ".*" : letter === "?" ? "." : letter.replace(/[\\^$.|+()[\]{}]/, "\\$&")))
    .join("");
  return new RegExp(`^${source}$`, "i");
}

function parseLines(path: string): readonly Line[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  try {
    return parse(text);
  } catch (error) {
    throw new RbeeError("invalid_request", `The ssh config ${path} cannot be understood.`, {
      param: "target",
      cause: error,
    });
  }
}

function toEntries(lines: readonly Line[], home: string, folder: string, depth: number): (ConfigBlock | ConfigEntry)[] {
  return lines.flatMap((line): (ConfigBlock | ConfigEntry)[] => {
    if (line.type !== LineType.DIRECTIVE) return [];
    const keyword = line.param.toLowerCase();
    const words = wordsOf(line);
    if (keyword === "include") return depth >= deepestInclude ? [] : includes(words, home, folder, depth);
    if (!isSection(line)) return [{ keyword, words }];
    const entries = toEntries(line.config, home, folder, depth);
    if (keyword === "host")
      return [{ applies: (host) => matchesPatterns(words, host.original), patterns: words, entries }];
    return [{ applies: (host) => matchHolds(matchCriteria(line), host), patterns: [], entries }];
  });
}

function includes(words: readonly string[], home: string, folder: string, depth: number): ConfigBlock[] {
  return words.flatMap((word) => {
    const expanded = word === "~" || word.startsWith("~/") ? join(home, word.slice(1)) : word;
    const pattern = isAbsolute(expanded) ? expanded : join(folder, expanded);
    return globSync(pattern)
      .sort()
      .map((path) => readConfigFile(path, home, folder, depth + 1));
  });
}

function isSection(line: Directive): line is Section {
  return "config" in line;
}

function wordsOf(line: Directive): string[] {
  if (typeof line.value !== "string") return line.value.map((word) => word.val).filter((word) => word !== "");
  if (line.quoted === true) return [line.value];
  return [...line.value.matchAll(/"([^"]*)"|(\S+)/g)].map((word) => word[1] ?? word[2] ?? "");
}

function matchCriteria(line: Section): [string, string[]][] {
  const criteria = "criteria" in line ? (line.criteria as Record<string, string | { val: string }[]>) : {};
  return Object.entries(criteria).map(([name, value]) => [
    name.toLowerCase(),
    typeof value === "string" ? value.split(",") : value.flatMap((word) => word.val.split(",")),
  ]);
}

/** `exec` would run a command of the file's choice and the rest need a second pass: such blocks never hold here. */
function matchHolds(criteria: readonly [string, string[]][], host: QueriedHost): boolean {
  return (
    criteria.length > 0 &&
    criteria.every(([name, patterns]) => {
      if (name === "all") return true;
      if (name === "host") return matchesPatterns(patterns, host.host);
      if (name === "originalhost") return matchesPatterns(patterns, host.original);
      if (name === "user") return matchesPatterns(patterns, host.user);
      if (name === "localuser") return matchesPatterns(patterns, userInfo().username);
      return false;
    })
  );
}
