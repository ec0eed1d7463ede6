import type { JobRequest } from "@rbee/contract";
import { createJobs, failInterrupted, narrateOutsideJobsTo, observable } from "@rbee/jobs";
import type { Logger } from "pino";
import type { Person } from "#lib/server/accounts/index.ts";
import type { Db } from "#lib/server/db/index.ts";
import type { HivesService } from "#lib/server/hives/index.ts";
import type { Hub } from "#lib/server/hub/index.ts";
import type { InferenceService } from "#lib/server/inference/index.ts";
import type { ModelsService } from "#lib/server/models/index.ts";
import type { Provisioning } from "#lib/server/provisioning/index.ts";
import { hiveAdopt } from "./operations/hive-adopt.ts";
import { hiveCheck } from "./operations/hive-check.ts";
import { hiveDiscover } from "./operations/hive-discover.ts";
import { hiveInstall } from "./operations/hive-install.ts";
import { hiveRollback } from "./operations/hive-rollback.ts";
import { hiveStart } from "./operations/hive-start.ts";
import { hiveStop } from "./operations/hive-stop.ts";
import { hiveSync } from "./operations/hive-sync.ts";
import { hiveUninstall } from "./operations/hive-uninstall.ts";
import { hiveUpgrade } from "./operations/hive-upgrade.ts";
import { modelDelete } from "./operations/model-delete.ts";
import { modelDownload } from "./operations/model-download.ts";
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
  hub: Pick<Hub, "needs">;
  models: Pick<ModelsService, "resolve">;
  inference: Pick<InferenceService, "chat" | "spawning">;
  provisioning: Provisioning;
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
  let stopping = false;
  const parts = { ...options, stopping: () => stopping };

  const operationOf = (person: Person, request: JobRequest): Operation => {
    switch (request.operation) {
      case "hive_discover":
        return hiveDiscover(options);
      case "model_download":
        return modelDownload(parts, request);
      case "model_delete":
        return modelDelete(parts, request);
      case "worker_spawn":
        return workerSpawn(options, request);
      case "worker_stop":
        return workerStop(options, request);
      case "self_check":
        return selfCheck(options, person);
      case "hive_check":
        return hiveCheck(options, request);
      case "hive_install":
        return hiveInstall(options, request);
      case "hive_adopt":
        return hiveAdopt(options, request);
      case "hive_upgrade":
        return hiveUpgrade(options, request);
      case "hive_rollback":
        return hiveRollback(options, request);
      case "hive_uninstall":
        return hiveUninstall(options, request);
      case "hive_start":
        return hiveStart(options, request);
      case "hive_stop":
        return hiveStop(options, request);
      case "hive_sync":
        return hiveSync(options, request);
    }
  };

  return {
    start(person, request) {
      const { subject, timeoutMs, perform } = operationOf(person, request);
      const { operation } = request;
      const { input, secrets } = withoutSshSecrets(request);
      const { job_id, finished } = jobs.run(
        { operation, subject, input, secrets, startedBy: person.user.name, timeoutMs },
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
      stopping = true;
      await jobs.stop("The queen is stopping.");
      restoreNarration();
    },
  };
}

/** What signing in took is used once: neither kept for "try again" nor ever shown. */
function withoutSshSecrets(request: JobRequest): { input: Record<string, unknown>; secrets: string[] } {
  if (!("ssh" in request)) return { input: request, secrets: [] };
  const { ssh, ...input } = request;
  return { input, secrets: [ssh?.password, ssh?.passphrase].filter((secret) => secret !== undefined) };
}
