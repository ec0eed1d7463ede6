import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { processStartedAt } from "../hardware/processes.ts";
import { makeHome } from "../home.ts";
import { eventually } from "../testing/eventually.ts";
import { temporaryFolder } from "../testing/fixture.ts";
import { recordedLog } from "../testing/recorded-log.ts";
import { pruneLogs, readLogLines, WorkerLogFile } from "./log-file.ts";
import { RunFiles } from "./run-files.ts";

describe("a worker's log", () => {
  it("never takes more than twice its bound, and keeps the latest lines readable over the turn", () => {
    const path = join(temporaryFolder(), "w.log");
    const log = new WorkerLogFile(path, 1_000);
    for (let line = 0; line < 100; line += 1) log.write(`line ${line} ${"x".repeat(40)}\n`);
    log.close();
    expect(statSync(path).size).toBeLessThanOrEqual(1_000);
    expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(1_000);
    const lines = readLogLines(path, 25).trim().split("\n");
    expect(lines.length).toBe(25);
    expect(lines.at(-1)).toContain("line 99");
    expect(readLogLines(join(temporaryFolder(), "none.log"), 5)).toBe("");
  });

  it("survives words that come after its end", () => {
    const log = new WorkerLogFile(join(temporaryFolder(), "w.log"));
    log.close();
    log.close();
    log.write("too late");
  });

  it("is removed when fifty later workers have one", () => {
    const folder = temporaryFolder();
    for (let index = 0; index < 60; index += 1) writeFileSync(join(folder, `worker-${index}.log`), "");
    writeFileSync(join(folder, "hive.log"), "");
    pruneLogs(folder);
    expect(readdirSync(folder).length).toBe(51);
  });
});

describe("the sockets of workers", () => {
  it("lie in the hive's folder, or in a private one where that path would be too long", () => {
    const home = temporaryFolder();
    expect(new RunFiles(home).socketPath("worker-1")).toBe(join(home, "run", "worker-1.sock"));
    const deep = new RunFiles(join(home, "x".repeat(100)));
    const path = deep.socketPath("worker-1");
    expect(Buffer.byteLength(path)).toBeLessThan(100);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    deep.close();
    expect(existsSync(dirname(path))).toBe(false);
  });
});

describe("what a killed hive left behind", () => {
  it("is ended when it really is ours, and left alone when only the number is the same", async () => {
    const home = temporaryFolder();
    makeHome(home);
    const ours = spawn("sleep", ["60"]);
    const stranger = spawn("sleep", ["60"]);
    const files = new RunFiles(home);
    files.record("worker-ours", ours.pid ?? 0, join(home, "run", "worker-ours.sock"));
    writeFileSync(
      join(home, "run", "worker-old.json"),
      JSON.stringify({ pid: stranger.pid, started_at: "another boot/7", socket_path: "/x" }),
    );
    writeFileSync(join(home, "run", "worker-ours.sock"), "");
    mkdirSync(join(home, "run", "odd"));
    writeFileSync(join(home, "run", "broken.json"), "{");
    const { log, lines } = recordedLog();
    new RunFiles(home).endLeftovers(log);
    await eventually("ours is gone", () => ours.signalCode === "SIGKILL");
    expect(processStartedAt(stranger.pid ?? 0)).not.toBeNull();
    expect(readdirSync(join(home, "run"))).toEqual([]);
    expect(lines.length).toBe(1);
    stranger.kill("SIGKILL");
  });
});
