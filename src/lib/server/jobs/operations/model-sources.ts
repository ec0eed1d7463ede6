import { toRbeeError, type ModelSource } from "@rbee/contract";
import { narrate, secrets } from "@rbee/jobs";
import { urlBetween, type HivesService, type HiveState } from "#lib/server/hives/index.ts";
import type { Holder } from "./household-models.ts";

/** A hive that does not know a file's SHA-256 yet reads the whole file first. */
const grantLimitMs = 120_000;

/** Asks hives that have a model for leave to let `target` fetch it there; one that gives none is left out, and told of. */
export async function sourcesFor(
  { contact }: Pick<HivesService, "contact">,
  target: HiveState,
  holders: readonly Holder[],
  signal: AbortSignal,
): Promise<ModelSource[]> {
  const ask = async ({ hive, model }: Holder): Promise<ModelSource[]> => {
    try {
      const url = await urlBetween(target, hive);
      if (url === null) return [];
      const call = { params: { id: model.id }, timeoutMs: grantLimitMs, signal };
      const { token, files } = await contact.client(hive).grantModel(call);
      secrets.register(token);
      narrate({ action: "neighbour", message: `${hive.name} has it, so it need not come from the hub.` });
      return [{ name: hive.name, url, model: model.id, token, files }];
    } catch (thrown) {
      signal.throwIfAborted();
      const { message } = toRbeeError(thrown);
      narrate({ action: "neighbour", level: "warn", message: `${hive.name} has it, but cannot give it: ${message}` });
      return [];
    }
  };
  return (await Promise.all(holders.map(ask))).flat();
}
