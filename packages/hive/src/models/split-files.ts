import { basename, dirname, join } from "node:path";

/** How llama.cpp names the parts of a split model; it finds the others by the first one's name. */
const splitName = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/iu;

export interface SplitName {
  readonly stem: string;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
}

/** What a file's name says about the set it belongs to; null when it is no part of one. */
export function splitNameOf(path: string): SplitName | null {
  const match = splitName.exec(basename(path));
  if (match === null) return null;
  const [, stem = "", part, parts] = match;
  const split = { stem, part: Number(part), parts: Number(parts) };
  return split.part >= 1 && split.part <= split.parts && split.parts <= 1_000 ? split : null;
}

/** The paths of all parts of the set that this one belongs to, in order; of an ordinary file its own. */
export function partsOf(path: string): string[] {
  const split = splitNameOf(path);
  if (split === null) return [path];
  const number = (value: number) => String(value).padStart(5, "0");
  return Array.from({ length: split.parts }, (_, index) =>
    join(dirname(path), `${split.stem}-${number(index + 1)}-of-${number(split.parts)}.gguf`),
  );
}

/** A file's name without its ending and its place in a set. */
export function stemOf(path: string): string {
  return splitNameOf(path)?.stem ?? basename(path).replace(/\.gguf$/iu, "");
}
