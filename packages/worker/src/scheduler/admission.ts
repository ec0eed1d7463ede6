import type { Engine } from "../engine/engine.ts";
import { leastParked, type Parking, type ParkedMatch, type Scratch, type ScratchFile } from "../parking/index.ts";
import { CopyPace } from "./copy-pace.ts";
import type { Generation } from "./generation.ts";
import { bestSource, pays, sparedOf, worthWaitingFor, type Source, type Speeds } from "./prefix-sharing.ts";
import type { PrefillPace } from "./prefill-pace.ts";
import { Restoring } from "./restoring.ts";
import { isIdle, type PrefixWait, type Slot } from "./slot.ts";
import { chooseSlot } from "./slot-choice.ts";

/** What a state takes for each token, before one was saved. */
const guessedBytesPerToken = 256 * 1024;
/** A conversation that grew by less since it was parked is not parked again. */
const leastGrown = 32;
/** A newcomer is not held up for longer than this by the conversation that it replaces. */
const mostParkingDelayMs = 1_000;
/** More are not encrypted at the same time: their plain states take memory. */
const mostStoring = 4;
/** So many steps without a token are too long a wait for somebody else's prompt. */
const mostLooks = 16;
const mostFailures = 3;
/** After so many failures nothing is saved for so long: a disk may have room again by then. */
const restMs = 5 * 60_000;

export interface AdmissionParts {
  readonly engine: Engine;
  readonly slots: readonly Slot[];
  /** Who waits for a slot, first come first. */
  readonly waiting: Generation[];
  readonly pace: PrefillPace;
  /** For states on their way between slots; without it nothing is shared or parked. */
  readonly scratch: Scratch | null;
  readonly parking: Parking | null;
  readonly nowMs: () => number;
  readonly onEngineError: (error: unknown) => void;
  /** Lets a request begin in a slot that holds the first `reused` tokens of its prompt. */
  readonly begin: (slot: Slot, generation: Generation, reused: number) => void;
  readonly giveUp: (generation: Generation) => void;
}

/** How one request begins. */
interface Plan {
  readonly slot: Slot;
  readonly generation: Generation;
  /** Tokens that its slot covers already. */
  readonly own: number;
  readonly source: Source | null;
  readonly restored: Restoring | null;
  /** Whether what the slot holds is to be parked first. */
  readonly parks: boolean;
}

