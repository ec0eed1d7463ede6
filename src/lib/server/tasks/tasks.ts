import { RbeeError, type JobEvent, type TaskAnswer, type TaskRequest } from "@rbee/contract";
import { createJobs, createMemoryStore, eventStreamHeaders, narrate, type EventLog, type Jobs } from "@rbee/jobs";
import type { Logger } from "pino";
import type { Person } from "#lib/server/accounts/index.ts";
import type { HivesService } from "#lib/server/hives/index.ts";
import { Reply, type InferenceService } from "#lib/server/inference/index.ts";
import { isUp, type HouseholdJobs } from "#lib/server/jobs/index.ts";
import type { ModelsService } from "#lib/server/models/index.ts";
import type { Machines } from "#lib/server/provisioning/index.ts";
import { answer, chatOf } from "./answer.ts";
import { destinationOf, mayNotFetch, mayNotStart, planOf } from "./decisions.ts";
import { taskHousehold } from "./household.ts";
import { prepare, type Prepared, type PrepareParts } from "./prepare.ts";
import { createSharedJobs } from "./shared-jobs.ts";
import { TaskStream } from "./task-stream.ts";
import type { Tasks } from "./types.ts";

/** Longer than any of its steps; how long an answer may compute is not limited. */
const taskLimitMs = 48 * 60 * 60_000;
const graceMs = 2_000;

export interface TasksOptions {
  hives: Pick<HivesService, "registry" | "contact">;
  inference: InferenceService;
  models: Pick<ModelsService, "resolve">;
  jobs: HouseholdJobs;
  machines: Pick<Machines, "beehives">;
  log: Logger;
}

export interface TasksService extends Tasks {
  /** Cancels every task and waits until all are over. */
  stop(): Promise<void>;
}

interface RunningTask {
  readonly jobId: string;
  readonly userId: string;
}

type Context = Parameters<Tasks["start"]>[2];

/** A log that keeps nothing: each event goes to the one client of its task. */
function passingLog(streams: ReadonlyMap<string, TaskStream>): EventLog {
  return {
    append: (jobId: string, event: JobEvent) => streams.get(jobId)?.event(event),
    read: () => [],
    last: () => undefined,
    subscribe: () => () => {},
  };
}

