/** `connecting` before the first event, then `live`, and `reconnecting` whenever nothing has come for 3 s. */
export type ConnectionStatus = "connecting" | "live" | "reconnecting";

export interface StreamHandlers {
  event(name: string, data: string): void;
  failed(): void;
}

/** Everything the connection does to the world, so that it can be tested with a clock of its own. */
export interface ConnectionEffects {
  open(handlers: StreamHandlers): { close(): void };
  /** Asks why a stream failed: an ended session is not mended by trying again. */
  probe(): Promise<"reachable" | "signed_out" | "unreachable">;
  now(): number;
  after(ms: number, run: () => void): () => void;
  status(status: ConnectionStatus): void;
  event(name: string, data: string): void;
  signedOut(): void;
}

export const timing = { silenceMs: 3_000, watchEveryMs: 500, openLimitMs: 10_000, hiddenGraceMs: 60_000 } as const;
const backoffMs = [500, 1_000, 2_000, 4_000, 8_000];

/**
 * Keeps one event stream alive: notices silence (a slept laptop, a cut cable) by its own clock, re-opens with
 * backoff, and rests while the page is hidden, since browsers allow few connections to one server.
 */
export class FleetConnection {
  readonly #effects: ConnectionEffects;
  #stream: { close(): void } | null = null;
  #generation = 0;
  #openedAt = 0;
  #lastEventAt: number | null = null;
  #failures = 0;
  #status: ConnectionStatus = "connecting";
  #stopped = true;
  #cancelWatch = () => {};
  #cancelRetry = () => {};
  #cancelRest = () => {};

  constructor(effects: ConnectionEffects) {
    this.#effects = effects;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#failures = 0;
    this.#open();
    this.#watch();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelRetry();
    this.#cancelWatch();
    this.#cancelRest();
    this.#close();
  }

  /** The page was shown or hidden. */
  visible(isVisible: boolean): void {
    this.#cancelRest();
    if (!isVisible) {
      this.#cancelRest = this.#effects.after(timing.hiddenGraceMs, () => {
        this.stop();
      });
      return;
    }
    if (this.#stopped) this.start();
    else this.#check();
  }

  /** The network came back: do not wait for the backoff. */
  hurry(): void {
    if (this.#stopped || this.#status === "live") return;
    this.#failures = 0;
    this.#cancelRetry();
    this.#open();
  }

  #set(status: ConnectionStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#effects.status(status);
  }

  #close(): void {
    this.#generation += 1;
    this.#stream?.close();
    this.#stream = null;
  }

  #open(): void {
    this.#close();
    const generation = this.#generation;
    this.#openedAt = this.#effects.now();
    this.#lastEventAt = null;
    this.#stream = this.#effects.open({
      event: (name, data) => {
        if (generation !== this.#generation) return;
        this.#lastEventAt = this.#effects.now();
        this.#failures = 0;
        this.#effects.event(name, data);
        this.#set("live");
      },
      failed: () => {
        if (generation === this.#generation) void this.#failed();
      },
    });
  }

  async #failed(): Promise<void> {
    this.#close();
    this.#set("reconnecting");
    const generation = this.#generation;
    const answer = await this.#effects.probe();
    if (this.#stopped || generation !== this.#generation) return;
    if (answer === "signed_out") {
      this.stop();
      this.#effects.signedOut();
      return;
    }
    const wait = backoffMs[Math.min(this.#failures, backoffMs.length - 1)] ?? 8_000;
    this.#failures += 1;
    this.#cancelRetry = this.#effects.after(wait, () => {
      this.#open();
    });
  }

  #watch(): void {
    this.#cancelWatch = this.#effects.after(timing.watchEveryMs, () => {
      this.#check();
      this.#watch();
    });
  }

  #check(): void {
    if (this.#stream === null) return;
    const now = this.#effects.now();
    if (this.#lastEventAt !== null && now - this.#lastEventAt > timing.silenceMs) {
      this.#set("reconnecting");
      this.#open();
      return;
    }
    if (this.#lastEventAt !== null) return;
    if (now - this.#openedAt > timing.silenceMs) this.#set("reconnecting");
    if (now - this.#openedAt > timing.openLimitMs) void this.#failed();
  }
}
