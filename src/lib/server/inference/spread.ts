import {
  leastContext,
  memoryNeed,
  memoryQuestion,
  partNeed,
  poolOf,
  type Backend,
  type MemoryNeed,
} from "@rbee/contract";
import type { Judgement } from "./placement.ts";
import { judge, judgeNeed, roomOn, type Placed, type Verdict } from "./verdict.ts";
import type { DeviceView, FleetView, HiveView, ModelView, PlacementRequest } from "./views.ts";

/** How a model would lie over the hives that the household named for it. */
export interface SpreadPlan {
  /** One for each of them, in their order. */
  readonly judgements: readonly Judgement[];
  /** The hive that has the files, and those that help it; nobody where it cannot be spread as things are. */
  readonly main: PlacedHive | undefined;
  readonly helpers: readonly PlacedHive[];
  /** The only one that is left of them: it does it all or nobody does. */
  readonly alone: Judgement | undefined;
  /** Names of those that are not there. */
  readonly missing: readonly string[];
  /** Ids of those that have too little memory for any part of it, which need not keep the others from it. */
  readonly leftOut: ReadonlySet<string>;
}

interface PlacedHive {
  readonly hive: HiveView;
  readonly verdict: Placed & { readonly kind: "load" | "evict" };
}

const preference: readonly Backend[] = ["cuda", "metal", "rocm", "vulkan", "cpu"];
/** A hive that is named gets a whole layer at least; a model of which nothing is known counts as so many. */
const usualLayers = 32;
/** Where nobody knows what is free, all are taken to be alike. */
const unknownRoomMb = 1_024;

/** Whether the household spreads this model, and the request leaves it free to. */
export const isSpread = ({ model, hives, backend, device }: PlacementRequest, { across }: FleetView): boolean =>
  hives === undefined && backend === undefined && device === undefined && (across?.get(model)?.length ?? 0) > 1;

function gone(hive: HiveView, { failing }: PlacementRequest): Judgement | undefined {
  if (hive.health === "down") return { hive, verdict: { kind: "down" } };
  if (hive.health === "starting") return { hive, verdict: { kind: "starting" } };
  if (hive.models === null) return { hive, verdict: { kind: "untold" } };
  const failed = failing?.get(hive.hiveId);
  return failed === undefined ? undefined : { hive, verdict: { kind: "failing", failing: failed } };
}

/** What it can compute a part on. */
function devicesOf({ spreading, devices }: HiveView): DeviceView[] {
  const usable = spreading !== undefined && "backends" in spreading ? spreading.backends : [];
  return devices.filter(({ backend }) => usable.includes(backend));
}

const mostOn = (hive: HiveView, device: DeviceView | undefined) =>
  device === undefined ? 0 : (roomOn(hive, device).most ?? 0);

/** Its best device: a card before the processor, then the one with more room. */
const bestDevice = (hive: HiveView): DeviceView | undefined =>
  devicesOf(hive).toSorted(
    (a, b) => preference.indexOf(a.backend) - preference.indexOf(b.backend) || mostOn(hive, b) - mostOn(hive, a),
  )[0];

/** A hive, and what it is to compute on. */
interface Seat {
  readonly hive: HiveView;
  readonly device: DeviceView | undefined;
}

/**
 * What each of them may compute on: its best device; then, for when that is too little, one after the other has the
 * device with the most room instead, the one that gains most by that first.
 */
function* seatings(hives: readonly HiveView[]): Generator<readonly Seat[]> {
  let seats: readonly Seat[] = hives.map((hive) => ({ hive, device: bestDevice(hive) }));
  yield seats;
  const roomier = seats
    .flatMap(({ hive, device }) => {
      const [other] = devicesOf(hive).toSorted((a, b) => mostOn(hive, b) - mostOn(hive, a));
      const gain = mostOn(hive, other) - mostOn(hive, device);
      return other !== undefined && gain > 0 ? [{ hive, device: other, gain }] : [];
    })
    .toSorted((a, b) => b.gain - a.gain);
  for (const { hive, device } of roomier) {
    seats = seats.map((seat) => (seat.hive === hive ? { hive, device } : seat));
    yield seats;
  }
}

