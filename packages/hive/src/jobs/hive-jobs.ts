import type { HiveJobRequest } from "@rbee/contract";
import { createMemoryJobs, type Jobs } from "@rbee/jobs";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { Downloads } from "../models/download/downloads.ts";
import type { Hub } from "../models/download/hub.ts";
import type { ModelStore } from "../models/store.ts";
import type { Supervisor } from "../worker-process/supervisor.ts";
import { deleteModel } from "./model-delete.ts";
import { ModelDownload } from "./model-download.ts";
import { selfCheck, type SelfCheckOptions } from "./self-check.ts";

export interface HiveJobsOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly models: { readonly store: ModelStore; readonly downloads: Downloads; readonly hub: Hub };
  readonly supervisor: Supervisor;
  readonly selfCheck: SelfCheckOptions;
}

const minuteMs = 60_000;
/** A slow line takes its time for a large model; silence on it is noticed long before. */
const downloadLimitMs = 24 * 60 * minuteMs;

/** The jobs of this hive. They live as long as its process; the queen keeps their events. */
export class HiveJobs {
  readonly jobs: Jobs;
  readonly #options: HiveJobsOptions;
  readonly #modelDownload: ModelDownload;

  constructor(options: HiveJobsOptions) {
    this.#options = options;
    this.#modelDownload = new ModelDownload({ ...options.models, clock: options.clock });
    this.jobs = createMemoryJobs({ processLog: options.log, actor: "hive" });
  }

  /**
   * Starts what is asked for, and answers at once.
   * @throws {RbeeError} `overloaded` while the hive stops.
   */
  start(request: HiveJobRequest): { job_id: string; stream_url: string } {
    const { models, supervisor } = this.#options;
    const { job_id } = ((): { job_id: string } => {
      switch (request.operation) {
        case "model_download": {
          // Leave to fetch from a neighbour runs out; trying again later needs a new one.
          const { sources, ...input } = request;
          return this.jobs.run(
            {
              operation: request.operation,
              subject: request.model,
              input,
              startedBy: null,
              timeoutMs: downloadLimitMs,
              secrets: sources.map(({ token }) => token),
            },
            (signal) => this.#modelDownload.run(request, signal),
          );
        }
        case "model_delete":
          return this.jobs.run(
            {
              operation: request.operation,
              subject: request.model,
              input: request,
              startedBy: null,
              timeoutMs: 5 * minuteMs,
            },
            () => deleteModel(request, { store: models.store, supervisor }),
          );
        case "self_check":
          return this.jobs.run(
            {
              operation: request.operation,
              subject: "this hive",
              input: request,
              startedBy: null,
              timeoutMs: minuteMs,
            },
            () => selfCheck(this.#options.selfCheck),
          );
      }
    })();
    return { job_id, stream_url: `/v1/jobs/${job_id}/stream` };
  }

  /** Ends every job; a download keeps what is there. */
  async stop(): Promise<void> {
    this.#options.models.downloads.close();
    await this.jobs.stop("The hive stops.");
  }
}
