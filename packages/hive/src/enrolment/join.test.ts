import { enrollRequestSchema } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { Identity } from "../identity.ts";
import { eventually } from "../testing/eventually.ts";
import { FakeQueen } from "../testing/fake-queen.ts";
import { temporaryFolder } from "../testing/fixture.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { recordedLog } from "../testing/recorded-log.ts";
import { join, joinDelayMs } from "./join.ts";

function newcomer(queenUrl: string) {
  const home = temporaryFolder();
  const identity = Identity.open(home);
  const clock = new ManualClock();
  const { log, lines } = recordedLog();
  const leaving = new AbortController();
  const joining = join({
    identity,
    queenUrl,
    joinToken: "a-join-token",
    name: "attic",
    port: 17_900,
    clock,
    log,
    signal: leaving.signal,
  });
  return { home, identity, clock, lines, leaving, joining };
}

const refusal = (code: string, message: string) => ({ error: { message, type: "x", param: null, code } });

describe("joining a household", () => {
  it("presents the join token and its own token, and stores where the queen is", async () => {
    const queen = await FakeQueen.start();
    queen.answer = { status: 201, body: { hive_id: "hive:00000000-0000-4000-8000-000000000000", name: "attic" } };
    const { joining, identity, home } = newcomer(queen.url);
    expect(await joining).toBe(true);
    expect(queen.received[0]?.path).toBe("/v1/hives/enroll");
    expect(enrollRequestSchema.parse(queen.received[0]?.body)).toEqual(
      expect.objectContaining({
        join_token: "a-join-token",
        hive_token: identity.hiveToken,
        name: "attic",
        port: 17_900,
      }),
    );
    expect(Identity.open(home).hasJoined(queen.url, "a-join-token")).toBe(true);
  });

  it("gives the queen's own reason when it is refused, and does not ask again", async () => {
    const queen = await FakeQueen.start();
    queen.answer = { status: 401, body: refusal("invalid_api_key", "This join token has expired.") };
    const { joining, identity } = newcomer(queen.url);
    await expect(joining).rejects.toThrow("This join token has expired.");
    expect(queen.received.length).toBe(1);
    expect(identity.queenUrl).toBeUndefined();
  });

  it("waits for a queen that does not answer yet, with one line in the log", async () => {
    const queen = await FakeQueen.start();
    await queen.close();
    const { joining, clock, lines } = newcomer(queen.url);
    for (const waitMs of [1_000, 2_000, 4_000]) {
      await eventually("it waits", () => clock.pending()[0] === waitMs);
      clock.advance(waitMs);
    }
    await eventually("it waits", () => clock.pending()[0] === 8_000);
    expect(lines.map(({ msg }) => msg)).toEqual([expect.stringContaining("Cannot join yet")]);
    await queen.listen();
    queen.answer = { status: 201, body: { hive_id: "hive:00000000-0000-4000-8000-000000000000", name: "attic" } };
    clock.advance(8_000);
    expect(await joining).toBe(true);
  });

  it("ends when the hive stops first", async () => {
    const queen = await FakeQueen.start();
    queen.answer = "never";
    const { joining, leaving } = newcomer(queen.url);
    await eventually("the request", () => queen.received.length === 1);
    leaving.abort();
    expect(await joining).toBe(false);
  });

  it("never waits longer than half a minute", () => {
    expect([1, 2, 5, 6, 50].map(joinDelayMs)).toEqual([1_000, 2_000, 16_000, 30_000, 30_000]);
  });
});
