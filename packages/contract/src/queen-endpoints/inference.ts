import type { EndpointTable } from "../endpoint.ts";
import { chatAnswerSchema, chatRequestSchema } from "../inference/chat.ts";
import { modelListSchema, modelSchema } from "../inference/models.ts";
import { queueSchema } from "../inference/queue.ts";
import { taskRequestSchema } from "../inference/tasks.ts";

/** What apps ask of the household. */
export const inferenceEndpoints = {
  chat: {
    method: "POST",
    path: "/v1/chat/completions",
    owner: "person",
    tag: "inference",
    summary: "A chat answer, whole or as a stream. Loads the model first when it must.",
    status: 200,
    body: chatRequestSchema,
    answer: chatAnswerSchema,
  },
  listModels: {
    method: "GET",
    path: "/v1/models",
    owner: "person",
    tag: "inference",
    summary: "The models of the household.",
    status: 200,
    answer: modelListSchema,
  },
  getModel: {
    method: "GET",
    path: "/v1/models/{id}",
    owner: "person",
    tag: "inference",
    summary: "One model.",
    status: 200,
    answer: modelSchema,
  },
  queue: {
    method: "GET",
    path: "/v1/queue",
    owner: "person",
    tag: "inference",
    summary: "The requests that wait, by model and in the order of their turn, and those that are being answered.",
    status: 200,
    answer: queueSchema,
  },
  task: {
    method: "POST",
    path: "/v2/tasks",
    owner: "person",
    tag: "inference",
    summary:
      "One answer and all that it takes: starts a stopped hive, fetches the model and loads it where it must. Server-sent events: `narration` and `progress`, `token` for each piece of the answer, one `result`, and `[DONE]`. Leaving cancels it.",
    status: 200,
    body: taskRequestSchema,
    answer: "event-stream",
  },
  cancelInference: {
    method: "DELETE",
    path: "/v1/inference/{request_id}",
    owner: "person",
    tag: "inference",
    summary:
      "Cancels a request that waits or is being answered, by its `x-request-id`. One that is over, or never was, is no error.",
    status: 204,
    answer: "none",
  },
} as const satisfies EndpointTable;
