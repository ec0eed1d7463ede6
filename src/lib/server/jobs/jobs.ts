import { RbeeError, type JobRequest } from "@rbee/contract";
import { createJobs, failInterrupted, narrateOutsideJobsTo, observable } from "@rbee/jobs";
import type { Logger } from "pino";
import type { Person } from "#lib/server/accounts/index.ts";
import type { Db } from "#lib/server/db/index.ts";
import type { HivesService } from "#lib/server/hives/index.ts";
import type { InferenceService } from "#lib/server/inference/index.ts";
import { hiveDiscover } from "./operations/hive-discover.ts";
import type { Operation } from "./operations/operation.ts";
import { selfCheck } from "./operations/self-check.ts";
import { workerSpawn } from "./operations/worker-spawn.ts";
import { workerStop } from "./operations/worker-stop.ts";
import { createSqliteJobStore } from "./store.ts";
import type { HouseholdJobs } from "./types.ts";

const keepFinished = 500;
/** More than any job has; a page shows them all. */
const allEvents = 100_000;

export interface JobsOptions {
  db: Db;
  /** The queen's data folder. */
  home: string;
  hives: Pick<HivesService, "registry" | "contact">;
  inference: Pick<InferenceService, "chat" | "spawning">;
  log: Logger;
}

export interface JobsService extends HouseholdJobs {
  /** How many jobs run now. */
  running(): number;
  /** Cancels what runs and waits until it is over; nothing is started any more. */
  stop(): Promise<void>;
}

/** The queen's jobs. Those that ran when she last died are failed before this returns. */
export function createHouseholdJobs(options: JobsOptions): JobsService {
  const { db, log } = options;
  const store = createSqliteJobStore(db, { keepFinished });
  for (const { job_id, operation } of failInterrupted(store, store))
    log.warn({ job_id, operation }, "a job was running when the queen died");
  const restoreNarration = narrateOutsideJobsTo(log);
  const jobs = createJobs({ store, log: observable(store), processLog: log, actor: "queen" });
  const running = new Set<string>();

  const operationOf = (person: Person, request: JobRequest): Operation => {
    switch (request.operation) {
      case "hive_discover":
        return hiveDiscover(options);
      case "worker_spawn":
        return workerSpawn(options, request);
      case "worker_stop":
        return workerStop(options, request);
      case "self_check":
        return selfCheck(options, person);
      default:
        throw new RbeeError("invalid_request", `This queen cannot do ${request.operation} yet.`, {
          param: "operation",
        });
    }
  };

  return {
    start(person, request) {
      const { subject, timeoutMs, perform } = operationOf(person, request);
      const { operation } = request;
      const { job_id, finished } = jobs.run(
        { operation, subject, input: request, startedBy: person.user.name, timeoutMs },
        perform,
      );
      running.add(job_id);
      void finished.then(() => running.delete(job_id));
      return { job_id, stream_url: `/v1/jobs/${job_id}/stream` };
    },
    list: (query) => jobs.list(query),
    get: (jobId) => jobs.get(jobId),
    events(jobId) {
      jobs.get(jobId);
      return store.read(jobId, 0, allEvents);
    },
    cancel(person, jobId) {
      jobs.cancel(jobId, `${person.user.name} cancelled the job.`);
    },
    stream: (jobId, streamOptions) => jobs.stream(jobId, streamOptions),
    running: () => running.size,
    async stop() {
      await jobs.stop("The queen is stopping.");
      restoreNarration();
    },
  };
}
