import type { Job } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { hiveIdOf, outcomesOf, planOf, reportOf } from "./job-results.ts";

const job = (over: Partial<Job>) =>
  ({ operation: "hive_sync", state: "succeeded", error: null, result: null, ...over }) as Job;
const refused = { code: "ssh_timeout", message: "nas did not answer.", suggestion: "Is it on?" };

describe("what a job gave", () => {
  it("is a row for each machine of a sync, with its own error", () => {
    const hives = [
      { alias: "pc", outcome: "installed", error: null },
      { alias: "nas", outcome: "failed", error: refused },
    ];
    expect(outcomesOf(job({ result: { hives } }))).toEqual([
      { name: "pc", outcome: "installed", state: "succeeded", error: null },
      { name: "nas", outcome: "failed", state: "failed", error: refused },
    ]);
  });

  it("is a row for each machine also when the job failed and tells only how each ended", () => {
    const outcomes = [
      { item: "pc", status: "succeeded", data: { outcome: "upgraded" } },
      { item: "nas", status: "timed_out", error: refused },
    ];
    expect(outcomesOf(job({ state: "failed", result: { outcomes } }))).toMatchObject([
      { name: "pc", outcome: "upgraded", state: "succeeded" },
      { name: "nas", outcome: null, state: "timed_out", error: refused },
    ]);
  });

  it("is no table for a job about one thing", () => {
    expect(outcomesOf(job({ result: { hive_id: "hive:1" } }))).toBeNull();
    expect(outcomesOf(job({ result: null }))).toBeNull();
    expect(planOf(job({ result: { hives: [] } }))).toBeNull();
  });

  it("is a report only of a check that found something", () => {
    const machine = { name: "pc" };
    expect(reportOf(job({ operation: "hive_check", result: { machine, problems: [refused] } }))).toMatchObject({
      machine,
      problems: [refused],
      warnings: [],
    });
    expect(reportOf(job({ operation: "hive_check", state: "failed" }))).toBeNull();
    expect(reportOf(job({ operation: "hive_install", result: { machine } }))).toBeNull();
  });

  it("is a hive only when one is there afterwards", () => {
    const result = { hive_id: "hive:1" };
    expect(hiveIdOf(job({ operation: "hive_install", result }))).toBe("hive:1");
    expect(hiveIdOf(job({ operation: "hive_install", state: "failed", result }))).toBeNull();
    expect(hiveIdOf(job({ operation: "hive_uninstall", result }))).toBeNull();
  });
});
