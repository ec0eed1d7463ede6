import type { HiveModel } from "@rbee/contract";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";

/** A hive that has a model, as far as it has told. */
export interface Holder {
  readonly hive: HiveState;
  readonly model: HiveModel;
}

/** Whether `name` is a model's id, one of its aliases, or exactly what it was downloaded as. */
export function isCalled(model: Pick<HiveModel, "id" | "aliases" | "reference">, name: string): boolean {
  return model.id === name || model.aliases.includes(name) || model.reference === name;
}

/** The hives that have a model of this name; one that is its id comes before others. */
export function holdersOf({ registry }: Pick<HivesService, "registry">, name: string): Holder[] {
  return registry.all().flatMap((hive) => {
    const models = hive.capabilities?.models ?? [];
    const model = models.find(({ id }) => id === name) ?? models.find((each) => isCalled(each, name));
    return model === undefined ? [] : [{ hive, model }];
  });
}

/** Whether a hive can be asked for something now. */
export const isUp = ({ health }: Pick<HiveState, "health">): boolean => health === "healthy" || health === "degraded";
