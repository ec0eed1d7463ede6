import { hiveEndpoints } from "../hive-endpoints.ts";
import { queenEndpoints } from "../queen-endpoints/index.ts";
import { workerEndpoints } from "../worker-endpoints.ts";
import { createClient, type Client, type ClientOptions } from "./client.ts";

export type { CallInput, Client, ClientOptions, FetchLike } from "./client.ts";
type Options = Omit<ClientOptions, "unreachable">;

export type QueenClient = Client<typeof queenEndpoints>;
export type HiveClient = Client<typeof hiveEndpoints>;
export type WorkerClient = Client<typeof workerEndpoints>;

/** For the command line, the hive and tests. */
export function queenClient(options: Options): QueenClient {
  return createClient(queenEndpoints, {
    ...options,
    unreachable: {
      code: "queen_unreachable",
      message: `The queen at ${options.baseUrl} does not answer.`,
      suggestion: "Start it with `npm start`, or name its address with --queen.",
    },
  });
}

/** For the queen and tests. `name` is how the hive is called in errors. */
export function hiveClient(options: Options & { name?: string }): HiveClient {
  return createClient(hiveEndpoints, {
    ...options,
    unreachable: {
      code: "hive_unreachable",
      message: `${options.name ?? "The hive"} does not answer at ${options.baseUrl}.`,
      suggestion: "Check that the machine is on and that its firewall lets the hive's port through.",
    },
  });
}

/** For the hive and tests; hand in a `fetch` that goes through the worker's socket. */
export function workerClient(options: Options): WorkerClient {
  return createClient(workerEndpoints, {
    ...options,
    unreachable: { code: "worker_crashed", message: "The worker does not answer on its socket." },
  });
}
