/** How llama.cpp names the parts of a split model; it finds the others by the first one's name. */
const splitName = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/iu;

export interface SplitName {
  readonly stem: string;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
}

/** The folder of a path with its separator at the end, and the file's name. */
function parted(path: string): { folder: string; name: string } {
  const name = /[^/\\]*$/u.exec(path)?.[0] ?? "";
  return { folder: path.slice(0, path.length - name.length), name };
}

/** What a file's name says about the set it belongs to; null when it is no part of one. */
export function splitNameOf(path: string): SplitName | null {
  const match = splitName.exec(parted(path).name);
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
  const { folder } = parted(path);
  return Array.from(
    { length: split.parts },
    (_, index) => `${folder}${split.stem}-${number(index + 1)}-of-${number(split.parts)}.gguf`,
  );
}

/** A file's name without its ending and its place in a set. */
export function stemOf(path: string): string {
  return splitNameOf(path)?.stem ?? parted(path).name.replace(/\.gguf$/iu, "");
}

const quantizationLabel =
  /(?:^|[-._/])((?:UD-)?(?:I?Q[1-8](?:_[A-Z0-9]+)*|TQ[12]_0|MXFP4(?:_MOE)?|BF16|F16|F32))(?=[-._/]|$)/giu;
/** Projectors and speculative heads, which accompany a model. */
const companion = /(?:^|\/)(?:mmproj|mtp)[-._]/iu;

/** One model of a repository: a file, or all parts of a split one. */
export interface GgufCandidate {
  /** In order; parts that are not there are named all the same. */
  readonly paths: readonly string[];
  /** What the publisher calls it; the header decides what it is, once the file is here. */
  readonly quantization: string | null;
  /** The path without what names the quantization: alike for all files of one model. */
  readonly family: string;
}

/** The models among a repository's paths. A set of which only later parts are there is left out. */
export function ggufCandidates(paths: readonly string[]): GgufCandidate[] {
  return paths
    .filter((path) => /\.gguf$/iu.test(path) && !companion.test(path) && (splitNameOf(path)?.part ?? 1) === 1)
    .map((path) => {
      const named = parted(path).folder + stemOf(path);
      const label = [...named.matchAll(quantizationLabel)].at(-1)?.[1] ?? null;
      const family = label === null ? named : named.replaceAll(label, "").replaceAll(/[-._/]+/gu, "-");
      return {
        paths: partsOf(path),
        quantization: label?.toUpperCase() ?? null,
        family: family.replace(/^-|-$/gu, ""),
      };
    });
}

/** Taken in this order when a reference names neither file nor quantization: good answers for the memory first. */
export const quantizationOrder: readonly string[] = [
  "Q4_K_M",
  "Q4_K_S",
  "IQ4_XS",
  "IQ4_NL",
  "Q4_0",
  "MXFP4",
  "Q5_K_M",
  "Q5_K_S",
  "Q6_K",
  "Q8_0",
  "Q3_K_M",
  "F16",
  "BF16",
  "F32",
];
