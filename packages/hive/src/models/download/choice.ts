import {
  formatModelReference,
  ggufCandidates,
  quantizationOrder,
  RbeeError,
  type GgufCandidate,
  type HubReference,
} from "@rbee/contract";

/** A file of a repository on the hub. */
export interface HubFile {
  /** Path inside the repository. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Null for small files that the hub keeps no hash of. */
  readonly sha256: string | null;
}

function named(reference: HubReference, candidates: readonly GgufCandidate[]): GgufCandidate {
  const { repository, file, quantization } = reference;
  const has = candidates.map(({ paths }) => paths[0] ?? "");
  const quantizations = [...new Set(candidates.flatMap((candidate) => candidate.quantization ?? []))];
  const notThere = (what: string) =>
    new RbeeError("download_not_found", `${repository} has no ${what}.`, {
      param: "model",
      details: { files: has, quantizations },
      suggestion: quantizations.length === 0 ? "Take one of its files." : `It has ${quantizations.join(", ")}.`,
    });
  const one = (fitting: readonly GgufCandidate[]): GgufCandidate | undefined => {
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
  return named(reference, ggufCandidates(files.map(({ path }) => path))).paths.map((path) => {
    const file = byPath.get(path);
    if (file !== undefined) return file;
    throw new RbeeError("download_not_found", `${reference.repository} lacks ${path}, a part of that model.`, {
      param: "model",
      suggestion: "Take another quantization, or tell the repository's owner.",
    });
  });
}
