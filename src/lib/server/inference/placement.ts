import type { Backend, ErrorCode, Health, WorkerState } from "@rbee/contract";

/** A worker as placement sees it. */
export interface WorkerView {
  readonly workerId: string;
  readonly hiveId: string;
  readonly model: string;
  readonly state: WorkerState;
  readonly backend: Backend;
  /** Device id, for example `cuda:0`. */
  readonly device: string;
  readonly slotsTotal: number | null;
  /** Requests it is answering: the greater of what its hive measured and what this queen has sent it. */
  readonly running: number;
}

export interface ModelView {
  readonly id: string;
  readonly sizeMb: number;
}

/** A hive as placement sees it. */
export interface HiveView {
  readonly hiveId: string;
  readonly name: string;
  readonly health: Health;
  /** Null until the hive has told. */
  readonly models: readonly ModelView[] | null;
  /** Null when it cannot be measured. */
  readonly freeRamMb: number | null;
  /** Free memory of each GPU that a worker can use; null where it cannot be measured. */
  readonly freeVramMb: readonly (number | null)[];
  readonly workers: readonly WorkerView[];
}

export interface FleetView {
  readonly hives: readonly HiveView[];
}

/** What a request insists on; there is no silent fall-back to another. */
export interface Where {
  /** Ids of the only hives that may be used. */
  readonly hives?: ReadonlySet<string> | undefined;
  readonly backend?: Backend | undefined;
  readonly device?: string | undefined;
}

export interface PlacementRequest extends Where {
  readonly model: string;
  /** Workers that have just failed this request: their being ready is not believed, but they may be waited for. */
  readonly avoid?: ReadonlySet<string>;
}

export type Placement =
  | { readonly kind: "use"; readonly worker: WorkerView }
  /** A worker of this model is on its way already. */
  | { readonly kind: "wait"; readonly worker: WorkerView }
  | {
      readonly kind: "load";
      readonly hive: HiveView;
      readonly backend: Backend | undefined;
      readonly device: string | undefined;
    }
  | {
      readonly kind: "refuse";
      readonly error: ErrorCode;
      /** One plain sentence for each hive, or for the household. Never empty. */
      readonly reasons: readonly string[];
      /** Whether the answer may change within seconds, because a hive is still on its way. */
      readonly soon: boolean;
      /** The least memory that was missing, in MB, when memory was the reason. */
      readonly memory: { readonly needMb: number; readonly haveMb: number } | undefined;
    };

/** Weights plus context and overhead: what a hive checks too before it starts a worker. */
const memoryFactor = 1.2;

const answering = (worker: WorkerView) => worker.state === "ready" || worker.state === "busy";
const coming = (worker: WorkerView) => worker.state === "starting" || worker.state === "loading";
const usable = (hive: HiveView) => hive.health === "healthy" || hive.health === "degraded";
/** Whether a worker is where a request insists on. */
const suits = ({ hiveId, backend, device }: Pick<WorkerView, "hiveId" | "backend" | "device">, where: Where) =>
  (where.hives?.has(hiveId) ?? true) &&
  (where.backend === undefined || where.backend === backend) &&
  (where.device === undefined || where.device === device);
const load = (worker: WorkerView) => worker.running / Math.max(1, worker.slotsTotal ?? 1);

/** The first by the given keys, smaller first; undefined when there is none. */
function best<T>(items: readonly T[], keys: (item: T) => readonly (number | string)[]): T | undefined {
  const compare = (a: T, b: T): number => {
    const right = keys(b);
    for (const [index, left] of keys(a).entries()) {
      const other = right[index] ?? left;
      if (left !== other) return left < other ? -1 : 1;
    }
    return 0;
  };
  return [...items].sort(compare)[0];
}

/** The most memory one device of a hive has free: a model must fit into one of them. Infinity when nothing is known. */
function roomMb(hive: HiveView): number {
  const known = [hive.freeRamMb, ...hive.freeVramMb].filter((free) => free !== null);
  return known.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...known);
}

const modelOf = (hive: HiveView, model: string) => hive.models?.find(({ id }) => id === model);

function whyNot(hive: HiveView, model: string, needMb: number): string {
  if (hive.health === "down") return `${hive.name} is down`;
  if (hive.health === "starting") return `${hive.name} has not reported yet`;
  if (hive.models === null) return `${hive.name} has not told which models it has`;
  if (modelOf(hive, model) === undefined) return `${hive.name} does not have ${model}`;
  return `${hive.name} has ${Math.floor(roomMb(hive))} MB free, ${model} needs about ${needMb} MB`;
}

