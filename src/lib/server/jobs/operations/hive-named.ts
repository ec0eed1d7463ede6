import { RbeeError } from "@rbee/contract";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";

/**
 * The enrolled hive with this id or name; names are compared without case when none is exactly so.
 * @throws {RbeeError} `node_not_found`; `invalid_request` when several are called so.
 */
export function hiveNamed({ registry }: Pick<HivesService, "registry">, reference: string): HiveState {
  const byId = registry.find(reference);
  if (byId !== undefined) return byId;
  const alike = registry.all().filter(({ name }) => name.toLowerCase() === reference.toLowerCase());
  const exact = alike.filter(({ name }) => name === reference);
  const [hive, ...more] = exact.length > 0 ? exact : alike;
  if (hive === undefined)
    throw new RbeeError("node_not_found", `No machine ${reference} is in the household.`, {
      param: "hive",
      suggestion: "`rbee hive list` shows the machines there are.",
    });
  if (more.length > 0)
    throw new RbeeError("invalid_request", `${more.length + 1} machines are called ${reference}.`, {
      param: "hive",
      suggestion: `Name one by its id: ${[hive, ...more].map(({ hiveId }) => hiveId).join(", ")}.`,
    });
  return hive;
}
