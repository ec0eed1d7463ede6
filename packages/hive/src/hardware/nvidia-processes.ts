import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Clock } from "../clock.ts";
import { appFields, parseAppLine } from "./nvidia-output.ts";

const askEveryS = 2;
/** A process that the tool has not named for this long holds nothing any more. */
const staleAfterMs = 3 * askEveryS * 1_000;
const againAfterMs = 60_000;

/** What each process holds on NVIDIA's cards, by one `nvidia-smi` process that starts when somebody first asks. */
export class NvidiaProcesses {
  readonly #command: string;
  readonly #clock: Clock;
  readonly #held = new Map<string, { pid: number; usedMb: number; readAt: number }>();
  #child: ChildProcess | undefined;
  #cancelTimer: () => void = () => {};
  #started = false;
  #stopped = false;

  constructor({ command, clock }: { command: string; clock: Clock }) {
    this.#command = command;
    this.#clock = clock;
  }

  /** MB by process id, over all cards. */
  read(): ReadonlyMap<number, number> {
    if (!this.#started) {
      this.#started = true;
      this.#run();
    }
    const now = this.#clock.monotonic();
    const totals = new Map<number, number>();
    for (const [key, { pid, usedMb, readAt }] of this.#held)
      if (now - readAt > staleAfterMs) this.#held.delete(key);
      else totals.set(pid, (totals.get(pid) ?? 0) + usedMb);
    return totals;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    this.#child?.kill("SIGKILL");
  }

  #run(): void {
    if (this.#stopped) return;
    const query = `--query-compute-apps=${appFields.join(",")}`;
    const child = spawn(this.#command, [query, "--format=csv,noheader,nounits", "-l", String(askEveryS)], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#child = child;
    child.on("error", () => {});
    createInterface({ input: child.stdout }).on("line", (line) => {
      const app = parseAppLine(line);
      if (app === null || app.usedMb === null) return;
      const { pid, gpuUuid, usedMb } = app;
      this.#held.set(`${pid} ${gpuUuid}`, { pid, usedMb, readAt: this.#clock.monotonic() });
    });
    child.on("close", () => {
      this.#cancelTimer = this.#clock.after(againAfterMs, () => {
        this.#run();
      });
    });
  }
}
