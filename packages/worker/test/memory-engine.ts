import { readFileSync, writeFileSync } from "node:fs";
import type {
  Embedder,
  Engine,
  Grammar,
  Observer,
  Piece,
  Sampler,
  StepWork,
  Vocabulary,
} from "../src/engine/engine.ts";

export const endToken = 0;

/** Letters are tokens: 1 is `a`, 26 is `z`; 0 ends an answer. */
const letters: Vocabulary = {
  size: 27,
  markers: [],
  bosToken: null,
  bosText: "",
  eosText: "",
  prependsBos: false,
  tokenize: (text) => Array.from(text, (letter) => letter.charCodeAt(0) - 96),
  piece: (token): Piece => {
    const text = String.fromCharCode(96 + token);
    return { text, bytes: new TextEncoder().encode(text) };
  },
  shownPiece: (token) => letters.piece(token),
  isMarker: () => false,
  bytesOfNoText: [],
  infill: null,
  endsAnswer: (token) => token === endToken,
};

/** One step as the engine saw it: the tokens of each slot. */
export type SeenStep = ReadonlyMap<number, readonly number[]>;

/**
 * A tiny engine in memory. Its "model" answers the alphabet from the letter after the prompt's last, and ends after z.
 * It refuses work that does not continue what a slot holds, and each step waits until the test lets it go on.
 */
export class MemoryEngine implements Engine {
  readonly facts;
  readonly vocabulary = letters;
  readonly embedder: Embedder = {
    size: 1,
    contextLength: 1024,
    busy: false,
    onChange: null,
    prepare: (tokens) => [...tokens],
    embed: () => Promise.resolve(Float32Array.of(1)),
    idle: () => Promise.resolve(),
  };
  readonly steps: SeenStep[] = [];
  readonly kept: { slot: number; length: number }[] = [];
  samplers = 0;
  failNext = false;
  /** States that were saved. */
  saved = 0;
  failLoads = false;
  readonly #states: number[][];
  #gate: { open: () => void; opened: Promise<void> } | null = null;

  constructor(slots: number, options: { batchSize?: number; contextLength?: number; rewinds?: boolean } = {}) {
    this.#states = Array.from({ length: slots }, () => []);
    this.facts = {
      backend: "cpu",
      device: "cpu",
      slots,
      contextLength: options.contextLength ?? 1024,
      trainedContextLength: 1024,
      parameters: null,
      sizeBytes: 0,
      batchSize: options.batchSize ?? 64,
      rewinds: options.rewinds ?? true,
      chatTemplate: null,
      release: "memory",
    } as const;
  }

  /** From now on, every step waits for `letStepGo`. */
  hold(): void {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#gate = {
      opened: promise,
      open: () => {
        resolve(undefined);
      },
    };
  }

  /** Lets the step that waits finish, and the next one wait. */
  letStepGo(): void {
    const gate = this.#gate;
    this.hold();
    gate?.open();
  }

  /** Nothing waits any more. */
  release(): void {
    const gate = this.#gate;
    this.#gate = null;
    gate?.open();
  }

  createSampler(): Sampler {
    this.samplers++;
    return { constrain: () => true, dispose: () => this.samplers-- };
  }

  readGrammar(text: string): Grammar {
    return { text };
  }

  /** Every token is certain. */
  createObserver(): Observer {
    this.samplers++;
    return { last: { logprob: 0, top: [] }, dispose: () => this.samplers-- };
  }

  async step(work: readonly StepWork[]): Promise<readonly (readonly number[])[]> {
    this.steps.push(new Map(work.map(({ slot, tokens, guess }) => [slot, [...tokens, ...guess]])));
    await (this.#gate?.opened ?? new Promise((resolve) => setImmediate(resolve)));
    if (this.failNext) {
      this.failNext = false;
      throw new Error("out of luck");
    }
    return work.map(({ slot, position, tokens, guess, sampler }) => {
      const state = this.#states[slot] ?? [];
      if (position !== state.length) throw new Error(`slot ${slot} holds ${state.length} tokens, not ${position}`);
      if (tokens.length === 0) throw new Error(`slot ${slot} got no token`);
      state.push(...tokens);
      const chosen: number[] = [];
      if (sampler === null) return chosen;
      for (;;) {
        const token = ((state.at(-1) ?? 0) + 1) % letters.size;
        chosen.push(token);
        if (token !== guess[chosen.length - 1]) return chosen;
        state.push(token);
      }
    });
  }

  useThreads(): void {
    // Nothing here takes longer with fewer of them.
  }

  keep(slot: number, length: number): number {
    this.kept.push({ slot, length });
    const state = this.#states[slot] ?? [];
    state.length = this.canKeep(slot, length) ? length : 0;
    return state.length;
  }

  canKeep(slot: number, length: number): boolean {
    return this.facts.rewinds || length === 0 || length === this.#states[slot]?.length;
  }

  saveState(slot: number, path: string): Promise<number> {
    const text = JSON.stringify(this.#states[slot] ?? []);
    writeFileSync(path, text);
    this.saved++;
    return Promise.resolve(text.length);
  }

  loadState(slot: number, path: string): Promise<void> {
    if (this.failLoads) return Promise.reject(new Error("no such state"));
    this.#states[slot] = JSON.parse(readFileSync(path, "utf8")) as number[];
    return Promise.resolve();
  }

  dispose(): Promise<void> {
    return Promise.resolve();
  }
}
