import { setTimeout as delay } from "node:timers/promises";
import { RbeeError, toRbeeError, type TaskRequest } from "@rbee/contract";
import { narrate, progress, step } from "@rbee/jobs";
import type { Person } from "#lib/server/accounts/index.ts";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";
import type { InferenceService, Where } from "#lib/server/inference/index.ts";
import { isUp } from "#lib/server/jobs/index.ts";
import { awaitHive, hivePatience, rootCause, type Patience } from "./connect.ts";
import { destinationOf, mayNotFetch, mayNotStart, planOf, type Destination, type Plan } from "./decisions.ts";
import type { TaskHousehold } from "./household.ts";
import type { SharedJobs } from "./shared-jobs.ts";

/** How long a hive that has only just started is waited for. */
const reportLimitMs = 20_000;
const lookEveryMs = 200;
const probeLimitMs = 5_000;
/** One that can be started over SSH need not be waited for that long. */
const attemptsBeforeStart = 2;
const startLimitMs = 240_000;
const loadLimitMs = 300_000;
const fetchLimitMs = 24 * 60 * 60_000 + 10 * 60_000;

/** What getting a task ready needs of the queen. */
export interface PrepareParts {
  readonly hives: Pick<HivesService, "registry" | "contact">;
  readonly readiness: ReturnType<InferenceService["readinessFor"]>;
  readonly household: () => TaskHousehold;
  readonly jobs: SharedJobs;
}

/** A model that is ready somewhere, and where alone it may be asked. */
export interface Prepared {
  readonly model: string;
  readonly where: Where;
}

/** The destination without `refused`. */
type Settled = Exclude<Destination, { kind: "refused" }>;

/** Asks again while a hive is still on its way. @throws {RbeeError} the refusal. */
async function settled<T extends { readonly kind: string }>(
  decide: () => T | Extract<Plan, { kind: "refused" }>,
  signal: AbortSignal,
): Promise<T> {
  const deadline = performance.now() + reportLimitMs;
  for (;;) {
    const decision = decide();
    if (!isRefusal(decision)) return decision;
    if (!decision.soon || performance.now() > deadline) throw decision.error;
    await delay(lookEveryMs, undefined, { signal });
  }
}

const isRefusal = (decision: { readonly kind: string }): decision is Extract<Plan, { kind: "refused" }> =>
  decision.kind === "refused";

const describe = (destination: Exclude<Settled, { kind: "any" }>): string => {
  if (destination.kind === "machine") return `${destination.name} is registered; no hive of it has reported yet.`;
  const { name, health, machine } = destination.hive;
  const registered = machine === null ? "" : ", and can be started over SSH";
  return isUp({ health }) ? `${name} is up.` : `${name} is ${health}${registered}.`;
};

/**
 * Does all that it takes until a task's model is ready, as steps of the job that runs now: `registry`, `connect`,
 * `hive_start`, `preflight`, `provision`, `spawn`; those that are not needed are left out.
 * @throws {RbeeError} of the step that failed; `forbidden` for what only an administrator may do.
 */
export async function prepare(parts: PrepareParts, person: Person, task: TaskRequest): Promise<Prepared> {
  const { household, readiness } = parts;
  const destination = await step(
    "registry",
    { timeoutMs: reportLimitMs + 5_000, message: `Looking for ${task.node ?? task.model}` },
    async (signal) => {
      const found = await settled((): Destination => destinationOf(task, household()), signal);
      if (found.kind !== "any") narrate({ action: "found", message: describe(found) });
      return found;
    },
  );
  const only = await connectTo(parts, person, task, destination);
  const plan = await step(
    "preflight",
    { timeoutMs: reportLimitMs + 5_000, message: `Checking what ${task.model} needs` },
    async (signal) => {
      const found = await settled((): Plan => planOf(task, household(), only), signal);
      if (found.kind === "fetch") return found;
      const { model, where } = found;
      await settled(() => readiness.outlook(model, where), signal);
      return found;
    },
  );
  const { model, where } = plan.kind === "run" ? plan : await provision(parts, person, task, plan.hiveId);
  await spawn(parts, model, where);
  return { model, where };
}

const hiveOf = ({ hives }: PrepareParts, hiveId: string): HiveState => {
  const hive = hives.registry.find(hiveId);
  if (hive === undefined) throw new RbeeError("node_not_found", "This hive was just removed.", { param: "node" });
  return hive;
};

function reach(parts: PrepareParts, hiveId: string, patience: Patience, signal: AbortSignal): Promise<void> {
  const hive = hiveOf(parts, hiveId);
  const { contact } = parts.hives;
  return awaitHive(
    {
      name: hive.name,
      isUp: () => isUp(hive) && hive.capabilities !== null,
      isStarting: () => hive.health === "starting",
      async probe(stop) {
        await contact.client(hive).health({ timeoutMs: probeLimitMs, signal: stop });
        // One that is there and silent waits to be told where the queen is.
        if (!isUp(hive) || hive.capabilities === null) await contact.ask(hive);
      },
    },
    patience,
    signal,
  );
}

