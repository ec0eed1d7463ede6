import type { Heartbeat } from "@rbee/contract";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { HeartbeatSender, SendResult } from "./sender.ts";
import { transition, type HeartbeatEvent, type HeartbeatState } from "./states.ts";

export interface HeartbeatLoopOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly sender: HeartbeatSender;
  /** Where the queen is, as far as this hive knows. */
  readonly queenUrl: () => string | undefined;
  /** The hive now; called once per heartbeat. */
  readonly compose: () => Promise<Omit<Heartbeat, "seq">>;
}

/**
 * Drives the state machine. There is one `#run` per start and it sends one heartbeat at a time, so that two loops
 * cannot exist and heartbeats cannot pile up; everything that happens elsewhere only wakes it.
 */
export class HeartbeatLoop {
  readonly #options: HeartbeatLoopOptions;
  #stopped = false;
  #inFlight = new AbortController();
  #state: HeartbeatState = { kind: "startup" };
  /** When the next heartbeat is due, by the clock; null is silence. */
  #dueAt: number | null = null;
  #wake = new AbortController();
  #sendingTo: string | undefined;
  /** Goes up when the queen moves during a heartbeat, whose fate at the old address no longer counts. */
  #moves = 0;
  #seq = 0;
  /** What was wrong with the last heartbeat. */
  #trouble: { readonly problem: string; readonly message: string } | undefined;
  #running: Promise<void> | undefined;

  constructor(options: HeartbeatLoopOptions) {
    this.#options = options;
  }

  get state(): HeartbeatState["kind"] {
    return this.#state.kind;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#apply({ kind: "started", queenKnown: this.#options.queenUrl() !== undefined });
    this.#running = this.#run();
  }

  /** The queen has called with its address, which is stored already. */
  queenCalled(): void {
    if (this.#running === undefined) return;
    if (this.#sendingTo !== undefined && this.#sendingTo !== this.#options.queenUrl()) {
      this.#moves += 1;
      this.#inFlight.abort();
    }
    this.#apply({ kind: "queen_called" });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake.abort();
    this.#inFlight.abort();
    await this.#running;
  }

  /** The one place where the state changes. */
  #apply(event: HeartbeatEvent): void {
    const { state, sendInMs } = transition(this.#state, event);
    const before = this.#state.kind;
    this.#state = state;
    this.#dueAt = sendInMs === null ? null : this.#options.clock.monotonic() + sendInMs;
    this.#wake.abort();
    this.#wake = new AbortController();
    if (before !== state.kind) this.#announce(before);
  }

  #announce(before: HeartbeatState["kind"]): void {
    const { log, queenUrl } = this.#options;
    const facts = { from: before, to: this.#state.kind, queen_url: queenUrl() };
    switch (this.#state.kind) {
      case "telemetry":
        log.info(facts, `Reporting to the queen at ${facts.queen_url ?? "an unknown address"}.`);
        this.#trouble = undefined;
        break;
      case "discovery_wait":
        if (facts.queen_url === undefined) log.info(facts, "No queen is known; waiting for it to call.");
        else
          log.warn(
            { ...facts, problem: this.#trouble?.problem },
            `No heartbeat arrives at ${facts.queen_url}; waiting for the queen to call. ${this.#trouble?.message ?? ""}`,
          );
        break;
      case "discovery_push":
      case "startup":
        log.debug(facts, "Looking for the queen.");
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const { clock } = this.#options;
      const waitMs = this.#dueAt === null ? null : this.#dueAt - clock.monotonic();
      if (waitMs === null) await aborted(this.#wake.signal);
      else if (waitMs > 0) await clock.sleep(waitMs, this.#wake.signal);
      else await this.#send();
    }
  }

  async #send(): Promise<void> {
    const { clock, queenUrl } = this.#options;
    const url = queenUrl();
    const moves = this.#moves;
    const sentAt = clock.monotonic();
    this.#sendingTo = url;
    const result = await this.#attempt(url);
    this.#sendingTo = undefined;
    if (this.#stopped || moves !== this.#moves) return;
    this.#note(result, url);
    // A heartbeat a second means from one sending to the next, however long the answer took.
    const tookMs = clock.monotonic() - sentAt;
    this.#apply(result.kind === "failed" ? { kind: "failed", tookMs } : { kind: "delivered" });
    if (result.kind === "delivered" && this.#dueAt !== null)
      this.#dueAt = Math.max(clock.monotonic(), this.#dueAt - tookMs);
  }

  async #attempt(url: string | undefined): Promise<SendResult> {
    this.#inFlight = new AbortController();
    if (url === undefined) return { kind: "failed", problem: "no_queen", message: "No queen is known." };
    try {
      const heartbeat = { ...(await this.#options.compose()), seq: this.#seq };
      this.#seq += 1;
      return await this.#options.sender.send(url, heartbeat, this.#inFlight.signal);
    } catch (error) {
      const message = error instanceof Error ? error.message : "unknown error";
      return { kind: "failed", problem: "internal_error", message: `The heartbeat could not be made: ${message}.` };
    }
  }

  /**
   * Logs a problem of telemetry once, when it begins or turns into another one, and its end. A search that fails is
   * logged when it is given up.
   */
  #note(result: SendResult, url: string | undefined): void {
    const { log } = this.#options;
    const before = this.#trouble?.problem;
    this.#trouble = result.kind === "failed" ? result : undefined;
    if (this.#state.kind !== "telemetry" || before === this.#trouble?.problem) return;
    if (result.kind === "failed")
      log.warn({ queen_url: url, problem: result.problem }, `Heartbeats fail: ${result.message}`);
    else log.info({ queen_url: url }, "Heartbeats arrive again.");
  }
}

/** Resolves when the signal aborts. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener(
      "abort",
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
