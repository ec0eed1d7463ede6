import { describe, expect, it } from "vitest";
import { exampleFleet, exampleHive, exampleModel, exampleNow as now, exampleWorker } from "./fleet-fixtures.ts";
import { headline } from "./headline.ts";

const other = exampleHive({ hive_id: "hive:00000000-0000-4000-8000-000000000002", name: "gaming-pc" });

describe("the sentence on Home", () => {
  it("says how a well household is", () => {
    const fleet = exampleFleet({
      hives: [exampleHive(), other],
      models: [exampleModel({ state: "loaded" }), exampleModel({ id: "b", state: "loaded" })],
      totals: { tokens_per_s: 41.3, requests_running: 1, requests_waiting: 0, jobs_running: 0 },
    });
    expect(headline(fleet, now)).toEqual({
      tone: "busy",
      text: "2 machines, all healthy. Two models ready. 41 tokens/s.",
    });
  });

  it("says that a model on disk loads by itself", () => {
    expect(headline(exampleFleet(), now).text).toBe(
      "1 machine, healthy. One model, loads when asked. Nothing running.",
    );
  });

  it("names the machine that stopped answering, since when, and where to look", () => {
    const down = { ...other, health: "down" as const, last_seen_at: now - 12_000 };
    expect(headline(exampleFleet({ hives: [exampleHive(), down] }), now)).toEqual({
      tone: "bad",
      text: "gaming-pc stopped answering 12 s ago.",
      remedy: {
        label: "Look at gaming-pc",
        href: "/machines/hive%3A00000000-0000-4000-8000-000000000002",
      },
    });
  });

  it("counts when several machines are down", () => {
    const hives = [exampleHive({ health: "down" }), { ...other, health: "down" as const }];
    expect(headline(exampleFleet({ hives }), now).text).toBe("2 of 2 machines stopped answering: desk, gaming-pc.");
  });

  it("puts a machine that is down before a failed model, and that before a late machine", () => {
    const failed = exampleHive({ workers: [exampleWorker({ state: "failed" })] });
    const late = { ...other, health: "degraded" as const, last_seen_at: now - 5_000 };
    expect(headline(exampleFleet({ hives: [failed, late] }), now).text).toBe("bee-tiny failed on desk.");
    expect(headline(exampleFleet({ hives: [failed, { ...late, health: "down" }] }), now).text).toContain(
      "stopped answering",
    );
    expect(headline(exampleFleet({ hives: [exampleHive(), late] }), now)).toMatchObject({
      tone: "warning",
      text: "gaming-pc answers late; last heard 5 s ago.",
    });
  });

  it("warns of memory that is nearly full, but not of memory that is unknown", () => {
    const node = { cpu_pct: 1, ram_used_mb: 15_900, ram_total_mb: 16_384, load1: 1, gpus: [] };
    expect(headline(exampleFleet({ hives: [exampleHive({ node })] }), now).text).toBe(
      "desk is almost out of memory (97% used).",
    );
    const unknown = { ...node, ram_used_mb: null };
    expect(headline(exampleFleet({ hives: [exampleHive({ node: unknown })] }), now).tone).toBe("good");
  });

  it("tells a household without machines or models what to do", () => {
    expect(headline(exampleFleet({ hives: [] }), now).remedy?.href).toBe("/machines/add");
    expect(headline(exampleFleet({ models: [] }), now).remedy?.href).toBe("/models");
  });

  it("shows how far a load is", () => {
    const fleet = exampleFleet({ models: [exampleModel({ state: "loading", load_progress: 0.42 })] });
    expect(headline(fleet, now)).toEqual({ tone: "busy", text: "1 machine, healthy. Loading bee-tiny, 42%." });
  });
});
