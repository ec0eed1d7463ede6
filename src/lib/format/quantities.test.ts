import { describe, expect, it } from "vitest";
import {
  count,
  fileSize,
  memory,
  memoryOf,
  parameters,
  percent,
  shareOf,
  speed,
  unknown,
  withUnit,
} from "./quantities.ts";

describe("quantities", () => {
  it("show what is not known as a dash, never as zero", () => {
    for (const format of [count, memory, fileSize, percent, speed, parameters]) {
      expect(format(null)).toBe(unknown);
      expect(format(undefined)).toBe(unknown);
    }
    expect(memoryOf(null, null)).toBe(unknown);
    expect(withUnit(null, "W")).toBe(unknown);
    expect(shareOf(null, 100)).toBeNull();
    expect(shareOf(1, 0)).toBeNull();
  });

  it("show a real zero as zero", () => {
    expect(percent(0)).toBe("0%");
    expect(speed(0)).toBe("0");
    expect(memory(0)).toBe("0.0 GB");
  });

  it("give memory in GB with one decimal", () => {
    expect(memory(15_974)).toBe("15.6 GB");
    expect(memoryOf(3174, 15_974)).toBe("3.1 / 15.6 GB");
    expect(memoryOf(null, 15_974)).toBe("– / 15.6 GB");
    expect(memoryOf(1024, null)).toBe("1.0 GB");
  });

  it("give a small file in MB, so that it does not look empty", () => {
    expect(fileSize(3_879_808)).toBe("3.9 MB");
    expect(fileSize(4_100_000_000)).toBe("4.1 GB");
  });

  it("give speeds one decimal only where it tells something", () => {
    expect(speed(8.44)).toBe("8.4");
    expect(speed(9.96)).toBe("10");
    expect(speed(41.4)).toBe("41");
  });

  it("name parameters as people do", () => {
    expect(parameters(3_607_296)).toBe("3.6 M");
    expect(parameters(7_240_000_000)).toBe("7.2 B");
  });

  it("keep shares between 0 and 100", () => {
    expect(shareOf(5, 20)).toBe(25);
    expect(shareOf(30, 20)).toBe(100);
  });
});
