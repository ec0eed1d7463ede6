import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import * as z from "zod";
import { openConnections } from "../connections.ts";
import { CountedRequests } from "../counted-requests.ts";
import { tellEnd } from "../ending.ts";
import type { EngineAddress, EngineEvents, EngineProcess, Launch } from "../engine.ts";
import { workerEnvironment } from "../environment.ts";
import { spawnGuarded } from "../guarded-process.ts";
import { decodedBetween, readSlots, type SlotsReading } from "./activity.ts";
import { argumentsFor, takesSockets } from "./arguments.ts";
import type { ProgramFacts } from "./look.ts";

/** While it loads it is asked this often whether it is done. */
const loadingPollMs = 100;
const activityPollMs = 1_000;
const drainPollMs = 100;
/** How long it may be silent to one question: it answers none while it computes a batch. */
const answerLimitMs = 30_000;

/** Settings of a person's own llama-server; ours come by flags. */
const ownSettings = /^LLAMA_/u;
const paths = { "/v1/tokenize": "/tokenize", "/v1/detokenize": "/detokenize" };
const propsSchema = z.object({
  total_slots: z.int(),
  default_generation_settings: z.object({ n_ctx: z.int() }),
});

/** One llama-server. It is asked over HTTP how it is, since it has no channel to whoever started it. */
export class LlamaServerProcess implements EngineProcess {
  readonly #child: ChildProcess;
  readonly #launch: Launch;
  readonly #events: EngineEvents;
  readonly #over = new AbortController();
  #requests: CountedRequests | undefined;
  #ready = false;
  #lastSlots: SlotsReading | null = null;
  #lastAt = 0;
  #lastRate = 0;
  #polling = false;
  #told = "";

  constructor(facts: ProgramFacts, launch: Launch, events: EngineEvents) {
    const { options, env, log } = launch;
    this.#launch = launch;
    this.#events = events;
    const onSocket = takesSockets(facts) && options.socket_path.endsWith(".sock");
    const key = randomBytes(32).toString("base64url");
    const args = argumentsFor(
      launch,
      onSocket ? { kind: "socket", path: options.socket_path } : { kind: "port" },
      facts,
    );
    const own = Object.entries(workerEnvironment(env)).filter(([name]) => !ownSettings.test(name));
    // A port can be reached by everybody on this machine, a socket only by this user.
    const secret = onSocket ? {} : { LLAMA_API_KEY: key };
    const child = spawnGuarded(facts.path, args, { ...Object.fromEntries(own), ...secret });
    this.#child = child;
    let said = "";
    const hear = (chunk: Buffer) => {
      log(chunk);
      if (onSocket || this.#requests !== undefined) return;
      said = `${said}${chunk.toString("utf8")}`.slice(-2_000);
      const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/u.exec(said)?.[1];
      if (port !== undefined)
        this.#connect({
          kind: "http",
          origin: `http://127.0.0.1:${port}`,
          headers: { authorization: `Bearer ${key}` },
          paths,
        });
    };
    child.stdout?.on("data", hear);
    child.stderr?.on("data", hear);
    tellEnd(child, events, () => {
      this.#over.abort();
    });
    if (onSocket) this.#connect({ kind: "socket", path: options.socket_path, paths });
    void this.#awaitReady();
  }

  get pid(): number | null {
    return this.#child.pid ?? null;
  }

  get connections(): Dispatcher | null {
    return this.#requests?.connections ?? null;
  }

  drain(): void {
    void this.#awaitDrained();
  }

  leave(): void {
    if (!this.#over.signal.aborted) this.#child.kill("SIGTERM");
  }

  kill(): void {
    if (!this.#over.signal.aborted) this.#child.kill("SIGKILL");
  }

  #connect(address: EngineAddress): void {
    this.#requests = new CountedRequests(openConnections(address), () => {
      this.#tellActivity();
      void this.#poll();
    });
  }

  async #awaitReady(): Promise<void> {
    await this.#pause(0);
    this.#events.message({ type: "loading", progress: 0 });
    for (;;) {
      if (this.#over.signal.aborted) return;
      if ((await this.#ask("/health"))?.status === 200) break;
      await this.#pause(loadingPollMs);
    }
    const props = propsSchema.safeParse((await this.#ask("/props"))?.body);
    if (this.#over.signal.aborted) return;
    const { backend, device, slots } = this.#launch.options;
    const { total_slots, default_generation_settings } = props.data ?? {};
    this.#ready = true;
    this.#events.message({
      type: "ready",
      slots_total: total_slots ?? slots,
      context_length: default_generation_settings?.n_ctx ?? this.#launch.contextPerSlot,
      backend,
      device,
    });
  }

  /** Asks for the slots once a second for as long as anything is answered; only this hive can ask it anything. */
  async #poll(): Promise<void> {
    if (this.#polling || !this.#ready) return;
    this.#polling = true;
    this.#lastSlots = null;
    this.#lastAt = performance.now();
    while (!this.#over.signal.aborted && (this.#inFlight > 0 || this.#busyThere > 0)) {
      await this.#pause(activityPollMs);
      await this.#readSlots();
    }
    this.#lastSlots = null;
    this.#polling = false;
    this.#tellActivity();
  }

  async #readSlots(): Promise<void> {
    const slots = readSlots((await this.#ask("/slots"))?.body);
    if (slots === null) return;
    const now = performance.now();
    const rate = decodedBetween(this.#lastSlots, slots) / ((now - this.#lastAt) / 1_000);
    this.#lastSlots = slots;
    this.#lastAt = now;
    this.#tellActivity(Math.round(rate * 10) / 10);
  }

  get #busyThere(): number {
    return this.#lastSlots?.busy ?? 0;
  }

  get #inFlight(): number {
    return this.#requests?.inFlight ?? 0;
  }

  /** From its own word where that is fresh, and from what it has been asked since. */
  #tellActivity(tokensPerS?: number): void {
    if (!this.#ready || this.#over.signal.aborted) return;
    const { slots } = this.#launch.options;
    // A slot can work on for a moment after its client has left.
    const busy = Math.min(slots, Math.max(this.#inFlight, this.#busyThere));
    const queued = Math.max(0, this.#inFlight - slots);
    const activity = { slots_busy: busy, queued, tokens_per_s: busy === 0 ? 0 : (tokensPerS ?? this.#lastRate) };
    this.#lastRate = activity.tokens_per_s;
    const text = JSON.stringify(activity);
    if (text === this.#told) return;
    this.#told = text;
    this.#events.message({ type: "activity", ...activity });
  }

  async #awaitDrained(): Promise<void> {
    for (;;) {
      if (this.#over.signal.aborted) return;
      if (this.#inFlight === 0) {
        const slots = readSlots((await this.#ask("/slots"))?.body);
        if (this.#inFlight === 0 && slots?.busy === 0) break;
      }
      await this.#pause(drainPollMs);
    }
    this.#events.message({ type: "drained" });
  }

  /** Null when it gives no answer. */
  async #ask(path: string): Promise<{ status: number; body: unknown } | null> {
    const connections = this.#requests?.connections;
    if (connections === undefined) return null;
    try {
      const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(answerLimitMs)]);
      const { statusCode, body } = await connections.request({ method: "GET", path, signal });
      const text = await body.text();
      return { status: statusCode, body: JSON.parse(text) as unknown };
    } catch {
      return null;
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#over.signal }).catch(() => {});
  }
}
