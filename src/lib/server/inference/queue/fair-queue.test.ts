import type { Lane } from "@rbee/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FairQueue, type Ticket } from "./fair-queue.ts";

const ticket = (userId: string, item: string, cost = 100, lane: Lane = "interactive"): Ticket<string> => ({
  userId,
  lane,
  cost,
  item,
});

function drain(queue: FairQueue<string>, count = Number.POSITIVE_INFINITY): Ticket<string>[] {
  const taken: Ticket<string>[] = [];
  while (taken.length < count) {
    const next = queue.take();
    if (next === undefined) return taken;
    taken.push(next);
  }
  return taken;
}

const items = (tickets: Ticket<string>[]) => tickets.map(({ item }) => item);

describe("a fair queue", () => {
  it("serves one person's requests in the order they came", () => {
    const queue = new FairQueue<string>();
    for (const item of ["a1", "a2", "a3"]) queue.push(ticket("ann", item));
    expect(items(drain(queue))).toEqual(["a1", "a2", "a3"]);
  });

  it("lets somebody with one request go before the rest of somebody's hundred", () => {
    const queue = new FairQueue<string>({ quantum: 100 });
    for (let i = 0; i < 100; i++) queue.push(ticket("ann", `a${i}`));
    queue.push(ticket("ben", "b0"));
    expect(items(drain(queue, 3))).toContain("b0");
  });

  it("shares tokens rather than requests: short requests go more often than long ones", () => {
    const queue = new FairQueue<string>({ quantum: 100 });
    for (let i = 0; i < 50; i++) {
      queue.push(ticket("long", `l${i}`, 1_000));
      queue.push(ticket("short", `s${i}`, 100));
    }
    const served = drain(queue, 33);
    expect(served.filter(({ userId }) => userId === "short").length).toBeGreaterThanOrEqual(27);
  });

  it("gives somebody of twice the weight twice the tokens", () => {
    const queue = new FairQueue<string>({ quantum: 100, weight: (userId) => (userId === "ann" ? 2 : 1) });
    for (let i = 0; i < 100; i++) for (const userId of ["ann", "ben"]) queue.push(ticket(userId, `${userId}${i}`));
    const served = drain(queue, 60);
    expect(served.filter(({ userId }) => userId === "ann")).toHaveLength(40);
  });

  it("serves batch only when nobody waits interactively", () => {
    const queue = new FairQueue<string>();
    queue.push(ticket("ann", "nightly", 100, "batch"));
    queue.push(ticket("ben", "now", 100_000));
    expect(items(drain(queue))).toEqual(["now", "nightly"]);
  });

  it("leaves out who cannot be served now, and keeps their place", () => {
    const queue = new FairQueue<string>();
    queue.push(ticket("ann", "a"));
    queue.push(ticket("ben", "b"));
    expect(queue.take(({ item }) => item !== "a")?.item).toBe("b");
    expect(queue.take()?.item).toBe("a");
  });

  it("lets those who cost more than expected wait for it, while others wait too", () => {
    const queue = new FairQueue<string>({ quantum: 100 });
    for (let i = 0; i < 20; i++) for (const userId of ["ann", "ben"]) queue.push(ticket(userId, `${userId}${i}`));
    const [first] = drain(queue, 1);
    expect(first?.userId).toBe("ann");
    queue.settle("ann", 100, 600);
    const next = drain(queue, 6).map(({ userId }) => userId);
    expect(next.filter((userId) => userId === "ann").length).toBeLessThanOrEqual(1);
  });

  it("forgets what was used while nobody waited", () => {
    const queue = new FairQueue<string>({ quantum: 100 });
    queue.push(ticket("ann", "alone"));
    drain(queue);
    queue.settle("ann", 100, 1_000_000);
    for (let i = 0; i < 4; i++) for (const userId of ["ann", "ben"]) queue.push(ticket(userId, `${userId}${i}`));
    expect(drain(queue, 2).map(({ userId }) => userId)).toContain("ann");
  });

  it("takes a ticket out when its owner gave up", () => {
    const queue = new FairQueue<string>();
    const given = ticket("ann", "a");
    queue.push(given);
    queue.push(ticket("ben", "b"));
    expect(queue.remove(given)).toBe(true);
    expect(queue.remove(given)).toBe(false);
    expect(items(drain(queue))).toEqual(["b"]);
  });
});

const requests = fc.array(
  fc.record({
    userId: fc.constantFrom("ann", "ben", "cleo", "dan"),
    cost: fc.integer({ min: 1, max: 3_000 }),
    lane: fc.constantFrom<Lane>("interactive", "batch"),
  }),
  { maxLength: 60 },
);

describe("whatever is asked", () => {
  it("every request is served exactly once, in the order that was foretold", () => {
    fc.assert(
      fc.property(requests, (asked) => {
        const queue = new FairQueue<string>();
        for (const [i, { userId, cost, lane }] of asked.entries()) queue.push(ticket(userId, String(i), cost, lane));
        const foretold = items(queue.order());
        const served = items(drain(queue));
        expect(served).toEqual(foretold);
        expect(new Set(served).size).toBe(asked.length);
        expect(queue.size).toBe(0);
      }),
    );
  });

  it("people who all wait get tokens within one turn and one request of each other", () => {
    const costs = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(fc.tuple(costs, costs, costs), fc.integer({ min: 1, max: 1_000 }), (lists, quantum) => {
        const queue = new FairQueue<string>({ quantum });
        for (const [user, list] of lists.entries())
          for (const [i, cost] of list.entries()) queue.push(ticket(String(user), `${user}.${i}`, cost));
        const tokens = [0, 0, 0];
        const left = [40, 40, 40];
        for (;;) {
          const next = queue.take();
          if (next === undefined) break;
          const user = Number(next.userId);
          tokens[user] = (tokens[user] ?? 0) + next.cost;
          left[user] = (left[user] ?? 0) - 1;
          if (left.some((count) => count === 0)) break;
          expect(Math.max(...tokens) - Math.min(...tokens)).toBeLessThanOrEqual(2 * (quantum + 2_000));
        }
      }),
    );
  });
});
