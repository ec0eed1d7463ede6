import type { RbeeError, Timings } from "@rbee/contract";
import type { Constraint, Grammar, Observer, Piece, Sampler, SamplingSettings, Vocabulary } from "../engine/engine.ts";
import type { ParkingKey } from "../parking/parking-key.ts";
import { LogprobTrail, type SeenToken } from "../text/logprob-trail.ts";
import { StopWatch } from "../text/stop-watch.ts";
import { Utf8Text } from "../text/utf8-text.ts";
import type { Speculation } from "./speculation.ts";

export interface GenerationRequest {
  readonly prompt: readonly number[];
  /** At least 1; prompt and answer together must fit into a slot. */
  readonly maxTokens: number;
  readonly sampling: SamplingSettings;
  readonly stop: readonly string[];
  /** What the whole answer must match; null for anything. */
  readonly grammar: Grammar | null;
  /** May put the answer under a grammar on the way; null when nothing can. */
  readonly guide: Guide | null;
  /** Control tokens whose text belongs to the answer; under a grammar all do. */
  readonly shown: ReadonlySet<number>;
  /** How many alternatives of each token are wanted with their probabilities; null for none of it. */
  readonly logprobs: number | null;
  /** Whose conversation it is, when it may be parked; nobody's when left out. */
  readonly parkingKey?: ParkingKey | null;
}

/** Looks at an answer as it grows. */
export interface Guide {
  /** Takes the newest token's text. Answers what the rest of the answer must match from now on; null changes nothing. */
  push(text: string): Constraint | null;
}

/** What came with a piece of text. */
export interface TextOrigin {
  /** Tokens since the last text. */
  readonly tokens: number;
  /** Those tokens of this and earlier text that are complete with it, when they were asked for. */
  readonly seen: readonly SeenToken[];
}

export interface Ending {
  readonly reason: "stop" | "length";
  /** The stop string that ended it. */
  readonly stop: string | null;
  readonly timings: Timings;
}

/** Who waits for the answer. Calls come between two steps and must not block. After `end` or `fail` nothing comes. */
export interface Listener {
  text(text: string, origin: TextOrigin): void;
  end(ending: Ending): void;
  fail(error: RbeeError): void;
}

/** Where a request is, for the comments of a waiting stream. */
export type Progress =
  | { readonly phase: "queued" }
  | { readonly phase: "prefill"; readonly done: number; readonly total: number }
  | { readonly phase: "decode" };

/** Prompt tokens that the slot's cache had, and those that had to be computed. */
export interface PromptTokens {
  readonly cached: number;
  readonly computed: number;
}

const nothingSeen: readonly SeenToken[] = [];

const perSecond = (count: number, ms: number) => (ms <= 0 ? 0 : (count * 1000) / ms);

/** One request on its way through the scheduler: which tokens it has, which text came of them, and when. */
export class Generation {
  readonly request: GenerationRequest;
  readonly listener: Listener;
  readonly #vocabulary: Vocabulary;
  readonly #utf8 = new Utf8Text();
  readonly #stops: StopWatch;
  readonly #trail: LogprobTrail | null;
  readonly #answer: number[] | null;
  #showsAll: boolean;
  sampler: Sampler | null = null;
  observer: Observer | null = null;
  /** Guesses at what comes next; null where none are made. */
  speculation: Speculation | null = null;
  /** Prompt tokens whose state is in the slot. */
  prefilled = 0;
  /** The token that the next step computes; null until the prompt is done. */
  nextToken: number | null = null;
  cancelled = false;
  #reused = 0;
  #predicted = 0;
  #told = 0;
  readonly #submittedMs: number;
  #startedMs = 0;
  #firstTokenMs = 0;
  #lastTokenMs = 0;
  #outbox = "";
  #ending: Ending | null = null;

