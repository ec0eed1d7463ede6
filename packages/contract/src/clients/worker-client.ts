import { workerEndpoints } from "../worker-endpoints.ts";
import { createClient, type Client, type ClientParts } from "./client.ts";

export type WorkerClient = Client<typeof workerEndpoints>;

/** For the hive and tests; hand in a `fetch` that goes through the worker's socket. */
export function workerClient(options: ClientParts): WorkerClient {
  return createClient(workerEndpoints, {
    ...options,
    unreachable: { code: "worker_crashed", message: "The worker does not answer on its socket." },
  });
}
