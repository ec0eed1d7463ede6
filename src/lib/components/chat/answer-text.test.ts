import { describe, expect, it } from "vitest";
import { figuresOf, waitText } from "./answer-text.ts";

const timings = {
  cache_n: 0,
  prompt_n: 8,
  prompt_ms: 10,
  prompt_per_second: 800,
  predicted_n: 24,
  predicted_ms: 150,
  predicted_per_second: 160,
};

describe("under an answer", () => {
  it("stands who gave it and how fast", () => {
    expect(figuresOf({ state: "done", finish: "stop", model: "bee-tiny", timings, firstWordMs: 84 }, "desk")).toBe(
      "bee-tiny on desk · 160 tokens/s · 24 tokens · first word after 84 ms",
    );
  });

  it("stands nothing that was not measured", () => {
    expect(
      figuresOf({ state: "stopped", finish: null, model: "bee-tiny", timings: null, firstWordMs: null }, null),
    ).toBe("Stopped · bee-tiny");
  });

  it("stands that the limit cut it", () => {
    expect(
      figuresOf({ state: "done", finish: "length", model: "bee-tiny", timings: null, firstWordMs: 1 }, null),
    ).toContain("reached the model's limit");
  });
});

describe("before the first word", () => {
  const asked = { model: "bee-tiny", wait: { type: "sending" } as const };

  it("the load and its progress are shown while the model is loaded", () => {
    expect(waitText(asked, { state: "loading", load_progress: 0.4 })).toBe("Loading bee-tiny, 40%");
    expect(waitText(asked, { state: "loading", load_progress: null })).toBe("Loading bee-tiny");
  });

  it("a queue and a long question are told apart", () => {
    expect(waitText({ ...asked, wait: { type: "queued", place: 2 } }, undefined)).toBe(
      "Waiting for a free place, 2 ahead",
    );
    expect(waitText({ ...asked, wait: { type: "reading", done: 512, total: 4096 } }, undefined)).toBe(
      "Reading your message, 512 of 4096 tokens",
    );
  });
});
