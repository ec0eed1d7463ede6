import type { ModelSettings, PlacementExplanation } from "@rbee/contract";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { placeWith, type Place } from "../../test/executable.ts";
import { json, startSmallQueen, type SmallQueen } from "../../test/queen.ts";
import { explanationText } from "./explain.ts";

let queen: SmallQueen;
let place: Place;
beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  place = placeWith(queen);
});
afterAll(async () => {
  await queen.close();
  place.remove();
});

const settings: ModelSettings = {
  model: "bee-tiny",
  context_length: null,
  extend_context: false,
  slots: null,
  gpu_layers: null,
  flash_attention: null,
  kv_type: null,
  engine: null,
  idle_stop_s: 600,
  preload: false,
  pinned: false,
  aliases: ["helper"],
  across: [],
  trained_context_length: 1024,
  notes: [],
};

/** Answers a change with what it says, and keeps it. */
function serveSettings(notes: string[] = []): unknown[] {
  const changes: unknown[] = [];
  for (const name of ["bee-tiny", "helper"]) {
    queen.handlers.set(`GET /v1/models/${name}/settings`, json(200, settings));
    queen.handlers.set(`PATCH /v1/models/${name}/settings`, (_request, response, body) => {
      const change = JSON.parse(body) as Partial<ModelSettings>;
      changes.push(change);
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ ...settings, ...change, notes }));
    });
  }
  return changes;
}

describe("rbee model show", () => {
  it("says what was decided, and what is left to the hive", async () => {
    serveSettings();
    const { exitCode, out } = await place.rbee(["model", "show", "helper"]);
    expect(exitCode).toBe(0);
    expect(out).toContain("context          auto: as much as fits (trained for 1024)");
    expect(out).toContain("stops when idle  after 10 min");
    expect(out).toContain("other names      helper");
  });
});

describe("rbee model set", () => {
  it("changes what is named and nothing else; what is worth knowing goes to stderr", async () => {
    const changes = serveSettings(["1 worker runs now."]);
    const given = ["--context", "512", "--slots", "2", "--gpu-layers", "auto", "--idle", "never", "--no-preload"];
    const { exitCode, out, error } = await place.rbee(["model", "set", "bee-tiny", ...given]);
    expect([exitCode, out]).toEqual([0, ""]);
    expect(error).toContain("1 worker runs now.");
    expect(changes).toEqual([{ context_length: 512, slots: 2, gpu_layers: null, idle_stop_s: -1, preload: false }]);
  });

  it("leaves flash attention and the cache to the engine with auto", async () => {
    const changes = serveSettings();
    await place.rbee(["model", "set", "bee-tiny", "--kv-type", "q8_0", "--flash-attention", "off"]);
    await place.rbee(["model", "set", "bee-tiny", "--kv-type", "auto", "--flash-attention", "auto"]);
    await place.rbee(["model", "set", "bee-tiny", "--engine", "llama-server"]);
    await place.rbee(["model", "set", "bee-tiny", "--engine", "auto"]);
    expect(changes).toEqual([
      { flash_attention: false, kv_type: "q8_0" },
      { flash_attention: null, kv_type: null },
      { engine: "llama-server" },
      { engine: null },
    ]);
    expect((await place.rbee(["model", "set", "bee-tiny", "--kv-type", "q5_1"])).exitCode).toBe(2);
  });

  it("of nothing, or to what is no number, is wrong usage", async () => {
    const changes = serveSettings();
    for (const given of [[], ["--slots", "0"], ["--slots", "many"], ["--idle", "-5"]])
      expect((await place.rbee(["model", "set", "bee-tiny", ...given])).exitCode).toBe(2);
    expect(changes).toEqual([]);
  });
});

describe("rbee model pin, alias and unalias", () => {
  it("change one thing each and leave other names as they are", async () => {
    const changes = serveSettings();
    for (const given of [
      ["pin", "bee-tiny"],
      ["unpin", "bee-tiny"],
      ["alias", "bee-tiny", "fast"],
      ["unalias", "helper"],
    ])
      expect((await place.rbee(["model", ...given])).exitCode).toBe(0);
    expect(changes).toEqual([{ pinned: true }, { pinned: false }, { aliases: ["helper", "fast"] }, { aliases: [] }]);
    expect((await place.rbee(["model", "unalias", "bee-tiny"])).exitCode).toBe(2);
  });
});

