import { narrate, spawnChild, step } from "@rbee/jobs";
import type { HivesService } from "#lib/server/hives/index.ts";
import { inWords, type Provisioning } from "#lib/server/provisioning/index.ts";
import { askHives } from "./ask-hives.ts";
import type { Operation } from "./operation.ts";

interface Parts {
  hives: Pick<HivesService, "registry" | "contact">;
  provisioning: Pick<Provisioning, "lookAround">;
}

/** Names are looked up first, then each machine has 10 s to answer. */
const lookLimitMs = 45_000;

/**
 * Asks every machine of the household what it can do, and looks for others that could join. The job fails when one of
 * the household does not answer, and says which.
 */
export function hiveDiscover({ hives, provisioning }: Parts): Operation {
  const count = hives.registry.all().length;
  return {
    subject: count === 1 ? "1 machine" : `${count} machines`,
    timeoutMs: 60_000,
    async perform() {
      const looking = spawnChild(() => lookAround(provisioning));
      const reachable = await askHives(hives);
      return { reachable, nearby: await looking };
    },
  };
}

/** @returns how many machines with a hive that could be adopted there are. */
function lookAround({ lookAround: look }: Parts["provisioning"]): Promise<number> {
  const options = { timeoutMs: lookLimitMs, message: "Looking for machines that could join" };
  return step("look_around", options, async () => {
    const machines = await look();
    if (machines.length === 0)
      narrate({ action: "nobody", message: "No other machine is written down anywhere, and none announces itself." });
    for (const machine of machines) {
      const { name, state, address, hive_port, hive_id } = machine;
      narrate({ action: state, message: inWords(machine), data: { name, state, address, hive_port, hive_id } });
    }
    return machines.filter(({ state }) => state === "not_adopted").length;
  });
}
