import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { FleetHive, FleetSnapshot } from "@rbee/contract";
import Database from "better-sqlite3";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildStale } from "../../../../scripts/prepare.js";
import { placeWith, type Place } from "../../test/executable.ts";
import { json, startSmallQueen, type SmallQueen } from "../../test/queen.ts";
import { connectionTo } from "../connection/connect.ts";
import { programVersion } from "../program-root.ts";
import { databaseChecks } from "./database.ts";
import { findingsText } from "./doctor.ts";
import { findings, type Check, type Finding } from "./finding.ts";
import { folderChecks } from "./folders.ts";
import { gpuChecks } from "./gpus.ts";
import { askQueen, hiveChecks, localHiveChecks } from "./household.ts";
import { networkChecks, type NetworkFacts } from "./network.ts";
import { sshChecks } from "./ssh-files.ts";

let queen: SmallQueen;
let place: Place;
let hub: Server;
let hubUrl: string;

beforeAll(async () => {
  await buildStale({ only: ["cli"] });
  queen = await startSmallQueen();
  hub = createServer((request, response) => {
    response.writeHead(request.headers.authorization === "Bearer hf_wrong" ? 401 : 200).end("[]");
  });
  hub.listen(0, "127.0.0.1");
  await once(hub, "listening");
  hubUrl = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
});
afterAll(async () => {
  hub.closeAllConnections();
  hub.close();
  await queen.close();
});
beforeEach(() => {
  place = placeWith(queen);
  return () => {
    place.remove();
  };
});

/** What some checks find, by name. */
async function look(checks: readonly Check[]): Promise<(name: string) => Finding[]> {
  const found = (await Promise.all(checks.map(findings))).flat();
  return (name) => found.filter((finding) => finding.name === name);
}
const network = (change: Partial<NetworkFacts> = {}) =>
  networkChecks({
    ...{ queen: { port: 0, host: "127.0.0.1" }, hive: { port: 0, host: "127.0.0.1" }, running: false },
    ...{ hubUrl, hubToken: undefined, announce: false, agentSocket: undefined },
    ...change,
  });
