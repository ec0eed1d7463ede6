import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runFileSchema, type RunFile } from "@rbee/contract";

/** A queen that runs on this machine, and the token that makes its administrator of us. */
export interface LocalQueen {
  readonly pid: number;
  readonly url: string;
  /** Undefined when this account may not read it. */
  readonly token: string | undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** The address at which a program on the same machine reaches a server that listens on `host`. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "::" || host === "localhost") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

function parseRunFile(text: string): RunFile | undefined {
  try {
    return runFileSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The queen that runs with this data folder, if one does. */
export function findLocalQueen(home: string): LocalQueen | undefined {
  const text = readText(join(home, "queen.json"));
  const running = text === undefined ? undefined : parseRunFile(text);
  if (running === undefined || !isAlive(running.pid)) return undefined;
  return {
    pid: running.pid,
    url: `http://${reachable(running.host)}:${running.port}`,
    token: readText(join(home, "local-token"))?.trim(),
  };
}
