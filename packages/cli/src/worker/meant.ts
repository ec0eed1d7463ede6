import type { HouseholdWorker, QueenClient } from "@rbee/contract";
import { pick } from "../pick.ts";

/** Every worker of the household. */
export async function workersOf(client: QueenClient, signal: AbortSignal): Promise<HouseholdWorker[]> {
  return (await client.listWorkers({ signal })).data;
}

/**
 * The worker that a person means by its id, the beginning of its id, or its model when only one worker runs it. A
 * server of somebody else that has the model too is meant only by its id, or when nothing else is.
 * @throws {UsageError} when there is none, or more than one.
 */
export async function meantWorker(client: QueenClient, wanted: string, signal: AbortSignal): Promise<HouseholdWorker> {
  const workers = await workersOf(client, signal);
  const own = workers.filter(
    ({ model, external }) => model.toLowerCase() === wanted.toLowerCase() && external === undefined,
  );
  const isId = workers.some(({ worker_id }) => worker_id === wanted);
  return pick(own.length > 0 && !isId ? own : workers, wanted, "worker", {
    id: ({ worker_id }) => worker_id,
    name: ({ model }) => model,
  });
}
