import {
  RbeeError,
  type ChatChunk,
  type ChatAnswer,
  type Completion,
  type CompletionRequest,
  type OllamaGenerateRequest,
} from "@rbee/contract";
import { samplingOf } from "./request.ts";

/**
 * The completion that `POST /api/generate` asks for when the prompt goes to the model as it is, or is to be filled in.
 * @throws {RbeeError} `invalid_request` for what only works with a chat template.
 */
export function completionOf(request: OllamaGenerateRequest): CompletionRequest {
  const { model, prompt, suffix, stream, options, format, think, system } = request;
  const refused = (
    [
      ["format", format !== null && format !== undefined && format !== ""],
      ["think", think === true],
      ["system", system !== undefined && system !== ""],
    ] as const
  ).find(([, given]) => given)?.[0];
  if (refused !== undefined)
    throw new RbeeError("invalid_request", `\`${refused}\` cannot be combined with raw or suffix.`, { param: refused });
  return {
    model,
    prompt,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    // No limit of its own: OpenAI's 16 tokens are not Ollama's.
    max_tokens: null,
    ...samplingOf(options),
    ...(suffix === undefined || suffix === "" ? {} : { suffix }),
  };
}

/** One chunk of a completion's stream, as the chunk of a chat. */
export const chunkAsChat = ({ choices, ...rest }: Completion): ChatChunk => ({
  ...rest,
  object: "chat.completion.chunk",
  choices: choices.map(({ index, text, finish_reason }) => ({
    index,
    delta: { content: text },
    logprobs: null,
    finish_reason,
  })),
});

/** A whole completion as a chat. */
export function wholeAsChat({ choices, usage = null, timings, ...rest }: Completion): ChatAnswer {
  return {
    ...rest,
    object: "chat.completion",
    usage,
    ...(timings === undefined ? {} : { timings }),
    choices: choices.map(({ index, text, finish_reason }) => ({
      index,
      message: { role: "assistant", content: text, refusal: null },
      logprobs: null,
      finish_reason: finish_reason ?? "stop",
    })),
  };
}
