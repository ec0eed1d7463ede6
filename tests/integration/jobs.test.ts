import type { JobEvent } from "@rbee/contract";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { longChat } from "../support/chat-stream.ts";
import { freeze, thawAll } from "../support/frozen.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { followJob, wholeJob } from "../support/job-stream.ts";
import { runningWorker } from "../support/running-worker.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
});
afterAll(() => household.stop());

const actions = (events: readonly JobEvent[]) =>
  events.flatMap((event) => (event.type === "narration" ? [event.action] : []));

/** A worker that is in the middle of an answer for as long as a test takes, and a job that waits for it to end. */
async function stoppingBusyWorker(): Promise<string> {
  await household.admin.chat({
    body: { model: "bee-tiny", messages: [{ role: "user", content: "Hello" }] },
    timeoutMs: 60_000,
  });
  const { pid, worker_id } = await runningWorker(household);
  const chat = await longChat(household.admin);
  freeze(pid);
  void (async () => {
    for await (const _ of chat);
  })().catch(() => {});
  const { hive_id } = await household.readyHive();
  const { job_id } = await household.admin.startJob({ body: { operation: "worker_stop", hive_id, worker_id } });
  return job_id;
}

afterEach(thawAll);

describe("a job", () => {
  it("that checks the household tells of every check and succeeds", async () => {
    const accepted = await household.admin.startJob({ body: { operation: "self_check" } });
    expect(accepted.stream_url).toBe(`/v1/jobs/${accepted.job_id}/stream`);
    const events = await wholeJob(household.admin, accepted.job_id);
    expect(events.at(-1)).toMatchObject({ type: "result", status: "succeeded" });
    expect(actions(events)).toEqual(
      expect.arrayContaining(["database_works", "disk_free", "key_safe", "reachable", "answered"]),
    );
    expect(await household.admin.getJob({ params: { id: accepted.job_id } })).toMatchObject({
      state: "succeeded",
      started_by: expect.any(String) as string,
      input: { operation: "self_check" },
    });
  });

  it("that loads a model says why there, how far it is, and that it is ready", async () => {
    const { job_id } = await household.admin.startJob({ body: { operation: "worker_spawn", model: "bee-tiny" } });
    const events = await wholeJob(household.admin, job_id);
    expect(actions(events)).toEqual(expect.arrayContaining(["considered", "chosen", "started", "ready"]));
    expect(events).toContainEqual(
      expect.objectContaining({ type: "progress", phase: "loading", done: 100, total: 100, unit: "percent" }),
    );
    const result = events.at(-1);
    expect(result).toMatchObject({ type: "result", status: "succeeded" });
    const { workers } = await household.readyHive();
    const workerId = result?.type === "result" ? result.data?.["worker_id"] : undefined;
    await waitFor("the worker in the fleet", async () =>
      [...workers, ...(await household.readyHive()).workers].some((worker) => worker.worker_id === workerId),
    );
  });

  it("about a model that nobody has fails, naming the step, what is there instead and what to do", async () => {
    const { job_id } = await household.admin.startJob({ body: { operation: "worker_spawn", model: "gpt-nothing" } });
    expect((await wholeJob(household.admin, job_id)).at(-1)).toMatchObject({
      status: "failed",
      error: {
        code: "model_not_found",
        message: expect.stringMatching(/^placement: .*gpt-nothing/u) as string,
        suggestion: expect.stringContaining("bee-tiny") as string,
      },
    });
  });

  it("with input that makes no sense is refused before it starts", async () => {
    const started = household.admin.startJob({ body: { operation: "hive_install" } as never });
    await expect(started).rejects.toMatchObject({ code: "invalid_request", status: 400 });
    await expect(household.admin.getJob({ params: { id: "job:none" } })).rejects.toMatchObject({
      code: "job_not_found",
      status: 404,
    });
  });

  it("reaches a late subscriber from its start, and goes on where one left off", async () => {
    const { job_id } = await household.admin.startJob({ body: { operation: "hive_discover" } });
    const live = await wholeJob(household.admin, job_id);
    expect(await wholeJob(household.admin, job_id)).toEqual(live);
    expect(await wholeJob(household.admin, job_id, 3)).toEqual(live.slice(3));
  });

  it("ends as cancelled when somebody cancels it, and cancelling again changes nothing", async () => {
    const jobId = await stoppingBusyWorker();
    const seen: JobEvent[] = [];
    for await (const event of followJob(household.admin, jobId)) {
      seen.push(event);
      if (event.type === "narration" && event.action === "draining")
        await household.admin.cancelJob({ params: { id: jobId } });
    }
    expect(seen.at(-1)).toMatchObject({ type: "result", status: "cancelled" });
    await household.admin.cancelJob({ params: { id: jobId } });
    expect((await household.admin.getJob({ params: { id: jobId } })).state).toBe("cancelled");
  });

  it("that runs when the queen is killed is failed with that reason, and its log is whole", async () => {
    const jobId = await stoppingBusyWorker();
    const before: JobEvent[] = [];
    const followed = (async () => {
      for await (const event of followJob(household.admin, jobId)) before.push(event);
    })().catch(() => {});
    await waitFor("the job to be under way", () => actions(before).includes("draining"));
    household.queen.child.kill("SIGKILL");
    // Her hive ends with her, and waits for the worker meanwhile.
    thawAll();
    await household.restartQueen("SIGKILL");
    await followed;
    const events = await wholeJob(household.admin, jobId);
    expect(events.slice(0, before.length)).toEqual(before);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)).toMatchObject({
      status: "failed",
      error: { message: "The queen stopped while this job was running." },
    });
    expect((await household.admin.listJobs()).data.find(({ job_id }) => job_id === jobId)?.state).toBe("failed");
  });
});
