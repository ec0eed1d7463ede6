import type { EndpointTable } from "../endpoint.ts";
import { completionRequestSchema, completionSchema } from "../inference/completions.ts";
import { embeddingsRequestSchema, embeddingsSchema } from "../inference/embeddings.ts";
import { responseSchema, responsesRequestSchema } from "../inference/responses.ts";
import {
  detokenizeAnswerSchema,
  detokenizeRequestSchema,
  tokenizeAnswerSchema,
  tokenizeRequestSchema,
} from "../inference/tokens.ts";

/** The rest of OpenAI's API, and two of llama-server's own. */
export const textEndpoints = {
  complete: {
    method: "POST",
    path: "/v1/completions",
    owner: "person",
    tag: "inference",
    summary: "Text that goes on where a prompt ends, without a chat template; whole or as a stream.",
    status: 200,
    body: completionRequestSchema,
    answer: completionSchema,
  },
  embed: {
    method: "POST",
    path: "/v1/embeddings",
    owner: "person",
    tag: "inference",
    summary: "Vectors of texts, each of length 1.",
    status: 200,
    body: embeddingsRequestSchema,
    answer: embeddingsSchema,
  },
  respond: {
    method: "POST",
    path: "/v1/responses",
    owner: "person",
    tag: "inference",
    summary: "An answer as OpenAI's Responses API gives it, whole or as a stream of events.",
    status: 200,
    body: responsesRequestSchema,
    answer: responseSchema,
  },
  getResponse: {
    method: "GET",
    path: "/v1/responses/{id}",
    owner: "person",
    tag: "inference",
    summary: "A response of yours of the last hour, unless it was not to be stored.",
    status: 200,
    answer: responseSchema,
  },
  deleteResponse: {
    method: "DELETE",
    path: "/v1/responses/{id}",
    owner: "person",
    tag: "inference",
    summary: "Forgets a response of yours.",
    status: 204,
    answer: "none",
  },
  tokenize: {
    method: "POST",
    path: "/tokenize",
    owner: "person",
    tag: "inference",
    summary: "Text to a model's tokens, as llama-server does it; `model` may be left out where there is only one.",
    status: 200,
    body: tokenizeRequestSchema,
    answer: tokenizeAnswerSchema,
  },
  detokenize: {
    method: "POST",
    path: "/detokenize",
    owner: "person",
    tag: "inference",
    summary: "A model's tokens to text; `model` may be left out where there is only one.",
    status: 200,
    body: detokenizeRequestSchema,
    answer: detokenizeAnswerSchema,
  },
} as const satisfies EndpointTable;
