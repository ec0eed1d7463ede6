import { jobEventSchema, type JobEvent, type RbeeError } from "@rbee/contract";
import type { Clock } from "@rbee/jobs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { placeWith, type Place } from "../../test/executable.ts";
import { failure, narration, result, serveJobs, stepEvent } from "../../test/jobs.ts";
import { startSmallQueen, type SmallQueen } from "../../test/queen.ts";
import { connectionTo } from "../connection/connect.ts";
import { followJob } from "./follow.ts";

let queen: SmallQueen;
let place: Place;
beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  place = placeWith(queen);
});
afterAll(async () => {
  await queen.close();
  place.remove();
});

const discover = ["hive", "discover"];
const refused = failure("ssh_command_failed", {
  message: 'verify: "rbee-hive --version" failed with exit code 127 on attic.',
  suggestion: "Install what is missing there.",
  details: { last_lines: ["libatomic.so.1: cannot open shared object file"] },
});

describe("following a job", () => {
  it("a failed step is shown with the command's last words, and the command fails with what to do", async () => {
    serveJobs(queen, (job) => {
      job.tell(stepEvent("preflight", "started"), stepEvent("preflight", "finished"));
      job.tell(stepEvent("verify", "started"), narration("raw output", { level: "debug" }));
      job.tell(stepEvent("verify", "failed", { error: refused }), result("failed", { error: refused }));
    });
    const { exitCode, out, error } = await place.rbee(discover);
    expect([exitCode, out]).toEqual([1, ""]);
    expect(error.split("\n").map((line) => line.trimEnd())).toEqual([
      "queen    ▸ preflight                 Doing preflight",
      "queen    ✓ preflight          1.2 s",
      "queen    ▸ verify                    Doing verify",
      "queen    ✗ verify             1.2 s  failed",
      "                                     │ libatomic.so.1: cannot open shared object file",
      'error    verify: "rbee-hive --version" failed with exit code 127 on attic.',
      "         Install what is missing there.",
      "",
    ]);
  });

  it("raw output is shown when asked for", async () => {
    serveJobs(queen, (job) => {
      job.tell(narration("+ make", { level: "debug" }), result("succeeded"));
    });
    expect((await place.rbee([...discover, "-v"])).error).toContain("+ make");
  });

  it("with --json every line of stdout is an event, and nothing else is said", async () => {
    serveJobs(queen, (job) => {
      job.tell(stepEvent("copying", "started"));
      job.tell({ type: "progress", actor: "queen", phase: "copying", done: 1, total: 2, unit: "bytes", rate: null });
      job.tell(stepEvent("copying", "finished"), result("failed", { error: refused }));
    });
    const { exitCode, out, error } = await place.rbee([...discover, "--json"]);
    expect([exitCode, error]).toEqual([1, ""]);
    const events = out
      .trimEnd()
      .split("\n")
      .map((line): JobEvent => jobEventSchema.parse(JSON.parse(line)));
    expect(events.map(({ seq, type }) => `${seq} ${type}`)).toEqual([
      "1 narration",
      "2 progress",
      "3 narration",
      "4 result",
    ]);
  });

  it("a cut stream goes on after the last event, and each is told once", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(narration("one"), narration("two"));
    });
    const run = place.start(discover);
    await run.shows("two");
    jobs[0]?.cut();
    jobs[0]?.tell(narration("three"), result("succeeded"));
    const { exitCode, error } = await run.ended;
    expect(exitCode).toBe(0);
    expect(error.match(/one|two|three/gu)).toEqual(["one", "two", "three"]);
    expect(error).toContain("connecting again");
    expect(jobs[0]?.connections).toEqual([0, 2]);
  });

  it("says so when the queen is gone for good, after having tried for a while", async () => {
    const other = await startSmallQueen();
    other.handlers.set("GET /v1/jobs/job%3A1/stream", (_request, response) => response.destroy());
    let waited = 0;
    const clock: Clock = {
      now: () => waited,
      after(ms, run) {
        // The limit for a silent stream is longer than any wait between two attempts.
        if (ms > 10_000) return () => {};
        waited += ms;
        const timer = setImmediate(run);
        return () => {
          clearImmediate(timer);
        };
      },
    };
    const connection = connectionTo(other.url, "x", false);
    const said: string[] = [];
    const context = {
      terminal: { lively: false, live: () => {} } as never,
      narrate: (_: string, message: string) => said.push(message),
      json: true,
      signal: new AbortController().signal,
      connect: () => connection,
    };
    const thrown = await followJob(context, connection, "job:1", { cancelOnInterrupt: true, clock }).catch(
      (error: unknown) => error as RbeeError,
    );
    expect(thrown).toMatchObject({ code: "queen_unreachable", details: { job_id: "job:1" } });
    expect(waited).toBeGreaterThan(10_000);
    expect(said).toEqual(["the connection to the queen broke; connecting again"]);
    await other.close();
  });

  it("--detach prints the job's id and leaves it running", async () => {
    const jobs = serveJobs(queen, () => {});
    const { exitCode, out, error } = await place.rbee([...discover, "--detach"]);
    expect([exitCode, out]).toEqual([0, "job:1\n"]);
    expect(error).toContain("rbee job follow job:1");
    expect(jobs[0]?.connections).toEqual([]);
  });

  it("`job follow` tells a job from its start, and fails as it did", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(narration("one"), result("failed", { error: refused }));
    });
    await place.rbee([...discover, "--detach"]);
    const { exitCode, error } = await place.rbee(["job", "follow", "job:1"]);
    expect(exitCode).toBe(1);
    expect(error).toContain("one");
    expect(error).toContain("Install what is missing there.");
    expect(jobs[0]?.connections).toEqual([0]);
  });
});

describe("Ctrl-C", () => {
  it("cancels the job on the queen, waits for its end and says so, exit code 130", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(narration("one"));
      void job.cancelled.then(() => {
        job.tell(narration("cleaning up"), result("cancelled", { error: failure("request_cancelled") }));
      });
    });
    const run = place.start(discover);
    await run.shows("one");
    run.child.kill("SIGINT");
    const { exitCode, error } = await run.ended;
    await jobs[0]?.cancelled;
    expect(exitCode).toBe(130);
    expect(error).toContain("cleaning up");
    expect(error).toContain("the job was cancelled");
  });

  it("a second time leaves at once", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(narration("one"));
    });
    const run = place.start(discover);
    await run.shows("one");
    run.child.kill("SIGINT");
    await jobs[0]?.cancelled;
    // Two within half a second count as one: terminals and npx send it twice.
    const impatient = setInterval(() => run.child.kill("SIGINT"), 100);
    const { exitCode } = await run.ended;
    clearInterval(impatient);
    expect(exitCode).toBe(130);
  });

  it("while watching somebody's job ends the watching alone", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(narration("one"));
    });
    await place.rbee([...discover, "--detach"]);
    const before = queen.seen.length;
    const run = place.start(["job", "follow", "job:1"]);
    await run.shows("one");
    run.child.kill("SIGINT");
    expect((await run.ended).exitCode).toBe(130);
    expect(jobs).toHaveLength(1);
    expect(queen.seen.slice(before).filter((name) => name.startsWith("DELETE"))).toEqual([]);
  });
});
