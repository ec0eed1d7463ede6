import { randomBytes, randomUUID } from "node:crypto";
import type { FinishReason, TokenLogprob } from "@rbee/contract";
import type { Reader, Piece } from "../answer/answer-reader.ts";
import type { Vocabulary } from "../engine/engine.ts";
import type { TextOrigin } from "../scheduler/index.ts";
import type { SeenToken } from "../text/logprob-trail.ts";
import type { ChatPlan } from "./chat-plan.ts";
import { logprobOf } from "./logprobs.ts";

/** A piece of one choice, as it is sent. */
export type ChatPart =
  | {
      readonly kind: "content";
      readonly choice: number;
      readonly text: string;
      readonly logprobs: TokenLogprob[] | null;
    }
  | { readonly kind: "reasoning"; readonly choice: number; readonly text: string }
  | {
      readonly kind: "call";
      readonly choice: number;
      readonly call: number;
      readonly id: string;
      readonly name: string;
    }
  | { readonly kind: "arguments"; readonly choice: number; readonly call: number; readonly text: string };

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

function callId(short: boolean): string {
  if (!short) return `call_${randomUUID().replaceAll("-", "").slice(0, 24)}`;
  return Array.from(randomBytes(9), (byte) => letters[byte % letters.length]).join("");
}

/** One choice of a chat as it comes: its parts in order, and what it counts. */
export class ChatAnswer {
  readonly #choice: number;
  readonly #reader: Reader | null;
  readonly #shortIds: boolean;
  readonly #vocabulary: Vocabulary;
  readonly #withLogprobs: boolean;
  #seen: SeenToken[] = [];
  reasoningTokens = 0;

  constructor(choice: number, plan: ChatPlan, vocabulary: Vocabulary) {
    this.#choice = choice;
    this.#reader = plan.reader();
    this.#shortIds = plan.shortIds;
    this.#vocabulary = vocabulary;
    this.#withLogprobs = plan.requests[0]?.logprobs !== null;
  }

  text(text: string, origin: TextOrigin): ChatPart[] {
    if (this.#withLogprobs) this.#seen.push(...origin.seen);
    const reader = this.#reader;
    if (reader === null) return [this.#content(text)];
    const thought = reader.thinks;
    const parts = this.#parts(reader.push(text));
    // What only parts thoughts from the answer is not said either.
    if (!reader.holdsContent) this.#seen = [];
    if (thought || reader.thinks) this.reasoningTokens += origin.tokens;
    return parts;
  }

  /** The last parts, when no more text comes. */
  end(): ChatPart[] {
    return this.#parts(this.#reader?.end() ?? []);
  }

  /** Why the answer ended, once `end` was called. */
  finishReason(reason: "stop" | "length"): FinishReason {
    return reason === "stop" && this.#reader?.calledWhole === true ? "tool_calls" : reason;
  }

  #parts(pieces: readonly Piece[]): ChatPart[] {
    const choice = this.#choice;
    return pieces.map((piece): ChatPart => {
      if (piece.kind === "content") return this.#content(piece.text);
      // Probabilities are told of what is said, not of thoughts and calls.
      this.#seen = [];
      if (piece.kind === "call") return { ...piece, choice, id: callId(this.#shortIds) };
      return { ...piece, choice };
    });
  }

  #content(text: string): ChatPart {
    if (!this.#withLogprobs) return { kind: "content", choice: this.#choice, text, logprobs: null };
    const logprobs = this.#seen.map((seen) => logprobOf(this.#vocabulary, seen));
    this.#seen = [];
    return { kind: "content", choice: this.#choice, text, logprobs };
  }
}
