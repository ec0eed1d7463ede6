import { expect, it } from "vitest";
import { laneOf } from "./lane.ts";

it("the header wins over the key's lane, which wins over the usual one", () => {
  const nightly = { lane: "batch" } as const;
  const usual = { lane: null };
  expect([
    laneOf(null, usual),
    laneOf(null, nightly),
    laneOf("interactive", nightly),
    laneOf(" BATCH ", usual),
  ]).toEqual(["interactive", "batch", "interactive", "batch"]);
  expect(() => laneOf("fast", nightly)).toThrow(/no lane "fast"/u);
});
