import { RbeeError } from "@rbee/contract";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";

/** The enrolled hive with this id. @throws {RbeeError} `node_not_found`. */
export function hiveNamed({ registry }: Pick<HivesService, "registry">, hiveId: string): HiveState {
  const hive = registry.find(hiveId);
  if (hive !== undefined) return hive;
  throw new RbeeError("node_not_found", `No machine ${hiveId} is in the household.`, {
    suggestion: "`rbee hive list` shows the machines there are.",
  });
}
