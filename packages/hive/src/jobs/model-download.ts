import { createHash } from "node:crypto";
import {
  formatModelReference,
  parseModelReference,
  RbeeError,
  type HiveJobRequest,
  type HubReference,
  type ModelSource,
} from "@rbee/contract";
import { bindToJob, narrate, progress, step } from "@rbee/jobs";
import type { Clock } from "../clock.ts";
import type { DownloadEvent, DownloadPlan, PlannedFile } from "../models/download/active-download.ts";
import { chooseFiles } from "../models/download/choice.ts";
import type { Downloads } from "../models/download/downloads.ts";
import { filePath, type Hub, type Repository } from "../models/download/hub.ts";
import { TransferError } from "../models/download/http.ts";
import { retryDelayMs } from "../models/download/retry.ts";
import type { Place } from "../models/download/transfer.ts";
import type { ModelStore } from "../models/store.ts";

type Request = Extract<HiveJobRequest, { operation: "model_download" }>;

export interface ModelDownloadOptions {
  readonly store: ModelStore;
  readonly downloads: Downloads;
  readonly hub: Hub;
  readonly clock: Clock;
}

const resolveLimitMs = 5 * 60_000;

/** A file that was decided on, before anybody knows who sends it. */
interface ChosenFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string | null;
  /** On the hub; undefined when only hives have it. */
  readonly hubPath?: string;
  /** Tells the file from every other when its hash is not known. */
  readonly identity: string;
}

interface Chosen {
  readonly files: readonly ChosenFile[];
  readonly reference: string | null;
  readonly revision: string | null;
  readonly owner: string | undefined;
}

/** Brings a model to this hive, as a job: narrates, and gives the model's id. */
export class ModelDownload {
  readonly #options: ModelDownloadOptions;

  constructor(options: ModelDownloadOptions) {
    this.#options = options;
  }

  /**
   * @throws {RbeeError} `invalid_request`, `download_not_found`, `download_forbidden`, `download_stalled`,
   *   `download_failed`, `checksum_mismatch`, `insufficient_disk`, `already_exists`, `model_not_found`.
   */
  async run(request: Request, signal: AbortSignal): Promise<Record<string, unknown>> {
    const reference = parseModelReference(request.model);
    if (reference.kind === "file") return this.#import(request, signal);
    const chosen =
      reference.kind === "hub"
        ? await step("resolve", { timeoutMs: resolveLimitMs, message: "Looking up the files" }, (inner) =>
            this.#resolve(reference, request.sources, inner),
          )
        : this.#fromSources(request.model, request.sources);
    return this.#fetch(request, chosen, signal);
  }

