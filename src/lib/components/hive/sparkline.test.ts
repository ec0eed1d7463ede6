import { expect, it } from "vitest";
import { sparkPath } from "./sparkline.ts";

const now = 1_700_000_000_000;
const sample = (secondsAgo: number, cpu: number | null) => ({
  ts: now - secondsAgo * 1000,
  cpu_pct: cpu,
  ram_pct: null,
  gpu_pct: null,
  vram_pct: null,
});
const box = { width: 60, height: 12 };

it("draws the newest second at the right edge, full load at the top", () => {
  expect(sparkPath([sample(30, 0), sample(0, 100)], "cpu_pct", now, box)).toBe("M30.0 11.0L60.0 1.0");
});

it("breaks where nothing is known and leaves out what is older than a minute", () => {
  expect(sparkPath([sample(61, 5), sample(2, 0), sample(1, null), sample(0, 0)], "cpu_pct", now, box)).toBe(
    "M58.0 11.0M60.0 11.0",
  );
  expect(sparkPath([sample(0, null)], "cpu_pct", now, box)).toBe("");
});
