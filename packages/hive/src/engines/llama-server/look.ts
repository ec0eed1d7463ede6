import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import type { Backend } from "@rbee/contract";
import { workerEnvironment } from "../environment.ts";

/** What a llama-server says about itself. */
export interface ProgramFacts {
  readonly path: string;
  readonly version: string;
  /** The text of `--help`, which names every flag that this version takes. */
  readonly help: string;
  /** Its names of the devices of this machine that it can compute on, `CUDA0` and so on, by backend. */
  readonly devices: Readonly<Partial<Record<Backend, readonly string[]>>>;
  /** False when it did not tell them although it can, as while a driver is still waking up. */
  readonly knowsDevices: boolean;
}

export type ProgramLook = { readonly facts: ProgramFacts } | { readonly problem: string };

/** A healthy one answers in milliseconds, but for the first time that a GPU's driver wakes up. */
const answerLimitMs = 5_000;

/** Runs the program to hear what it can do. Never rejects. */
export async function lookAt(path: string, limitMs = answerLimitMs): Promise<ProgramLook> {
  try {
    if (!statSync(path).isFile()) return { problem: `${path} is not a program` };
  } catch {
    return { problem: `there is no ${path}` };
  }
  const version = await said(path, "--version", limitMs);
  if ("problem" in version) return version;
  const number = /^version: (\S.*)$/mu.exec(version.text)?.[1];
  if (number === undefined) return { problem: `${path} --version does not answer as llama-server does` };
  const [help, devices] = await Promise.all([said(path, "--help", limitMs), said(path, "--list-devices", limitMs)]);
  if ("problem" in help) return help;
  if (!/--parallel\b/u.test(help.text)) return { problem: `${path} is another program of llama.cpp` };
  return {
    facts: {
      path,
      version: number.trim(),
      help: help.text,
      devices: devicesIn("text" in devices ? devices.text : ""),
      knowsDevices: "text" in devices || !help.text.includes("--list-devices"),
    },
  };
}

const backendOfName: readonly (readonly [RegExp, Backend])[] = [
  [/^CUDA\d/u, "cuda"],
  [/^(?:ROCm|HIP)\d/u, "rocm"],
  [/^(?:Metal|MTL)\d*/u, "metal"],
  [/^Vulkan\d/u, "vulkan"],
];

/** Reads `--list-devices`: a name, a colon and a description to a line; the CPU is always there and not listed. */
export function devicesIn(text: string): ProgramFacts["devices"] {
  const devices: Partial<Record<Backend, string[]>> = { cpu: [] };
  for (const [, name = ""] of text.matchAll(/^\s+(\w+): \S.*$/gmu)) {
    const backend = backendOfName.find(([pattern]) => pattern.test(name))?.[1];
    if (backend !== undefined) (devices[backend] ??= []).push(name);
  }
  return devices;
}

function said(path: string, flag: string, limitMs: number): Promise<{ text: string } | { problem: string }> {
  return new Promise((resolve) => {
    const options = {
      timeout: limitMs,
      killSignal: "SIGKILL" as const,
      maxBuffer: 1024 ** 2,
      env: workerEnvironment({}),
    };
    const child = execFile(path, [flag], options, (error, stdout, stderr) => {
      if (error === null) resolve({ text: `${stdout}\n${stderr}` });
      else resolve({ problem: `${path} ${flag} ${failureOf(error, limitMs)}` });
    });
    child.stdin?.end();
  });
}

function failureOf(
  error: { code?: string | number | null; killed?: boolean; signal?: string | null },
  limitMs: number,
) {
  if (error.code === "EACCES") return "cannot be run: it is not executable";
  if (typeof error.code === "string") return `cannot be run (${error.code})`;
  if (error.killed === true) return `gave no answer within ${limitMs / 1_000} s`;
  return `failed (${typeof error.signal !== "string" ? `exit code ${error.code ?? "unknown"}` : `signal ${error.signal}`})`;
}
