import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hiveClient, type HiveClient } from "@rbee/contract";
import { temporaryFolder } from "./folder.ts";
import { freePort, startProcess, type TestProcess } from "./process.ts";
import type { Household } from "./household.ts";
import { waitFor } from "./wait-for.ts";

/** A real hive process with a data folder of its own, as another machine of the household would run it. */
export interface TestHive {
  readonly name: string;
  readonly home: string;
  readonly url: string;
  readonly process: TestProcess;
  identity(): { hive_id: string; hive_token: string; queen_url?: string };
  /** With the hive's own token unless another one (or none) is named. */
  client(token?: string | null): HiveClient;
  /** Starts the process again on the same data and port. */
  start(flags?: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Where a hive runs and what it is made of, when it is not an ordinary one. */
export interface HivePlace {
  /** Its address there. Default loopback. */
  readonly host?: string;
  /** A command that becomes the hive in the end and gives it another machine to see. */
  readonly through?: readonly string[];
  /** All its workers are stand-ins with this fault: see stand-in-worker.js. */
  readonly workersThat?: string;
}

const standIns = fileURLToPath(new URL("hive-with-stand-ins.ts", import.meta.url));

/** Starts a hive; `flags` as on its command line, for example `--queen URL --join-token T`. */
export async function startHive(
  name: string,
  flags: readonly string[] = [],
  env: Record<string, string> = {},
  { host = "127.0.0.1", through = [], workersThat }: HivePlace = {},
): Promise<TestHive> {
  const folder = temporaryFolder(`hive-${name}`);
  const port = await freePort();
  const url = `http://${host}:${port}`;
  const program = workersThat === undefined ? "packages/hive/bin/rbee-hive.js" : standIns;
  const fault = workersThat === undefined ? [] : [workersThat];
  const launch = async (extra: readonly string[]): Promise<TestProcess> => {
    const environment = {
      RBEE_HIVE_HOME: folder.path,
      RBEE_HIVE_PORT: String(port),
      RBEE_HIVE_HOST: host,
      RBEE_CONFIG_DIR: join(folder.path, "config"),
      RBEE_WORKER_THREADS: "1",
      RBEE_MDNS: "false",
      ...env,
    };
    const started = startProcess([program, "--name", name, ...extra, ...fault], environment, through);
    await waitFor(`the start of hive ${name}`, async () => {
      if (started.child.exitCode !== null) throw new Error(`the hive exited:\n${started.output()}`);
      return (await fetch(`${url}/health`)).ok;
    }).catch((error: unknown) => {
      started.child.kill("SIGKILL");
      throw new Error(`${String(error)}\n${started.output()}`, { cause: error });
    });
    return started;
  };
  let running = await launch(flags);
  const hive: TestHive = {
    name,
    home: folder.path,
    url,
    get process() {
      return running;
    },
    identity: () =>
      JSON.parse(readFileSync(join(folder.path, "hive.json"), "utf8")) as ReturnType<TestHive["identity"]>,
    client: (token) =>
      hiveClient({
        baseUrl: url,
        name,
        token: token === undefined ? hive.identity().hive_token : (token ?? undefined),
      }),
    start: async (extra = []) => {
      running = await launch(extra);
    },
    stop: async () => {
      await running.stop("SIGTERM", 5_000);
      folder.remove();
    },
  };
  return hive;
}

/** Starts a hive that joins a household with a join token, and waits until the queen knows it. */
export async function joinedHive(
  household: Household,
  name: string,
  env: Record<string, string> = {},
  { queenUrl = household.url, ...place }: HivePlace & { queenUrl?: string } = {},
): Promise<TestHive> {
  const { token } = await household.admin.createJoinToken({ body: {} });
  const hive = await startHive(name, ["--queen", queenUrl, "--join-token", token], env, place);
  await household.readyHive(name).catch(async (error: unknown) => {
    const output = hive.process.output();
    await hive.stop();
    throw new Error(`${String(error)}\n${output}`, { cause: error });
  });
  return hive;
}
