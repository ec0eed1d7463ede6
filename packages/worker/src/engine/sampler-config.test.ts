import { describe, expect, it } from "vitest";
import type { SamplingSettings } from "./engine.ts";
import { samplerConfig } from "./sampler-config.ts";

const plain: SamplingSettings = {
  temperature: 1,
  topP: null,
  topK: null,
  minP: null,
  seed: 7,
  repeatPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: new Map(),
};
const prompt = Array.from({ length: 100 }, (_, index) => index);

describe("samplerConfig", () => {
  it("leaves out filters that change nothing, because each would cost a sort of the vocabulary", () => {
    expect(samplerConfig({ ...plain, topP: 1, topK: 0, minP: 0 }, prompt, 512)).toEqual({ temperature: 1, seed: 7 });
  });

  it("lets repeat_penalty look 64 tokens back into the prompt", () => {
    const config = samplerConfig({ ...plain, repeatPenalty: 1.1 }, prompt, 512);
    expect(config.repeatPenaltyMaxTokens).toBe(64);
    expect([...(config.repeatPenaltyTokens ?? [])]).toEqual(prompt.slice(36));
  });

  it("lets presence and frequency penalties count the whole answer and nothing of the prompt", () => {
    const config = samplerConfig({ ...plain, presencePenalty: 0.5, frequencyPenalty: 1 }, prompt, 512);
    expect(config).toMatchObject({ repeatPenaltyPresencePenalty: 0.5, repeatPenaltyFrequencyPenalty: 1 });
    expect(config.repeatPenaltyMaxTokens).toBe(512);
    expect(config.repeatPenaltyTokens).toHaveLength(0);
  });

  it("never passes the seed that llama.cpp takes as random", () => {
    expect(samplerConfig({ ...plain, seed: 0xffff_ffff }, prompt, 512).seed).toBe(0);
  });
});