  async #import(request: Request, signal: AbortSignal): Promise<Record<string, unknown>> {
    const reference = parseModelReference(request.model);
    if (reference.kind !== "file") throw new RbeeError("invalid_request", "This is not a file.");
    const { id, already } = await this.#options.store.import(reference, {
      id: request.id,
      reserved: this.#options.downloads.reservedIds,
      signal,
      onBytes: (done, total) => {
        progress({ phase: "hashing", done, total, unit: "bytes" });
      },
    });
    narrate({
      action: "imported",
      message: already
        ? `This file is in the catalogue already, as ${id}.`
        : `${id} is in the catalogue. The file stays where it is; rbee will not delete it.`,
    });
    return { model: id, already };
  }

  async #resolve(reference: HubReference, sources: readonly ModelSource[], signal: AbortSignal): Promise<Chosen> {
    let repository: Repository;
    try {
      repository = await this.#listing(reference, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (sources.length === 0 || !(error instanceof TransferError)) throw error;
      narrate({
        action: "resolve",
        level: "warn",
        message: `${error.message} Taking what another hive has instead; its SHA-256 is checked all the same.`,
      });
      return {
        ...this.#fromSources(formatModelReference(reference), sources),
        reference: formatModelReference(reference),
      };
    }
    const files = chooseFiles(reference, repository.files);
    const names = files.map(({ path }) => path).join(", ");
    const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    narrate({
      action: "resolve",
      message: `${formatModelReference(reference)} is ${names} (${Math.ceil(bytes / 1024 ** 2)} MB).`,
      data: { files: files.map(({ path }) => path), size_bytes: bytes, revision: repository.revision },
    });
    return {
      reference: formatModelReference(reference),
      revision: repository.revision,
      owner: reference.repository.split("/")[0],
      files: files.map(({ path, sizeBytes, sha256 }) => ({
        name: path.slice(path.lastIndexOf("/") + 1),
        sizeBytes,
        sha256,
        hubPath: filePath(reference.repository, repository.revision, path),
        identity: `${reference.repository}/${repository.revision}/${path}`,
      })),
    };
  }

  async #listing(reference: HubReference, signal: AbortSignal): Promise<Repository> {
    const { hub, clock } = this.#options;
    for (let failures = 1; ; failures += 1)
      try {
        return await hub.repository(reference, signal);
      } catch (error) {
        if (!(error instanceof TransferError) || !error.again) throw error;
        const waitMs = retryDelayMs(failures, Math.random(), error.retryAfterS);
        if (waitMs === null) throw error;
        narrate({
          action: "retrying",
          level: "warn",
          message: `${error.message} Asking again in ${Math.round(waitMs)} ms.`,
        });
        await clock.sleep(waitMs, signal);
        signal.throwIfAborted();
      }
  }

  #fromSources(name: string, sources: readonly ModelSource[]): Chosen {
    const [source] = sources;
    if (source === undefined)
      throw new RbeeError(
        "model_not_found",
        `${name} names a model of the household, and no hive that has it was named.`,
        {
          param: "model",
          suggestion: "Name the model as hf:org/repo to fetch it from the hub.",
        },
      );
    return {
      reference: null,
      revision: null,
      owner: undefined,
      files: source.files.map(({ name: file, size_bytes, sha256 }) => ({
        name: file,
        sizeBytes: size_bytes,
        sha256,
        identity: sha256,
      })),
    };
  }

  async #fetch(request: Request, chosen: Chosen, signal: AbortSignal): Promise<Record<string, unknown>> {
    const { store, downloads } = this.#options;
    const present = await store.holding(chosen.files.map(({ sha256 }) => sha256));
    if (present !== undefined) {
      narrate({ action: "present", message: `This hive has it already, as ${present.id}.` });
      return { model: present.id, already: true };
    }
    const files = chosen.files.map((file): PlannedFile => this.#planned(file, request.sources));
    const fallbackId = parseModelReference(request.model).kind === "name" ? request.model : undefined;
    const key = files.map((file) => file.key).join("+");
    const plan: DownloadPlan = {
      key,
      id:
        downloads.runningId(key) ??
        store.freeId({
          wish: request.id ?? fallbackId,
          path: chosen.files[0]?.name ?? "model",
          owner: chosen.owner,
          reserved: downloads.reservedIds,
        }),
      files,
      install: async (fetched) => {
        await store.add({
          id: plan.id,
          provider: fetched.every(({ from }) => from.kind === "hive") ? "hive" : "hub",
          reference: chosen.reference,
          revision: chosen.revision,
          files: fetched.map(({ file, path, sha256 }) => ({ name: file.name, path, sha256 })),
        });
      },
    };
    const { id, from } = await downloads.follow(plan, { signal, listener: bindToJob(tell) });
    narrate({ action: "downloaded", message: `${id} is here and verified.`, data: { from } });
    return { model: id, already: false, from, size_bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  }

  /** The neighbours that have exactly this file, then the hub. */
  #planned(file: ChosenFile, sources: readonly ModelSource[]): PlannedFile {
    const { hub } = this.#options;
    const places = sources.flatMap((source): Place[] => {
      const same = source.files.find(
        ({ sha256, size_bytes }) => sha256 === file.sha256 && size_bytes === file.sizeBytes,
      );
      if (same === undefined) return [];
      return [
        {
          origin: { kind: "hive", name: source.name, baseUrl: source.url.replace(/\/+$/u, ""), token: source.token },
          path: `/v1/models/${encodeURIComponent(source.model)}/files/${encodeURIComponent(same.name)}`,
        },
      ];
    });
    if (file.hubPath !== undefined) places.push({ origin: hub.origin, path: file.hubPath });
    return {
      name: file.name,
      sizeBytes: file.sizeBytes,
      sha256: file.sha256,
      key: file.sha256 ?? `unhashed-${createHash("sha256").update(file.identity).digest("hex")}`,
      places,
    };
  }
}

function tell(event: DownloadEvent): void {
  if (event.type === "progress")
    progress({ phase: "downloading", done: event.done, total: event.total, unit: "bytes" });
  else {
    const { action, level, message, data } = event;
    narrate({ action, level, message, ...(data === undefined ? {} : { data }) });
  }
}
