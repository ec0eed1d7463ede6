import { externalSeats, type Backend, type Device, type Engine, type ErrorCode } from "@rbee/contract";
import { isSpread, planSpread } from "./spread.ts";
import { judge, type Verdict } from "./verdict.ts";
import { sentence } from "./sentences.ts";
import { suits } from "./suits.ts";
import type { Failing, FleetView, HiveView, Memory, PlacementRequest, Where, WorkerView } from "./views.ts";

export type * from "./views.ts";

export type Placement =
  | { readonly kind: "use"; readonly worker: WorkerView }
  /** A worker of this model is on its way already. */
  | { readonly kind: "wait"; readonly worker: WorkerView }
  | {
      readonly kind: "load";
      readonly hive: HiveView;
      readonly backend: Backend;
      readonly device: string;
      readonly promised: Memory;
      /** Workers with nothing to do that have to go first. */
      readonly evicts: readonly WorkerView[];
      /** How it is spread over several hives; undefined when that one does it alone. */
      readonly spread?: Spread;
    }
  /** It would fit once others have finished what they do. */
  | {
      readonly kind: "later";
      readonly hive: HiveView;
      /** The workers whose end would make room. */
      readonly frees: readonly WorkerView[];
      readonly reasons: readonly string[];
    }
  | {
      readonly kind: "refuse";
      readonly error: ErrorCode;
      /** One plain clause for each hive, or for the household. Never empty. */
      readonly reasons: readonly string[];
      /** Whether the answer may change within seconds, because a hive is still on its way. */
      readonly soon: boolean;
      /** The least memory that was missing, in MB, when memory was the reason. */
      readonly memory: { readonly needMb: number; readonly haveMb: number } | undefined;
      /** The server of somebody else that had it a while ago, when nobody else has it. */
      readonly vanished?: Extract<Verdict, { readonly kind: "vanished" }>;
      /** What made loading fail, when that is the reason. */
      readonly failing?: Failing;
      /** The engine that no hive with the model has, when that is the reason. */
      readonly engine?: Engine;
      /** What there is instead, when the backend or device asked for is not. */
      /** What to do about it, where that is not what is always to be done about this error. */
      readonly suggestion?: string;
      readonly available?: { readonly backends: readonly string[]; readonly devices: readonly string[] };
    };

/** A model over several hives. */
export interface Spread {
  /** Every hive's part, the main one first. */
  readonly parts: readonly { readonly name: string; readonly share: number }[];
  readonly helpers: readonly HelperPart[];
  /** Tokens of context per slot that all of them reckon with. */
  readonly contextLength: number;
}

/** What a hive computes for the main one. */
export interface HelperPart {
  readonly hive: HiveView;
  readonly device: Pick<Device, "id" | "backend">;
  readonly promised: Memory;
  /** Of the model's layers, from 0 to 1. */
  readonly share: number;
}

/** What was found about one hive. */
export interface Judgement {
  readonly hive: HiveView;
  readonly verdict: Verdict;
}

const answering = (worker: WorkerView) =>
  (worker.state === "ready" || worker.state === "busy") && worker.yielding !== true;
const coming = (worker: WorkerView) => worker.state === "starting" || worker.state === "loading";
const usable = (hive: HiveView) => hive.health === "healthy" || hive.health === "degraded";
/** How many requests a worker answers at a time, as far as that is known. */
const seatsOf = ({ slotsTotal, external }: WorkerView) => slotsTotal ?? (external === undefined ? 1 : externalSeats);
const load = (worker: WorkerView) => worker.running / Math.max(1, seatsOf(worker));
/** Our own workers come before servers of which little is known. */
const ownFirst = ({ external }: WorkerView) => (external === undefined ? 0 : 1);

/** The first by the given keys, smaller first; undefined when there is none. */
export function best<T>(items: readonly T[], keys: (item: T) => readonly (number | string)[]): T | undefined {
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
    .sort(
      (a, b) =>
        rank(a) - rank(b) || ownFirst(a) - ownFirst(b) || load(a) - load(b) || (a.workerId < b.workerId ? -1 : 1),
    );
}

/** A worker that is there or on its way, when the request may have it. */
function existing(request: PlacementRequest, hives: readonly HiveView[]): Placement | undefined {
  const { model, avoid } = request;
  const degraded = new Set(hives.filter((hive) => hive.health === "degraded").map((hive) => hive.hiveId));
  const workers = hives
    .flatMap((hive) => hive.workers)
    .filter((worker) => worker.model === model && suits(worker, request));
  const avoided = (worker: WorkerView) => avoid?.has(worker.workerId) === true;
  const worker = best(
    workers.filter((candidate) => answering(candidate) && !avoided(candidate)),
    (candidate) => [degraded.has(candidate.hiveId) ? 1 : 0, ownFirst(candidate), load(candidate), candidate.workerId],
  );
  if (worker !== undefined) return { kind: "use", worker };
  // A server of others that failed is as it was: its hive knows no better, so whatever else there is comes first.
  const awaited = best(
    workers.filter(
      (candidate) =>
        coming(candidate) || (answering(candidate) && avoided(candidate) && candidate.external === undefined),
    ),
    (candidate) => [avoided(candidate) ? 1 : 0, candidate.workerId],
  );
  return awaited === undefined ? undefined : { kind: "wait", worker: awaited };
}

