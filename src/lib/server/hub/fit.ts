import {
  memoryNeed,
  type Backend,
  type FitVerdict,
  type Health,
  type HiveFit,
  type ModelMemoryFacts,
} from "@rbee/contract";

/** A place on a machine where a model can run. Memory in MB; null where it cannot be measured. */
export interface DeviceMemory {
  readonly id: string;
  readonly backend: Backend;
  /** Whether it computes in main memory. */
  readonly sharesRam: boolean;
  readonly freeMb: number | null;
  /** Free when every worker there is stopped. */
  readonly unloadedMb: number | null;
}

/** A hive as the question "does it fit" sees it. */
export interface HiveMemory {
  readonly hiveId: string;
  readonly name: string;
  readonly health: Health;
  /** Those that a worker can use; empty until the hive has told. */
  readonly devices: readonly DeviceMemory[];
  readonly diskFreeMb: number | null;
  /** Slots of a worker for which nobody chose a number. */
  readonly slots: number;
}

/** What a worker would be started with. */
interface Wish {
  readonly slots: number;
  readonly contextLength: number | undefined;
}

/** What is known of a model that nobody has yet. */
export interface ModelShape {
  readonly sizeBytes: number;
  readonly trainedContext: number | null;
  /** Null when its size is all that is known. */
  readonly facts: ModelMemoryFacts | null;
}

const bytesPerMb = 1024 * 1024;
/** What a hive leaves free of its disk when it downloads, by default. */
const diskMarginMb = 512;
/** Where a hive puts a worker first when nothing is asked for. */
const preference: readonly Backend[] = ["cuda", "metal", "rocm", "vulkan", "cpu"];

interface Place {
  readonly device: DeviceMemory;
  readonly needMb: number;
  readonly verdict: FitVerdict;
}

/** Memory in MB that a worker needs where it computes, head room included. */
export function memoryNeedOn(
  model: ModelShape,
  { backend, sharesRam }: Pick<DeviceMemory, "backend" | "sharesRam">,
  wish: Wish,
): number {
  const need = memoryNeed(model, { backend, ...wish }, sharesRam);
  return sharesRam ? need.ram_mb : need.device_mb;
}

function verdictOf({ freeMb, unloadedMb }: DeviceMemory, needMb: number): FitVerdict {
  if (freeMb === null) return "unknown";
  if (freeMb >= needMb) return "fits";
  return (unloadedMb ?? freeMb) >= needMb ? "fits_after_unloading" : "too_big";
}

const best: readonly FitVerdict[] = ["fits", "fits_after_unloading", "unknown", "too_big"];

/** The place where it fits best; where it fits nowhere, the one that lacks the least. */
function placeOf(model: ModelShape, devices: readonly DeviceMemory[], wish: Wish): Place | null {
  const places = devices
    .toSorted((a, b) => preference.indexOf(a.backend) - preference.indexOf(b.backend))
    .map((device) => {
      const needMb = memoryNeedOn(model, device, wish);
      return { device, needMb, verdict: verdictOf(device, needMb) };
    });
  const lack = ({ device, needMb }: Place) => needMb - (device.unloadedMb ?? device.freeMb ?? 0);
  return (
    places.toSorted(
      (a, b) => best.indexOf(a.verdict) - best.indexOf(b.verdict) || (a.verdict === "too_big" ? lack(a) - lack(b) : 0),
    )[0] ?? null
  );
}

const inGb = (mb: number) => `${(Math.max(0, mb) / 1024).toFixed(1)} GB`;

function reasonOf({ name }: HiveMemory, { device, needMb, verdict }: Place): string {
  const memory = device.backend === "cpu" ? "memory" : `memory on ${device.id}`;
  const need = `it needs ${inGb(needMb)}`;
  const free = inGb(device.freeMb ?? 0);
  switch (verdict) {
    case "fits":
      return `${name} has ${free} of ${memory} free, ${need}`;
    case "fits_after_unloading":
      return `${name} has ${free} of ${memory} free and ${inGb(device.unloadedMb ?? 0)} with nothing loaded, ${need}`;
    case "too_big":
      return `${name} has ${inGb(device.unloadedMb ?? device.freeMb ?? 0)} of ${memory} at most, ${need}`;
    case "unknown":
      return `${name} does not say how much ${memory} is free, ${need}`;
  }
}

/**
 * Whether a model fits on a hive, with the context asked for: on the best of its devices now, after unloading what is
 * loaded, or not at all. Pure.
 * @param there what the model is called on this hive; null when it is not there, so that disk matters.
 */
export function fitOn(
  model: ModelShape,
  hive: HiveMemory,
  { contextLength, there }: { contextLength: number | undefined; there: string | null },
): HiveFit {
  const sizeMb = there === null ? Math.ceil(model.sizeBytes / bytesPerMb) + diskMarginMb : 0;
  const { hiveId: hive_id, name, health, diskFreeMb } = hive;
  const disk = {
    need_mb: sizeMb,
    have_mb: diskFreeMb,
    enough: sizeMb === 0 ? true : diskFreeMb === null ? null : diskFreeMb >= sizeMb,
  };
  const wish = { slots: hive.slots, contextLength };
  const place = placeOf(model, hive.devices, wish);
  const isAway = health === "down" || health === "starting";
  if (place === null || isAway)
    return {
      ...{ hive_id, name, disk, model: there },
      verdict: "unknown",
      device: null,
      need_mb: place?.needMb ?? memoryNeedOn(model, { backend: "cpu", sharesRam: true }, wish),
      have_mb: null,
      have_unloaded_mb: null,
      reason: health === "down" ? `${name} is down` : `${name} has not reported yet`,
    };
  return {
    ...{ hive_id, name, disk, model: there },
    verdict: place.verdict,
    device: place.device.id,
    need_mb: place.needMb,
    have_mb: place.device.freeMb,
    have_unloaded_mb: place.device.unloadedMb,
    reason: reasonOf(hive, place),
  };
}
