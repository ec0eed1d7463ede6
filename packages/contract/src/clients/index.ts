export type { CallInput, Client, ClientOptions, FetchLike } from "./client.ts";
export { hiveClient, type HiveClient } from "./hive-client.ts";
export { queenClient, type QueenClient } from "./queen-client.ts";
export { reportingClient, type ReportingClient } from "./reporting-client.ts";
export { workerClient, type WorkerClient } from "./worker-client.ts";
