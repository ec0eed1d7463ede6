import { modelIdSchema } from "@rbee/contract";
import type { ToldModel } from "./looking.ts";

/** A model of an external server, by its name in the household and by its own. */
export interface NamedModel {
  /** Valid as the id of a model in the household. */
  readonly id: string;
  readonly told: ToldModel;
}

/** More than anybody has; a heartbeat must stay small. */
const mostModels = 100;

const idOf = (name: string): string =>
  name
    .replaceAll(/[^A-Za-z0-9._:@-]+/gu, "-")
    .replace(/^[^A-Za-z0-9_]+/u, "")
    .replace(/-+$/u, "");

/**
 * Gives the models of a server ids that are valid in the household: their own names where these are, else the names
 * with dashes for what an id may not hold. `leftOut` are names that make no id, or the id of another model.
 */
export function nameModels(models: readonly ToldModel[]): { named: NamedModel[]; leftOut: string[] } {
  const named = new Map<string, NamedModel>();
  const leftOut = new Set<string>();
  // Who has a valid name keeps it, whatever others would be turned into.
  const isValid = ({ id }: ToldModel) => modelIdSchema.safeParse(id).success;
  const inOrder = models.toSorted((a, b) => Number(isValid(b)) - Number(isValid(a)) || (a.id < b.id ? -1 : 1));
  for (const told of inOrder) {
    const id = isValid(told) ? told.id : idOf(told.id);
    const before = named.get(id);
    if (before?.told.id === told.id) continue;
    if (before !== undefined || named.size === mostModels || !modelIdSchema.safeParse(id).success) leftOut.add(told.id);
    else named.set(id, { id, told });
  }
  return { named: [...named.values()], leftOut: [...leftOut] };
}
