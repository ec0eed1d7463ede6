import { setTimeout as wait } from "node:timers/promises";
import { RbeeError, type FleetModel, type QueenClient } from "@rbee/contract";
import { UsageError } from "../failure.ts";

/** A hive that has just been started reports its models within this time. */
const hiveStartLimitMs = 20_000;
const lookEveryMs = 100;

/** The household's models; while a hive is still starting it waits for what that hive has. */
export async function reportedModels(client: QueenClient, signal: AbortSignal): Promise<readonly FleetModel[]> {
  const deadline = performance.now() + hiveStartLimitMs;
  for (;;) {
    const { hives, models } = await client.fleet({ signal });
    const mayStillCome = hives.some(
      ({ health, capabilities }) => health === "starting" || (health === "healthy" && capabilities === null),
    );
    if (models.length > 0 || !mayStillCome || performance.now() > deadline) return models;
    await wait(lookEveryMs, undefined, { signal });
  }
}

/**
 * The model that is meant when none was named: the only one, or the only loaded one; undefined when it is not clear.
 * @throws {RbeeError} `model_not_found` when there is none.
 */
export function obviousModel(models: readonly FleetModel[]): string | undefined {
  if (models.length === 0)
    throw new RbeeError("model_not_found", "No hive of the household has a model, or none has reported yet.", {
      suggestion: "`rbee model list` shows what there is.",
    });
  const loaded = models.filter(({ state }) => state === "loaded");
  return (models.length === 1 ? models[0] : loaded.length === 1 ? loaded[0] : undefined)?.id;
}

/** The refusal to guess which model is meant. */
export const whichModel = (models: readonly FleetModel[], how: string): UsageError =>
  new UsageError("Which model?", `Name one${how}: ${models.map(({ id }) => id).join(", ")}.`);