/** A server of others that failed this request before: the last that is asked again. */
const failedExternal = (request: PlacementRequest, hives: readonly HiveView[]): WorkerView | undefined =>
  best(
    hives
      .flatMap((hive) => hive.workers)
      .filter(
        (worker) =>
          worker.model === request.model &&
          worker.external !== undefined &&
          answering(worker) &&
          request.avoid?.has(worker.workerId) === true &&
          suits(worker, request),
      ),
    ({ workerId }) => [workerId],
  );

/** The hives that a request leaves to choose from. */
const inQuestion = (request: Where, { hives }: FleetView): readonly HiveView[] =>
  request.hives === undefined ? hives : hives.filter(({ hiveId }) => request.hives?.has(hiveId));

/** What can be said about each hive as a place for a new worker, whatever runs there already. */
export function consider(request: PlacementRequest, fleet: FleetView): Judgement[] {
  if (isSpread(request, fleet)) return [...planSpread(request, fleet).judgements];
  return inQuestion(request, fleet).map((hive) => ({ hive, verdict: judge(request, hive) }));
}

/** One plain clause for each hive. */
export const reasonsIn = (request: PlacementRequest, judgements: readonly Judgement[]): string[] =>
  judgements.map(({ hive, verdict }) => sentence(request.model, hive, verdict));

/**
 * Decides where a request goes: to the least busy worker that has the model; else to one that is loading it; else to
 * a hive that has it on disk and the memory for it free; else to one that can make room by stopping workers which have
 * nothing to do, the fewest and those idle longest; else it waits for memory that others use now; else nowhere, with
 * the reasons. The same fleet gives the same answer, in whatever order its hives stand.
 */
export function place(request: PlacementRequest, fleet: FleetView): Placement {
  const hives = inQuestion(request, fleet);
  const found = request.another === true ? undefined : existing(request, hives.filter(usable));
  if (found !== undefined) return found;
  const placed = isSpread(request, fleet) ? placeSpread(request, fleet) : placeNew(request, consider(request, fleet));
  const last = placed.kind === "refuse" ? failedExternal(request, hives.filter(usable)) : undefined;
  return last === undefined ? placed : { kind: "wait", worker: last };
}

/** Where a model goes that the household wants on several hives: on all of them, or on those that are left if it fits. */
function placeSpread(request: PlacementRequest, fleet: FleetView): Placement {
  const { judgements, main, helpers, alone, missing, leftOut } = planSpread(request, fleet);
  const reasons = reasonsIn(request, judgements);
  const refusal = { kind: "refuse" as const, reasons, memory: undefined, soon: false };
  // A hive that is only just starting is part of it in a moment.
  if (judgements.some(({ verdict }) => verdict.kind === "starting" || verdict.kind === "untold"))
    return { ...refusal, error: "model_loading", soon: true };
  if (main !== undefined) return spreadLoad(main, helpers);
  if (alone !== undefined) {
    const rest = placeNew(request, [alone]);
    if (rest.kind !== "refuse") return rest;
  }
  const counting = judgements.filter(({ hive }) => !leftOut.has(hive.hiveId));
  const short = best(having(counting, "no_memory"), ({ hive, verdict }) => [
    verdict.haveMb - verdict.needMb,
    hive.hiveId,
  ]);
  const [later] = having(counting, "later");
  if (short === undefined && later !== undefined)
    return { kind: "later", hive: later.hive, frees: later.verdict.frees, reasons };
  if (short !== undefined) {
    const { needMb, haveMb, code } = short.verdict;
    const memory = { needMb, haveMb: Math.floor(haveMb) };
    return { ...refusal, error: missing.length > 0 ? "hive_down" : code, memory };
  }
  if (judgements.some(({ verdict }) => verdict.kind === "unfit" || verdict.kind === "no_backend"))
    return { ...refusal, error: "backend_unavailable" };
  const [failing] = having(judgements, "failing");
  if (failing !== undefined)
    return { ...refusal, error: failing.verdict.failing.error.code, failing: failing.verdict.failing };
  if (missing.length > 0) return { ...refusal, error: "hive_down" };
  const [first] = judgements;
  const { model } = request;
  const pull = first === undefined ? undefined : `rbee model pull ${model} --hive ${first.hive.name}`;
  return {
    ...refusal,
    error: "model_not_found",
    ...(pull === undefined ? {} : { suggestion: `One of these machines needs its files: \`${pull}\`.` }),
  };
}

/** One that is spread stands on several hives. */
const onceEach = (workers: readonly WorkerView[]): WorkerView[] => [
  ...new Map(workers.map((worker) => [worker.workerId, worker])).values(),
];

type Helping = ReturnType<typeof planSpread>["helpers"][number];

