import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { frugalFlags } from "@rbee/bundle";
import { queenEndpoints, RbeeError, type Setting } from "@rbee/contract";
import { describeSettings, loadSettings, queenSettings, SettingsError } from "@rbee/settings";
import type { Logger } from "pino";
import {
  createAccounts,
  createCredentialMemory,
  type Accounts,
  type AccountsService,
} from "#lib/server/accounts/index.ts";
import { openDatabase } from "#lib/server/db/index.ts";
import { createHives, heartbeatListener, hiveModels, liveWorkers, type Hives } from "#lib/server/hives/index.ts";
import { createHousehold, type Household } from "#lib/server/household/index.ts";
import { createHub, type Hub } from "#lib/server/hub/index.ts";
import { createDialects, createInference, type Dialects, type Inference } from "#lib/server/inference/index.ts";
import { createHouseholdJobs, type HouseholdJobs } from "#lib/server/jobs/index.ts";
import { createMetrics, type Metrics } from "#lib/server/metrics/index.ts";
import { createModels, type Models } from "#lib/server/models/index.ts";
import { fetchThrough, hiveAgent, urlHost } from "#lib/server/network/index.ts";
import { createParkingKeys } from "#lib/server/parking/index.ts";
import { createProvisioning, type Machines } from "#lib/server/provisioning/index.ts";
import { program } from "#lib/server/program/index.ts";
import { localToken, openVault } from "#lib/server/secrets/index.ts";
import {
  prepareHome,
  reachableHost,
  refuseSecondStart,
  removeRunFile,
  startReport,
  writeRunFile,
  type StartReport,
} from "#lib/server/startup/index.ts";
import { createTasks, type Tasks } from "#lib/server/tasks/index.ts";
import { createUsage, type Usage } from "#lib/server/usage/index.ts";
import { openLog } from "./log.ts";

export type { ClientInfo, Person, SignedIn } from "#lib/server/accounts/index.ts";
export type { StartReport } from "#lib/server/startup/index.ts";

/** Everything a route may ask of the queen. */
export interface Queen {
  readonly version: string;
  readonly settings: { list(): Setting[] };
  readonly household: Household;
  readonly accounts: Accounts;
  readonly hives: Hives;
  readonly hub: Hub;
  readonly inference: Inference;
  readonly dialects: Dialects;
  readonly models: Models;
  readonly jobs: HouseholdJobs;
  readonly tasks: Tasks;
  readonly machines: Machines;
  readonly usage: Usage;
  readonly metrics: Pick<Metrics, "text" | "contentType">;
}

/** Answers requests without SvelteKit; false leaves the request to it, untouched. */
export type Front = (request: IncomingMessage, response: ServerResponse) => boolean;

/** The running queen, as hooks and the program around the server see her. */
export interface QueenRuntime {
  readonly queen: Queen;
  readonly log: Logger;
  readonly settings: { readonly host: string; readonly port: number; readonly corsOrigins: readonly string[] };
  readonly authenticate: AccountsService["authenticator"];
  /** Takes what comes often in front of SvelteKit: heartbeats, and the calls of apps. */
  readonly front: Front;
  /** The server accepts connections: starts what needs that, and tells what a person needs to know. */
  listening(address: { host: string; port: number }): Promise<StartReport>;
  /** Ends streams, hive and database, in this order; calling it again waits for the same end. */
  stop(): Promise<void>;
}

const published = Symbol.for("rbee.queen");
type Published = typeof globalThis & { [published]?: QueenRuntime };

/** The running queen. Throws before `startQueen()`. */
export function currentQueen(): QueenRuntime {
  const runtime = (globalThis as Published)[published];
  if (runtime === undefined) throw new Error("the queen has not been started");
  return runtime;
}

/**
 * Builds every service and publishes the queen on `globalThis`. One that is there already is stopped first: the
 * development server makes a new one after each change. `apps` takes the calls of apps in front of SvelteKit.
 * @throws {StartError} or `SettingsError`, with one line for the terminal.
 */
export async function startQueen(apps: Front): Promise<QueenRuntime> {
  await (globalThis as Published)[published]?.stop();
  const runtime = await buildQueen(apps);
  (globalThis as Published)[published] = runtime;
  return runtime;
}

async function provisionAdmin(accounts: AccountsService, name: string | undefined, password: string | undefined) {
  if (name === undefined && password === undefined) return;
  if (name === undefined || password === undefined) {
    const missing = name === undefined ? "RBEE_ADMIN_NAME" : "RBEE_ADMIN_PASSWORD";
    throw new SettingsError(`${missing} must be set too for an unattended first run.`);
  }
  try {
    await accounts.provision({ name, password });
  } catch (error) {
    if (!(error instanceof RbeeError)) throw error;
    const variable = error.param === "password" ? "RBEE_ADMIN_PASSWORD" : "RBEE_ADMIN_NAME";
    throw new SettingsError(`${variable} is wrong: ${error.message}`);
  }
}

