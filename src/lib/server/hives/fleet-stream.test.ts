import type { FleetSnapshot, Role } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { testClock } from "#lib/server/testing/index.ts";
import { createFleetStream } from "./fleet-stream.ts";

function hub() {
  const clock = testClock();
  const taken: Role[] = [];
  const stream = createFleetStream({
    now: clock.now,
    history: () => ({ hives: {} }),
    snapshot(role): FleetSnapshot {
      taken.push(role);
      return {
        ts: clock.now(),
        queen: { version: "0", started_at: 0, household: role },
        hives: [],
        models: [],
        totals: { tokens_per_s: 0, requests_running: 0, requests_waiting: 0, jobs_running: 0 },
      };
    },
  });
  return { clock, stream, taken };
}

const eventsOf = (chunk: Uint8Array | undefined) => /event: (\w+)/u.exec(new TextDecoder().decode(chunk))?.[1];

describe("the fleet's stream", () => {
  it("begins with the history and the fleet, then sends what happens", async () => {
    const { stream } = hub();
    const reader = stream.open("admin", new AbortController().signal).getReader();
    stream.publish();
    stream.transition({ ts: 0, hive_id: "hive:x", name: "x", from: "healthy", to: "down" });
    const events = [];
    for (let n = 0; n < 4; n++) events.push(eventsOf((await reader.read()).value));
    expect(events).toEqual(["history", "fleet", "fleet", "transition"]);
  });

  it("encodes a state once for each role, not once a viewer", () => {
    const { stream, taken } = hub();
    const { signal } = new AbortController();
    for (let n = 0; n < 10; n++) stream.open(n % 2 === 0 ? "admin" : "member", signal);
    taken.length = 0;
    stream.publish();
    expect(taken.toSorted()).toEqual(["admin", "member"]);
  });

  it("leaves frames out for a slow viewer and drops one that takes nothing", async () => {
    const { stream, taken } = hub();
    const slow = stream.open("admin", new AbortController().signal);
    for (let n = 0; n < 70; n++) stream.publish();
    taken.length = 0;
    stream.publish();
    expect(taken).toEqual([]);
    let chunks = 0;
    for await (const _ of slow) chunks++;
    expect(chunks).toBe(4);
  });

  it("ends when the viewer leaves, and for everybody when the queen stops", async () => {
    const { stream } = hub();
    const leaving = new AbortController();
    const left = stream.open("admin", leaving.signal).getReader();
    const staying = stream.open("admin", new AbortController().signal).getReader();
    leaving.abort();
    await left.read();
    await left.read();
    expect((await left.read()).done).toBe(true);
    stream.close();
    await staying.read();
    await staying.read();
    expect((await staying.read()).done).toBe(true);
    expect((await stream.open("admin", new AbortController().signal).getReader().read()).done).toBe(true);
  });
});
