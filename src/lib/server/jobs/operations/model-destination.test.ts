import type { ModelMemoryFacts } from "@rbee/contract";
import { describe, expect, it } from "vitest";
import { chooseDestination, type DestinationView, type ModelNeeds } from "./model-destination.ts";

const mb = 1024 * 1024;
type Machine = NonNullable<DestinationView["machine"]>;
const machine = (disk_free_mb: number | null, ram_total_mb = 16_000, vram?: number | null): Machine => ({
  disk_free_mb,
  ram_total_mb,
  devices:
    vram === undefined
      ? []
      : [{ id: "cuda:0", backend: "cuda", name: "GPU", vram_total_mb: vram, compute_capability: null }],
});
const hive = (name: string, fields: Partial<DestinationView> = {}): DestinationView => ({
  ...{ hiveId: `hive:${name}`, name, health: "healthy", machine: machine(50_000), hasModel: false },
  ...fields,
});
const facts: ModelMemoryFacts = {
  ...{ layers: 32, embedding_length: 4_096, feed_forward_length: 11_008, vocabulary_size: 32_000 },
  ...{ cache_values_per_token: 65_536, windowed_cache_values_per_token: 0, window: null, recurrent_values: 0 },
};
const model = (sizeMb: number, memory: ModelMemoryFacts | null = null): ModelNeeds => ({
  ...{ size_bytes: sizeMb * mb, context_length: 8_192, memory },
});
const chosen = (hives: DestinationView[], needs: ModelNeeds = null) => {
  const choice = chooseDestination(hives, needs);
  return choice.kind === "chosen" ? choice.name : choice.error;
};

describe("where a model goes", () => {
  it("is the healthy machine with the most disk free, whatever order they come in", () => {
    const hives = [
      hive("small", { machine: machine(1_000) }),
      hive("silent", { machine: machine(null) }),
      hive("large", { machine: machine(90_000) }),
      hive("shaky", { machine: machine(900_000), health: "degraded" }),
      hive("gone", { machine: machine(900_000), health: "down" }),
    ];
    expect(chosen(hives)).toBe("large");
    expect(chosen(hives.toReversed())).toBe("large");
  });

  it("is where it lies already, even when there is more room elsewhere", () => {
    expect(chosen([hive("large"), hive("small", { machine: machine(10), hasModel: true })])).toBe("small");
    expect(chosen([hive("large"), hive("small", { hasModel: true, health: "down" })])).toBe("large");
  });

  it("is no machine whose disk is too small for what is known to come", () => {
    const hives = [hive("one", { machine: machine(900) }), hive("two", { machine: machine(800) })];
    expect(chosen(hives)).toBe("one");
    expect(chosen(hives, model(850))).toBe("one");
    expect(chosen(hives, model(901))).toBe("insufficient_disk");
  });

  it("is a machine that can run it, in main memory or on a GPU; a GPU that cannot be read counts", () => {
    const low = hive("low", { machine: machine(90_000, 4_000) });
    expect(chosen([low, hive("high", { machine: machine(20_000, 16_000) })], model(5_000))).toBe("high");
    expect(chosen([low, hive("gpu", { machine: machine(20_000, 4_000, 8_000) })], model(5_000))).toBe("gpu");
    expect(chosen([low, hive("gpu", { machine: machine(20_000, 4_000, null) })], model(5_000))).toBe("gpu");
    expect(chosen([low], model(5_000))).toBe("insufficient_ram");
  });

  it("counts the context's memory too, where the header told of it", () => {
    const hives = [hive("tight", { machine: machine(50_000, 4_500) })];
    expect(chosen(hives, model(3_600))).toBe("tight");
    expect(chosen(hives, model(3_600, facts))).toBe("insufficient_ram");
  });

  it("is said with a reason for every machine, and a refusal says whether waiting helps", () => {
    const hives = [
      hive("attic", { health: "down" }),
      hive("cellar", { machine: null, health: "starting" }),
      hive("desk", { machine: machine(100) }),
    ];
    const refused = chooseDestination(hives, model(200));
    expect(refused).toMatchObject({ kind: "refused", error: "insufficient_disk", soon: true });
    expect(refused.reasons).toHaveLength(3);
    expect(refused.reasons).toEqual(
      expect.arrayContaining([
        "attic is down",
        "cellar has not reported yet",
        "desk has 100 MB of disk free, the model takes 200 MB",
      ]),
    );
    expect(chooseDestination([], null)).toMatchObject({ kind: "refused", error: "node_not_found", soon: false });
  });
});