function spreadLoad(main: Helping, helpers: readonly Helping[]): Placement {
  const { hive, verdict } = main;
  const placed = [main, ...helpers];
  return {
    kind: "load",
    hive,
    backend: verdict.device.backend,
    device: verdict.device.id,
    promised: verdict.need,
    evicts: onceEach(placed.flatMap(({ verdict: each }) => (each.kind === "evict" ? each.evicts : []))),
    spread: {
      contextLength: verdict.context.tokens,
      parts: placed.map(({ hive: { name }, verdict: { share = 0 } }) => ({ name, share })),
      helpers: helpers.map(({ hive: helper, verdict: { device, need, share = 0 } }) => ({
        hive: helper,
        device,
        promised: need,
        share,
      })),
    },
  };
}

type Of<K extends Verdict["kind"]> = Extract<Verdict, { kind: K }>;
const having = <K extends Verdict["kind"]>(judgements: readonly Judgement[], kind: K) =>
  judgements.flatMap(({ hive, verdict }) => (verdict.kind === kind ? [{ hive, verdict: verdict as Of<K> }] : []));

const onGpuFirst = ({ device }: { device: { backend: Backend } }) => (device.backend === "cpu" ? 1 : 0);
const healthyFirst = ({ health }: HiveView) => (health === "degraded" ? 1 : 0);

function placeNew(request: PlacementRequest, judgements: readonly Judgement[]): Placement {
  const free = best(having(judgements, "load"), ({ hive, verdict }) => [
    healthyFirst(hive),
    onGpuFirst(verdict),
    -(verdict.haveMb ?? Number.POSITIVE_INFINITY),
    hive.hiveId,
  ]);
  const chosen =
    free ??
    best(having(judgements, "evict"), ({ hive, verdict }) => [
      healthyFirst(hive),
      verdict.evicts.length,
      onGpuFirst(verdict),
      -Math.min(...verdict.evicts.map(({ idleS }) => idleS ?? 0)),
      hive.hiveId,
    ]);
  if (chosen !== undefined) {
    const { hive, verdict } = chosen;
    const { device, need } = verdict;
    const evicts = verdict.kind === "evict" ? verdict.evicts : [];
    return { kind: "load", hive, backend: device.backend, device: device.id, promised: need, evicts };
  }
  const later = best(having(judgements, "later"), ({ hive, verdict }) => [
    healthyFirst(hive),
    verdict.frees.length,
    onGpuFirst(verdict),
    hive.hiveId,
  ]);
  if (later !== undefined) {
    const { hive, verdict } = later;
    return { kind: "later", hive, frees: verdict.frees, reasons: reasonsIn(request, judgements) };
  }
  return refuse(request, judgements);
}

function refuse(request: PlacementRequest, judgements: readonly Judgement[]): Placement {
  const soon = judgements.some(({ verdict }) => verdict.kind === "starting" || verdict.kind === "untold");
  const reasons = reasonsIn(request, judgements);
  const refusal = { kind: "refuse" as const, soon, memory: undefined };
  if (judgements.length === 0)
    return { ...refusal, error: "model_not_found", reasons: ["the household has no hive yet"] };
  const failing = best(having(judgements, "failing"), ({ hive, verdict }) => [
    verdict.failing.retryAfterS,
    hive.hiveId,
  ]);
  if (failing !== undefined) {
    const { failing: how } = failing.verdict;
    return { ...refusal, error: how.error.code, reasons, failing: how };
  }
  const short = best(having(judgements, "no_memory"), ({ hive, verdict }) => [
    verdict.needMb - verdict.haveMb,
    hive.hiveId,
  ]);
  if (short !== undefined) {
    const { needMb, haveMb, code } = short.verdict;
    return { ...refusal, error: code, reasons, memory: { needMb, haveMb: Math.floor(haveMb) } };
  }
  const unable = having(judgements, "no_backend");
  if (unable.length > 0 && !soon) {
    const sorted = (names: readonly string[]) => [...new Set(names)].sort();
    const devices = unable.flatMap(({ hive }) => hive.devices);
    const available = {
      backends: sorted(devices.map(({ backend }) => backend)),
      devices: sorted(devices.map(({ id }) => id)),
    };
    return { ...refusal, error: "backend_unavailable", reasons, available };
  }
  const [lacking] = having(judgements, "no_engine");
  if (lacking !== undefined && !soon)
    return { ...refusal, error: "backend_unavailable", reasons, engine: lacking.verdict.asked };
  const holders = judgements.filter(
    ({ hive, verdict }) =>
      hive.models?.some(({ id }) => id === request.model) ||
      (verdict.kind === "down" && hive.served?.includes(request.model)),
  );
  const [served] = having(judgements, "served");
  if (holders.length === 0 && served !== undefined)
    return { ...refusal, error: "invalid_request", reasons: [sentence(request.model, served.hive, served.verdict)] };
  const [gone] = having(judgements, "vanished");
  if (holders.length === 0 && gone !== undefined)
    return { ...refusal, error: "model_not_found", reasons, vanished: gone.verdict };
  if (holders.length === 0 && !soon) return { ...refusal, error: "model_not_found", reasons };
  return { ...refusal, error: soon ? "model_loading" : "hive_down", reasons };
}
