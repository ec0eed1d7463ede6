import { mkdirSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { RbeeError } from "@rbee/contract";
import type { Clock } from "../../clock.ts";
import { ActiveDownload, type DownloadEvent, type DownloadPlan, type Fetched } from "./active-download.ts";
import { freeBytes, insufficientDisk } from "./disk-space.ts";
import type { Http } from "./http.ts";

export interface DownloadsOptions {
  /** Where unfinished files are kept; on the disk where models end up. */
  readonly folder: string;
  readonly http: Http;
  readonly clock: Clock;
  readonly stallMs: number;
  /** Bytes kept free beside what is fetched. */
  readonly marginBytes: number;
  /** From 0 to 1, for the jitter of waits. */
  readonly random?: () => number;
}

/** The downloads of this hive. Who asks for files that are being fetched already shares that download. */
export class Downloads {
  readonly #options: DownloadsOptions;
  readonly #active = new Map<string, ActiveDownload>();
  #closing = false;

  constructor(options: DownloadsOptions) {
    this.#options = options;
  }

  /** Ids that models will have which are on their way. */
  get reservedIds(): ReadonlySet<string> {
    return new Set([...this.#active.values()].map(({ id }) => id));
  }

  /** Id of the model that a download of these files, if one runs, will give. */
  runningId(key: string): string | undefined {
    return this.#active.get(key)?.id;
  }

  /**
   * Fetches what the plan says, or joins whoever fetches it already, and gives what became of it. When the last one who
   * asked is told to stop, the download stops; what is there is then removed if a person cancelled it, and kept if not.
   * @throws {RbeeError} `download_not_found`, `download_forbidden`, `download_stalled`, `download_failed`,
   *   `checksum_mismatch`, `insufficient_disk`; the reason of the signal.
   */
  async follow(
    plan: DownloadPlan,
    options: { signal: AbortSignal; listener: (event: DownloadEvent) => void },
  ): Promise<Fetched> {
    for (;;) {
      options.signal.throwIfAborted();
      const running = this.#active.get(plan.key);
      if (running?.ending === true) {
        await running.settled;
        continue;
      }
      if (running !== undefined) {
        options.listener({
          type: "note",
          action: "joined",
          level: "info",
          message: `${running.id} is being downloaded already; this job follows that download.`,
        });
        return running.join(options);
      }
      const started = this.#start(plan);
      return started.join(options);
    }
  }

  /** From now on a download that is stopped keeps what is there, for the next start of the hive. */
  close(): void {
    this.#closing = true;
  }

  /** Whether somebody who is told to stop for this reason wants the bytes gone. */
  discards(reason: unknown): boolean {
    return !this.#closing && reason instanceof RbeeError && reason.code === "request_cancelled";
  }

  #start(plan: DownloadPlan): ActiveDownload {
    mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 });
    const active: ActiveDownload = new ActiveDownload(plan, {
      ...this.#options,
      random: this.#options.random ?? Math.random,
      partPath: (key) => join(this.#options.folder, `${key}.part`),
      admit: () => this.#admit(active),
      room: () => this.#room(active),
      discards: (reason) => this.discards(reason),
    });
    this.#active.set(plan.key, active);
    void active.settled.then(() => {
      this.#active.delete(plan.key);
    });
    active.start();
    return active;
  }

  /** Lets a download begin when the disk has room for it beside those that run. */
  async #admit(active: ActiveDownload): Promise<void> {
    const { folder, marginBytes } = this.#options;
    const here = await Promise.all(active.partPaths.map((path) => stat(path).then(({ size }) => size, () => 0)));
    const have = await freeBytes(folder);
    // Nothing waits from here on, so that two downloads are not both promised the same space.
    const others = [...this.#active.values()].filter((other) => other !== active && other.admitted);
    const promised = others.reduce((sum, { remainingBytes }) => sum + remainingBytes, 0);
    const need = Math.max(0, active.totalBytes - here.reduce((sum, size) => sum + size, 0)) + marginBytes;
    if (have !== null && have - promised < need) throw insufficientDisk(need, Math.max(0, have - promised));
    active.admitted = true;
  }

  /** Looks again while bytes come: something else may be filling the disk. */
  async #room(active: ActiveDownload): Promise<void> {
    const have = await freeBytes(this.#options.folder);
    if (have !== null && have < active.remainingBytes) throw insufficientDisk(active.remainingBytes, have);
  }
}
