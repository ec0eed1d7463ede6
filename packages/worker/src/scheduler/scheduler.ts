import { setImmediate as nextTurn, setTimeout as delay } from "node:timers/promises";
import { RbeeError } from "@rbee/contract";
import type { Engine, StepWork } from "../engine/engine.ts";
import type { Parking, Scratch } from "../parking/index.ts";
import { Admission } from "./admission.ts";
import { Generation, type GenerationRequest, type Listener } from "./generation.ts";
import { PrefillPace } from "./prefill-pace.ts";
import { emptySlot, isHeld, isIdle, type Holder, type Slot } from "./slot.ts";
import { GuessCost, Speculation, type SpeculationMode } from "./speculation.ts";
import { heldBack, oldestEvery, planStep } from "./step-plan.ts";
import { TokenRate } from "./token-rate.ts";

export interface SchedulerOptions {
  /** Requests that may wait for a slot. */
  readonly queueLimit: number;
  readonly nowMs: () => number;
  readonly speculation: SpeculationMode;
  /** After each step and each change of the numbers in `load()`. */
  readonly onChange: () => void;
  /** What the engine threw, before its requests are failed. */
  readonly onEngineError: (error: unknown) => void;
  /** For states on their way between slots and disk; nothing is shared or parked when it is left out. */
  readonly scratch?: Scratch;
  /** Where conversations go that lose their slot; nowhere when left out. */
  readonly parking?: Parking | null;
}

/** How busy a worker is. */
export interface Load {
  readonly slotsTotal: number;
  readonly slotsBusy: number;
  readonly queued: number;
  readonly tokensPerS: number;
}

/** A timer takes at least this long, whatever it is set to. */
const shortestTimerMs = 1;
/** So often the first step waits once more, as long as somebody has come since the last time. */
const mostGatherings = 8;

/**
 * Continuous batching in lock-step: all running requests move one step at a time, together, in one batch. Prompts are
 * computed in chunks inside the same steps. A newcomer joins at the next step, and one that left is gone by then.
 */
export class Scheduler {
  readonly #engine: Engine;
  readonly #options: SchedulerOptions;
  readonly #slots: Slot[];
  readonly #pace: PrefillPace;
  readonly #rate = new TokenRate();
  readonly #guessCost = new GuessCost();
  readonly #waiting: Generation[] = [];
  readonly #admission: Admission;
  #undelivered: Generation[] = [];
  #stepsWithPrompts = 0;
  /** Requests so far. */
  #taken = 0;
  #running = false;
  #stepStartedMs: number | null = null;
  #draining = false;
  #idle: (() => void)[] = [];

