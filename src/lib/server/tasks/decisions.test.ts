import { describe, expect, it } from "vitest";
import { destinationOf, planOf, type Question } from "./decisions.ts";
import type { TaskHive, TaskHousehold } from "./household.ts";

const mb = 1024 * 1024;
const cpu = { id: "cpu", backend: "cpu" as const, vram_total_mb: null };
const gpu = { id: "cuda:0", backend: "cuda" as const, vram_total_mb: 2_000 };
const model = (id: string, reference: string | null = null, aliases: string[] = [], sizeMb = 4) => ({
  ...{ id, reference, aliases, size_bytes: sizeMb * mb, context_length: 1024, memory: null },
});
const told = (...models: ReturnType<typeof model>[]): NonNullable<TaskHive["told"]> => ({
  models,
  backends: ["cpu"],
  devices: [cpu],
  ram_total_mb: 8_000,
});
const hive = (name: string, change: Partial<TaskHive> = {}): TaskHive => ({
  hiveId: `hive:${name}`,
  name,
  health: "healthy",
  told: told(),
  served: [],
  machine: null,
  ...change,
});
const household = (hives: TaskHive[], machines: TaskHousehold["machines"] = []): TaskHousehold => ({ hives, machines });
const ask = (change: Partial<Question> = {}): Question => ({ model: "bee", ...change });

const destination = (question: Question, house: TaskHousehold) => {
  const found = destinationOf(question, house);
  if (found.kind === "refused") return found.soon ? "soon" : found.error.code;
  return found.kind === "hive" ? found.hive.name : found.kind === "machine" ? `machine ${found.name}` : found.kind;
};
const plan = (question: Question, house: TaskHousehold, only: string | null = null) => {
  const found = planOf(question, house, only);
  if (found.kind === "refused") return found.soon ? "soon" : found.error.code;
  if (found.kind === "fetch") return `fetch to ${found.hiveId ?? "any"}`;
  return `${found.model} at ${[...(found.where.hives ?? ["any"])].join(" or ")}`;
};

const bee = told(model("bee"));
const attic = hive("attic", { told: bee });
const stopped = (name: string, change: Partial<TaskHive> = {}) =>
  hive(name, { health: "down", told: bee, machine: name, ...change });

describe("where a task goes", () => {
  it("is the node it names, by id, name in any case, or the name it is registered under", () => {
    const house = household([attic, hive("Cellar", { machine: "pc-2" })], [{ name: "shed", target: "vince@shed" }]);
    const by = (node: string) => destination(ask({ node }), house);
    expect([by("hive:attic"), by("ATTIC"), by("cellar"), by("pc-2"), by("shed"), by("vince@shed")]).toEqual([
      ...["attic", "attic", "Cellar", "Cellar", "machine shed", "machine shed"],
    ]);
  });

  it("is refused for a node that does not exist, with those that do and what would create it", () => {
    const found = destinationOf(ask({ node: "roof" }), household([attic]));
    expect(found).toMatchObject({ kind: "refused", soon: false, error: { code: "node_not_found", param: "node" } });
    expect(found.kind === "refused" && found.error.suggestion).toMatch(/attic.*rbee hive install roof/u);
    const twins = household([hive("twin", { hiveId: "hive:1" }), hive("twin", { hiveId: "hive:2" })]);
    expect(destination(ask({ node: "twin" }), twins)).toBe("invalid_request");
  });

  it("is left to placement while somebody who is up has the model", () => {
    expect(destination(ask(), household([stopped("barn"), attic]))).toBe("any");
    expect(destination(ask(), household([hive("cellar", { health: "degraded", told: bee })]))).toBe("any");
  });

  it("is a stopped machine that has the model and can be started, when nobody else has it", () => {
    expect(destination(ask(), household([hive("cellar"), stopped("shed"), stopped("barn")]))).toBe("barn");
    expect(destination(ask(), household([hive("cellar"), stopped("shed", { machine: null })]))).toBe("hive_down");
  });

  it("waits for a hive that has not reported yet rather than starting another", () => {
    const starting = hive("cellar", { health: "starting", told: null });
    expect(destination(ask(), household([starting, stopped("barn")]))).toBe("soon");
    expect(destination(ask(), household([hive("cellar", { told: null })]))).toBe("soon");
  });

  it("is refused for a name that nobody has; a model of the hub can be fetched by whoever is up", () => {
    expect(destination(ask({ model: "wasp" }), household([attic]))).toBe("model_not_found");
    expect(destination(ask({ model: "hf:bees/wasp" }), household([attic]))).toBe("any");
    expect(destination(ask({ model: "hf:bees/wasp" }), household([hive("cellar", { health: "down" })]))).toBe(
      "hive_down",
    );
    expect(destination(ask({ model: "hf:bees/wasp" }), household([]))).toBe("hive_down");
  });

  it("is where the device is that it insists on, started if need be", () => {
    const withGpu = stopped("barn", { told: { ...bee, backends: ["cpu", "cuda"], devices: [cpu, gpu] } });
    expect(destination(ask({ backend: "cuda" }), household([stopped("shed"), withGpu]))).toBe("barn");
  });
});

