import type { HivesService } from "#lib/server/hives/index.ts";
import { askHives } from "./ask-hives.ts";
import type { Operation } from "./operation.ts";

/** Asks every machine of the household what it can do. The job fails when one does not answer, and says which. */
export function hiveDiscover({ hives }: { hives: Pick<HivesService, "registry" | "contact"> }): Operation {
  const count = hives.registry.all().length;
  return {
    subject: count === 1 ? "1 machine" : `${count} machines`,
    timeoutMs: 60_000,
    perform: async () => ({ reachable: await askHives(hives) }),
  };
}