/** Tasks are jobs in everything but that nothing of them is kept: what people ask is nobody else's business. */
export function createTasks({ hives, inference, models, jobs, machines, log }: TasksOptions): TasksService {
  const streams = new Map<string, TaskStream>();
  const running = new Map<string, RunningTask>();
  let stopping = false;
  const runs: Jobs = createJobs({
    store: createMemoryStore({ keepFinished: 0 }),
    log: passingLog(streams),
    // One comes with every question: only what goes wrong is news.
    processLog: {
      debug: (fields, message) => {
        log.debug(fields, message);
      },
      info: (fields, message) => {
        log.debug(fields, message);
      },
      warn: (fields, message) => {
        log.info(fields, message);
      },
      error: (fields, message) => {
        log.error(fields, message);
      },
    },
    actor: "queen",
    graceMs,
  });
  const household = () => taskHousehold(hives, machines);
  const sharedJobs = createSharedJobs(jobs);
  const partsFor = (person: Person): PrepareParts => ({
    hives,
    readiness: inference.readinessFor(person),
    household,
    jobs: sharedJobs,
  });

  /** Refuses what can be told beforehand; gives what is ready already. */
  const lookAhead = (person: Person, task: TaskRequest): Prepared | undefined => {
    const isAdmin = person.user.role === "admin";
    const now = household();
    const destination = destinationOf(task, now);
    if (destination.kind === "refused") {
      if (destination.soon) return undefined;
      throw destination.error;
    }
    if (destination.kind === "machine") {
      if (!isAdmin) throw mayNotStart(destination.name);
      return undefined;
    }
    if (destination.kind === "hive" && !isUp(destination.hive)) {
      const { health, machine } = destination.hive;
      if (health === "down" && machine !== null && !isAdmin) throw mayNotStart(machine);
      return undefined;
    }
    const plan = planOf(task, now, destination.kind === "hive" ? destination.hive.hiveId : null);
    if (plan.kind === "refused") {
      if (plan.soon) return undefined;
      throw plan.error;
    }
    if (plan.kind === "fetch") {
      const place = now.hives.find(({ hiveId }) => hiveId === plan.hiveId)?.name ?? null;
      if (!isAdmin) throw mayNotFetch(task.model, place);
      return undefined;
    }
    return inference.readinessFor(person).outlook(plan.model, plan.where).kind === "ready" ? plan : undefined;
  };

  const perform = async (
    person: Person,
    task: TaskRequest,
    { requestId, lane }: Context,
    {
      warm,
      signal,
      stream,
      onFlow,
    }: {
      warm: Prepared | undefined;
      signal: AbortSignal;
      stream: TaskStream;
      onFlow: (resume: () => void) => void;
    },
  ): Promise<TaskAnswer> => {
    const { model, where } = warm ?? (await prepare(partsFor(person), person, task));
    if (warm !== undefined) narrate({ action: "ready", level: "debug", message: `${model} is ready.` });
    let i = 0;
    const { worker, finishReason, usage, timings } = await answer(
      inference,
      person,
      chatOf(task, model),
      { requestId, lane, where, signal },
      {
        token(t, isReasoning) {
          stream.token({ t, i: i++, ...(isReasoning ? { reasoning: true } : {}) });
        },
        get wantsMore() {
          return stream.wantsMore;
        },
        onFlow,
      },
    );
    return {
      request_id: requestId,
      model,
      hive_id: worker.hiveId,
      hive: hives.registry.find(worker.hiveId)?.name ?? worker.hiveId,
      worker_id: worker.workerId,
      finish_reason: finishReason,
      usage,
      timings,
    };
  };

  return {
    start(person, asked, context) {
      // The household's own aliases are names like any other from here on.
      const task = { ...asked, model: models.resolve(asked.model) };
      if (stopping) throw new RbeeError("overloaded", "The queen is stopping.", { retryAfterS: 5 });
      const warm = lookAhead(person, task);
      // Clients may name their requests, several of them alike.
      const requestId = running.has(context.requestId)
        ? `${context.requestId}~${crypto.randomUUID()}`
        : context.requestId;
      return new Reply({ ...eventStreamHeaders, "x-request-id": requestId }, (sink) => {
        const stream = new TaskStream(sink);
        let resume = () => {};
        const { job_id: jobId, finished } = runs.run(
          {
            operation: "task",
            subject: task.model,
            input: {},
            startedBy: person.user.name,
            timeoutMs: taskLimitMs,
          },
          (signal) =>
            perform(
              person,
              task,
              { ...context, requestId },
              { warm, signal, stream, onFlow: (flow) => (resume = flow) },
            ),
        );
        streams.set(jobId, stream);
        running.set(requestId, { jobId, userId: person.user.id });
        void finished.then(() => {
          stream.close();
          streams.delete(jobId);
          running.delete(requestId);
        });
        return {
          resume() {
            stream.resume();
            resume();
          },
          cancel() {
            if (running.has(requestId)) runs.cancel(jobId, "The client went away.");
          },
        };
      });
    },
    cancel(person, requestId) {
      const task = running.get(requestId);
      if (task === undefined) {
        inference.cancel(person, requestId);
        return;
      }
      if (task.userId !== person.user.id && person.user.role !== "admin")
        throw new RbeeError("forbidden", "This is somebody else's request.", {
          suggestion: "You can cancel your own; an administrator can cancel anybody's.",
        });
      runs.cancel(task.jobId, `${person.user.name} cancelled the request.`);
    },
    stop() {
      stopping = true;
      return runs.stop("The queen is stopping.");
    },
  };
}
