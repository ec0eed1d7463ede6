import type { HiveFit, HubStarter, SizeClass } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { asOfNow, shortListOf, standingOf, suggestedOf, summaryOf } from "./fit.ts";

const fit = (name: string, verdict: HiveFit["verdict"], change: Partial<HiveFit> = {}): HiveFit => ({
  ...{ hive_id: `hive:${name}`, name, verdict, device: "cpu", need_mb: 1, have_mb: 1, have_unloaded_mb: 1 },
  ...{ disk: { need_mb: 1, have_mb: 1, enough: true }, model: null, reason: "" },
  ...change,
});
const full = { need_mb: 2, have_mb: 1, enough: false };
const starter = (reference: string, size_class: SizeClass, gb: number, fits: HiveFit[]): HubStarter => ({
  ...{ reference, name: reference, size_class, parameters: 1, size_bytes: gb * 1e9, context_length: 1, good_at: "" },
  fits,
});

describe("how a model stands", () => {
  it("on one machine is memory first, then whether it is there, then disk", () => {
    expect(standingOf(fit("a", "fits"))).toBe("fits");
    expect(standingOf(fit("a", "fits", { disk: full }))).toBe("no_disk");
    expect(standingOf(fit("a", "fits", { model: "m" }))).toBe("here");
    expect(standingOf(fit("a", "too_big", { model: "m", disk: full }))).toBe("too_big");
  });

  it("in the household is the best of all machines, with the names it holds for", () => {
    expect(summaryOf([fit("a", "too_big"), fit("b", "fits"), fit("c", "fits")])).toEqual({
      standing: "fits",
      names: ["b", "c"],
    });
    expect(summaryOf([])).toBeNull();
  });
});

describe("what the machines have by now", () => {
  it("counts, not what they had when the hub was asked", () => {
    const holder = { hive_id: "hive:a", capabilities: { models: [{ id: "bee", reference: "hf:a/b:Q8_0" }] } };
    const fits = [fit("a", "fits"), fit("b", "fits")];
    expect(asOfNow(fits, "hf:a/b:Q8_0", [holder]).map(standingOf)).toEqual(["here", "fits"]);
    expect(asOfNow(fits, "hf:a/b:Q4_0", [holder, { hive_id: "hive:b", capabilities: null }])).toEqual(fits);
  });
});

describe("models to begin with", () => {
  const gpu = { device: "cuda:0" };
  const list = (change: Partial<HiveFit> = {}) => [
    starter("S", "small", 2, [fit("a", "fits", change)]),
    starter("M", "medium", 5, [fit("a", "too_big"), fit("b", "fits", change)]),
    starter("L", "medium", 9, [fit("a", "too_big"), fit("b", "fits", change)]),
    starter("XL", "large", 20, [fit("a", "too_big"), fit("b", "fits_after_unloading", change)]),
    starter("XXL", "huge", 40, [fit("a", "too_big", change)]),
  ];

  it("suggest the largest that fits as things are, on a CPU none that would be slow", () => {
    expect(suggestedOf(list())).toBe("M");
    expect(suggestedOf(list(gpu))).toBe("L");
    expect(suggestedOf(list().slice(4))).toBeNull();
  });

  it("are shortened to one of each size that can run here", () => {
    expect(shortListOf(list()).map(({ reference }) => reference)).toEqual(["S", "M", "XL"]);
    expect(shortListOf(list(gpu)).map(({ reference }) => reference)).toEqual(["S", "L", "XL"]);
  });
});