/** The steps `connect` and `hive_start`. @returns the id of the hive that must answer; null for any. */
async function connectTo(
  parts: PrepareParts,
  person: Person,
  task: TaskRequest,
  destination: Settled,
): Promise<string | null> {
  if (destination.kind === "machine") return startMachine(parts, person, destination.name);
  const hiveId = destination.kind === "hive" ? destination.hive.hiveId : likeliestHive(parts, task);
  if (hiveId === null) return null;
  const only = destination.kind === "hive" ? hiveId : null;
  const { name } = hiveOf(parts, hiveId);
  const machine = parts.household().hives.find((hive) => hive.hiveId === hiveId)?.machine ?? null;
  const isThere = await step(
    "connect",
    {
      timeoutMs: hivePatience.limitMs + 10_000,
      actor: `hive:${name}`,
      message: `Connecting to ${name}`,
      timeoutCode: "hive_unreachable",
    },
    async (signal) => {
      if (machine === null) {
        await reach(parts, hiveId, hivePatience, signal);
        return true;
      }
      try {
        await reach(parts, hiveId, { ...hivePatience, attempts: attemptsBeforeStart }, signal);
        return true;
      } catch (error) {
        signal.throwIfAborted();
        if (toRbeeError(error).code !== "hive_unreachable") throw error;
        narrate({ action: "not_running", level: "warn", message: `${name} does not answer: ${rootCause(error)}.` });
        return false;
      }
    },
  );
  if (!isThere && machine !== null) await startMachine(parts, person, machine);
  return only;
}

/** Where placement would have it answered now, so that it is known to answer before anything depends on it. */
function likeliestHive({ household, readiness }: PrepareParts, task: TaskRequest): string | null {
  const plan = planOf(task, household(), null);
  if (plan.kind !== "run") return null;
  const outlook = readiness.outlook(plan.model, plan.where);
  return outlook.kind === "refused" ? null : outlook.hiveId;
}

/** The step `hive_start`. @returns the id of the hive that is now up. */
function startMachine(parts: PrepareParts, person: Person, machine: string): Promise<string> {
  if (person.user.role !== "admin") throw mayNotStart(machine);
  return step(
    "hive_start",
    { timeoutMs: startLimitMs, message: `Starting the hive on ${machine} over SSH` },
    async (signal) => {
      const given = await parts.jobs.run(person, { operation: "hive_start", hive: machine });
      const hiveId = given["hive_id"];
      if (typeof hiveId !== "string") throw new RbeeError("node_not_found", `No hive is installed on ${machine}.`);
      await reach(parts, hiveId, hivePatience, signal);
      return hiveId;
    },
  );
}

/** The step `provision`: has the model brought to a hive, from a neighbour or from the hub. */
function provision(parts: PrepareParts, person: Person, task: TaskRequest, hiveId: string | null): Promise<Prepared> {
  const place = hiveId === null ? null : hiveOf(parts, hiveId).name;
  if (person.user.role !== "admin") throw mayNotFetch(task.model, place);
  return step(
    "provision",
    { timeoutMs: fetchLimitMs, message: `Bringing ${task.model} to ${place ?? "a machine that can run it"}` },
    async () => {
      const given = await parts.jobs.run(person, {
        operation: "model_download",
        model: task.model,
        ...(hiveId === null ? {} : { hive: hiveId }),
      });
      const { model, hive_id: at } = given;
      if (typeof model !== "string" || typeof at !== "string")
        throw new RbeeError("hive_invalid_response", "The download did not say what came of it.");
      const { backend, device } = task;
      return { model, where: { hives: new Set([at]), backend, device } };
    },
  );
}

/** The step `spawn`, unless a worker is ready already; and the news that one is. */
async function spawn({ readiness, hives }: PrepareParts, model: string, where: Where): Promise<void> {
  const outlook = readiness.outlook(model, where);
  if (outlook.kind === "refused" && !outlook.soon) throw outlook.error;
  const nameOf = (hiveId: string) => hives.registry.find(hiveId)?.name ?? hiveId;
  if (outlook.kind === "ready") {
    narrate({ action: "ready", message: `${model} is ready on ${nameOf(outlook.hiveId)}.` });
    return;
  }
  const name = outlook.kind === "refused" ? undefined : nameOf(outlook.hiveId);
  const worker = await step(
    "spawn",
    {
      timeoutMs: loadLimitMs,
      timeoutCode: "worker_load_timeout",
      ...(name === undefined ? {} : { actor: `hive:${name}` }),
      message: outlook.kind === "coming" ? `Waiting for ${model} to be loaded` : `Loading ${model}`,
    },
    async (signal) => {
      const looking = setInterval(() => {
        const share = readiness.loadProgress(model);
        if (share !== null) progress({ phase: "loading", done: Math.round(share * 100), total: 100, unit: "percent" });
      }, lookEveryMs);
      try {
        // The step's own limit is the one that counts.
        return await readiness.ready({ model, where, waitMs: 2 * loadLimitMs, signal });
      } finally {
        clearInterval(looking);
      }
    },
  );
  narrate({
    actor: `hive:${nameOf(worker.hiveId)}`,
    action: "ready",
    message: `${model} is ready on ${nameOf(worker.hiveId)}: ${worker.external?.name ?? `${worker.slotsTotal ?? "?"} slots on ${worker.device ?? "an unknown device"}`}.`,
    data: { hive_id: worker.hiveId, worker_id: worker.workerId },
  });
}
