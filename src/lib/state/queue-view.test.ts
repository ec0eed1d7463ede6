import type { QueueEntry, RunningRequest } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { byModel, ownPlace, runningByPerson } from "./queue-view.ts";

const entry = (change: Partial<QueueEntry> = {}): QueueEntry => ({
  request_id: "r1",
  model: "bee",
  lane: "interactive",
  mine: false,
  user: null,
  waits_for: "slot",
  position: 1,
  waiting_s: 3,
  ...change,
});
const answered = (change: Partial<RunningRequest> = {}): RunningRequest => ({
  request_id: null,
  model: "bee",
  lane: "interactive",
  mine: false,
  user: null,
  hive: "desk",
  running_s: 1,
  ...change,
});

describe("the queue as it is shown", () => {
  it("has the model first for which most wait, and everybody in the order of their turn", () => {
    const shown = byModel({
      data: [entry({ model: "wasp" }), entry({ position: 2, request_id: "b" }), entry({ request_id: "a" })],
      running: [answered({ model: "ant" })],
    });
    expect(shown.map(({ model }) => model)).toEqual(["bee", "wasp", "ant"]);
    expect(shown[0]?.waiting.map(({ request_id }) => request_id)).toEqual(["a", "b"]);
    expect(shown[2]).toMatchObject({ waiting: [], running: [{ model: "ant" }] });
  });

  it("counts what is being answered by person", () => {
    const mine = { mine: true, user: "Ann" };
    expect(runningByPerson([answered(), answered(mine), answered(mine)])).toEqual([
      { user: "Ann", mine: true, count: 2 },
      { user: null, mine: false, count: 1 },
    ]);
  });

  it("knows the place of the question asked last, not of another one of mine nor of a nightly batch", () => {
    const data = [
      entry({ mine: true, position: 1, waiting_s: 30 }),
      entry({ position: 2 }),
      entry({ mine: true, position: 3, waiting_s: 2 }),
      entry({ mine: true, position: 4, waiting_s: 1, lane: "batch" }),
      entry({ mine: true, model: "wasp", position: 1, waiting_s: 0 }),
    ];
    expect(ownPlace({ data, running: [] }, "bee")).toBe(3);
    expect(ownPlace({ data: [entry({ mine: true, waits_for: "model" })], running: [] }, "bee")).toBeNull();
  });
});
