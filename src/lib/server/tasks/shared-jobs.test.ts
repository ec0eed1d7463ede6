import type { JobRequest } from "@rbee/contract";
import { createMemoryJobs, silentLog, type StartedJob } from "@rbee/jobs";
import { describe, expect, it } from "vitest";
import { eventually, person } from "#lib/server/testing/index.ts";
import { createSharedJobs } from "./shared-jobs.ts";

const request: JobRequest = { operation: "hive_start", hive: "attic" };
const ada = person("admin", "Ada");

/** Two real runners: one for the jobs that are shared, one for the tasks that share them. */
function household() {
  const options = { processLog: silentLog, actor: "queen", graceMs: 200 };
  const jobs = createMemoryJobs(options);
  const tasks = createMemoryJobs(options);
  const started: StartedJob[] = [];
  const end = Promise.withResolvers<undefined>();
  const begin = () => {
    const job = jobs.run(
      { operation: "hive_start", subject: "attic", input: {}, startedBy: "Ada", timeoutMs: 10_000 },
      async (signal) => {
        const stopped = new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            reject(signal.reason as Error);
          });
        });
        await Promise.race([end.promise, stopped]);
        return { hive_id: "hive:1" };
      },
    );
    started.push(job);
    return { job_id: job.job_id, stream_url: "" };
  };
  const shared = createSharedJobs({
    start: begin,
    get: (id) => jobs.get(id),
    stream: (id, streamOptions) => jobs.stream(id, streamOptions),
    cancel: (_person, id) => {
      jobs.cancel(id);
    },
  });
  const task = () =>
    tasks.run({ operation: "task", subject: "bee", input: {}, startedBy: "Ada", timeoutMs: 10_000 }, () =>
      shared.run(ada, request),
    );
  const stateOf = (index: number) => jobs.get(started[index]?.job_id ?? "").state;
  return { tasks, started, end, begin, task, stateOf, shared };
}

describe("a job that several tasks need", () => {
  it("is done once, and gives each of them what it gave", async () => {
    const { task, started, end } = household();
    const all = [task(), task()];
    await eventually(() => started.length > 0);
    end.resolve(undefined);
    for (const { finished } of all) expect(await finished).toMatchObject({ result: { hive_id: "hive:1" } });
    expect(started).toHaveLength(1);
  });

  it("goes on while one of them is left, and is cancelled with the last", async () => {
    const { task, tasks, started, stateOf } = household();
    const [one, other] = [task(), task()];
    await eventually(() => started.length > 0);
    tasks.cancel(one.job_id);
    expect((await one.finished).state).toBe("cancelled");
    expect(stateOf(0)).toBe("running");
    tasks.cancel(other.job_id);
    expect((await other.finished).state).toBe("cancelled");
    expect(stateOf(0)).toBe("cancelled");
  });

  it("is begun anew by who comes after it is over", async () => {
    const { task, started, end } = household();
    end.resolve(undefined);
    await task().finished;
    await task().finished;
    expect(started).toHaveLength(2);
  });
});
