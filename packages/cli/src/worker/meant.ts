import type { HouseholdWorker, QueenClient } from "@rbee/contract";
import { pick } from "../pick.ts";

/** Every worker of the household. */
export async function workersOf(client: QueenClient, signal: AbortSignal): Promise<HouseholdWorker[]> {
  return (await client.listWorkers({ signal })).data;
}

/**
 * The worker that a person means by its id, the beginning of its id, or its model when only one worker runs it.
 * @throws {UsageError} when there is none, or more than one.
 */
export async function meantWorker(client: QueenClient, wanted: string, signal: AbortSignal): Promise<HouseholdWorker> {
  const workers = await workersOf(client, signal);
  return pick(workers, wanted, "worker", { id: ({ worker_id }) => worker_id, name: ({ model }) => model });
}
