import { execFileSync } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { disturbedChat } from "../support/chat-stream.ts";
import { freeze, thawAll } from "../support/frozen.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { isAlive } from "../support/process.ts";
import { runningWorker } from "../support/running-worker.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;

beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
});
afterEach(thawAll);
afterAll(async () => {
  await household.stop();
});

const hello = () =>
  household.admin.chat({
    body: { model: "bee-tiny", temperature: 0, messages: [{ role: "user", content: "Who are you?" }] },
    timeoutMs: 30_000,
  });

async function workerPid(): Promise<number> {
  const { pid } = await runningWorker(household);
  if (pid === null) throw new Error("the worker has no process");
  return pid;
}

/** The hive is what started the worker. */
const hivePid = (worker: number) =>
  Number(execFileSync("ps", ["-o", "ppid=", "-p", String(worker)], { encoding: "utf8" }));

describe("a worker of the queen's own machine", () => {
  it("answers chats without its hive in between", async () => {
    const before = await hello();
    freeze(hivePid(await workerPid()));
    const answer = await hello();
    expect(answer.choices[0]?.message.content).toBe(before.choices[0]?.message.content);
  });

  it("killed in the middle of an answer ends it with what its hive says of it, and is started again", async () => {
    await hello();
    const pid = await workerPid();
    const { last, endedAfterMs } = await disturbedChat(household.admin, () => {
      process.kill(pid, "SIGKILL");
    });
    expect(last).toMatchObject({
      kind: "error",
      error: { code: "worker_crashed", message: expect.stringContaining("SIGKILL") as string },
    });
    expect(endedAfterMs).toBeLessThan(3_000);
    expect((await hello()).choices[0]?.message.content).not.toBe("");
    expect(await workerPid()).not.toBe(pid);
  });

  it("that dies before it has said anything leaves the request to the one that is started after it", async () => {
    await hello();
    const pid = await workerPid();
    freeze(pid);
    const answer = hello();
    await waitFor("the request to be at the worker", async () => (await household.admin.queue()).running.length === 1);
    process.kill(pid, "SIGKILL");
    expect((await answer).choices[0]?.message.content).not.toBe("");
    expect(await workerPid()).not.toBe(pid);
  });

  it("that is stopped answers to the end what it was asked, and the next one goes to a new worker", async () => {
    await hello();
    const { worker_id, pid } = await runningWorker(household);
    const { hives } = await household.fleet();
    const hiveId = hives[0]?.hive_id ?? "";
    let stopped: Promise<unknown> | undefined;
    const { last } = await disturbedChat(household.admin, () => {
      stopped = household.admin.stopWorker({ params: { id: hiveId, worker_id }, timeoutMs: 40_000 });
    });
    expect(last.kind).toBe("done");
    await stopped;
    expect((await hello()).choices[0]?.message.content).not.toBe("");
    expect(await workerPid()).not.toBe(pid);
  });

  it("ends its answer with an error event when its hive is killed, and both are back soon", async () => {
    await hello();
    const pid = await workerPid();
    const { last } = await disturbedChat(household.admin, () => {
      process.kill(hivePid(pid), "SIGKILL");
    });
    expect(last).toMatchObject({ kind: "error", error: { code: "hive_unreachable" } });
    await waitFor("the end of the orphaned worker", async () => !(await isAlive(pid)), { limitMs: 3_000 });
    await waitFor("an answer of the hive that was started again", () =>
      hello().then(
        ({ choices }) => choices[0]?.message.content,
        () => undefined,
      ),
    );
  });
});
