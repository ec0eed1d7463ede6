import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startHousehold, type Household } from "../support/household.ts";
import { projectRoot } from "../support/process.ts";
import { rbee } from "../support/rbee.ts";
import { waitFor } from "../support/wait-for.ts";

let household: Household;

beforeAll(async () => {
  household = await startHousehold({ env: { RBEE_WORKER_SLOTS: "2" } });
  await household.readyHive();
});
afterAll(() => household.stop());

interface Report {
  readonly hive: string;
  readonly worker_id: string;
  readonly backend: string;
  readonly slots: number;
  readonly prefill: { readonly prompt_tokens: number; readonly tokens_per_s: number; readonly ttft_ms: number };
  readonly decode: readonly { readonly streams: number; readonly tokens_per_s: number; readonly ttft_ms: number }[];
  readonly findings: readonly { readonly code: string; readonly message: string }[];
}

describe("rbee bench", () => {
  it("loads the model, measures reading and writing, and says what it found; as JSON for programs", async () => {
    const { exitCode, stdout, stderr } = await rbee(household, ["bench", "--model", "bee-tiny", "--json"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    const report = JSON.parse(stdout) as Report;
    const { hives } = await household.fleet();
    const worker = hives[0]?.workers.find(({ worker_id }) => worker_id === report.worker_id);
    expect(report).toMatchObject({ hive: hives[0]?.name, backend: worker?.backend, slots: 2 });
    // Half of the context of 1024 tokens is the most; how exactly words become tokens is the model's business.
    expect(report.prefill.prompt_tokens).toBeGreaterThan(16);
    expect(report.prefill.prompt_tokens).toBeLessThan(800);
    expect(report.prefill.tokens_per_s).toBeGreaterThan(1);
    expect(report.prefill.ttft_ms).toBeGreaterThan(0);
    const streams = report.decode.map((each) => each.streams);
    expect(streams).toContain(1);
    expect(streams).not.toContain(4);
    for (const { tokens_per_s } of report.decode) expect(tokens_per_s).toBeGreaterThan(1);
    const codes = report.findings.map(({ code }) => code);
    expect(codes).toEqual(expect.arrayContaining(["device", "memory_traffic", "slots"]));
  }, 120_000);

  it("is a table for people, of the machine that was named and no other", async () => {
    const [hive] = (await household.fleet()).hives;
    const { exitCode, stdout } = await rbee(household, ["bench", "--model", "bee-tiny", "--node", hive?.name ?? ""]);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^bee-tiny on .+, cpu.*; 2 slots of 1024 tokens of context each$/mu);
    expect(stdout).toMatch(/^write one answer +[\d.]+ +[\d.]+ +[\d.]+ m?s +\d+$/mu);
    const elsewhere = await rbee(household, ["bench", "--model", "bee-tiny", "--node", "cellar"]);
    expect([elsewhere.exitCode, elsewhere.stdout]).toEqual([1, ""]);
    expect(elsewhere.stderr).toContain("No machine cellar");
  }, 120_000);

  it("ends with what it asked when it is interrupted", async () => {
    const child = spawn(process.execPath, ["packages/cli/bin/rbee.js", "bench", "--model", "bee-tiny"], {
      cwd: projectRoot,
      env: {
        PATH: process.env["PATH"] ?? "",
        RBEE_HOME: household.home,
        RBEE_CONFIG_DIR: join(household.home, "config"),
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await waitFor("the first part", () => Promise.resolve(said.includes("reads prompts")));
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([130, null]);
    await waitFor("nothing is answered any more", async () =>
      (await household.fleet()).hives[0]?.workers.every(({ slots_busy }) => slots_busy === 0),
    );
  }, 60_000);
});
