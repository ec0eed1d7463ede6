import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import type { Capabilities, Heartbeat } from "@rbee/contract";
import { Announcement } from "./announcement/announcement.ts";
import { createApp } from "./api/app.ts";
import { TokenGate } from "./api/authentication.ts";
import { Relay } from "./api/relay.ts";
import { LoanTunnels } from "./api/loan-tunnels.ts";
import { HiveServer } from "./api/server.ts";
import { systemClock } from "./clock.ts";
import type { HiveConfig } from "./config.ts";
import { Engines } from "./engines/engines.ts";
import { LlamaServer } from "./engines/llama-server/llama-server.ts";
import { nodeLlamaCpp } from "./engines/node-llama-cpp.ts";
import { join as joinHousehold } from "./enrolment/join.ts";
import { ExternalServers } from "./engines/external/servers.ts";
import { targetsOf } from "./engines/external/targets.ts";
import { HiveWorkers } from "./engines/workers.ts";
import { gpuSources, Hardware } from "./hardware/index.ts";
import { readDiskFreeMb } from "./hardware/memory.ts";
import { HeartbeatLoop } from "./heartbeat/loop.ts";
import { httpSender, type HeartbeatSender } from "./heartbeat/sender.ts";
import { lockHome, makeHome, parkedFolder } from "./home.ts";
import { Identity } from "./identity.ts";
import { HiveJobs } from "./jobs/hive-jobs.ts";
import { computeProgram } from "./loans/compute-program.ts";
import { Loans } from "./loans/loans.ts";
import { describeModel } from "./models/describe.ts";
import { openModels, type Models } from "./models/open.ts";
import { logPathIn, openLog, type Logger } from "./log.ts";
import { ParkedExpiry } from "./parked/expiry.ts";
import { Sampler } from "./telemetry/sampler.ts";
import { build, version } from "./version.ts";
import { RunFiles } from "./worker-process/run-files.ts";
import { Supervisor } from "./worker-process/supervisor.ts";
import type { WorkerNews } from "./worker-process/worker-news.ts";

/** Heartbeats look into the model folders this often, so that the queen learns of a file that somebody put there. */
const rescanAfterMs = 10_000;

/** The composition root: everything a hive is made of, started and stopped in order. */
export class Hive {
  readonly port: number;
  readonly identity: Identity;
  readonly #config: HiveConfig;
  readonly #log: Logger;
  readonly #parts: Parts;
  readonly #leaving = new AbortController();
  #stopping: Promise<void> | undefined;

  private constructor(config: HiveConfig, port: number, parts: Parts) {
    this.#config = config;
    this.port = port;
    this.identity = parts.identity;
    this.#log = parts.log;
    this.#parts = parts;
  }

  /**
   * Takes the hive's folder, finds out what the machine has, and listens. `news` hears where workers answer.
   * @throws {HomeError} when the folder cannot be used or another hive uses it.
   * @throws {ListenError} when the port cannot be had.
   */
  static async start(config: HiveConfig, news?: WorkerNews): Promise<Hive> {
    const { home, host, port } = config.settings;
    makeHome(home);
    const unlock = lockHome(home);
    let parts: Parts | undefined;
    try {
      parts = await assemble(config, unlock, news);
      parts.supervisor.start();
      parts.external.start();
      parts.parkedExpiry.start();
      const actualPort = await parts.server.listen(host, port);
      parts.listensOn = actualPort;
      const { hiveId } = parts.identity;
      parts.announcement?.announce({ hiveId, name: config.name, version, port: actualPort });
      parts.log.info({ port: actualPort, version }, `The hive ${config.name} listens on ${host} port ${actualPort}.`);
      return new Hive(config, actualPort, parts);
    } catch (error) {
      parts?.hardware.stop();
      unlock();
      throw error;
    }
  }

