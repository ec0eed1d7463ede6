import type { EndpointTable } from "./endpoint.ts";
import { chatCompletionSchema, chatRequestSchema } from "./inference/chat.ts";
import { completionRequestSchema, completionSchema } from "./inference/completions.ts";
import { embeddingsRequestSchema, embeddingsSchema } from "./inference/embeddings.ts";
import { modelListSchema } from "./inference/models.ts";
import {
  detokenizeAnswerSchema,
  detokenizeRequestSchema,
  inputTokensSchema,
  tokenizeAnswerSchema,
  tokenizeRequestSchema,
} from "./inference/tokens.ts";
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
  chatInputTokens: {
    method: "POST",
    path: "/v1/chat/completions/input_tokens",
    owner: "hive_process",
    tag: "inference",
    summary: "How many tokens a chat request's prompt has; nothing is computed.",
    status: 200,
    body: chatRequestSchema,
    answer: inputTokensSchema,
  },
  completion: {
    method: "POST",
    path: "/v1/completions",
    owner: "hive_process",
    tag: "inference",
    summary: "Text that goes on where a prompt ends, whole or as a stream.",
    status: 200,
    body: completionRequestSchema,
    answer: completionSchema,
  },
  embeddings: {
    method: "POST",
    path: "/v1/embeddings",
    owner: "hive_process",
    tag: "inference",
    summary: "Vectors of texts, each of length 1.",
    status: 200,
    body: embeddingsRequestSchema,
    answer: embeddingsSchema,
  },
  tokenize: {
    method: "POST",
    path: "/v1/tokenize",
    owner: "hive_process",
    tag: "inference",
    summary: "Text to tokens.",
    status: 200,
    body: tokenizeRequestSchema,
    answer: tokenizeAnswerSchema,
  },
  detokenize: {
    method: "POST",
    path: "/v1/detokenize",
    owner: "hive_process",
    tag: "inference",
    summary: "Tokens to text.",
    status: 200,
    body: detokenizeRequestSchema,
    answer: detokenizeAnswerSchema,
  },
} as const satisfies EndpointTable;
