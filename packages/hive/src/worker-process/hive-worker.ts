import type { RbeeError, Worker, WorkerCheck, WorkerState } from "@rbee/contract";
import type { Dispatcher } from "undici";
import type { WorkerFacts } from "../telemetry/sampler.ts";
import type { Promised } from "./placement.ts";

/** One served model as the rest of the hive sees it, whether its process is this hive's or somebody else's. */
export interface HiveWorker extends Promised {
  readonly id: string;
  readonly model: string;
  readonly device: string;
  readonly state: WorkerState;
  /** Whether there is a process. */
  readonly running: boolean;
  /** When it came to its end, by the clock that never jumps; null while it has not. */
  readonly endedAt: number | null;
  /** Where it writes its log; null when that is not this hive's to read. */
  readonly logPath: string | null;
  snapshot(): Worker;
  /** What a heartbeat tells of it: asked for once a second. */
  facts(): WorkerFacts;
  /** Whether it answers now. A worker that is asked this does not count as used. */
  check(): Promise<WorkerCheck>;
  /**
   * For a request; from now on it counts as used.
   * @throws {RbeeError} `model_loading`, `worker_busy` while draining, its own error when it failed, `worker_not_found`.
   */
  connections(): Dispatcher;
  /** Resolves when it has left `starting` and `loading`, at the latest after `limitMs`. */
  settled(limitMs: number): Promise<void>;
  /** Why an answer was cut off, as an error to tell; null when that is not known within `limitMs`. */
  diedOf(limitMs: number): Promise<RbeeError | null>;
  /** Lets it finish what it answers for up to `drainMs`, then ends it; resolves when that is done. */
  stop(drainMs: number): Promise<void>;
}
