import { randomInt } from "node:crypto";
import { RbeeError, type ChatRequest, type CompletionRequest } from "@rbee/contract";
import type { SamplingSettings } from "../engine/engine.ts";

const uint32 = 2 ** 32;

type SamplingRequest = Pick<
  ChatRequest | CompletionRequest,
  | "temperature"
  | "top_p"
  | "top_k"
  | "min_p"
  | "seed"
  | "repeat_penalty"
  | "presence_penalty"
  | "frequency_penalty"
  | "logit_bias"
>;

function biasOf(request: SamplingRequest, vocabularySize: number): Map<number, number> {
  const bias = new Map<number, number>();
  for (const [key, value] of Object.entries(request.logit_bias ?? {})) {
    const token = Number(key);
    if (token >= vocabularySize) {
      throw new RbeeError("invalid_request", `\`logit_bias\`: the model has no token ${key}.`, {
        param: "logit_bias",
        details: { vocabulary_size: vocabularySize },
      });
    }
    bias.set(token, value);
  }
  return bias;
}

/**
 * How choice after choice of a request is sampled: each with the next seed.
 * @throws {RbeeError} `invalid_request` for a bias on a token that the model does not have.
 */
export function samplingOf(request: SamplingRequest, vocabularySize: number, choices: number): SamplingSettings[] {
  const first = typeof request.seed === "number" ? ((request.seed % uint32) + uint32) % uint32 : randomInt(uint32);
  const settings: Omit<SamplingSettings, "seed"> = {
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? null,
    topK: request.top_k ?? null,
    minP: request.min_p ?? null,
    repeatPenalty: request.repeat_penalty ?? 1,
    presencePenalty: request.presence_penalty ?? 0,
    frequencyPenalty: request.frequency_penalty ?? 0,
    logitBias: biasOf(request, vocabularySize),
  };
  return Array.from({ length: choices }, (_, index) => ({ ...settings, seed: (first + index) % uint32 }));
}

export function stopsOf(stop: ChatRequest["stop"]): readonly string[] {
  return typeof stop === "string" ? [stop] : (stop ?? []);
}

export interface Room {
  readonly promptTokens: number;
  /** Answer tokens asked for; null for as many as there is room for. */
  readonly asked: number | null;
  readonly contextLength: number;
  /** The field that is too long. */
  readonly param: "messages" | "prompt" | "input";
}

/**
 * The answer's limit in tokens; without one it may fill the context.
 * @throws {RbeeError} `context_length_exceeded` when prompt and answer do not fit into a slot.
 */
export function limitOf({ promptTokens, asked, contextLength, param }: Room): number {
  if (promptTokens < contextLength && promptTokens + (asked ?? 0) <= contextLength) {
    return asked ?? contextLength - promptTokens;
  }
  const wanted = asked === null ? "" : `, and max_tokens asks for ${asked} more`;
  throw new RbeeError(
    "context_length_exceeded",
    `The prompt has ${promptTokens} tokens${wanted}, but the context of this model holds ${contextLength}.`,
    {
      param,
      details: {
        prompt_tokens: promptTokens,
        ...(asked === null ? {} : { max_tokens: asked }),
        context_length: contextLength,
      },
      suggestion: "Shorten the conversation, or load the model with a longer context.",
    },
  );
}
