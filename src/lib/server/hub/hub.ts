import {
  leastContext,
  formatModelReference,
  ggufCandidates,
  parseModelReference,
  quantizationOrder,
  RbeeError,
  repositoryNamed,
  type FitQuery,
  type GgufCandidate,
  type HiveFit,
  type HiveModel,
  type HubFile,
  type HubModel,
  type HubReference,
  type HubRepository,
  type HubStarter,
} from "@rbee/contract";
import { fitOn, type ModelShape } from "./fit.ts";
import type { RemoteHeader } from "./gguf-header.ts";
import { hiveMemory, type SeenHive } from "./hive-memory.ts";
import { HubHttp } from "./hub-http.ts";
import { RemoteHeaders } from "./remote-headers.ts";
import { readRepository, searchRepositories, type Described, type Listed, type ListedFile } from "./repositories.ts";
import { starterFacts, starters, type Starter } from "./starters.ts";

/** Models that the household could have, and whether they would fit. */
export interface Hub {
  /** Where people read about its models; without a slash at the end. */
  readonly url: string;
  /**
   * Repositories with GGUF files, the most downloaded first.
   * @throws {RbeeError} `download_failed`, `download_forbidden`.
   */
  search(ask: { q: string; limit: number } & FitQuery, signal: AbortSignal): Promise<HubModel[]>;
  /**
   * The models in one repository.
   * @throws {RbeeError} `download_not_found`, `download_forbidden`, `download_failed`; `invalid_request`.
   */
  repository(
    ask: { repository: string; revision?: string | undefined } & FitQuery,
    signal: AbortSignal,
  ): Promise<HubRepository>;
  /**
   * What running a model takes that a reference means; null when the hub cannot say, or when the reference does not
   * mean one model. Rejects only when the asker leaves.
   */
  needs(reference: HubReference, signal: AbortSignal): Promise<ModelNeeds | null>;
  /** Well-known models to begin with, the smallest first. The hub is not asked. */
  starters(ask: FitQuery): HubStarter[];
}

/** Size and memory of a model that nobody in the household has. */
export type ModelNeeds = Pick<HiveModel, "size_bytes" | "context_length" | "memory">;

export interface HubOptions {
  readonly url: string;
  readonly token: string | undefined;
  readonly hives: { readonly registry: { all(): readonly SeenHive[] } };
  /** How long the hub may take for one question. */
  readonly timeoutMs?: number;
}

/** What looks like a repository may be words to search for. */
function nothingOfThatName(thrown: unknown): null {
  if (thrown instanceof RbeeError && thrown.code === "download_not_found") return null;
  throw thrown;
}

const defaultTimeoutMs = 10_000;
/** Bytes per parameter of a file in Q4_K_M, on average over its tensors. */
const bytesPerParameter = 0.61;
/** Of how many different models in one repository the header is read. */
const mostHeaders = 8;

/** Tells a model that a hive has by where it came from, or by its bytes. */
type IsSame = (model: HiveModel) => boolean;

const isFile =
  (reference: string, sha256: string | null): IsSame =>
  (model) =>
    model.reference === reference || (sha256 !== null && model.files.some((file) => file.sha256 === sha256));

const isFrom =
  (repository: string): IsSame =>
  ({ reference }) =>
    reference !== null && repositoryNamed(reference) === repository;

/** How a model of a repository is pulled: by its quantization where that names one model alone. */
function referenceOf(
  repository: string,
  candidate: GgufCandidate,
  all: readonly GgufCandidate[],
  revision: string | null,
) {
  const { quantization } = candidate;
  const isOnly = all.filter((other) => other.quantization === quantization).length === 1;
  const byName = quantization !== null && isOnly;
  const file = byName ? null : (candidate.paths[0] ?? null);
  return formatModelReference({
    ...{ kind: "hub", repository, revision, file },
    quantization: byName ? quantization : null,
  });
}

/** The quantization that is pulled when none is named. */
const usualOf = (all: readonly GgufCandidate[]): string | null =>
  quantizationOrder.find((each) => all.some(({ quantization }) => quantization === each)) ?? null;

/** Of each different model in a repository the file whose header is read: the one that most people take. */
function toLookInto(candidates: readonly GgufCandidate[]): Map<string, GgufCandidate> {
  const rank = ({ quantization }: GgufCandidate) => {
    const at = quantizationOrder.indexOf(quantization ?? "");
    return at === -1 ? quantizationOrder.length : at;
  };
  const families = new Map<string, GgufCandidate>();
  for (const candidate of candidates.toSorted((a, b) => rank(a) - rank(b)))
    if (!families.has(candidate.family) && families.size < mostHeaders) families.set(candidate.family, candidate);
  return families;
}

function toModel(described: Described) {
  const { repository, downloads, likes, gated, updatedAt, parameters, architecture, contextLength } = described;
  return {
    ...{ repository, downloads, likes, gated, parameters, architecture },
    private: described.private,
    updated_at: updatedAt,
    context_length: contextLength,
  };
}

