import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Household } from "./household.ts";
import { projectRoot } from "./process.ts";

export interface CommandOutcome {
  readonly exitCode: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real command line at a household's queen, as her own machine's user would, to its end; a minute at most. */
export async function rbee(household: Pick<Household, "home">, args: readonly string[]): Promise<CommandOutcome> {
  const child = spawn(process.execPath, ["packages/cli/bin/rbee.js", ...args], {
    cwd: projectRoot,
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: process.env["HOME"] ?? "",
      RBEE_HOME: household.home,
      RBEE_CONFIG_DIR: join(household.home, "config"),
      NO_COLOR: "1",
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  return { exitCode: code ?? signal ?? "unknown", ...said };
}
