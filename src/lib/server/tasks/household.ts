import type { Backend, Device, Health, HiveModel } from "@rbee/contract";
import { externalModels, type HivesService } from "#lib/server/hives/index.ts";
import type { Machines } from "#lib/server/provisioning/index.ts";

/** A hive as the decisions about a task see it. */
export interface TaskHive {
  readonly hiveId: string;
  readonly name: string;
  readonly health: Health;
  /** What it told last, perhaps before it went down; null when it never has. */
  readonly told: {
    readonly models: readonly Pick<
      HiveModel,
      "id" | "aliases" | "reference" | "size_bytes" | "context_length" | "memory"
    >[];
    readonly backends: readonly Backend[];
    readonly devices: readonly Pick<Device, "id" | "backend" | "vram_total_mb">[];
    readonly ram_total_mb: number;
  } | null;
  /** Ids of the models that servers of others on it serve now. */
  readonly served: readonly string[];
  /** The name it is registered under, so that the queen can start it over SSH; null when she cannot. */
  readonly machine: string | null;
}

/** What the household is, as far as where a task goes depends on it. */
export interface TaskHousehold {
  readonly hives: readonly TaskHive[];
  /** Registered machines of which no hive has ever reported. */
  readonly machines: readonly { readonly name: string; readonly target: string }[];
}

/** The household now. */
export function taskHousehold(
  { registry }: Pick<HivesService, "registry">,
  { beehives }: Pick<Machines, "beehives">,
): TaskHousehold {
  const registered = beehives.list();
  const hives = registry.all().map((hive): TaskHive => ({
    hiveId: hive.hiveId,
    name: hive.name,
    health: hive.health,
    told: hive.capabilities,
    served: externalModels([hive]).map(({ model }) => model),
    machine: registered.find(({ hive_id }) => hive_id === hive.hiveId)?.name ?? null,
  }));
  const enrolled = new Set(hives.map(({ hiveId }) => hiveId));
  return { hives, machines: registered.filter(({ hive_id }) => hive_id === null || !enrolled.has(hive_id)) };
}
