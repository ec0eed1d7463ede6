import { describe, expect, it } from "vitest";
import { exampleHive, exampleWorker } from "./fleet-fixtures.ts";
import { findWorker, idleText, lastLinesOf, workerHref } from "./workers.ts";

describe("what is said of a worker", () => {
  it("tells how long it has been idle and when that ends it, and nothing that is not known", () => {
    expect(idleText(exampleWorker({ idle_s: 130, stops_in_s: 170 }))).toBe("idle for 2 min, stops in 2 min");
    expect(idleText(exampleWorker({ idle_s: 0.2, stops_in_s: 299 }))).toBe("stops in 4 min");
    expect(idleText(exampleWorker({ idle_s: 7_300, stops_in_s: null }))).toBe("idle for 2 h, stays loaded");
    expect(idleText(exampleWorker({ state: "busy", idle_s: 0 }))).toBe("working");
    expect(idleText(exampleWorker({ state: "loading", idle_s: null }))).toBe("");
    expect(idleText(exampleWorker({ idle_s: null }))).toBe("");
  });

  it("takes its last words from its error, whatever else may be in there", () => {
    const error = { message: "It failed.", type: "x", param: null, code: "worker_spawn_failed" };
    expect(lastLinesOf({ ...error, details: { last_lines: ["a", 7, "b"] } })).toEqual(["a", "b"]);
    expect(lastLinesOf({ ...error, details: { last_lines: "a" } })).toEqual([]);
    expect([lastLinesOf(error), lastLinesOf(null)]).toEqual([[], []]);
  });

  it("finds it on whichever machine it runs", () => {
    const attic = exampleHive({ name: "attic", workers: [exampleWorker({ worker_id: "worker:2" })] });
    expect(findWorker([exampleHive(), attic], "worker:2")?.hive.name).toBe("attic");
    expect(findWorker([exampleHive(), attic], "worker:3")).toBeUndefined();
    expect(workerHref("worker:2")).toBe("/workers/worker%3A2");
  });
});
