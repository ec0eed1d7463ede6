import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMeter } from "./metering.ts";

const timings = {
  cache_n: 11,
  prompt_n: 1,
  prompt_ms: 3.3,
  prompt_per_second: 297.3,
  predicted_n: 22,
  predicted_ms: 26.7,
  predicted_per_second: 784.5,
};
const chunk = (content: string | undefined, more: object = {}) =>
  `data: ${JSON.stringify({ id: "x", choices: [{ index: 0, delta: content === undefined ? {} : { content } }], ...more })}\n\n`;

function meterOf(text: string, cuts: readonly number[]) {
  const bytes = Buffer.from(text);
  const borders = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  const meter = createMeter();
  for (let n = 1; n < borders.length; n++) {
    // As from a socket: the buffer is used again for the next bytes.
    const part = Buffer.from(bytes.subarray(borders[n - 1], borders[n]));
    meter.take(part);
    part.fill(0);
  }
  return meter;
}

const cuts = fc.array(fc.nat(10_000), { maxLength: 40 });
const texts = fc.array(fc.string({ unit: "binary" }), { maxLength: 6 });

describe("metering", () => {
  it("finds timings and the end under any chunking, whatever the model says", () => {
    fc.assert(
      fc.property(texts, cuts, (said, borders) => {
        const stream = [chunk(""), ...said.map((text) => chunk(text)), ": ping\n\n", chunk(undefined, { timings })];
        const meter = meterOf(`${stream.join("")}data: [DONE]\n\n`, borders);
        expect(meter.timings).toEqual(timings);
        expect([meter.done, meter.errorCode]).toEqual([true, null]);
        expect(meter.answered).toBe(said.some((text) => text.length > 0));
      }),
      { numRuns: 300 },
    );
  });

  it("is not deceived by a model that says what it looks for", () => {
    const lies = [
      '"timings":{"predicted_n":999}',
      "\n\ndata: [DONE]\n\n",
      '\n\ndata: {"error":{"code":"hive_down"}}\n\n',
    ];
    fc.assert(
      fc.property(cuts, (borders) => {
        const meter = meterOf(lies.map((text) => chunk(text)).join(""), borders);
        expect([meter.timings, meter.done, meter.errorCode, meter.answered]).toEqual([null, false, null, true]);
      }),
    );
  });

  it("knows how a stream failed", () => {
    const event = `data: ${JSON.stringify({ error: { message: "x", type: "server_error", param: null, code: "worker_crashed" } })}\n\n`;
    fc.assert(
      fc.property(cuts, (borders) => {
        const meter = meterOf(`${chunk("Hel")}\n\n${event}`, borders);
        expect([meter.errorCode, meter.done]).toEqual(["worker_crashed", false]);
      }),
    );
  });

  it("counts an answer that was cut off by its pieces, with the prompt as the worker told it", () => {
    fc.assert(
      fc.property(cuts, (borders) => {
        const meter = meterOf(`: prompt 11+4\n\n${chunk("")}${chunk("Hel")}${chunk("lo")}: prompt 1+1\n\n`, borders);
        expect([meter.timings, meter.counted]).toEqual([null, { cache_n: 11, prompt_n: 4, predicted_n: 2 }]);
      }),
    );
    expect(meterOf(chunk(""), []).counted).toBeNull();
  });

  it("does not take a role or an empty delta for an answer", () => {
    const role = `data: ${JSON.stringify({ choices: [{ delta: { role: "assistant", content: "" } }] })}\n\n`;
    expect(meterOf(role + chunk(""), []).answered).toBe(false);
    expect(meterOf(role + chunk("H"), []).answered).toBe(true);
  });
});
