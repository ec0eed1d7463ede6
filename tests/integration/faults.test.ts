import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { disturbedChat, longChat } from "../support/chat-stream.ts";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { signIn } from "../support/people.ts";
import { isAlive } from "../support/process.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;
let hive: TestHive;

beforeAll(async () => {
  household = await startHousehold({ localHive: false });
  hive = await joinedHive(household, "attic");
});
afterAll(async () => {
  await hive.stop();
  await household.stop();
});

async function workerPid(): Promise<number> {
  const { data } = await hive.client().listWorkers();
  const pid = data.find(({ state }) => state === "ready" || state === "busy")?.pid;
  if (pid === undefined || pid === null) throw new Error(`no running worker in ${JSON.stringify(data)}`);
  return pid;
}

const hello = () =>
  household.admin.chat({
    body: { model: "bee-tiny", temperature: 0, messages: [{ role: "user", content: "Who are you?" }] },
    timeoutMs: 30_000,
  });

describe("a worker killed in the middle of an answer", () => {
  it("ends the stream with an error event, not with [DONE], and is started again", async () => {
    await hello();
    const pid = await workerPid();
    const { last, endedAfterMs } = await disturbedChat(household.admin, () => {
      process.kill(pid, "SIGKILL");
    });
    expect(last).toMatchObject({ kind: "error", error: { code: "worker_crashed" } });
    expect(endedAfterMs).toBeLessThan(3_000);
    const answer = await hello();
    expect(answer.choices[0]?.message.content).not.toBe("");
    expect(await workerPid()).not.toBe(pid);
    const rows = (await household.admin.listUsage()).data;
    expect(rows.map(({ error_code }) => error_code)).toContain("worker_crashed");
  });
});

describe("a hive killed in the middle of an answer", () => {
  it("ends the stream with an error event, leaves no worker behind, is seen as down, and serves again after its return", async () => {
    await hello();
    const pid = await workerPid();
    const { last } = await disturbedChat(household.admin, () => {
      process.kill(hive.process.pid, "SIGKILL");
    });
    expect(last.kind).toBe("error");
    await waitFor("the end of the orphaned worker", async () => !(await isAlive(pid)), { limitMs: 3_000 });
    const health = async () => (await household.fleet()).hives[0]?.health;
    await waitFor("the hive to be seen as degraded", async () => (await health()) === "degraded");
    await waitFor("the hive to be seen as down", async () => (await health()) === "down");
    await expect(hello()).rejects.toMatchObject({ code: "hive_down" });
    await hive.start();
    await household.readyHive("attic");
    expect((await hello()).choices[0]?.message.content).not.toBe("");
  });
});

describe("a client that leaves", () => {
  it("frees its slot within a second", async () => {
    await hello();
    const leaving = new AbortController();
    const stream = await longChat(household.admin, leaving.signal);
    await expect(
      (async () => {
        for await (const event of stream) if (event.kind === "chunk" && event.text !== "") leaving.abort();
      })(),
    ).rejects.toThrow();
    await waitFor(
      "a free slot",
      async () => (await hive.client().listWorkers()).data.every(({ slots_busy }) => slots_busy === 0),
      { limitMs: 1_000 },
    );
    await waitFor("the usage row of the client that left", async () =>
      (await household.admin.listUsage()).data.some(({ status }) => status === 499),
    );
  });
});

describe("a queen that restarts", () => {
  it("keeps sessions, keys and hives, and serves again without anybody's help", async () => {
    const cookie = await signIn(household);
    const key = await household.key("survivor");
    await household.restartQueen("SIGKILL");
    const me = await fetch(`${household.url}/v1/me`, { headers: { cookie } });
    expect(me.status).toBe(200);
    expect((await household.client(key).me()).name).toBe("Ada");
    await household.readyHive("attic");
    expect((await hello()).choices[0]?.message.content).not.toBe("");
  });
});
