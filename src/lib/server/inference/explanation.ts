import {
  contextSentence,
  RbeeError,
  spreadText,
  type Backend,
  type PlacementExplanation,
  type PlacementVerdict,
  type placementQuerySchema,
  toRbeeError,
} from "@rbee/contract";
import type * as z from "zod";
import type { Person } from "#lib/server/accounts/index.ts";
import type { ModelDecisions } from "#lib/server/models/index.ts";
import type { Breaker } from "./breaker.ts";
import {
  consider,
  openWorkers,
  place,
  type FleetView,
  type HiveView,
  type Judgement,
  type Placement,
  type PlacementRequest,
  type WorkerView,
} from "./placement.ts";
import type { PreloadState } from "./preload.ts";
import { refusal } from "./ready.ts";
import { modelsOf, sentence } from "./sentences.ts";
import { toldTo } from "./told-to.ts";

export type ExplainQuery = z.output<typeof placementQuerySchema>;
type Explained = PlacementExplanation["hives"][number];

export interface Explaining {
  /** Who asks. */
  readonly person: Pick<Person, "user">;
  readonly request: PlacementRequest;
  readonly query: ExplainQuery;
  readonly fleet: FleetView;
  /** Ids of the models that exist. */
  readonly known: readonly string[];
  readonly decisions: ModelDecisions;
  readonly preload: PreloadState | null;
  readonly breaker: (hiveId: string) => ReturnType<Breaker["state"]>;
}

const errorOf = (person: Pick<Person, "user">, error: RbeeError) => toRbeeError(toldTo(person, error)).toBody().error;
const eviction = ({ workerId, model, idleS }: WorkerView) => ({ worker_id: workerId, model, idle_s: idleS ?? null });
/** A sentence that begins with the name of a machine, which is written as people gave it. */
const sentenceOf = (clause: string) => `${clause}.`;

/** The ids of the hives that are called so. @throws {RbeeError} `node_not_found`. */
function hivesCalled(name: string | undefined, { hives }: FleetView): ReadonlySet<string> | undefined {
  if (name === undefined) return undefined;
  const byId = hives.filter(({ hiveId }) => hiveId === name);
  const found = byId.length > 0 ? byId : hives.filter((hive) => hive.name.toLowerCase() === name.toLowerCase());
  if (found.length === 0)
    throw new RbeeError("node_not_found", `No machine ${name} is in the household.`, {
      param: "hive",
      suggestion: hives.length === 0 ? undefined : `There is ${hives.map((hive) => hive.name).join(", ")}.`,
    });
  return new Set(found.map(({ hiveId }) => hiveId));
}

function verdictOf(
  { verdict }: Judgement,
  workers: readonly WorkerView[],
  open: readonly WorkerView[],
): PlacementVerdict {
  if (open.length > 0) return "use";
  if (workers.some(({ state }) => state === "starting" || state === "loading")) return "wait";
  switch (verdict.kind) {
    case "untold":
      return "starting";
    case "unfit":
      return "no_backend";
    case "served":
    case "vanished":
      return "no_model";
    default:
      return verdict.kind;
  }
}

/** Where a worker has its model, as a clause. */
const placeOf = ({ external, device }: WorkerView, hive: string, model: string): string =>
  external === undefined
    ? `${hive} has ${model} loaded on ${device ?? "an unknown device"}`
    : `${external.name} on ${hive} serves ${model}`;

function reasonOf(model: string, judgement: Judgement, verdict: PlacementVerdict, open: readonly WorkerView[]): string {
  const { hive } = judgement;
  const [worker] = open;
  if (verdict === "use" && worker !== undefined) {
    const busy = worker.running === 0 ? "has nothing to do" : `is answering ${worker.running}`;
    const how = placeOf(worker, hive.name, model);
    return sentenceOf(`${how}; ${worker.external === undefined ? "its worker" : "of this household's, it"} ${busy}`);
  }
  if (verdict === "wait") return sentenceOf(`${hive.name} is loading ${model} already`);
  return sentenceOf(sentence(model, hive, judgement.verdict));
}

/** The worker of another hive that this one computes a part for, and how much that is. */
function helpedBy(model: string, hive: HiveView, { hives }: FleetView): { main: HiveView; share: number } | undefined {
  for (const main of hives)
    for (const worker of main.workers) {
      const part = worker.spread?.find(({ hive_id }) => hive_id === hive.hiveId);
      const isUsed = worker.state === "ready" || worker.state === "busy";
      if (worker.model === model && main !== hive && isUsed && part !== undefined) return { main, share: part.share };
    }
  return undefined;
}

