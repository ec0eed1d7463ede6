import {
  chooseContext,
  memoryNeed,
  memoryQuestion,
  poolOf,
  usualEngine,
  type Backend,
  type ContextChoice,
  type Engine,
  type FreeMemory,
  type MemoryNeed,
} from "@rbee/contract";
import { fewest } from "./eviction.ts";
import { suits } from "./suits.ts";
import type { DeviceView, Failing, HiveView, Memory, ModelView, PlacementRequest, WorkerView } from "./views.ts";

/** What a device of a hive has for a new worker. */
export interface Room {
  readonly device: DeviceView;
  readonly need: Memory;
  /** What it needs of the memory that is scarcest there, and what of that is free; null when it cannot be measured. */
  readonly needMb: number;
  readonly haveMb: number | null;
  /** What each slot of it would have. */
  readonly context: ContextChoice;
  /** Of the model's layers, where it is spread over several hives. */
  readonly share?: number;
}

/** What a hive is as a place for a new worker of a model. */
export type Verdict =
  | (Room & { readonly kind: "load" })
  | (Room & { readonly kind: "evict"; readonly evicts: readonly WorkerView[] })
  | (Room & { readonly kind: "later"; readonly frees: readonly WorkerView[] })
  | (Room & {
      readonly kind: "no_memory";
      readonly haveMb: number;
      readonly code: "insufficient_ram" | "insufficient_vram";
    })
  | { readonly kind: "no_backend"; readonly asked: string }
  | { readonly kind: "no_engine"; readonly asked: Engine }
  | { readonly kind: "no_model" }
  /** A server of somebody else had it there a while ago. */
  | { readonly kind: "vanished"; readonly server: string }
  /** A server of somebody else has it there; rbee starts no worker of it. */
  | { readonly kind: "served"; readonly server: string }
  /** It cannot compute a part of a model for or with others. */
  | { readonly kind: "unfit"; readonly why: string }
  | { readonly kind: "failing"; readonly failing: Failing }
  | { readonly kind: "starting" }
  /** It has not told yet which models it has. */
  | { readonly kind: "untold" }
  | { readonly kind: "down" };

export type Placed = Extract<Verdict, Room>;

const ram = "ram";
const kinds = ["load", "evict", "later", "no_memory"] as const;
const preference: readonly Backend[] = ["cuda", "metal", "rocm", "vulkan", "cpu"];

const living = ({ state }: WorkerView) => state !== "stopped" && state !== "failed";
const coming = ({ state }: WorkerView) => state === "starting" || state === "loading";
const mayGo = (worker: WorkerView) =>
  worker.state === "ready" &&
  worker.running === 0 &&
  worker.pinned !== true &&
  worker.fresh !== true &&
  worker.external === undefined;

/** What is free of one memory when some workers are gone; null when it cannot be measured. */
function freeOf(pool: string, hive: HiveView, told: number | undefined, gone: ReadonlySet<WorkerView>): number | null {
  const isRam = pool === ram;
  const poolAt = (id: string | null) => {
    const device = hive.devices.find((each) => each.id === id);
    return device === undefined ? ram : poolOf(device);
  };
  const of = (worker: WorkerView, memory: Memory | undefined): number => {
    if (memory === undefined) return 0;
    return isRam ? memory.ramMb : poolAt(worker.device) === pool ? memory.deviceMb : 0;
  };
  const workers = hive.workers.filter(living);
  const sum = (chosen: readonly WorkerView[], what: "promised" | "holds") =>
    chosen.reduce((total, worker) => total + of(worker, worker[what]), 0);
  const freed = [...gone].filter((worker) => !coming(worker));
  const freedPromises = [...gone].filter(coming);
  // A hive that was just asked has taken off itself what those that are coming will need, and kept its limit.
  if (told !== undefined) return told + sum(freed, "holds") + sum(freedPromises, "promised");
  const measured = hive.freeMb[pool] ?? null;
  const free =
    measured === null
      ? null
      : measured +
        sum(freed, "holds") -
        sum(
          workers.filter((each) => coming(each) && !gone.has(each)),
          "promised",
        );
  if (!isRam || hive.limitMb === null) return free;
  const left =
    hive.limitMb -
    sum(
      workers.filter((each) => !gone.has(each)),
      "promised",
    );
  return free === null ? left : Math.min(free, left);
}

/** Longest idle first; then, for those who only matter as "later", the ones that have least to do. */
const leastUsedFirst = (a: WorkerView, b: WorkerView) =>
  Number(mayGo(b)) - Number(mayGo(a)) ||
  (b.idleS ?? 0) - (a.idleS ?? 0) ||
  a.running - b.running ||
  (a.workerId < b.workerId ? -1 : 1);

function judgeDevice(request: PlacementRequest, hive: HiveView, model: ModelView, device: DeviceView): Placed {
  const shape = { sizeBytes: model.size_bytes, trainedContext: model.context_length, facts: model.memory };
  const question = memoryQuestion(device.backend, request.options ?? {}, hive.usualSlots);
  const sharesRam = poolOf(device) === ram;
  // Nobody waits, and nothing is stopped, for more context than is needed: what a worker gets beyond is for what is free.
  const least = memoryNeed(shape, question, sharesRam);
  return judgeNeed(request, hive, device, least, (there) => chooseContext(shape, question, there, sharesRam));
}

/**
 * What a device of a hive has for something that needs so much at least.
 * @param choose how much context it gets, and so what it is promised, where so much is free.
 */
