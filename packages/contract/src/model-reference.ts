import * as z from "zod";
import { RbeeError } from "./errors.ts";
import { modelIdSchema } from "./identifiers.ts";

/** A model of the hub: which repository, which of its files, at which revision. */
export interface HubReference {
  readonly kind: "hub";
  /** `org/repo`. */
  readonly repository: string;
  /** For example `Q4_K_M`, in capitals; null when a file is named or nothing is. */
  readonly quantization: string | null;
  /** Path inside the repository. */
  readonly file: string | null;
  /** Branch, tag or commit; null means the repository's main branch. */
  readonly revision: string | null;
}

/** A GGUF file on the hive's own disk. */
export interface FileReference {
  readonly kind: "file";
  /** Absolute. */
  readonly path: string;
}

/** An alias, or the id of a model in a catalogue. */
export interface NameReference {
  readonly kind: "name";
  readonly name: string;
}

export type ModelReference = HubReference | FileReference | NameReference;

const allowed =
  "Write hf:org/repo, hf:org/repo:Q4_K_M or hf:org/repo/file.gguf (each may end with @revision), " +
  "file:///absolute/path.gguf, an alias, or the id of a model.";

const repositoryPart = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.))*(?<![.-])$/u;
const quantizationText = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/u;
const fileSegment = /^[A-Za-z0-9_+(=[](?:[A-Za-z0-9_+()=,[\] -]|\.(?!\.))*$/u;
const revisionText = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.)|\/(?![/.]))*(?<![./])$/u;
/** Control characters, direction marks and the like, which make a path look like another one; and lone surrogates. */
const treacherous = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;

function refuse(problem: string): never {
  throw new RbeeError("invalid_request", `\`model\`: ${problem}`, { param: "model", suggestion: allowed });
}

function parseHub(text: string): HubReference {
  const [main = "", revision, ...more] = text.split("@");
  if (more.length > 0) refuse("a reference has one @ at most, in front of the revision.");
  if (revision !== undefined && (revision.length > 200 || !revisionText.test(revision)))
    refuse("what follows @ must be a branch, tag or commit.");
  const [path = "", quantization, ...rest] = main.split(":");
  if (rest.length > 0) refuse("a reference has one : at most after hf:, in front of the quantization.");
  const [organisation = "", name = "", ...segments] = path.split("/");
  if (![organisation, name].every((part) => part.length <= 96 && repositoryPart.test(part)))
    refuse("hf: must be followed by org/repo.");
  const file = segments.length === 0 ? null : segments.join("/");
  if (file !== null) {
    if (quantization !== undefined) refuse("name a quantization or a file, not both.");
    if (!segments.every((segment) => segment.length <= 200 && fileSegment.test(segment)) || file.length > 400)
      refuse("the path inside the repository has characters that are not taken.");
    if (!/\.gguf$/iu.test(file)) refuse("the file must end in .gguf.");
  }
  if (quantization !== undefined && !quantizationText.test(quantization))
    refuse("what follows : must be a quantization such as Q4_K_M.");
  return {
    kind: "hub",
    repository: `${organisation}/${name}`,
    quantization: quantization?.toUpperCase() ?? null,
    file,
    revision: revision ?? null,
  };
}

function parseFile(encoded: string): FileReference {
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    return refuse("the path after file:// is not encoded as in a URL; write %25 for a percent sign.");
  }
  if (!path.startsWith("/")) refuse("file:// must be followed by an absolute path, so that there are three slashes.");
  if (path.length > 4_096 || treacherous.test(path)) refuse("the path has characters that are not taken.");
  if (
    path
      .slice(1)
      .split("/")
      .some((segment) => segment === "" || segment === "." || segment === "..")
  )
    refuse("the path must be the plain one, without `..`, `.` or empty parts.");
  if (!/\.gguf$/iu.test(path)) refuse("the file must end in .gguf.");
  return { kind: "file", path };
}

/**
 * Reads how a person names a model.
 * @throws {RbeeError} `invalid_request` with `param` `model`; the suggestion says what is allowed.
 */
export function parseModelReference(text: string): ModelReference {
  if (text.startsWith("hf:")) return parseHub(text.slice(3));
  if (text.startsWith("file://")) return parseFile(text.slice(7));
  if (!modelIdSchema.safeParse(text).success) refuse("this is not a way to name a model.");
  return { kind: "name", name: text };
}

/** The one text for a reference: `parseModelReference` reads it back. */
export function formatModelReference(reference: ModelReference): string {
  switch (reference.kind) {
    case "name":
      return reference.name;
    case "file":
      return `file://${reference.path.split("/").map(encodeURIComponent).join("/")}`;
    case "hub": {
      const { repository, quantization, file, revision } = reference;
      const which = file === null ? (quantization === null ? "" : `:${quantization}`) : `/${file}`;
      return `hf:${repository}${which}${revision === null ? "" : `@${revision}`}`;
    }
  }
}

/** A model as people name it, checked but left as text. */
export const modelReferenceSchema = z
  .string()
  .trim()
  .min(1, "must not be empty")
  .max(8_192)
  .superRefine((text, context) => {
    try {
      parseModelReference(text);
    } catch (error) {
      const problem = error instanceof RbeeError ? error : undefined;
      const words = (problem?.message ?? "is invalid").replace(/^`model`: /u, "").replace(/\.$/u, "");
      context.addIssue({ code: "custom", message: `${words}. ${allowed.replace(/\.$/u, "")}` });
    }
  })
  .describe(allowed);