const containing = (text: string) => expect.stringContaining(text) as string;
/** A port that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const hive = (change: Partial<FleetHive> = {}): FleetHive => ({
  ...{ hive_id: "hive:00000000-0000-4000-8000-000000000001", name: "attic", enrolment: "ssh", address: null },
  ...{ health: "healthy", last_seen_at: 1, version: programVersion(), node: null, workers: [], problem: null },
  capabilities: null,
  ...change,
});
const fleetOf = (...hives: FleetHive[]): FleetSnapshot => ({
  ...{ ts: 1, queen: { version: programVersion(), started_at: 0, household: "Home" }, models: [], hives },
  totals: { tokens_per_s: 0, requests_running: 0, requests_waiting: 0, jobs_running: 0 },
});
const connection = (url: string) => connectionTo(url, "t", true);

describe("rbee doctor", () => {
  it("before the first start finds nothing that fails, says how to mend the rest, and is exit code 0", async () => {
    const env = { RBEE_PORT: "0", RBEE_HIVE_PORT: "0", HF_ENDPOINT: hubUrl, RBEE_MDNS: "false" };
    const { exitCode, out, error } = await place.rbee(["doctor", "--json"], { home: place.nowhere, env });
    const found = JSON.parse(out === "" ? error : out) as Finding[];
    expect(found.filter(({ state }) => state === "fail")).toEqual([]);
    expect(exitCode).toBe(0);
    for (const name of ["Node", "engine", "data folder", "disk", "database", "hub", "ssh keys", "multicast", "queen"])
      expect(found.map((finding) => finding.name)).toContain(name);
    for (const { state, remedy } of found) expect(state === "ok" || (remedy ?? "").length > 5).toBe(true);
    const text = findingsText(found);
    expect(text).toMatch(/^● ok {4}Node {2,}/mu);
    expect(text).toMatch(/^◐ warn {2}queen {2,}does not run on this machine\n {10,}Start her with/mu);
  }, 30_000);

  it("with a setting that cannot be is exit code 1, and tells the rest all the same", async () => {
    const { exitCode, out } = await place.rbee(["doctor", "--json"], { home: place.nowhere, env: { RBEE_PORT: "x" } });
    expect(exitCode).toBe(1);
    const wrong = (JSON.parse(out) as Finding[]).filter(({ state }) => state === "fail");
    expect(wrong).toMatchObject([{ name: "settings", detail: containing("RBEE_PORT") }]);
  }, 30_000);

  it("is left by Ctrl-C in the middle of a look, exit code 130", async () => {
    const asked = Promise.withResolvers<undefined>();
    queen.handlers.set("GET /health", () => {
      asked.resolve(undefined);
    });
    const env = { RBEE_PORT: "0", RBEE_HIVE_PORT: "0", HF_ENDPOINT: hubUrl, RBEE_MDNS: "false" };
    const run = place.start(["doctor"], { env });
    await asked.promise;
    run.child.kill("SIGINT");
    expect(await run.ended).toEqual({ exitCode: 130, out: "", error: "" });
  }, 30_000);
});

describe("what the doctor finds wrong on this machine", () => {
  it("a database that is damaged, one without an administrator, and files that others can read", async () => {
    const home = join(place.home, "damaged");
    const hiveHome = join(home, "hive");
    mkdirSync(hiveHome, { recursive: true });
    chmodSync(home, 0o755);
    writeFileSync(join(home, "queen.db"), "not a database at all, but long enough to look like a file".repeat(20));
    writeFileSync(join(home, "queen.key"), "secret");
    chmodSync(join(home, "queen.key"), 0o644);
    const other = join(place.home, "other");
    mkdirSync(other);
    const db = new Database(join(other, "queen.db"));
    db.exec("create table users (role text)");
    db.close();
    const homes = { home, hiveHome };
    const of = await look([...folderChecks(homes), ...databaseChecks(homes)]);
    expect(of("database")).toMatchObject([{ state: "fail", remedy: containing("backup") }]);
    expect(of("hive's database")).toMatchObject([{ state: "ok" }]);
    expect(of("secret files")).toMatchObject([{ state: "fail", remedy: `Make it yours: chmod 600 ${home}/queen.key` }]);
    expect(of("data folder")).toMatchObject([{ state: "warn", remedy: `Make it yours: chmod 700 ${home}` }]);
    const sound = await look(databaseChecks({ home: other, hiveHome }));
    expect(sound("database")).toMatchObject([{ state: "ok" }]);
    expect(sound("administrator")).toMatchObject([{ state: "warn" }]);
  });

  it("a data folder that is none, and a port that another rbee has", async () => {
    const file = join(place.home, "file");
    writeFileSync(file, "");
    expect((await look(folderChecks({ home: file, hiveHome: place.home })))("data folder")).toMatchObject([
      { state: "fail", remedy: containing("RBEE_HOME") },
    ]);
    queen.handlers.set("GET /health", json(200, { status: "alive" }));
    const taken = { port: queen.port, host: "127.0.0.1" };
    const others = await look(network({ queen: taken }));
    expect(others("queen's port")).toMatchObject([
      { state: "fail", detail: containing("another rbee"), remedy: containing("RBEE_PORT") },
    ]);
    expect((await look(network({ queen: taken, running: true })))("queen's port")).toMatchObject([{ state: "ok" }]);
  });

  it("a hub that does not answer or does not take the token, and an agent that is gone; none of it fails", async () => {
    const agentSocket = "/nonexistent/agent";
    const gone = await look(network({ hubUrl: `http://127.0.0.1:${await closedPort()}`, agentSocket }));
    expect(gone("hub")).toMatchObject([{ state: "warn", detail: containing("ECONNREFUSED") }]);
    expect(gone("ssh agent")).toMatchObject([{ state: "warn" }]);
    const refused = await look(network({ hubToken: "hf_wrong" }));
    expect(refused("hub")).toMatchObject([{ state: "warn", detail: containing("HF_TOKEN") }]);
    expect(JSON.stringify(refused("hub"))).not.toContain("hf_wrong");
    expect((await look(network()))("hub")).toMatchObject([{ state: "ok" }]);
  });

  it("a graphics card whose driver fails, and one that the engine here may not be able to use", async () => {
    const tool = join(place.home, "nvidia-smi");
    const says = async (script: string) => {
      writeFileSync(tool, `#!/bin/sh\n${script}\n`);
      chmodSync(tool, 0o755);
      return (await look(gpuChecks(tool)))("NVIDIA GPU");
    };
    expect(await says("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18")).toMatchObject([
      { state: "warn", detail: containing("version mismatch"), remedy: containing("driver") },
    ]);
    const [found] = await says("echo 'NVIDIA GeForce RTX 3060, 550.54.14'");
    expect(found?.detail).toContain("RTX 3060, driver 550.54.14");
  });

  it("ssh keys that others can read", async () => {
    mkdirSync(join(place.home, ".ssh"));
    const key = join(place.home, ".ssh/id_old");
    writeFileSync(key, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    chmodSync(key, 0o644);
    expect((await look(sshChecks(place.home)))("ssh keys")).toMatchObject([
      { state: "warn", remedy: `Make them yours: chmod 600 ${key}` },
    ]);
  });

  it("something that cannot even be looked at", async () => {
    const broken: Check = {
      name: "disk",
      look: () => {
        throw new Error("input/output error");
      },
    };
    expect((await look([broken]))("disk")).toMatchObject([{ state: "warn", detail: containing("input/output error") }]);
  });
});

describe("what the doctor finds wrong in the household", () => {
  it("each hive with its own troubles and how to mend each; one that is down fails", async () => {
    const port = await closedPort();
    const error = { message: "It has no memory left.", type: "x", param: null, code: "insufficient_ram" };
    const gpu = {
      id: "cuda:0",
      backend: "cuda" as const,
      name: "RTX 3060",
      vram_total_mb: 12_288,
      compute_capability: "8.6",
    };
    const fleet = fleetOf(
      hive({ name: "attic", health: "down" }),
      hive({ name: "cellar", version: "0.0.1", address: `127.0.0.1:${port}` }),
      hive({
        name: "desk",
        problem: { message: "It speaks another protocol.", type: "x", param: null, code: "hive_version_mismatch" },
        capabilities: {
          ...{ hive_id: hive().hive_id, name: "desk", version: "1", build: null, os: "linux", arch: "x64" },
          ...{
            cpu: { model: null, cores: 4, threads: 8 },
            ram_total_mb: 1,
            disk_free_mb: 100,
            engines: [],
            engine_facts: [],
            models: [],
          },
          ...{ backends: ["cpu"], devices: [gpu], capabilities_rev: "1" },
        },
        workers: [
          {
            ...{ worker_id: "worker:a", model: "big", engine: "node-llama-cpp", backend: "cpu", device: "cpu" },
            ...{ state: "failed", pid: null, cpu_pct: null, rss_mb: null, vram_mb: null, uptime_s: 1 },
            ...{
              load_progress: null,
              slots_total: null,
              slots_busy: null,
              context_length: null,
              tokens_per_s: null,
              idle_s: null,
            },
            ...{ stops_in_s: null, queued: null, restarts: 0, error, context_length: null },
          },
        ],
      }),
    );
    const of = await look(hiveChecks(fleet));
    expect(of("hive attic")).toMatchObject([{ state: "fail", remedy: containing("rbee hive start attic") }]);
    expect(of("hive cellar").map(({ detail }) => detail)).toEqual([
      expect.stringContaining("runs rbee 0.0.1"),
      expect.stringContaining(`does not answer at 127.0.0.1:${port} from here`),
    ]);
    expect(of("hive desk").map(({ state, detail }) => `${state} ${detail}`)).toEqual([
      "fail It speaks another protocol.",
      expect.stringContaining("warn only 104.9 MB free"),
      "warn big failed: It has no memory left.",
      expect.stringContaining("warn RTX 3060 cannot be used"),
    ]);
  });

  it("a queen that does not answer, runs another version, has no administrator yet, or does not run at all", async () => {
    const gone = await askQueen(connection(`http://127.0.0.1:${await closedPort()}`));
    expect(gone).toMatchObject({ fleet: undefined, findings: [{ state: "fail" }] });
    queen.handlers.set("GET /health", json(200, { status: "alive", version: "0.0.1", ready: false }));
    expect((await askQueen(connection(queen.url))).findings.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "queen warn",
      "administrator warn",
    ]);
    expect((await askQueen(undefined)).findings).toMatchObject([{ state: "warn", remedy: containing("npm start") }]);
    queen.handlers.set("GET /health", json(200, { status: "alive", version: programVersion(), ready: true }));
    queen.handlers.set("GET /v1/fleet", json(200, fleetOf(hive())));
    expect(await askQueen(connection(queen.url))).toMatchObject({ findings: [{ state: "ok" }], fleet: { ts: 1 } });
  });

  it("the clock of a hive, and models of this machine that cannot be started", async () => {
    const late = createServer((request, response) => {
      const body =
        request.url === "/v1/models"
          ? {
              data: [
                {
                  ...{
                    id: "torn",
                    name: "torn",
                    size_bytes: 1,
                    quantization: null,
                    architecture: null,
                    parameters: null,
                  },
                  ...{
                    context_length: null,
                    has_chat_template: false,
                    state: "incomplete",
                    problem: "part 2 is missing",
                  },
                  ...{ provider: "folder", downloaded_at: null, last_used_at: null },
                },
              ],
            }
          : { status: "alive", version: "1", api_version: "v1", hive_id: hive().hive_id };
      response
        .writeHead(200, { date: new Date(Date.now() - 3_600_000).toUTCString(), "content-type": "application/json" })
        .end(JSON.stringify(body));
    });
    late.listen(0, "127.0.0.1");
    await once(late, "listening");
    const address = `127.0.0.1:${(late.address() as AddressInfo).port}`;
    mkdirSync(join(place.home, "hive"));
    writeFileSync(join(place.home, "hive/hive.json"), JSON.stringify({ hive_token: "t" }), { mode: 0o600 });
    const fleet = fleetOf(hive({ name: "here", enrolment: "local", address }));
    const local = { hiveHome: join(place.home, "hive"), isWanted: true, fleet, port: 0, running: true };
    const of = await look([...hiveChecks(fleet), ...localHiveChecks(local)]);
    expect(of("hive here")).toMatchObject([{ state: "warn", detail: "its clock is 1 h off" }]);
    expect(of("local hive")).toMatchObject([{ state: "ok" }]);
    expect(of("models")).toMatchObject([
      { state: "ok" },
      {
        state: "warn",
        detail: "torn is incomplete: part 2 is missing",
        remedy: containing("pull"),
      },
    ]);
    late.closeAllConnections();
    late.close();
  });
});
