import { describe, expect, it } from "vitest";
import { createMemoryLine } from "./memory-line.ts";

function lineAt() {
  const clock = { now: 0 };
  const ready = new Map<string, number>();
  const line = createMemoryLine(
    () => clock.now,
    (workerId) => clock.now - (ready.get(workerId) ?? Number.NEGATIVE_INFINITY),
  );
  const wait = (model: string, hiveId: string, ...frees: string[]) => {
    const place = line.join(model);
    place.waitsFor(hiveId, frees);
    return place;
  };
  return { line, clock, ready, wait };
}

describe("models that wait for memory", () => {
  it("get it in the order in which they came, hive by hive, and leave when nobody asks any more", () => {
    const { line, wait } = lineAt();
    const first = wait("bee", "attic", "worker:1");
    const again = wait("bee", "attic", "worker:1");
    wait("wasp", "attic", "worker:1");
    wait("ant", "cellar", "worker:2");
    expect([line.isBehind("bee", "attic"), line.isBehind("wasp", "attic"), line.isBehind("ant", "cellar")]).toEqual([
      false,
      true,
      false,
    ]);
    expect(line.isBehind("newcomer", "attic")).toBe(true);
    first.leave();
    first.leave();
    expect(line.isBehind("wasp", "attic")).toBe(true);
    again.leave();
    expect(line.isBehind("wasp", "attic")).toBe(false);
  });

  it("ask those in the way to take no more after ten seconds, for the first in the line alone", () => {
    const { line, clock, wait } = lineAt();
    const first = wait("bee", "attic", "worker:1");
    wait("wasp", "attic", "worker:2");
    expect(line.yields("worker:1")).toBe(false);
    clock.now = 10_000;
    expect([line.yields("worker:1"), line.yields("worker:2")]).toEqual([true, false]);
    first.leave();
    expect([line.yields("worker:1"), line.yields("worker:2")]).toEqual([false, true]);
  });

  it("leave a worker that has just become ready its own ten seconds", () => {
    const { line, clock, ready, wait } = lineAt();
    wait("bee", "attic", "worker:1");
    clock.now = 15_000;
    ready.set("worker:1", 15_000);
    expect(line.yields("worker:1")).toBe(false);
    clock.now = 25_000;
    expect(line.yields("worker:1")).toBe(true);
  });
});
