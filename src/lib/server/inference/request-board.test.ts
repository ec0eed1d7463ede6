import { queueSchema } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { person } from "#lib/server/testing/index.ts";
import type { Waiter } from "./queue/index.ts";
import { createRequestBoard } from "./request-board.ts";

const ann = person("member", "ann");
const ben = person("member", "ben");
const admin = person("admin", "ada");

function board() {
  let clock = 0;
  const made = createRequestBoard(() => clock);
  const post = (requestId: string, whose = ann, model = "bee") => {
    made.post({ requestId, person: whose, model, lane: "interactive", ending: new AbortController() });
  };
  const see = (whose = ann, waiters: Waiter[] = []) => queueSchema.parse(made.view(whose, waiters, () => "desk"));
  return { ...made, post, see, pass: (ms: number) => (clock += ms) };
}

const waiter = (requestId: string, position: number, whose = ann): Waiter => ({
  requestId,
  model: "bee",
  lane: "batch",
  userId: whose.user.id,
  userName: whose.user.name,
  position,
  waitingSince: 0,
});

describe("the board of requests", () => {
  it("shows a request where it is: waiting for its model, then for its turn, then answered, then gone", () => {
    const { post, see, at, remove, pass } = board();
    post("r1");
    pass(2_000);
    expect(see().data).toMatchObject([{ request_id: "r1", waits_for: "model", position: 1, waiting_s: 2 }]);
    expect(see(ann, [waiter("r1", 3)])).toMatchObject({
      data: [{ waits_for: "slot", position: 3, waiting_s: 2, lane: "batch" }],
      running: [],
    });
    at("r1", "hive:1");
    pass(500);
    expect(see()).toMatchObject({ data: [], running: [{ request_id: "r1", hive: "desk", running_s: 0.5 }] });
    // Its worker died, and it waits again.
    expect(see(ann, [waiter("r1", 1)])).toMatchObject({ data: [{ waits_for: "slot" }], running: [] });
    remove("r1");
    expect(see()).toEqual({ data: [], running: [] });
  });

  it("keeps requests apart that clients gave the same name", () => {
    const { post, free, see } = board();
    expect(free("mine")).toBe("mine");
    post("mine");
    const other = free("mine");
    expect(other).toMatch(/^mine~/u);
    post(other);
    expect(see().data).toHaveLength(2);
  });

  it("tells a member of others only that they are there, and an administrator whose they are", () => {
    const { post, see, at } = board();
    post("a", ann);
    post("b", ben);
    post("c", ben);
    at("c", "hive:1");
    const shown = see(ann);
    expect(shown.data.map(({ request_id, user, mine }) => [request_id, user, mine])).toEqual([
      ["a", "ann", true],
      [null, null, false],
    ]);
    expect(shown.running).toMatchObject([{ request_id: null, user: null, mine: false }]);
    expect(see(admin).data.map(({ request_id, user }) => [request_id, user])).toEqual([
      ["a", "ann"],
      ["b", "ben"],
    ]);
  });

  it("counts places by model, those in turn first", () => {
    const { post, see } = board();
    post("late");
    post("other", ann, "wasp");
    const { data } = see(ann, [waiter("r1", 1, ben), waiter("r2", 2, ben)]);
    expect(data.map(({ model, position }) => `${model} ${position}`)).toEqual(["bee 1", "bee 2", "bee 3", "wasp 1"]);
  });
});
