import type { RbeeError } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { MemoryEngine } from "../../test/memory-engine.ts";
import { Scheduler, type GenerationRequest } from "../scheduler/index.ts";
import { ChoiceGroup } from "./choices.ts";

function household(slots: number) {
  const engine = new MemoryEngine(slots);
  const scheduler = new Scheduler(engine, {
    queueLimit: 0,
    speculation: "off",
    nowMs: () => performance.now(),
    onChange: () => {},
    onEngineError: () => {},
  });
  const ask = (prompts: string) => {
    const heard = { texts: [] as string[], whole: false, error: null as RbeeError | null };
    const requests = Array.from(prompts, (letter): GenerationRequest => ({
      prompt: engine.vocabulary.tokenize(letter, { markers: false, continued: false }),
      maxTokens: 2,
      stop: [],
      sampling: {
        temperature: 0,
        topP: null,
        topK: null,
        minP: null,
        seed: 0,
        repeatPenalty: 1,
        presencePenalty: 0,
        frequencyPenalty: 0,
        logitBias: new Map(),
      },
      grammar: null,
      guide: null,
      shown: new Set(),
      logprobs: null,
    }));
    new ChoiceGroup(scheduler, requests, {
      text: (choice, text) => (heard.texts[choice] = (heard.texts[choice] ?? "") + text),
      end: (_, __, timings) => (heard.whole = timings !== null),
      fail: (error) => (heard.error = error),
    });
    return heard;
  };
  return { scheduler, ask };
}

describe("ChoiceGroup", () => {
  it("has all of its choices answered when the worker begins to drain on the way", async () => {
    const { scheduler, ask } = household(1);
    const heard = ask("akd");
    await scheduler.drain();
    expect(heard).toEqual({ texts: ["bc", "lm", "ef"], whole: true, error: null });
  });
});