  constructor(request: GenerationRequest, listener: Listener, vocabulary: Vocabulary, nowMs: number) {
    this.request = request;
    this.listener = listener;
    this.#vocabulary = vocabulary;
    this.#stops = new StopWatch(request.stop);
    this.#trail = request.logprobs === null ? null : new LogprobTrail();
    this.#answer = request.guide === null ? null : [];
    this.#showsAll = request.grammar !== null;
    this.#submittedMs = nowMs;
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

  /**
   * Whether several of its tokens may be chosen in one step. Not while somebody may change the rules after each token,
   * and not when each is looked at.
   */
  get mayGuess(): boolean {
    return this.request.guide === null && this.request.logprobs === null;
  }

  /** Milliseconds since it was submitted. */
  ageMs(nowMs: number): number {
    return nowMs - this.#submittedMs;
  }

  /** Milliseconds since the first token, when that is all there is; else null. */
  begunMs(nowMs: number): number | null {
    return this.#predicted === 1 ? nowMs - this.#firstTokenMs : null;
  }

  /** Tokens that may still come after the next one. */
  get tokensLeft(): number {
    return this.request.maxTokens - this.#predicted - 1;
  }

  get promptTokens(): PromptTokens {
    return { cached: this.#reused, computed: this.request.prompt.length - this.#reused };
  }

  start(sampler: Sampler, observer: Observer | null, reused: number, nowMs: number): void {
    this.sampler = sampler;
    this.observer = observer;
    this.prefilled = reused;
    this.#reused = reused;
    this.#startedMs = nowMs;
  }

  /** Takes a new token: its text waits for `deliver`, and the answer may be finished afterwards. */
  accept(token: number, nowMs: number): void {
    this.nextToken = token;
    this.speculation?.push(token);
    this.#predicted++;
    if (this.#predicted === 1) this.#firstTokenMs = nowMs;
    this.#lastTokenMs = nowMs;
    if (this.#vocabulary.endsAnswer(token)) {
      this.#finish("stop");
      return;
    }
    const text = this.#utf8.push(this.#pieceOf(token));
    const shown = this.#stops.push(text);
    this.#outbox += shown;
    if (this.#trail !== null) this.#follow(this.#trail, token, text.length, shown.length);
    if (this.#answer !== null) this.#guide(this.#answer, token, text);
    if (this.#stops.found !== null) this.#finish("stop");
    else if (this.#predicted >= this.request.maxTokens) this.#finish("length");
  }

  /** Gives back what the engine keeps for it. */
  release(): void {
    this.sampler?.dispose();
    this.observer?.dispose();
  }

  /** Hands over what has come since the last call. */
  deliver(): void {
    const text = this.#outbox;
    this.#outbox = "";
    if (text !== "") {
      this.listener.text(text, { tokens: this.#predicted - this.#told, seen: this.#trail?.take() ?? nothingSeen });
      this.#told = this.#predicted;
    }
    if (this.#ending !== null) this.listener.end(this.#ending);
  }

  #pieceOf(token: number): Piece {
    const shown = this.#showsAll || (this.request.shown.size > 0 && this.request.shown.has(token));
    return shown ? this.#vocabulary.shownPiece(token) : this.#vocabulary.piece(token);
  }

  #follow(trail: LogprobTrail, token: number, produced: number, released: number): void {
    const observation = this.observer?.last ?? null;
    if (observation !== null) trail.add({ token, observation }, produced, this.#utf8.open);
    trail.release(released);
  }

  #guide(answer: number[], token: number, text: string): void {
    answer.push(token);
    const constraint = this.request.guide?.push(text) ?? null;
    if (constraint !== null && this.sampler?.constrain(constraint, answer) === true) this.#showsAll = true;
  }

  #finish(reason: Ending["reason"]): void {
    if (this.#stops.found === null) {
      this.#outbox += this.#stops.push(this.#utf8.end());
      if (this.#stops.found !== null) reason = "stop";
      else {
        this.#outbox += this.#stops.end();
        this.#trail?.releaseAll();
      }
    }
    const promptMs = this.#firstTokenMs - this.#startedMs;
    const predictedMs = this.#lastTokenMs - this.#firstTokenMs;
    const computed = this.request.prompt.length - this.#reused;
    const tally = this.speculation?.tally;
    this.#ending = {
      reason,
      stop: this.#stops.found,
      timings: {
        cache_n: this.#reused,
        prompt_n: computed,
        prompt_ms: promptMs,
        prompt_per_second: perSecond(computed, promptMs),
        predicted_n: this.#predicted,
        predicted_ms: predictedMs,
        // The first token comes with the prompt, so the time between first and last made one token less.
        predicted_per_second: perSecond(this.#predicted - 1, predictedMs),
        queue_ms: this.#startedMs - this.#submittedMs,
        ...(tally === undefined ? {} : { draft_n: tally.guessed, draft_n_accepted: tally.right }),
      },
    };
  }
}
