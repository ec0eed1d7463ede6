import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { placeWith, type Place } from "../../test/executable.ts";
import { failure, narration, result, serveJobs } from "../../test/jobs.ts";
import { startSmallQueen, type SmallQueen } from "../../test/queen.ts";

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

describe("rbee model pull", () => {
  it("asks the queen for what the options say; the model's id alone is on stdout", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded", { data: { model: "helper", hive: "attic", already: false } }));
    });
    const { exitCode, out } = await place.rbee(["model", "pull", "hf:a/b:Q4_K_M", "--hive", "attic", "--as", "helper"]);
    expect([exitCode, out]).toEqual([0, "helper\n"]);
    expect(jobs[0]?.request).toEqual({
      operation: "model_download",
      model: "hf:a/b:Q4_K_M",
      hive: "attic",
      id: "helper",
    });
  });

  it("that fails shows the error and its suggestion, and Ctrl-C cancels it on the queen", async () => {
    const error = failure("download_forbidden", { suggestion: "Set HF_TOKEN." });
    serveJobs(queen, (job) => {
      job.tell(result("failed", { error }));
    });
    const failed = await place.rbee(["model", "pull", "hf:a/b"]);
    expect(failed).toMatchObject({ exitCode: 1, out: "" });
    expect(failed.error).toContain("Set HF_TOKEN.");

    serveJobs(queen, (job) => {
      job.tell(narration("The files come.", { actor: "hive:attic" }));
      void job.cancelled.then(() => {
        job.tell(result("cancelled"));
      });
    });
    const running = place.start(["model", "pull", "hf:a/b"]);
    await running.shows("The files come.");
    running.child.kill("SIGINT");
    expect((await running.ended).exitCode).toBe(130);
    expect(running.text()).toContain("the job was cancelled");
  });
});

describe("rbee model rm", () => {
  it("asks first, and does nothing when nobody can be asked", async () => {
    const jobs = serveJobs(queen, (job) => {
      job.tell(result("succeeded"));
    });
    const unasked = await place.rbee(["model", "rm", "helper"]);
    expect(unasked.exitCode).toBe(2);
    expect(unasked.error).toContain("--yes");
    expect(jobs).toEqual([]);
    expect((await place.rbee(["model", "rm", "helper", "--hive", "attic", "--force", "--yes"])).exitCode).toBe(0);
    expect(jobs[0]?.request).toEqual({ operation: "model_delete", model: "helper", hive: "attic", force: true });
  });
});
