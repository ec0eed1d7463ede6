import type { Completion, CompletionRequest, OllamaGenerateRequest } from "@rbee/contract";
import { RbeeError } from "@rbee/contract";
import { modelIdOf, samplingOf } from "./request.ts";

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
    model: modelIdOf(model),
    prompt,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
    // No limit of its own: OpenAI's 16 tokens are not Ollama's.
    max_tokens: null,
    ...samplingOf(options),
    ...(suffix === undefined || suffix === "" ? {} : { suffix }),
  };
}

/** A completion, or one chunk of its stream, as the chat answer that tellings start from. */
export const asChat = ({ choices, usage, timings, ...head }: Completion) => ({
  ...head,
  usage,
  timings,
  choices: choices.map(({ index, text, finish_reason }) => ({
    index,
    message: { role: "assistant" as const, content: text, refusal: null },
    delta: { content: text },
    logprobs: null,
    finish_reason,
  })),
});
