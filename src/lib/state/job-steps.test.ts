import type { JobEvent, NarrationEvent, ProgressEvent } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { currentStepOf, failedStepOf, jobView, timeLeftMs } from "./job-steps.ts";

let seq = 0;
const base = (actor = "queen") => ({ seq: ++seq, ts: seq * 100, job_id: "job:1", actor });
const say = (action: string, message: string, data?: Record<string, unknown>, actor?: string): NarrationEvent => ({
  type: "narration",
  ...base(actor),
  action,
  level: "info",
  message,
  ...(data === undefined ? {} : { data }),
});
const start = (name: string, path: string[], actor?: string) =>
  say(name, `Doing ${name}`, { step: name, step_path: path, state: "started" }, actor);
const end = (name: string, state: string, actor?: string) => say(name, "over", { state, duration_ms: 40 }, actor);
const progress = (done: number, rate: number | null, actor?: string): ProgressEvent => ({
  type: "progress",
  ...base(actor),
  phase: "loading",
  done,
  total: 100,
  unit: "percent",
  rate,
});
const result = (status: "succeeded" | "failed"): JobEvent => ({ type: "result", ...base(), status });

describe("a job's steps", () => {
  it("come in the order they began, with what was told inside each, and how long they took", () => {
    const { steps, lines } = jobView([
      say("hello", "before"),
      start("load", ["load"]),
      say("timeout_start", "limit"),
      say("note", "inside"),
      end("load", "finished"),
      say("bye", "after"),
    ]);
    expect(steps).toMatchObject([{ title: "Doing load", state: "finished", durationMs: 40, depth: 0 }]);
    expect(steps[0]?.lines.map(({ message }) => message)).toEqual(["inside"]);
    expect(lines.map(({ message }) => message)).toEqual(["before", "after"]);
  });

  it("of two machines at once are kept apart, though they are called the same", () => {
    const { steps } = jobView([
      start("ask", ["ask"], "hive:a"),
      start("ask", ["ask"], "hive:b"),
      say("note", "a speaks", undefined, "hive:a"),
      end("ask", "failed", "hive:a"),
      progress(10, null, "hive:b"),
    ]);
    expect(steps.map(({ actor, state }) => [actor, state])).toEqual([
      ["hive:a", "failed"],
      ["hive:b", "running"],
    ]);
    expect(steps[0]?.lines.map(({ message }) => message)).toEqual(["a speaks", "over"]);
    expect(steps[1]?.progress.get("loading")?.done).toBe(10);
  });

  it("of one machine at once get what names them", () => {
    const { steps } = jobView([
      start("disk", ["disk"]),
      start("key", ["key"]),
      say("free", "80 GB", { step_path: ["disk"] }),
      end("disk", "finished"),
    ]);
    expect(steps.map(({ lines }) => lines.map(({ message }) => message))).toEqual([["80 GB"], []]);
  });

  it("show only the newest progress of a phase", () => {
    const { steps } = jobView([start("load", ["load"]), progress(10, null), progress(60, 20)]);
    expect([...(steps[0]?.progress.values() ?? [])].map(({ done }) => done)).toEqual([60]);
  });

  it("that never told of their end are over with the job", () => {
    const { steps } = jobView([start("load", ["load"]), result("failed")]);
    expect(steps).toMatchObject([{ state: "failed", durationMs: null }]);
  });

  it("of which one failed inside another: the inner one is what went wrong", () => {
    const view = jobView([
      start("install", ["install"]),
      start("copying", ["install", "copying"]),
      end("copying", "failed"),
      end("install", "failed"),
      start("tidy", ["tidy"]),
      end("tidy", "finished"),
    ]);
    expect(failedStepOf(view)?.name).toBe("copying");
    expect(currentStepOf(view)).toBeNull();
    expect(currentStepOf(jobView([start("copying", ["copying"])]))?.name).toBe("copying");
  });

  it("have a time left only when it can be known", () => {
    expect(timeLeftMs(progress(60, 20))).toBe(2_000);
    expect(timeLeftMs(progress(60, null))).toBeNull();
    expect(timeLeftMs({ ...progress(60, 20), total: null })).toBeNull();
  });
});
