import { execFile, spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { systemClock, type Clock } from "../clock.ts";
import type { Gpu, GpuSource } from "./gpu.ts";
import { NvidiaProcesses } from "./nvidia-processes.ts";
import {
  capabilityField,
  forgetLive,
  parseMigList,
  parseQueryLine,
  queryFields,
  toGpus,
  type MigInstance,
  type NvidiaCard,
} from "./nvidia-output.ts";

export interface NvidiaOptions {
  command?: string;
  clock?: Clock;
  /** Readings older than this are unknown. */
  staleAfterMs?: number;
  /** A tool that is silent for this long is ended and started again. */
  hangAfterMs?: number;
  /** How long the start waits for the first line. */
  firstLineMs?: number;
}

const longestWaitMs = 60_000;

/** NVIDIA's cards by one `nvidia-smi` process that prints all of them once a second. */
export class NvidiaSource implements GpuSource {
  readonly #command: string;
  readonly #clock: Clock;
  readonly #staleAfterMs: number;
  readonly #hangAfterMs: number;
  readonly #firstLineMs: number;
  readonly #processes: NvidiaProcesses;
  readonly #cards = new Map<string, { card: NvidiaCard; readAt: number }>();
  #slices: readonly MigInstance[] = [];
  #child: ChildProcess | undefined;
  #cancelTimer: () => void = () => {};
  #askCapability = true;
  #failures = 0;
  #stopped = false;

  constructor(options: NvidiaOptions = {}) {
    this.#command = options.command ?? "nvidia-smi";
    this.#clock = options.clock ?? systemClock;
    this.#staleAfterMs = options.staleAfterMs ?? 5_000;
    this.#hangAfterMs = options.hangAfterMs ?? 15_000;
    this.#firstLineMs = options.firstLineMs ?? 4_000;
    this.#processes = new NvidiaProcesses({ command: this.#command, clock: this.#clock });
  }

  start(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#firstLineMs, resolve);
      this.#run(() => {
        cancel();
        resolve();
      });
    });
  }

  read(): Promise<readonly Gpu[]> {
    const now = this.#clock.monotonic();
    const cards = [...this.#cards.values()].map(({ card, readAt }) =>
      now - readAt > this.#staleAfterMs ? forgetLive(card) : card,
    );
    return Promise.resolve(toGpus(cards, this.#slices));
  }

  /** Nothing is asked where there is no card. */
  processMemory(): ReadonlyMap<number, number> {
    return this.#cards.size === 0 ? new Map() : this.#processes.read();
  }

  stop(): void {
    this.#stopped = true;
    this.#processes.stop();
    this.#cancelTimer();
    this.#child?.kill("SIGKILL");
  }

  /** Starts the tool; `settled` is called at the first reading, or when the tool turns out to be missing or broken. */
  #run(settled: () => void): void {
    if (this.#stopped) return;
    const fields = [...queryFields, ...(this.#askCapability ? [capabilityField] : [])];
    const child = spawn(
      this.#command,
      [`--query-gpu=${fields.join(",")}`, "--format=csv,noheader,nounits", "-l", "1"],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#child = child;
    let complaint = "";
    let missing = false;
    child.on("error", () => {
      missing = child.pid === undefined;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = `${complaint}${text}`.slice(-2_000);
    });
    this.#watchForSilence(child);
    createInterface({ input: child.stdout }).on("line", (line) => {
      complaint = `${complaint}${line}\n`.slice(-2_000);
      const card = parseQueryLine(line);
      if (card === null) return;
      this.#watchForSilence(child);
      this.#failures = 0;
      const first = this.#cards.size === 0;
      this.#cards.set(card.uuid, { card, readAt: this.#clock.monotonic() });
      if (first) void this.#listSlices().then(settled);
    });
    child.on("close", () => {
      this.#cancelTimer();
      if (this.#stopped || missing) {
        settled();
        return;
      }
      if (this.#askCapability && /not a valid field/iu.test(complaint)) {
        this.#askCapability = false;
        this.#run(settled);
        return;
      }
      settled();
      // A tool that never named a card (no driver, no device) is asked only now and then.
      const waitMs = this.#cards.size === 0 ? longestWaitMs : Math.min(longestWaitMs, 1_000 * 2 ** this.#failures);
      this.#failures += 1;
      this.#cancelTimer = this.#clock.after(waitMs, () => {
        this.#run(() => {});
      });
    });
  }

  #watchForSilence(child: ChildProcess): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.after(this.#hangAfterMs, () => {
      child.kill("SIGKILL");
    });
  }

  #listSlices(): Promise<void> {
    return new Promise((resolve) => {
      execFile(this.#command, ["-L"], { timeout: 5_000, killSignal: "SIGKILL" }, (error, stdout) => {
        this.#slices = error === null ? parseMigList(stdout) : [];
        resolve();
      });
    });
  }
}
