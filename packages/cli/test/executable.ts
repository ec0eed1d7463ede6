import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SmallQueen } from "./queen.ts";

const executable = fileURLToPath(new URL("../bin/rbee.js", import.meta.url));

/** Whether util-linux's `script` can give a command a terminal. */
export const hasTerminals = spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0;

export interface Ended {
  readonly exitCode: number | null;
  readonly out: string;
  readonly error: string;
}

export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  /** Everything so far on stdout and stderr together. */
  text(): string;
  /** Waits until this has been written so many times; once when left out. @throws when the command ends before. */
  shows(text: string, times?: number): Promise<void>;
}

export interface StartOptions {
  readonly home?: string;
  readonly config?: string;
  /** More of the environment. */
  readonly env?: Record<string, string>;
  /** What stdin gives before it ends. */
  readonly stdin?: string;
  /** On a terminal: stdout and stderr are one, and stdin stays open. */
  readonly terminal?: boolean;
}

/** Where the command line finds a queen, in a folder of its own. */
export interface Place {
  readonly home: string;
  readonly nowhere: string;
  start(args: readonly string[], options?: StartOptions): Running;
  rbee(args: readonly string[], options?: StartOptions): Promise<Ended>;
  remove(): void;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** A home whose `rbee` finds this queen by itself. */
export function placeWith(queen: SmallQueen): Place {
  const home = mkdtempSync(join(tmpdir(), "rbee-cli-"));
  const nowhere = join(home, "nowhere");
  writeFileSync(
    join(home, "queen.json"),
    JSON.stringify({ pid: process.pid, port: queen.port, host: "0.0.0.0", started_at: 1 }),
  );
  writeFileSync(join(home, "local-token"), "local-secret\n", { mode: 0o600 });

  const start: Place["start"] = (args, options = {}) => {
    const command = [process.execPath, executable, ...args];
    const [program = "", ...rest] =
      options.terminal === true ? ["script", "-qec", command.map(quoted).join(" "), "/dev/null"] : command;
    const child = spawn(program, rest, {
      env: {
        PATH: process.env["PATH"] ?? "",
        TERM: "xterm",
        SHELL: "/bin/sh",
        NO_COLOR: "1",
        HOME: home,
        RBEE_HOME: options.home ?? home,
        RBEE_CONFIG_DIR: options.config ?? nowhere,
        ...options.env,
      },
    });
    let out = "";
    let error = "";
    let seen = () => {};
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      seen();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      error += chunk.toString();
      seen();
    });
    if (options.terminal !== true) child.stdin.end(options.stdin ?? "");
    const ended = once(child, "close").then(([exitCode]) => ({ exitCode: exitCode as number | null, out, error }));
    const text = () => out + error;
    const shows = async (wanted: string, times = 1) => {
      const isShown = () => text().split(wanted).length > times;
      const { promise, resolve } = Promise.withResolvers<undefined>();
      seen = () => {
        if (isShown()) resolve(undefined);
      };
      seen();
      await Promise.race([promise, ended]);
      if (!isShown()) throw new Error(`It ended without showing "${wanted}":\n${text()}`);
    };
    return { child, ended, text, shows };
  };
  return {
    ...{ home, nowhere, start },
    rbee: (args, options) => start(args, options).ended,
    remove: () => {
      rmSync(home, { recursive: true });
    },
  };
}
