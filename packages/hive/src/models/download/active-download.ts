import { RbeeError, type NarrationLevel } from "@rbee/contract";
import type { Clock } from "../../clock.ts";
import { freeBytes, insufficientDisk, isDiskFull } from "./disk-space.ts";
import { TransferError, type Http, type Origin } from "./http.ts";
import { PartFile, removePart } from "./part-file.ts";
import { attemptLimit, failuresInARow, retryDelayMs } from "./retry.ts";
import { Transfer, type Place, type Wanted } from "./transfer.ts";

/** One file to fetch, and where it can be had, the nearest first. */
export interface PlannedFile extends Wanted {
  /** Names the part on disk: the SHA-256, or what else tells this file from every other one. */
  readonly key: string;
  readonly places: readonly Place[];
}

/** What has to be fetched, and what is done with it when it is there. */
export interface DownloadPlan {
  /** The same for everybody who asks for the same files. */
  readonly key: string;
  /** Id that the model will have. */
  readonly id: string;
  readonly files: readonly PlannedFile[];
  /** Takes the finished files over; called once. */
  readonly install: (files: readonly FetchedFile[]) => Promise<void>;
}

export interface FetchedFile {
  readonly file: PlannedFile;
  /** Where it lies until it is taken over. */
  readonly path: string;
  /** In hex, computed here. */
  readonly sha256: string;
  readonly from: Origin;
}

export interface Fetched {
  readonly id: string;
  /** Hosts and hives that the files came from. */
  readonly from: readonly string[];
}

export type DownloadEvent =
  | { readonly type: "progress"; readonly done: number; readonly total: number }
  | {
      readonly type: "note";
      readonly action: string;
      readonly level: NarrationLevel;
      readonly message: string;
      readonly data?: Record<string, unknown>;
    };

interface Surroundings {
  readonly folder: string;
  readonly http: Http;
  readonly clock: Clock;
  readonly stallMs: number;
  readonly random: () => number;
  readonly partPath: (key: string) => string;
  /** Throws `insufficient_disk` when there is no room to begin. */
  readonly admit: () => Promise<void>;
  /** Throws `insufficient_disk` when there is no room to go on. */
  readonly room: () => Promise<void>;
  readonly discards: (reason: unknown) => boolean;
}

/** A hive that does not deliver has the hub behind it, so that less patience does. */
const hiveAttempts = 2;

/** One download with everybody who follows it. */
export class ActiveDownload {
  readonly id: string;
  readonly totalBytes: number;
  /** Resolves when nothing of it runs any more, however it ended. */
  readonly settled: Promise<void>;
  /** Whether disk space has been promised to it. */
  admitted = false;
  readonly #plan: DownloadPlan;
  readonly #around: Surroundings;
  readonly #controller = new AbortController();
  readonly #outcome = Promise.withResolvers<Fetched>();
  readonly #followers = new Set<(event: DownloadEvent) => void>();
  readonly #sizes = new Map<string, number>();
  #ending = false;

