import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runFileSchema, type RunFile } from "@rbee/contract";
import { isLoopback, urlHost } from "#lib/server/network/index.ts";
import { StartError } from "./start-error.ts";

const answerLimitMs = 2_000;

const wildcards = new Set(["0.0.0.0", "::", ""]);

/** The host by which this very machine reaches a server that listens on `host`. */
export function reachableHost(host: string): string {
  return wildcards.has(host) ? "127.0.0.1" : host;
}

/** Whether a server on `host` can be reached from this machine only. */
export const listensLocally = (host: string): boolean => isLoopback(host) || host === "localhost";

/** Whether a server on `host` listens on every interface. */
export const listensEverywhere = (host: string): boolean => wildcards.has(host);

const fileIn = (home: string) => join(home, "queen.json");

function read(home: string): RunFile | undefined {
  try {
    return runFileSchema.safeParse(JSON.parse(readFileSync(fileIn(home), "utf8"))).data;
  } catch {
    return undefined;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Refuses to start beside another queen on the same data folder. A file that a killed queen left behind does not count.
 * @throws {StartError}
 */
export async function refuseSecondStart(home: string): Promise<void> {
  const other = read(home);
  if (other === undefined || other.pid === process.pid || !alive(other.pid)) return;
  const url = `http://${urlHost(reachableHost(other.host))}:${other.port}`;
  const answers = await fetch(`${url}/health`, { signal: AbortSignal.timeout(answerLimitMs) }).then(
    (response) => response.ok,
    () => false,
  );
  if (answers) throw new StartError(`rbee is running already: ${url} (process ${other.pid}). Stop that one first.`);
}

/** Tells the command line where the queen listens. */
export function writeRunFile(home: string, run: RunFile): void {
  writeFileSync(fileIn(home), `${JSON.stringify(run)}\n`, { mode: 0o600 });
}

/** Removes the run file, unless another queen has written it meanwhile. */
export function removeRunFile(home: string): void {
  if (read(home)?.pid === process.pid) rmSync(fileIn(home), { force: true });
}