  /**
   * Joins the household when there is a join token to use, then reports to the queen until the hive stops.
   * @throws {RbeeError} with the queen's own reason when it refuses the join token.
   */
  async report(): Promise<void> {
    const { queenUrl, joinToken } = this.#config.settings;
    if (queenUrl !== undefined && joinToken !== undefined && !this.identity.hasJoined(queenUrl, joinToken)) {
      const joined = await joinHousehold({
        identity: this.identity,
        queenUrl,
        joinToken,
        name: this.#config.name,
        port: this.port,
        clock: systemClock,
        log: this.#log,
        signal: this.#leaving.signal,
      });
      if (!joined) return;
    } else if (queenUrl !== undefined) this.identity.reportTo(queenUrl);
    this.#parts.heartbeats.start();
  }

  /**
   * Stops in order. Workers get up to `drainMs` to finish what they answer; meanwhile new requests are refused and
   * heartbeats tell that they are draining. A second call with less time shortens the wait.
   */
  async stop(drainMs: number): Promise<void> {
    this.#leaving.abort();
    const drained = this.#parts.supervisor.stopAll(drainMs);
    this.#stopping ??= this.#stopRest(drained);
    await Promise.all([drained, this.#stopping]);
  }

  /** Notes an error that nobody caught; the process cannot be trusted after it. */
  broken(error: unknown): void {
    this.#log.fatal({ err: error }, "The hive ends: an error was not handled.");
  }

  async #stopRest(drained: Promise<void>): Promise<void> {
    const { announcement, heartbeats, sender, server, hardware, models, jobs, loans, external, parkedExpiry, unlock } =
      this.#parts;
    this.#log.info("The hive stops.");
    await Promise.all([drained, jobs.stop(), announcement?.withdraw()]);
    loans.close();
    parkedExpiry.stop();
    await heartbeats.stop();
    await sender.close();
    await server.close();
    await external.stop();
    await models.close();
    hardware.stop();
    unlock();
  }
}

interface Parts {
  readonly identity: Identity;
  readonly log: Logger;
  readonly hardware: Hardware;
  readonly supervisor: Supervisor;
  readonly external: ExternalServers;
  readonly models: Models;
  readonly jobs: HiveJobs;
  readonly loans: Loans;
  readonly parkedExpiry: ParkedExpiry;
  readonly server: HiveServer;
  readonly heartbeats: HeartbeatLoop;
  readonly sender: HeartbeatSender;
  /** Undefined when it is switched off, and for the hive that a queen brings: she knows it. */
  readonly announcement: Announcement | undefined;
  readonly unlock: () => void;
  listensOn: number;
}

async function assemble(config: HiveConfig, unlock: () => void, news: WorkerNews | undefined): Promise<Parts> {
  const { settings } = config;
  const { home } = settings;
  const identity = Identity.open(home);
  const log = openLog({ home, level: settings.logLevel, onTerminal: config.parent === "none" });
  const hardware = new Hardware(gpuSources(), pathToFileURL(config.workerCommand[1] ?? home).href);
  const models = openModels({
    home,
    folders: config.modelDirs,
    hubUrl: settings.hubUrl,
    hubToken: settings.hubToken,
    stallMs: settings.downloadStallS * 1_000,
    marginBytes: settings.diskMarginMb * 1024 ** 2,
    clock: systemClock,
    log,
  });
  const { catalogue } = models;
  const sampler = new Sampler(
    systemClock,
    () => hardware.gpus(),
    () => hardware.processMemory(),
  );
  const external = new ExternalServers({
    targets: targetsOf(settings.externalServers),
    hiveId: identity.hiveId,
    clock: systemClock,
    log,
  });
  const parks = settings.parkedMb > 0;
  const engines = new Engines([
    nodeLlamaCpp(config.workerCommand),
    new LlamaServer({ setting: settings.llamaServer, cache: settings.llamaFolder }),
    external,
  ]);
  const supervisor: Supervisor = new Supervisor({
    home,
    engines,
    hardware,
    catalogue,
    runFiles: new RunFiles(home),
    clock: systemClock,
    log,
    slots: settings.workerSlots,
    threads: settings.workerThreads,
    loadTimeoutMs: settings.loadTimeoutS * 1_000,
    idleStopS: settings.idleStopS,
    memoryLimitMb: settings.memoryLimitMb,
    loans: () => loans.promised(),
    self: { hive_id: identity.hiveId, name: config.name },
    speculation: settings.speculation,
    parking: parks
      ? { folder: parkedFolder(home), limit_mb: settings.parkedMb, disk_margin_mb: settings.diskMarginMb }
      : undefined,
    sharedMachine: config.parent === "ipc",
    news,
  });
  const workers = new HiveWorkers(supervisor, external);
  const loans: Loans = new Loans({
    home,
    program: () => computeProgram(engines),
    look: () => supervisor.lookForLoan(),
    clock: systemClock,
    log,
  });
  const jobs = new HiveJobs({
    log,
    clock: systemClock,
    models,
    supervisor,
    selfCheck: { home, hardware, catalogue, database: models.database },
  });
  await Promise.all([hardware.start(), catalogue.scan(), engines.look()]);
  let scannedAt = systemClock.monotonic();

  const describe = async (): Promise<Capabilities> => {
    const { cpu, ramTotalMb, backends, devices } = await hardware.inventory();
    const stable = {
      hive_id: identity.hiveId,
      name: config.name,
      version,
      build,
      os: process.platform,
      arch: process.arch,
      cpu: { model: cpu.model, cores: cpu.cores, threads: cpu.threads },
      ram_total_mb: ramTotalMb,
      memory_limit_mb: settings.memoryLimitMb,
      worker_slots: settings.workerSlots,
      parks_conversations: parks,
      backends: [...backends],
      devices: [...devices],
      engines: engines.usable,
      engine_facts: engines.facts,
      models: catalogue.models.map(describeModel),
      external_servers: external.describe(),
    };
    const capabilities_rev = createHash("sha256").update(JSON.stringify(stable)).digest("hex").slice(0, 16);
    return { ...stable, disk_free_mb: await readDiskFreeMb(home), capabilities_rev };
  };
  const rescan = async () => {
    await catalogue.scan();
    scannedAt = systemClock.monotonic();
  };
  const compose = async (): Promise<Omit<Heartbeat, "seq">> => {
    if (systemClock.monotonic() - scannedAt > rescanAfterMs) {
      await rescan();
      // One that was just installed shows; no heartbeat waits for a program that hangs.
      void engines.look();
    }
    const facts = workers.facts();
    for (const { model, state } of facts) if (state === "busy") catalogue.touch(model);
    const [{ capabilities_rev }, node, measured, lent] = await Promise.all([
      describe(),
      sampler.node(),
      sampler.workers(facts),
      sampler.loans(loans.list()),
    ]);
    const { hiveId: hive_id } = identity;
    return {
      hive_id,
      ts: systemClock.now(),
      version,
      port: parts.listensOn,
      capabilities_rev,
      node,
      workers: measured,
      loans: lent,
    };
  };
  const sender = httpSender(identity.hiveToken);
  const heartbeats = new HeartbeatLoop({
    clock: systemClock,
    log,
    sender,
    queenUrl: () => identity.queenUrl,
    compose,
  });
  const gate = new TokenGate(identity.hiveToken);
  const app = createApp({
    hiveId: identity.hiveId,
    gate,
    workers,
    log,
    capabilities: async () => {
      await Promise.all([rescan(), engines.look()]);
      return describe();
    },
    models,
    jobs,
    loans,
    logPath: logPathIn(home),
    reportTo: (queenUrl) => {
      identity.reportTo(queenUrl);
      heartbeats.queenCalled();
    },
  });
  const relay = new Relay({
    gate,
    log,
    address: (id) => workers.address(id),
    mayHaveParkingKey: (id) => workers.mayHaveParkingKey(id),
    diedOf: (id) => workers.diedOf(id),
  });
  const parts: Parts = {
    identity,
    log,
    hardware,
    supervisor,
    external,
    models,
    jobs,
    loans,
    parkedExpiry: new ParkedExpiry({ folder: parkedFolder(home), keepsAny: parks, clock: systemClock, log }),
    server: new HiveServer(app, relay, new LoanTunnels({ gate, loans })),
    heartbeats,
    sender,
    announcement:
      settings.announce && config.parent === "none" ? new Announcement({ host: settings.host, log }) : undefined,
    unlock,
    listensOn: 0,
  };
  return parts;
}
