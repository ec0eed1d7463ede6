import { hiveEndpoints } from "../hive-endpoints.ts";
import { createClient, type Client, type ClientParts } from "./client.ts";

export type HiveClient = Client<typeof hiveEndpoints>;

/** For the queen, other hives and tests. `name` is how the hive is called in errors. */
export function hiveClient(options: ClientParts & { name?: string }): HiveClient {
  return createClient(hiveEndpoints, {
    ...options,
    unreachable: {
      code: "hive_unreachable",
      message: `${options.name ?? "The hive"} does not answer at ${options.baseUrl}.`,
      suggestion: "Check that the machine is on and that its firewall lets the hive's port through.",
    },
  });
}
