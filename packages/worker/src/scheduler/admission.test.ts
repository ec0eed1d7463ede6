import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryEngine } from "../../test/memory-engine.ts";
import { until } from "../../test/worker-process.ts";
import type { SamplingSettings } from "../engine/engine.ts";
import { Parking, ParkingKey, Scratch } from "../parking/index.ts";
import type { Ending, Generation } from "./generation.ts";
import { Scheduler } from "./scheduler.ts";

const sampling: SamplingSettings = {
  temperature: 0,
  topP: null,
  topK: null,
  minP: null,
  seed: 0,
  repeatPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map(),
};
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rbee-admission-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

class Ask {
  text = "";
  ending: Ending | null = null;
  failed = false;
  readonly generation: Generation;

  constructor(scheduler: Scheduler, prompt: string, max: number, parkingKey: ParkingKey | null) {
    const request = {
      prompt: Array.from(prompt, (letter) => letter.charCodeAt(0) - 96),
      maxTokens: max,
      stop: [],
      sampling,
      grammar: null,
      guide: null,
      shown: new Set<number>(),
      logprobs: null,
      parkingKey,
    };
    this.generation = scheduler.submit(request, {
      text: (text) => (this.text += text),
      end: (ending) => (this.ending = ending),
      fail: () => (this.failed = true),
    });
  }

  get settled(): boolean {
    return this.ending !== null || this.failed;
  }

  get computed(): number {
    return this.ending?.timings.prompt_n ?? Number.NaN;
  }
}

function worker(slots: number, options: { rewinds?: boolean } = {}) {
  const engine = new MemoryEngine(slots, options);
  const errors: unknown[] = [];
  const log: string[] = [];
  const say = (_: object, message: string) => void log.push(message);
  const scratch = new Scratch(folder);
  const binding = Buffer.alloc(32);
  const parking = new Parking({
    folder,
    limitBytes: 1e9,
    marginBytes: 0,
    binding,
    scratch,
    log: { info: say, warn: say },
  });
  const scheduler = new Scheduler(engine, {
    queueLimit: 64,
    // Each token takes a millisecond, and copies are free.
    nowMs: () =>
      engine.steps.reduce((sum, step) => [...step.values()].reduce((total, { length }) => total + length, sum), 0),
    speculation: "off",
    onChange: () => {},
    onEngineError: (error) => errors.push(error),
    scratch,
    parking,
  });
  const ask = (prompt: string, { max = 2, key = null }: { max?: number; key?: ParkingKey | null } = {}) =>
    new Ask(scheduler, prompt, max, key);
  const settle = (...asks: Ask[]) => until("the answers", () => asks.every((one) => one.settled));
  return { engine, scheduler, ask, settle, errors, log, parking };
}

const letters = (count: number, begin = 0) =>
  Array.from({ length: count }, (_, index) => String.fromCharCode(97 + ((begin + index * 7) % 25))).join("");
const shared = letters(200);
const sum = (asks: readonly Ask[]) => asks.reduce((total, { computed }) => total + computed, 0);
function newKey(): ParkingKey {
  const key = ParkingKey.from(randomBytes(32).toString("base64url"));
  if (key === null) throw new Error("a key of 256 bits is refused");
  return key;
}

