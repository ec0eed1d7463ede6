import { formatModelReference, RbeeError, type HubReference } from "@rbee/contract";
import { partsOf, splitNameOf, stemOf } from "../split-files.ts";

/** A file of a repository on the hub. */
export interface HubFile {
  /** Path inside the repository. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Null for small files that the hub keeps no hash of. */
  readonly sha256: string | null;
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

const label = /(?:^|[-._/])((?:UD-)?(?:I?Q[1-8](?:_[A-Z0-9]+)*|TQ[12]_0|MXFP4(?:_MOE)?|BF16|F16|F32))(?=[-._/]|$)/giu;
/** Projectors and speculative heads, which accompany a model. */
const companion = /(?:^|\/)(?:mmproj|mtp)[-._]/iu;

/** One model of a repository: a file, or all parts of a split one. */
interface Candidate {
  readonly paths: readonly string[];
  readonly quantization: string | null;
}

/** What publishers call a file's quantization; the header decides what it is, once the file is here. */
function labelOf(path: string): string | null {
  const stem = path.replace(/[^/]*$/u, "") + stemOf(path);
  return [...stem.matchAll(label)].at(-1)?.[1]?.toUpperCase() ?? null;
}

function candidatesIn(files: readonly HubFile[]): Candidate[] {
  return files
    .filter(({ path }) => /\.gguf$/iu.test(path) && !companion.test(path) && (splitNameOf(path)?.part ?? 1) === 1)
    .map(({ path }) => ({ paths: partsOf(path), quantization: labelOf(path) }));
}

function named(reference: HubReference, candidates: readonly Candidate[]): Candidate {
  const { repository, file, quantization } = reference;
  const has = candidates.map(({ paths }) => paths[0] ?? "");
  const quantizations = [...new Set(candidates.flatMap((candidate) => candidate.quantization ?? []))];
  const notThere = (what: string) =>
    new RbeeError("download_not_found", `${repository} has no ${what}.`, {
      param: "model",
      details: { files: has, quantizations },
      suggestion: quantizations.length === 0 ? "Take one of its files." : `It has ${quantizations.join(", ")}.`,
    });
  const one = (fitting: readonly Candidate[]): Candidate | undefined => {
    const [first, ...more] = fitting;
    if (more.length === 0) return first;
    throw new RbeeError("invalid_request", `Several files of ${repository} fit; name one of them.`, {
      param: "model",
      details: { files: fitting.map(({ paths }) => paths[0]) },
      suggestion: `For example ${formatModelReference({ ...reference, quantization: null, file: first?.paths[0] ?? null })}.`,
    });
  };
  if (candidates.length === 0) throw notThere("GGUF file");
  if (file !== null) {
    const found = candidates.find(({ paths }) => paths.includes(file));
    if (found === undefined) throw notThere(`file ${file}`);
    return found;
  }
  if (quantization !== null) {
    const found = one(candidates.filter((candidate) => candidate.quantization === quantization));
    if (found === undefined) throw notThere(`file in ${quantization}`);
    return found;
  }
  for (const preferred of quantizationOrder) {
    const found = one(candidates.filter((candidate) => candidate.quantization === preferred));
    if (found !== undefined) return found;
  }
  const found = one(candidates);
  if (found === undefined) throw notThere("GGUF file");
  return found;
}

/**
 * The files of the one model that a reference means, in order.
 * @throws {RbeeError} `download_not_found` when there is none or a part of it is missing, `invalid_request` listing
 *   the files when several fit.
 */
export function chooseFiles(reference: HubReference, files: readonly HubFile[]): HubFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return named(reference, candidatesIn(files)).paths.map((path) => {
    const file = byPath.get(path);
    if (file !== undefined) return file;
    throw new RbeeError("download_not_found", `${reference.repository} lacks ${path}, a part of that model.`, {
      param: "model",
      suggestion: "Take another quantization, or tell the repository's owner.",
    });
  });
}