/**
 * Works out who computes how much: as much as each has room, so that what is too big for one fits on all. First by what
 * is free; when that is not enough, by what would be free without workers that have nothing to do; and first on cards.
 */
export function planSpread(request: PlacementRequest, fleet: FleetView): SpreadPlan {
  const ids = fleet.across?.get(request.model) ?? [];
  const named = ids.flatMap((id) => fleet.hives.filter(({ hiveId }) => hiveId === id));
  const absent = named.flatMap((hive) => gone(hive, request) ?? []);
  const present = named.filter((hive) => absent.every((each) => each.hive !== hive));
  const missing = absent.map(({ hive }) => hive.name);
  const none = { main: undefined, helpers: [], alone: undefined, missing, leftOut: new Set<string>() };
  const inOrder = (judgements: readonly Judgement[]) =>
    named.flatMap((hive) => judgements.filter((judgement) => judgement.hive === hive));

  const main = present.find(({ models }) => models?.some(({ id }) => id === request.model));
  const model = main?.models?.find(({ id }) => id === request.model);
  if (main === undefined || model === undefined)
    return {
      ...none,
      judgements: inOrder([...absent, ...present.map((hive) => ({ hive, verdict: { kind: "no_model" as const } }))]),
    };
  const unfit = unable(main, present);
  if (present.length > 1 && unfit.length > 0) return { ...none, judgements: inOrder([...absent, ...unfit]) };

  const hives = [main, ...present.filter((hive) => hive !== main)];
  if (hives.length === 1) {
    const alone = { hive: main, verdict: judge(request, main) };
    return { ...none, judgements: inOrder([...absent, alone]), alone };
  }
  const { judged, alone } = bestDivision(request, model, hives);
  const judgements = inOrder([...absent, ...judged]);
  const leftOut = new Set(judged.flatMap(({ hive, isLeftOut }) => (isLeftOut ? [hive.hiveId] : [])));
  if (alone !== undefined) return { ...none, judgements, alone, leftOut };
  const [first, ...helpers] = judged.flatMap(({ hive, verdict, isLeftOut }): PlacedHive[] =>
    !isLeftOut && (verdict.kind === "load" || verdict.kind === "evict") ? [{ hive, verdict }] : [],
  );
  const isPlaced = judged.every(({ verdict, isLeftOut }) => isLeftOut || goes(verdict));
  return { ...none, judgements, leftOut, ...(isPlaced ? { main: first, helpers } : {}) };
}

const goes = ({ kind }: Verdict) => kind === "load" || kind === "evict";

/** What each of them would do. */
interface Division {
  readonly judged: readonly (Judgement & { readonly isLeftOut: boolean })[];
  /** The main one, where none of the others has room for anything. */
  readonly alone?: Judgement;
}

/** The first way to divide it that goes, else one that goes once others are done, else the one that takes most in. */
function bestDivision(request: PlacementRequest, model: ModelView, hives: readonly HiveView[]): Division {
  const tried: Division[] = [];
  for (const seats of seatings(hives))
    for (const by of ["now", "most"] as const) {
      const division = divided(request, model, seats, by);
      const verdicts = division.judged.flatMap(({ verdict, isLeftOut }) => (isLeftOut ? [] : [verdict]));
      if (verdicts.every((verdict) => (by === "now" ? verdict.kind === "load" : goes(verdict)))) return division;
      tried.push(division);
    }
  const waits = ({ judged }: Division) =>
    judged.every(({ verdict: { kind }, isLeftOut }) => isLeftOut || kind !== "no_memory");
  return tried.find(waits) ?? tried.at(-1) ?? { judged: [] };
}