async function buildQueen(apps: Front): Promise<QueenRuntime> {
  const loaded = loadSettings(queenSettings);
  const settings = loaded.values;
  const { home } = settings;
  const { database, logFile } = prepareHome(home);
  await refuseSecondStart(home);
  const log = openLog(logFile, settings.logLevel);
  const now = () => Date.now();
  const startedAt = now();

  const { db, close } = openDatabase(database);
  const memory = createCredentialMemory();
  const accounts = createAccounts({ db, localToken: localToken(home), now, memory });
  await provisionAdmin(accounts, settings.adminName, settings.adminPassword);
  const household = createHousehold({ db, host: settings.host, publicUrl: settings.publicUrl });
  const usage = createUsage(db, log);
  const agent = hiveAgent();
  const vault = openVault(home);
  const parkingKeys = createParkingKeys({ db, vault, memory });
  const hives = createHives({
    db,
    vault,
    fetch: fetchThrough(agent),
    log,
    now,
    discoveryDelayMs: settings.discoveryDelayS * 1000,
    queen: {
      version: program.version,
      started_at: startedAt,
      get household() {
        return household.name();
      },
    },
    requests: () => inference.requests(),
    jobsRunning: () => jobs.running(),
    namesOf: (modelId) => ({ aliases: [...models.aliasesOf(modelId)], pinned: models.isPinned(modelId) }),
    advertisedUrl: (host) => household.urlTowards(host),
    local: settings.localHive
      ? {
          command: [process.execPath, ...frugalFlags, join(program.root, "packages/hive/bin/rbee-hive.js")],
          home: settings.hiveHome,
          host: settings.hiveHost,
          port: settings.hivePort,
        }
      : undefined,
  });
  const models = createModels({ db, hives, log });
  const inference = createInference({
    hives,
    models,
    agent,
    log,
    now,
    loadWaitMs: settings.loadWaitS * 1000,
    queueLimit: settings.queueLimit,
    keyName: (keyId) => accounts.keyName(keyId),
    parkingKey: (userId) => parkingKeys.of(userId),
    record: (entry) => {
      usage.record(entry);
      metrics.observe(entry);
    },
  });
  const dialects = createDialects({
    inference,
    models: () => hiveModels(hives.registry.all()),
    workers: () => liveWorkers(hives.registry.all()),
    resolve: (name) => models.resolve(name),
    loadWaitMs: settings.loadWaitS * 1000,
    now,
  });
  const provisioning = createProvisioning({
    db,
    root: program.root,
    home,
    hives,
    urlTowards: (host) => household.urlTowards(host),
    log,
    now,
    settings,
  });
  const hub = createHub({ url: settings.hubUrl, token: settings.hubToken, hives });
  const jobs = createHouseholdJobs({ db, home, hives, hub, models, inference, provisioning, log });
  const tasks = createTasks({ hives, inference, models, jobs, machines: provisioning, log });
  const metrics = createMetrics({
    version: program.version,
    hives: () => hives.registry.all(),
    requests: () => inference.requests(),
  });
  accounts.start();
  usage.start();

  const queen: Queen = {
    version: program.version,
    settings: { list: () => describeSettings(queenSettings, loaded) },
    household,
    accounts,
    hives,
    hub,
    inference,
    dialects,
    models,
    jobs,
    tasks,
    machines: provisioning,
    usage,
    metrics,
  };

  const listening = async ({ host, port }: { host: string; port: number }): Promise<StartReport> => {
    await household.listening(port);
    writeRunFile(home, { pid: process.pid, port, host, started_at: startedAt });
    const localUrl = `http://${urlHost(reachableHost(host))}:${port}`;
    hives.start(localUrl);
    provisioning.start();
    models.start();
    log.info({ host, port, pid: process.pid, version: program.version }, "queen listens");
    return startReport({
      version: program.version,
      localUrl,
      networkUrl: household.networkUrl(),
      setupCode: accounts.setupCode(),
      logFile,
    });
  };

  const end = async () => {
    inference.closeStreams();
    models.stop();
    hives.closeStreams();
    await tasks.stop();
    await jobs.stop();
    await provisioning.stop();
    await hives.stop();
    await agent.destroy();
    usage.stop();
    accounts.stop();
    removeRunFile(home);
    close();
    log.info("queen stopped");
  };
  let ending: Promise<void> | undefined;
  const heartbeat = heartbeatListener(hives, log);
  const { heartbeat: heartbeatRow } = queenEndpoints;

  return {
    queen,
    log,
    settings: { host: settings.host, port: settings.port, corsOrigins: settings.corsOrigins },
    authenticate: accounts.authenticator,
    front(request, response) {
      if (request.method !== heartbeatRow.method || request.url !== heartbeatRow.path) return apps(request, response);
      heartbeat(request, response);
      return true;
    },
    listening,
    stop: () => (ending ??= end()),
  };
}