  constructor(engine: Engine, options: SchedulerOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#pace = new PrefillPace(engine.facts.batchSize);
    this.#slots = Array.from({ length: engine.facts.slots }, (_, id) => emptySlot(id));
    this.#admission = new Admission({
      engine,
      slots: this.#slots,
      waiting: this.#waiting,
      pace: this.#pace,
      scratch: options.scratch ?? null,
      parking: options.parking ?? null,
      nowMs: options.nowMs,
      onEngineError: options.onEngineError,
      begin: (slot, generation, reused) => {
        this.#begin(slot, generation, reused);
      },
      giveUp: (generation) => {
        this.#giveUp(generation);
      },
    });
  }

  load(): Load {
    return {
      slotsTotal: this.#slots.length,
      slotsBusy: this.#slots.filter((slot) => !isIdle(slot)).length,
      queued: this.#waiting.length,
      tokensPerS: this.#rate.perSecond(this.#options.nowMs()),
    };
  }

  /** When the step that the engine is computing began, by `nowMs`; null between steps. */
  get stepStartedMs(): number | null {
    return this.#stepStartedMs;
  }

  /**
   * Takes a request. It starts at the next step, or when a slot is free. `continued` is for the further work of one that
   * was taken before, handed over when a part of it ends: it is never refused, and a drain waits for it.
   * @throws {RbeeError} `worker_busy` when the worker is draining or as many wait as may.
   */
  submit(request: GenerationRequest, listener: Listener, { continued = false } = {}): Generation {
    if (!continued) this.#refuseWhenBusy();
    const generation = new Generation(request, listener, this.#engine.vocabulary, this.#options.nowMs());
    this.#waiting.push(generation);
    this.#taken++;
    if (!this.#running) void this.#run(this.#pace.gatherMs(request.prompt.length));
    else {
      this.#admission.wake();
      this.#options.onChange();
    }
    return generation;
  }

  #refuseWhenBusy(): void {
    if (this.#draining) {
      throw new RbeeError("worker_busy", "This worker is shutting down and takes no new requests.", { retryAfterS: 1 });
    }
    const free = this.#slots.filter(isIdle).length;
    if (this.#waiting.length >= free + this.#options.queueLimit) {
      throw new RbeeError("worker_busy", "All slots of this worker are busy and its queue is full.", {
        details: { slots: this.#slots.length, queued: this.#waiting.length },
        retryAfterS: 1,
      });
    }
  }

  /** Stops working on a request; its slot is free after the step that is being computed. Its listener hears nothing more. */
  cancel(generation: Generation): void {
    generation.cancelled = true;
    const index = this.#waiting.indexOf(generation);
    if (index === -1) {
      this.#admission.wake();
      return;
    }
    this.#waiting.splice(index, 1);
    this.#options.onChange();
  }

  /** Takes no more requests. Resolves when the ones that it has are answered. */
  drain(): Promise<void> {
    this.#draining = true;
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Parks the conversations of a drained worker, as many as it can within `limitMs`. */
  park(limitMs: number): Promise<void> {
    return this.#admission.parkAll(limitMs);
  }

  /** @param gatherMs how long others that come at the same moment are waited for. */
  async #run(gatherMs: number): Promise<void> {
    this.#running = true;
    await this.#admitted();
    this.#options.onChange();
    await this.#gather(gatherMs);
    for (;;) {
      this.#release();
      const admitting = this.#admitted();
      if (admitting !== null) {
        this.#deliver();
        await admitting;
      }
      const step = this.#startStep();
      // Writing the last step's text now, while the library computes the next one, costs no time.
      this.#deliver();
      this.#options.onChange();
      if (step !== null) await step;
      // Whoever heard the end of an answer may have asked for the next one meanwhile.
      else {
        const arrival = this.#admission.arrival;
        if (arrival !== null) await arrival;
        else if (this.#waiting.length === 0) break;
      }
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Waits for others who come at the same moment. Their requests are read one after the other, which takes its time. */
  async #gather(firstMs: number): Promise<void> {
    let taken = this.#taken;
    await (firstMs < shortestTimerMs ? nextTurn() : delay(firstMs));
    for (let again = 0; again < mostGatherings && this.#taken > taken; again++) {
      taken = this.#taken;
      await delay(shortestTimerMs);
    }
  }

  /** Lets in whoever can begin. States that are brought are work of the engine like a step, and may hang like one. */
  #admitted(): Promise<void> | null {
    const admitting = this.#admission.run();
    if (admitting === null) return null;
    this.#stepStartedMs = this.#options.nowMs();
    return admitting.finally(() => {
      this.#stepStartedMs = null;
    });
  }

  /** Frees the slots of requests that are finished or have no listener any more. */
  #release(): void {
    for (const slot of this.#slots) {
      const { generation } = slot;
      if (generation === null || !(generation.finished || generation.cancelled)) continue;
      generation.release();
      slot.generation = null;
    }
  }

  #begin(slot: Slot, generation: Generation, reused: number): void {
    const { prompt, sampling, grammar, logprobs } = generation.request;
    const sampler = this.#engine.createSampler(sampling, prompt, grammar);
    const observer = logprobs === null ? null : this.#engine.createObserver(logprobs);
    generation.start(sampler, observer, reused, this.#options.nowMs());
    if (this.#options.speculation !== "off" && this.#engine.facts.rewinds && generation.mayGuess)
      generation.speculation = new Speculation(this.#options.speculation, this.#guessCost, prompt);
    slot.generation = generation;
  }

  /** Plans and starts one step of everything that runs; null when nothing does. */
  #startStep(): Promise<void> | null {
    const holders = this.#slots.filter(isHeld).sort((one, other) => one.lastUsed - other.lastUsed);
    if (holders.length === 0) return null;
    const nowMs = this.#options.nowMs();
    const running = holders.map(({ id, generation }) => ({
      slot: id,
      promptLeft: generation.promptLeft,
      ageMs: generation.ageMs(nowMs),
      begunMs: generation.begunMs(nowMs),
    }));
    const promptLeft = running.reduce((sum, each) => sum + each.promptLeft, 0);
    const held = heldBack(running, this.#pace.msPerToken);
    const candidates = running.filter(({ slot }) => !held.has(slot));
    const waiting = candidates.filter((each) => each.promptLeft > 0).length;
    if (waiting > 0) this.#stepsWithPrompts++;
    const shares = planStep(candidates, {
      batchSize: this.#engine.facts.batchSize,
      prefillBudget: this.#pace.budget({ waiting, answering: candidates.length - waiting, promptLeft }),
      oldestFirst: this.#stepsWithPrompts % oldestEvery === 0,
    });
    const work = shares.flatMap((share) => {
      const holder = this.#slots[share.slot];
      return holder !== undefined && isHeld(holder) ? [{ holder, ...workOf(holder, share.tokens) }] : [];
    });
    // Several answers fill a batch by themselves.
    const [only] = work;
    if (holders.length === 1 && waiting === 0 && only !== undefined)
      return this.#step([{ ...only, guess: this.#guessFor(only.holder) }]);
    return this.#step(work);
  }

  async #step(work: readonly (StepWork & { holder: Holder })[]): Promise<void> {
    const startedMs = this.#options.nowMs();
    this.#stepStartedMs = startedMs;
    let tokens: readonly (readonly number[])[];
    try {
      tokens = await this.#engine.step(work);
    } catch (error) {
      this.#options.onEngineError(error);
      for (const { holder } of work) this.#fail(holder);
      return;
    } finally {
      this.#stepStartedMs = null;
    }
    const nowMs = this.#options.nowMs();
    let prompt = 0;
    let prompts = 0;
    let answer = 0;
    work.forEach(({ holder, tokens: computed, guess, sampler }, index) => {
      const { generation } = holder;
      const chosen = tokens[index] ?? [];
      const right = guess.slice(0, Math.max(0, chosen.length - 1));
      for (const token of [...computed, ...right]) holder.tokens.push(token);
      if (generation.promptLeft > 0) {
        generation.prefilled += computed.length;
        prompt += computed.length;
        prompts++;
      }
      if (sampler === null || generation.cancelled) return;
      if (guess.length > 0) generation.speculation?.learned(guess.length, right.length);
      for (const token of chosen.length === 0 ? [-1] : chosen) {
        if (token < 0) {
          this.#fail(holder);
          return;
        }
        answer++;
        generation.accept(token, nowMs);
        if (generation.finished) break;
      }
      this.#undelivered.push(generation);
    });
    const [only] = work;
    if (only?.guess.length === 0)
      this.#pace.measured({ promptTokens: prompt, answers: work.length - prompts }, nowMs - startedMs);
    if (work.length === 1 && prompt === 0 && only !== undefined)
      this.#guessCost.measured(only.guess.length, nowMs - startedMs);
    this.#rate.add(answer, nowMs);
  }

  /** Tokens that may follow in an answer that is alone; they must fit into its slot, its limit and a step. */
  #guessFor({ tokens, generation }: Holder): readonly number[] {
    const { contextLength, batchSize } = this.#engine.facts;
    const room = Math.min(contextLength - tokens.length, batchSize, generation.tokensLeft + 1) - 1;
    return generation.speculation?.guess(room) ?? [];
  }

  #deliver(): void {
    const ready = this.#undelivered;
    this.#undelivered = [];
    for (const generation of ready) if (!generation.cancelled) generation.deliver();
  }

  /** Ends a request that the engine could not compute; what its slot holds is unknown, so it is emptied. */
  #fail(holder: Holder): void {
    const { generation } = holder;
    holder.tokens.length = this.#engine.keep(holder.id, 0);
    this.#giveUp(generation);
  }

  #giveUp(generation: Generation): void {
    if (generation.cancelled) return;
    generation.cancelled = true;
    generation.listener.fail(new RbeeError("internal_error", "The engine could not compute this answer."));
  }
}

function workOf({ id, tokens, generation }: Holder, count: number): StepWork {
  const { request, prefilled, promptLeft, nextToken, sampler, observer } = generation;
  const position = tokens.length;
  const common = { slot: id, position, guess: [], observer };
  if (promptLeft === 0) return { ...common, tokens: nextToken === null ? [] : [nextToken], sampler };
  const part = request.prompt.slice(prefilled, prefilled + count);
  return { ...common, tokens: part, sampler: count === promptLeft ? sampler : null };
}
