import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.ts";
import { recordedLog } from "../testing/recorded-log.ts";
import { ParkedExpiry } from "./expiry.ts";

const day = 24 * 3_600_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rbee-expiry-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function expiry(keepsAny = true) {
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const put = (name: string, daysAgo: number) => {
    writeFileSync(join(folder, name), name);
    const usedAt = (clock.now() - daysAgo * day) / 1_000;
    utimesSync(join(folder, name), usedAt, usedAt);
  };
  return { clock, lines, put, expiry: new ParkedExpiry({ folder, keepsAny, clock, log }) };
}

describe("parked conversations", () => {
  it("go when nobody went on with them for a week, also while the hive runs", () => {
    const { clock, put, expiry: watch } = expiry();
    put("old.parked", 7.5);
    put("new.parked", 6.9);
    put("half.part", 0);
    watch.start();
    expect(readdirSync(folder)).toEqual(["new.parked"]);
    put("half.part", 0);
    clock.advance(day / 24);
    expect(readdirSync(folder)).toEqual(["half.part", "new.parked"]);
    for (let hour = 0; hour < 4; hour++) clock.advance(day / 24);
    expect(readdirSync(folder)).toEqual(["half.part"]);
    watch.stop();
    expect(clock.pending()).toEqual([]);
  });

  it("all go once they are switched off", () => {
    const { put, expiry: watch } = expiry(false);
    put("new.parked", 0);
    watch.start();
    expect(readdirSync(folder)).toEqual([]);
    watch.stop();
  });

  it("that cannot be looked at stop nothing", () => {
    const { lines, expiry: watch } = expiry();
    rmSync(folder, { recursive: true });
    watch.start();
    expect(lines).toHaveLength(1);
    watch.stop();
  });
});
