import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ChatAnswer, ChatRequest, QueenClient } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHousehold, type Household } from "../support/household.ts";
import { invitedMember } from "../support/people.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;
let ada: QueenClient;
let ben: QueenClient;
beforeAll(async () => {
  household = await startHousehold();
  await household.readyHive();
  const { key } = await invitedMember(household, "Ben");
  ben = household.client(key);
  ada = household.client(await household.key());
}, 60_000);
afterAll(() => household.stop());

type Messages = ChatRequest["messages"];
const opening: Messages = [
  { role: "system", content: `You are a bee. ${"The hive is warm and the flowers are open today. ".repeat(14)}` },
  { role: "user", content: "Who are you?" },
];

const ask = (who: QueenClient, messages: Messages): Promise<ChatAnswer> =>
  who.chat({ body: { model: "bee-tiny", temperature: 0, max_tokens: 40, messages }, timeoutMs: 60_000 });
const textOf = ({ choices }: ChatAnswer) => choices[0]?.message.content ?? "";
const cachedIn = ({ usage }: ChatAnswer) => usage?.prompt_tokens_details.cached_tokens ?? 0;
const next = (messages: Messages, answer: ChatAnswer, question: string): Messages => [
  ...messages,
  { role: "assistant", content: textOf(answer) },
  { role: "user", content: question },
];

const folder = () => join(household.home, "hive", "parked");
const parked = () => readdirSync(folder()).filter((name) => name.endsWith(".parked"));

async function stopWorkers(): Promise<void> {
  for (const { hive_id, workers } of (await household.fleet()).hives)
    for (const { worker_id } of workers) await household.admin.stopWorker({ params: { id: hive_id, worker_id } });
  await waitFor("no worker", async () => (await household.fleet()).hives.every(({ workers }) => workers.length === 0));
}

describe("a conversation whose worker was stopped", () => {
  it("goes on where it was: after a stop, after a restart of the household, and for nobody else", async () => {
    const first = await ask(ada, opening);
    await stopWorkers();
    expect(parked()).toHaveLength(1);
    expect(statSync(folder()).mode & 0o777).toBe(0o700);

    const turn2 = next(opening, first, "What is rbee?");
    // Ben asks the very same before Ada does: from disk it comes to her alone.
    const bens = await ask(ben, turn2);
    expect(cachedIn(bens)).toBe(0);
    await stopWorkers();
    const second = await ask(ada, turn2);
    expect(cachedIn(second)).toBeGreaterThanOrEqual((first.usage?.total_tokens ?? Number.NaN) - 2);
    expect(textOf(second)).toBe(textOf(bens));

    await household.restartQueen();
    await household.readyHive();
    const third = await ask(ada, next(turn2, second, "Hello"));
    expect(cachedIn(third)).toBeGreaterThanOrEqual((second.usage?.total_tokens ?? Number.NaN) - 2);
  }, 120_000);

  it("goes on when it was stopped since nobody had asked for a while, too", async () => {
    const settings = (idle_stop_s: number | null) =>
      household.admin.updateModelSettings({ params: { id: "bee-tiny" }, body: { idle_stop_s } });
    await settings(1);
    // Settings hold from the next worker on.
    await stopWorkers();
    const mine: Messages = [
      { role: "system", content: `You keep bees. ${"It rains today and everybody stays at home. ".repeat(14)}` },
      { role: "user", content: "How are you?" },
    ];
    const first = await ask(ada, mine);
    await waitFor("the worker to stop by itself", async () =>
      (await household.fleet()).hives.every(({ workers }) => workers.length === 0),
    );
    const second = await ask(ada, next(mine, first, "Hello"));
    expect(cachedIn(second)).toBeGreaterThanOrEqual((first.usage?.total_tokens ?? Number.NaN) - 2);
    await settings(null);
  });

  it("leaves no key and no word of it on disk", async () => {
    await stopWorkers();
    const words = "the flowers are open";
    expect(parked().length).toBeGreaterThan(0);
    for (const name of parked()) expect(readFileSync(join(folder(), name)).includes(words)).toBe(false);
    const logs = ["logs", join("hive", "logs")].map((path) => join(household.home, path));
    for (const path of logs)
      for (const name of readdirSync(path)) {
        const text = readFileSync(join(path, name), "utf8");
        expect(text).not.toContain(words);
        expect(text.toLowerCase()).not.toContain("x-rbee-parking-key");
      }
  });
});
