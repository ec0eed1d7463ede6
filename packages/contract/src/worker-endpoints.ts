import type { EndpointTable } from "./endpoint.ts";
import { chatCompletionSchema, chatRequestSchema } from "./inference/chat.ts";
import { modelListSchema } from "./inference/models.ts";
import { workerHealthSchema } from "./workers.ts";

/** What a worker serves on its socket. */
export const workerEndpoints = {
  health: {
    method: "GET",
    path: "/health",
    owner: "hive_process",
    tag: "service",
    summary: "Whether the model is loaded, and how many slots are busy.",
    status: 200,
    answer: workerHealthSchema,
  },
  listModels: {
    method: "GET",
    path: "/v1/models",
    owner: "hive_process",
    tag: "inference",
    summary: "The one model of this worker.",
    status: 200,
    answer: modelListSchema,
  },
  chat: {
    method: "POST",
    path: "/v1/chat/completions",
    owner: "hive_process",
    tag: "inference",
    summary: "A chat answer, whole or as a stream.",
    status: 200,
    body: chatRequestSchema,
    answer: chatCompletionSchema,
  },
} as const satisfies EndpointTable;
