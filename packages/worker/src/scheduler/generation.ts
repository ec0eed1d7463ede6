import type { FinishReason, RbeeError, Timings } from "@rbee/contract";
import type { Sampler, SamplingSettings, Vocabulary } from "../engine/engine.ts";
import { StopWatch } from "../text/stop-watch.ts";
import { Utf8Text } from "../text/utf8-text.ts";

export interface GenerationRequest {
  readonly prompt: readonly number[];
  /** At least 1; prompt and answer together must fit into a slot. */
  readonly maxTokens: number;
  readonly sampling: SamplingSettings;
  readonly stop: readonly string[];
}

export interface Ending {
  readonly reason: FinishReason;
  readonly timings: Timings;
}

/** Who waits for the answer. Calls come between two steps and must not block. After `end` or `fail` nothing comes. */
export interface Listener {
  text(text: string): void;
  end(ending: Ending): void;
  fail(error: RbeeError): void;
}

/** Where a request is, for the comments of a waiting stream. */
export type Progress =
  | { readonly phase: "queued" }
  | { readonly phase: "prefill"; readonly done: number; readonly total: number }
  | { readonly phase: "decode" };

const perSecond = (count: number, ms: number) => (ms <= 0 ? 0 : (count * 1000) / ms);

/** One request on its way through the scheduler: which tokens it has, which text came of them, and when. */
export class Generation {
  readonly request: GenerationRequest;
  readonly listener: Listener;
  readonly #vocabulary: Vocabulary;
  readonly #utf8 = new Utf8Text();
  readonly #stops: StopWatch;
  sampler: Sampler | null = null;
  /** Prompt tokens whose state is in the slot. */
  prefilled = 0;
  /** The token that the next step computes; null until the prompt is done. */
  nextToken: number | null = null;
  cancelled = false;
  #reused = 0;
  #predicted = 0;
  #startedMs = 0;
  #firstTokenMs = 0;
  #lastTokenMs = 0;
  #outbox = "";
  #ending: Ending | null = null;

  constructor(request: GenerationRequest, listener: Listener, vocabulary: Vocabulary) {
    this.request = request;
    this.listener = listener;
    this.#vocabulary = vocabulary;
    this.#stops = new StopWatch(request.stop);
  }

  get started(): boolean {
    return this.sampler !== null;
  }

  get finished(): boolean {
    return this.#ending !== null;
  }

  get promptLeft(): number {
    return this.request.prompt.length - this.prefilled;
  }

  get progress(): Progress {
    if (!this.started) return { phase: "queued" };
    const total = this.request.prompt.length;
    return this.nextToken === null ? { phase: "prefill", done: this.prefilled, total } : { phase: "decode" };
  }

  /** Prompt tokens that the slot's cache had, and those that had to be computed. */
  get promptTokens(): { readonly cached: number; readonly computed: number } {
    return { cached: this.#reused, computed: this.request.prompt.length - this.#reused };
  }

  start(sampler: Sampler, reused: number, nowMs: number): void {
    this.sampler = sampler;
    this.prefilled = reused;
    this.#reused = reused;
    this.#startedMs = nowMs;
  }

  /** Takes a new token: its text waits for `deliver`, and the answer may be finished afterwards. */
  accept(token: number, nowMs: number): void {
    this.nextToken = token;
    this.#predicted++;
    if (this.#predicted === 1) this.#firstTokenMs = nowMs;
    this.#lastTokenMs = nowMs;
    if (this.#vocabulary.endsAnswer(token)) {
      this.#finish("stop");
      return;
    }
    this.#outbox += this.#stops.push(this.#utf8.push(this.#vocabulary.piece(token)));
    if (this.#stops.found) this.#finish("stop");
    else if (this.#predicted >= this.request.maxTokens) this.#finish("length");
  }

  /** Hands over what has come since the last call. */
  deliver(): void {
    const text = this.#outbox;
    this.#outbox = "";
    if (text !== "") this.listener.text(text);
    if (this.#ending !== null) this.listener.end(this.#ending);
  }

  #finish(reason: FinishReason): void {
    if (!this.#stops.found) {
      this.#outbox += this.#stops.push(this.#utf8.end());
      if (this.#stops.found) reason = "stop";
      else this.#outbox += this.#stops.end();
    }
    const promptMs = this.#firstTokenMs - this.#startedMs;
    const predictedMs = this.#lastTokenMs - this.#firstTokenMs;
    const computed = this.request.prompt.length - this.#reused;
    this.#ending = {
      reason,
      timings: {
        cache_n: this.#reused,
        prompt_n: computed,
        prompt_ms: promptMs,
        prompt_per_second: perSecond(computed, promptMs),
        predicted_n: this.#predicted,
        predicted_ms: predictedMs,
        // The first token comes with the prompt, so the time between first and last made one token less.
        predicted_per_second: perSecond(this.#predicted - 1, predictedMs),
      },
    };
  }
}