export function judgeNeed(
  request: PlacementRequest,
  hive: HiveView,
  device: DeviceView,
  { device_mb, ram_mb }: MemoryNeed,
  choose: (there: FreeMemory) => ContextChoice & { readonly need: MemoryNeed },
): Placed {
  const { mayEvict = true } = request;
  const pool = poolOf(device);
  const told = request.told?.get(hive.hiveId);
  const wants = [
    { pool, mb: pool === ram ? 0 : device_mb },
    { pool: ram, mb: ram_mb },
  ].filter(({ mb }) => mb > 0);
  const free = (of: string, gone: ReadonlySet<WorkerView>) => freeOf(of, hive, told?.[of], gone);
  const fits = (gone: ReadonlySet<WorkerView>) =>
    wants.every(({ pool: of, mb }) => (free(of, gone) ?? Number.POSITIVE_INFINITY) >= mb);
  const none: ReadonlySet<WorkerView> = new Set();
  const scarcest = wants
    .map(({ pool: of, mb }) => ({ pool: of, needMb: mb, haveMb: free(of, none) }))
    .reduce((worst, each) => (missing(each) > missing(worst) ? each : worst));
  const roomAfter = (gone: ReadonlySet<WorkerView>): Room => {
    const there = { deviceMb: pool === ram ? null : free(pool, gone), ramMb: free(ram, gone) };
    const { need, tokens, why } = choose(there);
    const memory = { deviceMb: need.device_mb, ramMb: need.ram_mb };
    return { device, need: memory, needMb: scarcest.needMb, haveMb: scarcest.haveMb, context: { tokens, why } };
  };
  if (fits(none)) {
    const room = roomAfter(none);
    const [first] = wants;
    const needMb = first?.pool === ram ? room.need.ramMb : room.need.deviceMb;
    return { kind: "load", ...room, ...(first === undefined ? {} : { needMb, haveMb: free(first.pool, none) }) };
  }
  // Servers of others hold memory too, which is not ours to free.
  const others = hive.workers
    .filter((worker) => living(worker) && worker.pinned !== true && worker.external === undefined)
    .sort(leastUsedFirst);
  // One of the same model makes room too when it has less context than is asked for.
  const isOther = (worker: WorkerView) =>
    (worker.partOf ?? worker.model) !== request.model ||
    (request.another !== true && !suits(worker, { contextLength: request.contextLength }));
  const victims = others.filter((worker) => mayGo(worker) && isOther(worker));
  const evicts = mayEvict ? fewest(victims, fits) : undefined;
  if (evicts !== undefined) return { kind: "evict", ...roomAfter(new Set(evicts)), evicts };
  const frees = fewest(others, fits);
  if (frees !== undefined) return { kind: "later", ...roomAfter(new Set(frees)), frees };
  const code = scarcest.pool === ram ? "insufficient_ram" : "insufficient_vram";
  return { kind: "no_memory", ...roomAfter(none), haveMb: Math.max(0, scarcest.haveMb ?? 0), code };
}

const missing = ({ needMb, haveMb }: { needMb: number; haveMb: number | null }) =>
  haveMb === null ? Number.NEGATIVE_INFINITY : needMb - haveMb;

/** What a hive is as a place for a new worker: the best that one of its devices, or exactly those asked for, gives. */
export function judge(request: PlacementRequest, hive: HiveView): Verdict {
  if (hive.health === "down") return { kind: "down" };
  if (hive.health === "starting") return { kind: "starting" };
  if (hive.models === null) return { kind: "untold" };
  const model = hive.models.find(({ id }) => id === request.model);
  if (model === undefined) return withoutFiles(request.model, hive);
  const { backend, device, options: { engine = usualEngine } = {} } = request;
  const drivable = engine === usualEngine ? hive.devices : hive.engines?.[engine];
  if (drivable === undefined) return { kind: "no_engine", asked: engine };
  const devices = drivable.filter(
    (each) => (backend === undefined || each.backend === backend) && (device === undefined || each.id === device),
  );
  if (devices.length === 0) return { kind: "no_backend", asked: device ?? backend ?? "" };
  const failing = request.failing?.get(hive.hiveId);
  if (failing !== undefined) return { kind: "failing", failing };
  const verdicts = devices.map((each) => judgeDevice(request, hive, model, each));
  return verdicts.reduce((one, other) => (compare(other, one) < 0 ? other : one));
}

/** What a hive is to a model of which it has no file. */
function withoutFiles(model: string, hive: HiveView): Verdict {
  const external = hive.workers.filter((worker) => worker.model === model && worker.external !== undefined);
  const worker = external.find(living) ?? external[0];
  if (worker?.external === undefined) return { kind: "no_model" };
  return { kind: living(worker) ? "served" : "vanished", server: `${worker.external.name} on ${hive.name}` };
}

/** MB that a device of a hive has for something new, and what it would have without idle workers; null when unknown. */
export function roomOn(
  hive: HiveView,
  device: DeviceView,
): { readonly now: number | null; readonly most: number | null } {
  const idle = new Set(hive.workers.filter((worker) => living(worker) && mayGo(worker)));
  const pool = poolOf(device);
  return { now: freeOf(pool, hive, undefined, new Set()), most: freeOf(pool, hive, undefined, idle) };
}

/** Which of two devices of a hive is the better place. */
function compare(a: Placed, b: Placed): number {
  const goes = (verdict: Placed) =>
    verdict.kind === "evict" ? verdict.evicts.length : verdict.kind === "later" ? verdict.frees.length : 0;
  return (
    kinds.indexOf(a.kind) - kinds.indexOf(b.kind) ||
    goes(a) - goes(b) ||
    preference.indexOf(a.device.backend) - preference.indexOf(b.device.backend) ||
    (b.haveMb ?? Number.MAX_SAFE_INTEGER) - (a.haveMb ?? Number.MAX_SAFE_INTEGER) ||
    (a.device.id < b.device.id ? -1 : 1)
  );
}