describe("what a task needs", () => {
  it("is nothing but a worker where the model is; placement is free unless the task insists", () => {
    const house = household([attic, hive("cellar", { told: bee }), hive("shed")]);
    expect(plan(ask(), house)).toBe("bee at any");
    expect(plan(ask({ backend: "cpu" }), house)).toBe("bee at hive:attic or hive:cellar");
    expect(plan(ask(), house, "hive:cellar")).toBe("bee at hive:cellar");
  });

  it("knows a model by its aliases and by what it was downloaded as", () => {
    const house = household([hive("attic", { told: told(model("bee-q8", "hf:bees/bee:Q8_0", ["helper"])) })]);
    expect(plan(ask({ model: "helper" }), house)).toBe("bee-q8 at any");
    expect(plan(ask({ model: "hf:bees/bee:q8_0" }), house)).toBe("bee-q8 at any");
  });

  it("is the model, where the named hive does not have it and somebody else or the hub does", () => {
    const house = household([attic, hive("cellar")]);
    expect(plan(ask(), house, "hive:cellar")).toBe("fetch to hive:cellar");
    expect(plan(ask({ model: "hf:bees/wasp" }), house, "hive:cellar")).toBe("fetch to hive:cellar");
    expect(plan(ask({ model: "hf:bees/wasp" }), house)).toBe("fetch to any");
    expect(plan(ask({ model: "wasp" }), house, "hive:cellar")).toBe("model_not_found");
  });

  it("is the device it names or an error that lists what there is, never another device", () => {
    const withGpu = hive("barn", { told: { ...told(), backends: ["cpu", "cuda"], devices: [cpu, gpu] } });
    const unusable = hive("shed", { told: { ...bee, devices: [cpu, gpu] } });
    expect(plan(ask({ backend: "cuda" }), household([attic, unusable]))).toBe("backend_unavailable");
    expect(plan(ask({ device: "cuda:1" }), household([attic, withGpu]))).toBe("backend_unavailable");
    expect(plan(ask({ backend: "cuda" }), household([attic, withGpu]))).toBe("fetch to hive:barn");
    expect(plan(ask({ backend: "cuda" }), household([attic, withGpu]), "hive:attic")).toBe("backend_unavailable");
    const found = planOf(ask({ backend: "metal" }), household([attic, withGpu]), null);
    expect(found).toMatchObject({
      error: { details: { machines: { attic: ["cpu"], barn: ["cpu", "cuda:0"] } }, param: "backend" },
    });
  });

  it("is not brought to a machine that could never run it, as far as anybody knows the model", () => {
    const large = hive("attic", { told: told(model("whale", null, [], 6_000), model("seal", null, [], 3_000)) });
    const withGpu = hive("barn", {
      told: { ...told(), backends: ["cpu", "cuda"], devices: [cpu, gpu], ram_total_mb: 4_000 },
    });
    const house = household([large, withGpu]);
    const found = planOf(ask({ model: "whale" }), house, "hive:barn");
    expect(found).toMatchObject({
      error: { code: "insufficient_ram", details: { need_mb: 7_200, have_mb: 4_000 } },
    });
    expect(plan(ask({ model: "seal" }), house, "hive:barn")).toBe("fetch to hive:barn");
    expect(plan(ask({ model: "seal", backend: "cuda" }), house)).toBe("insufficient_vram");
  });

  it("waits for the named hive to report", () => {
    const house = household([attic, hive("cellar", { health: "starting", told: null })]);
    expect(plan(ask(), house, "hive:cellar")).toBe("soon");
    expect(plan(ask(), household([hive("cellar", { health: "down" })]), "hive:cellar")).toBe("hive_down");
  });
});
