import type { TokenLogprob } from "@rbee/contract";
import type { Vocabulary } from "../engine/engine.ts";
import type { SeenToken } from "../text/logprob-trail.ts";

/** What OpenAI writes for a probability of nothing, which JSON has no number for. */
const never = -9999;

function tokenEntry(vocabulary: Vocabulary, token: number, logprob: number) {
  const { text, bytes } = vocabulary.shownPiece(token);
  return {
    token: text ?? new TextDecoder().decode(bytes),
    logprob: Math.max(never, Math.min(0, logprob)),
    bytes: Array.from(bytes),
  };
}

/** What was seen of a token, in OpenAI's shape. */
export function logprobOf(vocabulary: Vocabulary, { token, observation }: SeenToken): TokenLogprob {
  return {
    ...tokenEntry(vocabulary, token, observation.logprob),
    top_logprobs: observation.top.map((other) => tokenEntry(vocabulary, other.token, other.logprob)),
  };
}