describe("requests with one beginning", () => {
  it("that come together compute it once, and none is held up that has another", async () => {
    const { ask, settle, engine } = worker(8);
    const asks = ["a", "b", "c", "d", "e", "f", "g"].map((end) => ask(shared + end));
    const other = ask("k");
    await settle(...asks, other);
    expect(sum(asks)).toBe(201 + 6);
    expect(asks.map(({ text }) => text)).toEqual(["bc", "cd", "de", "ef", "fg", "gh", "hi"]);
    // One state is saved for all six, and the other one was answered long before the prompt was computed.
    expect(engine.saved).toBe(1);
    expect(engine.steps.findIndex((step) => step.has(7))).toBeLessThan(2);
  });

  it("may wait for one that waits itself, when more is shared with it", async () => {
    const { ask, settle } = worker(3);
    const more = letters(100, 3);
    const asks = [ask(`${shared}a`), ask(`${shared}${more}b`), ask(`${shared}${more}c`)];
    await settle(...asks);
    expect(asks.map(({ computed }) => computed)).toEqual([201, 101, 1]);
  });

  it("go on by themselves when the one that computes it leaves or fails, or its state cannot be copied", async () => {
    const { ask, settle, engine, scheduler } = worker(3);
    engine.hold();
    const asks = [ask(`${shared}a`), ask(`${shared}b`), ask(`${shared}c`)];
    await until("the first step", () => engine.steps.length === 1);
    engine.letStepGo();
    await until("the second step", () => engine.steps.length === 2);
    const [first, ...others] = asks;
    if (first !== undefined) scheduler.cancel(first.generation);
    engine.release();
    await settle(...others);
    // What the first one had computed is used, and the rest of it is computed once more.
    expect(sum(others)).toBeLessThan(202);
    expect(others.map(({ text }) => text)).toEqual(["cd", "de"]);

    const unlucky = worker(2);
    unlucky.engine.failNext = true;
    const [fails, waits] = [unlucky.ask(`${shared}a`), unlucky.ask(`${shared}b`)];
    await unlucky.settle(fails, waits);
    expect([fails.failed, waits.text, waits.computed]).toEqual([true, "cd", 201]);

    const broken = worker(2);
    broken.engine.failLoads = true;
    const [one, other] = [broken.ask(`${shared}a`), broken.ask(`${shared}b`)];
    await broken.settle(one, other);
    expect([one.text, other.text, other.computed]).toEqual(["bc", "cd", 201]);
    expect(broken.errors).toHaveLength(1);
  });

  it("are cancelled like others while they wait", async () => {
    const { ask, settle, engine, scheduler } = worker(3);
    engine.hold();
    const asks = [ask(`${shared}a`), ask(`${shared}b`), ask(`${shared}c`)];
    await until("the first step", () => engine.steps.length === 1);
    engine.letStepGo();
    await until("the second step", () => engine.steps.length === 2);
    const [first, second, third] = asks;
    expect(scheduler.load().slotsBusy).toBe(3);
    for (const one of [first, second]) if (one !== undefined) scheduler.cancel(one.generation);
    engine.release();
    if (third !== undefined) await settle(third);
    await until("no busy slot", () => scheduler.load().slotsBusy === 0);
    expect(third?.text).toBe("de");
    expect(engine.samplers).toBe(0);
  });

  it("do not wait for it where a state cannot be cut, and copy what fits as it is", async () => {
    const { ask, settle, engine } = worker(3, { rewinds: false });
    engine.hold();
    const first = ask(`${shared}a`, { max: 1 });
    await until("the first step", () => engine.steps.length === 1);
    const asks = [first, ask(`${shared}b`, { max: 1 })];
    engine.release();
    await settle(...asks);
    // The second one came when one step, 64 tokens, of the first was done, and began with all of that.
    expect(asks.map(({ computed }) => computed)).toEqual([201, 201 - 64]);
    expect(engine.saved).toBe(1);
    expect(asks.map(({ text }) => text)).toEqual(["b", "c"]);
  });

  it("leave a long conversation in its slot when there is an empty one", async () => {
    const { ask, settle } = worker(2);
    const conversation = ask(shared + letters(300, 5), { max: 1 });
    await settle(conversation);
    const beginning = ask(`${shared}a`);
    await settle(beginning);
    const goesOn = ask(`${shared}${letters(300, 5)}a`);
    await settle(goesOn);
    expect([beginning.computed, goesOn.computed]).toEqual([1, 1]);
  });
});

describe("a conversation that loses its slot", () => {
  const [ada, ben] = [newKey(), newKey()];
  const mine = letters(300, 2);
  const theirs = letters(300, 9);

  it("comes back from disk, and leaves no plain state anywhere", async () => {
    const { ask, settle, parking } = worker(1);
    await settle(ask(mine, { key: ada }));
    await settle(ask(theirs, { key: ben }));
    await parking.idle();
    expect(readdirSync(folder)).toEqual([expect.stringMatching(/\.parked$/u)]);
    const [bens, adas] = [ask(`${mine}a`, { key: ben }), ask(`${mine}b`, { key: ada })];
    await settle(bens, adas);
    expect([bens.computed, adas.text]).toEqual([301, "cd"]);
    // In Ben's slot it is there anyway.
    expect(adas.computed).toBe(1);
    await settle(ask(theirs, { key: ben }));
    const again = ask(`${mine}c`, { key: ada });
    await settle(again);
    expect([again.computed, again.text]).toEqual([1, "de"]);
  });

  it("comes back beside others that are being answered, and is left when its user leaves", async () => {
    const { ask, settle, engine, scheduler, parking } = worker(2);
    await settle(ask(mine, { key: ada }));
    await scheduler.park(4_499.5);
    await settle(ask(theirs), ask(letters(300, 4)));
    engine.hold();
    const running = ask(`${theirs}a`, { max: 20 });
    const leaving = ask(`${mine}a`, { key: ada });
    scheduler.cancel(leaving.generation);
    engine.release();
    await settle(running);
    const coming = ask(`${mine}b`, { key: ada });
    await settle(coming);
    expect([leaving.settled, coming.computed, coming.text]).toEqual([false, 1, "cd"]);
    await parking.idle();
    expect(engine.samplers).toBe(0);
  });

  it("is parked at the end, as long as there is time", async () => {
    const { ask, settle, scheduler } = worker(3);
    for (const begin of [1, 3, 6]) await settle(ask(letters(300, begin), { key: ada }));
    await settle(ask("short", { key: ada }), ask(letters(200, 8)));
    await scheduler.drain();
    await scheduler.park(-1);
    // Two have lost their slots by now.
    expect(readdirSync(folder)).toHaveLength(2);
    await scheduler.park(10_000);
    // What is short, or nobody's, is not parked.
    expect(readdirSync(folder)).toHaveLength(3);
  });
});