/** Those that cannot compute together with the main one. */
function unable(main: HiveView, present: readonly HiveView[]): Judgement[] {
  const release = releaseOf(main);
  return present.flatMap((hive): Judgement[] => {
    const { spreading } = hive;
    if (spreading === undefined || "problem" in spreading) {
      const why = `cannot share a model: ${spreading?.problem ?? "it has no llama-server"}`;
      return [{ hive, verdict: { kind: "unfit", why: why.replace(/\.$/u, "") } }];
    }
    if (spreading.release === release) return [];
    const other = `has llama.cpp ${spreading.release ?? "of an unknown release"} and ${main.name} ${release ?? "another"}`;
    return [{ hive, verdict: { kind: "unfit", why: `${other}, which do not understand each other` } }];
  });
}

const releaseOf = ({ spreading }: HiveView): string | null =>
  spreading !== undefined && "release" in spreading ? spreading.release : null;

/**
 * Each gets as much of what can be divided as it has room for beside what it needs in any case. Who has no room for
 * a layer more than that is left out; only the main one, which has the files, never is.
 */
function divided(request: PlacementRequest, model: ModelView, seats: readonly Seat[], by: "now" | "most"): Division {
  const facts = { sizeBytes: model.size_bytes, trainedContext: model.context_length, facts: model.memory };
  // All of them reckon with the same, so that it is decided here.
  const tokens = request.options?.context_length ?? leastContext(model.context_length);
  const isSet = request.options?.context_length !== undefined;
  const why = isSet ? "set" : tokens === model.context_length ? "trained" : "unknown";
  const usualSlots = seats[0]?.hive.usualSlots ?? 1;
  const needOf = (device: DeviceView, isMain: boolean, share: number): MemoryNeed => {
    const asked = memoryQuestion(device.backend, request.options ?? {}, usualSlots);
    // How many layers a card of its own has is not asked where a model is spread.
    const question = { ...asked, contextLength: tokens, gpuLayers: undefined };
    const sharesRam = poolOf(device) === "ram";
    return isMain
      ? memoryNeed(facts, { ...question, elsewhere: 1 - share }, sharesRam)
      : partNeed(facts, question, share, sharesRam);
  };
  const rooms = seats.map(({ hive, device }, index) => {
    if (device === undefined) return { hive, device, mb: 0 };
    const { device_mb, ram_mb } = needOf(device, index === 0, 0);
    const room = roomOn(hive, device)[by];
    const mb = room === null ? unknownRoomMb : Math.max(0, room - (poolOf(device) === "ram" ? ram_mb : device_mb));
    return { hive, device, mb };
  });
  const sum = (of: readonly { readonly mb: number }[]) => of.reduce((total, { mb }) => total + mb, 0);
  const halfALayer = (sum(rooms) * 0.5) / ((model.memory?.layers ?? usualLayers) + 1);
  const taking = rooms.filter(({ device, mb }, index) => index === 0 || device === undefined || mb >= halfALayer);
  const all = sum(taking);
  const asked = { ...request, mayEvict: by === "most" && request.mayEvict !== false };
  const judged = rooms.map((room, index) => {
    const { hive, device, mb } = room;
    const isLeftOut = !taking.includes(room);
    if (device === undefined) return { hive, isLeftOut, verdict: { kind: "no_backend" as const, asked: "device" } };
    const share = isLeftOut ? 0 : all === 0 ? 1 / seats.length : mb / all;
    const need = needOf(device, index === 0, share);
    const verdict = judgeNeed(asked, hive, device, need, () => ({ need, tokens, why }));
    return { hive, isLeftOut, verdict: { ...verdict, share } };
  });
  const [main, ...others] = judged;
  if (main === undefined || others.some(({ isLeftOut }) => !isLeftOut)) return { judged };
  const alone = { hive: main.hive, verdict: judge(asked, main.hive) };
  return { judged: [{ ...alone, isLeftOut: false }, ...others], alone };
}
