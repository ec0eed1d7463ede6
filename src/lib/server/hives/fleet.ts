import type { Capabilities, FleetHive, FleetModel, FleetSnapshot, HiveModel, WorkerTelemetry } from "@rbee/contract";
import type { HiveState } from "./registry.ts";

const loadedStates = new Set(["ready", "busy"]);
const loadingStates = new Set(["starting", "loading"]);
const rank = { unloaded: 0, loading: 1, loaded: 2 } as const;

/** Why a worker failed tells of files and commands on its machine: a member learns that it did. */
function forMembers(telemetry: WorkerTelemetry): WorkerTelemetry {
  const { external } = telemetry;
  const worker = external === undefined ? telemetry : { ...telemetry, external: { ...external, address: null } };
  if (worker.error === null) return worker;
  const { type, code } = worker.error;
  return {
    ...worker,
    error: { message: `${worker.model} failed.`, type, param: null, code, suggestion: "Ask an administrator." },
  };
}

/** A hive's workers as it last told. */
export function workersOf(hive: HiveState, forAdmin: boolean): WorkerTelemetry[] {
  const workers = hive.heartbeat?.workers ?? [];
  return forAdmin ? workers : workers.map(forMembers);
}

/** Members learn which engines and servers there are, not where. */
function capabilitiesFor({ capabilities }: HiveState, forAdmin: boolean): Capabilities | null {
  if (forAdmin || capabilities === null) return capabilities;
  const { external_servers: servers, engine_facts: facts } = capabilities;
  return {
    ...capabilities,
    ...(facts === undefined ? {} : { engine_facts: facts.map((fact) => ({ ...fact, where: null })) }),
    ...(servers === undefined ? {} : { external_servers: servers.map((server) => ({ ...server, address: null })) }),
  };
}

/** One hive as a page or an app sees it; members see neither addresses nor why a worker failed. */
export function fleetHive(hive: HiveState, forAdmin: boolean): FleetHive {
  return {
    hive_id: hive.hiveId,
    name: hive.name,
    enrolment: hive.enrolment,
    address: forAdmin && hive.host !== null && hive.port !== null ? `${hive.host}:${hive.port}` : null,
    health: hive.health,
    last_seen_at: hive.lastSeenAt,
    version: hive.version,
    capabilities: capabilitiesFor(hive, forAdmin),
    node: hive.heartbeat?.node ?? null,
    workers: workersOf(hive, forAdmin),
    ...(hive.heartbeat?.loans === undefined ? {} : { loans: hive.heartbeat.loans }),
    problem: hive.problem?.toBody().error ?? null,
  };
}

const usable = (hive: HiveState) => hive.health === "healthy" || hive.health === "degraded";

/** The workers of the hives that can be used now. */
export function liveWorkers(hives: readonly HiveState[]): WorkerTelemetry[] {
  return hives.filter(usable).flatMap((hive) => hive.heartbeat?.workers ?? []);
}

/** Every model that some hive has, once, as the first of them tells of it; by id. */
export function hiveModels(hives: readonly HiveState[]): HiveModel[] {
  const models = new Map<string, HiveModel>();
  for (const hive of hives)
    for (const model of hive.capabilities?.models ?? []) if (!models.has(model.id)) models.set(model.id, model);
  return [...models.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function stateOf(workers: readonly WorkerTelemetry[]): Pick<FleetModel, "state" | "load_progress"> {
  if (workers.some((worker) => loadedStates.has(worker.state))) return { state: "loaded", load_progress: null };
  const loading = workers.filter((worker) => loadingStates.has(worker.state));
  if (loading.length === 0) return { state: "unloaded", load_progress: null };
  const known = loading.map((worker) => worker.load_progress).filter((progress) => progress !== null);
  return { state: "loading", load_progress: known.length === 0 ? null : Math.max(...known) };
}

const externalIn = ({ heartbeat }: HiveState) =>
  (heartbeat?.workers ?? []).filter(({ external, state }) => external !== undefined && loadedStates.has(state));

/** The models that servers of others serve now, by the ids that these have in the household. */
export function externalModels(hives: readonly HiveState[]): WorkerTelemetry[] {
  return hives.filter(usable).flatMap(externalIn);
}

/** How else a model is called, and whether it is pinned. */
export type NamesOf = (modelId: string) => Pick<FleetModel, "aliases" | "pinned">;

/** The models of the household over all hives that have told what they hold, by id. */
export function fleetModels(hives: readonly HiveState[], namesOf: NamesOf): FleetModel[] {
  const models = new Map<string, FleetModel>();
  const add = (hive: HiveState, model: HiveModel) => {
    const workers = usable(hive) ? (hive.heartbeat?.workers ?? []).filter((worker) => worker.model === model.id) : [];
    const here = stateOf(workers);
    const known = models.get(model.id);
    if (known === undefined) {
      const { id, name, size_bytes, parameters, quantization, context_length, has_chat_template } = model;
      const facts = { id, name, size_bytes, parameters, quantization, context_length, has_chat_template };
      models.set(model.id, { ...facts, ...namesOf(id), ...here, hives: [hive.hiveId] });
      return;
    }
    known.hives.push(hive.hiveId);
    if (rank[here.state] > rank[known.state]) Object.assign(known, here);
  };
  const addExternal = (hiveId: string, { model: id, context_length, external }: WorkerTelemetry) => {
    if (external === undefined) return;
    const { kind, name } = external;
    const server = { kind, name, hive_id: hiveId };
    const known = models.get(id);
    if (known !== undefined) {
      // Of two servers that have one name people see one.
      if (known.external?.some((one) => one.kind === kind && one.name === name && one.hive_id === hiveId)) return;
      Object.assign(known, { external: [...(known.external ?? []), server], state: "loaded", load_progress: null });
      return;
    }
    models.set(id, {
      ...{ id, name: external.model, size_bytes: null, parameters: null, quantization: null, context_length },
      // A server that is asked for chats has what it needs to make prompts of them.
      has_chat_template: true,
      ...namesOf(id),
      ...{ state: "loaded", load_progress: null, hives: [], external: [server] },
    });
  };
  for (const hive of hives) for (const model of hive.capabilities?.models ?? []) add(hive, model);
  for (const hive of hives.filter(usable)) for (const worker of externalIn(hive)) addExternal(hive.hiveId, worker);
  return [...models.values()].sort((a, b) => a.id.localeCompare(b.id));
}

/** Requests that the queen is answering now: those at a worker, and those that still wait for one. */
export interface RequestCounts {
  readonly running: number;
  readonly waiting: number;
}

/** Everything the dashboard shows about the machines, at one moment. */
export function fleetSnapshot(input: {
  hives: readonly HiveState[];
  forAdmin: boolean;
  queen: FleetSnapshot["queen"];
  requests: RequestCounts;
  jobsRunning: number;
  namesOf: NamesOf;
  ts: number;
}): FleetSnapshot {
  const { hives, forAdmin, queen, requests, jobsRunning, namesOf, ts } = input;
  const tokens = hives
    .filter((hive) => hive.health === "healthy")
    .flatMap((hive) => hive.heartbeat?.workers ?? [])
    .reduce((sum, worker) => sum + (worker.tokens_per_s ?? 0), 0);
  return {
    ts,
    queen: { ...queen },
    hives: hives.map((hive) => fleetHive(hive, forAdmin)).sort((a, b) => a.name.localeCompare(b.name)),
    models: fleetModels(hives, namesOf),
    totals: {
      tokens_per_s: tokens,
      requests_running: requests.running,
      requests_waiting: requests.waiting,
      jobs_running: jobsRunning,
    },
  };
}