export function createHub({ url, token, hives, timeoutMs = defaultTimeoutMs }: HubOptions): Hub {
  const http = new HubHttp({ url, token }, timeoutMs);
  const headers = new RemoteHeaders(http);

  const fitsOf = (model: ModelShape, contextLength: number | undefined, isSame: IsSame): HiveFit[] =>
    hives.registry.all().map((hive) => {
      const there = hive.capabilities?.models.find(isSame)?.id ?? null;
      return fitOn(model, hiveMemory(hive), { contextLength, there });
    });

  const found = (described: Described, context: number | undefined): HubModel => {
    const { parameters, contextLength: trainedContext, repository } = described;
    const size = parameters === null ? null : Math.round(parameters * bytesPerParameter);
    const shape = size === null ? null : { sizeBytes: size, trainedContext, facts: null };
    return {
      ...toModel(described),
      size_bytes: size,
      fits: shape === null ? [] : fitsOf(shape, context, isFrom(repository)),
    };
  };

  const readHeaders = async (listed: Listed, candidates: readonly GgufCandidate[], signal: AbortSignal) => {
    const { repository, revision, files } = listed;
    const sizes = new Map(files.map(({ path, sizeBytes }) => [path, sizeBytes]));
    const read = new Map<string, RemoteHeader>();
    await Promise.all(
      [...toLookInto(candidates)].map(async ([family, { paths }]) => {
        const [path = ""] = paths;
        const file = { repository, revision, path, sizeBytes: sizes.get(path) ?? 0 };
        const header = await headers.of(file, signal);
        if (header !== null) read.set(family, header);
      }),
    );
    return read;
  };

  const toFile = (
    listed: Listed,
    { candidate, parts, header, reference }: Row,
    context: number | undefined,
  ): HubFile => {
    const [first] = parts;
    const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    const trainedContext = header?.contextLength ?? listed.contextLength;
    const shape = { sizeBytes, trainedContext, facts: header?.facts ?? null };
    return {
      reference,
      file: first?.path ?? "",
      parts: parts.length,
      quantization: candidate.quantization,
      size_bytes: sizeBytes,
      context_length:
        header === undefined
          ? null
          : Math.min(context ?? leastContext(trainedContext), trainedContext ?? Number.MAX_SAFE_INTEGER),
      basis: header === undefined ? "size" : "header",
      fits: fitsOf(shape, context, isFile(reference, first?.sha256 ?? null)),
    };
  };

  return {
    url,

    async search({ q, limit, context }, signal) {
      const within = http.within(signal);
      const named = repositoryNamed(q);
      if (named !== null) {
        const ask = { repository: named, revision: null, signal: within };
        const listed = await readRepository(http, ask).catch(nothingOfThatName);
        if (listed !== null) return [found(listed, context)];
      }
      const models = await searchRepositories(http, { words: q, limit, signal: within });
      return models.map((model) => found(model, context));
    },

    async repository({ repository, revision, context }, signal) {
      if (repositoryNamed(repository) !== repository)
        throw new RbeeError("invalid_request", "This is not the name of a repository.", {
          param: "repository",
          suggestion: "Name it as org/repo.",
        });
      if (revision !== undefined) parseModelReference(`hf:${repository}@${revision}`);
      const within = http.within(signal);
      const listed = await readRepository(http, { repository, revision: revision ?? null, signal: within });
      const byPath = new Map(listed.files.map((file) => [file.path, file]));
      const candidates = ggufCandidates(listed.files.map(({ path }) => path));
      const read = await readHeaders(listed, candidates, within);
      signal.throwIfAborted();
      const rows = candidates.flatMap((candidate): Row[] => {
        const parts = candidate.paths.flatMap((path) => byPath.get(path) ?? []);
        // A set that lacks a part cannot be pulled.
        if (parts.length < candidate.paths.length) return [];
        const reference = referenceOf(repository, candidate, candidates, revision ?? null);
        return [{ candidate, parts, header: read.get(candidate.family), reference }];
      });
      return {
        ...toModel(listed),
        repository,
        revision: listed.revision,
        files: rows.map((row) => toFile(listed, row, context)).toSorted((a, b) => a.size_bytes - b.size_bytes),
      };
    },

    async needs({ repository, revision, file, quantization }, signal) {
      const within = http.within(signal);
      try {
        const listed = await readRepository(http, { repository, revision, signal: within });
        const all = ggufCandidates(listed.files.map(({ path }) => path));
        const named =
          file !== null
            ? all.filter(({ paths }) => paths.includes(file))
            : all.filter((candidate) => candidate.quantization === (quantization ?? usualOf(all)));
        const [candidate, ...others] = named;
        if (candidate === undefined || others.length > 0) return null;
        const sizes = new Map(listed.files.map(({ path, sizeBytes }) => [path, sizeBytes]));
        const [path = ""] = candidate.paths;
        const first = { repository, revision: listed.revision, path, sizeBytes: sizes.get(path) ?? 0 };
        const header = await headers.of(first, within);
        return {
          size_bytes: candidate.paths.reduce((sum, part) => sum + (sizes.get(part) ?? 0), 0),
          context_length: header?.contextLength ?? listed.contextLength,
          memory: header?.facts ?? null,
        };
      } catch {
        signal.throwIfAborted();
        return null;
      }
    },

    starters: ({ context }) => starters.map((starter) => toStarter(starter, context)),
  };

  function toStarter(starter: Starter, context: number | undefined): HubStarter {
    const { reference, name, sizeClass, parameters, sizeBytes, contextLength, goodAt } = starter;
    const shape = { sizeBytes, trainedContext: contextLength, facts: starterFacts(starter) };
    return {
      ...{ reference, name, parameters },
      size_class: sizeClass,
      size_bytes: sizeBytes,
      context_length: contextLength,
      good_at: goodAt,
      fits: fitsOf(shape, context, isFile(reference, null)),
    };
  }
}

interface Row {
  readonly candidate: GgufCandidate;
  readonly parts: readonly ListedFile[];
  readonly header: RemoteHeader | undefined;
  readonly reference: string;
}