function refuse(model: string, fleet: FleetView, fits: readonly { hive: HiveView; needMb: number }[]): Placement {
  const soon = fleet.hives.some((hive) => hive.health === "starting" || (usable(hive) && hive.models === null));
  const needs = new Map(fits.map(({ hive, needMb }) => [hive.hiveId, needMb]));
  const reasons = fleet.hives.map((hive) => whyNot(hive, model, needs.get(hive.hiveId) ?? 0));
  const refusal = { kind: "refuse" as const, soon, memory: undefined };
  if (fleet.hives.length === 0)
    return { ...refusal, error: "model_not_found", reasons: ["the household has no hive yet"] };
  const roomiest = best(fits, ({ hive, needMb }) => [needMb - roomMb(hive)]);
  if (roomiest !== undefined) {
    const memory = { needMb: roomiest.needMb, haveMb: Math.floor(roomMb(roomiest.hive)) };
    const error = roomiest.hive.freeVramMb.length > 0 ? "insufficient_vram" : "insufficient_ram";
    return { ...refusal, error, reasons, memory };
  }
  const holders = fleet.hives.filter((hive) => modelOf(hive, model) !== undefined);
  if (holders.length === 0) return { ...refusal, error: "model_not_found", reasons };
  return { ...refusal, error: soon ? "model_loading" : "hive_down", reasons };
}

/** What can be said about each hive as a place for a model: one plain clause for each. */
export function consider(model: string, fleet: FleetView): string[] {
  return fleet.hives.map((hive) => whyNot(hive, model, Math.ceil((modelOf(hive, model)?.sizeMb ?? 0) * memoryFactor)));
}

/** The workers that answer for a model now, the best place first. */
export function openWorkers(
  model: string,
  fleet: FleetView,
  avoid: ReadonlySet<string>,
  where: Where = {},
): WorkerView[] {
  const hives = fleet.hives.filter(usable);
  const degraded = new Set(hives.filter((hive) => hive.health === "degraded").map((hive) => hive.hiveId));
  const rank = (worker: WorkerView) => (degraded.has(worker.hiveId) ? 1 : 0);
  return hives
    .flatMap((hive) => hive.workers)
    .filter(
      (worker) => worker.model === model && answering(worker) && !avoid.has(worker.workerId) && suits(worker, where),
    )
    .sort((a, b) => rank(a) - rank(b) || load(a) - load(b) || (a.workerId < b.workerId ? -1 : 1));
}

/**
 * Decides where a request goes: to the least busy worker that has the model; else to one that is loading it; else to
 * the hive that has it on disk, is healthy and has the most memory free; else nowhere, with the reasons.
 */
export function place(request: PlacementRequest, household: FleetView): Placement {
  const { model, avoid, backend, device } = request;
  const fleet =
    request.hives === undefined
      ? household
      : { hives: household.hives.filter(({ hiveId }) => request.hives?.has(hiveId)) };
  const hives = fleet.hives.filter(usable);
  const degraded = new Set(hives.filter((hive) => hive.health === "degraded").map((hive) => hive.hiveId));
  const workers = hives
    .flatMap((hive) => hive.workers)
    .filter((worker) => worker.model === model && suits(worker, request));
  const avoided = (worker: WorkerView) => avoid?.has(worker.workerId) === true;

  const worker = best(
    workers.filter((candidate) => answering(candidate) && !avoided(candidate)),
    (candidate) => [degraded.has(candidate.hiveId) ? 1 : 0, load(candidate), candidate.workerId],
  );
  if (worker !== undefined) return { kind: "use", worker };
  const awaited = best(
    workers.filter((candidate) => coming(candidate) || (answering(candidate) && avoided(candidate))),
    (candidate) => [avoided(candidate) ? 1 : 0, candidate.workerId],
  );
  if (awaited !== undefined) return { kind: "wait", worker: awaited };

  const holders = hives.flatMap((hive) => {
    const found = modelOf(hive, model);
    return found === undefined ? [] : [{ hive, needMb: Math.ceil(found.sizeMb * memoryFactor) }];
  });
  const fitting = holders.filter(({ hive, needMb }) => roomMb(hive) >= needMb);
  const chosen = best(fitting, ({ hive }) => [
    degraded.has(hive.hiveId) ? 1 : 0,
    hive.freeVramMb.length > 0 ? 0 : 1,
    -roomMb(hive),
    hive.hiveId,
  ]);
  if (chosen !== undefined) return { kind: "load", hive: chosen.hive, backend, device };
  return refuse(model, fleet, holders);
}
