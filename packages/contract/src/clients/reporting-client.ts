import { reportingEndpoints } from "../queen-endpoints/reporting.ts";
import { createClient, type Client, type ClientParts } from "./client.ts";
import { noQueen } from "./no-queen.ts";

export type ReportingClient = Client<typeof reportingEndpoints>;

/** For the hive: of the queen only what hives ask, so that a hive need not hold the schemas of all the rest. */
export function reportingClient(options: ClientParts): ReportingClient {
  return createClient(reportingEndpoints, { ...options, unreachable: noQueen(options.baseUrl) });
}
