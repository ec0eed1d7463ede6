import type { RbeeError } from "@rbee/contract";
import { beforeEach, describe, expect, it } from "vitest";
import { createWaitingRoom, type Seat, type SeatRequest, type WaitingRoom } from "./waiting-room.ts";

interface Worker {
  workerId: string;
  slots: number;
}

let workers: Worker[];
let running: Map<string, number>;
let clock: number;
let room: WaitingRoom<Worker>;

const nobody = new AbortController().signal;
const request = (userId: string, more: Partial<SeatRequest> = {}): SeatRequest => ({
  requestId: "r1",
  model: "bee",
  userId,
  userName: userId,
  lane: "interactive",
  cost: 100,
  avoid: new Set(),
  signal: nobody,
  ...more,
});

beforeEach(() => {
  workers = [{ workerId: "w1", slots: 1 }];
  running = new Map();
  clock = 0;
  const count = (id: string, by: number) => running.set(id, (running.get(id) ?? 0) + by);
  room = createWaitingRoom({
    open: (_model, avoid) =>
      workers
        .filter(({ workerId }) => !avoid.has(workerId))
        .map((worker) => ({
          worker,
          slots: worker.slots,
          freeSlots: worker.slots - (running.get(worker.workerId) ?? 0),
        })),
    enter: ({ workerId }) => {
      count(workerId, 1);
      return () => count(workerId, -1);
    },
    limit: 4,
    now: () => clock,
  });
});

async function seated(promise: Promise<Seat<Worker> | null>): Promise<Seat<Worker>> {
  const seat = await promise;
  if (seat === null) throw new Error("no worker was left");
  return seat;
}

describe("a waiting room", () => {
  it("gives a free slot at once", async () => {
    expect((await seated(room.seat(request("ann")))).worker.workerId).toBe("w1");
    expect(running.get("w1")).toBe(1);
  });

  it("never gives more seats than there are slots", async () => {
    const first = await seated(room.seat(request("ann")));
    const second = room.seat(request("ben"));
    expect(room.waiting()).toMatchObject([{ userId: "ben", position: 1, model: "bee", waitingSince: 0 }]);
    first.leave();
    await seated(second);
    expect(running.get("w1")).toBe(1);
    expect(room.waiting()).toEqual([]);
  });

  it("counts a seat that is left twice once", async () => {
    const seat = await seated(room.seat(request("ann")));
    seat.leave();
    seat.leave();
    expect(running.get("w1")).toBe(0);
  });

  it("serves people in turn, not whoever asks most", async () => {
    const first = await seated(room.seat(request("ann")));
    const order: string[] = [];
    const wait = async (userId: string, name: string) => {
      const seat = await seated(room.seat(request(userId, { cost: 200 })));
      order.push(name);
      seat.leave();
    };
    const all = [wait("ann", "ann 2"), wait("ann", "ann 3"), wait("ben", "ben 1")];
    first.leave();
    await Promise.all(all);
    expect(order.indexOf("ben 1")).toBeLessThan(2);
  });

  it("refuses when the queue is full, and says when to come back", async () => {
    const seat = await seated(room.seat(request("ann")));
    for (const userId of ["ben", "ben", "cleo", "cleo"]) void room.seat(request(userId));
    const refused = await room.seat(request("dan")).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "queue_full", details: { waiting: 4, limit: 4 } });
    expect((refused as RbeeError).retryAfterS).toBeGreaterThanOrEqual(1);
    seat.leave();
  });

  it("lets nobody fill the queue alone", async () => {
    await room.seat(request("ann"));
    for (let i = 0; i < 2; i++) void room.seat(request("ben"));
    await expect(room.seat(request("ben"))).rejects.toMatchObject({ code: "queue_full" });
    void room.seat(request("cleo"));
    expect(room.waiting().map(({ userId }) => userId)).toContain("cleo");
  });

  it("forgets who leaves while waiting", async () => {
    const seat = await seated(room.seat(request("ann")));
    const leaving = new AbortController();
    const gone = room.seat(request("ben", { signal: leaving.signal }));
    leaving.abort(new Error("left"));
    await expect(gone).rejects.toThrow("left");
    const next = room.seat(request("cleo"));
    seat.leave();
    await seated(next);
  });

  it("sends those who wait back to be placed when the last worker is gone", async () => {
    await room.seat(request("ann"));
    const waiting = room.seat(request("ben"));
    workers = [];
    room.look();
    expect(await waiting).toBeNull();
    expect(await room.seat(request("cleo"))).toBeNull();
  });

  it("uses a worker that has come meanwhile", async () => {
    await room.seat(request("ann"));
    const waiting = room.seat(request("ben"));
    workers.push({ workerId: "w2", slots: 1 });
    room.look();
    expect((await seated(waiting)).worker.workerId).toBe("w2");
  });

  it("does not give a request the worker that has just failed it", async () => {
    workers.push({ workerId: "w2", slots: 1 });
    expect((await seated(room.seat(request("ann", { avoid: new Set(["w1"]) })))).worker.workerId).toBe("w2");
    const other = room.seat(request("ben", { avoid: new Set(["w1"]) }));
    expect((await seated(room.seat(request("cleo")))).worker.workerId).toBe("w1");
    workers = workers.filter(({ workerId }) => workerId === "w1");
    room.look();
    expect(await other).toBeNull();
  });
});
