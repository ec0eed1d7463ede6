import { readFileSync } from "node:fs";
import { join } from "node:path";
import { queenClient, type FleetHive, type FleetSnapshot, type QueenClient } from "@rbee/contract";
import { temporaryFolder } from "./folder.ts";
import { freePort, startProcess, type TestProcess } from "./process.ts";
import { waitFor } from "./wait-for.ts";

export const administrator = { name: "Ada", password: "correct horse battery" };

export interface HouseholdOptions {
  /** Whether the queen starts a hive on its own machine. Default true. */
  localHive?: boolean;
  /** Whether the administrator exists from the start. Default true. */
  setUp?: boolean;
  env?: Record<string, string>;
}

/** A real queen, built as it ships, in an empty data folder of its own. */
export interface Household {
  readonly url: string;
  readonly home: string;
  readonly queen: TestProcess;
  /** A client with the administrator's rights (the local token). */
  readonly admin: QueenClient;
  client(token?: string): QueenClient;
  /** Makes an API key of the administrator's. */
  key(name?: string): Promise<string>;
  fleet(): Promise<FleetSnapshot>;
  /** Waits for a hive that is healthy and whose capabilities the queen knows. */
  readyHive(name?: string): Promise<FleetHive>;
  /** Stops the queen with a signal and starts it again on the same data and port. */
  restartQueen(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

interface Running {
  queen: TestProcess;
  url: string;
}

/** As `npm start` runs it: see ARCHITECTURE.md on its memory. */
const nodeFlags = ["--max-semi-space-size=2"];

async function startQueen(home: string, env: Record<string, string>): Promise<Running> {
  const queen = startProcess([...nodeFlags, "server.js"], env);
  const runFile = join(home, "queen.json");
  const url = await waitFor("the queen's start", async () => {
    if (queen.child.exitCode !== null) throw new Error(`the queen exited:\n${queen.output()}`);
    const { port, pid } = JSON.parse(readFileSync(runFile, "utf8")) as { port: number; pid: number };
    if (pid !== queen.pid) return undefined;
    const found = `http://127.0.0.1:${port}`;
    return (await fetch(`${found}/health`)).ok ? found : undefined;
  }).catch((error: unknown) => {
    queen.child.kill("SIGKILL");
    throw new Error(`${String(error)}\n${queen.output()}`, { cause: error });
  });
  return { queen, url };
}

/** Starts a household. Stop it in `afterAll`: that also removes its data. */
export async function startHousehold(options: HouseholdOptions = {}): Promise<Household> {
  const folder = temporaryFolder("household");
  const port = await freePort();
  const env = {
    RBEE_HOME: folder.path,
    RBEE_CONFIG_DIR: join(folder.path, "config"),
    RBEE_PORT: String(port),
    RBEE_HOST: "127.0.0.1",
    RBEE_HIVE_PORT: "0",
    RBEE_HIVE_HOST: "127.0.0.1",
    RBEE_LOCAL_HIVE: String(options.localHive ?? true),
    RBEE_WORKER_THREADS: "1",
    RBEE_MDNS: "false",
    RBEE_DISCOVERY_DELAY: "0.2",
    ...(options.setUp === false
      ? {}
      : { RBEE_ADMIN_NAME: administrator.name, RBEE_ADMIN_PASSWORD: administrator.password }),
    ...options.env,
  };
  let running = await startQueen(folder.path, env);
  const localToken = () => readFileSync(join(folder.path, "local-token"), "utf8").trim();
  const household: Household = {
    get url() {
      return running.url;
    },
    home: folder.path,
    get queen() {
      return running.queen;
    },
    get admin() {
      return queenClient({ baseUrl: running.url, token: localToken() });
    },
    client: (token) => queenClient({ baseUrl: running.url, token }),
    key: async (name = "test") => (await household.admin.createKey({ body: { name } })).key,
    fleet: () => household.admin.fleet(),
    readyHive: (name) =>
      waitFor("a ready hive", async () =>
        (await household.fleet()).hives.find(
          (hive) =>
            hive.health === "healthy" && hive.capabilities !== null && (name === undefined || hive.name === name),
        ),
      ),
    restartQueen: async (signal = "SIGTERM") => {
      await running.queen.stop(signal);
      running = await startQueen(folder.path, env);
    },
    stop: async () => {
      await running.queen.stop();
      folder.remove();
    },
  };
  return household;
}
