import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { OutOfMemoryWatch } from "./out-of-memory-watch.ts";

/** A watch on a machine that has ended three processes so far; `runs` lets seconds pass, with a look in each. */
function watched(kills: number | null = 3) {
  const clock = new ManualClock();
  const machine = { kills };
  const watch = new OutOfMemoryWatch(clock, () => machine.kills);
  const runs = (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1_000);
      watch.look();
    }
  };
  return { machine, watch, runs };
}

describe("whether the system has ended a process for want of memory", () => {
  it("is told of the last seconds only, however long it is watched", () => {
    const { machine, watch, runs } = watched();
    runs(60);
    expect(watch.killedLately).toBe(false);
    machine.kills = 4;
    expect(watch.killedLately).toBe(true);
    runs(21);
    expect(watch.killedLately).toBe(false);
  });

  it("is still known when the process is seen to end some seconds after it was counted", () => {
    for (const lived of [0, 5, 9, 10, 11, 15, 60]) {
      const { machine, watch, runs } = watched();
      runs(lived);
      machine.kills = 4;
      runs(9);
      expect(watch.killedLately).toBe(true);
    }
  });

  it("is never said where the system does not count", () => {
    const { watch, runs } = watched(null);
    runs(30);
    expect(watch.killedLately).toBe(false);
  });
});
