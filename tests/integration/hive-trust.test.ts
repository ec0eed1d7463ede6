import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { joinedHive, type TestHive } from "../support/hive.ts";
import { startHousehold, type Household } from "../support/household.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;
let hive: TestHive;
let thief: Server;
let stolenBeats = 0;

beforeAll(async () => {
  thief = createServer((_, response) => {
    stolenBeats += 1;
    response.end('{"ok":true}');
  }).listen(0, "127.0.0.1");
  household = await startHousehold({ localHive: false });
  hive = await joinedHive(household, "cellar");
});
afterAll(async () => {
  await hive.stop();
  await household.stop();
  thief.close();
});

const lastSeen = async () => (await household.readyHive("cellar")).last_seen_at ?? 0;

it("a hive cannot be stolen by queen_url without its token", async () => {
  const thiefUrl = `http://127.0.0.1:${(thief.address() as AddressInfo).port}`;
  for (const token of [null, "x".repeat(43), `${hive.identity().hive_token.slice(0, -1)}!`]) {
    await expect(hive.client(token).capabilities({ query: { queen_url: thiefUrl } })).rejects.toMatchObject({
      status: 401,
    });
  }
  const before = await lastSeen();
  await waitFor("three more heartbeats at the right queen", async () => (await lastSeen()) >= before + 3_000);
  expect(stolenBeats).toBe(0);
  expect(hive.identity().queen_url).toBe(household.url);
});

it("with its token the same call moves the hive, and only one loop runs", async () => {
  const thiefUrl = `http://127.0.0.1:${(thief.address() as AddressInfo).port}`;
  await hive.client().capabilities({ query: { queen_url: thiefUrl } });
  await hive.client().capabilities({ query: { queen_url: thiefUrl } });
  await waitFor("heartbeats at the new address", () => stolenBeats > 0);
  const first = stolenBeats;
  const start = performance.now();
  await waitFor("four more heartbeats", () => stolenBeats >= first + 4);
  expect(performance.now() - start).toBeGreaterThan(2_500);
  await hive.client().capabilities({ query: { queen_url: household.url } });
  await household.readyHive("cellar");
});

it("an enrolled hive's id cannot be enrolled again with another token", async () => {
  const { token } = await household.admin.createJoinToken({ body: {} });
  const enroll = household.client().enrollHive({
    body: {
      join_token: token,
      hive_id: hive.identity().hive_id,
      hive_token: "x".repeat(43),
      name: "thief",
      version: "0",
      api_version: "v1",
      port: 1,
    },
  });
  await expect(enroll).rejects.toMatchObject({ code: "already_exists" });
  expect((await household.readyHive("cellar")).name).toBe("cellar");
});

it("a join token works once", async () => {
  const { token } = await household.admin.createJoinToken({ body: {} });
  const body = (n: number) => ({
    join_token: token,
    hive_id: `hive:00000000-0000-4000-8000-00000000000${n}`,
    hive_token: String(n).repeat(43),
    name: `machine ${n}`,
    version: "0",
    api_version: "v1",
    port: 7835,
  });
  await household.client().enrollHive({ body: body(1) });
  await expect(household.client().enrollHive({ body: body(2) })).rejects.toMatchObject({ code: "invalid_api_key" });
  await household.admin.removeHive({ params: { id: body(1).hive_id } });
});
