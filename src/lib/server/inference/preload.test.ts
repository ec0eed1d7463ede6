import { RbeeError, type Health } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import type { HiveState } from "#lib/server/hives/index.ts";
import { capabilities, eventually, heartbeat, hiveModel, silentLog } from "#lib/server/testing/index.ts";
import type { HiveView, Placement, WorkerView } from "./placement.ts";
import { createPreload } from "./preload.ts";

const refuse = (soon: boolean): Placement => ({
  ...{ kind: "refuse", reasons: ["cellar has not reported yet"], memory: undefined, soon },
  error: soon ? "model_loading" : "hive_down",
});
const loads = { kind: "load", hive: {} as HiveView, evicts: [] } as unknown as Placement;

/** Attic has a model's files, and shares it with cellar. */
function household() {
  const health: Record<string, Health> = { attic: "healthy", cellar: "starting" };
  const answers: Placement[] = [];
  let asked = 0;
  let loaded = 0;
  const hive = (name: string, models: string[]) =>
    ({
      ...{ hiveId: `hive:${name}`, name, health: health[name] },
      capabilities: capabilities(
        `hive:${name}`,
        models.map((id) => hiveModel(id)),
      ),
      heartbeat: heartbeat(`hive:${name}`),
    }) as unknown as HiveState;
  const preload = createPreload({
    hives: () => [hive("attic", ["big"]), hive("cellar", [])],
    models: () => ["big"],
    spreads: () => new Map([["big", ["hive:attic", "hive:cellar"]]]),
    place: () => {
      asked += 1;
      return answers.shift() ?? loads;
    },
    refusal: (_, { error }) => new RbeeError(error, "No."),
    returned: () => {},
    load: () => {
      loaded += 1;
      return Promise.resolve({} as WorkerView);
    },
    log: silentLog,
    now: () => 0,
  });
  return { preload, answers, health, asked: () => asked, loaded: () => loaded };
}

describe("a model that is spread, to be loaded at the start", () => {
  it("waits for a machine that is only just starting, and is loaded when that is there", async () => {
    const { preload, answers, asked, loaded } = household();
    answers.push(refuse(true), refuse(true));
    preload.look();
    expect(preload.state("big")).toMatchObject({ state: "waiting", error: null });
    preload.look();
    expect(preload.state("big")).toMatchObject({ state: "waiting" });
    preload.look();
    await eventually(() => preload.state("big")?.state === "loaded");
    expect([asked(), loaded()]).toEqual([3, 1]);
    preload.look();
    expect(asked()).toBe(3);
  });

  it("is tried again when a machine that shares it arrives, though that has no files of it", async () => {
    const { preload, answers, health, asked } = household();
    answers.push(refuse(false));
    preload.look();
    expect(preload.state("big")).toMatchObject({ state: "failed", error: { code: "hive_down" } });
    preload.look();
    expect(asked()).toBe(1);
    health["cellar"] = "healthy";
    preload.look();
    await eventually(() => preload.state("big")?.state === "loaded");
    expect(asked()).toBe(2);
  });
});
