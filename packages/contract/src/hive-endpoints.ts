import { z } from "zod";
import { capabilitiesSchema, hiveHealthSchema, hiveModelSchema } from "./capabilities.ts";
import type { EndpointTable } from "./endpoint.ts";
import { chatCompletionSchema, chatRequestSchema } from "./inference/chat.ts";
import { workerSchema, workerSpawnSchema } from "./workers.ts";

/** Every HTTP endpoint of a hive. */
export const hiveEndpoints = {
  health: {
    method: "GET",
    path: "/health",
    owner: "public",
    tag: "service",
    summary: "Whether the hive is up.",
    status: 200,
    answer: hiveHealthSchema,
  },
  capabilities: {
    method: "GET",
    path: "/capabilities",
    owner: "hive",
    tag: "service",
    summary: "What this machine is and can run. With `queen_url`, the hive also reports there from now on.",
    status: 200,
    query: z.strictObject({
      queen_url: z.url({ protocol: /^https?$/u, error: "must be an http or https URL" }).optional(),
    }),
    answer: capabilitiesSchema,
  },
  listModels: {
    method: "GET",
    path: "/v1/models",
    owner: "hive",
    tag: "models",
    summary: "The models on this machine's disk.",
    status: 200,
    answer: z.object({ data: z.array(hiveModelSchema) }),
  },
  listWorkers: {
    method: "GET",
    path: "/v1/workers",
    owner: "hive",
    tag: "workers",
    summary: "The workers of this hive.",
    status: 200,
    answer: z.object({ data: z.array(workerSchema) }),
  },
  spawnWorker: {
    method: "POST",
    path: "/v1/workers",
    owner: "hive",
    tag: "workers",
    summary: "Starts a worker; it answers before the model is loaded.",
    status: 202,
    body: workerSpawnSchema,
    answer: workerSchema,
  },
  getWorker: {
    method: "GET",
    path: "/v1/workers/{id}",
    owner: "hive",
    tag: "workers",
    summary: "One worker. With `wait_ms`, the answer waits that long for it to leave `starting` and `loading`.",
    status: 200,
    query: z.strictObject({ wait_ms: z.coerce.number().int().min(0).max(30_000).default(0) }),
    answer: workerSchema,
  },
  stopWorker: {
    method: "DELETE",
    path: "/v1/workers/{id}",
    owner: "hive",
    tag: "workers",
    summary: "Drains a worker for up to `drain_ms`, then ends it; it answers when the process is gone.",
    status: 204,
    query: z.strictObject({ drain_ms: z.coerce.number().int().min(0).max(30_000).default(30_000) }),
    answer: "none",
  },
  workerLogs: {
    method: "GET",
    path: "/v1/workers/{id}/logs",
    owner: "hive",
    tag: "workers",
    summary: "The last lines a worker wrote.",
    status: 200,
    query: z.strictObject({ lines: z.coerce.number().int().min(1).max(5_000).default(200) }),
    answer: "text",
  },
  chat: {
    method: "POST",
    path: "/v1/workers/{id}/v1/chat/completions",
    owner: "hive",
    tag: "inference",
    summary: "Relayed to the worker byte by byte, like everything under this worker's /v1.",
    status: 200,
    body: chatRequestSchema,
    answer: chatCompletionSchema,
  },
} as const satisfies EndpointTable;
