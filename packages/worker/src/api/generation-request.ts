import { randomInt } from "node:crypto";
import { RbeeError, type ChatRequest } from "@rbee/contract";
import type { Engine, SamplingSettings } from "../engine/engine.ts";
import type { GenerationRequest } from "../scheduler/index.ts";
import type { PromptMaker } from "../templates/chat-template.ts";

const uint32 = 2 ** 32;

function biasOf(request: ChatRequest, vocabularySize: number): Map<number, number> {
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

function samplingOf(request: ChatRequest, vocabularySize: number): SamplingSettings {
  const { seed } = request;
  return {
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? null,
    topK: request.top_k ?? null,
    minP: request.min_p ?? null,
    seed: typeof seed === "number" ? ((seed % uint32) + uint32) % uint32 : randomInt(uint32),
    repeatPenalty: request.repeat_penalty ?? 1,
    presencePenalty: request.presence_penalty ?? 0,
    frequencyPenalty: request.frequency_penalty ?? 0,
    logitBias: biasOf(request, vocabularySize),
  };
}

/** The answer's limit in tokens; without one it may fill the context. */
function limitOf(request: ChatRequest, promptTokens: number, contextLength: number): number {
  const asked = request.max_completion_tokens ?? request.max_tokens ?? null;
  if (promptTokens < contextLength && promptTokens + (asked ?? 0) <= contextLength) {
    return asked ?? contextLength - promptTokens;
  }
  const wanted = asked === null ? "" : `, and max_tokens asks for ${asked} more`;
  throw new RbeeError(
    "context_length_exceeded",
    `The prompt has ${promptTokens} tokens${wanted}, but the context of this model holds ${contextLength}.`,
    {
      param: "messages",
      details: {
        prompt_tokens: promptTokens,
        ...(asked === null ? {} : { max_tokens: asked }),
        context_length: contextLength,
      },
      suggestion: "Shorten the conversation, or load the model with a longer context.",
    },
  );
}

/** What the contract knows and this worker does not do yet. */
function refuseUnsupported(request: ChatRequest): void {
  const asked = {
    tools: (request.tools ?? []).length > 0,
    response_format: (request.response_format ?? { type: "text" }).type !== "text",
    grammar: request.grammar !== undefined,
    logprobs: request.logprobs === true,
    n: (request.n ?? 1) !== 1,
    reasoning_effort: (request.reasoning_effort ?? null) !== null,
    chat_template_kwargs: request.chat_template_kwargs !== undefined,
  };
  for (const [param, is] of Object.entries(asked))
    if (is) throw new RbeeError("invalid_request", `\`${param}\`: is not supported here.`, { param });
}

/**
 * What the scheduler needs to know of a chat request.
 * @throws {RbeeError} `invalid_request`, or `context_length_exceeded` when prompt and answer do not fit into a slot.
 */
export function generationRequest(request: ChatRequest, engine: Engine, prompts: PromptMaker): GenerationRequest {
  refuseUnsupported(request);
  const sampling = samplingOf(request, engine.vocabulary.size);
  const prompt = prompts.tokens(request.messages);
  if (prompt.length === 0) {
    throw new RbeeError("invalid_request", "`messages`: the prompt is empty.", { param: "messages" });
  }
  const { stop } = request;
  return {
    prompt,
    maxTokens: limitOf(request, prompt.length, engine.facts.contextLength),
    sampling,
    stop: typeof stop === "string" ? [stop] : (stop ?? []),
  };
}
