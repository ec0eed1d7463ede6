import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { longChat } from "../support/chat-stream.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { wholeJob } from "../support/job-stream.ts";
import { invitedMember } from "../support/people.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;

beforeAll(async () => {
  household = await startHousehold({ env: { RBEE_WORKER_SLOTS: "1" } });
  await household.readyHive();
});
afterAll(() => household.stop());

/** Loads the model with the given settings and gives the worker's id. */
async function spawn(settings: { slots?: number; context_length?: number } = {}): Promise<string> {
  const { job_id } = await household.admin.startJob({
    body: { operation: "worker_spawn", model: "bee-tiny", ...settings },
  });
  const result = (await wholeJob(household.admin, job_id)).at(-1);
  if (result?.type !== "result" || result.status !== "succeeded") throw new Error(JSON.stringify(result));
  return String(result.data?.["worker_id"]);
}

async function stop(workerId: string): Promise<void> {
  const worker = (await household.admin.listWorkers()).data.find(({ worker_id }) => worker_id === workerId);
  if (worker !== undefined)
    await household.admin.stopWorker({ params: { id: worker.hive_id, worker_id: workerId }, timeoutMs: 60_000 });
}

describe("a worker", () => {
  it("is seen with its hive, answers when it is asked how it is, and its log outlives it", async () => {
    const { admin } = household;
    const id = await spawn({ slots: 2, context_length: 256 });
    const params = { id };
    const listed = await waitFor("its slots in a heartbeat", async () =>
      (await admin.listWorkers()).data.find((worker) => worker.worker_id === id && worker.slots_total === 2),
    );
    expect(listed).toMatchObject({ model: "bee-tiny", error: null, restarts: 0, hive: expect.any(String) as string });
    const check = await admin.workerHealth({ params });
    expect(check).toMatchObject({ problem: null, worker: { context_length: 256 }, hive_id: listed.hive_id });
    expect(check.answered_in_ms).not.toBeNull();

    const leaving = new AbortController();
    const followed = await admin.raw.workerLogs({ params, query: { follow: "true" }, signal: leaving.signal });
    const first = await followed.body?.getReader().read();
    expect(first?.value?.length).toBeGreaterThan(0);
    leaving.abort();
    const before = await admin.workerLogs({ params, query: { lines: 5_000 } });
    await stop(id);
    await waitFor("it is gone from the list", async () =>
      (await admin.listWorkers()).data.every(({ worker_id }) => worker_id !== id),
    );
    expect((await admin.workerLogs({ params, query: { lines: 5_000 } })).startsWith(before)).toBe(true);
    await expect(admin.workerHealth({ params })).rejects.toMatchObject({ code: "worker_not_found", status: 404 });
    await expect(admin.workerLogs({ params: { id: "worker:never" } })).rejects.toMatchObject({
      code: "worker_not_found",
    });
  });

  it("tells a member neither its log nor how it is", async () => {
    const member = household.client((await invitedMember(household, "Mia")).key);
    const params = { id: "worker:any" };
    for (const call of [member.workerLogs({ params }), member.workerHealth({ params })])
      await expect(call).rejects.toMatchObject({ code: "forbidden" });
    expect(Array.isArray((await member.listWorkers()).data)).toBe(true);
  });
});

describe("while all slots are busy", () => {
  const ask = (headers: Record<string, string>, address = "/v1/chat/completions") => {
    const body = JSON.stringify({
      ...{ model: "bee-tiny", stream: true, messages: [{ role: "user", content: "Hello" }] },
      max_tokens: 2,
    });
    const type = { "content-type": "application/json" };
    return fetch(`${household.url}${address}`, { method: "POST", headers: { ...type, ...headers }, body });
  };

  it("the queue shows who waits, in which lane, and who is answered; a key's lane holds unless the request says otherwise", async () => {
    const { admin } = household;
    await spawn();
    const { key: nightly } = await admin.createKey({ body: { name: "nightly", lane: "batch" } });
    const { key: usual } = await invitedMember(household, "Ben");
    const leaving = new AbortController();
    const worker = await waitFor("the worker", async () =>
      (await admin.listWorkers()).data.find(({ state }) => state === "ready"),
    );
    const listen = async (chat: ReturnType<typeof longChat>) => {
      for await (const _ of await chat);
    };
    // One slot, and one request that is there already when it becomes free.
    const first = longChat(admin, leaving.signal);
    await first;
    // Held in its tracks, so that no answer ends before everybody waits.
    process.kill(worker.pid ?? 0, "SIGSTOP");
    for (const chat of [first, longChat(admin, leaving.signal)]) void listen(chat).catch(() => {});
    await waitFor("both at the worker", async () => (await admin.queue()).running.length === 2);
    const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
    const waiting: Promise<Response>[] = [];
    const isIn = async (lane: string, count: number) => {
      await waitFor(`${count} in ${lane}`, async () => {
        const { data } = await admin.queue();
        return data.filter((entry) => entry.lane === lane).length === count;
      });
    };
    waiting.push(ask(bearer(nightly)));
    await isIn("batch", 1);
    // The long way, through SvelteKit.
    waiting.push(ask(bearer(nightly), "/v1/chat/completions?long-way"));
    await isIn("batch", 2);
    waiting.push(ask({ ...bearer(nightly), "x-rbee-lane": "interactive" }));
    await isIn("interactive", 1);
    waiting.push(ask(bearer(usual)));
    await isIn("interactive", 2);

    const seen = await admin.queue();
    expect(seen.data.map(({ lane }) => lane)).toEqual(["interactive", "interactive", "batch", "batch"]);
    expect(seen.data.every(({ request_id, waits_for }) => request_id !== null && waits_for === "slot")).toBe(true);
    expect(seen.running.length).toBeGreaterThan(0);
    expect(seen.running[0]).toMatchObject({ model: "bee-tiny", hive: expect.any(String) as string });
    const bens = await household.client(usual).queue();
    expect(bens.data.filter(({ mine }) => mine)).toMatchObject([{ user: "Ben", lane: "interactive" }]);
    expect(
      bens.data.filter(({ mine }) => !mine).every(({ user, request_id }) => user === null && request_id === null),
    ).toBe(true);
    process.kill(worker.pid ?? 0, "SIGCONT");
    leaving.abort();
    const answers = await Promise.all(waiting);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    await Promise.all(answers.map((answer) => answer.text()));
    await waitFor("an empty queue", async () => {
      const { data, running } = await admin.queue();
      return data.length === 0 && running.length === 0;
    });
  });
});
