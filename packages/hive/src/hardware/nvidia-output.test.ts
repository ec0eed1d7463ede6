import { describe, expect, it } from "vitest";
import { fixture } from "../testing/fixture.ts";
import { forgetLive, parseAppLine, parseMigList, parseQueryLine, toGpus } from "./nvidia-output.ts";

const cardsOf = (name: string) =>
  fixture(name)
    .split("\n")
    .map((line) => parseQueryLine(line))
    .filter((card) => card !== null);

describe("the output of nvidia-smi", () => {
  it("gives every figure of each of several cards", () => {
    expect(cardsOf("nvidia-query-two-cards.csv")).toEqual([
      {
        index: 0,
        uuid: "GPU-8b1f6f3e-5a0c-4c5e-9d3a-1f6f0a2b7c11",
        name: "NVIDIA GeForce RTX 4090",
        util_pct: 37,
        vram_used_mb: 5120,
        vram_total_mb: 24564,
        temp_c: 54,
        power_w: 181.42,
        compute_capability: "8.9",
      },
      expect.objectContaining({ index: 1, name: "NVIDIA GeForce RTX 3060", util_pct: 0, compute_capability: "8.6" }),
    ]);
  });

  it("leaves what a card does not report unknown", () => {
    expect(cardsOf("nvidia-query-unsupported.csv")).toEqual([
      expect.objectContaining({ util_pct: null, power_w: null, vram_used_mb: 64, temp_c: 41 }),
      expect.objectContaining({ util_pct: null, vram_used_mb: null, vram_total_mb: null, temp_c: null, power_w: null }),
    ]);
  });

  it("gives what each process holds on each card, and says unknown where the driver does not tell", () => {
    const appsOf = (name: string) =>
      fixture(name)
        .split("\n")
        .map((line) => parseAppLine(line))
        .filter((app) => app !== null)
        .map(({ pid, usedMb }) => [pid, usedMb]);
    expect(appsOf("nvidia-apps-two-cards.csv")).toEqual([
      [48213, 5098],
      [48213, 1310],
      [51877, 402],
    ]);
    expect(appsOf("nvidia-apps-unsupported.csv")).toEqual([[6120, null]]);
  });

  it("takes no card from lines that are not in its format", () => {
    expect(cardsOf("nvidia-garbage.txt")).toEqual([]);
  });

  it("understands a driver too old to know compute capabilities", () => {
    const line = "0, GPU-0e0e0e0e-1111-2222-3333-444455556666, Tesla K80, 3, 64, 11441, 41, 57.10";
    expect(parseQueryLine(line)).toEqual(expect.objectContaining({ name: "Tesla K80", compute_capability: null }));
  });

  it("offers the MIG slices of a card in its place, each visible to its worker alone", () => {
    const gpus = toGpus(cardsOf("nvidia-query-mig.csv"), parseMigList(fixture("nvidia-list-mig.txt")));
    expect(
      gpus.map(({ id, name, vram_total_mb, util_pct, worker_env }) => [id, name, vram_total_mb, util_pct, worker_env]),
    ).toEqual([
      [
        "cuda:0",
        "NVIDIA A100-SXM4-40GB MIG 3g.20gb",
        null,
        null,
        { CUDA_VISIBLE_DEVICES: "MIG-c7384736-a75d-5afc-978f-d2f1294409fd" },
      ],
      [
        "cuda:1",
        "NVIDIA A100-SXM4-40GB MIG 2g.10gb",
        null,
        null,
        { CUDA_VISIBLE_DEVICES: "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d" },
      ],
      [
        "cuda:2",
        "NVIDIA A100-SXM4-40GB",
        40960,
        12,
        { CUDA_VISIBLE_DEVICES: "GPU-1f2e3d4c-0000-1111-2222-333344445555" },
      ],
    ]);
  });

  it("forgets live figures, not what the card is", () => {
    const [card] = cardsOf("nvidia-query-two-cards.csv");
    if (card === undefined) throw new Error("the fixture has cards");
    expect(forgetLive(card)).toEqual({ ...card, util_pct: null, vram_used_mb: null, temp_c: null, power_w: null });
  });
});
