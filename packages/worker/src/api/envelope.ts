import { randomUUID } from "node:crypto";
import type { Timings, Usage } from "@rbee/contract";
import type { Progress, PromptTokens } from "../scheduler/index.ts";

/** What every message about one answer repeats. */
export interface Envelope {
  readonly id: string;
  /** Unix time in seconds. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
}

/** Names an answer: after the request's id when the caller gave a usable one, so that logs can be matched. */
export function envelopeFor(
  prefix: "chatcmpl" | "cmpl",
  model: string,
  fingerprint: string,
  requestId: string | undefined,
): Envelope {
  const usable = requestId !== undefined && /^[\w:.-]{1,128}$/u.test(requestId);
  return {
    id: `${prefix}-${usable ? requestId : randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model,
    fingerprint,
  };
}

/** OpenAI's token counts, from the timings that the scheduler measured; `reasoningTokens` is null for no such model. */
export function usageOf(timings: Timings, reasoningTokens: number | null = null): Usage {
  const prompt = timings.cache_n + timings.prompt_n;
  return {
    prompt_tokens: prompt,
    completion_tokens: timings.predicted_n,
    total_tokens: prompt + timings.predicted_n,
    prompt_tokens_details: { cached_tokens: timings.cache_n },
    ...(reasoningTokens === null ? {} : { completion_tokens_details: { reasoning_tokens: reasoningTokens } }),
  };
}

/** What a silent stream says. */
export function commentFor(progress: Progress): string {
  if (progress.phase === "prefill") return `prefill ${progress.done}/${progress.total}`;
  return progress.phase === "queued" ? "queued" : "waiting";
}

/**
 * What comes before the first part of an answer: the prompt's tokens, those of the cache and those that were computed.
 * An answer that is cut off has no timings, and the queen meters from this what it cost.
 */
export function promptComment(group: { readonly promptTokens: PromptTokens }): string {
  const { cached, computed } = group.promptTokens;
  return `: prompt ${cached}+${computed}\n\n`;
}

/** How every good stream ends. */
export const streamDone = "data: [DONE]\n\n";
