import { fileURLToPath } from "node:url";
import { hiveClient, RbeeError, type Capabilities, type HiveClient, type Worker } from "@rbee/contract";
import { onTestFinished } from "vitest";
import { createApp } from "../api/app.ts";
import { TokenGate } from "../api/authentication.ts";
import { Relay } from "../api/relay.ts";
import { HiveServer } from "../api/server.ts";
import { systemClock, type Clock } from "../clock.ts";
import type { Engine } from "../engines/engine.ts";
import { Engines } from "../engines/engines.ts";
import { ExternalServers } from "../engines/external/servers.ts";
import { nodeLlamaCpp } from "../engines/node-llama-cpp.ts";
import { HiveWorkers } from "../engines/workers.ts";
import type { CpuInventory } from "../hardware/cpu.ts";
import { Hardware, type Inventory } from "../hardware/index.ts";
import { makeHome, parkedFolder } from "../home.ts";
import { LoanTunnels } from "../api/loan-tunnels.ts";
import { HiveJobs } from "../jobs/hive-jobs.ts";
import { Loans } from "../loans/loans.ts";
import { openModels, type Models } from "../models/open.ts";
import { logPathIn } from "../log.ts";
import { RunFiles } from "../worker-process/run-files.ts";
import { Supervisor } from "../worker-process/supervisor.ts";
import type { WorkerNews } from "../worker-process/worker-news.ts";
import { temporaryFolder } from "./fixture.ts";
import { recordedLog, type LogLine } from "./recorded-log.ts";
import { simpleWorker } from "./simple-worker-path.ts";

export const shippedModels = fileURLToPath(new URL("../../../../models", import.meta.url));
export const token = "a".repeat(43);

export interface SmallHive {
  readonly home: string;
  readonly url: string;
  readonly supervisor: Supervisor;
  readonly workers: HiveWorkers;
  readonly models: Models;
  readonly jobs: HiveJobs;
  readonly loans: Loans;
  readonly lines: LogLine[];
  readonly client: HiveClient;
  /** Every address that the queen has named. */
  readonly named: string[];
  /** Starts a worker and waits until it has left `starting` and `loading`. */
  spawn(): Promise<Worker>;
}

export interface SmallHiveOptions {
  clock?: Clock;
  loadTimeoutMs?: number;
  idleStopS?: number;
  memoryLimitMb?: number;
  command?: readonly string[];
  /** More engines than the stand-in for ours. */
  engines?: readonly Engine[];
  home?: string;
  /** Addresses of servers that are not rbee's. */
  external?: readonly string[];
  hubUrl?: string;
  hubToken?: string;
  stallMs?: number;
  marginBytes?: number;
  /** Default false. */
  keepsConversations?: boolean;
  /** Hears where workers answer. */
  news?: WorkerNews;
  /** The path of `ggml-rpc-server`; none when left out. */
  computeServer?: () => Promise<string>;
  /** What the machine computes with; this one, and one thread for each worker, when left out. */
  processor?: CpuInventory;
}

/** This machine with another processor. */
class WithProcessor extends Hardware {
  readonly #processor: CpuInventory;

  constructor(processor: CpuInventory) {
    super([], import.meta.url);
    this.#processor = processor;
  }

  override async inventory(): Promise<Inventory> {
    return { ...(await super.inventory()), cpu: this.#processor };
  }
}

/** Supervisor, API and relay as they are in a hive, with stand-in workers that live as `life` says. */
export async function smallHive(life = "good", options: SmallHiveOptions = {}): Promise<SmallHive> {
  const home = options.home ?? temporaryFolder();
  makeHome(home);
  const { log, lines } = recordedLog();
  const clock = options.clock ?? systemClock;
  const models = openModels({
    home,
    folders: [`${home}/models`, shippedModels],
    hubUrl: options.hubUrl ?? "http://127.0.0.1:9",
    hubToken: options.hubToken,
    stallMs: options.stallMs ?? 60_000,
    marginBytes: options.marginBytes ?? 0,
    clock,
    log,
  });
  const { catalogue } = models;
  const { processor } = options;
  const hardware = processor === undefined ? new Hardware([], import.meta.url) : new WithProcessor(processor);
  const supervisor: Supervisor = new Supervisor({
    home,
    engines: new Engines([
      nodeLlamaCpp(options.command ?? [process.execPath, simpleWorker, life]),
      ...(options.engines ?? []),
    ]),
    hardware,
    catalogue,
    runFiles: new RunFiles(home),
    clock,
    log,
    slots: 2,
    // Nobody said how many where the processor is to decide.
    threads: processor === undefined ? 1 : undefined,
    loadTimeoutMs: options.loadTimeoutMs ?? 30_000,
    idleStopS: options.idleStopS ?? -1,
    memoryLimitMb: options.memoryLimitMb,
    news: options.news,
    loans: () => loans.promised(),
    self: { hive_id: "hive:00000000-0000-4000-8000-000000000000", name: "small" },
    speculation: "auto",
    parking:
      options.keepsConversations === true ? { folder: parkedFolder(home), limit_mb: 64, disk_margin_mb: 0 } : undefined,
    sharedMachine: true,
  });
  const loans: Loans = new Loans({
    home,
    program: options.computeServer ?? (() => Promise.reject(new RbeeError("backend_unavailable", "There is none."))),
    look: () => supervisor.lookForLoan(),
    clock,
    log,
  });
  supervisor.start();
  const external = new ExternalServers({
    targets: (options.external ?? []).map((address) => ({ url: address, name: null })),
    hiveId: "hive:00000000-0000-4000-8000-000000000000",
    clock,
    log,
  });
  external.start();
  const workers = new HiveWorkers(supervisor, external);
  const jobs = new HiveJobs({
    log,
    clock,
    models,
    supervisor,
    selfCheck: { home, hardware, catalogue, database: models.database },
  });
  const gate = new TokenGate(token);
  const named: string[] = [];
  const app = createApp({
    hiveId: "hive:00000000-0000-4000-8000-000000000000",
    gate,
    workers,
    log,
    capabilities: () => Promise.resolve({ hive_id: "hive:small" } as Capabilities),
    models,
    jobs,
    loans,
    logPath: logPathIn(home),
    reportTo: (queenUrl) => named.push(queenUrl),
  });
  const relay = new Relay({
    gate,
    log,
    address: (id) => workers.address(id),
    mayHaveParkingKey: (id) => workers.mayHaveParkingKey(id),
    diedOf: (id) => workers.diedOf(id),
  });
  const server = new HiveServer(app, relay, new LoanTunnels({ gate, loans }));
  const url = `http://127.0.0.1:${await server.listen("127.0.0.1", 0)}`;
  onTestFinished(async () => {
    loans.close();
    await Promise.all([supervisor.stopAll(0), jobs.stop()]);
    await server.close();
    await external.stop();
    await models.close();
  });
  const client = hiveClient({ baseUrl: url, token });
  const spawn = async () => {
    const { worker_id } = await client.spawnWorker({ body: { model: "bee-tiny" } });
    return client.getWorker({ params: { id: worker_id }, query: { wait_ms: 10_000 } });
  };
  return { home, url, supervisor, workers, models, jobs, loans, lines, client, named, spawn };
}
