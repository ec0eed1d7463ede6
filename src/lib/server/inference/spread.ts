import { leastContext, memoryNeed, memoryQuestion, partNeed, poolOf, type Backend } from "@rbee/contract";
import type { Judgement } from "./placement.ts";
import { judge, judgeNeed, roomOn, type Placed } from "./verdict.ts";
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
}

interface PlacedHive {
  readonly hive: HiveView;
  readonly verdict: Placed & { readonly kind: "load" | "evict" };
}

const preference: readonly Backend[] = ["cuda", "metal", "rocm", "vulkan", "cpu"];
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

/** Its best device: a card before the processor, then the one with more room. */
function bestDevice(hive: HiveView): DeviceView | undefined {
  const room = (device: DeviceView) => roomOn(hive, device).most ?? 0;
  const { spreading } = hive;
  const usable = spreading !== undefined && "backends" in spreading ? spreading.backends : [];
  const devices = hive.devices.filter(({ backend }) => usable.includes(backend));
  return devices.toSorted(
    (a, b) => preference.indexOf(a.backend) - preference.indexOf(b.backend) || room(b) - room(a),
  )[0];
}

/**
 * Works out who computes how much: as much as each has room, so that what is too big for one fits on all. First by what
 * is free; when that is not enough, by what would be free without workers that have nothing to do.
 */
export function planSpread(request: PlacementRequest, fleet: FleetView): SpreadPlan {
  const ids = fleet.across?.get(request.model) ?? [];
  const named = ids.flatMap((id) => fleet.hives.filter(({ hiveId }) => hiveId === id));
  const absent = named.flatMap((hive) => gone(hive, request) ?? []);
  const present = named.filter((hive) => absent.every((each) => each.hive !== hive));
  const missing = absent.map(({ hive }) => hive.name);
  const none = { main: undefined, helpers: [], alone: undefined, missing };
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
  const byFree = dividedAmong(request, model, hives, "now");
  const judged = byFree.every(({ verdict }) => verdict.kind === "load")
    ? byFree
    : dividedAmong(request, model, hives, "most");
  const placed = judged.flatMap(({ hive, verdict }): PlacedHive[] =>
    verdict.kind === "load" || verdict.kind === "evict" ? [{ hive, verdict }] : [],
  );
  const judgements = inOrder([...absent, ...judged]);
  const [first, ...helpers] = placed;
  return placed.length === hives.length ? { ...none, judgements, main: first, helpers } : { ...none, judgements };
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

function dividedAmong(
  request: PlacementRequest,
  model: ModelView,
  hives: readonly HiveView[],
  by: "now" | "most",
): { hive: HiveView; verdict: Placed | { kind: "no_backend"; asked: string } }[] {
  const rooms = hives.map((hive) => {
    const device = bestDevice(hive);
    return { hive, device, mb: device === undefined ? 0 : Math.max(1, roomOn(hive, device)[by] ?? unknownRoomMb) };
  });
  const all = rooms.reduce((sum, { mb }) => sum + mb, 0);
  const facts = { sizeBytes: model.size_bytes, trainedContext: model.context_length, facts: model.memory };
  // All of them reckon with the same, so that it is decided here.
  const tokens = request.options?.context_length ?? leastContext(model.context_length);
  const isSet = request.options?.context_length !== undefined;
  const why = isSet ? "set" : tokens === model.context_length ? "trained" : "unknown";
  const usualSlots = hives[0]?.usualSlots ?? 1;
  return rooms.map(({ hive, device, mb }, index) => {
    if (device === undefined) return { hive, verdict: { kind: "no_backend", asked: "device" } };
    const share = all === 0 ? 1 / hives.length : mb / all;
    const question = { ...memoryQuestion(device.backend, request.options ?? {}, usualSlots), contextLength: tokens };
    const sharesRam = poolOf(device) === "ram";
    const need =
      index === 0
        ? memoryNeed(facts, { ...question, elsewhere: 1 - share }, sharesRam)
        : partNeed(facts, question, share, sharesRam);
    const asked = { ...request, mayEvict: by === "most" && request.mayEvict !== false };
    const verdict = judgeNeed(asked, hive, device, need, () => ({ need, tokens, why }));
    return { hive, verdict: { ...verdict, share } };
  });
}
