import type { ChatCompletion, FinishReason, Timings, Usage } from "@rbee/contract";

/** What every message about one answer repeats. */
export interface Envelope {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
}

/** OpenAI's token counts, from the timings that the scheduler measured. */
export function usageOf(timings: Timings): Usage {
  const prompt = timings.cache_n + timings.prompt_n;
  return {
    prompt_tokens: prompt,
    completion_tokens: timings.predicted_n,
    total_tokens: prompt + timings.predicted_n,
    prompt_tokens_details: { cached_tokens: timings.cache_n },
  };
}

/** A whole answer. */
export function completionOf(
  envelope: Envelope,
  content: string,
  finishReason: FinishReason,
  timings: Timings,
): ChatCompletion {
  return {
    id: envelope.id,
    object: "chat.completion",
    created: envelope.created,
    model: envelope.model,
    system_fingerprint: envelope.fingerprint,
    choices: [
      {
        index: 0,
        message: { role: "assistant", content, refusal: null },
        logprobs: null,
        finish_reason: finishReason,
      },
    ],
    usage: usageOf(timings),
    timings,
  };
}

/**
 * Writes the server-sent events of one streamed answer. What does not change from token to token is serialised once,
 * because a worker writes one event per token and stream.
 */
export class ChunkWriter {
  readonly #head: string;
  readonly #tail: string;
  readonly #usageTail: string;

  /** With `includeUsage`, all chunks have `usage` as OpenAI's do: null until the extra last one. */
  constructor(envelope: Envelope, includeUsage: boolean) {
    const fields = JSON.stringify({
      id: envelope.id,
      object: "chat.completion.chunk",
      created: envelope.created,
      model: envelope.model,
      system_fingerprint: envelope.fingerprint,
    });
    this.#head = `data: ${fields.slice(0, -1)},"choices":[`;
    this.#usageTail = includeUsage ? `,"usage":null` : "";
    this.#tail = `,"logprobs":null,"finish_reason":null}]${this.#usageTail}}\n\n`;
  }

  /** The first chunk, which only names the speaker. */
  role(): string {
    return `${this.#head}{"index":0,"delta":{"role":"assistant","content":""}${this.#tail}`;
  }

  text(text: string): string {
    return `${this.#head}{"index":0,"delta":{"content":${JSON.stringify(text)}}${this.#tail}`;
  }

  /** The last chunk of the answer, with its finish reason and llama-server's timings. */
  finish(reason: FinishReason, timings: Timings): string {
    const choice = `{"index":0,"delta":{},"logprobs":null,"finish_reason":"${reason}"}`;
    return `${this.#head}${choice}]${this.#usageTail},"timings":${JSON.stringify(timings)}}\n\n`;
  }

  /** The extra chunk of `stream_options.include_usage`. */
  usage(timings: Timings): string {
    return `${this.#head}],"usage":${JSON.stringify(usageOf(timings))}}\n\n`;
  }
}

/** How every good stream ends. */
export const streamDone = "data: [DONE]\n\n";
