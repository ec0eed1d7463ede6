import { RbeeError, type ExternalKind } from "@rbee/contract";
import type { Ask } from "../asks.ts";
import type { ForeignServer } from "./server.ts";

/** What only workers that know the model's tokens answer. */
const needsTokens: Readonly<Record<string, string>> = {
  "/v1/chat/completions/input_tokens": "counting a prompt's tokens",
  "/v1/tokenize": "turning text into tokens",
  "/v1/detokenize": "turning tokens into text",
};

/** OpenAI's fields that change nothing about an answer. */
const withoutEffect = ["safety_identifier", "prompt_cache_key", "service_tier", "store", "metadata"];

/** What servers of each kind call llama.cpp's samplers, which OpenAI does not have. */
const samplers: Readonly<Record<ExternalKind, Readonly<Record<string, string>>>> = {
  "llama-server": { top_k: "top_k", min_p: "min_p", repeat_penalty: "repeat_penalty" },
  vllm: { top_k: "top_k", min_p: "min_p", repeat_penalty: "repetition_penalty" },
  "lm-studio": { top_k: "top_k", repeat_penalty: "repeat_penalty" },
  ollama: {},
  "openai-compatible": {},
};

/** What switches a sampler off. Apps name it without wanting anything. */
const samplerOff: Readonly<Record<string, number>> = { top_k: 0, min_p: 0, repeat_penalty: 1 };
/** What a server does by itself, so that it need not be told. */
const usualSamplers: Readonly<Partial<Record<ExternalKind, Readonly<Record<string, number>>>>> = {
  ollama: { top_k: 40, repeat_penalty: 1.1 },
};

/** What an answer would silently lack where a server does not know it. */
const unknownTo: Readonly<Record<ExternalKind, readonly string[]>> = {
  "llama-server": [],
  vllm: ["grammar"],
  "lm-studio": ["grammar", "n"],
  ollama: ["grammar", "n", "logit_bias"],
  "openai-compatible": ["grammar"],
};

/** What OpenAI answers to a completion for which nobody says how long it may be. */
const usualCompletionTokens = 16;

type Fields = Record<string, unknown>;

function refuse(param: string, what: string, { name }: ForeignServer): never {
  throw new RbeeError(
    "invalid_request",
    `\`${param}\`: ${name} answers for this model, which cannot do this: ${what}.`,
    {
      param,
      suggestion: "Leave it out, or ask a model that rbee runs itself.",
    },
  );
}

/** The samplers that a request names, as the server calls them. @throws {RbeeError} `invalid_request` for one it lacks. */
function sampledBy(server: ForeignServer, asked: Fields): Fields {
  const { kind } = server;
  return Object.fromEntries(
    Object.entries(asked).flatMap(([field, value]): [string, unknown][] => {
      if (value === undefined) return [];
      const theirs = samplers[kind][field];
      if (theirs !== undefined) return [[theirs, value]];
      if (value !== samplerOff[field] && value !== usualSamplers[kind]?.[field])
        refuse(field, `it knows no \`${field}\``, server);
      return [];
    }),
  );
}

/** What a request says about tools and probabilities, without what Ollama would leave out of its answer unsaid. */
function toldOllama(asked: Fields, server: ForeignServer): Fields {
  const { tool_choice, tools, logprobs, top_logprobs, ...rest } = asked;
  if (logprobs !== undefined && logprobs !== false) refuse("logprobs", "it tells no probabilities", server);
  if (typeof top_logprobs === "number" && top_logprobs > 0) refuse("top_logprobs", "it tells no probabilities", server);
  if (tool_choice === "none") return rest;
  if (tool_choice !== undefined && tool_choice !== "auto")
    refuse("tool_choice", "it cannot be made to call a tool", server);
  return tools === undefined ? rest : { ...rest, tools };
}

/** How long the answer may be, by the one name that every server knows. */
function limitOf(path: string, { max_tokens, max_completion_tokens }: Fields): Fields {
  const limit = max_completion_tokens ?? max_tokens;
  if (limit !== undefined && limit !== null) return { max_tokens: limit };
  return path === "/v1/completions" && max_tokens === undefined ? { max_tokens: usualCompletionTokens } : {};
}

const messageOf = (message: unknown): unknown => {
  const fields = message as Fields;
  const given = Object.fromEntries(
    Object.entries(fields).filter(([key, value]) => value !== null || key === "content"),
  );
  return given["role"] === "developer" ? { ...given, role: "system" } : given;
};

/**
 * The same request as a server of somebody else understands it: by its own name of the model, with what it counts
 * told at the end of a stream, without what only our workers know.
 * @throws {RbeeError} `invalid_request` naming the server and what it cannot do.
 */
export function foreignAsk(ask: Ask, server: ForeignServer): Ask {
  const { kind, engine, model } = server;
  const missing = needsTokens[ask.path];
  if (missing !== undefined) {
    if (engine === "external") refuse("model", missing, server);
    return { ...ask, body: { ...ask.body, model } };
  }
  const given = Object.fromEntries(
    Object.entries(ask.body).filter(([, value]) => value !== null && value !== undefined),
  ) as Fields;
  if (given["n"] === 1) delete given["n"];
  const asked = kind === "ollama" ? toldOllama(given, server) : given;
  for (const field of unknownTo[kind])
    if (asked[field] !== undefined) refuse(field, `it knows no \`${field}\``, server);
  if (asked["suffix"] !== undefined) refuse("suffix", "filling in the middle", server);
  const {
    top_k,
    min_p,
    repeat_penalty,
    max_tokens: _max,
    max_completion_tokens: _most,
    stream_options: _options,
    ...rest
  } = asked;
  const sampled = sampledBy(server, { top_k, min_p, repeat_penalty });
  const { messages } = rest;
  return {
    ...ask,
    body: {
      ...Object.fromEntries(Object.entries(rest).filter(([field]) => !withoutEffect.includes(field))),
      ...(ask.path === "/v1/embeddings" ? {} : limitOf(ask.path, ask.body as Fields)),
      ...sampled,
      ...(Array.isArray(messages) ? { messages: messages.map(messageOf) } : {}),
      ...(ask.stream ? { stream_options: { include_usage: true } } : {}),
      model,
    },
  };
}
