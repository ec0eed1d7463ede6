import { addressTowards, isLoopbackHost, urlHost } from "#lib/server/network/index.ts";
import type { HiveState } from "./registry.ts";

/** Where the hive `from` reaches another one; null when it cannot, or when nobody knows. */
export async function urlBetween(
  from: Pick<HiveState, "host">,
  { host, port }: Pick<HiveState, "host" | "port">,
): Promise<string | null> {
  if (host === null || port === null) return null;
  // What is on the queen's own machine is called otherwise from anywhere else.
  const isHere = isLoopbackHost(host) && from.host !== null && !isLoopbackHost(from.host);
  const address = isHere && from.host !== null ? await addressTowards(from.host) : host;
  return address === null ? null : `http://${urlHost(address)}:${port}`;
}
