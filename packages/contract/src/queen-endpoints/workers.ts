import * as z from "zod";
import type { EndpointTable } from "../endpoint.ts";
import { householdWorkerSchema } from "../fleet.ts";
import { workerCheckSchema } from "../workers.ts";
import { list } from "./list.ts";

/** The workers of the household, whichever hive they run on. */
export const workersEndpoints = {
  listWorkers: {
    method: "GET",
    path: "/v1/workers",
    owner: "person",
    tag: "hives",
    summary: "Every worker of the household with its hive, as the hives last told; those that failed included.",
    status: 200,
    answer: list(householdWorkerSchema),
  },
  workerHealth: {
    method: "GET",
    path: "/v1/workers/{id}/health",
    owner: "admin",
    tag: "hives",
    summary: "Whether a worker answers, asked of its process.",
    status: 200,
    answer: workerCheckSchema.extend({ hive_id: householdWorkerSchema.shape.hive_id, hive: z.string() }),
  },
  workerLogs: {
    method: "GET",
    path: "/v1/workers/{id}/logs",
    owner: "admin",
    tag: "hives",
    summary: "The last lines a worker wrote, also one that has ended; with `follow`, also those to come.",
    status: 200,
    query: z.strictObject({
      lines: z.coerce.number().int().min(1).max(5_000).default(200),
      follow: z.stringbool().default(false),
    }),
    answer: "text",
  },
} as const satisfies EndpointTable;
