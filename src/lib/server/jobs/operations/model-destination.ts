import {
  estimateMemory,
  memorySafety,
  type Capabilities,
  type Device,
  type ErrorCode,
  type Health,
  type HiveModel,
} from "@rbee/contract";

/** A hive as the choice of where a model goes sees it. */
export interface DestinationView {
  readonly hiveId: string;
  readonly name: string;
  readonly health: Health;
  /** Null until the hive has told. */
  readonly machine: Pick<Capabilities, "disk_free_mb" | "ram_total_mb" | "devices"> | null;
  readonly hasModel: boolean;
}

/** What is known of the model; null when neither the household nor the hub can tell. */
export type ModelNeeds = Pick<HiveModel, "size_bytes" | "context_length" | "memory"> | null;

export type Destination =
  | { readonly kind: "chosen"; readonly hiveId: string; readonly name: string; readonly reasons: readonly string[] }
  | {
      readonly kind: "refused";
      readonly error: ErrorCode;
      readonly reasons: readonly string[];
      /** Whether the answer may change within seconds, because a hive is still on its way. */
      readonly soon: boolean;
    };

type Verdict =
  | { readonly kind: "good"; readonly why: string }
  | { readonly kind: "no disk" | "no memory" | "away" | "not yet"; readonly why: string };

const bytesPerMb = 1024 * 1024;

/** Memory in MB that running the model takes, against what the machine's best place for it has in all. */
export function memoryOf(
  model: NonNullable<ModelNeeds>,
  machine: Pick<Capabilities, "ram_total_mb"> & {
    readonly devices: readonly Pick<Device, "backend" | "vram_total_mb">[];
  },
): { needMb: number; haveMb: number } {
  const { size_bytes: sizeBytes, context_length: trainedContext, memory: facts } = model;
  const places = [
    { backend: "cpu" as const, haveMb: machine.ram_total_mb },
    ...machine.devices
      .filter(({ backend }) => backend !== "cpu")
      // Memory that cannot be read is no reason against a machine.
      .map(({ backend, vram_total_mb }) => ({ backend, haveMb: vram_total_mb ?? Number.POSITIVE_INFINITY })),
  ].map(({ backend, haveMb }) => {
    const mb =
      facts === null
        ? sizeBytes / bytesPerMb
        : estimateMemory({ sizeBytes, trainedContext, facts }, { backend, slots: 1 }).device_mb;
    return { needMb: Math.ceil(mb * memorySafety), haveMb };
  });
  return places.reduce((best, place) => (place.haveMb - place.needMb > best.haveMb - best.needMb ? place : best));
}

function consider({ name, health, machine, hasModel }: DestinationView, model: ModelNeeds): Verdict {
  if (health === "down") return { kind: "away", why: `${name} is down` };
  if (health === "starting" || machine === null) return { kind: "not yet", why: `${name} has not reported yet` };
  if (hasModel) return { kind: "good", why: `${name} has it already` };
  const disk = machine.disk_free_mb;
  if (model !== null) {
    const sizeMb = Math.ceil(model.size_bytes / bytesPerMb);
    if (disk !== null && disk < sizeMb)
      return { kind: "no disk", why: `${name} has ${Math.floor(disk)} MB of disk free, the model takes ${sizeMb} MB` };
    const { needMb, haveMb } = memoryOf(model, machine);
    if (haveMb < needMb)
      return {
        kind: "no memory",
        why: `${name} has ${Math.floor(haveMb)} MB of memory in one place, the model needs about ${needMb} MB to run`,
      };
  }
  return {
    kind: "good",
    why:
      disk === null ? `${name} does not say how much disk is free` : `${name} has ${Math.floor(disk)} MB of disk free`,
  };
}

const rank = (hive: DestinationView): readonly number[] => [
  hive.hasModel ? 0 : 1,
  hive.health === "healthy" ? 0 : 1,
  -(hive.machine?.disk_free_mb ?? -1),
];

function compare(one: DestinationView, other: DestinationView): number {
  const right = rank(other);
  for (const [index, left] of rank(one).entries()) {
    const difference = left - (right[index] ?? left);
    if (difference !== 0) return difference;
  }
  return one.hiveId < other.hiveId ? -1 : 1;
}

/**
 * Decides which hive a model goes to: one that has it already; else of those that are up, have the disk for it and can
 * run it (as far as that is known) a healthy one with the most disk free; else none. One plain clause for each hive.
 */
export function chooseDestination(hives: readonly DestinationView[], model: ModelNeeds): Destination {
  const all = hives.toSorted(compare).map((hive) => ({ hive, verdict: consider(hive, model) }));
  const reasons = all.map(({ verdict }) => verdict.why);
  const chosen = all.find(({ verdict }) => verdict.kind === "good")?.hive;
  if (chosen !== undefined) return { kind: "chosen", hiveId: chosen.hiveId, name: chosen.name, reasons };
  const has = (kind: Verdict["kind"]) => all.some(({ verdict }) => verdict.kind === kind);
  const error = has("no memory") ? "insufficient_ram" : has("no disk") ? "insufficient_disk" : "hive_down";
  if (hives.length === 0)
    return { kind: "refused", error: "node_not_found", reasons: ["the household has no machine yet"], soon: false };
  return { kind: "refused", error, reasons, soon: has("not yet") };
}