describe("an explanation", () => {
  it("has the decision first, then every machine with its numbers and its reason", () => {
    const error = { message: "The file is damaged.", type: "server_error", param: null, code: "worker_spawn_failed" };
    const hive = {
      hive_id: "hive:00000000-0000-4000-8000-000000000000",
      health: "healthy" as const,
      chosen: false,
      backend: "cpu" as const,
      device: "cpu",
      need_mb: 1_240,
      have_mb: 300.4,
      context: { tokens: 8_192, why: "cpu" as const, message: "Attic gives 8192 tokens." },
      evicts: [],
      workers: [],
      breaker: null,
    };
    const explanation: PlacementExplanation = {
      model: "bee",
      decision: {
        kind: "evict",
        message: "A request has bee loaded on attic (cpu), after wasp, which has nothing to do, was stopped there.",
        hive_id: hive.hive_id,
        hive: "attic",
        backend: "cpu",
        device: "cpu",
        worker_id: null,
        evicts: [],
        error: null,
      },
      settings: {
        context_length: 512,
        slots: 2,
        gpu_layers: null,
        flash_attention: false,
        kv_type: "f16",
        engine: "llama-server",
        pinned: true,
        preload: true,
      },
      preload: { state: "failed", at: 0, error },
      hives: [
        {
          ...hive,
          name: "attic",
          verdict: "evict",
          chosen: true,
          reason: "Attic could make room.",
          evicts: [{ worker_id: "worker:w", model: "wasp", idle_s: 61 }],
        },
        {
          ...hive,
          name: "cellar",
          verdict: "failing",
          reason: "Loading failed.",
          breaker: { failures: 3, retry_at: 30_000, error },
        },
      ],
    };
    expect(explanationText(explanation, 0).split("\n")).toEqual([
      explanation.decision.message,
      "Settings: context 512, 2 slots, flash attention off, attention cache f16, on llama-server, pinned.",
      "At the start: failed: The file is damaged.",
      "",
      "   HIVE    VERDICT  DEVICE    NEEDS    FREE",
      ">  attic   evict    cpu     1240 MB  300 MB",
      "   cellar  failing  cpu     1240 MB  300 MB",
      "",
      "Attic could make room.",
      "  Attic gives 8192 tokens.",
      "  would stop worker:w (wasp, idle for 1 min)",
      "Loading failed.",
      "  Attic gives 8192 tokens.",
      "  the last 3 loads failed: The file is damaged. It is left alone for 30 s.",
    ]);
  });
});

describe("rbee model place", () => {
  const ids = ["1", "2"].map((digit) => `hive:00000000-0000-4000-8000-00000000000${digit}`);
  const serveHives = () => {
    const hives = ["attic", "cellar"].map((name, index) => ({
      ...{ hive_id: ids[index], name, enrolment: "join_token", address: null, health: "healthy", last_seen_at: 1 },
      ...{ version: "0.1.0", capabilities: null, node: null, workers: [], problem: null },
    }));
    const totals = { tokens_per_s: 0, requests_running: 0, requests_waiting: 0, jobs_running: 0 };
    const snapshot = { ts: 1, queen: { version: "0", started_at: 1, household: "Home" }, hives, models: [], totals };
    queen.handlers.set("GET /v1/fleet", json(200, snapshot));
  };

  it("spreads a model over the machines that are named, in that order, and lets it run on one again", async () => {
    serveHives();
    const changes = serveSettings(["cellar cannot take part yet: it has no llama-server."]);
    const { exitCode, error } = await place.rbee(["model", "place", "bee-tiny", "--across", "cellar, Attic"]);
    expect(exitCode).toBe(0);
    expect(error).toContain("bee-tiny is spread over cellar and attic");
    expect(error).toContain("cellar cannot take part yet");
    expect((await place.rbee(["model", "place", "bee-tiny", "--anywhere"])).exitCode).toBe(0);
    expect(changes).toEqual([{ across: [ids[1], ids[0]] }, { across: [] }]);
  });

  it("is wrong usage with one machine, an unknown one, both options or none", async () => {
    serveHives();
    const changes = serveSettings();
    for (const wrong of [
      ["--across", "attic"],
      ["--across", "attic,attic"],
      ["--across", "attic,garage"],
      ["--across", "attic,cellar", "--anywhere"],
      [],
    ])
      expect((await place.rbee(["model", "place", "bee-tiny", ...wrong])).exitCode).toBe(2);
    expect(changes).toEqual([]);
  });
});
