import { queenEndpoints } from "../queen-endpoints/index.ts";
import { createClient, type Client, type ClientParts } from "./client.ts";
import { noQueen } from "./no-queen.ts";

export type QueenClient = Client<typeof queenEndpoints>;

/** For the command line and tests. */
export function queenClient(options: ClientParts): QueenClient {
  return createClient(queenEndpoints, { ...options, unreachable: noQueen(options.baseUrl) });
}
