import { toRbeeError, type ModelSource } from "@rbee/contract";
import { narrate, secrets } from "@rbee/jobs";
import type { HivesService, HiveState } from "#lib/server/hives/index.ts";
import { addressTowards, isLoopbackHost, urlHost } from "#lib/server/network/index.ts";
import type { Holder } from "./household-models.ts";

/** A hive that does not know a file's SHA-256 yet reads the whole file first. */
const grantLimitMs = 120_000;

/** Where the hive of `target` reaches another one; null when it cannot. */
async function urlFrom(target: HiveState, { host, port }: HiveState): Promise<string | null> {
  if (host === null || port === null) return null;
  // What is on the queen's own machine is called otherwise from anywhere else.
  const isHere = isLoopbackHost(host) && target.host !== null && !isLoopbackHost(target.host);
  const address = isHere && target.host !== null ? await addressTowards(target.host) : host;
  return address === null ? null : `http://${urlHost(address)}:${port}`;
}

/** Asks hives that have a model for leave to let `target` fetch it there; one that gives none is left out, and told of. */
export async function sourcesFor(
  { contact }: Pick<HivesService, "contact">,
  target: HiveState,
  holders: readonly Holder[],
  signal: AbortSignal,
): Promise<ModelSource[]> {
  const ask = async ({ hive, model }: Holder): Promise<ModelSource[]> => {
    try {
      const url = await urlFrom(target, hive);
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