/**
 * Gives slots to those who wait, and brings them the state of what others have computed before: from another slot, from
 * one that is just computing it, or from disk. All of it happens between two steps.
 */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #saving = new CopyPace();
  readonly #loading = new CopyPace();
  readonly #decrypting = new CopyPace();
  readonly #copies: Speeds;
  readonly #restores: Speeds;
  #bytesPerToken: number | null = null;
  /** States in a row that could not be saved. */
  #failures = 0;
  #failedAtMs = 0;
  #uses = 0;
  #woken = false;
  #wake: (() => void) | null = null;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    const { pace } = parts;
    const sum = (one: number | null, other: number | null) => (one === null || other === null ? null : one + other);
    const speeds = (first: CopyPace): Speeds => ({
      get prefillMsPerToken() {
        return pace.msPerToken;
      },
      bringMs: (tokens) => sum(first.for(tokens), this.#loading.for(tokens)),
    });
    this.#copies = speeds(this.#saving);
    this.#restores = speeds(this.#decrypting);
  }

  /** Starts whoever can start. What takes time is a promise, until which no step may run; null when there is none. */
  run(): Promise<void> | null {
    const { slots, waiting } = this.#parts;
    for (const slot of slots) if (slot.coming?.generation.cancelled === true) leave(slot);
    const plans = slots.flatMap((slot) => this.#arrived(slot) ?? []);
    for (let generation = waiting[0]; generation !== undefined; generation = waiting[0]) {
      const slot = this.#choose(generation.request.prompt);
      if (slot === null) break;
      waiting.shift();
      slot.lastUsed = ++this.#uses;
      slot.coming = { generation, wait: this.#waitOf(slot, generation) };
      if (slot.coming.wait !== null) continue;
      const plan = this.#planOf(slot, generation, null);
      // Once anything takes time, what comes after it may need a state that must stay until then.
      if (plans.length === 0 && plan.source === null && !plan.parks) this.#begin(plan);
      else plans.push(plan);
    }
    return plans.length === 0 ? null : this.#carryOut(plans);
  }

  /** Resolves when it is time to `run` again although no step was computed; null when nobody is coming. */
  get arrival(): Promise<void> | null {
    if (!this.#woken && !this.#parts.slots.some(({ coming }) => coming !== null)) return null;
    if (this.#woken) {
      this.#woken = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Somebody came or left. */
  wake(): void {
    this.#woken = this.#wake === null;
    this.#wake?.();
    this.#wake = null;
  }

  /** Parks what the idle slots hold, used last first, for up to `limitMs`. */
  async parkAll(limitMs: number): Promise<void> {
    const { slots, parking } = this.#parts;
    const wholeMs = Math.floor(limitMs);
    if (parking === null || wholeMs < 1) return;
    const signal = AbortSignal.timeout(wholeMs);
    const worth = slots.filter((slot) => isIdle(slot) && this.#isNews(slot));
    for (const slot of worth.toSorted((one, other) => other.lastUsed - one.lastUsed)) {
      if (signal.aborted || (this.#saving.for(slot.tokens.length) ?? 0) >= limitMs) break;
      await this.#park(slot, signal);
      // One at a time: a plain state takes as much memory as the slot does.
      await parking.idle();
    }
    await parking.idle();
  }

  /** Where it does not work, it is not tried for a while. */
  get #scratch(): Scratch | null {
    const rests = this.#failures >= mostFailures && this.#parts.nowMs() - this.#failedAtMs < restMs;
    return rests ? null : this.#parts.scratch;
  }

  /** The idle slot for a prompt. A long conversation is left alone for an empty slot when what it shares can be copied. */
  #choose(prompt: readonly number[]): Slot | null {
    const { slots, engine } = this.#parts;
    const idle = slots.filter(isIdle);
    const busy = slots.filter((slot) => !isIdle(slot)).map(({ id }) => id);
    const choice = chooseSlot(idle, prompt, busy);
    const chosen = choice === null ? undefined : slots[choice.slot];
    if (choice === null || chosen === undefined) return null;
    const lost = chosen.tokens.length - choice.reused;
    if (this.#scratch === null || choice.reused === 0 || lost < Math.max(leastParked, choice.reused)) return chosen;
    const empty = chooseSlot(
      idle.filter(({ tokens }) => tokens.length === 0),
      prompt,
      busy,
    );
    const canCopy = bestSource([chosen], prompt, 0, this.#copies, (slot, length) => engine.canKeep(slot, length));
    return empty === null || canCopy === null ? chosen : (slots[empty.slot] ?? chosen);
  }

  /** What a request had better wait for; null when it begins at once. */
  #waitOf(slot: Slot, generation: Generation): PrefixWait | Restoring | null {
    const { slots, engine, parking } = this.#parts;
    const { prompt, parkingKey = null } = generation.request;
    if (this.#scratch === null) return null;
    const own = sparedOf(slot.tokens, prompt);
    const available = this.#sourceFor(slot, prompt, own)?.shared ?? own;
    // Only for those who came before: otherwise two could wait for each other.
    const others = slots.flatMap((other) => {
      const computing = other.generation ?? other.coming?.generation;
      if (computing === undefined || other.lastUsed >= slot.lastUsed || computing.cancelled) return [];
      const running = other.generation !== null;
      return [{ of: computing, prompt: computing.request.prompt, done: running ? computing.prefilled : 0, running }];
    });
    const other = engine.facts.rewinds ? worthWaitingFor(others, prompt, available, this.#copies) : null;
    const parked = parkingKey === null ? null : (parking?.find(parkingKey, prompt) ?? null);
    if (parking !== null && parked !== null && this.#isWorth(parked, prompt, Math.max(available, other?.shared ?? 0))) {
      const began = this.#parts.nowMs();
      const restoring = new Restoring(parking, parked, () => {
        if (restoring.file !== null) this.#decrypting.measured(parked.tokens.length, this.#parts.nowMs() - began);
        this.wake();
      });
      return restoring;
    }
    return other === null
      ? null
      : { kind: "prefix", from: other.from, shared: other.shared, seen: other.done, looks: 0 };
  }

  #isWorth({ shared, tokens }: ParkedMatch, prompt: readonly number[], available: number): boolean {
    const spared = Math.min(shared, prompt.length - 1);
    const whole = spared === tokens.length;
    return (whole || this.#parts.engine.facts.rewinds) && pays(spared - available, tokens.length, this.#restores);
  }

  /** How somebody begins whose state is there now; null while it is not. */
  #arrived(slot: Slot): Plan | null {
    const { coming } = slot;
    if (coming === null) return null;
    const { generation, wait } = coming;
    if (wait?.kind === "prefix" && this.#isComputing(wait)) return null;
    if (wait?.kind === "restore" && !wait.settled) return null;
    slot.coming = { generation, wait: null };
    return this.#planOf(slot, generation, wait?.kind === "restore" && wait.file !== null ? wait : null);
  }

  #isComputing(wait: PrefixWait): boolean {
    const { from, shared } = wait;
    if (from.cancelled || from.finished) return false;
    const slot = this.#parts.slots.find((one) => one.generation === from || one.coming?.generation === from);
    if (slot === undefined) return false;
    if (slot.generation === null) return true;
    if (from.promptLeft === 0 || from.prefilled >= shared) return false;
    wait.looks = from.prefilled === wait.seen ? wait.looks + 1 : 0;
    wait.seen = from.prefilled;
    return wait.looks < mostLooks;
  }

  #planOf(slot: Slot, generation: Generation, restored: Restoring | null): Plan {
    const { prompt } = generation.request;
    const own = sparedOf(slot.tokens, prompt);
    return {
      slot,
      generation,
      own,
      source: restored === null ? this.#sourceFor(slot, prompt, own) : null,
      restored,
      parks: this.#replaces(slot, generation, own),
    };
  }

  #sourceFor(slot: Slot, prompt: readonly number[], own: number): Source | null {
    const { slots, engine } = this.#parts;
    if (this.#scratch === null) return null;
    const others = slots.filter((other) => other !== slot && other.coming === null && other.tokens.length > 0);
    return bestSource(others, prompt, own, this.#copies, (id, length) => engine.canKeep(id, length));
  }

  /** Whether a newcomer puts an end to a conversation that is worth being parked. */
  #replaces(slot: Slot, { request }: Generation, own: number): boolean {
    const { parking } = this.#parts;
    if (parking === null || slot.owner === null || !this.#isNews(slot)) return false;
    if (slot.tokens.length - own < leastParked) return false;
    const goesOn = slot.owner.equals(request.parkingKey ?? null) && 2 * own >= slot.tokens.length;
    const delayMs = this.#saving.for(slot.tokens.length) ?? 0;
    return !goesOn && delayMs <= mostParkingDelayMs && parking.storing < mostStoring;
  }

  #isNews({ owner, tokens, parked }: Slot): boolean {
    return owner !== null && tokens.length >= leastParked && tokens.length - parked >= leastGrown;
  }

  /** First everything that is needed is saved, and only then is anything replaced. */
  async #carryOut(plans: readonly Plan[]): Promise<void> {
    const states = new Map<number, ScratchFile | null>();
    try {
      for (const { slot, parks } of plans) if (parks) await this.#park(slot);
      for (const { source } of plans) {
        const from = source === null ? undefined : this.#parts.slots[source.slot];
        if (from !== undefined && !states.has(from.id)) states.set(from.id, await this.#save(from));
      }
      for (const plan of plans) {
        if (plan.generation.cancelled) leave(plan.slot);
        else if (await this.#bring(plan, states)) this.#begin({ ...plan, own: plan.slot.tokens.length });
        else this.#begin(plan);
      }
    } finally {
      for (const file of states.values()) file?.close();
      for (const { restored } of plans) restored?.leave();
      this.wake();
    }
  }

  /** Puts the state into the slot with which the request begins, and answers true; false when there is none. */
  async #bring({ slot, generation, source, restored }: Plan, states: ReadonlyMap<number, ScratchFile | null>) {
    const { prompt } = generation.request;
    const file = restored?.file ?? (source === null ? null : states.get(source.slot)) ?? null;
    if (file === null) return false;
    const { engine, nowMs, onEngineError } = this.#parts;
    const shared = Math.min(restored?.match.shared ?? source?.shared ?? 0, prompt.length - 1);
    const began = nowMs();
    slot.parked = 0;
    try {
      await engine.loadState(slot.id, file.path);
      this.#loading.measured(file.bytes / (this.#bytesPerToken ?? guessedBytesPerToken), nowMs() - began);
      slot.tokens = prompt.slice(0, engine.keep(slot.id, shared));
      if (restored !== null) slot.parked = slot.tokens.length;
    } catch (error) {
      onEngineError(error);
      if (restored !== null) this.#parts.parking?.discard(restored.match);
      slot.tokens = [];
      engine.keep(slot.id, 0);
    }
    return true;
  }

  #begin({ slot, generation, own, restored }: Plan): void {
    const { engine, begin, giveUp, onEngineError } = this.#parts;
    const owner = generation.request.parkingKey ?? null;
    slot.coming = null;
    // What another one has on disk is not on disk for this one.
    if (restored === null && (owner === null || slot.owner?.equals(owner) !== true)) slot.parked = 0;
    try {
      slot.tokens.length = engine.keep(slot.id, own);
      slot.parked = Math.min(slot.parked, slot.tokens.length);
      slot.owner = owner;
      begin(slot, generation, slot.tokens.length);
    } catch (error) {
      onEngineError(error);
      giveUp(generation);
    }
  }

  async #park(slot: Slot, signal?: AbortSignal): Promise<void> {
    const { parking } = this.#parts;
    const { owner } = slot;
    if (parking === null || owner === null) return;
    const tokens = [...slot.tokens];
    const file = await this.#save(slot);
    if (file !== null) void parking.store(owner, tokens, file, signal);
  }

  async #save({ id, tokens }: Slot): Promise<ScratchFile | null> {
    const { engine, nowMs, onEngineError } = this.#parts;
    const scratch = this.#scratch;
    if (scratch === null) return null;
    const began = nowMs();
    let file: ScratchFile | undefined;
    try {
      file = scratch.open(tokens.length * (this.#bytesPerToken ?? guessedBytesPerToken));
      file.wrote(await engine.saveState(id, file.path));
      this.#saving.measured(tokens.length, nowMs() - began);
      this.#bytesPerToken = file.bytes / Math.max(1, tokens.length);
      this.#failures = 0;
      return file;
    } catch (error) {
      onEngineError(error);
      this.#failures++;
      this.#failedAtMs = nowMs();
      file?.close();
      return null;
    }
  }
}

/** Nobody comes any more. */
function leave(slot: Slot): void {
  if (slot.coming?.wait?.kind === "restore") slot.coming.wait.leave();
  slot.coming = null;
}
