import { closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";

const keptWorkers = 50;

/** What a worker writes, in a file that never grows past its bound: the older half moves to `<path>.1`. */
export class WorkerLogFile {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: number;
  #bytes: number;
  #tail = "";
  #open = true;

  constructor(path: string, maxBytes = 4 * 1024 * 1024) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#file = openSync(path, "a", 0o600);
    this.#bytes = statSync(path).size;
  }

  write(chunk: string | Buffer): void {
    // A process that the worker started may hold its pipes open longer than the worker lives.
    if (!this.#open) return;
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    if (this.#bytes + bytes.length > this.#maxBytes && this.#bytes > 0) {
      closeSync(this.#file);
      renameSync(this.#path, `${this.#path}.1`);
      this.#file = openSync(this.#path, "a", 0o600);
      this.#bytes = 0;
    }
    writeSync(this.#file, bytes);
    this.#bytes += bytes.length;
    this.#tail = `${this.#tail}${bytes.toString("utf8")}`.slice(-4_000);
  }

  /** The last lines that this process wrote here, for an error that explains itself. */
  lastLines(count: number): string[] {
    return this.#tail
      .split("\n")
      .filter((line) => line.trim() !== "")
      .slice(-count);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#file);
  }
}

function linesOf(path: string, bytes?: number): string[] {
  try {
    const lines = readFileSync(path).subarray(0, bytes).toString("utf8").split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines;
  } catch {
    return [];
  }
}

/**
 * The last lines of a log, the turned-over file included; empty when there is none.
 * @param bytes how much of the file counts, for who reads the rest otherwise; all of it when left out
 */
export function readLogLines(path: string, count: number, bytes?: number): string {
  const current = linesOf(path, bytes);
  const lines = current.length >= count ? current : [...linesOf(`${path}.1`), ...current];
  return lines
    .slice(-count)
    .map((line) => `${line}\n`)
    .join("");
}

/** Removes the logs of all but the latest workers. */
export function pruneLogs(folder: string): void {
  const logs = readdirSync(folder)
    .filter((name) => name.startsWith("worker-"))
    .map((name) => ({ path: join(folder, name), at: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of logs.slice(keptWorkers)) rmSync(path, { force: true });
}