  constructor(plan: DownloadPlan, around: Surroundings) {
    this.id = plan.id;
    this.totalBytes = plan.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    this.#plan = plan;
    this.#around = around;
    this.settled = this.#outcome.promise.then(
      () => {},
      () => {},
    );
  }

  /** Whether it has been told to stop. */
  get ending(): boolean {
    return this.#ending;
  }

  get remainingBytes(): number {
    return this.totalBytes - this.#doneBytes;
  }

  get partPaths(): string[] {
    return this.#plan.files.map(({ key }) => this.#around.partPath(key));
  }

  start(): void {
    this.#run().then(this.#outcome.resolve, this.#outcome.reject);
  }

  /** Hears of it until it is over; leaving is by the signal, and the last one to leave ends it. */
  async join(options: { signal: AbortSignal; listener: (event: DownloadEvent) => void }): Promise<Fetched> {
    const { signal, listener } = options;
    const left = Promise.withResolvers<never>();
    const leave = () => {
      if (this.#followers.size > 1) {
        this.#followers.delete(listener);
        left.reject(signal.reason);
        return;
      }
      this.#ending = true;
      this.#controller.abort(signal.reason);
      void this.settled.then(() => {
        left.reject(signal.reason);
      });
    };
    this.#followers.add(listener);
    signal.addEventListener("abort", leave, { once: true });
    try {
      if (this.#doneBytes > 0) listener({ type: "progress", done: this.#doneBytes, total: this.totalBytes });
      return await Promise.race([this.#outcome.promise, left.promise]);
    } catch (error) {
      // Both are rejected when the last one leaves; the reason of the signal is what that one is told.
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", leave);
      this.#followers.delete(listener);
    }
  }

  get #doneBytes(): number {
    return [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  #say(event: DownloadEvent): void {
    for (const listener of [...this.#followers]) listener(event);
  }

  #note(action: string, level: NarrationLevel, message: string, data?: Record<string, unknown>): void {
    this.#say({ type: "note", action, level, message, ...(data === undefined ? {} : { data }) });
  }

  async #run(): Promise<Fetched> {
    try {
      await this.#around.admit();
      const fetched: FetchedFile[] = [];
      for (const file of this.#plan.files) fetched.push(await this.#fetch(file));
      await this.#plan.install(fetched);
      // The files have been moved; what was noted beside them has not.
      for (const path of this.partPaths) removePart(path);
      return { id: this.id, from: [...new Set(fetched.map(({ from }) => from.name))] };
    } catch (error) {
      throw await this.#cleaned(error);
    }
  }

  /** Bytes stay for the next time, unless a person wants them gone or the disk needs them. */
  async #cleaned(thrown: unknown): Promise<unknown> {
    const full = isDiskFull(thrown);
    const error = full ? insufficientDisk(this.remainingBytes, await freeBytes(this.#around.folder)) : thrown;
    const noRoomWhileWriting = error instanceof RbeeError && error.code === "insufficient_disk" && this.admitted;
    if (noRoomWhileWriting || (this.#controller.signal.aborted && this.#around.discards(error))) {
      for (const path of this.partPaths) removePart(path);
      this.#note("removed", "info", "The unfinished files were removed.");
    }
    return error;
  }

  async #fetch(file: PlannedFile): Promise<FetchedFile> {
    const { signal } = this.#controller;
    const path = this.#around.partPath(file.key);
    const part = await PartFile.open(path, file.sizeBytes, signal);
    try {
      if (part.size > 0)
        this.#note("resuming", "info", `Going on with ${file.name} after ${mb(part.size)} MB.`, { bytes: part.size });
      this.#progress(file, part.size);
      for (const [index, place] of file.places.entries()) {
        try {
          await this.#fetchFrom(place, file, part);
          const sha256 = part.digest();
          return { file, path, sha256, from: place.origin };
        } catch (error) {
          const next = file.places[index + 1];
          if (next === undefined || !(error instanceof TransferError)) throw error;
          this.#note(
            "next_source",
            "warn",
            `${place.origin.name} does not deliver: ${error.message} Trying ${next.origin.name}.`,
          );
        }
      }
      throw new RbeeError("download_failed", `Nobody has ${file.name}.`);
    } finally {
      await part.close();
    }
  }

  async #fetchFrom(place: Place, file: PlannedFile, part: PartFile): Promise<void> {
    const { clock, http, stallMs, random, room } = this.#around;
    const { signal } = this.#controller;
    this.#note("downloading", "info", `Downloading ${file.name} (${mb(file.sizeBytes)} MB) from ${place.origin.name}.`, {
      source: place.origin.kind,
    });
    const wrongHashes = new Set<unknown>();
    for (let failures = 0; ;) {
      signal.throwIfAborted();
      const before = part.size;
      let received = 0;
      const transfer = new Transfer({
        place,
        wanted: file,
        part,
        http,
        clock,
        stallMs,
        signal,
        hooks: {
          bytes: (size) => {
            received = Math.max(received, size - before);
            this.#progress(file, size);
          },
          restarted: (why) => {
            this.#note("restarted", "warn", `Beginning ${file.name} anew: ${why}.`);
          },
          checkRoom: room,
        },
      });
      try {
        await transfer.run();
        return;
      } catch (error) {
        if (!(error instanceof TransferError) || !error.again) throw error;
        // Twice the same wrong file is what that server has: a third time would bring it again.
        const found = error.details?.["found"];
        if (found !== undefined && wrongHashes.has(found)) throw error;
        wrongHashes.add(found);
        failures = failuresInARow(failures, error.code === "checksum_mismatch" ? 0 : received);
        if (place.origin.kind === "hive" && failures >= hiveAttempts) throw error;
        const waitMs = retryDelayMs(failures, random(), error.retryAfterS);
        if (waitMs === null) throw error;
        this.#note(
          "retrying",
          "warn",
          `${error.message} Trying again in ${waitMs < 1_000 ? `${Math.round(waitMs)} ms` : `${Math.round(waitMs / 100) / 10} s`}.`,
          { attempt: failures + 1, of: attemptLimit, code: error.code, wait_ms: Math.round(waitMs) },
        );
        await clock.sleep(waitMs, signal);
      }
    }
  }

  #progress(file: PlannedFile, size: number): void {
    this.#sizes.set(file.key, size);
    this.#say({ type: "progress", done: this.#doneBytes, total: this.totalBytes });
  }
}

const mb = (bytes: number): number => Math.round(bytes / (1024 * 1024));
