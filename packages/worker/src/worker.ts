import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { RbeeError, toRbeeError, type WorkerProcessOptions } from "@rbee/contract";
import type { Logger } from "pino";
import { ActivityReporter } from "./activity.ts";
import { createApp } from "./api/app.ts";
import { chatAbilities } from "./api/chat-plan.ts";
import { loadWith, type ReadyModel } from "./api/ready-model.ts";
import { loadEngine, type ModelFacts } from "./engine/index.ts";
import { bindingOf, Parking, Scratch } from "./parking/index.ts";
import { openHiveChannel } from "./hive-channel.ts";
import { Scheduler } from "./scheduler/index.ts";
import { serveOnSocket } from "./socket-server.ts";
import { createPromptMaker } from "./templates/chat-template.ts";

/** How long running answers may take to finish once the worker is told to stop, in milliseconds. */
const drainLimitMs = 30_000;
/** What parking conversations may add to that, and how long before its end there must be peace. */
const parkingLimitMs = 5_000;
const parkingMarginMs = 500;
/** A step of the slowest machine takes minutes at most; one that takes longer hangs, as a GPU's driver may. */
const stepLimitMs = 5 * 60_000;
const lookEveryMs = 5_000;
/** Load progress is reported when it grew by this much. */
const progressStep = 0.02;

/** Runs one worker until its process exits: socket first, then the model, then requests until it is drained. */
export async function runWorker(options: WorkerProcessOptions, version: string, log: Logger): Promise<void> {
  let ready: ReadyModel | null = null;
  let draining = false;

  const app = createApp({
    model: options.model,
    version,
    ready: () => ready,
    draining: () => draining,
    onUnexpected: (error) => {
      log.error({ err: error }, "a request failed unexpectedly");
    },
  });
  const server = await serveOnSocket(app, options.socket_path);
  const exit = (code: number): never => {
    server.remove();
    process.exit(code);
  };
  /** Waits for nothing, not even for the step that the library computes, which `process.exit` would. */
  const exitAtOnce = () => {
    server.remove();
    process.kill(process.pid, "SIGKILL");
  };

  const drain = async (limitMs = drainLimitMs) => {
    if (draining) return;
    draining = true;
    log.info("draining");
    const startedMs = performance.now();
    setTimeout(() => {
      log.warn({ limit_ms: drainLimitMs }, "answers were still running at the end of the drain limit");
      exitAtOnce();
    }, drainLimitMs).unref();
    await Promise.all([ready?.scheduler.drain(), ready?.engine.embedder.idle()]);
    const leftMs = limitMs - parkingMarginMs - (performance.now() - startedMs);
    await ready?.scheduler.park(Math.min(parkingLimitMs, leftMs)).catch((error: unknown) => {
      log.warn({ err: error }, "conversations could not be parked");
    });
    server.stop();
    await channel.sendLast({ type: "drained" });
    log.info("drained");
    exit(0);
  };
  const channel = openHiveChannel({
    onCommand: (command) => {
      switch (command.type) {
        case "drain":
          void drain(command.limit_ms);
          break;
        case "threads":
          log.info({ threads: command.threads }, "computing with another number of threads");
          ready?.engine.useThreads(command.threads);
      }
    },
    onLost: () => {
      log.warn("the hive is gone");
      exitAtOnce();
    },
  });
  process.on("SIGTERM", () => void drain());
  // A Ctrl-C in the terminal reaches every process of the group; the hive decides when its workers stop.
  process.on("SIGINT", () => {});

  let reported = -progressStep;
  try {
    const engine = await loadEngine(options, {
      onProgress: (progress) => {
        if (progress < reported + progressStep && progress < 1) return;
        reported = progress;
        channel.send({ type: "loading", progress: Math.min(1, Math.max(0, progress)) });
      },
      onLog: (level, message) => {
        log[level]({ source: "llama.cpp" }, message);
      },
    });
    const activity = new ActivityReporter(
      () => {
        const load = loadNow();
        return {
          slots_busy: load.slotsBusy,
          queued: load.queued,
          tokens_per_s: Math.round(load.tokensPerS * 10) / 10,
        };
      },
      (message) => {
        channel.send(message);
      },
    );
    const isPipe = options.socket_path.startsWith("\\\\");
    const scratch = new Scratch(isPipe ? tmpdir() : dirname(options.socket_path));
    const scheduler = new Scheduler(engine, {
      scratch,
      parking: openParking(options, engine.facts, scratch, log),
      queueLimit: options.queue_limit,
      nowMs: () => performance.now(),
      speculation: options.speculation,
      onChange: () => {
        activity.changed();
      },
      onEngineError: (error) => {
        log.error({ err: error }, "the engine failed");
      },
    });
    engine.embedder.onChange = () => {
      activity.changed();
    };
    const loadNow = () => loadWith(scheduler.load(), engine.embedder.busy);
    // Looks are counted instead of time, which goes on while a laptop sleeps.
    let step: number | null = null;
    let looks = 0;
    setInterval(() => {
      const current = scheduler.stepStartedMs;
      looks = current !== null && current === step ? looks + 1 : 0;
      step = current;
      if (looks * lookEveryMs < stepLimitMs) return;
      const error = new RbeeError(
        "worker_stalled",
        `The engine has not finished a step for ${stepLimitMs / 60_000} min.`,
      );
      log.error({ err: error }, "the engine hangs");
      void channel.sendLast({ type: "failed", error: error.toBody().error }).then(exitAtOnce);
    }, lookEveryMs).unref();
    ready = {
      engine,
      scheduler,
      prompts: createPromptMaker(options.model, engine.facts.chatTemplate, engine.vocabulary),
      abilities: chatAbilities(engine.facts.chatTemplate, engine.vocabulary),
      load: loadNow,
      loadedAt: Math.floor(Date.now() / 1000),
    };
    const { backend, device, slots, contextLength } = engine.facts;
    channel.send({ type: "ready", slots_total: slots, context_length: contextLength, backend, device });
    log.info({ model: options.model, backend, device, slots, context_length: contextLength }, "ready");
  } catch (thrown) {
    const error = thrown instanceof RbeeError ? thrown : toRbeeError(thrown);
    log.error({ err: error }, "the model could not be loaded");
    await channel.sendLast({ type: "failed", error: error.toBody().error });
    exit(1);
  }
}

/** Where this worker parks conversations; null when it does not, or cannot. */
function openParking(options: WorkerProcessOptions, facts: ModelFacts, scratch: Scratch, log: Logger): Parking | null {
  if (options.parking === undefined) return null;
  const { folder, limit_mb, disk_margin_mb } = options.parking;
  const bytes = (mb: number) => mb * 1024 ** 2;
  try {
    const binding = bindingOf(options, facts);
    return new Parking({
      folder,
      limitBytes: bytes(limit_mb),
      marginBytes: bytes(disk_margin_mb),
      binding,
      scratch,
      log,
    });
  } catch (error) {
    log.warn({ err: error }, "conversations are not parked: the model's files cannot be read");
    return null;
  }
}
