import type { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { MemoryEngine } from "../../test/memory-engine.ts";
import { until } from "../../test/worker-process.ts";
import type { SamplingSettings } from "../engine/engine.ts";
import type { Ending, Generation } from "./generation.ts";
import { Scheduler } from "./scheduler.ts";
import type { SpeculationMode } from "./speculation.ts";

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

class Ask {
  text = "";
  ending: Ending | null = null;
  error: RbeeError | null = null;
  readonly generation: Generation;

  constructor(
    scheduler: Scheduler,
    engine: MemoryEngine,
    prompt: string,
    options: { max?: number; stop?: string[]; onEnd?: () => void } = {},
  ) {
    this.generation = scheduler.submit(
      {
        prompt: engine.vocabulary.tokenize(prompt, { markers: false, continued: false }),
        maxTokens: options.max ?? 100,
        stop: options.stop ?? [],
        sampling,
        grammar: null,
        guide: null,
        shown: new Set(),
        logprobs: null,
      },
      {
        text: (text) => (this.text += text),
        end: (ending) => {
          this.ending = ending;
          options.onEnd?.();
        },
        fail: (error) => (this.error = error),
      },
    );
  }

  get settled(): boolean {
    return this.ending !== null || this.error !== null;
  }
}

function household(
  slots: number,
  options: { queueLimit?: number; batchSize?: number; speculation?: SpeculationMode } = {},
) {
  const engine = new MemoryEngine(slots, options.batchSize === undefined ? {} : { batchSize: options.batchSize });
  const errors: unknown[] = [];
  let clock = 0;
  const scheduler = new Scheduler(engine, {
    queueLimit: options.queueLimit ?? 64,
    nowMs: () => (clock += 1),
    speculation: options.speculation ?? "off",
    onChange: () => {},
    onEngineError: (error) => errors.push(error),
  });
  const ask = (prompt: string, more: { max?: number; stop?: string[] } = {}) =>
    new Ask(scheduler, engine, prompt, more);
  const settle = (...asks: Ask[]) => until("the answers", () => asks.every((one) => one.settled));
  return { engine, scheduler, ask, settle, errors };
}

describe("Scheduler", () => {
  it("takes a request that comes from the end of the last one", async () => {
    const { engine, scheduler } = household(1, { queueLimit: 0 });
    let second: Ask | undefined;
    const first = new Ask(scheduler, engine, "y", { onEnd: () => (second = new Ask(scheduler, engine, "x")) });
    await until("both answered", () => first.settled && second?.settled === true);
    expect([first.text, second?.text]).toEqual(["z", "yz"]);
  });

  it("moves all running answers in one batch per step", async () => {
    const { engine, ask, settle } = household(3);
    const asks = [ask("a", { max: 5 }), ask("k", { max: 5 }), ask("x", { max: 2 })];
    await settle(...asks);
    expect(asks.map((one) => one.text)).toEqual(["bcdef", "lmnop", "yz"]);
    // They came together, so they start together.
    expect(engine.steps.map((step) => step.size)).toEqual([3, 3, 2, 2, 2]);
  });

  it("tells since when the engine computes a step, so that one that hangs is noticed", async () => {
    const { engine, scheduler, ask, settle } = household(1);
    engine.hold();
    const held = ask("a");
    await until("the step", () => engine.steps.length === 1);
    const began = scheduler.stepStartedMs;
    expect(began).not.toBeNull();
    expect(scheduler.stepStartedMs).toBe(began);
    engine.release();
    await settle(held);
    await until("the end of the last step", () => scheduler.stepStartedMs === null);
  });

  it("ends with stop at the model's end and with length at the limit", async () => {
    const { ask, settle } = household(2);
    const [whole, cut] = [ask("x"), ask("a", { max: 3 })];
    await settle(whole, cut);
    expect([whole.text, whole.ending?.reason]).toEqual(["yz", "stop"]);
    expect([cut.text, cut.ending?.reason, cut.ending?.timings.predicted_n]).toEqual(["bcd", "length", 3]);
  });

  it("keeps answers going, one token a step, while a long prompt is read in chunks", async () => {
    const { engine, ask, settle } = household(2, { batchSize: 8 });
    engine.hold();
    const running = ask("a");
    await until("the first step", () => engine.steps.length === 1);
    engine.letStepGo();
    await until("the first token", () => engine.steps.length === 2);
    const long = ask("b".repeat(40));
    engine.release();
    await settle(running, long);
    const together = engine.steps.filter((step) => step.size === 2 && (step.get(1)?.length ?? 0) > 1);
    expect(together.length).toBeGreaterThanOrEqual(5);
    for (const step of together) {
      expect(step.get(0)).toHaveLength(1);
      expect(step.get(1)?.length).toBeLessThanOrEqual(7);
    }
    expect(long.text).toBe("cdefghijklmnopqrstuvwxyz");
  });

  describe("an answer that has just begun", () => {
    /** One that has its first token while the last part of another prompt is being computed. */
    async function held() {
      const house = household(2, { batchSize: 64 });
      const { engine, ask, settle } = house;
      // Only what is known to be over soon is waited for.
      await settle(ask("z".repeat(64), { max: 1 }));
      const before = engine.steps.length;
      engine.hold();
      const [quick, slow] = [ask("a".repeat(40), { max: 5 }), ask("b".repeat(64), { max: 5 })];
      await until("the first step", () => engine.steps.length === before + 1);
      engine.letStepGo();
      await until("the rest of the other prompt", () => engine.steps.length === before + 2);
      return { ...house, quick, slow, sizes: () => engine.steps.slice(before).map((step) => step.size) };
    }

    it("goes on with those that came with it", async () => {
      const { engine, settle, quick, slow, sizes } = await held();
      expect(sizes()).toEqual([2, 1]);
      expect(quick.text).toBe("b");
      engine.release();
      await settle(quick, slow);
      expect([quick.text, slow.text]).toEqual(["bcdef", "cdefg"]);
      expect(sizes()).toEqual([2, 1, 2, 2, 2, 2]);
    });

    it("goes on at once when the one it waits for leaves", async () => {
      const { engine, scheduler, settle, quick, slow, sizes } = await held();
      scheduler.cancel(slow.generation);
      engine.release();
      await settle(quick);
      expect(quick.text).toBe("bcdef");
      expect(sizes()).toEqual([2, 1, 1, 1, 1, 1]);
    });

    it("goes on when the one it waits for cannot be computed", async () => {
      const { engine, settle, quick, slow, errors } = await held();
      engine.failNext = true;
      engine.release();
      await settle(quick, slow);
      expect([slow.error?.code, errors.length]).toEqual(["internal_error", 1]);
      expect(quick.text).toBe("bcdef");
    });

    it("is waited for by a drain", async () => {
      const { engine, scheduler, settle, quick, slow } = await held();
      const drained = scheduler.drain();
      engine.release();
      await drained;
      await settle(quick, slow);
      expect([quick.text, slow.text]).toEqual(["bcdef", "cdefg"]);
    });
  });

  it("starts those together who come one after the other at nearly the same moment", async () => {
    const { engine, ask, settle } = household(3);
    const asks = [ask("a", { max: 2 })];
    setImmediate(() => {
      asks.push(ask("k", { max: 2 }));
      setTimeout(() => asks.push(ask("p", { max: 2 })), 0);
    });
    await until("all", () => asks.length === 3);
    await settle(...asks);
    expect(engine.steps[0]?.size).toBe(3);
  });

  it("erases only what differs from the longest known prefix, and reports what it reused", async () => {
    const { engine, ask, settle } = household(2);
    const first = ask("hello", { max: 3 });
    await settle(first);
    const again = ask("help", { max: 1 });
    await settle(again);
    expect(engine.kept.at(-1)).toEqual({ slot: 0, length: 3 });
    expect(again.ending?.timings).toMatchObject({ cache_n: 3, prompt_n: 1 });
  });

  it("continues a conversation with only its new part computed", async () => {
    const { ask, settle } = household(1);
    const first = ask("aa", { max: 4 });
    await settle(first);
    const next = ask(`aa${first.text}b`, { max: 2 });
    await settle(next);
    // The last token of the first answer was never computed, so two are new.
    expect(next.ending?.timings).toMatchObject({ cache_n: 5, prompt_n: 2 });
    expect(next.text).toBe("cd");
  });

  it("serves the waiting in their order when slots become free", async () => {
    const { ask, settle, scheduler } = household(1);
    const order: string[] = [];
    const asks = ["a", "b", "c"].map((prompt) => ask(prompt, { max: 3 }));
    expect(scheduler.load()).toMatchObject({ slotsBusy: 1, queued: 2 });
    await until("all answers", () => {
      for (const one of asks) if (one.settled && !order.includes(one.text)) order.push(one.text);
      return order.length === 3;
    });
    expect(order).toEqual(["bcd", "cde", "def"]);
    await settle(...asks);
  });

  it("refuses with worker_busy when as many wait as may", async () => {
    const { engine, ask, settle } = household(1, { queueLimit: 1 });
    engine.hold();
    const asks = [ask("a", { max: 1 }), ask("b", { max: 1 })];
    expect(() => ask("c")).toThrow(expect.objectContaining({ code: "worker_busy", retryAfterS: 1 }));
    engine.release();
    await settle(...asks);
  });

  it("frees the slot of a request whose reader left within one step, and goes on with the others", async () => {
    const { engine, ask, settle, scheduler } = household(2);
    engine.hold();
    const [leaving, staying] = [ask("a"), ask("k")];
    await until("the first step", () => engine.steps.length === 1);
    engine.letStepGo();
    await until("both run", () => engine.steps.length === 2);
    scheduler.cancel(leaving.generation);
    engine.letStepGo();
    await until("the next step", () => engine.steps.length === 3);
    expect([...(engine.steps.at(-1)?.keys() ?? [])]).toEqual([1]);
    expect(scheduler.load().slotsBusy).toBe(1);
    expect(engine.samplers).toBe(1);
    engine.release();
    await settle(staying);
    expect(leaving.settled).toBe(false);
    expect(staying.text).toBe("lmnopqrstuvwxyz");
  });

  it("forgets a waiting request whose reader left", async () => {
    const { engine, ask, settle, scheduler } = household(1);
    engine.hold();
    const [first, waiting] = [ask("x"), ask("b")];
    scheduler.cancel(waiting.generation);
    expect(scheduler.load().queued).toBe(0);
    engine.release();
    await settle(first);
    expect(waiting.settled).toBe(false);
  });

  it("fails the requests of a step that the engine could not compute, and answers the next ones", async () => {
    const { engine, ask, settle, errors } = household(2);
    engine.failNext = true;
    const unlucky = ask("a");
    await settle(unlucky);
    expect(unlucky.error?.code).toBe("internal_error");
    expect(errors).toHaveLength(1);
    const next = ask("a", { max: 2 });
    await settle(next);
    expect(next.text).toBe("bc");
  });

  it("stops at a stop string that spans tokens, without showing any of it", async () => {
    const { ask, settle } = household(1);
    const one = ask("a", { stop: ["ef", "xyz"] });
    await settle(one);
    expect([one.text, one.ending?.reason]).toEqual(["bcd", "stop"]);
  });

  it("drains: running and waiting requests finish, new ones are refused", async () => {
    const { ask, scheduler } = household(1);
    const asks = [ask("a", { max: 3 }), ask("b", { max: 3 })];
    const drained = scheduler.drain();
    expect(() => ask("c")).toThrow(expect.objectContaining({ code: "worker_busy" }));
    await drained;
    expect(asks.map((one) => one.text)).toEqual(["bcd", "cde"]);
  });

  describe("with guesses", () => {
    const cycle = "abcdefghijklmnopqrstuvwxyz";
    const told = (ask: Ask) => [ask.text, ask.ending?.reason];

    it("takes several tokens of one step where the text repeats itself, and the same ones", async () => {
      const plain = household(1);
      const [slow] = [plain.ask(cycle + "abc", { max: 12 })];
      await plain.settle(slow);
      const guessing = household(1, { speculation: "always" });
      const fast = guessing.ask(cycle + "abc", { max: 12 });
      await guessing.settle(fast);
      expect(told(fast)).toEqual(told(slow));
      expect(guessing.engine.steps.length).toBeLessThan(plain.engine.steps.length / 2);
      expect(fast.ending?.timings).toMatchObject({ predicted_n: 12 });
      expect(fast.ending?.timings.draft_n_accepted).toBeGreaterThan(6);
    });

    it("keeps nothing of a wrong guess, so that the next turn goes on from the right words", async () => {
      const { engine, ask, settle } = household(1, { speculation: "always" });
      // After `abc` stood an `x`, which the model does not say.
      const first = ask("abcxabc", { max: 3 });
      await settle(first);
      expect(first.text).toBe("def");
      expect(first.ending?.timings.draft_n_accepted).toBe(0);
      const second = ask("abcxabcdef", { max: 2 });
      await settle(second);
      expect(second.text).toBe("gh");
      expect(second.ending?.timings.cache_n).toBe(9);
      expect(engine.steps.some((step) => (step.get(0)?.length ?? 0) > 1)).toBe(true);
    });

    it("goes no further than the answer may, and ends where the model ends", async () => {
      const { ask, settle } = household(1, { speculation: "always" });
      const [cut, whole] = [ask(cycle + "abc", { max: 4 }), ask("wxyz" + "wx", { max: 100 })];
      await settle(cut, whole);
      expect(told(cut)).toEqual(["defg", "length"]);
      expect(told(whole)).toEqual(["yz", "stop"]);
      expect(cut.ending?.timings.predicted_n).toBe(4);
    });

    it("guesses only for an answer that is alone", async () => {
      const { engine, ask, settle } = household(2, { speculation: "always" });
      engine.hold();
      const asks = [ask(cycle + "abc", { max: 8 }), ask(cycle + "abc", { max: 8 })];
      for (let n = 0; n < 4; n++) {
        await until("a step", () => engine.steps.length === n + 1);
        engine.letStepGo();
      }
      engine.release();
      await settle(...asks);
      expect(asks.map(({ text }) => text)).toEqual(["defghijk", "defghijk"]);
      const together = engine.steps.filter(({ size }) => size === 2).slice(1);
      expect(together.flatMap((step) => [...step.values()]).every(({ length }) => length === 1)).toBe(true);
    });
  });
});