function explainHive(
  judgement: Judgement,
  { person, request, fleet, breaker }: Explaining,
  chosen: string | undefined,
): Explained {
  const { hive, verdict } = judgement;
  const workers = hive.workers.filter(({ model, state }) => model === request.model && state !== "stopped");
  const open = openWorkers(request.model, { hives: fleet.hives.filter((each) => each === hive) }, new Set(), request);
  const helped = helpedBy(request.model, hive, fleet);
  const kind = helped === undefined ? verdictOf(judgement, workers, open) : "use";
  const judged = "device" in verdict ? verdict : undefined;
  const failing = breaker(hive.hiveId);
  return {
    hive_id: hive.hiveId,
    name: hive.name,
    health: hive.health,
    verdict: kind,
    chosen: hive.hiveId === chosen,
    reason:
      helped === undefined
        ? reasonOf(request.model, judgement, kind, open)
        : `${hive.name} computes ${Math.round(helped.share * 100)} % of ${request.model} for ${helped.main.name}.`,
    backend: judged?.device.backend ?? null,
    device: judged?.device.id ?? null,
    need_mb: judged?.needMb ?? null,
    have_mb: typeof judged?.haveMb === "number" ? Math.floor(judged.haveMb) : null,
    context:
      judged === undefined || judged.kind === "no_memory"
        ? null
        : { ...judged.context, message: contextSentence(hive.name, judged.context) },
    evicts: kind === "evict" && verdict.kind === "evict" ? verdict.evicts.map(eviction) : [],
    workers: workers
      // One that is about to start has no id yet.
      .filter(({ workerId }) => workerId.startsWith("worker:"))
      .map(({ workerId, state, device, slotsTotal, contextLength, running, idleS }) => ({
        worker_id: workerId,
        state,
        device,
        slots_total: slotsTotal,
        context_length: contextLength ?? null,
        requests: running,
        idle_s: idleS ?? null,
      })),
    breaker:
      failing === undefined
        ? null
        : { failures: failing.failures, retry_at: failing.retryAt, error: errorOf(person, failing.error) },
  };
}

interface Told {
  readonly message: string;
  readonly hive?: HiveView | undefined;
  readonly backend?: Backend | null;
  readonly device?: string | null;
  readonly worker?: WorkerView;
  readonly evicts?: readonly WorkerView[];
  readonly error?: RbeeError;
}

function wordsOfUse(model: string, { external, device, spread }: WorkerView, hive: HiveView | undefined): string {
  const name = hive?.name ?? "a hive";
  if (external !== undefined) return `A request goes to ${external.name} on ${name}, which serves ${model}.`;
  const where = spread === undefined ? `on ${device ?? "an unknown device"}` : `over ${spreadText(spread)}`;
  return `A request goes to ${name}, where ${model} is loaded ${where}.`;
}

function tell(model: string, placement: Placement, { person, fleet, request, known }: Explaining): Told {
  const at = (id: string) => fleet.hives.find(({ hiveId }) => hiveId === id);
  switch (placement.kind) {
    case "use":
    case "wait": {
      const { worker } = placement;
      const hive = at(worker.hiveId);
      const message =
        placement.kind === "use"
          ? wordsOfUse(model, worker, hive)
          : `A request waits for ${model} to load on ${hive?.name ?? "a hive"} (${worker.device ?? "unknown"}).`;
      return { message, hive, backend: worker.backend, device: worker.device, worker };
    }
    case "load": {
      const { hive, backend, device, evicts, spread } = placement;
      const first =
        evicts.length === 0 ? "" : `, after ${modelsOf(evicts)}, which has nothing to do, was stopped there`;
      return {
        message:
          spread === undefined
            ? `A request has ${model} loaded on ${hive.name} (${device})${first}.`
            : `A request has ${model} spread over ${spreadText(spread.parts)}${first}.`,
        hive,
        backend,
        device,
        evicts,
      };
    }
    case "later": {
      const { hive, frees } = placement;
      return { message: `A request waits for memory on ${hive.name} that ${modelsOf(frees)} uses.`, hive };
    }
    case "refuse": {
      const error = refusal(request, placement, known);
      return { message: errorOf(person, error).message, error };
    }
  }
}

/**
 * Where a request for a model would go now, and what speaks for and against each hive.
 * @throws {RbeeError} `model_not_found` when nobody has it, `node_not_found` for a hive that does not exist.
 */
export function explain(input: Explaining): PlacementExplanation {
  const { query, fleet, known, decisions, preload } = input;
  const { backend, device } = query;
  const request: PlacementRequest = { ...input.request, backend, device, hives: hivesCalled(query.hive, fleet) };
  const { model } = request;
  const placement = place(request, fleet);
  if (placement.kind === "refuse" && placement.error === "model_not_found" && !known.includes(model))
    throw refusal(request, placement, known);
  const explaining = { ...input, request };
  const told = tell(model, placement, explaining);
  const kind = placement.kind === "load" && placement.evicts.length > 0 ? "evict" : placement.kind;
  const { contextLength, slots, gpuLayers, flashAttention, kvType, engine, pinned, preload: preloads } = decisions;
  return {
    model,
    decision: {
      kind,
      message: told.message,
      hive_id: told.hive?.hiveId ?? null,
      hive: told.hive?.name ?? null,
      backend: told.backend ?? null,
      device: told.device ?? null,
      worker_id: told.worker?.workerId.startsWith("worker:") === true ? told.worker.workerId : null,
      evicts: (told.evicts ?? []).map(eviction),
      error: told.error === undefined ? null : errorOf(input.person, told.error),
    },
    settings: {
      context_length: contextLength,
      slots,
      gpu_layers: gpuLayers,
      flash_attention: flashAttention,
      kv_type: kvType,
      engine,
      pinned,
      preload: preloads,
    },
    preload:
      preload === null
        ? null
        : { ...preload, error: preload.error === null ? null : errorOf(input.person, preload.error) },
    hives: consider(request, fleet)
      .map((judgement) => explainHive(judgement, explaining, told.hive?.hiveId))
      .sort((a, b) => Number(b.chosen) - Number(a.chosen) || a.name.localeCompare(b.name)),
  };
}
