import { RbeeError, toRbeeError } from "@rbee/contract";
import type { Contact } from "./contact.ts";
import { workersOf } from "./fleet.ts";
import type { HiveState, Registry } from "./registry.ts";
import type { HouseholdWorkers } from "./types.ts";

/** @see HouseholdWorkers */
export function createWorkers(parts: {
  registry: Pick<Registry, "all">;
  contact: Pick<Contact, "client">;
}): HouseholdWorkers {
  const { registry, contact } = parts;

  const known = (workerId: string): HiveState | undefined =>
    registry.all().find((hive) => hive.heartbeat?.workers.some(({ worker_id }) => worker_id === workerId) === true);

  const notFound = (workerId: string, suggestion: string) =>
    new RbeeError("worker_not_found", `No worker ${workerId} runs in the household.`, { suggestion });

  /** The hive that keeps the log of a worker of which no heartbeat tells any more. */
  const keeperOf = async (workerId: string, signal: AbortSignal): Promise<HiveState> => {
    const unasked: string[] = [];
    const ask = async (hive: HiveState): Promise<HiveState> => {
      try {
        if (hive.health === "down") throw new RbeeError("hive_down", `${hive.name} is down.`);
        await contact.client(hive).workerLogs({ params: { id: workerId }, query: { lines: 1 }, signal });
        return hive;
      } catch (error) {
        if (toRbeeError(error).code !== "worker_not_found") unasked.push(hive.name);
        throw error;
      }
    };
    return Promise.any(registry.all().map(ask)).catch(() => {
      signal.throwIfAborted();
      throw notFound(
        workerId,
        unasked.length === 0
          ? "`rbee worker list` shows those there are; a machine keeps the logs of its last 50 workers."
          : `It may be on ${unasked.join(", ")}, which could not be asked.`,
      );
    });
  };

  return {
    list: (viewer) =>
      registry.all().flatMap((hive) =>
        workersOf(hive, viewer.user.role === "admin").map((worker) => ({
          ...worker,
          hive_id: hive.hiveId,
          hive: hive.name,
        })),
      ),
    async check(workerId) {
      const hive = known(workerId);
      if (hive === undefined) throw notFound(workerId, "`rbee worker list` shows those there are.");
      const check = await contact.client(hive).workerHealth({ params: { id: workerId } });
      return { ...check, hive_id: hive.hiveId, hive: hive.name };
    },
    async logs(workerId, { lines, follow }, signal) {
      const hive = known(workerId) ?? (await keeperOf(workerId, signal));
      const query = { lines, follow: follow ? "true" : "false" };
      const { body } = await contact.client(hive).raw.workerLogs({ params: { id: workerId }, query, signal });
      return body ?? new Blob([]).stream();
    },
  };
}
